//! Parameters that operations share.

use serde_json::{Value, json};

use super::super::list::SORTS;

pub(super) fn parameter(place: &str, name: &str, schema: Value, about: &str) -> Value {
    json!({"in": place, "name": name, "required": place == "path", "schema": schema, "description": about})
}

pub(super) fn query(name: &str, schema: Value, about: &str) -> Value {
    parameter("query", name, schema, about)
}

pub(super) fn uuid() -> Value {
    json!({"type": "string", "format": "uuid"})
}

pub(super) fn tenant_id() -> Value {
    parameter("path", "tenant_id", uuid(), "The tenant.")
}

pub(super) fn if_match() -> Value {
    let mut header = parameter(
        "header",
        "If-Match",
        json!({"type": "string", "example": "\"v1\""}),
        "The ETag you read.",
    );
    super::set(&mut header, "required", json!(true));
    header
}

pub(super) fn idempotency_key() -> Value {
    parameter(
        "header",
        "Idempotency-Key",
        json!({"type": "string", "minLength": 1, "maxLength": 255}),
        "Makes a repeated request have its effect once; kept for 24 hours.",
    )
}

pub(super) fn paging() -> [Value; 2] {
    [
        query(
            "limit",
            json!({"type": "integer", "minimum": 1, "maximum": 200, "default": 50}),
            "Items on a page.",
        ),
        query(
            "cursor",
            json!({"type": "string"}),
            "`next_cursor` of the page before, with the same filters and sort.",
        ),
    ]
}

pub(super) fn common_filters() -> Vec<Value> {
    let mut parameters = paging().to_vec();
    let sorts: Vec<_> = SORTS
        .iter()
        .flat_map(|name| [(*name).to_owned(), format!("-{name}")])
        .collect();
    parameters.extend([
        query(
            "sort",
            json!({"type": "string", "enum": sorts, "default": "-created_at"}),
            "Order; `-` turns it round.",
        ),
        query(
            "q",
            json!({"type": "string", "maxLength": 100}),
            "Text in title or reference.",
        ),
        query(
            "status",
            json!({"type": "string"}),
            "One or more states, separated by commas.",
        ),
        query("owner_id", uuid(), "The person responsible."),
        query(
            "updated_since",
            json!({"type": "string", "format": "date-time"}),
            "Changed at or after this instant.",
        ),
        query(
            "archived",
            json!({"type": "boolean", "default": false}),
            "True: the archived ones instead.",
        ),
    ]);
    parameters
}
