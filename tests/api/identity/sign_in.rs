//! Signing in and out, with tokens in the body or the refresh token in a cookie.

use reqwest::Method;
use serde_json::{Value, json};

use crate::contract::problems::assert_problem;
use crate::support::actors::{PASSWORD, sign_in};
use crate::support::{Answer, Client, Firm, Person, app};

/// Where our own pages come from.
const ORIGIN: (&str, &str) = ("Origin", "http://aims.test");

async fn owner() -> Person {
    Firm::sign_up(app(), "Fjordlys Advisory").await.owner
}

async fn post(
    client: &Client,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<Value>,
) -> Answer {
    let body = body.map(|body| body.to_string());
    client.send(Method::POST, path, headers, body).await
}

async fn is_alive(person: &Person) -> bool {
    let answer = person.api.send(Method::GET, "/v1/me", &[], None).await;
    answer.status == 200
}

#[actix_web::test]
async fn a_wrong_password_and_an_unknown_address_look_the_same() {
    let person = owner().await;
    let login = |email: &str| json!({"email": email, "password": "not the right one at all"});

    let anonymous = app().anonymous();
    let wrong = post(
        &anonymous,
        "/v1/auth/login",
        &[],
        Some(login(&person.email)),
    )
    .await;
    let unknown = post(
        &anonymous,
        "/v1/auth/login",
        &[],
        Some(login("nobody.here@example.org")),
    )
    .await;

    assert_problem("a wrong password", &wrong, 401);
    assert_problem("an unknown address", &unknown, 401);
    let (mut wrong, mut unknown) = (wrong.json(), unknown.json());
    wrong["request_id"].take();
    unknown["request_id"].take();
    assert_eq!(wrong, unknown);
}

#[actix_web::test]
async fn an_address_is_the_same_in_upper_and_lower_case() {
    let person = owner().await;

    let other = sign_in(app(), &person.email.to_uppercase(), PASSWORD).await;

    assert_eq!(other.id, person.id);
}

#[actix_web::test]
async fn an_address_may_have_blanks_around_it_and_a_domain_in_any_script() {
    let name = format!("signe.{}", uuid::Uuid::now_v7().simple());
    let owner =
        json!({"name": "Signe", "email": format!("{name}@müller.example"), "password": PASSWORD});
    let body = json!({"name": "Fjordlys Advisory", "owner": owner});
    app()
        .anonymous()
        .post("/v1/consultancies", &body, 201)
        .await;

    for same in [
        format!("{name}@müller.example"),
        format!(" {name}@MÜLLER.example "),
        format!("{name}@xn--mller-kva.example"),
    ] {
        let login = json!({"email": same, "password": PASSWORD});
        app().anonymous().post("/v1/auth/login", &login, 200).await;
    }
    for bad in ["", "x", "ana@", "änna@example.org", "ana@exa mple.org"] {
        let login = json!({"email": bad, "password": PASSWORD});
        let answer = post(&app().anonymous(), "/v1/auth/login", &[], Some(login)).await;
        assert_problem(bad, &answer, 422);
        assert_eq!(answer.json()["errors"][0]["pointer"], "/email", "{bad}");
    }
}

#[actix_web::test]
async fn a_password_is_the_same_however_its_accents_are_typed() {
    let email = format!("lars.{}@example.org", uuid::Uuid::now_v7().simple());
    let owner =
        json!({"name": "Lars", "email": email, "password": "zw\u{f6}lf kleine Boote fahren"});
    let body = json!({"name": "Fjordlys Advisory", "owner": owner});
    app()
        .anonymous()
        .post("/v1/consultancies", &body, 201)
        .await;

    sign_in(app(), &email, "zwo\u{308}lf kleine Boote fahren").await;
}

#[actix_web::test]
async fn signing_out_is_effective_at_once() {
    let person = owner().await;
    let other = sign_in(app(), &person.email, PASSWORD).await;
    assert!(is_alive(&person).await);

    post(&person.api, "/v1/auth/logout", &[], None)
        .await
        .expect(204);

    assert!(!is_alive(&person).await);
    let token = json!({"refresh_token": person.refresh_token});
    let answer = post(&app().anonymous(), "/v1/auth/refresh", &[], Some(token)).await;
    assert_problem("after signing out", &answer, 401);
    assert!(is_alive(&other).await);
}

#[actix_web::test]
async fn the_refresh_token_alone_is_enough_to_sign_out() {
    let person = owner().await;
    let token = json!({"refresh_token": person.refresh_token});

    post(
        &app().anonymous(),
        "/v1/auth/logout",
        &[],
        Some(token.clone()),
    )
    .await
    .expect(204);

    assert!(!is_alive(&person).await);
    post(&app().anonymous(), "/v1/auth/logout", &[], Some(token))
        .await
        .expect(204);
    let nobody = post(&app().anonymous(), "/v1/auth/logout", &[], None).await;
    assert_problem("nobody signs out", &nobody, 401);
}

#[actix_web::test]
async fn a_page_keeps_the_refresh_token_in_a_cookie_that_only_we_get() {
    let person = owner().await;
    let anonymous = app().anonymous();
    let login = json!({"email": person.email, "password": PASSWORD, "cookie": true});

    let answer = post(&anonymous, "/v1/auth/login", &[ORIGIN], Some(login))
        .await
        .expect(200);

    assert_eq!(answer.json()["refresh_token"], Value::Null);
    let set = answer.header("set-cookie").unwrap().to_owned();
    let (cookie, attributes) = set.split_once("; ").unwrap();
    assert!(cookie.starts_with("__Host-"), "{set}");
    for attribute in ["Path=/", "Secure", "HttpOnly", "SameSite=Strict"] {
        assert!(
            attributes.split("; ").any(|known| known == attribute),
            "{set}"
        );
    }
    assert!(!attributes.contains("Domain"), "{set}");

    let refresh = "/v1/auth/refresh";
    let without_origin = post(&anonymous, refresh, &[("Cookie", cookie)], None).await;
    assert_problem("without Origin", &without_origin, 403);
    let foreign = [("Cookie", cookie), ("Origin", "http://evil.example")];
    let foreign = post(&anonymous, refresh, &foreign, None).await;
    assert_problem("from another page", &foreign, 403);

    let renewed = post(&anonymous, refresh, &[("Cookie", cookie), ORIGIN], None)
        .await
        .expect(200);
    assert_eq!(renewed.json()["refresh_token"], Value::Null);
    assert_ne!(renewed.header("set-cookie"), Some(set.as_str()));
    let next = renewed
        .header("set-cookie")
        .unwrap()
        .split(';')
        .next()
        .unwrap();
    let gone = post(
        &anonymous,
        "/v1/auth/logout",
        &[("Cookie", next), ORIGIN],
        None,
    )
    .await
    .expect(204);
    assert!(gone.header("set-cookie").unwrap().contains("Max-Age=0"));
    let dead = post(&anonymous, refresh, &[("Cookie", next), ORIGIN], None).await;
    assert_problem("after signing out", &dead, 401);
}

#[actix_web::test]
async fn a_page_of_another_origin_cannot_sign_in_with_a_cookie() {
    let person = owner().await;
    let login = json!({"email": person.email, "password": PASSWORD, "cookie": true});
    for headers in [
        vec![],
        vec![("Origin", "null")],
        vec![("Origin", "http://aims.test.evil.example")],
    ] {
        let answer = post(
            &app().anonymous(),
            "/v1/auth/login",
            &headers,
            Some(login.clone()),
        )
        .await;
        assert_problem(&format!("{headers:?}"), &answer, 403);
        assert_eq!(answer.header("set-cookie"), None);
    }
}

#[actix_web::test]
async fn the_public_keys_are_published_and_nothing_else() {
    let answer = app()
        .anonymous()
        .send(Method::GET, "/.well-known/jwks.json", &[], None)
        .await
        .expect(200);

    let keys = answer.json();
    let keys = keys["keys"].as_array().unwrap();
    assert!(!keys.is_empty());
    for key in keys {
        let members: Vec<_> = key
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x"]);
        assert_eq!(
            [&key["alg"], &key["crv"], &key["kty"]],
            ["EdDSA", "Ed25519", "OKP"]
        );
    }
    assert!(answer.header("cache-control").unwrap().contains("max-age"));
}
