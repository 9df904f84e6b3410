//! Every answer that any test gets is one that the document tells: its status, its form and its
//! headers.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, RwLock};

use aims::http::operations::Operations;
use jsonschema::Validator;
use reqwest::Method;
use serde_json::{Value, json};

use super::client::Answer;

/// What the edge of the server answers whatever the operation: methods that are not offered, and
/// requests too slow or too large to be read.
const OF_THE_EDGE: [u16; 5] = [405, 408, 413, 414, 431];
/// Headers that are told with the answers that have them.
const TOLD: [&str; 6] = [
    "ETag",
    "Location",
    "Link",
    "Idempotency-Replayed",
    "Retry-After",
    "WWW-Authenticate",
];

struct Published {
    document: Value,
    operations: Operations,
}

static PUBLISHED: LazyLock<Published> = LazyLock::new(|| {
    let document = aims::app::document().unwrap();
    let operations = Operations::new(&document);
    Published {
        document,
        operations,
    }
});

/// Fails the test when the document does not know this answer.
pub fn check(method: &Method, target: &str, answer: &Answer) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let Some(pattern) = PUBLISHED.operations.pattern(path) else {
        return;
    };
    // HEAD is GET without the body.
    let verb = if method == Method::HEAD {
        "get".to_owned()
    } else {
        method.as_str().to_lowercase()
    };
    let operation = &PUBLISHED.document["paths"][&*pattern][&verb];
    let what = format!("{method} {target}: {}", answer.status);
    if operation.is_null() {
        assert!(
            method == Method::OPTIONS || answer.status >= 400,
            "{what}, but there is no such operation"
        );
        return;
    }
    let response = &operation["responses"][answer.status.to_string()];
    if response.is_null() {
        assert!(
            OF_THE_EDGE.contains(&answer.status),
            "{what} is not documented; name it in `x-problems`. {}",
            answer.text
        );
        return;
    }
    let response = resolved(response);
    check_headers(&what, query, response, answer);
    if method != Method::HEAD {
        let key = format!("{verb} {pattern} {}", answer.status);
        check_body(&what, &key, response, answer);
    }
}

fn resolved(value: &'static Value) -> &'static Value {
    match value["$ref"].as_str() {
        Some(target) => PUBLISHED.document.pointer(&target[1..]).unwrap(),
        None => value,
    }
}

fn check_headers(what: &str, query: &str, response: &Value, answer: &Answer) {
    for name in TOLD {
        let is_told = !response["headers"][name].is_null();
        assert!(
            is_told || answer.header(name).is_none(),
            "{what} has the header {name}, of which the document tells nothing"
        );
    }
    let told = |name: &str| !response["headers"][name].is_null();
    let is_shaped = query.contains("fields=") || query.contains("expand=");
    assert!(
        !told("ETag") || is_shaped != answer.header("ETag").is_some(),
        "{what}: there is an ETag, unless `fields` or `expand` shaped the answer"
    );
    for name in ["Location", "X-Request-Id"] {
        assert!(
            !told(name) || answer.header(name).is_some(),
            "{what} lacks the documented header {name}"
        );
    }
}

fn check_body(what: &str, key: &str, response: &'static Value, answer: &Answer) {
    let Some(content) = response["content"].as_object() else {
        assert_eq!(answer.text, "", "{what} has a body");
        return;
    };
    let media = answer.header("Content-Type").unwrap_or_default();
    let media = media.split(';').next().unwrap_or_default();
    let Some(told) = content.get(media) else {
        panic!("{what} is {media}, not one of {:?}", content.keys());
    };
    let validator = validator(key, &told["schema"]);
    let body: Value = serde_json::from_str(&answer.text)
        .unwrap_or_else(|fault| panic!("{what}: {fault}: {}", answer.text));
    let faults: Vec<String> = validator
        .iter_errors(&body)
        .map(|fault| format!("{} {fault}", fault.instance_path()))
        .collect();
    assert!(
        faults.is_empty(),
        "{what} is not as the document says: {}\n{body}",
        faults.join("\n")
    );
}

/// The compiled schema of an answer.
fn validator(key: &str, schema: &Value) -> Arc<Validator> {
    static KNOWN: LazyLock<RwLock<HashMap<String, Arc<Validator>>>> =
        LazyLock::new(RwLock::default);
    // Most errors have the same schema.
    let key = match schema["$ref"].as_str() {
        Some(target) => target,
        None => key,
    };
    if let Some(known) = KNOWN.read().unwrap().get(key) {
        return Arc::clone(known);
    }
    let root = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "allOf": [schema],
        "components": {"schemas": PUBLISHED.document["components"]["schemas"]},
    });
    let validator = Arc::new(jsonschema::validator_for(&root).unwrap());
    let mut known = KNOWN.write().unwrap();
    Arc::clone(known.entry(key.to_owned()).or_insert(validator))
}
