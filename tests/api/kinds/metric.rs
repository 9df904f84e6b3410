//! Metrics: their limits, who writes them, and breaches that open a task (MON-1).

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{World, example, in_days, world};
use crate::support::Client;

/// An instant so many hours ago.
pub fn hours_ago(hours: i64) -> String {
    let at = aims::clock::Clock::machine().now() - TimeDelta::hours(hours);
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

pub fn value(value: impl Into<Value>, at: &str) -> Value {
    json!({"value": value.into(), "at": at})
}

impl World<'_> {
    /// A monthly metric of which at most 0.2 is tolerated, owned by the risk owner.
    pub async fn metric(&self) -> String {
        self.metric_with(json!({})).await
    }

    pub async fn metric_with(&self, fields: Value) -> String {
        let mut metric = example("metric");
        metric["owner_id"] = json!(self.risk_owner.id);
        for (name, field) in fields.as_object().unwrap() {
            metric[name] = field.clone();
        }
        self.make(&self.consultant, "metrics", metric).await
    }

    /// The tasks, oldest first.
    async fn tasks(&self) -> Vec<Value> {
        tasks(&self.manager.api, &self.client.path("tasks?sort=ref")).await
    }
}

async fn tasks(api: &Client, path: &str) -> Vec<Value> {
    api.get(path, 200).await["items"]
        .as_array()
        .unwrap()
        .clone()
}

pub async fn measure(by: &Client, metric: &str, rows: Value, status: u16) -> Value {
    let body = if rows.is_array() {
        json!({"items": rows})
    } else {
        rows
    };
    by.post(&format!("{metric}/measurements"), &body, status)
        .await
}

fn text(task: &Value) -> &str {
    task["text"].as_str().unwrap()
}

#[actix_web::test]
async fn limits_limit_something_and_the_target_lies_within() {
    let world = world("Limits").await;
    let list = world.client.path("metrics");
    for (fields, pointer) in [
        (json!({"threshold": {}}), "/threshold"),
        (
            json!({"threshold": {"at_least": 2, "at_most": 1}}),
            "/threshold",
        ),
        (
            json!({"threshold": {"at_least": 0.8}, "target": 0.7}),
            "/target",
        ),
        (json!({"analysis_months": 7}), "/analysis_months"),
        (json!({"frequency": "never"}), "/frequency"),
        (json!({"breached": true}), "/breached"),
        (
            json!({"last_measured_at": hours_ago(1)}),
            "/last_measured_at",
        ),
    ] {
        let mut metric = example("metric");
        for (name, field) in fields.as_object().unwrap() {
            metric[name] = field.clone();
        }
        let refused = world.consultant.api.post(&list, &metric, 422).await;
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{fields}");
    }

    let made = world.metric().await;
    let metric = world.top.api.get(&made, 200).await;
    assert_eq!(
        (&metric["status"], &metric["watched_since"]),
        (&json!("active"), &json!(in_days(0)))
    );
    assert_eq!(
        (&metric["breached"], &metric["last_measured_at"]),
        (&json!(false), &json!(null))
    );
}

#[actix_web::test]
async fn mon_1_a_breach_opens_one_task_that_tells_value_limit_and_when() {
    let world = world("Breach").await;
    let metric = world.metric_with(json!({"unit": "points"})).await;
    let mut of_people = example("task");
    of_people["about"] = json!({"kind": "metric", "id": metric.rsplit('/').next()});
    world.make(&world.manager, "tasks", of_people).await;

    measure(
        &world.risk_owner.api,
        &metric,
        value(0.2, "2026-05-01T10:00:00Z"),
        200,
    )
    .await;
    assert_eq!(
        world.tasks().await.len(),
        1,
        "the limit itself is tolerated"
    );
    measure(
        &world.risk_owner.api,
        &metric,
        value(0.31, "2026-05-02T10:00:00Z"),
        200,
    )
    .await;
    measure(
        &world.risk_owner.api,
        &metric,
        value(0.4, "2026-05-03T10:00:00Z"),
        200,
    )
    .await;

    let tasks = world.tasks().await;
    assert_eq!(tasks.len(), 2, "a further breach opens no second one");
    let task = &tasks[1];
    assert_eq!(
        task["title"],
        "Breach of MET-001: Drift of the credit model"
    );
    assert_eq!(
        text(task),
        "0.31 points was measured at 2026-05-02 12:00 (Europe/Amsterdam). Tolerated is at most 0.2."
    );
    assert_eq!(
        (&task["owner_id"], &task["created_by"]),
        (&json!(world.risk_owner.id), &json!(null))
    );
    assert_eq!(
        (&task["priority"], &task["due_on"]),
        (&json!("high"), &json!(in_days(14)))
    );
    let now = world.top.api.get(&metric, 200).await;
    assert_eq!(
        (&now["breached"], &now["status"]),
        (&json!(true), &json!("active"))
    );
    let listed = world
        .top
        .api
        .get(&world.client.path("metrics?breached=true"), 200)
        .await;
    assert_eq!(listed["items"][0]["latest"][0]["value"], 0.4);

    let path = format!(
        "{}/{}",
        world.client.path("tasks"),
        task["id"].as_str().unwrap()
    );
    world
        .risk_owner
        .api
        .transition(&path, "done", None, 200)
        .await;
    measure(
        &world.risk_owner.api,
        &metric,
        value(0.1, "2026-05-04T10:00:00Z"),
        200,
    )
    .await;
    assert_eq!(
        world.top.api.get(&metric, 200).await["breached"],
        json!(false)
    );
    measure(
        &world.risk_owner.api,
        &metric,
        value(0.5, "2026-05-05T10:00:00Z"),
        200,
    )
    .await;
    assert_eq!(
        world.tasks().await.len(),
        3,
        "the next breach opens another"
    );
}

#[actix_web::test]
async fn a_late_breach_is_told_as_what_it_is_and_leaves_the_newest_alone() {
    let world = world("Late").await;
    let metric = world.metric().await;
    measure(
        &world.risk_owner.api,
        &metric,
        value(0.1, "2026-06-01T10:00:00Z"),
        200,
    )
    .await;
    let before = world.top.api.get(&metric, 200).await;

    let late = json!([
        value(0.3, "2026-03-01T10:00:00Z"),
        value(0.9, "2026-02-01T10:00:00Z")
    ]);
    measure(&world.risk_owner.api, &metric, late, 200).await;

    assert_eq!(world.top.api.get(&metric, 200).await, before);
    let tasks = world.tasks().await;
    assert_eq!(tasks.len(), 1);
    assert_eq!(
        text(&tasks[0]),
        "0.3 was measured at 2026-03-01 11:00 (Europe/Amsterdam). Tolerated is at most 0.2. \
         It is the newest of 2 values outside these limits that were added together. \
         When this was added, a later value was known, within the limits: \
         0.1 was measured at 2026-06-01 12:00 (Europe/Amsterdam)."
    );
}

#[actix_web::test]
async fn a_breach_that_was_over_when_it_was_added_opens_a_task_that_says_so() {
    let world = world("Recovered").await;
    let metric = world.metric().await;
    let rows = json!([
        value(0.1, "2026-05-03T10:00:00Z"),
        value(0.7, "2026-05-02T10:00:00Z")
    ]);
    measure(&world.risk_owner.api, &metric, rows, 200).await;

    let now = world.top.api.get(&metric, 200).await;
    assert_eq!(
        (&now["breached"], &now["last_measured_at"]),
        (&json!(false), &json!("2026-05-03T10:00:00Z"))
    );
    let tasks = world.tasks().await;
    assert!(
        text(&tasks[0]).contains("a later value was known, within the limits: 0.1"),
        "{tasks:?}"
    );
}

#[actix_web::test]
async fn each_segment_is_judged_by_its_own_newest_value() {
    let world = world("Segments").await;
    let metric = world
        .metric_with(json!({"threshold": {"at_least": 0.8, "at_most": 1.25}, "target": 1}))
        .await;
    let of = |segment: &str, number: f64, at: &str| json!({"segment": segment, "value": number, "at": at});
    let rows = json!([
        of("under 25", 0.7, "2026-05-01T10:00:00Z"),
        of("over 60", 1.3, "2026-05-01T10:00:00Z"),
        of("over 60", 1.0, "2026-05-02T10:00:00Z"),
    ]);
    measure(&world.risk_owner.api, &metric, rows, 200).await;

    let now = world.top.api.get(&metric, 200).await;
    assert_eq!(now["breached"], json!(true), "under 25 has no newer value");
    assert_eq!(now["latest"].as_array().unwrap().len(), 2);
    assert_eq!(now["latest"][0]["breached"], json!(true));
    assert_eq!(now["latest"][1]["breached"], json!(false));
    measure(
        &world.risk_owner.api,
        &metric,
        of("under 25", 0.9, "2026-05-03T10:00:00Z"),
        200,
    )
    .await;
    assert_eq!(
        world.top.api.get(&metric, 200).await["breached"],
        json!(false)
    );

    let many: Vec<Value> = (0..49)
        .map(|n| of(&format!("group {n}"), 1.0, "2026-05-04T10:00:00Z"))
        .collect();
    measure(&world.risk_owner.api, &metric, json!(many), 409).await;
    measure(&world.risk_owner.api, &metric, json!(many[..48]), 200).await;
}

#[actix_web::test]
async fn other_limits_judge_the_newest_values_anew() {
    let world = world("Anew").await;
    let metric = world.metric().await;
    measure(
        &world.risk_owner.api,
        &metric,
        value(0.15, "2026-05-02T10:00:00Z"),
        200,
    )
    .await;

    let stricter = json!({"threshold": {"at_most": 0.1}});
    let changed = world.risk_owner.api.patch(&metric, &stricter, 200).await;
    assert_eq!(changed["breached"], json!(true));
    let tasks = world.tasks().await;
    assert_eq!(
        text(&tasks[0]),
        format!(
            "0.15 was measured at 2026-05-02 12:00 (Europe/Amsterdam). Since {}, tolerated is at most 0.1.",
            in_days(0)
        )
    );
    let wider = json!({"threshold": {"at_most": 0.5}});
    let changed = world.risk_owner.api.patch(&metric, &wider, 200).await;
    assert_eq!(
        (&changed["breached"], &changed["latest"][0]["breached"]),
        (&json!(false), &json!(false))
    );
    assert_eq!(world.tasks().await.len(), 1);
    let refused = world
        .risk_owner
        .api
        .patch(&metric, &json!({"unit": "%"}), 422)
        .await;
    assert_eq!(
        refused["errors"][0]["pointer"], "/unit",
        "what was measured stays what it was"
    );
}

#[actix_web::test]
async fn the_task_of_a_metric_that_names_its_audience_tells_neither_title_nor_value() {
    let world = world("Whispered").await;
    let named = json!({"title": "Quokka", "audience": "named", "audience_roles": ["aims_manager"]});
    let metric = world.metric_with(named).await;
    let by_manager = world.manager.api.clone();
    measure(
        &by_manager,
        &metric,
        value(0.777, "2026-05-02T10:00:00Z"),
        200,
    )
    .await;

    world.top.api.get(&metric, 404).await;
    world
        .top
        .api
        .get(&format!("{metric}/measurements"), 404)
        .await;
    let tasks = tasks(&world.top.api, &world.client.path("tasks")).await;
    assert_eq!(tasks[0]["title"], "Breach of MET-001");
    let told = json!(tasks).to_string();
    assert!(
        !told.contains("Quokka") && !told.contains("0.777"),
        "{told}"
    );
}

#[actix_web::test]
async fn the_owner_of_a_metric_measures_and_changes_it_and_nobody_who_only_reads() {
    let world = world("Owners").await;
    let metric = world.metric().await;
    let row = || value(0.1, &hours_ago(1));
    let system_owner = world.client.staff("Joost Bakker", &["system_owner"]).await;
    let viewer = world.client.staff("Vera Blik", &["viewer"]).await;
    for (person, status) in [
        (&world.risk_owner, 200),
        (&world.manager, 200),
        (&world.consultant, 200),
        (&system_owner, 403),
        (&world.top, 403),
        (&viewer, 403),
    ] {
        measure(&person.api, &metric, row(), status).await;
    }
    system_owner
        .api
        .patch(&metric, &json!({"unit": "%"}), 403)
        .await;
    let own = world
        .make(&system_owner, "metrics", example("metric"))
        .await;
    measure(&system_owner.api, &own, row(), 200).await;
    system_owner.api.transition(&own, "blind", None, 403).await;
    system_owner
        .api
        .transition(&own, "retired", None, 422)
        .await;
    system_owner
        .api
        .transition(&own, "retired", Some("the system is gone"), 200)
        .await;
}

/// The example, until another date.
pub fn analysis(until: &str) -> Value {
    let mut analysis = aims::app::kinds()
        .by_name("metric")
        .unwrap()
        .rows_at("analyses")
        .unwrap()
        .example
        .clone();
    analysis["until"] = json!(until);
    analysis
}

#[actix_web::test]
async fn a_retired_metric_takes_no_rows_and_one_that_was_measured_is_retired_before_it_is_archived()
{
    let world = world("Retired").await;
    let metric = world.metric().await;
    let row = value(0.1, "2026-05-02T10:00:00Z");
    measure(&world.risk_owner.api, &metric, row.clone(), 200).await;

    let refused = world.consultant.api.delete(&metric, 409).await;
    assert_eq!(refused["allowed"], json!(["retired"]));
    world
        .manager
        .api
        .transition(&metric, "retired", Some("replaced"), 200)
        .await;
    let known = measure(&world.risk_owner.api, &metric, row.clone(), 200).await;
    assert_eq!(
        known,
        json!({"added": 0, "known": 1}),
        "sent again, it is there already"
    );
    measure(
        &world.risk_owner.api,
        &metric,
        value(0.9, "2026-05-03T10:00:00Z"),
        409,
    )
    .await;
    world
        .risk_owner
        .api
        .post(&format!("{metric}/analyses"), &analysis("2026-05-31"), 409)
        .await;
    world
        .consultant
        .api
        .patch(&metric, &json!({"threshold": {"at_most": 0.05}}), 409)
        .await;
    assert_eq!(world.tasks().await.len(), 0);
    assert_eq!(
        world.top.api.get(&format!("{metric}/deadlines"), 200).await["items"],
        json!([])
    );

    world.consultant.api.delete(&metric, 204).await;
    measure(
        &world.risk_owner.api,
        &metric,
        value(0.1, "2026-05-03T10:00:00Z"),
        409,
    )
    .await;
    let unused = world.metric().await;
    world.consultant.api.delete(&unused, 204).await;
}
