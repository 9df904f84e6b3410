//! Closed sets that only all kinds together know: their names and their states. Types name them
//! in schemas; their values are put in when the document is made.

use std::borrow::Cow;

use serde_json::{Map, Value, json};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use super::registry::Registry;

/// Longest name of a kind or of a state, in characters.
const LONGEST: usize = 60;

/// The kind of a record, such as `risk`.
pub enum RecordKind {}

/// A state of a record of any kind, such as `draft`.
pub enum RecordState {}

fn word(about: &str) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(LONGEST))
        .description(Some(about))
        .build()
        .into()
}

impl PartialSchema for RecordKind {
    fn schema() -> RefOr<Schema> {
        word("Kind of a record.")
    }
}

impl ToSchema for RecordKind {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("RecordKind")
    }
}

impl PartialSchema for RecordState {
    fn schema() -> RefOr<Schema> {
        word("State of a record; which ones a kind has, its own schema says.")
    }
}

impl ToSchema for RecordState {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("RecordState")
    }
}

/// Both schemas, with their values.
pub(super) fn schemas(registry: &Registry) -> Map<String, Value> {
    let entries = registry.entries();
    let kinds: Vec<_> = entries.iter().map(|entry| entry.info.name).collect();
    let mut all = Map::new();
    all.insert("RecordKind".to_owned(), with(RecordKind::schema(), &kinds));
    let states = states(registry);
    all.insert(
        "RecordState".to_owned(),
        with(RecordState::schema(), &states),
    );
    all
}

fn with(schema: RefOr<Schema>, values: &[&str]) -> Value {
    let mut schema = serde_json::to_value(schema).unwrap_or_default();
    if let Value::Object(keys) = &mut schema {
        keys.insert("enum".to_owned(), json!(values));
    }
    schema
}

/// The states of all kinds, each once, in the order of the kinds.
pub(super) fn states(registry: &Registry) -> Vec<&'static str> {
    let mut all = Vec::new();
    for state in registry.entries().iter().flat_map(|entry| &entry.states) {
        if !all.contains(state) {
            all.push(*state);
        }
    }
    all
}
