//! Acceptances: by the entitled person for the level, for twelve months at most.

use serde_json::json;

use super::{example, in_days, world, world_in};
use crate::reminders::set_clock;
use crate::support::actors::{PASSWORD, sign_in};
use crate::support::Setup;

#[actix_web::test]
async fn the_level_decides_who_may_accept() {
    let world = world("Entitled").await;
    world.approved_criteria().await;
    for (rating, by_owner, by_top) in [
        (json!({"likelihood": 2, "consequence": 4}), 200, 409),
        (json!({"likelihood": 3, "consequence": 5}), 403, 200),
        (json!({"likelihood": 5, "consequence": 5}), 422, 422),
    ] {
        let mut risk = example("risk");
        risk["inherent"] = rating;
        let risk = world.make(&world.consultant, "risks", risk).await;
        let mut acceptance = example("residual_acceptance");
        acceptance["risk_id"] = json!(risk.rsplit('/').next());
        acceptance["valid_until"] = json!(in_days(100));
        let path = world.make(&world.consultant, "residual-acceptances", acceptance).await;

        world.risk_owner.api.transition(&path, "accepted", None, by_owner).await;
        world.top.api.transition(&path, "accepted", None, by_top).await;
    }
}

#[actix_web::test]
async fn it_holds_for_twelve_months_at_most() {
    let world = world("Twelve").await;
    world.approved_criteria().await;
    let risk = world.make(&world.consultant, "risks", example("risk")).await;
    for (days, status) in [(400, 422), (360, 201)] {
        let mut acceptance = example("residual_acceptance");
        acceptance["risk_id"] = json!(risk.rsplit('/').next());
        acceptance["valid_until"] = json!(in_days(days));
        world.consultant.api.post(&world.client.path("residual-acceptances"), &acceptance, status).await;
    }
}

#[actix_web::test]
async fn nobody_accepts_a_level_that_was_not_asked_for() {
    let world = world("Asked").await;
    world.approved_criteria().await;
    let mut risk = example("risk");
    risk["inherent"] = json!({"likelihood": 2, "consequence": 3});
    let risk = world.make(&world.consultant, "risks", risk).await;
    let mut acceptance = example("residual_acceptance");
    acceptance["risk_id"] = json!(risk.rsplit('/').next());
    acceptance["valid_until"] = json!(in_days(100));
    let path = world.make(&world.consultant, "residual-acceptances", acceptance).await;
    world.consultant.api.patch(&risk, &json!({"inherent": {"likelihood": 5}}), 200).await;

    let refused = world.top.api.transition(&path, "accepted", None, 422).await;

    assert_eq!(refused["rule"], "RSK-2");
}

#[actix_web::test]
async fn it_is_not_given_after_its_last_day_and_expires_by_itself_the_day_after() {
    let app = &Setup::named("acceptance_time").with_test_clock().start();
    let world = world_in(app, "Time").await;
    world.approved_criteria().await;
    let mut risk = example("risk");
    risk["inherent"] = json!({"likelihood": 2, "consequence": 4});
    let risk = world.make(&world.consultant, "risks", risk).await;
    let mut asked = Vec::new();
    for days in [3, 3] {
        let mut acceptance = example("residual_acceptance");
        acceptance["risk_id"] = json!(risk.rsplit('/').next());
        acceptance["valid_until"] = json!(in_days(days));
        asked.push(world.make(&world.consultant, "residual-acceptances", acceptance).await);
    }
    world.risk_owner.api.transition(&asked[0], "accepted", None, 200).await;

    set_clock(&app.anonymous(), &format!("{}T12:00:00Z", in_days(3))).await;
    let top = sign_in(app, &world.top.email, PASSWORD).await.api;
    assert_eq!(top.get(&asked[0], 200).await["status"], "accepted");
    set_clock(&app.anonymous(), &format!("{}T12:00:00Z", in_days(4))).await;

    let top = sign_in(app, &world.top.email, PASSWORD).await.api;
    let expired = top.get(&asked[0], 200).await;
    assert_eq!((&expired["status"], &expired["in_force"]), (&json!("expired"), &json!(null)));
    let owner = sign_in(app, &world.risk_owner.email, PASSWORD).await.api;
    let late = owner.transition(&asked[1], "accepted", None, 422).await;
    assert_eq!(late["errors"][0]["pointer"], "/valid_until");
}
