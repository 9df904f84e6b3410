//! AI systems and their life cycle.

use serde_json::json;

use super::{example, world};

#[actix_web::test]
async fn a_system_walks_through_its_life_cycle_in_order() {
    let world = world("Aurelia").await;
    let owner = world.client.staff("Sami Owner", &["system_owner"]).await;
    let path = world.make(&owner, "ai-systems", example("ai_system")).await;

    let refused = owner.api.transition(&path, "deployment", None, 409).await;
    assert_eq!(refused["allowed"], json!(["design_development", "operation_monitoring", "rejected", "retired"]));
    for stage in ["design_development", "verification_validation", "deployment", "operation_monitoring", "re_evaluation", "operation_monitoring"] {
        owner.api.transition(&path, stage, None, 200).await;
    }

    owner.api.transition(&path, "retired", None, 422).await;
    let retired = owner.api.transition(&path, "retired", Some("replaced"), 200).await;
    assert_eq!(retired["status"], "retired");
    owner.api.patch(&path, &json!({"purpose": "another"}), 409).await;
}

#[actix_web::test]
async fn only_a_legacy_system_enters_at_operation() {
    let world = world("Kestrel").await;
    let owner = world.client.staff("Sami Owner", &["system_owner"]).await;
    let path = world.make(&owner, "ai-systems", example("ai_system")).await;

    let refused = owner.api.transition(&path, "operation_monitoring", None, 422).await;
    assert_eq!(refused["rule"], "SYS-1");

    owner.api.patch(&path, &json!({"legacy": true}), 200).await;
    owner.api.transition(&path, "operation_monitoring", None, 200).await;
}

#[actix_web::test]
async fn an_overseer_stops_a_system_at_once_and_says_why() {
    let world = world("Stop").await;
    let owner = world.client.staff("Sami Owner", &["system_owner"]).await;
    let overseer = world.client.staff("Olga Seer", &["overseer"]).await;
    let mut system = example("ai_system");
    system["legacy"] = json!(true);
    let path = world.make(&owner, "ai-systems", system).await;
    owner.api.transition(&path, "operation_monitoring", None, 200).await;

    overseer.api.transition(&path, "suspended", None, 422).await;
    let stopped = overseer.api.transition(&path, "suspended", Some("wrong advice"), 200).await;

    assert_eq!(stopped["status"], "suspended");
    owner.api.transition(&path, "operation_monitoring", Some("fixed"), 403).await;
    world.manager.api.transition(&path, "operation_monitoring", Some("fixed"), 200).await;
}
