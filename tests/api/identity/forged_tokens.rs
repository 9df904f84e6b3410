//! Forged, foreign, broken and misused tokens, sent to a running server (RFC 8725).
//!
//! Each is made of a real person's session and, where it can be, signed by the server's own key:
//! nothing but the fault itself stands between it and a success.

use aims::clock::Clock;
use aims::identity::Keys;
use aims::identity::keys::SigningKey;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey};
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use uuid::Uuid;

use crate::contract::problems::assert_problem;
use crate::support::actors::token_in;
use crate::support::server::folder;
use crate::support::{Firm, Person, app};

/// What a forger has: more than any real one.
struct Forge {
    key: Arc<SigningKey>,
    stranger: Arc<SigningKey>,
    person: Person,
    other: Person,
    header: Value,
    claims: Value,
}

fn decoded(part: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn encoded(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

fn signature(message: &str, key: &EncodingKey, algorithm: Algorithm) -> String {
    jsonwebtoken::crypto::sign(message.as_bytes(), key, algorithm).unwrap()
}

impl Forge {
    async fn set_up() -> Self {
        let keys = Keys::open(&app().data.join("keys"), Clock::machine()).unwrap();
        let others = Keys::open(&folder("foreign-keys"), Clock::machine()).unwrap();
        let person = Firm::sign_up(app(), "Fjordlys Advisory").await.owner;
        let other = Firm::sign_up(app(), "Nordlys Advisory").await.owner;
        let token = person.api.token().unwrap().to_owned();
        let parts: Vec<&str> = token.split('.').collect();
        Self {
            key: keys.signing().unwrap(),
            stranger: others.signing().unwrap(),
            header: decoded(parts[0]),
            claims: decoded(parts[1]),
            person,
            other,
        }
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = format!(
            "{}.{}",
            encoded(&header.to_string()),
            encoded(&claims.to_string())
        );
        let signature = signature(&message, &self.key.encoding, Algorithm::EdDSA);
        format!("{message}.{signature}")
    }

    fn with_header(&self, name: &str, value: Value) -> String {
        let mut header = self.header.clone();
        header[name] = value;
        self.sign(&header, &self.claims)
    }

    fn with_claim(&self, name: &str, value: Value) -> String {
        let mut claims = self.claims.clone();
        claims[name] = value;
        self.sign(&self.header, &claims)
    }

    fn without(&self, name: &str) -> String {
        let (mut header, mut claims) = (self.header.clone(), self.claims.clone());
        header.as_object_mut().unwrap().remove(name);
        claims.as_object_mut().unwrap().remove(name);
        self.sign(&header, &claims)
    }

    /// Signed with the public key as if it were a secret.
    fn by_the_public_key(&self, secret: &[u8], algorithm: Algorithm) -> String {
        let mut header = self.header.clone();
        header["alg"] = json!(format!("{algorithm:?}"));
        let message = format!(
            "{}.{}",
            encoded(&header.to_string()),
            encoded(&self.claims.to_string())
        );
        let key = EncodingKey::from_secret(secret);
        format!("{message}.{}", signature(&message, &key, algorithm))
    }

    async fn status(&self, authorization: &str) -> u16 {
        let headers = [("Authorization", authorization)];
        let answer = app()
            .anonymous()
            .send(Method::GET, "/v1/me", &headers, None)
            .await;
        if answer.status != 200 {
            let what = authorization.chars().take(100).collect::<String>();
            assert_problem(&what, &answer, 401);
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        }
        answer.status
    }
}

fn headers(forge: &Forge) -> Vec<(String, String)> {
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": forge.stranger.x});
    [
        ("alg", json!("none")),
        ("alg", json!("None")),
        ("alg", json!("HS256")),
        ("alg", json!("RS256")),
        ("alg", json!("ES256")),
        ("alg", json!("eddsa")),
        ("alg", json!("Ed25519")),
        ("alg", json!(1)),
        ("alg", Value::Null),
        ("typ", json!("JWT")),
        ("typ", json!("AT+JWT")),
        ("typ", json!("rt+jwt")),
        ("typ", Value::Null),
        ("kid", json!(forge.stranger.id)),
        ("kid", json!("../../etc/passwd")),
        ("kid", json!("' OR 1=1 --")),
        ("kid", json!("")),
        ("kid", json!([forge.key.id])),
        ("jku", json!("https://evil.example/jwks.json")),
        ("x5u", json!("https://evil.example/cert.pem")),
        ("x5c", json!(["AAAA"])),
        ("jwk", jwk),
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("zip", json!("DEF")),
        ("b64", json!(false)),
    ]
    .into_iter()
    .map(|(name, value)| (format!("{name} {value}"), forge.with_header(name, value)))
    .collect()
}

fn claims(forge: &Forge) -> Vec<(String, String)> {
    let exp = forge.claims["exp"].as_i64().unwrap();
    let mut list: Vec<_> = [
        ("exp", json!(exp.to_string())),
        ("exp", json!(0.5)),
        ("exp", json!(1e300)),
        ("exp", json!(-1)),
        ("exp", json!(i64::MAX)),
        ("exp", json!(exp - 700)),
        ("exp", json!(exp + 86_400)),
        ("iat", json!(exp + 3_600)),
        ("iat", json!("now")),
        ("nbf", json!("never")),
        ("iss", json!("http://evil.example")),
        ("iss", json!(["http://aims.test"])),
        ("iss", json!("http://aims.test/")),
        ("aud", json!("other")),
        ("aud", json!(["other"])),
        ("aud", json!([])),
        ("sub", json!(forge.other.id)),
        ("sub", json!("root")),
        ("sub", json!(1)),
        ("sid", json!(Uuid::now_v7())),
        ("sid", json!("")),
        ("jti", json!([])),
    ]
    .into_iter()
    .filter(|(name, _)| *name != "nbf")
    .map(|(name, value)| (format!("{name} {value}"), forge.with_claim(name, value)))
    .collect();
    for name in [
        "alg", "typ", "kid", "iss", "aud", "sub", "sid", "jti", "iat", "exp",
    ] {
        list.push((format!("without {name}"), forge.without(name)));
    }
    list
}

fn signatures(forge: &Forge) -> Vec<(String, String)> {
    let good = forge.person.api.token().unwrap();
    let parts: Vec<&str> = good.split('.').collect();
    let (header, claims, real) = (parts[0], parts[1], parts[2]);
    let message = format!("{header}.{claims}");
    let foreign = signature(&message, &forge.stranger.encoding, Algorithm::EdDSA);
    let other = forge.other.api.token().unwrap().split('.').nth(1).unwrap();
    let public = URL_SAFE_NO_PAD.decode(&forge.key.x).unwrap();
    [
        ("no signature", format!("{message}.")),
        ("two parts", message.clone()),
        ("four parts", format!("{good}.{real}")),
        ("dots", "..".to_owned()),
        ("one dot", ".".to_owned()),
        ("somebody else's claims", format!("{header}.{other}.{real}")),
        ("another key", format!("{message}.{foreign}")),
        (
            "zeros",
            format!("{message}.{}", URL_SAFE_NO_PAD.encode([0; 64])),
        ),
        ("padding", format!("{good}=")),
        ("one letter more", format!("{good}A")),
        (
            "one letter less",
            good.get(..good.len() - 1).unwrap().to_owned(),
        ),
        ("upper case", good.to_uppercase()),
        ("a huge token", "a".repeat(8_000)),
        (
            "the public key as a secret",
            forge.by_the_public_key(&public, Algorithm::HS256),
        ),
        (
            "its text as a secret",
            forge.by_the_public_key(forge.key.x.as_bytes(), Algorithm::HS512),
        ),
        (
            "an empty secret",
            forge.by_the_public_key(b"", Algorithm::HS256),
        ),
    ]
    .map(|(what, token)| (what.to_owned(), token))
    .into()
}

#[actix_web::test]
async fn no_forged_token_lets_anybody_in() {
    let forge = Forge::set_up().await;
    let baseline = forge.sign(&forge.header, &forge.claims);
    assert_eq!(
        forge.status(&format!("Bearer {baseline}")).await,
        200,
        "the forge works"
    );
    let mut corpus = headers(&forge);
    corpus.extend(claims(&forge));
    corpus.extend(signatures(&forge));
    assert!(corpus.len() >= 60, "{}", corpus.len());

    for (what, token) in corpus {
        let status = forge.status(&format!("Bearer {token}")).await;
        assert_eq!(status, 401, "{what}");
    }
}

#[actix_web::test]
async fn only_the_bearer_scheme_carries_a_token() {
    let forge = Forge::set_up().await;
    let token = forge.person.api.token().unwrap();
    assert_eq!(forge.status(&format!("bearer {token}")).await, 200);
    for header in [
        token.to_owned(),
        format!("Basic {token}"),
        format!("Token {token}"),
        format!("DPoP {token}"),
        format!("Bearer{token}"),
        format!("Bearer \"{token}\""),
        format!("Bearer {token}, Bearer {token}"),
        format!("Bearer Bearer {token}"),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        String::new(),
    ] {
        let status = forge.status(&header).await;
        assert_eq!(
            status,
            401,
            "{}",
            header.chars().take(40).collect::<String>()
        );
    }
    let in_query = format!("/v1/me?access_token={token}");
    app().anonymous().get(&in_query, 401).await;
    let cookie = format!("access_token={token}");
    let answer = app()
        .anonymous()
        .send(Method::GET, "/v1/me", &[("Cookie", &cookie)], None)
        .await;
    assert_problem("a cookie", &answer, 401);
}

#[actix_web::test]
async fn no_token_works_in_the_place_of_another() {
    let firm = Firm::sign_up(app(), "Fjordlys Advisory").await;
    let client = firm.client("Aurelia Lending B.V.").await;
    let email = format!("{}@example.org", Uuid::now_v7().simple());
    let invitation = json!({"email": email, "roles": ["viewer"]});
    firm.owner
        .api
        .post(&client.path("invitations"), &invitation, 201)
        .await;
    let invited = token_in(&app().link_mailed_to(&email).await);
    let (access, refresh) = (
        firm.owner.api.token().unwrap(),
        firm.owner.refresh_token.as_str(),
    );

    for other in [refresh, invited.as_str()] {
        app().anonymous().with_token(other).get("/v1/me", 401).await;
    }
    let short = access.get(..128).unwrap();
    for other in [short, invited.as_str()] {
        let body = json!({"refresh_token": other});
        app().anonymous().post("/v1/auth/refresh", &body, 401).await;
    }
    for other in [short, refresh] {
        let body = json!({"token": other, "name": "Ida Holm", "password": crate::support::actors::PASSWORD});
        app()
            .anonymous()
            .post("/v1/invitations/accept", &body, 422)
            .await;
    }
    firm.owner.api.get("/v1/me", 200).await;
}
