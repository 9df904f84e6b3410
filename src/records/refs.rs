//! Places in a body, found in its schema: references to other records, and read-only fields.

use std::collections::BTreeMap;

use serde_json::Value;
use uuid::Uuid;

use super::kind::REFERS_TO;

/// Schemas nested deeper than this are not searched; no body is that deep.
const DEPTH: usize = 8;

/// A step from a JSON value to one inside it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Field(String),
    Items,
}

/// A place in every body of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    steps: Vec<Step>,
}

/// A reference found in a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// JSON Pointer.
    pub pointer: String,
    /// Kind referred to, or [`super::kind::PERSON`].
    pub kind: String,
    /// Id referred to.
    pub id: Uuid,
}

/// The places of a schema.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// References with what they refer to.
    pub references: Vec<(Place, String)>,
    /// Fields that the server computes.
    pub read_only: Vec<Place>,
}

impl Places {
    /// Searches a schema; `components` has what it refers to by name.
    pub fn of(schema: &Value, components: &BTreeMap<String, Value>) -> Self {
        let mut places = Self::default();
        places.search(schema, components, &Vec::new());
        places
    }

    fn search(&mut self, schema: &Value, components: &BTreeMap<String, Value>, at: &Vec<Step>) {
        if at.len() > DEPTH {
            return;
        }
        let place = || Place { steps: at.clone() };
        if schema.get("readOnly") == Some(&Value::Bool(true)) {
            self.read_only.push(place());
            return;
        }
        if let Some(to) = schema.get(REFERS_TO).and_then(Value::as_str) {
            self.references.push((place(), to.to_owned()));
            return;
        }
        let component = schema
            .get("$ref")
            .and_then(Value::as_str)
            .and_then(|name| name.rsplit('/').next())
            .and_then(|name| components.get(name));
        if let Some(component) = component {
            self.search(component, components, at);
        }
        for composed in ["oneOf", "anyOf", "allOf"] {
            for branch in schema
                .get(composed)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                self.search(branch, components, at);
            }
        }
        if let Some(items) = schema.get("items") {
            self.search(items, components, &[at.as_slice(), &[Step::Items]].concat());
        }
        for (name, property) in schema
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            let inside = [at.as_slice(), &[Step::Field(name.clone())]].concat();
            self.search(property, components, &inside);
        }
    }

    /// All references in a body.
    pub fn collect(&self, body: &Value) -> Vec<Found> {
        let mut found = Vec::new();
        for (place, kind) in &self.references {
            place.visit(body, String::new(), &mut |pointer, value| {
                if let Some(id) = value.as_str().and_then(|id| id.parse().ok()) {
                    found.push(Found {
                        pointer,
                        kind: kind.clone(),
                        id,
                    });
                }
            });
        }
        found
    }

    /// Takes the computed fields out of a body.
    pub fn strip_read_only(&self, body: &mut Value) {
        for place in &self.read_only {
            strip(body, &place.steps);
        }
    }

    /// Top-level references: field, kind referred to.
    pub fn top_level(&self) -> impl Iterator<Item = (&str, &str)> {
        self.references
            .iter()
            .filter_map(|(place, kind)| match place.steps.as_slice() {
                [Step::Field(name)] => Some((name.as_str(), kind.as_str())),
                _ => None,
            })
    }
}

impl Place {
    fn visit(&self, value: &Value, pointer: String, each: &mut impl FnMut(String, &Value)) {
        visit(value, &self.steps, pointer, each);
    }
}

fn visit(value: &Value, steps: &[Step], pointer: String, each: &mut impl FnMut(String, &Value)) {
    match (steps.split_first(), value) {
        (None, value) => each(pointer, value),
        (Some((Step::Field(name), rest)), Value::Object(fields)) => {
            if let Some(inner) = fields.get(name) {
                visit(inner, rest, format!("{pointer}/{name}"), each);
            }
        }
        (Some((Step::Items, rest)), Value::Array(items)) => {
            for (index, inner) in items.iter().enumerate() {
                visit(inner, rest, format!("{pointer}/{index}"), each);
            }
        }
        _ => {}
    }
}

fn strip(value: &mut Value, steps: &[Step]) {
    match (steps, value) {
        ([Step::Field(name)], Value::Object(fields)) => {
            fields.remove(name);
        }
        ([Step::Field(name), rest @ ..], Value::Object(fields)) => {
            if let Some(inner) = fields.get_mut(name) {
                strip(inner, rest);
            }
        }
        ([Step::Items, rest @ ..], Value::Array(items)) => {
            for inner in items {
                strip(inner, rest);
            }
        }
        _ => {}
    }
}
