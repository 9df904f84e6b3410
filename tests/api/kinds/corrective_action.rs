//! Corrective actions: done by their owner, and found effective by somebody else when they have
//! had time to work (NC-1).

use serde_json::{Value, json};

use super::nonconformity::{Year, said};
use super::{example, world};
use crate::support::actors::{PASSWORD, sign_in};
use crate::support::Setup;

fn refused_at(refused: &Value) -> (&str, &str) {
    (refused["rule"].as_str().unwrap(), refused["errors"][0]["pointer"].as_str().unwrap())
}

#[actix_web::test]
async fn its_effect_is_reviewed_30_days_after_it_was_done_and_not_a_day_earlier() {
    let app = Setup::named("car_days").with_test_clock().start();
    let mut year = Year::from(&app, "2027-05-20").await;
    let (_, action) = year.acted_upon().await;
    let done = year.auditor.api.get(&action, 200).await;
    assert_eq!((&done["done_on"], &done["done_by"]), (&json!("2027-05-20"), &json!([year.doer.id])));
    let due = year.auditor.api.get(&format!("{action}/deadlines"), 200).await;
    let names = |due: &Value| format!("{} {}", due["name"].as_str().unwrap(), due["due_on"].as_str().unwrap());
    assert_eq!(names(&due["items"][0]), "effectiveness_review 2027-08-18");
    let result = json!({"effectiveness_result": "No wrong advice since"});
    year.world.consultant.api.patch(&action, &result, 200).await;

    year.goes_on_to("2027-06-18").await;
    let refused = year.auditor.api.transition(&action, "effective", None, 422).await;
    assert_eq!(refused_at(&refused), ("NC-1", "/done_on"));
    assert!(refused["detail"].as_str().unwrap().contains("2027-06-19"), "{refused}");
    assert_eq!(year.auditor.api.get(&action, 200).await["status"], "done");

    year.goes_on_to("2027-06-19").await;
    let effective = year.auditor.api.transition(&action, "effective", None, 200).await;
    assert_eq!((&effective["checked_on"], &effective["checked_by"]), (&json!("2027-06-19"), &json!(year.auditor.id)));
    assert_eq!(year.auditor.api.get(&format!("{action}/deadlines"), 200).await["items"], json!([]));
}

#[actix_web::test]
async fn nobody_who_had_a_hand_in_it_reviews_its_effect_whoever_owns_it_now() {
    let app = Setup::named("car_hands").with_test_clock().start();
    let mut year = Year::from(&app, "2027-05-20").await;
    let first = year.world.client.staff("Fay First", &["process_owner"]).await;
    let path = year.world.nonconformity(said()).await;
    let action = year.world.action_on(&path, &first).await;
    first.api.transition(&action, "in_progress", None, 200).await;
    let owner = json!({"owner_id": year.doer.id});
    year.world.consultant.api.patch(&action, &owner, 200).await;
    year.world.manager.api.transition(&action, "done", None, 200).await;
    let result = json!({"effectiveness_result": "Works", "owner_id": year.world.top.id});
    year.world.consultant.api.patch(&action, &result, 200).await;
    year.goes_on_to("2027-07-01").await;
    let first = sign_in(year.app, &first.email, PASSWORD).await;

    for hand in [&first, &year.doer, &year.world.manager] {
        let refused = hand.api.transition(&action, "effective", None, 403).await;
        assert_eq!(refused["rule"], "NC-1", "{}", hand.name);
    }
    for outsider in [&year.world.consultant, &year.world.top] {
        outsider.api.transition(&action, "effective", None, 403).await;
    }
    year.auditor.api.transition(&action, "effective", None, 200).await;
}

#[actix_web::test]
async fn it_is_done_with_an_owner_and_a_criterion_that_is_not_changed_afterwards() {
    let app = Setup::named("car_criterion").with_test_clock().start();
    let mut year = Year::from(&app, "2027-05-20").await;
    let path = year.world.nonconformity(said()).await;
    let mut body = example("corrective_action");
    body["nonconformity_id"] = json!(path.rsplit('/').next());
    body["effectiveness_criterion"] = json!(" ");
    let action = year.world.make(&year.world.consultant, "corrective-actions", body).await;

    let refused = year.world.manager.api.transition(&action, "in_progress", None, 422).await;
    assert_eq!(refused_at(&refused), ("NC-1", "/owner_id"));
    let owner = json!({"owner_id": year.doer.id});
    year.world.consultant.api.patch(&action, &owner, 200).await;
    year.doer.api.transition(&action, "in_progress", None, 200).await;
    let refused = year.doer.api.transition(&action, "done", None, 422).await;
    assert_eq!(refused_at(&refused), ("NC-1", "/effectiveness_criterion"));
    let criterion = json!({"effectiveness_criterion": "None for 30 days"});
    year.doer.api.patch(&action, &criterion, 200).await;
    year.doer.api.transition(&action, "done", None, 200).await;

    let easier = json!({"effectiveness_criterion": "Few for 30 days"});
    let refused = year.doer.api.patch(&action, &easier, 409).await;
    assert_eq!(refused["rule"], "GEN-2");
    year.goes_on_to("2027-07-01").await;
    let refused = year.auditor.api.transition(&action, "effective", None, 422).await;
    assert_eq!(refused_at(&refused), ("NC-1", "/effectiveness_result"));
    year.found_effective(&action).await;
}

#[actix_web::test]
async fn when_and_by_whom_it_was_done_and_reviewed_cannot_be_written() {
    let world = world("Written").await;
    let path = world.nonconformity(said()).await;
    let action = world.action_on(&path, &world.manager).await;
    for (field, value) in [
        ("done_on", json!("2026-01-01")),
        ("done_by", json!([])),
        ("checked_on", json!("2026-03-01")),
        ("checked_by", json!(world.top.id)),
    ] {
        let refused = world.consultant.api.patch(&action, &json!({field: value}), 422).await;
        assert_eq!(refused["errors"][0]["pointer"], format!("/{field}"));
    }
}
