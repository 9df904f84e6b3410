//! Step 5 of the scenario (domain model section 15): the AI policy is refused without a review
//! date, approved by top management, published, and acknowledged by nearly everybody.

use serde_json::json;

use crate::kinds::{example, world_in};
use crate::reminders::set_clock;
use crate::support::Setup;
use crate::support::actors::{PASSWORD, sign_in};

/// Employees of the client; with three others of the world they are the audience.
const EMPLOYEES: usize = 22;

#[actix_web::test]
async fn aurelia_publishes_its_ai_policy_and_96_percent_acknowledge_it() {
    let app = &Setup::named("scenario_policy").with_test_clock().start();
    set_clock(&app.anonymous(), "2027-02-08T09:00:00Z").await;
    let world = world_in(app, "Aurelia Lending B.V.").await;
    let client = &world.client;
    let mut employees = Vec::new();
    for number in 0..EMPLOYEES {
        employees.push(
            client
                .staff(&format!("Employee {number}"), &["employee"])
                .await,
        );
    }
    let stored = async || {
        let events = app.count(client.id, "events", "action <> 'refused'").await;
        (events, app.count(client.id, "versions", "true").await)
    };

    let path = world
        .make(&world.consultant, "policies", example("policy"))
        .await;
    world
        .lead
        .api
        .transition(&path, "in_review", None, 200)
        .await;
    let before = stored().await;
    let refused = world.top.api.transition(&path, "approved", None, 422).await;
    assert_eq!(
        (&refused["rule"], &refused["errors"][0]["pointer"]),
        (&json!("POL-1"), &json!("/next_review_on"))
    );
    assert_eq!(stored().await, before);
    world
        .consultant
        .api
        .patch(&path, &json!({"next_review_on": "2028-02-01"}), 200)
        .await;
    world.top.api.transition(&path, "approved", None, 200).await;
    world
        .manager
        .api
        .transition(&path, "published", None, 200)
        .await;

    let list = format!("{path}/acknowledgements");
    let pending = world.manager.api.get(&list, 200).await;
    assert_eq!(
        pending["tally"],
        json!({"version": 1, "asked": 25, "done": 0})
    );
    let people = employees.iter().chain([&world.manager, &world.risk_owner]);
    for person in people {
        person.api.post(&list, &json!({"version": 1}), 200).await;
    }
    set_clock(&app.anonymous(), "2027-03-10T12:00:00Z").await;
    let manager = sign_in(app, &world.manager.email, PASSWORD).await.api;
    let given = manager.get(&list, 200).await;
    assert_eq!(
        given["tally"],
        json!({"version": 1, "asked": 25, "done": 24}),
        "96 %"
    );
    let due = manager
        .get(&client.path("deadlines?until=2027-03-10"), 200)
        .await;
    assert_eq!(due["items"][0]["person_id"], json!(world.top.id), "{due}");
    let history = manager.get(&format!("{path}/history"), 200).await;
    let refused = history["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["action"] == "refused");
    assert_eq!(refused.count(), 1);
}
