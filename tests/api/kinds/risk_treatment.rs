//! Treatments: approved by the risk owner, frozen, shown effective or sent back.

use serde_json::json;

use super::world;

#[actix_web::test]
async fn the_plan_is_frozen_once_approved_and_its_result_stays_open() {
    let world = world("Plan").await;
    let (_, treatment) = world.treated_risk().await;

    let frozen = world.consultant.api.patch(&treatment, &json!({"action": "something else"}), 409).await;
    assert_eq!(frozen["rule"], "GEN-2");

    let refused = world.risk_owner.api.transition(&treatment, "effective", None, 409).await;
    assert_eq!(refused["allowed"], json!(["in_progress", "cancelled"]));
    world.risk_owner.api.transition(&treatment, "in_progress", None, 200).await;
    world.risk_owner.api.transition(&treatment, "implemented", None, 200).await;
    let unproven = world.risk_owner.api.transition(&treatment, "effective", None, 422).await;
    assert_eq!(unproven["rule"], "RSK-2");

    world.consultant.api.patch(&treatment, &json!({"effectiveness_result": "0.86"}), 200).await;
    world.risk_owner.api.transition(&treatment, "effective", None, 200).await;
}

#[actix_web::test]
async fn unknown_controls_are_refused() {
    let world = world("Controls").await;
    let (risk, _) = world.treated_risk().await;
    let mut treatment = super::example("risk_treatment");
    treatment["risk_id"] = json!(risk.rsplit('/').next());
    treatment["controls"] = json!(["A.7.4", "A.99.1"]);

    let refused = world.consultant.api.post(&world.client.path("risk-treatments"), &treatment, 422).await;

    assert_eq!(refused["errors"][0]["pointer"], "/controls/1");
}

#[actix_web::test]
async fn its_due_date_is_a_deadline_until_it_is_implemented() {
    let world = world("Due").await;
    let (_, treatment) = world.treated_risk().await;
    let due = world.top.api.get(&format!("{treatment}/deadlines"), 200).await;
    assert_eq!(due["items"][0]["name"], "action");

    world.risk_owner.api.transition(&treatment, "in_progress", None, 200).await;
    world.risk_owner.api.transition(&treatment, "implemented", None, 200).await;

    let due = world.top.api.get(&format!("{treatment}/deadlines"), 200).await;
    assert_eq!(due["items"], json!([]));
}
