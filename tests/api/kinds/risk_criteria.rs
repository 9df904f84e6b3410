//! Risk criteria: approved by top management, frozen then, one set in force.

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
async fn approving_new_criteria_supersedes_the_old() {
    let world = world("Supersede").await;
    let old = world.approved_criteria().await;
    let new = world.approved_criteria().await;

    assert_eq!(world.top.api.get(&old, 200).await["status"], "superseded");
    assert_eq!(world.top.api.get(&new, 200).await["status"], "approved");
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
