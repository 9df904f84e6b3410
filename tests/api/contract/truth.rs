//! What the published documents say is true, and said so that generators of clients and public
//! validators understand it.

use std::collections::{BTreeMap, BTreeSet};

use aims::app::kinds;
use aims::http::openapi_3_0::convert;
use serde_json::{Map, Value, json};

use super::operations::published;

/// Keywords of a schema that hold schemas.
const ONE: [&str; 3] = ["items", "additionalProperties", "not"];
const LIST: [&str; 4] = ["allOf", "anyOf", "oneOf", "prefixItems"];
/// Fields that are closed sets wherever they stand.
const CLOSED: [&str; 9] = [
    "role", "roles", "stage", "service", "state", "status", "kind", "to_kind", "why",
];

/// Fields of that name that are no closed set: not only records have events and causes.
const OPEN: [&str; 2] = ["AuditEvent/kind", "ReviewCause/kind"];

/// Visits every schema of a document, with its place.
fn each_schema(document: &Value, visit: &mut dyn FnMut(&str, &Value)) {
    fn inside(at: &str, schema: &Value, visit: &mut dyn FnMut(&str, &Value)) {
        visit(at, schema);
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            inside(&format!("{at}/{name}"), property, visit);
        }
        for key in ONE {
            if schema[key].is_object() {
                inside(&format!("{at}/{key}"), &schema[key], visit);
            }
        }
        for key in LIST {
            for (index, branch) in schema[key].as_array().into_iter().flatten().enumerate() {
                inside(&format!("{at}/{key}/{index}"), branch, visit);
            }
        }
    }
    fn outside(at: &str, value: &Value, visit: &mut dyn FnMut(&str, &Value)) {
        match value {
            Value::Object(fields) => {
                for (name, field) in fields {
                    let at = format!("{at}/{name}");
                    match (name.as_str(), field) {
                        ("schema", field) => inside(&at, field, visit),
                        ("schemas", Value::Object(schemas)) => {
                            for (name, schema) in schemas {
                                inside(name, schema, visit);
                            }
                        }
                        ("example" | "examples", _) => {}
                        (_, field) => outside(&at, field, visit),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| outside(at, item, visit)),
            _ => {}
        }
    }
    outside("", document, visit);
}

fn faults(document: &Value, judge: impl Fn(&str, &Value) -> Option<String>) -> Vec<String> {
    let mut found = Vec::new();
    each_schema(document, &mut |at, schema| {
        found.extend(judge(at, schema).map(|fault| format!("{at}: {fault}")));
    });
    found
}

fn schemas() -> &'static Map<String, Value> {
    published()["components"]["schemas"].as_object().unwrap()
}

fn resolved(value: &'static Value) -> &'static Value {
    match value["$ref"].as_str() {
        Some(target) => resolved(published().pointer(&target[1..]).unwrap()),
        None => value,
    }
}

fn contents() -> Vec<(String, &'static Value)> {
    let mut all = Vec::new();
    for (path, item) in published()["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let responses = operation["responses"].as_object().unwrap();
            let bodies = responses
                .iter()
                .map(|(status, response)| (status.as_str(), resolved(response)))
                .chain([("body", &operation["requestBody"])]);
            for (part, body) in bodies {
                for (_, content) in body["content"].as_object().into_iter().flatten() {
                    all.push((format!("{method} {path} {part}"), content));
                }
            }
        }
    }
    all
}

#[test]
fn every_example_is_what_its_schema_says() {
    let components = json!({"schemas": schemas()});
    let check = |what: &str, schema: &Value, example: &Value| {
        let root = json!({"$schema": "https://json-schema.org/draft/2020-12/schema", "allOf": [schema], "components": components});
        let validator = jsonschema::validator_for(&root).unwrap();
        let told: Vec<_> = validator
            .iter_errors(example)
            .map(|fault| fault.to_string())
            .collect();
        assert!(told.is_empty(), "example of {what}: {told:?}");
    };
    let mut seen = BTreeSet::new();
    for (what, content) in contents() {
        let mut examples = vec![&content["example"]];
        for (_, example) in content["examples"].as_object().into_iter().flatten() {
            examples.push(&resolved(example)["value"]);
        }
        for example in examples.into_iter().filter(|example| !example.is_null()) {
            if seen.insert(format!("{} {example}", content["schema"])) {
                check(&what, &content["schema"], example);
            }
        }
    }
    assert!(seen.len() > 50, "{}", seen.len());
    for (name, schema) in schemas() {
        if let Some(example) = schema.get("example") {
            check(name, schema, example);
        }
    }
}

#[test]
fn bodies_and_items_have_a_name() {
    let named = |schema: &Value| {
        let is_plain = schema.get("properties").is_none() && schema.get("allOf").is_none();
        schema["$ref"].is_string() || is_plain
    };
    for (what, content) in contents() {
        let schema = &content["schema"];
        assert!(named(schema), "{what}: give the schema a name");
        let branches = ["anyOf", "oneOf"]
            .iter()
            .find_map(|key| schema[*key].as_array());
        for branch in branches.into_iter().flatten() {
            assert!(named(branch), "{what}: give each branch a name");
        }
    }
    let found = faults(published(), |_, schema| {
        (!named(&schema["items"])).then(|| "give the items a name".to_owned())
    });
    assert_eq!(found, Vec::<String>::new());
    for name in schemas().keys() {
        let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        assert!(
            plain && name.starts_with(|first: char| first.is_ascii_uppercase()),
            "{name} is no name for a type"
        );
    }
}

#[test]
fn every_object_has_a_shape() {
    let found = faults(published(), |at, schema| {
        let is_object = schema["type"] == "object"
            || schema["type"]
                .as_array()
                .is_some_and(|types| types.contains(&json!("object")));
        let keys = [
            "properties",
            "additionalProperties",
            "allOf",
            "anyOf",
            "oneOf",
        ];
        let is_shaped = keys.iter().any(|key| schema.get(*key).is_some());
        // Any further field of any form is a shape.
        let is_empty =
            schema.as_object().is_some_and(Map::is_empty) && !at.ends_with("additionalProperties");
        ((is_object && !is_shaped) || is_empty).then(|| "say what is in it".to_owned())
    });

    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn patterns_mean_the_same_to_every_validator() {
    let found = faults(published(), |_, schema| {
        let pattern = schema["pattern"].as_str()?;
        // A class and its opposite together are every character, whatever the class is.
        let rest = pattern.replace(r"[\s\S]", "");
        let is_class = |class: &str| rest.contains(class);
        let classes = [r"\s", r"\S", r"\w", r"\W", r"\d", r"\D", r"\b", r"\p"];
        let is_anchored = pattern.starts_with('^') && pattern.ends_with('$');
        (!is_anchored || classes.into_iter().any(is_class))
            .then(|| format!("{pattern} is read differently; anchor it and list the characters"))
    });

    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn closed_sets_are_told_wherever_they_stand() {
    let mut found = Vec::new();
    each_schema(published(), &mut |at, schema| {
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let items = match property.get("items") {
                Some(items) => items,
                None => property,
            };
            let is_open = items["type"] == "string" && items.get("enum").is_none();
            let at = format!("{at}/{name}");
            if CLOSED.contains(&name.as_str()) && is_open && !OPEN.contains(&at.as_str()) {
                found.push(at);
            }
        }
    });

    assert_eq!(found, Vec::<String>::new(), "name the enum that there is");
}

#[test]
fn what_answers_always_have_is_required() {
    let mut sent = BTreeSet::new();
    fn reach(value: &'static Value, reached: &mut BTreeSet<&'static str>) {
        match value {
            Value::Object(fields) => {
                for (key, inner) in fields {
                    match inner {
                        Value::String(target) if key == "$ref" => {
                            if reached.insert(target) {
                                reach(published().pointer(&target[1..]).unwrap(), reached);
                            }
                        }
                        inner => reach(inner, reached),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| reach(item, reached)),
            _ => {}
        }
    }
    let operations = published()["paths"].as_object().unwrap().values();
    for operation in operations.flat_map(|item| item.as_object().unwrap().values()) {
        reach(&operation["requestBody"], &mut sent);
    }
    let mut optional: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, schema) in schemas() {
        let is_sent = sent.contains(format!("#/components/schemas/{name}").as_str());
        if is_sent || name.ends_with("Fields") {
            continue;
        }
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        for field in schema["properties"].as_object().into_iter().flatten() {
            if !required.contains(&json!(field.0)) {
                optional.entry(name).or_default().push(field.0);
            }
        }
    }
    // What a problem has only where it applies, what `expand` adds, and what is counted for some.
    let expected = BTreeMap::from([
        ("Problem", vec!["allowed", "errors", "rule"]),
        ("Record", vec!["owner"]),
        ("AcknowledgementPage", vec!["tally"]),
    ]);

    assert_eq!(optional, expected);
}

#[test]
fn patches_have_no_defaults_and_require_nothing() {
    let patches = schemas().iter().filter(|(name, _)| name.ends_with("Patch"));
    let mut tried = 0;
    for (name, patch) in patches {
        tried += 1;
        assert!(patch.get("required").is_none(), "{name}");
        for (field, schema) in patch["properties"].as_object().unwrap() {
            assert!(schema.get("default").is_none(), "{name}/{field}");
        }
    }
    assert!(tried > 10);
}

#[test]
fn names_of_types_stand_for_one_thing() {
    let mut known: BTreeMap<&str, &Value> = BTreeMap::new();
    for entry in kinds().entries() {
        let of_rows = entry.rows.iter().flat_map(|rows| &rows.components);
        for (name, schema) in entry.components.iter().chain(of_rows) {
            let first = known.entry(name).or_insert(schema);
            assert_eq!(
                *first, schema,
                "two types are called {name}; the one of {} needs another name",
                entry.info.name
            );
        }
    }
    for (name, schema) in known {
        let told = &schemas()[name];
        for key in ["enum", "type"] {
            let grows = ["RecordKind", "RecordState"].contains(&name);
            assert!(
                grows || told[key] == schema[key],
                "the document tells another {name} than the kinds have: {told}"
            );
        }
    }
}

#[test]
fn sentences_have_the_right_article() {
    fn texts(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                for (key, inner) in fields {
                    match inner {
                        Value::String(text)
                            if ["summary", "description", "title"].contains(&key.as_str()) =>
                        {
                            found.push(text.clone());
                        }
                        inner => texts(inner, found),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
            _ => {}
        }
    }
    let mut all = Vec::new();
    texts(published(), &mut all);
    for text in all {
        let words: Vec<&str> = text.split_whitespace().collect();
        for (place, pair) in words.windows(2).enumerate() {
            // In the middle of a sentence a capital A is a name, such as that of an annex.
            let begins = place == 0 || words[place - 1].ends_with(['.', ':']);
            let is_article = pair[0] == "a" || (pair[0] == "A" && begins);
            let vowel = pair[1].starts_with(['a', 'e', 'i', 'o', 'A', 'E', 'I', 'O']);
            let one = ["one", "once"].iter().any(|word| pair[1].starts_with(word));
            assert!(
                !is_article || !vowel || one,
                "“{} {}” in: {text}",
                pair[0],
                pair[1]
            );
        }
    }
}

#[test]
fn the_head_is_complete() {
    let document = published();
    let version: Vec<_> = document["info"]["version"]
        .as_str()
        .unwrap()
        .split('.')
        .map(str::parse::<u32>)
        .collect();
    assert!(version.len() == 3 && version.iter().all(Result::is_ok));
    for tag in document["tags"].as_array().unwrap() {
        assert!(!tag["description"].as_str().unwrap().is_empty(), "{tag}");
    }
    assert!(document["components"]["parameters"]["If-Match"]["schema"]["pattern"].is_string());
}

#[test]
fn the_document_for_older_generators_keeps_to_their_words() {
    let older = convert(published().clone());
    let found = faults(&older, |_, schema| {
        if schema["required"].as_array().is_some_and(Vec::is_empty) {
            return Some("nothing is required".to_owned());
        }
        if schema.get("nullable").is_some() && schema.get("type").is_none() {
            return Some("nullable without a type".to_owned());
        }
        let is_new =
            schema["type"].is_array() || schema["type"] == "null" || schema.get("const").is_some();
        is_new.then(|| "is of OpenAPI 3.1".to_owned())
    });
    assert_eq!(found, Vec::<String>::new());
    let nullable = |value: &Value| value.pointer("/schema/nullable") == Some(&json!(true));
    for (name, header) in older["components"]["headers"].as_object().unwrap() {
        assert!(!nullable(header), "{name}");
    }
    for (path, item) in older["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                assert!(!nullable(parameter), "{method} {path} {parameter}");
            }
            if let Some(content) = operation["requestBody"]["content"].as_object() {
                let media: Vec<_> = content.keys().collect();
                assert_eq!(media, ["application/json"], "{method} {path}");
            }
        }
    }
}
