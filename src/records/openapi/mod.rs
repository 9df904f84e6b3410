//! The routes of all kinds for the OpenAPI document, from the same declarations.
//!
//! | file | question |
//! |---|---|
//! | `operations.rs`, `attached.rs` | which operations does a kind have, and what hangs on its records? |
//! | `parameters.rs` | which parameters do they take? |
//! | `schemas.rs` | what goes in and comes out? |
//! | `examples.rs` | what does it look like? |

mod attached;
mod examples;
mod operations;
mod parameters;
mod schemas;

use serde_json::{Map, Value, json};

use self::examples::{EXAMPLE_ID, EXAMPLE_INSTANT};
use self::operations::Of;
use self::parameters::{common_filters, query, tenant_id};
use self::schemas::{input_schema, list_of, patch_schema, shared_schemas};
use super::kind::pascal;
use super::registry::Registry;
use super::spine;

/// Paths and component schemas of all kinds, to be merged into the document.
pub fn document(registry: &Registry) -> (Map<String, Value>, Map<String, Value>) {
    let mut paths = Map::new();
    let mut schemas = Map::new();
    shared_schemas(&mut schemas);
    for entry in registry.entries() {
        schemas.extend(entry.components.clone());
        let name = pascal(entry.info.name);
        schemas.insert(
            name.clone(),
            spine::output_schema(&entry.body_schema, entry.info.about),
        );
        schemas.insert(format!("{name}Input"), input_schema(entry));
        schemas.insert(format!("{name}Patch"), patch_schema(entry));
        for part in entry.parts {
            let item = entry
                .body_schema
                .pointer(&format!("/properties/{}/items", part.field));
            schemas.insert(
                format!("{name}{}", pascal(part.field)),
                item.cloned().unwrap_or(json!({})),
            );
        }
        paths.extend(Of { entry, name }.paths());
    }
    paths.insert(
        "/v1/tenants/{tenant_id}/records".to_owned(),
        json!({"get": search(registry)}),
    );
    (paths, schemas)
}

fn search(registry: &Registry) -> Value {
    let kinds: Vec<_> = registry
        .entries()
        .iter()
        .map(|entry| entry.info.name)
        .collect();
    let mut parameters = vec![tenant_id()];
    let about = format!("One or more of {}, separated by commas.", kinds.join(", "));
    parameters.push(query("kind", json!({"type": "string"}), &about));
    parameters.extend(common_filters());
    json!({
        "operationId": "search_records",
        "summary": "Search records of all kinds",
        "description": "Records of any kind by text, state, owner and date.",
        "tags": ["Records"],
        "parameters": parameters,
        "responses": {"200": {"description": "A page of records.", "content": {"application/json": {
            "schema": list_of("FoundRecord"),
            "example": {"items": [{"id": EXAMPLE_ID, "kind": "risk", "ref": "RSK-014", "title": "Proxy discrimination", "status": "identified", "owner_id": null, "updated_at": EXAMPLE_INSTANT}], "next_cursor": null},
        }}}},
    })
}

/// Sets a field of a JSON object.
fn set(value: &mut Value, name: &str, to: Value) {
    if let Value::Object(fields) = value {
        fields.insert(name.to_owned(), to);
    }
}
