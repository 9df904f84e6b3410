//! Risks: levels by approved criteria (RSK-1), treated by rule (RSK-2), sent back (RSK-3).

use serde_json::json;

use super::{example, in_days, world};

#[actix_web::test]
async fn a_risk_is_rated_by_approved_criteria_only() {
    let world = world("Rated").await;
    let mut risk = example("risk");
    risk["inherent"] = json!({"likelihood": 3, "consequence": 5});

    let refused = world.consultant.api.post(&world.client.path("risks"), &risk, 422).await;
    assert_eq!(refused["rule"], "RSK-1");

    world.approved_criteria().await;
    let made = world.consultant.api.post(&world.client.path("risks"), &risk, 201).await;
    assert_eq!(made["inherent"]["score"], 15);
    assert_eq!(made["inherent"]["level"], "high");
    assert_eq!(made["level"], "high");
    assert_eq!(made["above_tolerance"], true);
    assert_eq!(made["criteria_ref"], "CRI-001");
}

#[actix_web::test]
async fn new_criteria_do_not_rewrite_old_assessments() {
    let world = world("Rewrite").await;
    world.approved_criteria().await;
    let mut risk = example("risk");
    risk["inherent"] = json!({"likelihood": 3, "consequence": 3});
    let path = world.make(&world.consultant, "risks", risk).await;
    let mut strict = example("risk_criteria");
    strict["levels"] = json!([{"level": "low", "from": 1, "to": 2}, {"level": "critical", "from": 3, "to": 25}]);
    world.revised_criteria(strict).await;

    let renamed = world.consultant.api.patch(&path, &json!({"title": "Drift"}), 200).await;
    assert_eq!(renamed["inherent"]["level"], "medium");
    assert_eq!(renamed["criteria_version"], 1);

    let judged_again = world.consultant.api.patch(&path, &json!({"inherent": {"likelihood": 4}}), 200).await;
    assert_eq!(judged_again["inherent"]["level"], "critical");
    assert_eq!(judged_again["criteria_version"], 2);
}

#[actix_web::test]
async fn judging_one_rating_anew_leaves_the_verdict_on_the_others_alone() {
    let world = world("Verdict").await;
    world.approved_criteria().await;
    let mut risk = example("risk");
    risk["inherent"] = json!({"likelihood": 2, "consequence": 2});
    risk["current"] = json!({"likelihood": 2, "consequence": 2});
    let path = world.make(&world.consultant, "risks", risk).await;
    let mut strict = example("risk_criteria");
    strict["levels"] = json!([{"level": "low", "from": 1, "to": 2}, {"level": "critical", "from": 3, "to": 25}]);
    world.revised_criteria(strict).await;

    let judged = world.consultant.api.patch(&path, &json!({"residual": {"likelihood": 1, "consequence": 3}}), 200).await;

    assert_eq!(judged["residual"]["level"], "critical");
    assert_eq!(judged["residual"]["criteria_version"], 2);
    assert_eq!(judged["inherent"]["level"], "low");
    assert_eq!(judged["current"]["above_tolerance"], false);
    assert_eq!(judged["above_tolerance"], false, "nothing has been said about the risk as it is now");
    assert_eq!(judged["criteria_version"], 1);
    let moved = world.consultant.api.patch(&path, &json!({"category": "financial"}), 200).await;
    assert_eq!(moved["current"]["level"], "low");
    assert_eq!(moved["current"]["criteria_version"], 1);
}

#[actix_web::test]
async fn a_treated_risk_that_is_rated_above_what_was_accepted_is_analysed_again() {
    let world = world("Above").await;
    let (risk, _) = world.treated_risk().await;
    world.retained(&risk).await;
    world.risk_owner.api.transition(&risk, "treated", None, 200).await;

    world.risk_owner.api.patch(&risk, &json!({"current": {"likelihood": 5, "consequence": 5}}), 200).await;

    let after = world.top.api.get(&risk, 200).await;
    assert_eq!(after["status"], "analysed");
    let history = world.top.api.get(&format!("{risk}/history"), 200).await;
    assert_eq!(history["items"][0]["action"], "moved");
    assert_eq!(history["items"][0]["actor_id"], json!(null), "it follows by itself");
    assert_eq!(history["items"][0]["data"]["cause"]["id"], json!(risk.rsplit('/').next()));
}

#[actix_web::test]
async fn what_treats_or_accepts_a_neighbour_counts_for_nothing_even_when_it_is_linked() {
    let world = world("Neighbours").await;
    let (neighbour, treatment) = world.treated_risk().await;
    let rated = json!({"inherent": {"likelihood": 3, "consequence": 5}, "owner_id": world.risk_owner.id});
    let risk = world.make(&world.consultant, "risks", example("risk")).await;
    world.consultant.api.patch(&risk, &rated, 200).await;
    let link = json!({"relation": "mitigates", "to": {"kind": "risk", "id": risk.rsplit('/').next()}});
    let mut of_neighbour = example("residual_acceptance");
    of_neighbour["risk_id"] = json!(neighbour.rsplit('/').next());
    of_neighbour["valid_until"] = json!(in_days(100));
    let acceptance = world.make(&world.consultant, "residual-acceptances", of_neighbour).await;
    world.consultant.api.post(&format!("{acceptance}/links"), &link, 201).await;
    world.top.api.transition(&acceptance, "accepted", None, 200).await;
    let mut second = example("risk_treatment");
    second["risk_id"] = json!(neighbour.rsplit('/').next());
    let second = world.make(&world.consultant, "risk-treatments", second).await;
    world.consultant.api.post(&format!("{second}/links"), &link, 201).await;
    world.risk_owner.api.transition(&second, "approved", None, 200).await;
    world.manager.api.patch(&second, &json!({"effectiveness_result": "0.86"}), 200).await;
    for state in ["in_progress", "implemented", "effective"] {
        world.risk_owner.api.transition(&second, state, None, 200).await;
    }
    for state in ["analysed", "evaluated", "treating"] {
        world.consultant.api.transition(&risk, state, None, 200).await;
    }

    let refused = world.risk_owner.api.transition(&risk, "treated", None, 422).await;

    assert_eq!(refused["rule"], "RSK-2");
    assert_eq!(refused["errors"].as_array().unwrap().len(), 2, "{treatment} is of the neighbour: {refused}");
}

#[actix_web::test]
async fn levels_cannot_be_written() {
    let world = world("Written").await;
    world.approved_criteria().await;
    let path = world.make(&world.consultant, "risks", example("risk")).await;
    for (patch, pointer) in [
        (json!({"level": "low"}), "/level"),
        (json!({"above_tolerance": false}), "/above_tolerance"),
        (json!({"inherent": {"likelihood": 3, "consequence": 5, "level": "low"}}), "/inherent/level"),
        (json!({"status": "closed"}), "/status"),
    ] {
        let refused = world.consultant.api.patch(&path, &patch, 422).await;
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{refused}");
    }
}

#[actix_web::test]
async fn the_consequence_is_the_worst_of_organisation_people_and_society() {
    let world = world("Worst").await;
    world.approved_criteria().await;
    let mut risk = example("risk");
    risk["inherent"] = json!({"likelihood": 3, "consequence": 2, "people": 5, "organisation": 2});

    let refused = world.consultant.api.post(&world.client.path("risks"), &risk, 422).await;

    assert_eq!(refused["errors"][0]["pointer"], "/inherent/consequence");
}

#[actix_web::test]
async fn a_residual_risk_above_the_inherent_one_needs_a_reason() {
    let world = world("Residual").await;
    world.approved_criteria().await;
    let mut risk = example("risk");
    risk["inherent"] = json!({"likelihood": 2, "consequence": 2});
    risk["residual"] = json!({"likelihood": 3, "consequence": 3});

    let refused = world.consultant.api.post(&world.client.path("risks"), &risk, 422).await;
    assert_eq!(refused["rule"], "RSK-3");

    risk["residual_reason"] = json!("The control opens a new way in");
    world.consultant.api.post(&world.client.path("risks"), &risk, 201).await;
}

#[actix_web::test]
async fn only_a_tolerable_risk_goes_straight_to_monitoring() {
    let world = world("Tolerable").await;
    world.approved_criteria().await;
    for (rating, status) in [
        (json!({"likelihood": 1, "consequence": 2}), 200),
        (json!({"likelihood": 3, "consequence": 5}), 422),
    ] {
        let mut risk = example("risk");
        risk["inherent"] = rating;
        let path = world.make(&world.consultant, "risks", risk).await;
        world.consultant.api.transition(&path, "analysed", None, 200).await;
        world.consultant.api.transition(&path, "evaluated", None, 200).await;
        world.risk_owner.api.transition(&path, "monitored", None, status).await;
    }
}
