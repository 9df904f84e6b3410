//! Issues of the context.

use serde_json::json;

use super::{example, world};

#[actix_web::test]
async fn an_issue_is_recorded_monitored_and_closed() {
    let world = world("Issues").await;
    let path = world.make(&world.consultant, "context-issues", example("context_issue")).await;

    let refused = world.manager.api.transition(&path, "closed", None, 409).await;
    assert_eq!(refused["allowed"], json!(["monitored"]));
    world.manager.api.transition(&path, "monitored", None, 200).await;
    let closed = world.manager.api.transition(&path, "closed", None, 200).await;

    assert_eq!(closed["ref"], "ISS-001");
    assert_eq!(closed["status"], "closed");
    world.manager.api.patch(&path, &json!({"relevance": 1}), 409).await;
}

#[actix_web::test]
async fn risk_owners_read_issues_and_do_not_write_them() {
    let world = world("Readers").await;
    let path = world.make(&world.manager, "context-issues", example("context_issue")).await;

    world.risk_owner.api.get(&path, 200).await;
    world.risk_owner.api.post(&world.client.path("context-issues"), &example("context_issue"), 403).await;
}
