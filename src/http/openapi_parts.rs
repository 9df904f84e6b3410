//! The components of the document that are the same for all operations: problems, headers and
//! how to sign in.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::super::schema;
use crate::problem::{FieldError, Problem, ProblemBody, ProblemType};

/// Where the schema of problems is.
const PROBLEM: &str = "#/components/schemas/Problem";

/// The name of the component for a status: that of its first problem type.
pub(super) fn name_of(status: u16) -> String {
    let kind = ProblemType::ALL.iter().find(|kind| kind.status() == status);
    kind.map_or_else(|| format!("Status{status}"), |kind| format!("{kind:?}"))
}

/// A reference to a component header.
pub(super) fn header(name: &str) -> Value {
    json!({ "$ref": format!("#/components/headers/{name}") })
}

/// Adds the components to the top of a document.
pub(super) fn complete_components(top: &mut Map<String, Value>) {
    let components = top.entry("components").or_insert_with(|| json!({}));
    let Value::Object(components) = components else {
        return;
    };
    let mut part = |name: &str, entries: Vec<(String, Value)>| {
        let part = components.entry(name).or_insert_with(|| json!({}));
        if let Value::Object(part) = part {
            part.extend(entries);
        }
    };
    part(
        "securitySchemes",
        vec![(
            "bearer".to_owned(),
            json!({
                "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                "description": "An access token, or an API key.",
            }),
        )],
    );
    let (problem, _) = schema::of::<ProblemBody>();
    let (field_error, _) = schema::of::<FieldError>();
    part(
        "schemas",
        vec![
            ("Problem".to_owned(), problem),
            ("FieldError".to_owned(), field_error),
        ],
    );
    part("headers", headers());
    let statuses: BTreeSet<u16> = ProblemType::ALL.iter().map(|kind| kind.status()).collect();
    part(
        "responses",
        statuses
            .into_iter()
            .map(|status| (name_of(status), response(status)))
            .collect(),
    );
}

fn headers() -> Vec<(String, Value)> {
    [
        (
            "X-Request-Id",
            "string",
            "Id of the request; quote it when you ask for help.",
        ),
        ("ETag", "string", "Version of the resource, for If-Match."),
        (
            "Retry-After",
            "integer",
            "Seconds after which trying again makes sense.",
        ),
        (
            "RateLimit",
            "string",
            "What is left of the quota: r requests; whole again in t seconds.",
        ),
        (
            "RateLimit-Policy",
            "string",
            "The quota: q requests in w seconds.",
        ),
        ("WWW-Authenticate", "string", "The scheme to sign in with."),
        ("Allow", "string", "The methods offered here."),
    ]
    .into_iter()
    .map(|(name, kind, about)| {
        (
            name.to_owned(),
            json!({ "description": about, "schema": { "type": kind } }),
        )
    })
    .collect()
}

/// The component response of one status, with an example of each of its problem types.
fn response(status: u16) -> Value {
    let kinds = ProblemType::ALL
        .iter()
        .filter(|kind| kind.status() == status);
    let titles: Vec<&str> = kinds.clone().map(|kind| kind.title()).collect();
    let examples: Map<String, Value> = kinds
        .map(|kind| (kind.slug().to_owned(), json!({ "value": example(*kind) })))
        .collect();
    let more: &[&str] = match status {
        401 => &["WWW-Authenticate"],
        405 => &["Allow"],
        429 => &["Retry-After", "RateLimit", "RateLimit-Policy"],
        503 => &["Retry-After"],
        _ => &[],
    };
    let headers: Map<String, Value> = ["X-Request-Id"]
        .iter()
        .chain(more)
        .map(|name| ((*name).to_owned(), header(name)))
        .collect();
    json!({
        "description": format!("{}.", titles.join("; or: ")),
        "headers": headers,
        "content": { "application/problem+json": {
            "schema": { "$ref": PROBLEM },
            "examples": examples,
        } },
    })
}

fn example(kind: ProblemType) -> Value {
    let mut problem = match kind {
        ProblemType::Invalid => {
            Problem::invalid("/title", "must not be longer than 200 characters")
        }
        ProblemType::RuleRefused => {
            Problem::rule("RSK-2", "The residual risk has not been accepted.")
        }
        ProblemType::NotFound => Problem::not_found(),
        ProblemType::Unauthenticated => Problem::unauthenticated(),
        other => Problem::new(other, format!("{}.", other.title())),
    };
    problem.cause = None;
    let mut body = problem.body("");
    body.instance = Some("/v1/me".to_owned());
    body.request_id = Some("019a2b3c-4d5e-7f60-8a1b-2c3d4e5f6071".to_owned());
    serde_json::to_value(body).unwrap_or_default()
}
