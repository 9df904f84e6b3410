//! Waivers: for soft rules only, for one record, for a time.

use serde_json::json;

use super::{example, in_days, world, world_in};
use crate::reminders::set_clock;
use crate::support::actors::{PASSWORD, sign_in};
use crate::support::Setup;

#[actix_web::test]
async fn a_hard_rule_accepts_none_and_a_soft_one_for_six_months_at_most() {
    let world = world("Waivers").await;
    let risk = world.make(&world.consultant, "risks", example("risk")).await;
    let mut waiver = example("waiver");
    waiver["about"] = json!({"kind": "risk", "id": risk.rsplit('/').next()});
    for (rule, days, status, pointer) in [
        ("RSK-2", 30, 422, "/rule"),
        ("XYZ-9", 30, 422, "/rule"),
        ("GEN-3", 300, 422, "/valid_until"),
        ("GEN-3", 30, 201, ""),
    ] {
        waiver["rule"] = json!(rule);
        waiver["valid_until"] = json!(in_days(days));
        let answer = world.consultant.api.post(&world.client.path("waivers"), &waiver, status).await;
        if status == 422 {
            assert_eq!(answer["errors"][0]["pointer"], pointer, "{answer}");
        }
    }
}

#[actix_web::test]
async fn a_granted_waiver_lets_its_rule_pass_for_its_record_and_the_event_names_it() {
    let world = world("Granted").await;
    let mut evidence = example("evidence");
    evidence["location"] = json!(null);
    let path = world.make(&world.consultant, "evidence", evidence.clone()).await;
    let other = world.make(&world.consultant, "evidence", evidence).await;
    let refused = world.manager.api.transition(&path, "accepted", None, 422).await;
    assert_eq!(refused["rule"], "GEN-3");
    assert_eq!(refused["errors"][0]["pointer"], "/location");
    let mut waiver = example("waiver");
    waiver["about"] = json!({"kind": "evidence", "id": path.rsplit('/').next()});
    waiver["rule"] = json!("GEN-3");
    waiver["valid_until"] = json!(in_days(30));
    let waiver = world.make(&world.consultant, "waivers", waiver).await;
    let link = json!({"relation": "relates_to", "to": {"kind": "evidence", "id": other.rsplit('/').next()}});
    world.consultant.api.post(&format!("{waiver}/links"), &link, 201).await;
    world.manager.api.transition(&path, "accepted", None, 422).await;
    world.manager.api.transition(&waiver, "granted", None, 200).await;

    world.manager.api.transition(&other, "accepted", None, 422).await;
    world.manager.api.transition(&path, "accepted", None, 200).await;

    let history = world.top.api.get(&format!("{path}/history"), 200).await;
    assert_eq!(history["items"][0]["data"]["waivers"], json!([waiver.rsplit('/').next()]));
    let actions: Vec<_> = history["items"].as_array().unwrap().iter().map(|event| event["action"].clone()).collect();
    assert_eq!(actions, ["moved", "refused", "refused", "created"], "refusals are recorded");
    assert_eq!(history["items"][1]["data"]["rule"], "GEN-3");
    assert_eq!(history["items"][1]["actor_id"], json!(world.manager.id));
}

#[actix_web::test]
async fn a_waiver_lets_nothing_pass_after_its_last_day() {
    let app = &Setup::named("waiver_over").with_test_clock().start();
    let world = world_in(app, "Over").await;
    let mut evidence = example("evidence");
    evidence["location"] = json!(null);
    let path = world.make(&world.consultant, "evidence", evidence).await;
    let mut waiver = example("waiver");
    waiver["about"] = json!({"kind": "evidence", "id": path.rsplit('/').next()});
    waiver["rule"] = json!("GEN-3");
    waiver["valid_until"] = json!(in_days(30));
    let waiver = world.make(&world.consultant, "waivers", waiver).await;
    world.manager.api.transition(&waiver, "granted", None, 200).await;

    for (days, allowed, status) in [(30, true, "granted"), (31, false, "expired")] {
        set_clock(&app.anonymous(), &format!("{}T12:00:00Z", in_days(days))).await;
        let manager = sign_in(app, &world.manager.email, PASSWORD).await.api;
        assert_eq!(manager.get(&waiver, 200).await["status"], status);
        let options = manager.get(&format!("{path}/transitions"), 200).await;
        let accept = options["items"].as_array().unwrap().iter().find(|option| option["to"] == "accepted");
        assert_eq!(accept.unwrap()["allowed"], allowed, "{options}");
    }
    let manager = sign_in(app, &world.manager.email, PASSWORD).await.api;
    manager.transition(&path, "accepted", None, 422).await;
}
