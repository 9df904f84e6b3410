//! Risk criteria: approved by top management, frozen then, one set in force.

use reqwest::Method;
use serde_json::json;

use super::{example, world};

#[actix_web::test]
async fn only_top_management_approves_and_the_content_is_frozen_then() {
    let world = world("Criteria").await;
    let path = world.make(&world.consultant, "risk-criteria", example("risk_criteria")).await;

    let by_lead = world.lead.api.transition(&path, "approved", None, 403).await;
    assert_eq!(by_lead["rule"], "GEN-1");
    world.manager.api.transition(&path, "approved", None, 403).await;
    world.top.api.transition(&path, "approved", None, 200).await;

    let frozen = world.consultant.api.patch(&path, &json!({"tolerance": "high"}), 409).await;
    assert_eq!(frozen["rule"], "GEN-2");
    assert_eq!(frozen["errors"][0]["pointer"], "/tolerance");
    let versions = world.top.api.get(&format!("{path}/versions"), 200).await;
    assert_eq!(versions["items"][0]["number"], 1);
    let version = world.top.api.get(&format!("{path}/versions/1"), 200).await;
    assert_eq!(version["content"]["tolerance"], "low");
    assert_eq!(version["approved_by"], json!(world.top.id));
}

#[actix_web::test]
async fn who_wrote_it_does_not_approve_it() {
    let world = world("Author").await;
    let both = world
        .client
        .staff_by(&world.top, "Bo Both", &["top_management", "aims_manager"], None)
        .await;
    let path = world.make(&both, "risk-criteria", example("risk_criteria")).await;

    let refused = both.api.transition(&path, "approved", None, 403).await;

    assert_eq!(refused["rule"], "GEN-1");
    assert_eq!(both.api.get(&path, 200).await["status"], "draft");
    assert_eq!(both.api.get(&format!("{path}/versions"), 200).await["items"], json!([]));
}

#[actix_web::test]
async fn while_criteria_are_revised_the_approved_version_stays_in_force() {
    let world = world("Revise").await;
    let path = world.approved_criteria().await;
    let another = world.consultant.api.post(&world.client.path("risk-criteria"), &example("risk_criteria"), 409).await;
    assert!(another["detail"].as_str().unwrap().contains("CRI-001"), "{another}");

    let draft = world.manager.api.transition(&path, "draft", Some("stricter"), 200).await;
    assert_eq!((&draft["status"], &draft["in_force"]), (&json!("draft"), &json!(1)));
    world.consultant.api.patch(&path, &json!({"tolerance": "medium"}), 200).await;
    let mut risk = example("risk");
    risk["inherent"] = json!({"likelihood": 3, "consequence": 3});
    let rated = world.consultant.api.post(&world.client.path("risks"), &risk, 201).await;
    assert_eq!(rated["above_tolerance"], true, "judged by what is in force, not by the draft");

    let approved = world.top.api.transition(&path, "approved", None, 200).await;
    assert_eq!((&approved["in_force"], &approved["approved_by"]), (&json!(2), &json!(world.top.id)));
    let versions = world.top.api.get(&format!("{path}/versions"), 200).await;
    assert_eq!(versions["items"][0]["state"], "in_force");
    assert_eq!(versions["items"][1]["state"], "superseded");
    let first = world.top.api.get(&format!("{path}/versions/1"), 200).await;
    assert_eq!(first["content"]["tolerance"], "low");
}

#[actix_web::test]
async fn approved_criteria_are_not_put_away_and_drafts_come_back() {
    let world = world("Away").await;
    let path = world.approved_criteria().await;
    let etag = world.consultant.api.etag(&path).await;
    let refused = world.consultant.api.send(Method::DELETE, &path, &[("If-Match", &etag)], None).await.expect(409);
    assert_eq!(refused.json()["allowed"], json!(["draft", "withdrawn"]));
    let withdrawn = world.top.api.transition(&path, "withdrawn", Some("no longer used"), 200).await;
    assert_eq!(withdrawn["in_force"], json!(null));
    let etag = world.consultant.api.etag(&path).await;
    world.consultant.api.send(Method::DELETE, &path, &[("If-Match", &etag)], None).await.expect(204);
    let etag = world.consultant.api.etag(&path).await;

    let back = world.consultant.api.send(Method::POST, &format!("{path}/restore"), &[("If-Match", &etag)], None).await.expect(200);

    assert_eq!(back.json()["archived_at"], json!(null));
}

#[actix_web::test]
async fn a_level_table_with_a_gap_or_an_overlap_is_refused() {
    let world = world("Gaps").await;
    for levels in [
        json!([{"level": "low", "from": 1, "to": 4}, {"level": "high", "from": 6, "to": 25}]),
        json!([{"level": "low", "from": 1, "to": 6}, {"level": "high", "from": 6, "to": 25}]),
        json!([{"level": "low", "from": 1, "to": 6}, {"level": "high", "from": 7, "to": 24}]),
        json!([{"level": "high", "from": 1, "to": 6}, {"level": "low", "from": 7, "to": 25}]),
    ] {
        let mut criteria = example("risk_criteria");
        criteria["levels"] = levels;
        let refused = world.consultant.api.post(&world.client.path("risk-criteria"), &criteria, 422).await;
        assert_eq!(refused["errors"][0]["pointer"], "/levels", "{refused}");
    }
}
