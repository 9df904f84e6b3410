//! Schemas of what goes in and comes out.

use serde_json::{Map, Value, json};

use super::super::batch::Batch;
use super::super::comments::{Comment, NewComment};
use super::super::deadlines::Standing;
use super::super::links::{Link, NewLink};
use super::super::registry::Entry;
use super::super::spine;
use super::super::transitions::{TransitionOption, TransitionRequest};
use super::examples::input_example;
use super::set;
use crate::http::schema;

pub(super) fn shared_schemas(schemas: &mut Map<String, Value>) {
    fn add<T: utoipa::ToSchema>(schemas: &mut Map<String, Value>) {
        let (schema, components) = schema::of::<T>();
        schemas.extend(components);
        schemas.insert(T::name().into_owned(), schema);
    }
    add::<Batch>(schemas);
    add::<Standing>(schemas);
    add::<Link>(schemas);
    add::<NewLink>(schemas);
    add::<Comment>(schemas);
    add::<NewComment>(schemas);
    add::<TransitionOption>(schemas);
    add::<TransitionRequest>(schemas);
    schemas.insert(
        "BatchOutcome".to_owned(),
        json!({
            "type": "object",
            "required": ["committed", "items"],
            "description": "What became of each operation.",
            "properties": {
                "committed": {"type": "boolean", "description": "False when an atomic batch was taken back."},
                "items": {"type": "array", "items": {
                    "type": "object",
                    "required": ["status", "record", "problem"],
                    "properties": {
                        "status": {"type": "integer", "description": "HTTP status of the operation; 424 when another one kept it from happening."},
                        "record": {"type": ["object", "null"], "description": "The record, if there is one."},
                        "problem": {"oneOf": [{"type": "null"}, {"$ref": "#/components/schemas/Problem"}]},
                    },
                }},
            },
        }),
    );
    schemas.insert(
        "RecordEvent".to_owned(),
        json!({
            "type": "object",
            "description": "Something that happened to a record.",
            "required": ["seq", "at", "actor_id", "action", "request_id", "data"],
            "properties": {
                "seq": {"type": "integer", "format": "int64", "description": "Number in the tenant's chain of events."},
                "at": {"type": "string", "format": "date-time"},
                "actor_id": {"type": ["string", "null"], "format": "uuid", "description": "Null for the system."},
                "action": {"type": "string", "example": "changed"},
                "request_id": {"type": ["string", "null"]},
                "data": {"type": "object", "description": "What changed, before and after."},
            },
        }),
    );
    let version = json!({
        "number": {"type": "integer", "format": "int32"},
        "title": {"type": "string"},
        "sha256": {"type": "string", "description": "Of the canonical JSON of title and content."},
        "approved_by": {"type": "string", "format": "uuid"},
        "approved_at": {"type": "string", "format": "date-time"},
    });
    let mut with_content = version.clone();
    set(
        &mut with_content,
        "content",
        json!({"type": "object", "description": "The frozen fields of the kind."}),
    );
    let object = |properties: Value, about: &str| {
        let names: Vec<_> = properties
            .as_object()
            .into_iter()
            .flat_map(Map::keys)
            .cloned()
            .collect();
        json!({"type": "object", "description": about, "required": names, "properties": properties})
    };
    schemas.insert(
        "RecordVersionSummary".to_owned(),
        object(version, "An approved version."),
    );
    schemas.insert(
        "RecordVersion".to_owned(),
        object(with_content, "An approved version with its content."),
    );
    let found = json!({
        "id": {"type": "string", "format": "uuid"},
        "kind": {"type": "string", "example": "risk"},
        "ref": {"type": "string", "example": "RSK-014"},
        "title": {"type": "string"},
        "status": {"type": "string"},
        "owner_id": {"type": ["string", "null"], "format": "uuid"},
        "updated_at": {"type": "string", "format": "date-time"},
    });
    schemas.insert(
        "FoundRecord".to_owned(),
        object(found, "A record of any kind."),
    );
}

pub(super) fn input_schema(entry: &Entry) -> Value {
    let mut schema = spine::input_schema(&entry.body_schema);
    if let Some(fields) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        fields.retain(|_, field| field.get("readOnly") != Some(&json!(true)));
    }
    set(
        &mut schema,
        "description",
        json!(format!("A new {}.", entry.info.one)),
    );
    set(&mut schema, "example", input_example(entry));
    schema
}

pub(super) fn patch_schema(entry: &Entry) -> Value {
    let mut schema = input_schema(entry);
    set(&mut schema, "required", json!([]));
    set(
        &mut schema,
        "description",
        json!(format!(
            "A JSON merge patch (RFC 7396) of a {}: what is left out stays, null clears.",
            entry.info.one
        )),
    );
    set(&mut schema, "example", json!({"title": "A better title"}));
    schema
}

pub(super) fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

pub(super) fn list_of(name: &str) -> Value {
    json!({
        "type": "object",
        "required": ["items", "next_cursor"],
        "properties": {
            "items": {"type": "array", "items": reference(name)},
            "next_cursor": {"type": ["string", "null"], "description": "Of the next page; null on the last one."},
        },
    })
}
