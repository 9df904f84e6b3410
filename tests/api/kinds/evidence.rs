//! Evidence: accepted by a second person, attached to many records, fresh for a time (GEN-3).

use serde_json::json;

use super::{example, in_days, world, world_in};
use crate::reminders::set_clock;
use crate::support::actors::{PASSWORD, sign_in};
use crate::support::Setup;

#[actix_web::test]
async fn neither_who_collected_it_nor_its_owner_accepts_it() {
    let world = world("Second").await;
    let mut evidence = example("evidence");
    evidence["owner_id"] = json!(world.risk_owner.id);
    let path = world.make(&world.manager, "evidence", evidence).await;

    for person in [&world.manager, &world.risk_owner, &world.lead] {
        let refused = person.api.transition(&path, "accepted", None, 403).await;
        assert!(refused["rule"].is_null() || refused["rule"] == "GEN-1", "{refused}");
    }
    let auditor = world.client.staff("Pieter Smit", &["internal_auditor"]).await;
    let accepted = auditor.api.transition(&path, "accepted", None, 200).await;
    assert_eq!(accepted["in_force"], 1);
}

#[actix_web::test]
async fn it_is_attached_to_what_is_approved_too_and_listed_there() {
    let world = world("Attached").await;
    let criteria = world.approved_criteria().await;
    let list = format!("{criteria}/evidence");

    let made = world.manager.api.post(&list, &example("evidence"), 201).await;
    let again = world.manager.api.post(&list, &json!({"id": made["id"]}), 201).await;
    assert_eq!(made["id"], again["id"]);
    let (risk, _) = world.treated_risk_of(&criteria).await;
    world.manager.api.post(&format!("{risk}/evidence"), &json!({"id": made["id"]}), 201).await;

    let listed = world.top.api.get(&list, 200).await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "attached once");
    assert_eq!(listed["items"][0]["ref"], "EVD-001");
    assert_eq!(world.top.api.get(&criteria, 200).await["status"], "approved");
    let unknown = world.manager.api.post(&list, &json!({"id": world.top.id}), 422).await;
    assert_eq!(unknown["errors"][0]["pointer"], "/id");
}

#[actix_web::test]
async fn it_goes_stale_by_itself_and_its_owner_is_asked_to_renew_it() {
    let app = &Setup::named("evidence_time").with_test_clock().start();
    let world = world_in(app, "Stale").await;
    let mut evidence = example("evidence");
    evidence["owner_id"] = json!(world.risk_owner.id);
    evidence["collected_on"] = json!(in_days(0));
    evidence["serves"] = json!([]);
    let path = world.make(&world.consultant, "evidence", evidence).await;
    let accepted = world.manager.api.transition(&path, "accepted", None, 200).await;
    let fresh_until: chrono::NaiveDate = accepted["fresh_until"].as_str().unwrap().parse().unwrap();

    // Midnight of the tenant's zone, not of UTC.
    let midnight = fresh_until.succ_opt().unwrap().and_time(chrono::NaiveTime::MIN);
    let midnight = midnight.and_local_timezone(chrono_tz::Europe::Amsterdam).unwrap().to_utc();
    let minute = chrono::TimeDelta::minutes(1);
    set_clock(&app.anonymous(), &(midnight - minute).to_rfc3339()).await;
    let top = sign_in(app, &world.top.email, PASSWORD).await.api;
    assert_eq!(top.get(&path, 200).await["status"], "accepted");
    set_clock(&app.anonymous(), &(midnight + minute).to_rfc3339()).await;

    let top = sign_in(app, &world.top.email, PASSWORD).await.api;
    assert_eq!(top.get(&path, 200).await["status"], "stale");
    let tasks = top.get(&world.client.path("tasks"), 200).await;
    assert_eq!(tasks["items"][0]["owner_id"], json!(world.risk_owner.id));
    assert_eq!(tasks["items"][0]["created_by"], json!(null), "the system made it");
    assert_eq!(tasks["items"][0]["about"]["id"], json!(path.rsplit('/').next()));
    assert_eq!(tasks["items"][0]["title"], "Renew EVD-001: Bias test of release 2.3");

    let consultant = sign_in(app, &world.consultant.email, PASSWORD).await.api;
    let manager = sign_in(app, &world.manager.email, PASSWORD).await.api;
    let collected = consultant.transition(&path, "collected", None, 200).await;
    assert_eq!((&collected["in_force"], &collected["fresh_until"]), (&json!(1), &json!(null)));
    let today = (midnight + minute).with_timezone(&chrono_tz::Europe::Amsterdam).date_naive();
    consultant.patch(&path, &json!({"collected_on": today}), 200).await;
    let accepted = manager.transition(&path, "accepted", None, 200).await;
    assert_eq!(accepted["in_force"], 2);
    assert!(accepted["fresh_until"].as_str().unwrap() > fresh_until.to_string().as_str(), "{accepted}");
}

#[actix_web::test]
async fn the_task_to_renew_what_names_its_audience_does_not_tell_its_title() {
    let app = &Setup::named("evidence_named").with_test_clock().start();
    let world = world_in(app, "Whispers").await;
    let mut evidence = example("evidence");
    evidence["title"] = json!("Quokka");
    evidence["collected_on"] = json!(in_days(0));
    evidence["audience"] = json!("named");
    evidence["audience_roles"] = json!(["aims_manager", "internal_auditor"]);
    evidence["owner_id"] = json!(world.risk_owner.id);
    let auditor = world.client.staff("Pieter Smit", &["internal_auditor"]).await;
    let path = world.make(&world.manager, "evidence", evidence).await;
    auditor.api.transition(&path, "accepted", None, 200).await;
    world.top.api.get(&path, 404).await;

    set_clock(&app.anonymous(), &format!("{}T12:00:00Z", in_days(800))).await;
    let top = sign_in(app, &world.top.email, PASSWORD).await.api;
    let tasks = top.get(&world.client.path("tasks"), 200).await;
    assert_eq!(tasks["items"][0]["title"], "Renew EVD-001");
    assert!(!tasks.to_string().contains("Quokka"), "{tasks}");
}
