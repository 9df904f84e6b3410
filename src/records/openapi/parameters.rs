//! Parameters: components for those that operations share, and the making of others.

use serde_json::{Map, Value, json};

use super::super::order::SORTS;
use super::super::registry::Registry;
use super::operations::Of;
use super::schemas::reference;

pub(super) fn parameter(place: &str, name: &str, schema: Value, about: &str) -> Value {
    json!({"in": place, "name": name, "required": place == "path", "schema": schema, "description": about})
}

pub(super) fn query(name: &str, schema: Value, about: &str) -> Value {
    parameter("query", name, schema, about)
}

/// One or more of some values, separated by commas.
pub(super) fn several(name: &str, values: Vec<String>, about: &str) -> Value {
    listed(name, json!({"type": "string", "enum": values}), about)
}

/// One or more values of a closed set that is a component.
pub(super) fn any_of(name: &str, set: &str, about: &str) -> Value {
    listed(name, reference("schemas", set), about)
}

fn listed(name: &str, items: Value, about: &str) -> Value {
    let schema = json!({"type": "array", "minItems": 1, "items": items});
    let about = format!("{about} One or more, separated by commas.");
    let mut parameter = query(name, schema, &about);
    super::set(&mut parameter, "style", json!("form"));
    super::set(&mut parameter, "explode", json!(false));
    parameter
}

pub(super) fn uuid() -> Value {
    json!({"type": "string", "format": "uuid"})
}

/// A component parameter.
pub(super) fn known(name: &str) -> Value {
    reference("parameters", name)
}

/// What every list of records can be asked for, besides states.
pub(super) fn list_filters() -> impl Iterator<Item = Value> {
    let names = [
        "limit",
        "cursor",
        "q",
        "owner_id",
        "in_force",
        "updated_since",
        "archived",
    ];
    names.into_iter().map(known)
}

/// The components, besides those of the whole API.
pub(super) fn components(registry: &Registry, kinds: &[Of<'_>]) -> Map<String, Value> {
    let mut all: Map<_, _> = in_paths(registry)
        .into_iter()
        .chain(in_queries())
        .filter_map(|parameter| {
            let name = parameter.get("name")?.as_str()?.to_owned();
            Some((name, parameter))
        })
        .collect();
    for of in kinds {
        let [fields, expand] = of.shaping();
        all.insert(of.fields_name(), fields);
        all.insert(of.expand_name(), expand);
    }
    all
}

fn in_paths(registry: &Registry) -> Vec<Value> {
    let kinds = registry.entries().iter().map(|entry| entry.info.path);
    let kinds: Vec<_> = kinds.collect();
    vec![
        parameter("path", "tenant_id", uuid(), "The tenant."),
        parameter(
            "path",
            "kind",
            json!({"type": "string", "enum": kinds}),
            "The kind of record, as in its address.",
        ),
        parameter("path", "id", uuid(), "The record."),
        parameter("path", "link_id", uuid(), "The link."),
        parameter("path", "comment_id", uuid(), "The comment."),
        parameter("path", "person_id", uuid(), "The person."),
        parameter(
            "path",
            "number",
            json!({"type": "integer", "format": "int32", "minimum": 1}),
            "Number of the version.",
        ),
    ]
}

fn in_queries() -> Vec<Value> {
    let sorts: Vec<_> = SORTS
        .iter()
        .flat_map(|name| [(*name).to_owned(), format!("-{name}")])
        .collect();
    vec![
        query(
            "sort",
            json!({"type": "string", "enum": sorts, "default": "-created_at"}),
            "Order; `-` turns it round.",
        ),
        query(
            "q",
            json!({"type": "string", "maxLength": 100}),
            "Words of the record's text, in any order, each from its beginning.",
        ),
        query(
            "owner_id",
            json!({"anyOf": [uuid(), {"type": "string", "enum": ["me", "none"]}]}),
            "The person responsible: an id, `me`, or `none`.",
        ),
        query(
            "in_force",
            json!({"type": "boolean"}),
            "Whether an approved version holds now.",
        ),
        query(
            "updated_since",
            json!({"type": "string", "format": "date-time"}),
            "Changed at or after this instant; archived ones are told too, so that a copy elsewhere can follow.",
        ),
        query(
            "archived",
            json!({"type": "boolean", "default": false}),
            "True: the archived ones instead.",
        ),
    ]
}
