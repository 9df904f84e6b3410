//! Names go into mails to strangers: they lead nowhere.

use reqwest::Method;
use serde_json::json;

use super::{address, patch, post, token_to};
use crate::contract::problems::{assert_problem, pointers};
use crate::contract::stage::{Stage, rehearsal};
use crate::support::Answer;
use crate::support::actors::PASSWORD;

const BAD: &[&str] = &[
    "You have won https://evil.example/win",
    "Pay at www.evil.example",
    "evil.example/win",
    "Write to help@evil.example",
];
const GOOD: &[&str] = &["A.B. Smith", "Müller & Co.", "booking.com B.V."];

#[track_caller]
fn assert_refused(answer: &Answer, pointer: &str) {
    assert_problem(pointer, answer, 422);
    assert_eq!(pointers(answer), [pointer], "{}", answer.text);
}

#[actix_web::test]
async fn names_of_firms_clients_and_people_hold_no_addresses() {
    let stage = Stage::set(rehearsal().await).await;
    let owner = &stage.firm.owner.api;
    let sign_up = |name: &str, person: &str| {
        let owner = json!({"name": person, "email": address(), "password": PASSWORD});
        json!({"name": name, "owner": owner})
    };
    let client = |name: &str| json!({"consultancy_id": stage.firm.id, "name": name, "time_zone": "Europe/Oslo"});
    let anonymous = stage.app.anonymous();
    let email = address();
    let body = json!({"email": email, "roles": ["viewer"]});
    let top = &stage.approver.api;
    top.post(&stage.client.path("invitations"), &body, 201)
        .await;
    let token = token_to(stage.app, &email).await;
    for bad in BAD {
        let firms = "/v1/consultancies";
        assert_refused(&post(&anonymous, firms, sign_up(bad, "Tor")).await, "/name");
        assert_refused(
            &post(&anonymous, firms, sign_up("Nord", bad)).await,
            "/owner/name",
        );
        assert_refused(&post(owner, "/v1/tenants", client(bad)).await, "/name");
        let named = json!({"name": bad});
        assert_refused(
            &patch(owner, &stage.client.base, named.clone()).await,
            "/name",
        );
        assert_refused(&patch(owner, "/v1/me", named).await, "/name");
        let accepts = json!({"token": token, "name": bad, "password": PASSWORD});
        assert_refused(
            &post(&anonymous, "/v1/invitations/accept", accepts).await,
            "/name",
        );
    }
    for good in GOOD {
        post(&anonymous, "/v1/consultancies", sign_up(good, good))
            .await
            .expect(201);
        post(owner, "/v1/tenants", client(good)).await.expect(201);
        patch(owner, "/v1/me", json!({"name": good}))
            .await
            .expect(200);
    }
}

#[actix_web::test]
async fn an_address_is_the_same_person_however_it_is_written() {
    let stage = Stage::set(rehearsal().await).await;
    let local = uuid::Uuid::now_v7().simple().to_string();
    let email = format!("{local}@müller.example");
    let body = json!({"email": format!(" {email} "), "roles": ["viewer"]});
    let list = stage.client.path("invitations");
    let invited = stage.approver.api.post(&list, &body, 201).await;
    let ascii = format!("{local}@xn--mller-kva.example");
    assert_eq!(invited["email"], json!(ascii));
    let token = token_to(stage.app, &ascii).await;
    super::join(stage.app, &token).await.expect(201);

    for written in [
        email.clone(),
        format!("{email} "),
        format!("\t{email}"),
        ascii.clone(),
        email.to_uppercase(),
    ] {
        let body = json!({"email": written, "password": PASSWORD});
        let answer = post(&stage.app.anonymous(), "/v1/auth/login", body).await;
        assert_eq!(answer.status, 200, "{written:?}: {}", answer.text);
    }
    let before_the_at = json!({"email": "änna@example.org", "password": PASSWORD});
    let refused = post(&stage.app.anonymous(), "/v1/auth/login", before_the_at).await;
    assert_refused(&refused, "/email");
    assert!(refused.text.contains("before the @"), "{}", refused.text);
}

#[actix_web::test]
async fn what_does_not_fit_is_told_without_a_pattern() {
    let stage = Stage::set(rehearsal().await).await;
    for (at, body) in [
        (stage.client.base.as_str(), json!({"country": "nl"})),
        (&stage.client.base, json!({"locale": "klingon!"})),
        (&stage.client.base, json!({"time_zone": "Mars/Olympus"})),
        ("/v1/me", json!({"locale": "*"})),
    ] {
        let api = &stage.firm.owner.api;
        let sent = Some(body.to_string());
        let headers = [("If-Match", "*")];
        let answer = api.send(Method::PATCH, at, &headers, sent).await;
        assert_problem(&body.to_string(), &answer, 422);
        for sign in ["^[", "$\"", "]{", "\\\\"] {
            assert!(!answer.text.contains(sign), "{}", answer.text);
        }
    }
}
