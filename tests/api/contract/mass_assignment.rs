//! What a client may not write is refused wherever it is sent, never left out in silence.

use aims::app::kinds;
use aims::records::Entry;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::operations::{document, operations};
use super::problems::{assert_problem, pointers};
use super::stage::{Stage, rehearsal};
use crate::support::Answer;

/// Fields that no record has.
const UNKNOWN: &[&str] = &[
    "tenant_id",
    "kind_of_record",
    "is_admin",
    "roles",
    "__proto__",
    "Title",
];

/// The schema behind a reference.
fn resolved(schema: &Value) -> Value {
    match schema["$ref"].as_str() {
        Some(target) => document()
            .pointer(target.trim_start_matches('#'))
            .unwrap()
            .clone(),
        None => schema.clone(),
    }
}

/// Fields of a kind as clients read it.
fn fields(entry: &Entry) -> Map<String, Value> {
    let id = format!("get_{}", entry.info.name);
    let read = operations()
        .into_iter()
        .find(|known| known.id == id)
        .unwrap();
    let schema =
        &read.spec["responses"]["200"]["content"]["application/json"]["schema"]["anyOf"][0];
    let mut all = Map::new();
    for part in resolved(schema)["allOf"].as_array().unwrap() {
        let part = resolved(part);
        for (name, field) in part["properties"].as_object().unwrap() {
            // Bounds may stand in a component.
            let target = resolved(field);
            let field = match target.get("maxLength") {
                Some(_) => target,
                None => field.clone(),
            };
            all.insert(name.clone(), field);
        }
    }
    all
}

struct Record<'a> {
    stage: &'a Stage<'a>,
    entry: &'static Entry,
    at: String,
    input: Value,
}

impl<'a> Record<'a> {
    async fn make(stage: &'a Stage<'a>, entry: &'static Entry) -> Record<'a> {
        let input = stage.input(entry).await;
        let made = stage.author.api.post(&stage.list(entry), &input, 201).await;
        Record {
            stage,
            entry,
            at: stage.at(entry, &made),
            input,
        }
    }

    async fn create_with(&self, field: &str, value: Value) -> Answer {
        let mut input = self.input.clone();
        input[field] = value;
        let path = self.stage.list(self.entry);
        let body = Some(input.to_string());
        self.stage
            .author
            .api
            .send(Method::POST, &path, &[], body)
            .await
    }

    async fn patch_with(&self, field: &str, value: Value) -> Answer {
        let body = Some(json!({field: value}).to_string());
        let headers = [("If-Match", "*")];
        self.stage
            .author
            .api
            .send(Method::PATCH, &self.at, &headers, body)
            .await
    }
}

#[track_caller]
fn assert_refused(what: &str, pointer: &str, answer: &Answer) {
    assert_problem(what, answer, 422);
    let told = pointers(answer);
    assert!(
        told.iter().any(|known| known == pointer),
        "{what}: {told:?}"
    );
}

#[actix_web::test]
async fn read_only_and_unknown_fields_are_refused_in_every_kind() {
    let stage = Stage::set(rehearsal().await).await;
    for entry in kinds().entries() {
        let record = Record::make(&stage, entry).await;
        let before = stage.author.api.get(&record.at, 200).await;
        let all = fields(entry);
        let read_only = all.iter().filter(|(_, field)| field["readOnly"] == true);
        let refused: Vec<&str> = read_only.map(|(name, _)| name.as_str()).collect();
        assert!(refused.len() >= 9, "{}", entry.info.name);
        let (events, records) = (stage.events().await, stage.records().await);

        for name in refused.into_iter().chain(UNKNOWN.iter().copied()) {
            let what = format!("{} with {name}", entry.info.name);
            let pointer = format!("/{name}");
            let same = before.get(name).cloned().unwrap_or(json!(1));
            for value in [same, json!("x"), Value::Null] {
                let made = record.create_with(name, value.clone()).await;
                assert_refused(&format!("a new {what}: {value}"), &pointer, &made);
                let changed = record.patch_with(name, value.clone()).await;
                assert_refused(&format!("a changed {what}: {value}"), &pointer, &changed);
            }
        }

        assert_eq!(stage.author.api.get(&record.at, 200).await, before);
        assert_eq!(
            [stage.events().await, stage.records().await],
            [events, records]
        );
    }
}

#[actix_web::test]
async fn read_only_and_unknown_fields_are_refused_inside_of_fields_too() {
    let stage = Stage::set(rehearsal().await).await;
    let risk = Record::make(&stage, kinds().by_name("risk").unwrap()).await;
    let review = Record::make(&stage, kinds().by_name("management_review").unwrap()).await;
    let rating = |name: &str, value: Value| json!({"likelihood": 3, "consequence": 4, name: value});
    let input =
        |name: &str, value: Value| json!([{"type": "objectives", "summary": "Met.", name: value}]);

    for value in [json!("low"), Value::Null] {
        for name in ["level", "score", "colour"] {
            let pointer = format!("/inherent/{name}");
            let made = risk
                .create_with("inherent", rating(name, value.clone()))
                .await;
            assert_refused(
                &format!("a new risk with {pointer}: {value}"),
                &pointer,
                &made,
            );
            let changed = risk
                .patch_with("inherent", rating(name, value.clone()))
                .await;
            assert_refused(
                &format!("a changed risk with {pointer}: {value}"),
                &pointer,
                &changed,
            );
        }
        for name in ["snapshot", "author"] {
            let pointer = format!("/inputs/0/{name}");
            let made = review
                .create_with("inputs", input(name, value.clone()))
                .await;
            assert_refused(
                &format!("a new review with {pointer}: {value}"),
                &pointer,
                &made,
            );
            let changed = review
                .patch_with("inputs", input(name, value.clone()))
                .await;
            assert_refused(
                &format!("a changed review with {pointer}: {value}"),
                &pointer,
                &changed,
            );
        }
    }
}

/// Pointers to all texts in a value.
fn texts(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::String(_) => found.push(at.to_owned()),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                texts(item, &format!("{at}/{index}"), found);
            }
        }
        Value::Object(members) => {
            for (name, item) in members {
                texts(item, &format!("{at}/{name}"), found);
            }
        }
        _ => {}
    }
}

#[actix_web::test]
async fn no_text_of_any_kind_takes_the_character_nul() {
    let stage = Stage::set(rehearsal().await).await;
    for entry in kinds().entries() {
        let record = Record::make(&stage, entry).await;
        let mut full = record.input.clone();
        for (name, field) in fields(entry) {
            let is_text = field["type"].to_string().contains("string");
            if is_text && field["readOnly"] != true && full.get(&name).is_none_or(Value::is_null) {
                full[&name] = json!("text");
            }
        }
        let mut places = Vec::new();
        texts(&full, "", &mut places);
        let (events, records) = (stage.events().await, stage.records().await);

        for pointer in places {
            let mut input = full.clone();
            let text = input.pointer_mut(&pointer).unwrap();
            *text = json!(format!("{}\0", text.as_str().unwrap()));
            let path = stage.list(entry);
            let body = Some(input.to_string());
            let made = stage
                .author
                .api
                .send(Method::POST, &path, &[], body.clone())
                .await;
            assert_refused(&format!("{} {pointer}", entry.info.name), &pointer, &made);
            let headers = [("If-Match", "*")];
            let changed = stage
                .author
                .api
                .send(Method::PATCH, &record.at, &headers, body)
                .await;
            assert_refused(
                &format!("{} {pointer}", entry.info.name),
                &pointer,
                &changed,
            );
        }
        assert_eq!(
            [stage.events().await, stage.records().await],
            [events, records]
        );
    }
}

#[actix_web::test]
async fn every_limit_of_the_schema_is_kept() {
    let stage = Stage::set(rehearsal().await).await;
    for entry in kinds().entries() {
        let record = Record::make(&stage, entry).await;
        for (name, field) in fields(entry) {
            if field["readOnly"] == true {
                continue;
            }
            let pointer = format!("/{name}");
            for bad in beyond(&field) {
                let what = format!("{} with {name}: {}", entry.info.name, short(&bad));
                let made = record.create_with(&name, bad.clone()).await;
                assert_refused(&what, &pointer, &made);
                let changed = record.patch_with(&name, bad).await;
                assert_refused(&what, &pointer, &changed);
            }
        }
    }
}

fn short(value: &Value) -> String {
    value.to_string().chars().take(60).collect()
}

/// Values just beyond what a field takes, and of other types.
fn beyond(field: &Value) -> Vec<Value> {
    let is = |name: &str| field["type"].to_string().contains(&format!("\"{name}\""));
    let mut bad = Vec::new();
    if let Some(most) = field["maxLength"].as_u64() {
        bad.push(json!("é".repeat(usize::try_from(most).unwrap() + 1)));
    }
    if field["minLength"].as_u64().is_some_and(|least| least > 0) {
        bad.push(json!(""));
    }
    if let Some(most) = field["maximum"].as_i64() {
        bad.extend([json!(most + 1), json!(1e300), json!(u64::MAX)]);
    }
    if let Some(least) = field["minimum"].as_i64() {
        bad.extend([json!(least - 1), json!(1.5)]);
    }
    if field["format"] == "date" {
        let dates = [
            "2023-02-30",
            "1899-12-31",
            "2201-01-01",
            "2027-1-5",
            "27-01-05",
            "2027-01-05T00:00:00Z",
            "tomorrow",
        ];
        bad.extend(dates.map(|date| json!(date)));
    }
    if field["format"] == "uuid" {
        let ids = [
            "me",
            "019416c09b1c7d2e8f3a5b6c7d8e9f01",
            "{019416c0-9b1c-7d2e-8f3a-5b6c7d8e9f01}",
        ];
        bad.extend(ids.map(|id| json!(id)));
    }
    if is("string") {
        bad.extend([json!(1), json!(true), json!(["text"]), json!({"text": 1})]);
    }
    if is("boolean") {
        bad.extend([json!("true"), json!(1)]);
    }
    if is("array") {
        bad.extend([json!("text"), json!({})]);
        if let Some(most) = field["maxItems"].as_u64() {
            bad.push(json!(vec![""; usize::try_from(most).unwrap() + 1]));
        }
    }
    bad
}
