//! The components of the document that are the same for all operations: problems, headers and
//! how to sign in.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::super::query::{LIMIT_DEFAULT, LIMIT_MOST};
use super::super::{etag, schema};
use super::tidy::SOMETIMES;
use crate::problem::{FieldError, Problem, ProblemBody, ProblemType};

/// Headers of every answer.
pub(super) const ALWAYS: &[&str] = &["X-Request-Id", "RateLimit", "RateLimit-Policy"];
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
                "description": "An access token, as signing in gives it.",
            }),
        )],
    );
    let (mut problem, _) = schema::of::<ProblemBody>();
    for name in ["errors", "rule", "allowed"] {
        if let Some(Value::Object(field)) = problem.pointer_mut(&format!("/properties/{name}")) {
            field.insert(SOMETIMES.to_owned(), json!(true));
        }
    }
    let (field_error, _) = schema::of::<FieldError>();
    part(
        "schemas",
        vec![
            ("Problem".to_owned(), problem),
            ("FieldError".to_owned(), field_error),
        ],
    );
    part("headers", headers());
    let parameters = PARAMETERS
        .iter()
        .map(|known| (known.name.to_owned(), known.to_json()));
    part("parameters", parameters.collect());
    let statuses: BTreeSet<u16> = ProblemType::ALL.iter().map(|kind| kind.status()).collect();
    part(
        "responses",
        statuses
            .into_iter()
            .map(|status| (name_of(status), response(status)))
            .collect(),
    );
}

/// A parameter that many operations take.
pub(super) struct Common {
    place: &'static str,
    name: &'static str,
    about: &'static str,
    schema: fn() -> Value,
}

/// The same wherever they are taken; `If-Match` is always needed.
const PARAMETERS: &[Common] = &[
    Common {
        place: "header",
        name: "If-Match",
        about: "The ETag you read: `\"v3\"` for `version` 3. `*` stands for any version.",
        schema: || json!({"type": "string", "pattern": etag::PATTERN, "example": "\"v1\""}),
    },
    Common {
        place: "header",
        name: "If-None-Match",
        about: "The ETag you have; 304 when it is still the present one.",
        schema: || json!({"type": "string", "example": "\"v1\""}),
    },
    Common {
        place: "header",
        name: "Idempotency-Key",
        about: "Makes a repeated request have its effect once; kept for 24 hours.",
        schema: || json!({"type": "string", "minLength": 1, "maxLength": 255}),
    },
    Common {
        place: "query",
        name: "limit",
        about: "Items on a page.",
        schema: || json!({"type": "integer", "minimum": 1, "maximum": LIMIT_MOST, "default": LIMIT_DEFAULT}),
    },
    Common {
        place: "query",
        name: "cursor",
        about: "`next_cursor` of the page before, with the same filters and sort.",
        schema: || json!({"type": "string"}),
    },
];

impl Common {
    fn to_json(&self) -> Value {
        json!({
            "in": self.place, "name": self.name, "required": self.name == "If-Match",
            "schema": (self.schema)(), "description": self.about,
        })
    }
}

/// A reference to the component for a parameter that is the same wherever it is taken.
pub(super) fn common_parameter(parameter: &Value) -> Option<Value> {
    let is = |key: &str, wanted: &str| parameter.get(key).and_then(Value::as_str) == Some(wanted);
    let known = PARAMETERS
        .iter()
        .find(|known| is("in", known.place) && is("name", known.name))?;
    Some(json!({"$ref": format!("#/components/parameters/{}", known.name)}))
}

fn headers() -> Vec<(String, Value)> {
    [
        (
            "X-Request-Id",
            "Id of the request; quote it when you ask for help.",
        ),
        (
            "ETag",
            "Version of the resource, for If-Match; left out of what `fields` or `expand` shaped.",
        ),
        ("Location", "Address of what was made."),
        (
            "Link",
            "Address of the next page, `rel=\"next\"`; left out on the last one.",
        ),
        (
            "Idempotency-Replayed",
            "`true`: this is the answer to the first request with this key.",
        ),
        (
            "RateLimit",
            "What is left of the quota: r requests; whole again in t seconds.",
        ),
        ("RateLimit-Policy", "The quota: q requests in w seconds."),
        ("WWW-Authenticate", "The scheme to sign in with."),
        ("Allow", "The methods offered here."),
    ]
    .into_iter()
    .map(|(name, about)| (name, about, json!({"type": "string"})))
    .chain([(
        "Retry-After",
        "Seconds after which trying again makes sense.",
        json!({"type": "integer"}),
    )])
    .map(|(name, about, schema)| {
        (
            name.to_owned(),
            json!({ "description": about, "schema": schema }),
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
        429 => &["Retry-After"],
        503 => &["Retry-After"],
        _ => &[],
    };
    let headers: Map<String, Value> = ALWAYS
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
    let mut body = problem.body("https://aims.example");
    body.instance = Some("/v1/me".to_owned());
    body.request_id = Some("019a2b3c-4d5e-7f60-8a1b-2c3d4e5f6071".to_owned());
    serde_json::to_value(body).unwrap_or_default()
}
