//! How access ends: with the engagement, the assignment, the firm, the last day.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use crate::contract::problems::assert_problem;
use crate::contract::stage::{Stage, rehearsal, rehearsal_of, set_clock};
use crate::support::actors::{PASSWORD, sign_in};
use crate::support::{Answer, Client, Person, Setup};

/// In which an ending must show everywhere.
const SOON: Duration = Duration::from_secs(1);

async fn consultant(stage: &Stage<'_>, role: &str) -> Person {
    let person = stage.firm.hire("Cleo Nord", role).await;
    stage.firm.assign(&person, &stage.client, role).await;
    person.api.get(&stage.client.base, 200).await;
    person
}

/// Fails unless the tenant is out of sight within a second.
async fn assert_shut_out(stage: &Stage<'_>, client: &Client) {
    let start = Instant::now();
    for path in ["", "/risks", "/members", "/records", "/engagements"] {
        let path = format!("{}{path}", stage.client.base);
        while client.send(Method::GET, &path, &[], None).await.status != 404 {
            assert!(start.elapsed() < SOON, "{path} is still there");
        }
    }
    let me = client.get("/v1/me", 200).await;
    assert_eq!(me["tenants"], json!([]));
}

async fn end(stage: &Stage<'_>, client: &Client) -> Answer {
    let path = format!("engagements/{}/end", stage.client.engagement_id);
    client
        .send(
            Method::POST,
            &stage.client.path(&path),
            &[("If-Match", "*")],
            None,
        )
        .await
}

#[actix_web::test]
async fn top_management_ends_an_engagement_and_the_consultants_are_out() {
    let stage = Stage::set(rehearsal().await).await;
    let (lead, cleo) = (
        consultant(&stage, "lead").await,
        consultant(&stage, "consultant").await,
    );
    for other in [
        &stage.author.api,
        &lead.api,
        &cleo.api,
        &stage.firm.owner.api,
    ] {
        assert_problem(
            "ends it without being top management",
            &end(&stage, other).await,
            403,
        );
    }

    end(&stage, &stage.approver.api).await.expect(200);

    assert_shut_out(&stage, &lead.api).await;
    assert_shut_out(&stage, &cleo.api).await;
    assert_problem(
        "ends it twice",
        &end(&stage, &stage.approver.api).await,
        409,
    );
    stage.author.api.get(&stage.client.path("risks"), 200).await;
    let path = format!("/v1/consultancies/{}/portfolio", stage.firm.id);
    cleo.api.get(&path, 200).await;
}

#[actix_web::test]
async fn an_assignment_ends_alone() {
    let stage = Stage::set(rehearsal().await).await;
    let (lead, cleo) = (
        consultant(&stage, "lead").await,
        consultant(&stage, "consultant").await,
    );
    let list = format!(
        "/v1/consultancies/{}/engagements/{}/assignments",
        stage.firm.id, stage.client.engagement_id
    );
    let all = stage.firm.owner.api.get(&list, 200).await;
    let mine = all["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|item| item["user_id"] == json!(cleo.id))
        .unwrap();
    let at = format!("{list}/{}", mine["id"].as_str().unwrap());

    stage
        .firm
        .owner
        .api
        .send(Method::DELETE, &at, &[("If-Match", "*")], None)
        .await
        .expect(200);

    assert_shut_out(&stage, &cleo.api).await;
    lead.api.get(&stage.client.base, 200).await;
}

#[actix_web::test]
async fn who_leaves_the_firm_leaves_its_clients() {
    let stage = Stage::set(rehearsal().await).await;
    let cleo = consultant(&stage, "consultant").await;
    let at = format!("/v1/consultancies/{}/members/{}", stage.firm.id, cleo.id);

    cleo.api
        .send(Method::DELETE, &at, &[], None)
        .await
        .expect(204);

    assert_shut_out(&stage, &cleo.api).await;
    let firm = format!("/v1/consultancies/{}", stage.firm.id);
    cleo.api.get(&firm, 404).await;
}

#[actix_web::test]
async fn who_is_removed_from_a_tenant_is_out() {
    let stage = Stage::set(rehearsal().await).await;
    let viewer = stage
        .client
        .staff_by(&stage.approver, "Vera Kok", &["viewer"], None)
        .await;
    let list = stage.client.path("members");
    let members = stage.approver.api.get(&list, 200).await;
    let found = members["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|item| item["user_id"] == json!(viewer.id))
        .unwrap();
    let at = format!("{list}/{}", found["id"].as_str().unwrap());
    viewer.api.get(&stage.client.path("risks"), 200).await;

    stage
        .approver
        .api
        .send(Method::DELETE, &at, &[("If-Match", "*")], None)
        .await
        .expect(200);

    assert_shut_out(&stage, &viewer.api).await;
}

#[actix_web::test]
async fn a_changed_role_is_effective_at_once() {
    let stage = Stage::set(rehearsal().await).await;
    let person = stage
        .client
        .staff_by(&stage.approver, "Vera Kok", &["aims_manager"], None)
        .await;
    let list = stage.client.path("members");
    let members = stage.approver.api.get(&list, 200).await;
    let found = members["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|item| item["user_id"] == json!(person.id))
        .unwrap();
    let at = format!("{list}/{}", found["id"].as_str().unwrap());
    person.api.get(&stage.client.path("invitations"), 200).await;

    let body = json!({"roles": ["viewer"]}).to_string();
    stage
        .approver
        .api
        .send(Method::PATCH, &at, &[("If-Match", "*")], Some(body))
        .await
        .expect(200);

    person.api.get(&stage.client.path("invitations"), 403).await;
    person.api.get(&stage.client.path("risks"), 200).await;
}

#[actix_web::test]
async fn an_external_auditor_is_in_until_the_end_of_the_last_day_in_the_tenants_zone() {
    let app = rehearsal_of(Setup::named("auditor_ends")).await;
    let stage = Stage::set(&app).await;
    let auditor = stage
        .client
        .staff_by(
            &stage.approver,
            "Eli Maas",
            &["external_auditor"],
            Some("2027-03-20"),
        )
        .await;
    auditor.api.get(&stage.client.base, 200).await;

    // Amsterdam is an hour ahead of UTC: the day ends at 23:00 UTC.
    set_clock(&app, "2027-03-20T22:55:00Z").await;
    let auditor = sign_in(&app, &auditor.email, PASSWORD).await;
    auditor.api.get(&stage.client.base, 200).await;
    set_clock(&app, "2027-03-20T23:00:30Z").await;

    assert_shut_out(&stage, &auditor.api).await;
}

#[actix_web::test]
async fn an_engagement_ends_with_its_last_day() {
    let app = rehearsal_of(Setup::named("engagement_ends")).await;
    let stage = Stage::set(&app).await;
    let cleo = consultant(&stage, "consultant").await;
    let at = format!(
        "/v1/consultancies/{}/engagements/{}",
        stage.firm.id, stage.client.engagement_id
    );
    stage
        .firm
        .owner
        .api
        .patch(&at, &json!({"ends_on": "2027-03-16"}), 200)
        .await;
    cleo.api.get(&stage.client.path("risks"), 200).await;

    set_clock(&app, "2027-03-17T08:00:00Z").await;
    let cleo = sign_in(&app, &cleo.email, PASSWORD).await;

    assert_shut_out(&stage, &cleo.api).await;
}
