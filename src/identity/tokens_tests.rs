//! Forged, foreign and broken tokens: none may pass.

use aws_lc_rs::hmac;
use jsonwebtoken::EncodingKey;
use serde_json::{Value, json};

use super::*;
use crate::clock::Clock;
use crate::identity::keys::SigningKey;

const ISSUER: &str = "https://aims.example.org";

struct Forge {
    tokens: Tokens,
    key: Arc<SigningKey>,
    now: DateTime<Utc>,
}

impl Forge {
    fn new() -> Self {
        let keys = Arc::new(a_ring());
        let key = keys.signing().unwrap();
        Self {
            tokens: Tokens::new(keys, ISSUER),
            key,
            now: Clock::machine().now(),
        }
    }

    fn header(&self) -> Value {
        json!({"alg": "EdDSA", "typ": "at+jwt", "kid": self.key.id})
    }

    fn claims(&self) -> Value {
        json!({
            "iss": ISSUER, "aud": "aims", "sub": Uuid::now_v7(), "sid": Uuid::now_v7(),
            "jti": Uuid::now_v7(), "iat": self.now.timestamp(), "exp": self.now.timestamp() + 600,
        })
    }

    /// Signs whatever it is given with the real key.
    fn sign(&self, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", encode64(header), encode64(claims));
        let signature =
            jsonwebtoken::crypto::sign(message.as_bytes(), &self.key.encoding, Algorithm::EdDSA)
                .unwrap();
        format!("{message}.{signature}")
    }

    fn with_header(&self, name: &str, value: Value) -> String {
        let mut header = self.header();
        header[name] = value;
        self.sign(&header.to_string(), &self.claims().to_string())
    }

    fn with_claim(&self, name: &str, value: Value) -> String {
        let mut claims = self.claims();
        claims[name] = value;
        self.sign(&self.header().to_string(), &claims.to_string())
    }

    fn without_claim(&self, name: &str) -> String {
        let mut claims = self.claims();
        claims.as_object_mut().unwrap().remove(name);
        self.sign(&self.header().to_string(), &claims.to_string())
    }

    fn passes(&self, token: &str) -> bool {
        self.tokens.verify(token, self.now).is_some()
    }
}

fn a_ring() -> Keys {
    let folder = std::env::temp_dir().join(format!("aims-tokens-{}", Uuid::now_v7()));
    Keys::open(&folder, Clock::machine()).unwrap()
}

fn encode64(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

#[test]
fn what_was_issued_passes_and_says_who_it_is_for() {
    let forge = Forge::new();
    let (user, session) = (Uuid::now_v7(), Uuid::now_v7());

    let token = forge.tokens.issue(user, session, forge.now).unwrap();

    let signed_in = forge.tokens.verify(&token, forge.now).unwrap();
    assert_eq!(signed_in.user_id, user);
    assert_eq!(signed_in.session_id, session);
    assert!(forge.passes(&forge.sign(&forge.header().to_string(), &forge.claims().to_string())));
}

#[test]
fn a_token_ends_after_ten_minutes_by_the_injected_clock() {
    let forge = Forge::new();
    let token = forge
        .tokens
        .issue(Uuid::now_v7(), Uuid::now_v7(), forge.now)
        .unwrap();

    let at = |seconds| {
        forge
            .tokens
            .verify(&token, forge.now + TimeDelta::seconds(seconds))
    };
    assert!(
        at(-29).is_some(),
        "the clock of the issuer may be a little ahead"
    );
    assert!(at(598).is_some());
    assert!(at(600).is_none());
    assert!(at(-32).is_none(), "issued in the future");
}

#[test]
fn forged_headers_are_refused() {
    let forge = Forge::new();
    let stranger = a_ring().signing().unwrap();
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": stranger.x});
    let changed = [
        ("alg none", "alg", json!("none")),
        ("alg None", "alg", json!("None")),
        ("alg HS256", "alg", json!("HS256")),
        ("alg RS256", "alg", json!("RS256")),
        ("alg ES256", "alg", json!("ES256")),
        ("alg lower case", "alg", json!("eddsa")),
        ("alg a number", "alg", json!(1)),
        ("typ JWT", "typ", json!("JWT")),
        ("typ upper case", "typ", json!("AT+JWT")),
        ("typ null", "typ", Value::Null),
        ("kid unknown", "kid", json!(stranger.id)),
        ("kid a path", "kid", json!("../../etc/passwd")),
        ("kid empty", "kid", json!("")),
        ("kid a list", "kid", json!([forge.key.id])),
        ("jku", "jku", json!("https://evil.example/jwks.json")),
        ("x5u", "x5u", json!("https://evil.example/cert.pem")),
        ("x5c", "x5c", json!(["AAAA"])),
        ("jwk", "jwk", jwk),
        ("crit", "crit", json!(["exp"])),
        ("zip", "zip", json!("DEF")),
        ("b64", "b64", json!(false)),
    ];

    for (what, name, value) in changed {
        assert!(!forge.passes(&forge.with_header(name, value)), "{what}");
    }
}

#[test]
fn headers_with_double_or_missing_members_are_refused() {
    let forge = Forge::new();
    let claims = forge.claims().to_string();
    let twice = format!(
        r#"{{"alg":"none","alg":"EdDSA","typ":"at+jwt","kid":"{}"}}"#,
        forge.key.id
    );
    let lone = r#"{"alg":"EdDSA","typ":"at+jwt"}"#;

    assert!(!forge.passes(&forge.sign(&twice, &claims)), "alg twice");
    assert!(!forge.passes(&forge.sign(lone, &claims)), "no kid");
    assert!(!forge.passes(&forge.sign("[]", &claims)), "no object");
}
#[test]
fn missing_and_mistyped_claims_are_refused() {
    let forge = Forge::new();
    let now = forge.now.timestamp();
    for claim in ["iss", "aud", "sub", "sid", "jti", "iat", "exp"] {
        assert!(
            !forge.passes(&forge.without_claim(claim)),
            "without {claim}"
        );
        assert!(
            !forge.passes(&forge.with_claim(claim, Value::Null)),
            "{claim} null"
        );
    }
    for (claim, value) in [
        ("exp", json!((now + 600).to_string())),
        ("exp", json!(1e300)),
        ("exp", json!(600.5)),
        ("exp", json!(i64::MAX)),
        ("exp", json!(now)),
        ("exp", json!(now + 86_400)),
        ("iat", json!(now.to_string())),
        ("iat", json!(now + 120)),
        ("iat", json!(-1)),
        ("sub", json!("root")),
        ("sub", json!(1)),
        ("sid", json!("")),
        ("jti", json!([])),
        ("iss", json!("https://evil.example")),
        ("iss", json!([ISSUER])),
        ("iss", json!(format!("{ISSUER}/"))),
        ("aud", json!("other")),
        ("aud", json!(["aims", "other"])),
    ] {
        assert!(
            !forge.passes(&forge.with_claim(claim, value.clone())),
            "{claim} {value}"
        );
    }
}

#[test]
fn altered_and_foreign_signatures_are_refused() {
    let forge = Forge::new();
    let good = forge.sign(&forge.header().to_string(), &forge.claims().to_string());
    let parts: Vec<&str> = good.split('.').collect();
    let (header, claims, signature) = (parts[0], parts[1], parts[2]);
    let stranger = a_ring().signing().unwrap();
    let message = format!("{header}.{claims}");
    let by = |key: &EncodingKey| {
        jsonwebtoken::crypto::sign(message.as_bytes(), key, Algorithm::EdDSA).unwrap()
    };
    let other = encode64(&forge.claims().to_string());

    for forged in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        message.clone(),
        format!("{message}."),
        format!("{header}.{other}.{signature}"),
        format!("{message}.{}", by(&stranger.encoding)),
        format!("{message}.{}", URL_SAFE_NO_PAD.encode([0; 64])),
        format!("{message}.{signature}="),
        format!("{good}.{signature}"),
        format!("{good} "),
        format!("{good}A"),
        format!("{header}=.{claims}.{signature}"),
        "a".repeat(4096),
    ] {
        assert!(!forge.passes(&forged), "{forged}");
    }
    assert!(forge.passes(&good));
}

/// RFC 8725 section 2.1: the public key taken for an HMAC secret.
#[test]
fn the_public_key_is_no_secret() {
    let forge = Forge::new();
    let mut header = forge.header();
    header["alg"] = json!("HS256");
    let message = format!(
        "{}.{}",
        encode64(&header.to_string()),
        encode64(&forge.claims().to_string())
    );
    let public = URL_SAFE_NO_PAD.decode(&forge.key.x).unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &public);

    let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key, message.as_bytes()));

    assert!(!forge.passes(&format!("{message}.{signature}")));
}
