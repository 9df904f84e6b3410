//! Examples: a kind's own, and those of what all records have. Each stands once among the
//! components, under the name of its schema.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::super::entry::Entry;
use super::super::registry::Registry;
use super::super::rows::RowEntry;
use super::super::settings::Settings;
use super::a;

/// An id that documents can show.
const EXAMPLE_ID: &str = "019416c0-9b1c-7d2e-8f3a-5b6c7d8e9f01";
/// An instant that documents can show.
const EXAMPLE_HASH: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
const EXAMPLE_INSTANT: &str = "2027-02-22T09:30:00Z";

/// A valid input, from the kind's own example.
pub(super) fn input_example(entry: &Entry) -> Value {
    let mut example = entry.example.clone();
    if let Value::Object(fields) = &mut example
        && !fields.contains_key("title")
    {
        let title = format!("An example of {}", a(entry.info.one));
        fields.insert("title".to_owned(), json!(title));
    }
    example
}

fn spine_example(entry: &Entry) -> Value {
    json!({
        "id": EXAMPLE_ID, "ref": format!("{}-001", entry.info.prefix), "status": entry.start, "version": 1,
        "owner_id": null, "next_review_on": null, "in_force": null, "approved_by": null, "approved_on": null,
        "audience": "readers", "audience_roles": [], "audience_people": [], "created_at": EXAMPLE_INSTANT, "created_by": EXAMPLE_ID,
        "updated_at": EXAMPLE_INSTANT, "updated_by": EXAMPLE_ID, "archived_at": null,
    })
}

/// A record as it would be read: every field of its schema, null where the kind's example is
/// silent and null is allowed.
fn output_example(entry: &Entry) -> Value {
    let mut example = spine_example(entry);
    if let (Value::Object(fields), Value::Object(input)) = (&mut example, input_example(entry)) {
        fields.extend(input);
    }
    filled(&entry.components, &entry.body_schema, example)
}

/// What a field shows that an example says nothing about.
fn silent(components: &BTreeMap<String, Value>, schema: &Value) -> Value {
    if let Some(known) = schema.get("default").or(schema.get("example")) {
        return known.clone();
    }
    let is = |wanted: &str| match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == wanted),
        Some(kind) => kind == wanted,
        None => false,
    };
    let branches = ["oneOf", "anyOf"]
        .iter()
        .find_map(|name| schema.get(*name)?.as_array());
    let is_open = branches.is_some_and(|branches| {
        branches
            .iter()
            .any(|branch| branch.get("type") == Some(&json!("null")))
    });
    let target = schema
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|target| target.rsplit('/').next())
        .and_then(|name| components.get(name));
    match (target, schema.get("enum").and_then(|values| values.get(0))) {
        (Some(target), _) => silent(components, target),
        (None, Some(first)) => first.clone(),
        _ if is_open || is("null") => Value::Null,
        _ if is("array") => json!([]),
        _ if is("object") => filled(components, schema, json!({})),
        _ if is("boolean") => json!(false),
        _ if is("integer") || is("number") => json!(1),
        _ => json!(EXAMPLE_ID),
    }
}

/// An atomic batch, none of which has happened.
fn taken_back() -> Value {
    let problem = json!({"type": "https://aims.example/problems/precondition-failed", "title": "The resource has changed", "status": 412, "detail": "The resource is now at another version; read it again.", "instance": null, "request_id": null});
    json!({"committed": false, "items": [
        {"status": 424, "record": null, "problem": null},
        {"status": 412, "record": null, "problem": problem},
    ]})
}

/// A record as `fields=id,ref,title,status` shows it.
fn some_fields(record: &Value) -> Value {
    ["id", "ref", "title", "status"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), record.get(name)?.clone())))
        .collect::<Map<_, _>>()
        .into()
}

/// An example with every field of its schema.
fn filled(components: &BTreeMap<String, Value>, schema: &Value, mut example: Value) -> Value {
    let known = schema.get("properties").and_then(Value::as_object);
    if let Value::Object(fields) = &mut example {
        for (name, schema) in known.into_iter().flatten() {
            fields
                .entry(name.clone())
                .or_insert_with(|| silent(components, schema));
        }
    }
    example
}

/// A page of rows, with what is counted of all of them.
fn page_of_rows(rows: &RowEntry) -> Value {
    let row = filled(&rows.components, &rows.schema, rows.example.clone());
    let mut page = page(&row);
    if let Some(tally) = &rows.tally {
        super::set(&mut page, "tally", silent(&rows.components, tally));
    }
    page
}

fn page(example: &Value) -> Value {
    json!({"items": [example], "next_cursor": null})
}

/// All examples, by the names of their schemas.
pub(super) fn components(registry: &Registry) -> Map<String, Value> {
    let mut all = Map::new();
    let mut add = |name: String, value: Value| {
        all.insert(name, json!({"value": value}));
    };
    for (name, example) in of_all() {
        add(format!("{name}Page"), page(&example));
        add(name.to_owned(), example);
    }
    if let Some(entry) = registry.entries().first() {
        add("AnyRecordPage".to_owned(), page(&output_example(entry)));
        add("AnyRecord".to_owned(), output_example(entry));
        let moves = entry.moves.first();
        let option = json!({"to": moves.map(|known| known.to), "allowed": true, "why_not": null, "rule": null, "unmet": [], "approves": false, "asks_reason": false, "by": ["aims_manager"], "or_person_of": [], "except": []});
        add(
            "TransitionOptionList".to_owned(),
            json!({"items": [option]}),
        );
    }
    for entry in registry.entries() {
        let name = super::super::kind::pascal(entry.info.name);
        let record = output_example(entry);
        add(format!("{name}Page"), page(&some_fields(&record)));
        for part in entry.parts {
            let item = record.pointer(&format!("/{}/0", part.field));
            let item = item.cloned().unwrap_or(json!({}));
            let part = format!("{name}{}", super::super::kind::pascal(part.field));
            add(format!("{part}List"), json!({"items": [item]}));
            add(part, item);
        }
        for rows in &entry.rows {
            add(format!("{}Page", rows.schema_name), page_of_rows(rows));
        }
        add(name, record);
    }
    add("BatchOutcome".to_owned(), taken_back());
    add("RowsAdded".to_owned(), json!({"added": 1, "known": 0}));
    let settings = serde_json::to_value(Settings::default()).unwrap_or_default();
    add("Settings".to_owned(), settings);
    all
}

fn of_all() -> Vec<(&'static str, Value)> {
    let version = json!({"number": 1, "state": "in_force", "title": "AI risk criteria", "sha256": EXAMPLE_HASH, "approved_by": EXAMPLE_ID, "approved_at": EXAMPLE_INSTANT});
    let mut with_content = version.clone();
    super::set(
        &mut with_content,
        "content",
        json!({"method": "Likelihood and consequence"}),
    );
    super::set(&mut with_content, "links", json!([]));
    super::set(&mut with_content, "children", json!([]));
    vec![
        (
            "Link",
            json!({"id": EXAMPLE_ID, "relation": "serves", "field": null, "to_id": null, "to_kind": null, "to_version": null, "person_id": null, "catalog": "iso42001", "catalog_version": 1, "unit": "6.1.2", "created_at": EXAMPLE_INSTANT, "created_by": EXAMPLE_ID}),
        ),
        (
            "Share",
            json!({"person_id": EXAMPLE_ID, "until": "2027-07-31", "created_at": EXAMPLE_INSTANT, "created_by": EXAMPLE_ID}),
        ),
        (
            "Comment",
            json!({"id": EXAMPLE_ID, "text": "Please add the data source.", "created_at": EXAMPLE_INSTANT, "created_by": EXAMPLE_ID}),
        ),
        (
            "RecordEvent",
            json!({"seq": 12, "at": EXAMPLE_INSTANT, "actor_id": EXAMPLE_ID, "action": "moved", "request_id": null, "data": {"from": "identified", "to": "analysed", "reason": null}}),
        ),
        (
            "AuditEvent",
            json!({"seq": 27, "at": EXAMPLE_INSTANT, "actor_id": EXAMPLE_ID, "action": "refused", "kind": "risk", "subject_id": EXAMPLE_ID, "request_id": null, "data": {"rule": "RSK-2", "asked": {"from": "analysed", "to": "treated", "reason": null}, "detail": "A residual risk above the tolerance needs an acceptance in force."}, "prev_hash": EXAMPLE_HASH, "hash": EXAMPLE_HASH}),
        ),
        ("RecordVersionSummary", version),
        ("RecordVersion", with_content),
        (
            "RecordDeadline",
            json!({"name": "review", "due_on": "2027-06-28", "due_at": null, "set_on": "2027-01-11", "person_id": null, "roles": ["aims_manager"]}),
        ),
        (
            "FoundRecord",
            json!({"id": EXAMPLE_ID, "kind": "risk", "ref": "RSK-014", "title": "Proxy discrimination", "status": "identified", "owner_id": null, "updated_at": EXAMPLE_INSTANT}),
        ),
    ]
}
