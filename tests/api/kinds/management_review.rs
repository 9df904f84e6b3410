//! Management reviews: MR-1 and MR-2.

use serde_json::json;

use super::{example, in_days, world};

const MANDATORY: [&str; 7] = [
    "earlier_actions",
    "changed_issues",
    "changed_needs",
    "nonconformity_trend",
    "measurement_trend",
    "audit_results",
    "improvement_chances",
];

#[actix_web::test]
async fn each_missing_input_keeps_a_review_from_being_ready() {
    let world = world("Inputs").await;
    let path = world.make(&world.manager, "management-reviews", json!({"title": "Review", "planned_on": "2027-06-28"})).await;
    for missing in MANDATORY {
        for input in MANDATORY {
            let address = format!("{path}/inputs/{input}");
            if input == missing {
                let etag = world.manager.api.etag(&path).await;
                let gone = world.manager.api.send(reqwest::Method::DELETE, &address, &[("If-Match", &etag)], None).await;
                assert!([200, 404].contains(&gone.status), "{}", gone.text);
            } else {
                world.manager.api.put(&address, &path, &json!({"summary": "Nothing new"}), 200).await;
            }
        }
        let refused = world.manager.api.transition(&path, "inputs_ready", None, 422).await;
        assert_eq!(refused["rule"], "MR-1");
        assert!(refused["detail"].as_str().unwrap().contains(missing), "{refused}");
        assert_eq!(world.manager.api.get(&path, 200).await["status"], "planned");
    }
}

#[actix_web::test]
async fn an_input_has_an_address_and_a_snapshot_of_the_records() {
    let world = world("Snapshot").await;
    world.make(&world.consultant, "risks", example("risk")).await;
    let path = world.make(&world.manager, "management-reviews", example("management_review")).await;

    world.manager.api.put(&format!("{path}/inputs/audit_results"), &path, &json!({"summary": "No audit yet"}), 200).await;

    let input = world.top.api.get(&format!("{path}/inputs/audit_results"), 200).await;
    assert_eq!(input["snapshot"]["risk"]["identified"], 1);
    world.top.api.get(&format!("{path}/inputs/objectives"), 404).await;
    let unknown = world.manager.api.put(&format!("{path}/inputs/weather"), &path, &json!({"summary": "Rain"}), 422).await;
    assert_eq!(unknown["errors"][0]["pointer"], "/inputs/2/type");
}

#[actix_web::test]
async fn it_closes_only_with_top_management_decisions_owners_and_dates() {
    let world = world("Close").await;
    let path = world.ready_review().await;
    let complete = json!({
        "held_on": in_days(0),
        "attendees": [{"person_id": world.top.id}, {"person_id": world.manager.id}],
        "minutes": "We met and decided.",
        "decisions": [
            {"kind": "improvement", "text": "Train the officers", "owner_id": world.manager.id, "due_on": "2027-09-30"},
            {"kind": "change", "text": "None, because nothing has changed", "nothing": true},
        ],
    });
    for (without, pointer) in [
        (json!({"attendees": [{"person_id": world.manager.id}]}), "top management"),
        (json!({"decisions": [{"kind": "change", "text": "None, because", "nothing": true}]}), "improvement"),
        (json!({"decisions": [{"kind": "improvement", "text": "None, because", "nothing": true}]}), "need for change"),
        (json!({"decisions": [{"kind": "improvement", "text": "Train"}, {"kind": "change", "text": "None, because", "nothing": true}]}), "owner and a date"),
    ] {
        world.manager.api.patch(&path, &complete, 200).await;
        world.manager.api.patch(&path, &without, 200).await;
        if world.manager.api.get(&path, 200).await["status"] == "inputs_ready" {
            world.manager.api.transition(&path, "held", None, 200).await;
        }
        world.top.api.transition(&path, "minutes_approved", None, 200).await;

        let refused = world.manager.api.transition(&path, "closed", None, 422).await;

        assert_eq!(refused["rule"], "MR-2");
        assert!(refused["detail"].as_str().unwrap().contains(pointer), "{refused}");
        world.top.api.transition(&path, "held", Some("not complete"), 200).await;
    }
    world.manager.api.patch(&path, &complete, 200).await;
    world.manager.api.transition(&path, "minutes_approved", None, 403).await;
    world.top.api.transition(&path, "minutes_approved", None, 200).await;
    let closed = world.manager.api.transition(&path, "closed", None, 200).await;
    assert_eq!(closed["status"], "closed");
}

#[actix_web::test]
async fn it_is_due_for_its_owner_top_management_and_the_aims_manager_until_it_is_held() {
    let world = world("Due").await;
    let path = world.make(&world.manager, "management-reviews", json!({"title": "Review", "planned_on": "2027-06-28", "owner_id": world.manager.id})).await;
    let due = world.top.api.get(&format!("{path}/deadlines"), 200).await;
    assert_eq!(due["items"][0]["name"], "management_review");
    assert_eq!(due["items"][0]["due_on"], "2027-06-28");
    assert_eq!(due["items"][0]["roles"], json!(["top_management", "aims_manager"]));

    world.manager.api.patch(&path, &json!({"planned_on": "2027-07-05"}), 200).await;

    let due = world.top.api.get(&format!("{path}/deadlines"), 200).await;
    assert_eq!(due["items"][0]["due_on"], "2027-07-05");
}
