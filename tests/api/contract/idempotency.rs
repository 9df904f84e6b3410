//! A repeated POST has its effect once (draft-ietf-httpapi-idempotency-key-header).

use aims::app::kinds;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::problems::assert_problem;
use super::stage::{Stage, example, rehearsal};
use crate::support::{Answer, Client};

async fn post(client: &Client, path: &str, key: &str, body: &Value) -> Answer {
    let headers = [("Idempotency-Key", key)];
    client
        .send(Method::POST, path, &headers, Some(body.to_string()))
        .await
}

fn is_replay(answer: &Answer) -> bool {
    answer.header("idempotency-replayed") == Some("true")
}

#[actix_web::test]
async fn fifty_parallel_requests_with_one_key_have_one_effect() {
    let stage = Stage::set(rehearsal().await).await;
    let entry = kinds().by_name("ai_system").unwrap();
    let (path, body) = (stage.list(entry), example(entry));
    let (events, records) = (stage.events().await, stage.records().await);

    let posts = (0..50).map(|_| post(&stage.author.api, &path, "fifty", &body));
    let answers = join_all(posts).await;

    let made: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status == 201)
        .collect();
    let first: Vec<_> = made.iter().filter(|answer| !is_replay(answer)).collect();
    assert_eq!(first.len(), 1);
    assert!(made.iter().all(|answer| answer.text == first[0].text));
    assert!(
        answers
            .iter()
            .all(|answer| [201, 409].contains(&answer.status))
    );
    assert_eq!(stage.events().await, events + 1);
    assert_eq!(stage.records().await, records + 1);
}

#[actix_web::test]
async fn the_same_key_of_another_caller_is_another_key() {
    let stage = Stage::set(rehearsal().await).await;
    let entry = kinds().by_name("risk").unwrap();
    let (path, body) = (stage.list(entry), stage.input(entry).await);

    let first = post(&stage.author.api, &path, "mine", &body)
        .await
        .expect(201);
    let second = post(&stage.approver.api, &path, "mine", &body)
        .await
        .expect(201);

    assert!(!is_replay(&second));
    assert_ne!(first.json()["id"], second.json()["id"]);
}

#[actix_web::test]
async fn the_same_key_in_another_tenant_or_firm_is_another_key() {
    let stage = Stage::set(rehearsal().await).await;
    let elsewhere = Stage::set(rehearsal().await).await;
    let new = |stage: &Stage<'_>| json!({"consultancy_id": stage.firm.id, "name": "Borealis Bank", "time_zone": "Europe/Oslo"});

    let here = post(&stage.firm.owner.api, "/v1/tenants", "one", &new(&stage))
        .await
        .expect(201);
    let there = post(
        &elsewhere.firm.owner.api,
        "/v1/tenants",
        "one",
        &new(&elsewhere),
    )
    .await
    .expect(201);

    assert!(!is_replay(&there));
    assert_ne!(here.json()["id"], there.json()["id"]);

    // One person, one route, two firms: the key belongs to the firm as well.
    let other = json!({"name": "Second Firm", "owner": {"name": "Astrid Fjord", "email": stage.firm.owner.email, "password": crate::support::actors::PASSWORD}});
    let second = stage
        .app
        .anonymous()
        .post("/v1/consultancies", &other, 201)
        .await;
    let mut body = new(&stage);
    body["consultancy_id"] = second["id"].clone();
    let third = post(&stage.firm.owner.api, "/v1/tenants", "one", &body)
        .await
        .expect(201);

    assert!(!is_replay(&third));
    assert_eq!(third.json()["consultancy_id"], second["id"]);
}

#[actix_web::test]
async fn the_same_key_on_another_route_is_another_key() {
    let stage = Stage::set(rehearsal().await).await;
    let entry = kinds().by_name("ai_system").unwrap();
    let first = stage.make(entry).await;
    let second = stage.make(entry).await;
    let remark = json!({"text": "Please add the data source."});

    for record in [&first, &second] {
        let path = format!("{}/comments", stage.at(entry, record));
        let answer = post(&stage.author.api, &path, "route", &remark)
            .await
            .expect(201);
        assert!(!is_replay(&answer));
    }
}

#[actix_web::test]
async fn a_refused_request_does_not_burn_its_key() {
    let stage = Stage::set(rehearsal().await).await;
    let entry = kinds().by_name("ai_system").unwrap();
    let path = stage.list(entry);
    let good = example(entry);
    let mut bad = good.clone();
    bad["title"] = json!("");

    let refused = post(&stage.author.api, &path, "again", &bad).await;
    assert_problem("a bad title", &refused, 422);
    let made = post(&stage.author.api, &path, "again", &good)
        .await
        .expect(201);

    assert!(!is_replay(&made));
    let replayed = post(&stage.author.api, &path, "again", &good)
        .await
        .expect(201);
    assert!(is_replay(&replayed));
}

#[actix_web::test]
async fn a_key_has_1_to_255_visible_characters() {
    let stage = Stage::set(rehearsal().await).await;
    let entry = kinds().by_name("ai_system").unwrap();
    let (path, body) = (stage.list(entry), example(entry));
    let before = stage.records().await;

    for bad in ["", "\"\"", &"k".repeat(256)] {
        let answer = post(&stage.author.api, &path, bad, &body).await;
        assert_problem(&format!("the key {bad:?}"), &answer, 400);
    }
    assert_eq!(stage.records().await, before);

    let longest = "k".repeat(255);
    post(&stage.author.api, &path, &longest, &body)
        .await
        .expect(201);
    let quoted = Uuid::now_v7().to_string();
    post(&stage.author.api, &path, &quoted, &body)
        .await
        .expect(201);
    let same = post(&stage.author.api, &path, &format!("\"{quoted}\""), &body).await;
    assert!(is_replay(&same.expect(201)));
}

#[actix_web::test]
async fn a_replay_is_not_for_those_who_lost_the_right() {
    let stage = Stage::set(rehearsal().await).await;
    let entry = kinds().by_name("ai_system").unwrap();
    let (path, body) = (stage.list(entry), example(entry));
    let (assignment, _) = stage.assignment("Cleo Nord").await;
    let owner = &stage.firm.owner;
    stage.firm.assign(owner, &stage.client, "lead").await;
    post(&owner.api, &path, "mine", &body).await.expect(201);

    let list = assignment.rsplit_once('/').unwrap().0;
    let all = owner.api.get(list, 200).await;
    let mine = all["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|item| item["user_id"] == json!(owner.id))
        .unwrap();
    let at = format!("{list}/{}", mine["id"].as_str().unwrap());
    owner
        .api
        .send(Method::DELETE, &at, &[("If-Match", "*")], None)
        .await
        .expect(200);

    post(&owner.api, &path, "mine", &body).await.expect(403);
}
