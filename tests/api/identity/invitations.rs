//! Invitations: good once, for 72 hours, for one address, while the inviter may give the roles.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::contract::problems::{assert_problem, pointers};
use crate::contract::stage::{Stage, rehearsal, rehearsal_of, set_clock};
use crate::support::actors::{PASSWORD, sign_in, token_in};
use crate::support::{Answer, App, Client, Setup};

fn address() -> String {
    format!("{}@example.org", Uuid::now_v7().simple())
}

/// Invites somebody as a viewer: the invitation and its token.
async fn invite(stage: &Stage<'_>, inviter: &Client, email: &str) -> (Value, String) {
    let body = json!({"email": email, "roles": ["viewer"]});
    let path = stage.client.path("invitations");
    let invitation = inviter.post(&path, &body, 201).await;
    (invitation, token_in(&stage.app.link_mailed_to(email).await))
}

async fn accept(app: &App, token: &str, password: &str) -> Answer {
    let body = json!({"token": token, "name": "Ida Holm", "password": password}).to_string();
    app.anonymous()
        .send(Method::POST, "/v1/invitations/accept", &[], Some(body))
        .await
}

fn assert_not_valid(what: &str, answer: &Answer) {
    assert_problem(what, answer, 422);
    assert_eq!(pointers(answer), ["/token"], "{what}");
}

#[actix_web::test]
async fn an_invitation_is_good_once() {
    let stage = Stage::set(rehearsal().await).await;
    let email = address();
    let (invitation, token) = invite(&stage, &stage.approver.api, &email).await;
    let open = stage
        .approver
        .api
        .get(&stage.client.path("invitations"), 200)
        .await;
    assert!(
        open["items"]
            .as_array()
            .unwrap()
            .iter()
            .any(|item| item["id"] == invitation["id"])
    );
    assert!(!open.to_string().contains(&token) && !invitation.to_string().contains(&token));

    let joined = accept(stage.app, &token, PASSWORD).await.expect(201);
    let again = accept(stage.app, &token, PASSWORD).await;

    assert_not_valid("used", &again);
    assert_eq!(joined.header("location"), Some(stage.client.base.as_str()));
    let person = sign_in(stage.app, &email, PASSWORD).await;
    let tenant = person.api.get(&stage.client.base, 200).await;
    assert_eq!(tenant["roles"], json!(["viewer"]));
    let open = stage
        .approver
        .api
        .get(&stage.client.path("invitations"), 200)
        .await;
    let items = open["items"].as_array().unwrap();
    let used = items.iter().find(|item| item["email"] == email.as_str());
    assert_eq!(used.unwrap()["state"], "accepted");
}

#[actix_web::test]
async fn of_ten_who_accept_at_once_one_joins() {
    let stage = Stage::set(rehearsal().await).await;
    let (_, token) = invite(&stage, &stage.approver.api, &address()).await;
    let members = async || {
        let list = stage
            .approver
            .api
            .get(&stage.client.path("members"), 200)
            .await;
        list["items"].as_array().unwrap().len()
    };
    let before = members().await;

    let all = (0..10).map(|_| accept(stage.app, &token, PASSWORD));
    let answers = futures_util::future::join_all(all).await;

    let joined = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(joined, 1);
    assert!(answers.iter().all(|answer| answer.status < 500));
    assert_eq!(members().await, before + 1);
}

#[actix_web::test]
async fn unknown_revoked_and_replaced_invitations_are_not_valid() {
    let stage = Stage::set(rehearsal().await).await;
    let (revoked, revoked_token) = invite(&stage, &stage.approver.api, &address()).await;
    let at = stage
        .client
        .path(&format!("invitations/{}", revoked["id"].as_str().unwrap()));
    stage
        .approver
        .api
        .send(Method::DELETE, &at, &[], None)
        .await
        .expect(204);
    let gone = stage
        .approver
        .api
        .send(Method::DELETE, &at, &[], None)
        .await;
    assert_problem("revoked twice", &gone, 404);
    let email = address();
    let (_, replaced) = invite(&stage, &stage.approver.api, &email).await;
    let (_, newest) = invite(&stage, &stage.approver.api, &email).await;

    for (what, token) in [
        ("unknown", "A".repeat(43)),
        ("revoked", revoked_token),
        ("replaced", replaced),
    ] {
        assert_not_valid(what, &accept(stage.app, &token, PASSWORD).await);
    }
    accept(stage.app, &newest, PASSWORD).await.expect(201);
}

#[actix_web::test]
async fn an_invitation_ends_after_72_hours() {
    let app = rehearsal_of(Setup::named("invitation_ends")).await;
    let stage = Stage::set(&app).await;
    let (_, in_time) = invite(&stage, &stage.approver.api, &address()).await;
    let (_, too_late) = invite(&stage, &stage.approver.api, &address()).await;

    set_clock(&app, "2027-03-18T07:59:00Z").await;
    accept(&app, &in_time, PASSWORD).await.expect(201);
    set_clock(&app, "2027-03-18T08:10:00Z").await;

    assert_not_valid("too late", &accept(&app, &too_late, PASSWORD).await);
}

#[actix_web::test]
async fn the_account_of_an_invited_address_is_not_changed_by_whoever_has_the_link() {
    let stage = Stage::set(rehearsal().await).await;
    let victim = Stage::set(stage.app).await.author;
    let (_, token) = invite(&stage, &stage.approver.api, &victim.email).await;

    let wrong = accept(stage.app, &token, "another good password 99").await;
    assert_problem("a wrong password", &wrong, 422);
    assert_eq!(pointers(&wrong), ["/password"]);
    accept(stage.app, &token, PASSWORD).await.expect(201);

    let person = sign_in(stage.app, &victim.email, PASSWORD).await;
    assert_eq!(person.id, victim.id);
    assert_eq!(person.name, victim.name);
    victim.api.get(&stage.client.base, 200).await;
}

#[actix_web::test]
async fn an_invitation_is_worthless_once_its_inviter_may_not_give_the_roles() {
    let stage = Stage::set(rehearsal().await).await;
    let second = stage
        .client
        .staff_by(&stage.approver, "Mila Bakker", &["aims_manager"], None)
        .await;
    let (_, token) = invite(&stage, &second.api, &address()).await;
    let members = stage
        .approver
        .api
        .get(&stage.client.path("members"), 200)
        .await;
    let member = members["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|item| item["user_id"] == json!(second.id))
        .unwrap();
    let at = stage
        .client
        .path(&format!("members/{}", member["id"].as_str().unwrap()));

    stage
        .approver
        .api
        .send(
            Method::PATCH,
            &at,
            &[("If-Match", "*")],
            Some(json!({"roles": ["viewer"]}).to_string()),
        )
        .await
        .expect(200);

    assert_not_valid(
        "its inviter is a viewer now",
        &accept(stage.app, &token, PASSWORD).await,
    );
}

#[actix_web::test]
async fn who_is_a_member_already_does_not_join_twice() {
    let stage = Stage::set(rehearsal().await).await;
    let (_, token) = invite(&stage, &stage.approver.api, &stage.author.email).await;

    let answer = accept(stage.app, &token, PASSWORD).await;

    assert_problem("a member", &answer, 409);
    let me = stage.author.api.get(&stage.client.base, 200).await;
    assert!(
        me["roles"]
            .as_array()
            .unwrap()
            .contains(&json!("aims_manager"))
    );
}

#[actix_web::test]
async fn an_invitation_needs_a_good_password_and_a_name() {
    let stage = Stage::set(rehearsal().await).await;
    let (_, token) = invite(&stage, &stage.approver.api, &address()).await;
    let post = |body: Value| {
        let anonymous = stage.app.anonymous();
        async move {
            anonymous
                .send(
                    Method::POST,
                    "/v1/invitations/accept",
                    &[],
                    Some(body.to_string()),
                )
                .await
        }
    };
    for (body, pointer) in [
        (
            json!({"token": token, "name": "Ida Holm", "password": "too short"}),
            "/password",
        ),
        (json!({"token": token, "name": "Ida Holm"}), "/password"),
        (json!({"token": token, "password": PASSWORD}), "/name"),
        (
            json!({"token": token, "name": " ", "password": PASSWORD}),
            "/name",
        ),
        (
            json!({"token": token, "name": "Ida Holm", "password": PASSWORD, "roles": ["top_management"]}),
            "/roles",
        ),
    ] {
        let answer = post(body).await;
        assert_problem(pointer, &answer, 422);
        assert!(
            pointers(&answer).contains(&pointer.to_owned()),
            "{}",
            answer.text
        );
    }
    accept(stage.app, &token, PASSWORD).await.expect(201);
}
