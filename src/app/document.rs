//! The OpenAPI document of everything that the server offers.

use actix_web::App;
use serde_json::{Value, json};
use utoipa_actix_web::AppExt;

use super::{StartFault, fault, features, kinds};
use crate::http::openapi;
use crate::records;

/// The OpenAPI document: features with routes of their own, and all kinds.
pub fn document() -> Result<Value, StartFault> {
    let (_, api) = App::new()
        .into_utoipa_app()
        .configure(features)
        .split_for_parts();
    let mut document = serde_json::to_value(&api).map_err(fault)?;
    merge(&mut document, tags());
    merge(&mut document, records::document(kinds()));
    openapi::finish(document, "http://127.0.0.1").map_err(|faults| StartFault(faults.join("\n")))
}

/// The groups of operations that are not about records.
fn tags() -> Value {
    let about = [
        ("Sign-in", "Sessions, tokens and invitations."),
        ("Account", "The person who is signed in."),
        (
            "Consultancies",
            "Firms of consultants, their people and invitations.",
        ),
        (
            "Engagements",
            "What a firm does for a client, and who of it.",
        ),
        ("Portfolio", "All clients of a firm at a glance."),
        ("Tenants", "Client organisations."),
        (
            "Members",
            "People of a client, their roles and invitations.",
        ),
        ("Reminders", "What is due, and who is told when."),
        (
            "Catalogues",
            "Clauses and controls of standards, and how they correspond.",
        ),
        ("Health", "For load balancers."),
    ];
    let tags = about.map(|(name, about)| json!({"name": name, "description": about}));
    json!({"tags": tags})
}

/// Adds the entries of one document to another; lists are joined, each item once.
fn merge(document: &mut Value, more: Value) {
    match (document, more) {
        (Value::Object(fields), Value::Object(more)) => {
            for (name, value) in more {
                merge(fields.entry(name).or_insert(Value::Null), value);
            }
        }
        (Value::Array(items), Value::Array(more)) => {
            for item in more {
                if !items.contains(&item) {
                    items.push(item);
                }
            }
        }
        (place, value) => *place = value,
    }
}
