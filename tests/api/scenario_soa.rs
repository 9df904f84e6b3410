//! Steps 10 and 18 of the scenario (domain model section 15): the Statement of Applicability, an
//! exclusion that the facts speak against, and its approval, twice.

use serde_json::{Value, json};

use crate::kinds::{World, example, id_of, world_in};
use crate::reminders::set_clock;
use crate::support::actors::{PASSWORD, sign_in};
use crate::support::{App, Person, Setup};

async fn on(app: &App, day: &str, people: &mut [&mut Person]) {
    set_clock(&app.anonymous(), &format!("{day}T09:00:00Z")).await;
    for person in people {
        **person = sign_in(app, &person.email, PASSWORD).await;
    }
}

/// How many entries of a version have this value.
fn count(version: &Value, field: &str, value: &str) -> usize {
    let children = version["children"].as_array().unwrap().iter();
    children
        .filter(|child| child["content"][field] == value)
        .count()
}

async fn counted(world: &World<'_>, soa: &str, query: &str) -> usize {
    let list = format!("soa-entries?limit=200&soa_id={}&{query}", id_of(soa));
    let list = world.top.api.get(&world.client.path(&list), 200).await;
    list["items"].as_array().unwrap().len()
}

#[actix_web::test]
async fn aurelia_includes_all_controls_24_implemented_and_later_34() {
    let app = &Setup::named("scenario_soa").with_test_clock().start();
    set_clock(&app.anonymous(), "2027-02-15T09:00:00Z").await;
    let mut world = world_in(app, "Aurelia Lending B.V.").await;
    let mut chat = example("ai_system");
    chat["title"] = json!("AskAurelia");
    chat["origin"] = json!("bought");
    chat["used_by"] = json!(["customers"]);
    world.make(&world.consultant, "ai-systems", chat).await;

    // Step 10, 2027-03-22: 38 entries; "we sell no AI" is refused, because customers use AskAurelia.
    on(
        app,
        "2027-03-22",
        &mut [&mut world.consultant, &mut world.manager, &mut world.top],
    )
    .await;
    let soa = world.statement().await;
    assert_eq!(world.entries(&soa).await.len(), 38);
    let stored = async || {
        let events = app
            .count(world.client.id, "events", "action <> 'refused'")
            .await;
        (events, app.count(world.client.id, "versions", "true").await)
    };
    let customers = world.entry(&soa, "A.10.4").await;
    let before = stored().await;
    let out = json!({"decision": "excluded", "justification": "We sell no AI"});
    let refused = world.consultant.api.patch(&customers, &out, 409).await;
    assert_eq!(refused["rule"], "SOA-3");
    assert!(
        refused["detail"].as_str().unwrap().contains("AIS-001"),
        "{refused}"
    );
    assert_eq!(stored().await, before);

    world.include_all(&soa, 24).await;
    world
        .consultant
        .api
        .transition(&soa, "in_review", None, 200)
        .await;
    let before = stored().await;
    let refused = world.lead.clone();
    let lead = sign_in(app, &refused.email, PASSWORD).await;
    assert_eq!(
        lead.api.transition(&soa, "approved", None, 403).await["rule"],
        "GEN-1"
    );
    assert_eq!(stored().await, before);
    let approved = world.top.api.transition(&soa, "approved", None, 200).await;
    assert_eq!(
        (&approved["in_force"], &approved["approved_on"]),
        (&json!(1), &json!("2027-03-22"))
    );
    assert_eq!(counted(&world, &soa, "decision=included").await, 38);
    assert_eq!(
        counted(&world, &soa, "implementation=implemented").await,
        24
    );
    assert_eq!(counted(&world, &soa, "implementation=planned").await, 14);
    let first = world.top.api.get(&format!("{soa}/versions/1"), 200).await;

    // Step 18, 2027-06-28: ten more are implemented; the second version says so.
    on(
        app,
        "2027-06-28",
        &mut [&mut world.consultant, &mut world.manager, &mut world.top],
    )
    .await;
    let list = format!(
        "soa-entries?limit=10&soa_id={}&implementation=planned",
        id_of(&soa)
    );
    let planned = world.manager.api.get(&world.client.path(&list), 200).await;
    for entry in planned["items"].as_array().unwrap() {
        let path = world
            .client
            .path(&format!("soa-entries/{}", entry["id"].as_str().unwrap()));
        world
            .manager
            .api
            .patch(&path, &json!({"implementation": "implemented"}), 200)
            .await;
    }
    world
        .manager
        .api
        .transition(&soa, "draft", Some("Half-year"), 200)
        .await;
    world.approve_statement(&soa).await;
    let second = world.top.api.get(&format!("{soa}/versions/2"), 200).await;
    for (version, implemented, planned, state) in
        [(&second, 34, 4, "in_force"), (&first, 24, 14, "in_force")]
    {
        assert_eq!(count(version, "decision", "included"), 38);
        assert_eq!(count(version, "implementation", "implemented"), implemented);
        assert_eq!(count(version, "implementation", "planned"), planned);
        assert_eq!(version["state"], state);
    }
    let again = world.top.api.get(&format!("{soa}/versions/1"), 200).await;
    assert_eq!(
        (&again["sha256"], &again["children"]),
        (&first["sha256"], &first["children"])
    );
    assert_eq!(again["state"], "superseded");
}
