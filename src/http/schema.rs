//! Schemas of input, from the same types that describe it in the OpenAPI document.

use std::any::TypeId;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use chrono::{DateTime, Datelike, NaiveDate};
use jsonschema::Validator;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::sentence;
use crate::problem::FieldError;

/// Faults told at once.
const MOST_FAULTS: usize = 100;
/// Shorthand in the schemas of kinds: something is written, not only blanks.
const NOT_BLANK: &str = r"\S";
/// [`NOT_BLANK`] so that it means the same to every validator: anchored, because some look for a
/// match of the whole; blanks by their code points, because `\s` is read differently.
pub(super) const WRITTEN: &str = r"^[\t-\r \u0085\u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000]*[^\t-\r \u0085\u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000][\s\S]*$";
/// Where schemas refer to each other.
const COMPONENTS: &str = "#/components/schemas/";
/// Added to the name of a component whose objects are left open, for use inside `allOf`.
const OPEN: &str = ".open";

/// Keywords that hold one schema.
const ONE: &[&str] = &[
    "items",
    "additionalProperties",
    "not",
    "propertyNames",
    "contains",
];
/// Keywords that hold a list of schemas.
const LIST: &[&str] = &["allOf", "anyOf", "oneOf", "prefixItems"];

/// A compiled schema that input is checked by.
#[derive(Debug)]
pub struct Shape(Result<Validator, String>);

impl Shape {
    /// The shape of input for `T`: closed objects, read-only fields refused.
    pub fn input<T: ToSchema>() -> Self {
        let (schema, components) = of::<T>();
        Self::from_value(schema, Value::Object(components.into_iter().collect()))
    }

    /// [`Shape::input`], compiled once for each type.
    pub fn cached<T: ToSchema + 'static>() -> Arc<Self> {
        static SHAPES: LazyLock<RwLock<HashMap<TypeId, Arc<Shape>>>> =
            LazyLock::new(RwLock::default);
        let id = TypeId::of::<T>();
        let known = SHAPES.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(shape) = known.get(&id) {
            return Arc::clone(shape);
        }
        drop(known);
        let shape = Arc::new(Self::input::<T>());
        let mut known = SHAPES.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(id).or_insert(shape))
    }

    /// The shape of a schema; `components` maps names to the schemas that it refers to as
    /// `#/components/schemas/NAME`. Objects are closed, read-only fields refused.
    pub fn from_value(schema: Value, components: Value) -> Self {
        let mut schemas = Map::new();
        if let Value::Object(components) = components {
            for (name, component) in components {
                let mut open = component.clone();
                close(&mut open, true);
                schemas.insert(format!("{name}{OPEN}"), open);
                let mut closed = component;
                close(&mut closed, false);
                schemas.insert(name, closed);
            }
        }
        let mut root = schema;
        close(&mut root, false);
        let document = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$ref": "#/$defs/root",
            "$defs": { "root": root },
            "components": { "schemas": schemas },
        });
        let shape = compile(&document);
        if let Err(fault) = &shape {
            tracing::error!("a schema of input is faulty: {fault}");
        }
        Self(shape)
    }

    /// What is wrong with the schema itself; such a shape refuses everything.
    pub fn fault(&self) -> Option<&str> {
        self.0.as_ref().err().map(String::as_str)
    }

    /// All faults of `value`, ordered by pointer.
    pub fn check(&self, value: &Value) -> Result<(), Vec<FieldError>> {
        let Ok(validator) = &self.0 else {
            return Err(vec![FieldError {
                pointer: String::new(),
                detail: "cannot be checked at present".to_owned(),
            }]);
        };
        let mut faults = Vec::new();
        for error in validator.iter_errors(value).take(MOST_FAULTS) {
            sentence::explain(&error, &mut faults);
        }
        if faults.is_empty() {
            return Ok(());
        }
        faults.sort_by(|a, b| (&a.pointer, &a.detail).cmp(&(&b.pointer, &b.detail)));
        faults.dedup();
        faults.truncate(MOST_FAULTS);
        Err(faults)
    }
}

/// The schema of `T` as JSON, and every component it refers to.
pub fn of<T: ToSchema>() -> (Value, BTreeMap<String, Value>) {
    let mut schemas = Vec::new();
    T::schemas(&mut schemas);
    let components = schemas
        .iter()
        .map(|(name, schema)| (name.clone(), to_json(schema)))
        .collect();
    (to_json(&T::schema()), components)
}

/// Puts [`WRITTEN`] in the place of its shorthand, wherever it is a pattern.
pub fn spell_out(value: &mut Value) {
    match value {
        Value::Object(keys) => {
            for (key, inner) in keys {
                if key == "pattern" && inner == NOT_BLANK {
                    *inner = json!(WRITTEN);
                }
                spell_out(inner);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(spell_out),
        _ => {}
    }
}

fn to_json(schema: &impl serde::Serialize) -> Value {
    let mut schema = serde_json::to_value(schema).unwrap_or(Value::Bool(false));
    lift_read_only(&mut schema);
    spell_out(&mut schema);
    schema
}

/// A list that is read-only gets the word on its items, which would let clients write the list:
/// it is meant for the list.
fn lift_read_only(schema: &mut Value) {
    match schema {
        Value::Array(parts) => parts.iter_mut().for_each(lift_read_only),
        Value::Object(keys) => {
            keys.values_mut().for_each(lift_read_only);
            let is_list = match keys.get("type") {
                Some(Value::Array(types)) => types.contains(&json!("array")),
                Some(one) => one == "array",
                None => false,
            };
            let items = keys.get_mut("items").filter(|_| is_list);
            if let Some(word) = items.and_then(|items| items.as_object_mut()?.remove("readOnly")) {
                keys.insert("readOnly".to_owned(), word);
            }
        }
        _ => {}
    }
}

fn compile(document: &Value) -> Result<Validator, String> {
    jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .should_validate_formats(true)
        .should_ignore_unknown_formats(true)
        // Judged where it is read: trimmed, and with the reason why it is refused.
        .with_format("email", |_| true)
        .with_format("date", is_date)
        .with_format("date-time", is_instant)
        .with_format("uuid", is_uuid)
        .build(document)
        .map_err(|error| error.to_string())
}

/// Makes a schema one of input. Objects inside `allOf` stay open, the whole is closed instead.
fn close(schema: &mut Value, inside: bool) {
    let Value::Object(keys) = schema else { return };
    if inside && let Some(Value::String(target)) = keys.get_mut("$ref") {
        if target.starts_with(COMPONENTS) {
            target.push_str(OPEN);
        }
        return;
    }
    // Which branch it is, serde decides; more than one that fits is no fault.
    if let Some(branches) = keys.remove("oneOf") {
        keys.insert("anyOf".to_owned(), branches);
    }
    bound_integer(keys);
    let has_properties = close_properties(keys);
    let composed = keys.contains_key("allOf") || (has_properties && keys.contains_key("anyOf"));
    close_parts(keys, inside || composed);
    if inside {
        if has_properties && keys.get("additionalProperties") == Some(&json!(false)) {
            keys.remove("additionalProperties");
        }
    } else if composed {
        keys.remove("additionalProperties");
        keys.insert("unevaluatedProperties".to_owned(), json!(false));
    } else if has_properties {
        keys.entry("additionalProperties").or_insert(json!(false));
    }
}

/// Closes the schemas in a schema; those that describe the same value stay open when `inside`.
fn close_parts(keys: &mut Map<String, Value>, inside: bool) {
    for name in ONE {
        if let Some(part) = keys.get_mut(*name) {
            close(part, false);
        }
    }
    for name in LIST {
        if let Some(Value::Array(parts)) = keys.get_mut(*name) {
            for part in parts {
                close(part, inside && *name != "prefixItems");
            }
        }
    }
}

/// Refuses read-only properties by the schema `false`; answers whether there are properties.
fn close_properties(keys: &mut Map<String, Value>) -> bool {
    let Some(Value::Object(properties)) = keys.get_mut("properties") else {
        return false;
    };
    let mut read_only = Vec::new();
    for (name, property) in properties {
        if property.get("readOnly") == Some(&json!(true)) {
            *property = json!(false);
            read_only.push(name.clone());
        } else {
            close(property, false);
        }
    }
    if let Some(Value::Array(required)) = keys.get_mut("required") {
        required.retain(|name| !read_only.iter().any(|known| name == known.as_str()));
    }
    true
}

/// `format: int32` and `int64` bound numbers only by convention; here they do.
fn bound_integer(keys: &mut Map<String, Value>) {
    let (least, most) = match keys.get("format").and_then(Value::as_str) {
        Some("int32") => (i64::from(i32::MIN), i64::from(i32::MAX)),
        Some("int64") => (i64::MIN, i64::MAX),
        _ => return,
    };
    keys.entry("minimum").or_insert(json!(least));
    keys.entry("maximum").or_insert(json!(most));
}

pub(super) fn is_date(text: &str) -> bool {
    text.len() == 10
        && text.bytes().all(|b| b.is_ascii_digit() || b == b'-')
        && NaiveDate::parse_from_str(text, "%Y-%m-%d")
            .is_ok_and(|date| (1900..=2200).contains(&date.year()))
}

pub(super) fn is_instant(text: &str) -> bool {
    text.as_bytes().get(10) == Some(&b'T')
        && DateTime::parse_from_rfc3339(text)
            .is_ok_and(|instant| (1900..=2200).contains(&instant.year()))
}

pub(super) fn is_uuid(text: &str) -> bool {
    text.len() == 36 && Uuid::try_parse(text).is_ok()
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
