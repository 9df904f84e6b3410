//! Who sees what: a record that names its audience appears in no answer to anybody else, what is
//! shared with an external auditor is seen until its date, and owners see what they own.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use super::{World, example, in_days, world, world_in};
use crate::isolation::document::{Operation, operations};
use crate::isolation::holdings::{Holding, timely};
use crate::reminders::set_clock;
use crate::support::actors::{PASSWORD, sign_in};
use crate::support::{Client, Firm, Setup};

/// A word that stands in the title of one record only.
fn word(number: usize) -> String {
    format!("quokka{}", char::from(b'a' + u8::try_from(number).unwrap()))
}

/// The addresses at which an operation is read: plainly, and with all that its list knows.
fn addresses(of: &Operation, holding: &Holding, expand: &BTreeMap<String, String>, words: &[String]) -> Vec<String> {
    let plain = of.address(|name| holding.value(of, name));
    let mut all = vec![plain.clone()];
    let is_list = of.id.starts_with("list_") || of.id.starts_with("search_");
    let is_of_kind = of.path.split('/').count() <= 6;
    if let Some(names) = expand.get(of.kind_path()).filter(|_| is_of_kind) {
        all.push(format!("{plain}?expand={names}"));
    }
    if is_list && of.path.split('/').count() == 5 {
        all.extend(words.iter().map(|word| format!("{plain}?q={word}")));
    }
    all
}

/// The fields of each kind, by its path, that `expand=` knows.
fn expandable() -> BTreeMap<String, String> {
    let kinds = aims::app::kinds();
    let of = |entry: &aims::records::Entry| {
        let fields = entry.body_schema["properties"].as_object().unwrap();
        let refers = |(name, schema): (&String, &Value)| {
            let target = schema.to_string();
            let is_reference = schema.get("x-refers-to").is_some() || target.contains("Id\"");
            name.strip_suffix("_id").filter(|_| is_reference).map(str::to_owned)
        };
        let mut names: Vec<String> = fields.iter().filter_map(refers).collect();
        names.push("owner".to_owned());
        (entry.info.path.to_owned(), names.join(","))
    };
    kinds.entries().iter().map(of).collect()
}

#[actix_web::test]
async fn the_title_of_a_record_with_a_named_audience_is_in_no_answer_to_others() {
    let app = &Setup::named("whispers").with_test_clock().start();
    let firm = Firm::sign_up(app, "Fjordlys Advisory").await;
    let holding = Holding::of(&firm, "Whispers").await;
    let boss = &holding.everybody;
    let base = format!("/v1/tenants/{}", holding.tenant);
    let mut words = Vec::new();
    for (number, (path, held)) in holding.records.iter().enumerate() {
        let word = word(number);
        let record = format!("{base}/{path}/{}", held.id);
        let closed = json!({
            "title": format!("The {word} of it"),
            "audience": "named",
            "audience_people": [boss.id],
            "owner_id": boss.id,
            "next_review_on": in_days(10),
        });
        boss.api.patch(&record, &closed, 200).await;
        boss.api.post(&format!("{record}/comments"), &json!({"text": word.clone()}), 201).await;
        words.push((word, path.clone()));
    }
    // Open records that refer to those that are not.
    for of in operations() {
        let is_create = of.id.starts_with("create_") && holding.records.contains_key(of.kind_path());
        if is_create && of.path.split('/').count() == 5 {
            let body = timely(holding.body(&of).unwrap()).to_string();
            let address = of.address(|name| holding.value(&of, name));
            let made = boss.api.send(Method::POST, &address, &[], Some(body)).await;
            assert!([201, 409].contains(&made.status), "{address}: {}", made.text);
        }
    }
    let tenant = crate::support::TenantWorld {
        app,
        id: holding.tenant,
        engagement_id: holding.engagement,
        base: base.clone(),
        firm_owner: holding.firm_owner.clone(),
    };
    let auditor = tenant.staff_by(boss, "Eva Extern", &["external_auditor"], Some(&in_days(20))).await;
    let others = [
        ("system owner", tenant.staff("Joost Bakker", &["system_owner"]).await),
        ("viewer", holding.viewer.clone()),
        ("top management", holding.top.clone()),
        ("employee", tenant.staff("Emma Staal", &["employee"]).await),
        ("consultant", holding.consultant.clone()),
        ("firm owner", holding.firm_owner.clone()),
        ("external auditor", auditor),
    ];
    // A week before the reviews: reminders of them have gone out.
    set_clock(&app.anonymous(), &format!("{}T12:00:00Z", in_days(3))).await;
    let boss = &sign_in(app, &boss.email, PASSWORD).await;
    let mut here = Vec::new();
    for (who, person) in &others {
        here.push((*who, sign_in(app, &person.email, PASSWORD).await.api));
    }
    let others: Vec<(&str, Client)> = here;
    let (expand, only): (_, Vec<String>) = (expandable(), words.iter().map(|(word, _)| word.clone()).collect());
    let mut told = Vec::new();
    let mut read = 0;
    for of in operations().iter().filter(|of| of.method == Method::GET && !of.path.starts_with("/v1/catalogs")) {
        for address in addresses(of, &holding, &expand, &only) {
            for (who, api) in &others {
                let answer = api.send(Method::GET, &address, &[], None).await;
                assert!(answer.status < 500, "{address} for {who}: {}", answer.text);
                // A search answers with problems and pages that may repeat what was asked.
                let asked = address.split_once("?q=").map(|(_, asked)| asked);
                read += usize::from(answer.status == 200);
                let heard = only.iter().filter(|word| asked != Some(word.as_str()) || answer.status == 200);
                for word in heard.filter(|word| answer.text.contains(word.as_str())) {
                    told.push(format!("{who} reads {word} at {address}"));
                }
            }
        }
    }
    assert_eq!(told, Vec::<String>::new());
    assert!(read > 300, "only {read} answers were looked at");
    for (word, path) in &words {
        for list in [format!("{base}/{path}?q={word}"), format!("{base}/records?q={word}")] {
            let found = boss.api.get(&list, 200).await;
            assert_eq!(found["items"].as_array().unwrap().len(), 1, "{list}");
        }
        for list in ["deadlines", "reminders"] {
            let told = boss.api.get(&format!("{base}/{list}?limit=200"), 200).await.to_string();
            assert!(told.contains(word.as_str()), "{word} is not among the {list} of whom it is named for");
        }
    }
}

#[actix_web::test]
async fn a_reference_to_a_record_that_somebody_does_not_see_expands_to_nothing() {
    let world = world("Expand").await;
    let viewer = world.client.staff("Vera Blik", &["viewer"]).await;
    let (risk, treatment) = world.treated_risk().await;
    let open = viewer.api.get(&format!("{treatment}?expand=risk"), 200).await;
    assert_eq!(open["risk"]["ref"], "RSK-001");
    let closed = json!({"audience": "named", "audience_people": [world.manager.id]});
    world.manager.api.patch(&risk, &closed, 200).await;

    let shut = viewer.api.get(&format!("{treatment}?expand=risk"), 200).await;
    assert_eq!(shut["risk"], json!(null));
    let owner = world.risk_owner.api.get(&format!("{treatment}?expand=risk"), 200).await;
    assert_eq!(owner["risk"]["ref"], "RSK-001", "owners see what they own");
}

/// A risk that an auditor may be shown, with evidence on it.
async fn shown_risk(world: &World<'_>) -> String {
    let mut risk = example("risk");
    risk["title"] = json!("Shown to the auditor");
    world.make(&world.consultant, "risks", risk).await
}

#[actix_web::test]
async fn an_external_auditor_reads_what_is_shared_until_its_date_and_writes_nothing() {
    let setup = Setup::named("shared_until").with_test_clock();
    let app = &setup.start();
    let world = world_in(app, "Shared").await;
    let auditor = world.client.staff_by(&world.manager, "Eva Extern", &["external_auditor"], Some(&in_days(90))).await;
    let risk = shown_risk(&world).await;
    let hidden = world.make(&world.consultant, "risks", example("risk")).await;
    auditor.api.get(&risk, 404).await;
    let share = json!({"person_id": auditor.id, "until": in_days(5)});
    world.consultant.api.post(&format!("{risk}/shares"), &share, 403).await;
    world.manager.api.post(&format!("{risk}/shares"), &share, 200).await;

    let list = world.client.path("risks");
    assert_eq!(auditor.api.get(&risk, 200).await["title"], "Shown to the auditor");
    assert_eq!(auditor.api.get(&list, 200).await["items"].as_array().unwrap().len(), 1);
    auditor.api.get(&hidden, 404).await;
    for (method, address, body) in [
        (Method::PATCH, risk.clone(), json!({"title": "Mine"})),
        (Method::POST, list.clone(), example("risk")),
        (Method::POST, format!("{risk}/comments"), json!({"text": "Mine"})),
        (Method::POST, format!("{risk}/transitions"), json!({"to": "analysed"})),
        (Method::POST, format!("{risk}/evidence"), example("evidence")),
        (Method::POST, format!("{risk}/shares"), share.clone()),
    ] {
        let answer = auditor.api.send(method.clone(), &address, &[("If-Match", "*")], Some(body.to_string())).await;
        assert_eq!(answer.status, 403, "{method} {address}: {}", answer.text);
    }

    set_clock(&app.anonymous(), &format!("{}T12:00:00Z", in_days(5))).await;
    let on_the_day = sign_in(app, &auditor.email, PASSWORD).await.api;
    on_the_day.get(&risk, 200).await;
    set_clock(&app.anonymous(), &format!("{}T12:00:00Z", in_days(6))).await;
    let after = sign_in(app, &auditor.email, PASSWORD).await.api;
    after.get(&risk, 404).await;
    assert_eq!(after.get(&list, 200).await["items"], json!([]));
}

#[actix_web::test]
async fn an_external_auditor_reads_of_a_published_policy_what_is_in_force_unless_it_is_shared() {
    let world = world("Policy audit").await;
    let auditor = world.client.staff_by(&world.manager, "Eva Extern", &["external_auditor"], Some(&in_days(90))).await;
    let mut policy = example("policy");
    policy["next_review_on"] = json!(in_days(300));
    let path = world.make(&world.consultant, "policies", policy).await;
    world.consultant.api.transition(&path, "in_review", None, 200).await;
    world.top.api.transition(&path, "approved", None, 200).await;
    world.manager.api.transition(&path, "published", None, 200).await;
    world.manager.api.transition(&path, "draft", Some("shorter"), 200).await;
    world.consultant.api.patch(&path, &json!({"title": "Quokka"}), 200).await;

    let list = world.client.path("policies");
    assert_eq!(auditor.api.get(&path, 200).await["title"], "AI policy");
    assert_eq!(auditor.api.get(&list, 200).await["items"][0]["title"], "AI policy");
    let share = json!({"person_id": auditor.id, "until": in_days(5)});
    world.manager.api.post(&format!("{path}/shares"), &share, 200).await;
    assert_eq!(auditor.api.get(&list, 200).await["items"][0]["title"], "Quokka");
}

#[actix_web::test]
async fn whoever_sees_only_what_is_in_force_filters_and_searches_that() {
    let world = world("Filtered sight").await;
    let employee = world.client.staff_by(&world.manager, "Eve Employee", &["employee"], None).await;
    let mut policy = example("policy");
    policy["next_review_on"] = json!(in_days(300));
    policy["audience"] = json!("everybody");
    let path = world.make(&world.consultant, "policies", policy).await;
    world.consultant.api.transition(&path, "in_review", None, 200).await;
    world.top.api.transition(&path, "approved", None, 200).await;
    world.manager.api.transition(&path, "published", None, 200).await;
    world.manager.api.transition(&path, "draft", Some("narrower"), 200).await;
    world.consultant.api.patch(&path, &json!({"kind": "data", "title": "Quokka"}), 200).await;

    let list = world.client.path("policies");
    for (query, for_employee, for_consultant) in [
        ("status=published", 1, 0),
        ("status=draft", 0, 1),
        ("kind=ai", 1, 0),
        ("kind=data", 0, 1),
        ("kind=ai,data", 1, 1),
        ("kind=ai&status=published&q=policy", 1, 0),
        ("q=quokka", 0, 1),
        ("updated_since=2200-01-01T00:00:00Z", 0, 0),
    ] {
        let address = format!("{list}?{query}");
        for (who, expected) in [(&employee, for_employee), (&world.consultant, for_consultant)] {
            let found = who.api.get(&address, 200).await;
            assert_eq!(found["items"].as_array().unwrap().len(), expected, "{query} for {}: {found}", who.email);
        }
    }
    world.consultant.api.patch(&path, &json!({"owner_id": employee.id}), 200).await;
    let own = employee.api.get(&format!("{list}?status=published"), 200).await;
    assert_eq!(own["items"], json!([]), "who owns it sees the draft, and finds it as one");
    assert_eq!(employee.api.get(&format!("{list}?q=quokka"), 200).await["items"].as_array().unwrap().len(), 1);
}
