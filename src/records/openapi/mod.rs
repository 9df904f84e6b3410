//! The operations on records for the OpenAPI document, from the same table as their routes.
//!
//! | file | question |
//! |---|---|
//! | `operations.rs`, `parts.rs` | which operations does a kind have for itself? |
//! | `shared.rs` | which are the same for all kinds? |
//! | `parameters.rs` | which parameters do they take? |
//! | `schemas.rs`, `batch.rs` | what goes in and comes out? |
//! | `examples.rs` | what does it look like? |

mod batch;
mod examples;
mod operations;
mod parameters;
mod parts;
mod schemas;
pub(super) mod shared;

use serde_json::{Map, Value, json};

pub(super) use self::operations::Describe;
use self::operations::Of;
use super::kind::{article, pascal};
use super::registry::Registry;
use super::routes::{BASE, Declared, TABLE};

/// The part of the document that is about records: paths, components and groups.
pub fn document(registry: &Registry) -> Value {
    let kinds: Vec<_> = registry
        .entries()
        .iter()
        .map(|entry| Of {
            entry,
            name: pascal(entry.info.name),
        })
        .collect();
    let mut paths = Map::new();
    for declared in TABLE {
        describe(registry, &kinds, declared, &mut paths);
    }
    let mut tags = vec![
        json!({"name": shared::TAG, "description": "What is the same for the records of all kinds."}),
    ];
    tags.extend(
        kinds
            .iter()
            .map(|of| json!({"name": of.tag(), "description": of.entry.info.about})),
    );
    json!({
        "paths": paths,
        "components": {
            "schemas": schemas(registry, &kinds),
            "parameters": parameters::components(registry, &kinds),
            "examples": examples::components(registry),
        },
        "tags": tags,
    })
}

/// Adds what one line of the table says, under the addresses that it stands for.
fn describe(
    registry: &Registry,
    kinds: &[Of<'_>],
    declared: &Declared,
    paths: &mut Map<String, Value>,
) {
    let mut add = |path: String, operation: operations::Operation| {
        let item = paths.entry(format!("{BASE}/{path}")).or_insert(json!({}));
        set(item, declared.method, operation.into_value());
    };
    match &declared.describe {
        Describe::Once(describe) => add(declared.path.to_owned(), describe(registry)),
        Describe::Kind(describe) => {
            for of in kinds {
                add(
                    declared.path.replace("{kind}", of.entry.info.path),
                    describe(of),
                );
            }
        }
        Describe::Part(describe) => {
            for of in kinds {
                let path = declared.path.replace("{kind}", of.entry.info.path);
                for part in of.entry.parts {
                    add(path.replace("{part}", part.field), describe(of, part));
                }
            }
        }
        Describe::Rows(describe) => {
            for of in kinds {
                let path = declared.path.replace("{kind}", of.entry.info.path);
                for rows in &of.entry.rows {
                    add(path.replace("{rows}", rows.list), describe(of, rows));
                }
            }
        }
    }
}

fn schemas(registry: &Registry, kinds: &[Of<'_>]) -> Map<String, Value> {
    let mut all = Map::new();
    schemas::of_all(&mut all, registry);
    for of in kinds {
        schemas::of_kind(&mut all, of.entry, &of.name);
        for part in of.entry.parts {
            let name = of.part_name(part);
            let item = of
                .entry
                .body_schema
                .pointer(&format!("/properties/{}/items", part.field));
            all.insert(format!("{name}List"), schemas::list_of(&name));
            all.insert(name, item.cloned().unwrap_or(json!({})));
        }
        for rows in &of.entry.rows {
            schemas::of_rows(&mut all, rows);
        }
    }
    all
}

/// Sets a field of a JSON object.
fn set(value: &mut Value, name: &str, to: Value) {
    if let Value::Object(fields) = value {
        fields.insert(name.to_owned(), to);
    }
}

/// With the article that the first letter asks for: `an AI system`, `a risk`.
fn a(noun: &str) -> String {
    format!("{} {noun}", article(noun))
}

/// With a capital at the beginning.
fn capital(text: &str) -> String {
    let (first, rest) = text.split_at(text.len().min(1));
    format!("{}{rest}", first.to_uppercase())
}
