//! Schemas of many operations at once, and of what became of them.

use serde_json::{Map, Value, json};

use super::super::entry::Entry;
use super::examples::input_example;
use super::schemas::{object, schema_of};
use super::{a, set};

/// What a batch of a kind consists of.
pub(super) fn schemas(schemas: &mut Map<String, Value>, entry: &Entry, name: &str) {
    let one = a(entry.info.one);
    let create = json!({"body": schema_of(&format!("{name}Input"))});
    let update = json!({"body": schema_of(&format!("{name}Patch"))});
    let to = json!({
        "to": schema_of(&format!("{name}State")),
        "reason": {"type": ["string", "null"], "maxLength": 2000},
    });
    for (op, schema) in [
        (
            "create",
            operation("create", &format!("Makes {one}."), create),
        ),
        (
            "update",
            operation("update", &format!("Changes {one}."), update),
        ),
        (
            "transition",
            operation("transition", &format!("Moves {one}."), to),
        ),
    ] {
        schemas.insert(name_of(op, name), schema);
    }
    schemas.insert(format!("{name}Batch"), batch(entry, name));
    schemas.insert(format!("{name}Outcome"), outcome(name));
    let items = schema_of(&format!("{name}Outcome"));
    schemas.insert(
        format!("{name}BatchOutcome"),
        object(
            "What became of each operation.",
            json!({
                "committed": {"type": "boolean", "description": "False when an atomic batch was taken back."},
                "items": {"type": "array", "items": items},
            }),
        ),
    );
}

/// The same for all kinds.
pub(super) fn archive() -> Value {
    operation("archive", "Archives a record.", json!({}))
}

fn name_of(op: &str, name: &str) -> String {
    let name = if op == "archive" { "Record" } else { name };
    format!("{}{name}", super::capital(op))
}

fn operation(op: &str, about: &str, more: Value) -> Value {
    let mut properties = json!({"op": {"type": "string", "enum": [op]}});
    let mut required = vec!["op"];
    if op != "create" {
        required.extend(["id", "version"]);
        set(
            &mut properties,
            "id",
            json!({"type": "string", "format": "uuid"}),
        );
        let version =
            json!({"type": "integer", "format": "int32", "description": "The version you read."});
        set(&mut properties, "version", version);
    }
    for (field, schema) in more.as_object().into_iter().flatten() {
        if field != "reason" {
            required.push(field);
        }
        set(&mut properties, field, schema.clone());
    }
    json!({"type": "object", "description": about, "required": required, "properties": properties, "additionalProperties": false})
}

fn batch(entry: &Entry, name: &str) -> Value {
    let known = ["create", "update", "transition", "archive"].map(|op| {
        let schema = schema_of(&name_of(op, name));
        (op.to_owned(), schema)
    });
    let mapping: Map<_, _> = known
        .iter()
        .filter_map(|(op, schema)| Some((op.clone(), schema.get("$ref")?.clone())))
        .collect();
    let branches = known.map(|(_, schema)| schema);
    json!({
        "type": "object",
        "description": format!("Operations on {}.", entry.info.many),
        "required": ["operations"],
        "properties": {
            "atomic": {"type": "boolean", "default": false, "description": "All or nothing."},
            "operations": {
                "type": "array", "minItems": 1, "maxItems": 100,
                "description": "Done in this order.",
                "items": {"oneOf": branches, "discriminator": {"propertyName": "op", "mapping": mapping}},
            },
        },
        "additionalProperties": false,
        "example": {"operations": [{"op": "create", "body": input_example(entry)}]},
    })
}

fn outcome(name: &str) -> Value {
    object(
        "What became of one.",
        json!({
            "status": {"type": "integer", "description": "HTTP status of the operation; 424 when another one kept it from happening."},
            "record": {"oneOf": [{"type": "null"}, schema_of(name)]},
            "problem": {"oneOf": [{"type": "null"}, schema_of("Problem")]},
        }),
    )
}
