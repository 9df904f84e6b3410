//! Schemas of what goes in and comes out.

use serde_json::{Map, Value, json};

use super::super::comments::{Comment, NewComment};
use super::super::deadlines::Standing;
use super::super::entry::Entry;
use super::super::links::{Link, NewLink};
use super::super::registry::Registry;
use super::super::rows::{AT_ONCE, RowEntry, RowsAdded};
use super::super::settings::Settings;
use super::super::shares::{NewShare, Share};
use super::super::trail::AuditEvent;
use super::super::transitions::{TransitionOption, TransitionRequest};
use super::super::typed_refs::PERSON;
use super::super::versions::{Version, VersionSummary};
use super::super::{closed, shaping, spine};
use super::examples::input_example;
use super::{a, batch, set};
use crate::http::openapi::SOMETIMES;
use crate::http::schema;

/// What `$ref` to a component looks like.
pub(super) fn reference(part: &str, name: &str) -> Value {
    json!({"$ref": format!("#/components/{part}/{name}")})
}

pub(super) fn schema_of(name: &str) -> Value {
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
pub(super) fn object(about: &str, properties: Value) -> Value {
    let names = properties.as_object().into_iter().flat_map(Map::keys);
    let names: Vec<_> = names.cloned().collect();
    json!({"type": "object", "description": about, "required": names, "properties": properties})
}

/// What is the same for all kinds.
pub(super) fn of_all(schemas: &mut Map<String, Value>, registry: &Registry) {
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
    schemas.extend(closed::schemas(registry));
    of_any(schemas);
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
    schemas.insert("KnownEvidence".to_owned(), json!({
        "type": "object", "description": "A piece of evidence that is there already.",
        "required": ["id"], "properties": {"id": {"type": "string", "format": "uuid"}}, "additionalProperties": false,
    }));
    schemas.insert(
        "NewAttachment".to_owned(),
        json!({
            "description": "The `id` of a piece of evidence, or the fields of a new one.",
            "anyOf": [schema_of("KnownEvidence"), schema_of("EvidenceInput")],
        }),
    );
    schemas.insert("FoundRecord".to_owned(), found());
    schemas.insert("ShownPerson".to_owned(), shown_person());
    schemas.insert("ShownRecord".to_owned(), shown_record());
    schemas.insert("ArchiveRecord".to_owned(), batch::archive());
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

/// What every record has: all of it, as much of it as was asked for, and with fields of a kind
/// that is not known.
fn of_any(schemas: &mut Map<String, Value>) {
    let mut fields = spine::output_fields();
    fields.values_mut().for_each(without_default);
    let required: Vec<_> = fields.keys().cloned().collect();
    fields.insert("owner".to_owned(), expanded(PERSON));
    let some = json!({"type": "object", "description": "Of what every record has, the fields that were asked for.", "properties": fields});
    let mut all = some.clone();
    set(&mut all, "description", json!("What every record has."));
    set(&mut all, "required", json!(required));
    schemas.insert("RecordFields".to_owned(), some);
    schemas.insert("Record".to_owned(), all);
    let of_its_kind = json!({
        "type": "object",
        "required": ["status"],
        "properties": {"status": status(schema_of("RecordState"))},
        "additionalProperties": true,
    });
    schemas.insert(
        "AnyRecord".to_owned(),
        json!({
            "description": "A record of any kind: what all have, and the fields of its kind.",
            "allOf": [schema_of("Record"), of_its_kind],
        }),
    );
}

fn status(states: Value) -> Value {
    let mut status = states;
    set(&mut status, "readOnly", json!(true));
    set(
        &mut status,
        "description",
        json!("Changes only through transitions."),
    );
    status
}

/// What `expand` adds.
fn expanded(kind: &str) -> Value {
    let shown = match kind == PERSON {
        true => schema_of("ShownPerson"),
        false => schema_of("ShownRecord"),
    };
    json!({"oneOf": [{"type": "null"}, shown], "readOnly": true, SOMETIMES: true})
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

fn found() -> Value {
    let properties = json!({
        "id": {"type": "string", "format": "uuid"},
        "kind": schema_of("RecordKind"),
        "ref": {"type": "string", "example": "RSK-014"},
        "title": {"type": "string"},
        "status": schema_of("RecordState"),
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

fn shown_record() -> Value {
    let properties = json!({
        "id": {"type": "string", "format": "uuid"},
        "kind": schema_of("RecordKind"),
        "ref": {"type": "string"},
        "title": {"type": "string"},
        "status": schema_of("RecordState"),
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
        let mut tally = tally.clone();
        set(&mut tally, SOMETIMES, json!(true));
        fields.insert("tally".to_owned(), tally);
    }
    schemas.insert(format!("{name}Page"), page);
    let mut input = rows.schema.clone();
    if let Some(fields) = input.get_mut("properties").and_then(Value::as_object_mut) {
        fields.retain(|_, field| field.get("readOnly") != Some(&json!(true)));
    }
    let (one, many) = (format!("New{name}"), format!("Many{name}"));
    let items = json!({
        "type": "object", "required": ["items"], "additionalProperties": false,
        "description": "Many at once.",
        "properties": {"items": {"type": "array", "minItems": 1, "maxItems": AT_ONCE, "items": schema_of(&one)}},
    });
    schemas.insert(
        format!("{name}Input"),
        json!({"description": format!("One {}, or many.", rows.one), "anyOf": [schema_of(&one), schema_of(&many)], "example": rows.example}),
    );
    schemas.insert(one, input);
    schemas.insert(many, items);
    schemas.insert(name.clone(), rows.schema.clone());
}

/// What one kind has.
pub(super) fn of_kind(schemas: &mut Map<String, Value>, entry: &Entry, name: &str) {
    // What components of the whole document are called is not for a kind to say.
    for (component, schema) in &entry.components {
        schemas
            .entry(component.clone())
            .or_insert_with(|| schema.clone());
    }
    let states = json!({"type": "string", "enum": entry.states, "description": format!("State of {}.", a(entry.info.one))});
    schemas.insert(format!("{name}State"), states);
    let (own, required) = own_fields(entry, name);
    let some = json!({
        "description": format!("The fields of {} that were asked for.", a(entry.info.one)),
        "allOf": [schema_of("RecordFields"), {"type": "object", "properties": own}],
    });
    let all = json!({
        "description": entry.info.about,
        "allOf": [schema_of("Record"), {"type": "object", "properties": own, "required": required}],
    });
    schemas.insert(name.to_owned(), all);
    schemas.insert(format!("{name}Fields"), some);
    schemas.insert(format!("{name}Page"), page_of(shaped(name)));
    schemas.insert(format!("{name}Input"), input_schema(entry));
    schemas.insert(format!("{name}Patch"), patch_schema(entry));
    batch::schemas(schemas, entry, name);
}

/// What a record of the kind has besides what every record has, and what of it is always there:
/// all but what `expand` adds.
fn own_fields(entry: &Entry, name: &str) -> (Map<String, Value>, Vec<String>) {
    let of_body = entry.body_schema.get("properties");
    let mut fields = of_body
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    fields.values_mut().for_each(without_default);
    let state = schema_of(&format!("{name}State"));
    fields.insert("status".to_owned(), status(state));
    let required = fields.keys().cloned().collect();
    for (field, kind) in shaping::expandable(entry) {
        if field != "owner" {
            fields.entry(field).or_insert_with(|| expanded(&kind));
        }
    }
    (fields, required)
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
    let about = format!("What {} is made from.", a(entry.info.one));
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
