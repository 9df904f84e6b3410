//! Schemas of what goes in and comes out.

use serde_json::{Map, Value, json};

use super::super::comments::{Comment, NewComment};
use super::super::deadlines::Standing;
use super::super::entry::Entry;
use super::super::links::{Link, NewLink};
use super::super::rows::{AT_ONCE, RowEntry, RowsAdded};
use super::super::settings::Settings;
use super::super::shares::{NewShare, Share};
use super::super::trail::AuditEvent;
use super::super::transitions::{TransitionOption, TransitionRequest};
use super::super::versions::{Version, VersionSummary};
use super::super::{shaping, spine};
use super::examples::input_example;
use super::{a, set};
use crate::http::schema;

/// What `$ref` to a component looks like.
pub(super) fn reference(part: &str, name: &str) -> Value {
    json!({"$ref": format!("#/components/{part}/{name}")})
}

fn schema_of(name: &str) -> Value {
    reference("schemas", name)
}

/// A record, or as much of it as `fields` asks for.
pub(super) fn shaped(name: &str) -> Value {
    json!({"anyOf": [schema_of(name), schema_of(&format!("{name}Fields"))]})
}

/// A page of a list.
pub(super) fn page_of(items: Value) -> Value {
    json!({
        "type": "object",
        "description": "A page of a list.",
        "required": ["items", "next_cursor"],
        "properties": {
            "items": {"type": "array", "items": items},
            "next_cursor": {"type": ["string", "null"], "description": "Of the next page; null on the last one."},
        },
    })
}

/// A list that is always whole.
pub(super) fn list_of(name: &str) -> Value {
    json!({
        "type": "object",
        "description": "A whole list.",
        "required": ["items"],
        "properties": {"items": {"type": "array", "items": schema_of(name)}},
    })
}

/// An object whose fields are always there.
fn object(about: &str, properties: Value) -> Value {
    let names = properties.as_object().into_iter().flat_map(Map::keys);
    let names: Vec<_> = names.cloned().collect();
    json!({"type": "object", "description": about, "required": names, "properties": properties})
}

/// What is the same for all kinds.
pub(super) fn of_all(schemas: &mut Map<String, Value>, kinds: &[&str]) {
    fn add<T: utoipa::ToSchema>(schemas: &mut Map<String, Value>) {
        let (schema, components) = schema::of::<T>();
        schemas.extend(components);
        schemas.insert(T::name().into_owned(), schema);
    }
    add::<AuditEvent>(schemas);
    add::<Standing>(schemas);
    add::<Link>(schemas);
    add::<NewLink>(schemas);
    add::<Comment>(schemas);
    add::<NewComment>(schemas);
    add::<RowsAdded>(schemas);
    add::<Share>(schemas);
    add::<NewShare>(schemas);
    add::<Settings>(schemas);
    add::<Version>(schemas);
    add::<VersionSummary>(schemas);
    add::<TransitionOption>(schemas);
    add::<TransitionRequest>(schemas);
    schemas.insert("AnyRecord".to_owned(), any_record());
    schemas.insert("RecordEvent".to_owned(), event());
    let mut settings = schemas.get("Settings").cloned().unwrap_or(json!({}));
    if let Value::Object(keys) = &mut settings {
        keys.remove("required");
    }
    for field in settings
        .get_mut("properties")
        .and_then(Value::as_object_mut)
        .into_iter()
        .flat_map(Map::values_mut)
    {
        without_default(field);
    }
    schemas.insert("SettingsPatch".to_owned(), settings);
    if let Some(settings) = schemas.get_mut("Settings") {
        let fields = settings.get("properties").and_then(Value::as_object);
        let names: Vec<_> = fields.into_iter().flat_map(Map::keys).cloned().collect();
        set(settings, "required", json!(names));
    }
    schemas.insert("NewAttachment".to_owned(), json!({
        "description": "The `id` of a piece of evidence, or the fields of a new one.",
        "anyOf": [
            {"type": "object", "required": ["id"], "properties": {"id": {"type": "string", "format": "uuid"}}, "additionalProperties": false},
            schema_of("EvidenceInput"),
        ],
    }));
    schemas.insert("FoundRecord".to_owned(), found(kinds));
    schemas.insert("ShownPerson".to_owned(), shown_person());
    schemas.insert("ShownRecord".to_owned(), shown_record(kinds));
    for name in [
        "Link",
        "Comment",
        "AnyRecord",
        "Share",
        "RecordEvent",
        "AuditEvent",
        "RecordVersionSummary",
        "RecordDeadline",
        "FoundRecord",
    ] {
        schemas.insert(format!("{name}Page"), page_of(schema_of(name)));
    }
    let options = list_of("TransitionOption");
    schemas.insert("TransitionOptionList".to_owned(), options);
}

fn any_record() -> Value {
    let about = "A record of any kind: what all have, and the fields of its kind.";
    let mut schema = spine::output_schema(&json!({}), about);
    set(&mut schema, "additionalProperties", json!(true));
    schema
}

fn event() -> Value {
    let properties = json!({
        "seq": {"type": "integer", "format": "int64", "description": "Number in the tenant's chain of events."},
        "at": {"type": "string", "format": "date-time"},
        "actor_id": {"type": ["string", "null"], "format": "uuid", "description": "Null for the system."},
        "action": {"type": "string", "example": "changed"},
        "request_id": {"type": ["string", "null"]},
        "data": {"type": "object", "additionalProperties": true, "description": "What changed, before and after."},
    });
    object("Something that happened to a record.", properties)
}

fn found(kinds: &[&str]) -> Value {
    let properties = json!({
        "id": {"type": "string", "format": "uuid"},
        "kind": {"type": "string", "enum": kinds},
        "ref": {"type": "string", "example": "RSK-014"},
        "title": {"type": "string"},
        "status": {"type": "string"},
        "owner_id": {"type": ["string", "null"], "format": "uuid"},
        "updated_at": {"type": "string", "format": "date-time"},
    });
    object("A record of any kind.", properties)
}

fn shown_person() -> Value {
    let properties = json!({
        "id": {"type": "string", "format": "uuid"},
        "name": {"type": "string"},
    });
    object("A person, shown with `expand`.", properties)
}

fn shown_record(kinds: &[&str]) -> Value {
    let properties = json!({
        "id": {"type": "string", "format": "uuid"},
        "kind": {"type": "string", "enum": kinds},
        "ref": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "string"},
    });
    object(
        "A record that is referred to, shown with `expand`.",
        properties,
    )
}

/// What rows under a record have.
pub(super) fn of_rows(schemas: &mut Map<String, Value>, rows: &RowEntry) {
    schemas.extend(rows.components.clone());
    let name = &rows.schema_name;
    let mut page = page_of(schema_of(name));
    if let (Some(tally), Some(fields)) = (
        &rows.tally,
        page.get_mut("properties").and_then(Value::as_object_mut),
    ) {
        fields.insert("tally".to_owned(), tally.clone());
    }
    schemas.insert(format!("{name}Page"), page);
    let mut input = rows.schema.clone();
    if let Some(fields) = input.get_mut("properties").and_then(Value::as_object_mut) {
        fields.retain(|_, field| field.get("readOnly") != Some(&json!(true)));
    }
    let many = json!({
        "type": "object", "required": ["items"], "additionalProperties": false,
        "properties": {"items": {"type": "array", "minItems": 1, "maxItems": AT_ONCE, "items": input.clone()}},
    });
    schemas.insert(
        format!("{name}Input"),
        json!({"description": format!("One {}, or many.", rows.one), "anyOf": [input, many], "example": rows.example}),
    );
    schemas.insert(name.clone(), rows.schema.clone());
}

/// What one kind has.
pub(super) fn of_kind(schemas: &mut Map<String, Value>, entry: &Entry, name: &str) {
    schemas.extend(entry.components.clone());
    let record = output_schema(entry);
    let mut fields = record.clone();
    if let Value::Object(keys) = &mut fields {
        keys.remove("required");
    }
    let about = format!("The fields of {} that were asked for.", a(entry.info.one));
    set(&mut fields, "description", json!(about));
    schemas.insert(name.to_owned(), record);
    schemas.insert(format!("{name}Fields"), fields);
    schemas.insert(format!("{name}Page"), page_of(shaped(name)));
    schemas.insert(format!("{name}Input"), input_schema(entry));
    schemas.insert(format!("{name}Patch"), patch_schema(entry));
    schemas.insert(format!("{name}Batch"), batch_schema(entry, name));
    schemas.insert(format!("{name}BatchOutcome"), outcome_schema(name));
}

/// A record as it is read, with what `expand` can add.
fn output_schema(entry: &Entry) -> Value {
    let mut schema = spine::output_schema(&entry.body_schema, entry.info.about);
    let Some(Value::Object(fields)) = schema.get_mut("properties") else {
        return schema;
    };
    if let Some(status) = fields.get_mut("status") {
        set(status, "enum", json!(entry.states));
    }
    for field in fields.values_mut() {
        without_default(field);
    }
    for (field, kind) in shaping::expandable(entry) {
        let shown = match kind == super::super::kind::PERSON {
            true => schema_of("ShownPerson"),
            false => schema_of("ShownRecord"),
        };
        let shown = json!({"oneOf": [{"type": "null"}, shown], "readOnly": true});
        fields.entry(field).or_insert(shown);
    }
    schema
}

fn without_default(field: &mut Value) {
    if let Value::Object(keys) = field {
        keys.remove("default");
    }
}

fn input_schema(entry: &Entry) -> Value {
    let mut schema = spine::input_schema(&entry.body_schema);
    if let Some(fields) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        fields.retain(|_, field| field.get("readOnly") != Some(&json!(true)));
    }
    let about = format!("A new {}.", entry.info.one);
    set(&mut schema, "description", json!(about));
    set(&mut schema, "example", input_example(entry));
    schema
}

/// What is left out stays: no field is required, and none has a default that a client could send
/// unasked.
fn patch_schema(entry: &Entry) -> Value {
    let mut schema = input_schema(entry);
    if let Value::Object(keys) = &mut schema {
        keys.remove("required");
    }
    if let Some(fields) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        fields.values_mut().for_each(without_default);
    }
    let about = format!(
        "A JSON merge patch (RFC 7396) of {}: what is left out stays, null clears.",
        a(entry.info.one)
    );
    set(&mut schema, "description", json!(about));
    set(&mut schema, "example", json!({"title": "A better title"}));
    schema
}

fn batch_schema(entry: &Entry, name: &str) -> Value {
    let operation = |op: &str, about: &str, more: Value| {
        let mut properties = json!({"op": {"type": "string", "enum": [op]}});
        let mut required = vec!["op"];
        if op != "create" {
            required.extend(["id", "version"]);
            set(
                &mut properties,
                "id",
                json!({"type": "string", "format": "uuid"}),
            );
            let version = json!({"type": "integer", "format": "int32", "description": "The version you read."});
            set(&mut properties, "version", version);
        }
        for (field, schema) in more.as_object().into_iter().flatten() {
            if field != "reason" {
                required.push(field);
            }
            set(&mut properties, field, schema.clone());
        }
        let title = format!("{name}{}", super::super::kind::pascal(op));
        json!({"type": "object", "title": title, "description": about, "required": required, "properties": properties, "additionalProperties": false})
    };
    let states: Vec<_> = entry.states.iter().collect();
    let operations = [
        operation(
            "create",
            "Makes one.",
            json!({"body": schema_of(&format!("{name}Input"))}),
        ),
        operation(
            "update",
            "Changes one.",
            json!({"body": schema_of(&format!("{name}Patch"))}),
        ),
        operation(
            "transition",
            "Moves one.",
            json!({
                "to": {"type": "string", "enum": states},
                "reason": {"type": ["string", "null"], "maxLength": 2000},
            }),
        ),
        operation("archive", "Archives one.", json!({})),
    ];
    json!({
        "type": "object",
        "description": format!("Operations on {}.", entry.info.many),
        "required": ["operations"],
        "properties": {
            "atomic": {"type": "boolean", "default": false, "description": "All or nothing."},
            "operations": {
                "type": "array", "minItems": 1, "maxItems": 100,
                "description": "Done in this order.",
                "items": {"oneOf": operations},
            },
        },
        "additionalProperties": false,
        "example": {"operations": [{"op": "create", "body": input_example(entry)}]},
    })
}

fn outcome_schema(name: &str) -> Value {
    let items = object(
        "What became of one.",
        json!({
            "status": {"type": "integer", "description": "HTTP status of the operation; 424 when another one kept it from happening."},
            "record": {"oneOf": [{"type": "null"}, schema_of(name)]},
            "problem": {"oneOf": [{"type": "null"}, schema_of("Problem")]},
        }),
    );
    object(
        "What became of each operation.",
        json!({
            "committed": {"type": "boolean", "description": "False when an atomic batch was taken back."},
            "items": {"type": "array", "items": items},
        }),
    )
}
