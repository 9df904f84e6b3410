//! Places in a body, found in its schema: references to other records, and read-only fields.

use std::collections::BTreeMap;

use serde_json::Value;
use uuid::Uuid;

use super::typed_refs::{ANY, PERSON, REFERS_TO, UNIT};

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

/// What a reference points to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// A record.
    Record {
        /// Its kind.
        kind: String,
        /// Its id.
        id: Uuid,
    },
    /// A person.
    Person(Uuid),
    /// A unit of a catalogue.
    Unit {
        /// The catalogue.
        catalog: String,
        /// The unit.
        unit: String,
    },
}

/// A reference found in a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// JSON Pointer.
    pub pointer: String,
    /// What it points to.
    pub target: Target,
}

impl Target {
    /// What a value refers to, if it is a reference of this sort.
    fn read(sort: &str, value: &Value) -> Option<Self> {
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        match sort {
            ANY => Some(Self::Record {
                kind: text("kind")?.to_owned(),
                id: text("id")?.parse().ok()?,
            }),
            UNIT => Some(Self::Unit {
                catalog: text("catalog")?.to_owned(),
                unit: text("unit")?.to_owned(),
            }),
            PERSON => Some(Self::Person(value.as_str()?.parse().ok()?)),
            kind => Some(Self::Record {
                kind: kind.to_owned(),
                id: value.as_str()?.parse().ok()?,
            }),
        }
    }
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
        for (place, sort) in &self.references {
            visit(body, &place.steps, String::new(), &mut |pointer, value| {
                if let Some(target) = Target::read(sort, value) {
                    found.push(Found { pointer, target });
                }
            });
        }
        found
    }

    /// Puts the computed fields of an older body into one that lacks them; those of items of
    /// lists are the kind's to keep, because only it can tell which item is which.
    pub fn keep_read_only(&self, old: &Value, new: &mut Value) {
        for place in &self.read_only {
            keep(old, new, &place.steps);
        }
    }

    /// Takes the computed fields out of a body.
    pub fn strip_read_only(&self, body: &mut Value) {
        for place in &self.read_only {
            strip(body, &place.steps);
        }
    }

    /// Fields at the top that are or hold references: field, kind referred to.
    pub fn outermost(&self) -> impl Iterator<Item = (&str, &str)> {
        self.references
            .iter()
            .filter_map(|(place, kind)| match place.steps.as_slice() {
                [Step::Field(name)] | [Step::Field(name), Step::Items] => {
                    Some((name.as_str(), kind.as_str()))
                }
                _ => None,
            })
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

fn keep(old: &Value, new: &mut Value, steps: &[Step]) {
    let (Some((Step::Field(name), rest)), Value::Object(new)) = (steps.split_first(), new) else {
        return;
    };
    let Some(old) = old.get(name) else { return };
    if rest.is_empty() {
        new.entry(name.clone()).or_insert_with(|| old.clone());
    } else if let Some(new) = new.get_mut(name) {
        keep(old, new, rest);
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
