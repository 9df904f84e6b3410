//! The Statement of Applicability: one entry for each control, approved by top management as one
//! version, frozen as one, and reviewed when what it rests on changes.

use reqwest::Method;
use serde_json::{Value, json};

use super::{World, example, id_of, world};

/// Controls of Annex A.
const ANNEX_A: usize = 38;

/// Rule and pointers of a refusal.
fn refusal(problem: &Value) -> (String, Vec<String>) {
    let pointers = problem["errors"].as_array().unwrap().iter();
    let pointers = pointers.map(|error| error["pointer"].as_str().unwrap().to_owned());
    (problem["rule"].as_str().unwrap().to_owned(), pointers.collect())
}

async fn own_controls(world: &World<'_>, units: &[&str]) {
    let own: Vec<_> = units.iter().map(|unit| json!({"unit": unit, "title": "Register of prompts"})).collect();
    let path = world.client.path("settings");
    world.manager.api.patch(&path, &json!({"own_controls": own}), 200).await;
}

#[actix_web::test]
async fn it_is_made_with_an_undecided_entry_for_each_control_and_each_of_your_own() {
    let world = world("Made").await;
    own_controls(&world, &["X.1"]).await;

    let soa = world.statement().await;

    let entries = world.entries(&soa).await;
    assert_eq!(entries.len(), ANNEX_A + 1);
    let first = &entries[0];
    assert_eq!((&first["ref"], &first["title"]), (&json!("SOE-001"), &json!("A.2.2 AI policy")));
    assert_eq!(entries[ANNEX_A]["title"], "X.1 Register of prompts");
    assert_eq!(entries[ANNEX_A]["ref"], "SOE-039");
    assert!(entries.iter().all(|entry| entry["decision"].is_null() && entry["status"] == "current"));
    let history = world.top.api.get(&format!("{}/history", world.entry(&soa, "A.2.2").await), 200).await;
    assert_eq!(history["items"][0]["data"]["cause"]["ref"], "SOA-001");
    assert_eq!(world.top.api.get(&soa, 200).await["catalog_version"], 1);
    let second = world.consultant.api.post(&world.client.path("soas"), &example("soa"), 409).await;
    assert!(second["detail"].as_str().unwrap().contains("SOA-001"), "{second}");
    own_controls(&world, &["X.1", "X.2"]).await;
    assert_eq!(world.entries(&soa).await.len(), ANNEX_A + 2, "a draft follows its controls");
}

#[actix_web::test]
async fn approval_refuses_gaps_doubles_and_what_is_no_control_by_soa_1() {
    let world = world("Gaps").await;
    let soa = world.statement().await;
    world.include_all(&soa, 24).await;
    let api = &world.consultant.api;
    let gap = world.entry(&soa, "A.5.2").await;
    api.delete(&gap, 204).await;
    let mut double = example("soa_entry");
    double["soa_id"] = json!(id_of(&soa));
    double["owner_id"] = json!(world.manager.id);
    let double = world.make(&world.consultant, "soa-entries", double).await;

    let refused = api.transition(&soa, "in_review", None, 422).await;

    let told = (String::from("SOA-1"), vec![String::from("/entries/A.5.2"), String::from("/entries/A.10.4")]);
    assert_eq!(refusal(&refused), told);
    let detail = refused["errors"][1]["detail"].as_str().unwrap();
    assert!(detail.contains("SOE-038") && detail.contains("SOE-039"), "{detail}");
    api.delete(&double, 204).await;
    let etag = api.etag(&gap).await;
    api.send(Method::POST, &format!("{gap}/restore"), &[("If-Match", &etag)], None).await.expect(200);
    api.transition(&soa, "in_review", None, 200).await;

    // What comes while it is being approved is a gap too; it is filled when the draft is back.
    own_controls(&world, &["X.1"]).await;
    let refused = world.top.api.transition(&soa, "approved", None, 422).await;
    assert_eq!(refusal(&refused), (String::from("SOA-1"), vec![String::from("/entries/X.1")]));
    world.top.api.transition(&soa, "draft", Some("X.1 is missing"), 200).await;
    world.include_all(&soa, 24).await;
    own_controls(&world, &[]).await;
    let refused = api.transition(&soa, "in_review", None, 422).await;
    assert_eq!(refusal(&refused), (String::from("SOA-1"), vec![String::from("/entries/X.1")]));
    api.delete(&world.entry(&soa, "X.1").await, 204).await;
    world.approve_statement(&soa).await;
}

#[actix_web::test]
async fn approval_refuses_entries_that_are_not_justified_by_soa_2_and_tells_all_of_them() {
    let world = world("Justified").await;
    let soa = world.statement().await;

    let refused = world.consultant.api.transition(&soa, "in_review", None, 422).await;

    let (rule, pointers) = refusal(&refused);
    assert_eq!((rule.as_str(), pointers.len()), ("SOA-2", ANNEX_A), "{refused}");
    assert!(pointers.contains(&String::from("/entries/A.10.4")));
    world.include_all(&soa, 24).await;
    let entry = world.entry(&soa, "A.10.4").await;
    let whole = json!({
        "decision": "included", "justification": "Nobody outside is served, and none will be.", "reasons": ["risk"],
        "owner_id": world.manager.id, "implementation": "planned",
    });
    let template = "to be written:  why this control is included or excluded. ";
    for (change, faults) in [
        (json!({"decision": null}), 1),
        (json!({"justification": "We sell no AI."}), 1),
        (json!({"justification": "          padded          "}), 1),
        (json!({"justification": template}), 1),
        (json!({"decision": "excluded", "justification": template}), 1),
        (json!({"reasons": []}), 1),
        (json!({"owner_id": null}), 1),
        (json!({"implementation": null}), 1),
        (json!({"decision": "excluded", "reasons": [], "owner_id": null, "implementation": null}), 0),
        (json!({}), 0),
    ] {
        world.consultant.api.patch(&entry, &whole, 200).await;
        world.consultant.api.patch(&entry, &change, 200).await;
        let options = world.consultant.api.get(&format!("{soa}/transitions"), 200).await;
        let submit = options["items"].as_array().unwrap().iter().find(|option| option["to"] == "in_review").unwrap();
        assert_eq!(submit["unmet"].as_array().unwrap().len(), faults, "{change}: {submit}");
        assert_eq!(submit["allowed"], faults == 0, "{change}");
    }
    world.approve_statement(&soa).await;
}

#[actix_web::test]
async fn top_management_approves_it_with_its_entries_as_one_version_and_not_who_wrote_one() {
    let world = world("Approved").await;
    let both = world.client.staff_by(&world.top, "Bo Both", &["top_management", "aims_manager"], None).await;
    let (_, treatment) = world.treated_risk().await;
    let soa = world.statement().await;
    world.include_all(&soa, 24).await;
    let entry = world.entry(&soa, "A.7.4").await;
    let treatments = json!({"treatments": [id_of(&treatment)]});
    both.api.patch(&entry, &treatments, 200).await;
    world.consultant.api.transition(&soa, "in_review", None, 200).await;

    let own = both.api.transition(&soa, "approved", None, 403).await;
    assert_eq!(own["rule"], "GEN-1");
    assert_eq!(world.lead.api.transition(&soa, "approved", None, 403).await["rule"], "GEN-1");
    world.manager.api.transition(&soa, "approved", None, 403).await;
    world.top.api.transition(&soa, "approved", None, 200).await;

    let version = world.top.api.get(&format!("{soa}/versions/1"), 200).await;
    let children = version["children"].as_array().unwrap();
    assert_eq!(children.len(), ANNEX_A);
    let frozen = children.iter().find(|child| child["content"]["control"] == "A.7.4").unwrap();
    assert_eq!(frozen["owner_id"], json!(world.manager.id));
    let link = frozen["links"].as_array().unwrap().iter().find(|link| link["field"] == "/treatments/0").unwrap();
    assert_eq!((&link["to_id"], &link["to_version"]), (&json!(id_of(&treatment)), &json!(1)));

    // What was approved is nobody's draft any more.
    world.manager.api.transition(&soa, "draft", Some("yearly"), 200).await;
    let links = world.top.api.get(&format!("{entry}/links"), 200).await;
    let link = links["items"].as_array().unwrap().iter().find(|link| link["field"] == "/treatments/0").unwrap();
    assert_eq!(link["to_version"], json!(null));
    world.consultant.api.transition(&soa, "in_review", None, 200).await;
    let approved = both.api.transition(&soa, "approved", None, 200).await;
    assert_eq!(approved["in_force"], 2);
}

#[actix_web::test]
async fn entries_are_frozen_with_the_statement_whichever_way_they_would_be_changed() {
    let world = world("Frozen").await;
    let soa = world.statement().await;
    let api = &world.consultant.api;
    let mut body = example("soa_entry");
    body["soa_id"] = json!(id_of(&soa));
    let away = world.make(&world.consultant, "soa-entries", body.clone()).await;
    api.delete(&away, 204).await;
    world.include_all(&soa, 24).await;
    let entry = world.entry(&soa, "A.5.2").await;
    let link = json!({"relation": "serves", "to": {"catalog": "iso42001", "unit": "6.1.4"}});
    let link = api.post(&format!("{entry}/links"), &link, 201).await;
    api.transition(&soa, "in_review", None, 200).await;
    let before = world.entries(&soa).await;
    let id = id_of(&entry).to_owned();
    let version = before.iter().find(|one| one["id"] == json!(id)).unwrap()["version"].clone();
    let other = json!({"relation": "serves", "to": {"catalog": "iso42001", "unit": "8.4"}});
    let words = json!({"justification": "Something else that is long enough."});
    let batch = json!({"operations": [
        {"op": "update", "id": id, "version": version, "body": words},
        {"op": "archive", "id": id, "version": version},
        {"op": "create", "body": body},
    ]});

    for state in ["in_review", "approved", "review_required"] {
        match state {
            "approved" => drop(world.top.api.transition(&soa, "approved", None, 200).await),
            "review_required" => drop(world.make(&world.consultant, "risks", example("risk")).await),
            _ => {}
        }
        assert_eq!(api.get(&soa, 200).await["status"], state);
        for (method, path, body) in [
            (Method::PATCH, entry.clone(), words.clone()),
            (Method::PATCH, entry.clone(), json!({"title": "Another"})),
            (Method::PATCH, entry.clone(), json!({"reasons": ["legal"], "implementation": "partial"})),
            (Method::DELETE, entry.clone(), json!(null)),
            (Method::POST, world.client.path("soa-entries"), body.clone()),
            (Method::POST, format!("{away}/restore"), json!(null)),
            (Method::POST, format!("{entry}/links"), other.clone()),
            (Method::DELETE, format!("{entry}/links/{}", link["id"].as_str().unwrap()), json!(null)),
        ] {
            let text = (!body.is_null()).then(|| body.to_string());
            let answer = api.send(method.clone(), &path, &[("If-Match", "*")], text).await;
            assert_eq!(answer.status, 409, "{state}: {method} {path} {body}: {}", answer.text);
            assert_eq!(answer.rule().as_deref(), Some("GEN-2"), "{state}: {method} {path} {body}");
        }
        let answers = api.post(&world.client.path("soa-entries/batch"), &batch, 200).await;
        for item in answers["items"].as_array().unwrap() {
            assert_eq!((&item["status"], &item["problem"]["rule"]), (&json!(409), &json!("GEN-2")), "{item}");
        }
        world.manager.api.transition(&entry, "withdrawn", None, 403).await;
        assert_eq!(world.entries(&soa).await, before, "{state}");
    }

    // What is no content, and how far the control is, stays open and is told; wholeness stays.
    api.post(&format!("{entry}/comments"), &json!({"text": "Looks good."}), 201).await;
    api.post(&format!("{entry}/evidence"), &example("evidence"), 201).await;
    world.manager.api.patch(&entry, &json!({"owner_id": world.top.id}), 200).await;
    world.manager.api.patch(&entry, &json!({"implementation": "partial", "planned_on": "2027-09-01"}), 200).await;
    for (field, pointer) in [("owner_id", "/owner_id"), ("implementation", "/implementation")] {
        let refused = world.manager.api.patch(&entry, &json!({field: null}), 422).await;
        assert_eq!(refusal(&refused), (String::from("SOA-2"), vec![pointer.to_owned()]));
    }
    let history = world.top.api.get(&format!("{entry}/history"), 200).await;
    let told = history["items"].as_array().unwrap().iter().find(|event| event["action"] == "changed").unwrap();
    assert_eq!(told["data"]["changes"]["implementation"], json!(["implemented", "partial"]));
    let version = world.top.api.get(&format!("{soa}/versions/1"), 200).await;
    let frozen = version["children"].as_array().unwrap().iter().find(|child| child["id"] == json!(id)).unwrap();
    assert_eq!(frozen["content"]["implementation"], "implemented");
    world.manager.api.transition(&soa, "draft", None, 200).await;
    api.patch(&entry, &words, 200).await;
}

#[actix_web::test]
async fn what_it_rests_on_asks_for_its_review_when_it_changes_by_soa_4() {
    let world = world("Review").await;
    let neighbour = super::world("Neighbour").await;
    let (risk, treatment) = world.treated_risk().await;
    let system = world.make(&world.consultant, "ai-systems", example("ai_system")).await;
    let soa = world.approved_statement().await;
    let api = &world.consultant.api;
    neighbour.make(&neighbour.consultant, "ai-systems", example("ai_system")).await;
    api.patch(&risk, &json!({"title": "Another title", "cause": "Said better"}), 200).await;
    api.patch(&system, &json!({"purpose": "Said better"}), 200).await;
    assert_eq!(api.get(&soa, 200).await["status"], "approved", "words bear on no decision");

    for (number, (what, field)) in (1..).zip([
        ("a new system", "AIS-002 is new."),
        ("a changed system", "AIS-001 has changed: used_by."),
        ("a new risk", "RSK-002 is new."),
        ("a changed risk", "RSK-001 has changed: category."),
        ("a new treatment", "TRT-002 is new."),
        ("a changed treatment", "TRT-002 has changed: controls."),
        ("a cancelled treatment", "TRT-001 is cancelled."),
        ("an own control", "settings has changed: own_controls."),
    ]) {
        match what {
            "a new system" => drop(world.make(&world.consultant, "ai-systems", example("ai_system")).await),
            "a changed system" => drop(api.patch(&system, &json!({"used_by": ["public"]}), 200).await),
            "a new risk" => drop(world.make(&world.consultant, "risks", example("risk")).await),
            "a changed risk" => drop(api.patch(&risk, &json!({"category": "society"}), 200).await),
            "a new treatment" => {
                let mut another = example("risk_treatment");
                another["risk_id"] = json!(id_of(&risk));
                world.make(&world.consultant, "risk-treatments", another).await;
            }
            "a changed treatment" => {
                let list = world.top.api.get(&world.client.path("risk-treatments?sort=ref"), 200).await;
                let second = format!("risk-treatments/{}", list["items"][1]["id"].as_str().unwrap());
                api.patch(&world.client.path(&second), &json!({"controls": ["A.7.2"]}), 200).await;
            }
            "a cancelled treatment" => {
                drop(world.risk_owner.api.transition(&treatment, "cancelled", Some("not needed"), 200).await)
            }
            _ => own_controls(&world, &["X.1"]).await,
        }
        let asked = api.get(&soa, 200).await;
        assert_eq!((&asked["status"], &asked["in_force"]), (&json!("review_required"), &json!(number)), "{what}");
        let because = asked["review_causes"].as_array().unwrap().iter().map(|cause| &cause["because"]);
        assert_eq!(because.collect::<Vec<_>>(), [field], "{what}");
        let history = world.top.api.get(&format!("{soa}/history"), 200).await;
        let moved = &history["items"][0];
        assert_eq!((&moved["action"], &moved["actor_id"]), (&json!("moved"), &json!(null)), "{what}");
        assert_eq!(moved["data"]["cause"]["because"], field, "{what}");

        world.manager.api.transition(&soa, "draft", None, 200).await;
        world.include_all(&soa, 24).await;
        assert_eq!(api.get(&soa, 200).await["review_required"], true, "{what}");
        world.approve_statement(&soa).await;
        let cleared = json!({"status": "approved", "review_required": false, "review_causes": []});
        let now = api.get(&soa, 200).await;
        for (name, value) in cleared.as_object().unwrap() {
            assert_eq!(&now[name], value, "{what}");
        }
    }
}

#[actix_web::test]
async fn a_revision_is_marked_too_and_what_changes_after_its_submission_is_not_approved() {
    let world = world("Later").await;
    let soa = world.approved_statement().await;
    let api = &world.consultant.api;
    let causes = async || {
        let soa = api.get(&soa, 200).await;
        let causes = soa["review_causes"].as_array().unwrap().iter().map(|cause| cause["ref"].clone());
        (soa["status"].clone(), causes.collect::<Vec<_>>())
    };
    world.manager.api.transition(&soa, "draft", Some("yearly"), 200).await;
    world.make(&world.consultant, "risks", example("risk")).await;
    assert_eq!(causes().await, (json!("draft"), vec![json!("RSK-001")]));
    api.transition(&soa, "in_review", None, 200).await;
    assert_eq!(causes().await, (json!("in_review"), vec![json!("RSK-001")]), "reviewed, not approved");
    world.make(&world.consultant, "risks", example("risk")).await;

    world.top.api.transition(&soa, "approved", None, 200).await;

    assert_eq!(causes().await, (json!("review_required"), vec![json!("RSK-002")]));
    assert_eq!(api.get(&soa, 200).await["in_force"], 2);
    world.manager.api.transition(&soa, "draft", None, 200).await;
    world.approve_statement(&soa).await;
    assert_eq!(causes().await, (json!("approved"), vec![]));
    let asked = api.get(&world.client.path("soas?review_required=true"), 200).await;
    assert_eq!(asked["items"], json!([]));
}

#[actix_web::test]
async fn a_draft_is_put_away_and_comes_back_with_its_entries() {
    let world = world("Away").await;
    let soa = world.statement().await;
    let api = &world.consultant.api;
    let early = world.entry(&soa, "A.2.2").await;
    api.delete(&early, 204).await;
    let live = || world.client.path("soa-entries?limit=200");

    api.delete(&soa, 204).await;

    assert_eq!(api.get(&live(), 200).await["items"], json!([]));
    let entry = api.get(&world.client.path("soa-entries?archived=true&control=A.10.4"), 200).await;
    let entry = world.client.path(&format!("soa-entries/{}", entry["items"][0]["id"].as_str().unwrap()));
    for path in [&entry, &early] {
        let restored = api.send(Method::POST, &format!("{path}/restore"), &[("If-Match", "*")], None).await;
        assert!(restored.expect(409).text.contains("SOA-001"));
    }
    let mut body = example("soa_entry");
    body["soa_id"] = json!(id_of(&soa));
    api.post(&world.client.path("soa-entries"), &body, 409).await;
    let etag = api.etag(&soa).await;
    api.send(Method::POST, &format!("{soa}/restore"), &[("If-Match", &etag)], None).await.expect(200);
    let back = api.get(&live(), 200).await;
    assert_eq!(back["items"].as_array().unwrap().len(), ANNEX_A - 1, "what was away before stays away");
}

#[actix_web::test]
async fn a_withdrawn_statement_ends_with_its_entries_and_another_can_be_made() {
    let world = world("Withdrawn").await;
    let soa = world.approved_statement().await;

    world.top.api.transition(&soa, "withdrawn", Some("Started anew"), 200).await;

    assert!(world.entries(&soa).await.iter().all(|entry| entry["status"] == "withdrawn"));
    let another = world.statement().await;
    assert_eq!(world.entries(&another).await[0]["ref"], "SOE-039");
    world.include_all(&another, 1).await;
    world.approve_statement(&another).await;
}
