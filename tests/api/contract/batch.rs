//! Many operations in one request.

use aims::app::kinds;
use aims::records::Entry;
use reqwest::Method;
use serde_json::{Value, json};

use super::problems::assert_problem;
use super::stage::{Stage, example, rehearsal};

fn kind(name: &str) -> &'static Entry {
    kinds().by_name(name).unwrap()
}

fn create(entry: &Entry, title: &str) -> Value {
    let mut body = example(entry);
    body["title"] = json!(title);
    json!({"op": "create", "body": body})
}

fn statuses(answer: &Value) -> Vec<u64> {
    let items = answer["items"].as_array().unwrap();
    items
        .iter()
        .map(|item| item["status"].as_u64().unwrap())
        .collect()
}

async fn run(stage: &Stage<'_>, entry: &Entry, atomic: bool, operations: Value) -> Value {
    let path = format!("{}/batch", stage.list(entry));
    let body = json!({"atomic": atomic, "operations": operations});
    stage.author.api.post(&path, &body, 200).await
}

/// Records, events, deadlines and queued mails of the client.
async fn state(stage: &Stage<'_>) -> [i64; 4] {
    let count = |table| stage.app.count(stage.client.id, table, "true");
    [
        count("records").await,
        count("events").await,
        count("deadlines").await,
        count("outbox").await,
    ]
}

#[actix_web::test]
async fn a_batch_does_all_kinds_of_operations_in_order() {
    let stage = Stage::set(rehearsal().await).await;
    let system = kind("ai_system");
    let (first, second, third) = (
        stage.make(system).await,
        stage.make(system).await,
        stage.make(system).await,
    );
    let before = state(&stage).await;

    let answer = run(&stage, system, true, json!([
        create(system, "Made in a batch"),
        {"op": "update", "id": first["id"], "version": 1, "body": {"title": "Changed", "next_review_on": "2027-09-01"}},
        {"op": "transition", "id": second["id"], "version": 1, "to": "design_development"},
        {"op": "archive", "id": third["id"], "version": 1},
        {"op": "update", "id": first["id"], "version": 2, "body": {"title": "Changed twice"}},
    ])).await;

    assert_eq!(answer["committed"], true);
    assert_eq!(statuses(&answer), [201, 200, 200, 204, 200]);
    assert_eq!(answer["items"][4]["record"]["version"], 3);
    let read = stage.author.api.get(&stage.at(system, &first), 200).await;
    assert_eq!(read, answer["items"][4]["record"]);
    let after = state(&stage).await;
    assert_eq!(after[0], before[0] + 1);
    assert_eq!(after[1], before[1] + 5);
    assert_eq!(after[2], before[2] + 1);
}

#[actix_web::test]
async fn what_fails_in_the_middle_takes_back_nothing_else() {
    let stage = Stage::set(rehearsal().await).await;
    let system = kind("ai_system");
    let (known, archived) = (stage.make(system).await, stage.make(system).await);
    stage
        .author
        .api
        .delete(&stage.at(system, &archived), 204)
        .await;
    let before = state(&stage).await;

    let answer = run(&stage, system, false, json!([
        create(system, "Before"),
        {"op": "create", "body": {"title": ""}},
        {"op": "update", "id": known["id"], "version": 9, "body": {"title": "Stale"}},
        {"op": "update", "id": known["id"], "body": {"title": "Without version"}},
        {"op": "update", "id": uuid::Uuid::nil(), "version": 1, "body": {"title": "Nothing"}},
        {"op": "update", "id": archived["id"], "version": 2, "body": {"title": "Archived"}},
        {"op": "transition", "id": known["id"], "version": 1, "to": "retired"},
        {"op": "update", "id": known["id"], "version": 1, "body": {"title": "Good", "next_review_on": "2027-09-01"}},
        create(system, "After"),
    ])).await;

    assert_eq!(answer["committed"], true);
    let expected = [201, 422, 412, 422, 404, 409];
    assert_eq!(statuses(&answer)[..6], expected);
    assert!([409, 422].contains(&statuses(&answer)[6]));
    assert_eq!(statuses(&answer)[7..], [200, 201]);
    for (item, status) in answer["items"]
        .as_array()
        .unwrap()
        .iter()
        .zip(statuses(&answer))
    {
        assert_eq!(item["problem"].is_null(), status < 300, "{item}");
        assert!(
            item["problem"].is_null() || item["problem"]["status"] == status,
            "{item}"
        );
    }
    let after = state(&stage).await;
    assert_eq!(
        [
            after[0] - before[0],
            after[1] - before[1],
            after[2] - before[2]
        ],
        [2, 3, 1]
    );
    let numbers = [
        &answer["items"][0]["record"]["ref"],
        &answer["items"][8]["record"]["ref"],
    ];
    assert_eq!(numbers, [&json!("AIS-003"), &json!("AIS-004")]);
}

#[actix_web::test]
async fn an_atomic_batch_with_one_failure_leaves_nothing() {
    let stage = Stage::set(rehearsal().await).await;
    let system = kind("ai_system");
    let known = stage.make(system).await;
    let before = state(&stage).await;

    let answer = run(&stage, system, true, json!([
        create(system, "Before"),
        {"op": "update", "id": known["id"], "version": 1, "body": {"title": "Changed", "next_review_on": "2027-09-01"}},
        {"op": "archive", "id": known["id"], "version": 1},
        create(system, "After"),
    ])).await;

    assert_eq!(answer["committed"], false);
    assert_eq!(statuses(&answer), [424, 424, 412, 424]);
    assert!(
        answer["items"]
            .as_array()
            .unwrap()
            .iter()
            .all(|item| item["record"].is_null())
    );
    assert_eq!(state(&stage).await, before);
    let now = stage.author.api.get(&stage.at(system, &known), 200).await;
    assert_eq!(now, known);
    let next = stage.make(system).await;
    assert_eq!(next["ref"], "AIS-002", "numbers are given without gaps");
}

#[actix_web::test]
async fn a_batch_is_for_those_who_may_write_the_kind() {
    let stage = Stage::set(rehearsal().await).await;
    let system = kind("ai_system");
    let viewer = stage
        .client
        .staff_by(&stage.approver, "Vera Kok", &["viewer"], None)
        .await;
    let overseer = stage
        .client
        .staff_by(&stage.approver, "Otto Lind", &["overseer"], None)
        .await;
    let path = format!("{}/batch", stage.list(system));
    let body = json!({"operations": [create(system, "Not mine to make")]});
    let before = state(&stage).await;

    viewer.api.post(&path, &body, 403).await;
    let answer = overseer.api.post(&path, &body, 200).await;

    assert_eq!(statuses(&answer), [403]);
    assert_eq!(state(&stage).await, before);
}

#[actix_web::test]
async fn a_batch_has_1_to_100_operations_of_known_form() {
    let stage = Stage::set(rehearsal().await).await;
    let system = kind("ai_system");
    let path = format!("{}/batch", stage.list(system));
    let before = state(&stage).await;
    let many: Vec<_> = (0..101)
        .map(|number| create(system, &format!("System {number}")))
        .collect();

    for bad in [
        json!({"operations": []}),
        json!({"operations": many}),
        json!({"operations": [{"op": "destroy", "id": uuid::Uuid::nil()}]}),
        json!({"operations": [{"op": "create", "body": [], "id": null}]}),
        json!({"operations": [{"op": "create", "body": {}, "owner": 1}]}),
        json!({"operations": {}, "atomic": true}),
        json!({"operations": [create(system, "x")], "atomic": "yes"}),
        json!({"atomic": true}),
    ] {
        let answer = stage
            .author
            .api
            .send(Method::POST, &path, &[], Some(bad.to_string()))
            .await;
        assert_problem(
            &bad.to_string().chars().take(80).collect::<String>(),
            &answer,
            422,
        );
    }
    assert_eq!(state(&stage).await, before);

    let most: Vec<_> = many.into_iter().skip(1).collect();
    let answer = run(&stage, system, true, json!(most)).await;
    assert_eq!(statuses(&answer), vec![201; 100]);
    assert_eq!(state(&stage).await[1], before[1] + 100);
}
