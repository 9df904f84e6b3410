//! Step 15 of the scenario (domain model section 15), from the incident on: 31 customers got
//! wrong advice on repayment. The cause is found and removed, and the nonconformity is closed
//! only when that has been seen to work for 30 days.

use serde_json::json;

use crate::kinds::{Year, example};
use crate::support::Setup;

#[actix_web::test]
async fn aurelia_closes_the_wrong_advice_once_its_action_has_worked_for_30_days() {
    let app = Setup::named("scenario_nonconformity")
        .with_test_clock()
        .start();
    let mut year = Year::from(&app, "2027-05-17").await;
    let mut system = example("ai_system");
    system["title"] = json!("AskAurelia");
    let system = year
        .world
        .make(&year.world.consultant, "ai-systems", system)
        .await;
    let opened = json!({
        "ai_system_id": system.rsplit('/').next(),
        "owner_id": year.doer.id,
        "statement": "31 customers of AskAurelia were told a wrong date of repayment",
    });
    let path = year.world.nonconformity(opened).await;
    let record = year.doer.api.get(&path, 200).await;
    assert_eq!(
        (&record["contain_by"], &record["plan_by"]),
        (&json!("2027-05-24"), &json!("2027-06-16"))
    );

    year.goes_on_to("2027-05-18").await;
    let informed = json!({
        "correction": "Answers on holidays are given by people",
        "consequences": "The 31 customers were informed on 18 May",
    });
    year.doer.api.patch(&path, &informed, 200).await;
    year.doer
        .api
        .transition(&path, "contained", None, 200)
        .await;
    let cause = json!({"root_cause": "A test for holiday terms is missing", "root_cause_method": "five_whys"});
    year.doer.api.patch(&path, &cause, 200).await;
    year.doer
        .api
        .transition(&path, "cause_found", None, 200)
        .await;
    let action = year.world.action_on(&path, &year.doer).await;
    for state in ["action_planned", "in_progress"] {
        year.doer.api.transition(&path, state, None, 200).await;
    }
    year.goes_on_to("2027-05-20").await;
    year.world.done(&action, &year.doer).await;
    year.doer
        .api
        .transition(&path, "effectiveness_review", None, 200)
        .await;
    let rest = json!({
        "similar_check": "Other calendars: none without a test",
        "aims_change": {"needed": true, "because": "The verification plan lists calendars"},
    });
    year.doer.api.patch(&path, &rest, 200).await;
    let result = json!({"effectiveness_result": "No wrong advice in the holidays of June"});
    year.doer.api.patch(&action, &result, 200).await;

    for early in ["2027-05-20", "2027-06-18"] {
        year.goes_on_to(early).await;
        let refused = year
            .auditor
            .api
            .transition(&action, "effective", None, 422)
            .await;
        assert_eq!(
            (&refused["rule"], &refused["errors"][0]["pointer"]),
            (&json!("NC-1"), &json!("/done_on"))
        );
        let refused = year
            .auditor
            .api
            .transition(&path, "closed", None, 422)
            .await;
        assert_eq!(refused["rule"], "NC-1");
        assert_eq!(refused["errors"].as_array().unwrap().len(), 1, "{refused}");
    }
    year.goes_on_to("2027-06-19").await;
    let options = year
        .auditor
        .api
        .get(&format!("{action}/transitions"), 200)
        .await;
    let review = options["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|option| option["to"] == "effective");
    assert_eq!(review.unwrap()["allowed"], true, "{options}");
    year.goes_on_to("2027-06-21").await;
    let refused = year
        .doer
        .api
        .transition(&action, "effective", None, 403)
        .await;
    assert_eq!(refused["rule"], "NC-1", "who did it does not judge it");
    let effective = year
        .auditor
        .api
        .transition(&action, "effective", None, 200)
        .await;
    assert_eq!(effective["checked_on"], "2027-06-21");
    let closed = year
        .world
        .manager
        .api
        .transition(&path, "closed", None, 200)
        .await;
    assert_eq!(
        (&closed["status"], &closed["closed_on"]),
        (&json!("closed"), &json!("2027-06-21"))
    );

    let history = year
        .auditor
        .api
        .get(&format!("{path}/history?limit=200"), 200)
        .await;
    let refusals = history["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["action"] == "refused");
    assert_eq!(refusals.count(), 2);
}
