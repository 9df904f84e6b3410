//! History is true: of every field of every kind it tells what it was and what it became, of
//! computed ones too, and of no other. Moves are looked at in the same way by `lifecycles`.

use aims::app::kinds;
use aims::records::Entry;
use reqwest::Method;
use serde_json::{Value, json};

use super::told::{self, told_of};
use super::values::{is_nullable, others};
use crate::contract::stage::{Stage, rehearsal};
use crate::kinds::preparations;

/// Fields that all kinds share and clients write, with the schema of a value of theirs.
fn spine() -> Vec<(String, Value)> {
    let person = json!({"x-refers-to": "person", "type": ["string", "null"]});
    [
        ("title", json!({"type": "string"})),
        ("owner_id", person),
        ("next_review_on", json!({"type": ["string", "null"], "format": "date"})),
        ("audience", json!({"type": "string", "enum": ["everybody", "readers"]})),
        ("audience_roles", json!({"type": "array", "items": {"enum": ["viewer"]}})),
        ("audience_people", json!({"type": "array", "items": {"x-refers-to": "person"}})),
    ]
    .map(|(name, schema)| (name.to_owned(), schema))
    .to_vec()
}

/// All fields that clients write.
fn writable(entry: &Entry) -> Vec<(String, Value)> {
    let fields = entry.body_schema["properties"].as_object().unwrap();
    let own = fields.iter().filter(|(_, schema)| schema["readOnly"] != true);
    let own = own.map(|(name, schema)| (name.clone(), schema.clone()));
    own.chain(spine()).collect()
}

#[actix_web::test]
async fn of_every_field_history_tells_what_it_was_and_what_it_became() {
    let stage = Stage::set(rehearsal().await).await;
    for entry in kinds().entries() {
        preparations::ground(&stage, entry).await;
        let made = stage.make(entry).await;
        let at = stage.at(entry, &made);
        is_made(&stage, entry, &at, &made).await;
        let kept = |name: &str| preparations::KEPT.contains(&(entry.info.name, name));
        for (name, schema) in writable(entry).into_iter().filter(|(name, _)| !kept(name)) {
            changes(&stage, entry, &at, &name, &schema).await;
        }
    }
}

/// The event of a new record tells it as it is read.
async fn is_made(stage: &Stage<'_>, entry: &Entry, at: &str, made: &Value) {
    let api = &stage.author.api;
    let events = api.get(&format!("{at}/history"), 200).await;
    let first = events["items"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(first["action"], "created", "{first}");
    assert_eq!(first["actor_id"], json!(stage.author.id), "{first}");
    assert_eq!(first["data"]["after"], Value::Object(told_of(made)), "{}", entry.info.name);
    assert_eq!(made["created_by"], json!(stage.author.id), "{made}");
    assert_eq!(made["updated_by"], json!(stage.author.id), "{made}");
}

/// Changes one field to another value, and to nothing where that is one.
async fn changes(stage: &Stage<'_>, entry: &'static Entry, at: &str, name: &str, schema: &Value) {
    let api = &stage.author.api;
    let now = api.get(at, 200).await[name].clone();
    let mut values = match preparations::another(entry.info.name, name) {
        Some(value) => vec![value],
        None => others(stage, entry, schema, &now).await,
    };
    let mut refusal = String::new();
    let mut changed = None;
    for value in &mut values {
        match change(stage, entry, at, name, value).await {
            Ok(record) => {
                changed = Some(record);
                break;
            }
            Err(text) => refusal = text,
        }
    }
    let Some(changed) = changed else {
        panic!(
            "{}: no other value for {name} is accepted; say one in `another` of \
             tests/api/kinds/preparations.rs. The last refusal: {refusal}",
            entry.info.name
        );
    };
    if is_nullable(schema) && !changed[name].is_null() {
        // A rule may want it; then there is nothing to tell.
        let _ = change(stage, entry, at, name, &Value::Null).await;
    }
}

/// Changes a field and judges the event; answers the refusal where there is one.
async fn change(stage: &Stage<'_>, entry: &Entry, at: &str, name: &str, value: &Value) -> Result<Value, String> {
    let what = format!("{} {name} to {value}", entry.info.name);
    let api = &stage.author.api;
    let before = told::before(api, at).await;
    let patch = Some(json!({name: value}).to_string());
    let answer = api.send(Method::PATCH, at, &[("If-Match", "*")], patch).await;
    if [409, 422].contains(&answer.status) {
        return Err(answer.text);
    }
    let answer = answer.expect(200).json();
    let after = before.after(api, at, &what, "changed", Some(&stage.author)).await;
    let told = &after.events[0]["data"]["changes"];
    assert!(told.get(name).is_some(), "{what}: its event does not tell it: {told}");
    assert_eq!(answer, after.record, "{what}: the answer is what is read");
    Ok(after.record)
}

#[actix_web::test]
async fn links_evidence_and_archiving_are_told_by_whom_they_were_done() {
    let stage = Stage::set(rehearsal().await).await;
    let (author, api) = (&stage.author, &stage.author.api);
    for entry in kinds().entries() {
        let what = |doing: &str| format!("{doing} {}", entry.info.name);
        preparations::ground(&stage, entry).await;
        let made = stage.make(entry).await;
        let at = stage.at(entry, &made);

        let before = told::before(api, &at).await;
        let body = json!({"relation": "serves", "to": {"catalog": "iso42001", "unit": "6.1.2"}});
        let link = api.post(&format!("{at}/links"), &body, 201).await;
        let after = before.after(api, &at, &what("link"), "linked", Some(author)).await;
        assert_eq!(after.events[0]["data"]["link"], link, "{}", what("link"));
        assert_eq!(link["created_by"], json!(author.id), "{link}");

        let before = told::before(api, &at).await;
        let one = format!("{at}/links/{}", link["id"].as_str().unwrap());
        api.send(Method::DELETE, &one, &[("If-Match", "*")], None).await.expect(204);
        let after = before.after(api, &at, &what("unlink"), "unlinked", Some(author)).await;
        assert_eq!(after.events[0]["data"]["link"]["id"], link["id"], "{}", what("unlink"));

        let before = told::before(api, &at).await;
        let proof = json!({"title": "Proof", "kind": "link", "collected_on": "2027-03-10"});
        let proof = api.post(&format!("{at}/evidence"), &proof, 201).await;
        let after = before.after(api, &at, &what("prove"), "attached", Some(author)).await;
        let told = after.events[0]["data"].to_string();
        assert!(told.contains(proof["id"].as_str().unwrap()), "{}: {told}", what("prove"));

        let before = told::before(api, &at).await;
        api.delete(&at, 204).await;
        let after = before.after(api, &at, &what("archive"), "archived", Some(author)).await;
        assert!(after.record["archived_at"].is_string(), "{}", what("archive"));

        let before = told::before(api, &at).await;
        let restore = format!("{at}/restore");
        api.send(Method::POST, &restore, &[("If-Match", "*")], None).await.expect(200);
        let after = before.after(api, &at, &what("restore"), "restored", Some(author)).await;
        assert_eq!(after.record["archived_at"], json!(null), "{}", what("restore"));
    }
}
