//! Bodies: whole floats are integers, and what is refused is told in words, at its place.

use aims::app::kinds;
use reqwest::Method;
use serde_json::{Value, json};

use super::operations::{document, operations};
use super::stage::{Stage, rehearsal};
use crate::support::Answer;

/// Words of programmers and of patterns, which say nothing to a client.
const FOREIGN_WORDS: &[&str] = &[
    "invalid type",
    "invalid value",
    "expected",
    "i16",
    "i32",
    "i64",
    "u32",
    "struct",
    "enum",
    "variant",
    "missing field",
    "unknown field",
    "untagged",
    "at line",
    "Option",
    "String(",
    "^[",
    "\\S",
    "null value",
    "constraint",
];

/// Values of every type of JSON.
fn odd_values() -> [Value; 7] {
    [
        json!({}),
        json!([]),
        json!([7]),
        json!(1.5),
        json!("x"),
        json!(true),
        json!(null),
    ]
}

fn pointers_in(value: &Value, at: &str, found: &mut Vec<String>) {
    let mut visit = |step: String, part: &Value| {
        let at = format!("{at}/{step}");
        found.push(at.clone());
        pointers_in(part, &at, found);
    };
    match value {
        Value::Object(fields) => fields
            .iter()
            .for_each(|(name, part)| visit(name.clone(), part)),
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items.for_each(|(index, part)| visit(index.to_string(), part));
        }
        _ => {}
    }
}

fn assert_told_in_words(what: &str, answer: &Answer) {
    assert!(answer.status < 500, "{what}: {}", answer.text);
    if answer.status != 422 {
        return;
    }
    let body = answer.json();
    if body["rule"].is_string() {
        return;
    }
    let errors = body["errors"].as_array().unwrap();
    assert!(!errors.is_empty(), "{what}: {body}");
    for error in errors {
        assert_ne!(error["pointer"], "", "{what}: {body}");
        let detail = error["detail"].as_str().unwrap();
        for word in FOREIGN_WORDS {
            assert!(!detail.contains(word), "{what}: {detail}");
        }
    }
}

#[actix_web::test]
async fn a_refused_record_is_told_where_and_in_words() {
    let stage = Stage::set(rehearsal().await).await;
    for entry in kinds().entries() {
        let input = stage.input(entry).await;
        let mut pointers = Vec::new();
        pointers_in(&input, "", &mut pointers);
        for pointer in pointers {
            for odd in odd_values() {
                let mut body = input.clone();
                *body.pointer_mut(&pointer).unwrap() = odd;
                let what = format!(
                    "{} {pointer} {}",
                    entry.info.name,
                    body.pointer(&pointer).unwrap()
                );
                let (path, body) = (stage.list(entry), Some(body.to_string()));
                let answer = stage.author.api.send(Method::POST, &path, &[], body).await;
                assert_told_in_words(&what, &answer);
            }
        }
    }
}

#[actix_web::test]
async fn other_refused_bodies_are_told_where_and_in_words() {
    let stage = Stage::set(rehearsal().await).await;
    for operation in operations() {
        let content = operation.spec["requestBody"]["content"].as_object();
        let body = content.and_then(|content| content.values().next());
        let schema = body.map_or(&Value::Null, |body| &body["schema"]);
        let name = schema["$ref"]
            .as_str()
            .or(schema["oneOf"][1]["$ref"].as_str());
        let Some(name) = name.filter(|_| operation.of_kind().is_none()) else {
            continue;
        };
        let fields = document().pointer(name.trim_start_matches('#')).unwrap();
        let path = operation
            .path
            .replace("{tenant_id}", &stage.client.id.to_string())
            .replace("{consultancy_id}", &stage.firm.id.to_string())
            .replace("{engagement_id}", &stage.client.engagement_id.to_string());
        // Signing out is no refusal.
        if path.contains('{') || path == "/v1/auth/logout" {
            continue;
        }
        for field in fields["properties"].as_object().into_iter().flatten() {
            for odd in odd_values() {
                let method = Method::from_bytes(operation.method.as_bytes()).unwrap();
                let body = json!({field.0: odd}).to_string();
                let what = format!("{method} {path} {body}");
                let owner = &stage.firm.owner.api;
                let answer = owner
                    .send(method, &path, &[("If-Match", "*")], Some(body))
                    .await;
                assert_told_in_words(&what, &answer);
            }
        }
    }
}

/// All whole numbers as floats.
fn floated(value: &Value) -> String {
    match value {
        Value::Number(number) if number.is_i64() || number.is_u64() => format!("{number}.0"),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(floated).collect();
            format!("[{}]", items.join(","))
        }
        Value::Object(fields) => {
            let fields = fields.iter();
            let fields: Vec<String> = fields
                .map(|(name, part)| format!("{}:{}", json!(name), floated(part)))
                .collect();
            format!("{{{}}}", fields.join(","))
        }
        other => other.to_string(),
    }
}

#[actix_web::test]
async fn whole_floats_are_integers() {
    let stage = Stage::set(rehearsal().await).await;
    let mut floats = 0;
    for entry in kinds().entries() {
        let input = stage.input(entry).await;
        let body = floated(&input);
        floats += body.matches(".0").count();
        let path = stage.list(entry);
        let answer = stage
            .author
            .api
            .send(Method::POST, &path, &[], Some(body))
            .await;
        let made = answer.expect(201).json();
        for (name, value) in input.as_object().unwrap() {
            if value.is_number() {
                assert_eq!(made[name], *value, "{} {name}", entry.info.name);
            }
        }
    }
    assert!(floats > 0);
    let size = Some("{\"size\": 240.0}".to_owned());
    let headers = [("If-Match", "*")];
    let path = &stage.client.base;
    let changed = stage
        .author
        .api
        .send(Method::PATCH, path, &headers, size)
        .await;
    assert_eq!(changed.expect(200).json()["size"], 240);
}
