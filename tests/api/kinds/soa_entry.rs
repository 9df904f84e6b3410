//! Entries of a Statement of Applicability: exclusions are judged by facts, waivers let them pass,
//! owners write theirs, and what is implemented or planned can be counted.

use serde_json::{Value, json};

use super::{World, example, id_of, in_days, world};

/// What excludes a control.
fn excluded() -> Value {
    json!({"decision": "excluded", "justification": "Nothing that we do has to do with it."})
}

/// A system that is used by staff, built by nobody here and supplied by nobody.
fn plain_system() -> Value {
    let mut system = example("ai_system");
    system["origin"] = json!("open_source");
    system["used_by"] = json!(["staff"]);
    system
}

async fn count(world: &World<'_>, query: &str) -> usize {
    let list = world.client.path(&format!("soa-entries?limit=200&{query}"));
    world.top.api.get(&list, 200).await["items"].as_array().unwrap().len()
}

#[actix_web::test]
async fn an_exclusion_that_facts_speak_against_is_refused_by_soa_3() {
    for (field, value, control, fact) in [
        ("origin", json!("built"), "A.6.1.2", "AIS-001 is built here"),
        ("origin", json!("built"), "A.6.2.8", "AIS-001 is built here"),
        ("origin", json!("bought"), "A.10.3", "AIS-001 is supplied by others"),
        ("supplier_name", json!("Hirewell Oy"), "A.10.3", "AIS-001 is supplied by others"),
        ("used_by", json!(["staff", "customers"]), "A.10.4", "AIS-001 is used by people outside of the organisation"),
    ] {
        let world = world("Facts").await;
        let soa = world.statement().await;
        let mut system = plain_system();
        system[field] = value.clone();
        let system = world.make(&world.consultant, "ai-systems", system).await;
        let entry = world.entry(&soa, control).await;
        let before = world.top.api.get(&entry, 200).await;

        let refused = world.consultant.api.patch(&entry, &excluded(), 409).await;

        assert_eq!(refused["rule"], "SOA-3");
        assert_eq!(refused["errors"][0]["pointer"], "/decision");
        assert_eq!(refused["detail"], json!(format!("{control} cannot be excluded: {fact}.")));
        assert_eq!(world.top.api.get(&entry, 200).await, before);
        world.consultant.api.patch(&entry, &json!({"decision": "included"}), 200).await;
        let out = json!({"in_scope": false});
        world.consultant.api.patch(&system, &out, 200).await;
        world.consultant.api.patch(&entry, &excluded(), 200).await;
    }
}

#[actix_web::test]
async fn facts_of_a_neighbour_of_another_control_and_of_what_is_over_do_not_count() {
    let world = world("Kestrel Clinics").await;
    let neighbour = super::world("Aurelia Lending").await;
    let mut loud = example("ai_system");
    loud["origin"] = json!("built");
    loud["supplier_name"] = json!("Polyglot Models");
    loud["used_by"] = json!(["public"]);
    neighbour.make(&neighbour.consultant, "ai-systems", loud.clone()).await;
    neighbour.treated_risk().await;
    let system = world.make(&world.manager, "ai-systems", loud.clone()).await;
    world.manager.api.transition(&system, "retired", Some("replaced"), 200).await;
    loud["in_scope"] = json!(false);
    world.make(&world.manager, "ai-systems", loud).await;
    let mut bought = plain_system();
    bought["origin"] = json!("bought");
    world.make(&world.manager, "ai-systems", bought).await;
    let (_, treatment) = world.treated_risk().await;
    let soa = world.statement().await;
    let api = &world.consultant.api;

    // A deployer leaves development out.
    for control in ["A.6.1.2", "A.6.1.3", "A.6.2.2", "A.6.2.3", "A.10.4"] {
        api.patch(&world.entry(&soa, control).await, &excluded(), 200).await;
    }
    for (control, fact) in [
        ("A.10.3", "AIS-003 is supplied by others"),
        ("A.6.2.4", "TRT-001 is treating risks with it"),
        ("A.7.4", "TRT-001 is treating risks with it"),
    ] {
        let refused = api.patch(&world.entry(&soa, control).await, &excluded(), 409).await;
        assert_eq!(refused["detail"], json!(format!("{control} cannot be excluded: {fact}.")));
    }
    world.risk_owner.api.transition(&treatment, "cancelled", Some("not needed"), 200).await;
    let named = world.entry(&soa, "A.7.4").await;
    let mut names = excluded();
    names["treatments"] = json!([id_of(&treatment)]);
    let refused = api.patch(&named, &names, 409).await;
    assert!(refused["detail"].as_str().unwrap().contains("names treatments"), "{refused}");
    api.patch(&named, &excluded(), 200).await;
    let mut made = example("soa_entry");
    made["soa_id"] = json!(id_of(&soa));
    made["control"] = json!("A.10.3");
    made["decision"] = json!("excluded");
    let refused = api.post(&world.client.path("soa-entries"), &made, 409).await;
    assert_eq!(refused["rule"], "SOA-3", "made excluded is no way round it");
}

#[actix_web::test]
async fn facts_that_come_after_an_exclusion_keep_the_statement_from_being_approved_by_soa_3() {
    let world = world("Since").await;
    let soa = world.statement().await;
    let entry = world.entry(&soa, "A.10.4").await;
    world.consultant.api.patch(&entry, &excluded(), 200).await;
    world.include_all(&soa, 24).await;
    world.consultant.api.transition(&soa, "in_review", None, 200).await;
    let mut system = plain_system();
    system["used_by"] = json!(["customers"]);
    world.make(&world.consultant, "ai-systems", system).await;

    let refused = world.top.api.transition(&soa, "approved", None, 409).await;

    assert_eq!((&refused["rule"], &refused["errors"][0]["pointer"]), (&json!("SOA-3"), &json!("/entries/A.10.4")));
    world.top.api.transition(&soa, "draft", Some("customers"), 200).await;
    let included = json!({"decision": "included", "reasons": ["risk"], "owner_id": world.manager.id, "implementation": "planned"});
    world.consultant.api.patch(&entry, &included, 200).await;
    world.approve_statement(&soa).await;
}

#[actix_web::test]
async fn a_granted_waiver_of_the_entry_lets_an_exclusion_pass_and_its_end_asks_for_review() {
    let world = world("Waived").await;
    let soa = world.statement().await;
    let mut system = plain_system();
    system["used_by"] = json!(["customers"]);
    world.make(&world.consultant, "ai-systems", system).await;
    let entry = world.entry(&soa, "A.10.4").await;
    let mut waiver = example("waiver");
    waiver["about"] = json!({"kind": "soa_entry", "id": id_of(&entry)});
    waiver["valid_until"] = json!(in_days(30));
    let waiver = world.make(&world.consultant, "waivers", waiver).await;
    world.consultant.api.patch(&entry, &excluded(), 409).await;
    world.manager.api.transition(&waiver, "granted", None, 200).await;

    world.consultant.api.patch(&entry, &excluded(), 200).await;

    world.include_all(&soa, 24).await;
    world.approve_statement(&soa).await;
    for path in [&entry, &soa] {
        let history = world.top.api.get(&format!("{path}/history"), 200).await;
        assert_eq!(history["items"][0]["data"]["waivers"], json!([id_of(&waiver)]), "{path}");
    }
    let history = world.top.api.get(&format!("{soa}/history"), 200).await;
    assert_eq!(history["items"][1]["data"]["waivers"], json!([id_of(&waiver)]), "its submission needed it too");
    world.manager.api.transition(&waiver, "refused", Some("They stay"), 200).await;
    let asked = world.top.api.get(&soa, 200).await;
    assert_eq!(asked["status"], "review_required");
    assert_eq!(asked["review_causes"][0]["because"], "WVR-001 holds no longer.");
    world.manager.api.transition(&soa, "draft", None, 200).await;
    let refused = world.consultant.api.transition(&soa, "in_review", None, 409).await;
    assert_eq!(refused["rule"], "SOA-3");
}

#[actix_web::test]
async fn an_entry_is_about_a_control_and_keeps_it_and_its_statement() {
    let world = world("Keeps").await;
    let soa = world.statement().await;
    let api = &world.consultant.api;
    let mut unknown = example("soa_entry");
    unknown["soa_id"] = json!(id_of(&soa));
    unknown["control"] = json!("A.99.9");
    let refused = api.post(&world.client.path("soa-entries"), &unknown, 422).await;
    assert_eq!(refused["errors"][0]["pointer"], "/control");
    let entry = world.entry(&soa, "A.10.4").await;
    let refused = api.patch(&entry, &json!({"control": "A.10.3"}), 422).await;
    assert_eq!(refused["errors"][0]["pointer"], "/control");
    world.top.api.transition(&soa, "withdrawn", Some("Started anew"), 200).await;
    let another = world.statement().await;
    let theirs = world.entry(&another, "A.10.4").await;
    let moved = api.patch(&theirs, &json!({"soa_id": id_of(&soa)}), 409).await;
    assert!(moved["detail"].as_str().unwrap().contains("SOA-002"), "{moved}");
}

#[actix_web::test]
async fn owners_write_their_entries_and_no_others() {
    let world = world("Owners").await;
    let owner = world.client.staff("Pia Prozess", &["process_owner"]).await;
    let soa = world.statement().await;
    let theirs = world.entry(&soa, "A.7.2").await;
    let other = world.entry(&soa, "A.7.3").await;
    world.consultant.api.patch(&theirs, &json!({"owner_id": owner.id}), 200).await;
    let words = json!({"justification": "Our data needs rules that hold."});

    owner.api.patch(&theirs, &words, 200).await;
    owner.api.patch(&other, &words, 403).await;

    world.include_all(&soa, 24).await;
    world.consultant.api.patch(&theirs, &json!({"owner_id": owner.id}), 200).await;
    world.approve_statement(&soa).await;
    owner.api.patch(&theirs, &json!({"implementation": "partial"}), 200).await;
    owner.api.patch(&other, &json!({"implementation": "partial"}), 403).await;
}

#[actix_web::test]
async fn what_is_included_implemented_and_planned_is_counted_and_a_planned_date_is_due() {
    let world = world("Counted").await;
    let soa = world.statement().await;
    let out = world.entry(&soa, "A.10.4").await;
    world.consultant.api.patch(&out, &excluded(), 200).await;
    world.include_all(&soa, 24).await;
    world.approve_statement(&soa).await;

    let of = format!("soa_id={}", id_of(&soa));
    assert_eq!(count(&world, &format!("{of}&decision=included")).await, 37);
    assert_eq!(count(&world, &format!("{of}&decision=excluded")).await, 1);
    assert_eq!(count(&world, &format!("{of}&implementation=implemented")).await, 24);
    assert_eq!(count(&world, &format!("{of}&implementation=planned")).await, 13);
    let planned = world.entry(&soa, "A.10.3").await;
    world.manager.api.patch(&planned, &json!({"planned_on": in_days(40)}), 200).await;
    let due = world.manager.api.get(&format!("{planned}/deadlines"), 200).await;
    assert_eq!((&due["items"][0]["name"], &due["items"][0]["due_on"]), (&json!("implementation"), &json!(in_days(40))));
    world.manager.api.patch(&planned, &json!({"implementation": "implemented"}), 200).await;
    let due = world.manager.api.get(&format!("{planned}/deadlines"), 200).await;
    assert_eq!(due["items"], json!([]));
}
