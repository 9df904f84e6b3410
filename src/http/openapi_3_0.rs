//! OpenAPI 3.1 to 3.0, for generators that know no other.

use serde_json::{Map, Value, json};

use super::openapi::MERGE_PATCH;

/// Keywords of JSON Schema 2020-12 that 3.0 does not have and can do without.
const UNKNOWN: &[&str] = &[
    "$anchor",
    "$comment",
    "$defs",
    "$id",
    "$schema",
    "contains",
    "dependentRequired",
    "dependentSchemas",
    "else",
    "if",
    "maxContains",
    "minContains",
    "patternProperties",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
];

/// Null beside a reference is `nullable` with `allOf` here, as generators know it; a strict reader
/// would find fault with null in an example. Examples are for people, who read 3.1.
const EXAMPLES: &[&str] = &["example", "examples"];

/// Where the licence is, which has no identifier in 3.0.
const LICENSE: &str = "https://www.apache.org/licenses/LICENSE-2.0";

/// The document in version 3.0.3.
pub fn convert(mut document: Value) -> Value {
    type_nullable(&mut document);
    walk(&mut document);
    plain_json(&mut document);
    if let Value::Object(top) = &mut document {
        top.insert("openapi".to_owned(), json!("3.0.3"));
        top.remove("webhooks");
        top.remove("jsonSchemaDialect");
        if let Some(Value::Object(info)) = top.get_mut("info") {
            info.remove("summary");
            if let Some(Value::Object(license)) = info.get_mut("license") {
                license.remove("identifier");
                license.insert("url".to_owned(), json!(LICENSE));
            }
        }
    }
    document
}

/// Generators of that time know plain JSON only, which is taken for patches too.
fn plain_json(document: &mut Value) {
    let paths = document.get_mut("paths").and_then(Value::as_object_mut);
    let operations = paths
        .into_iter()
        .flat_map(Map::values_mut)
        .filter_map(Value::as_object_mut)
        .flat_map(Map::values_mut);
    for operation in operations {
        if let Some(Value::Object(content)) = operation.pointer_mut("/requestBody/content")
            && let Some(patch) = content.remove(MERGE_PATCH)
        {
            content.insert("application/json".to_owned(), patch);
        }
    }
}

/// Says the type beside a choice between null and a reference: `nullable` counts only with it.
fn type_nullable(document: &mut Value) {
    let types: Map<String, Value> = document
        .pointer("/components/schemas")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(name, schema)| {
            let kind = schema.get("type").cloned().unwrap_or(json!("object"));
            (format!("#/components/schemas/{name}"), kind)
        })
        .collect();
    type_choices(document, &types);
}

fn type_choices(value: &mut Value, types: &Map<String, Value>) {
    match value {
        Value::Object(keys) => {
            keys.values_mut()
                .for_each(|inner| type_choices(inner, types));
            let choice = ["oneOf", "anyOf"]
                .iter()
                .find_map(|name| keys.get(*name)?.as_array());
            let kind = match choice.map(Vec::as_slice) {
                Some([one, other]) => {
                    let is_null = |branch: &Value| branch.get("type") == Some(&json!("null"));
                    let target = |branch: &Value| types.get(branch.get("$ref")?.as_str()?).cloned();
                    match (is_null(one), is_null(other)) {
                        (true, false) => target(other),
                        (false, true) => target(one),
                        _ => None,
                    }
                }
                _ => None,
            };
            if let Some(kind) = kind {
                keys.entry("type").or_insert(kind);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| type_choices(item, types)),
        _ => {}
    }
}

/// Goes through what is not a schema.
fn walk(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|key, _| !EXAMPLES.contains(&key.as_str()));
            for (key, inner) in fields {
                match (key.as_str(), inner) {
                    ("schema", inner) => schema(inner),
                    ("schemas", Value::Object(schemas)) => schemas.values_mut().for_each(schema),
                    (_, inner) => walk(inner),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(walk),
        _ => {}
    }
}

fn schema(value: &mut Value) {
    match value {
        Value::Bool(true) => *value = json!({}),
        Value::Bool(false) => *value = json!({ "not": {} }),
        Value::Object(keys) => object(keys),
        _ => {}
    }
}

fn object(keys: &mut Map<String, Value>) {
    for name in UNKNOWN {
        keys.remove(*name);
    }
    for name in ["items", "not"] {
        if let Some(inner) = keys.get_mut(name) {
            schema(inner);
        }
    }
    if let Some(inner @ Value::Object(_)) = keys.get_mut("additionalProperties") {
        schema(inner);
    }
    if let Some(Value::Object(properties)) = keys.get_mut("properties") {
        properties.values_mut().for_each(schema);
    }
    if keys.remove("prefixItems").is_some() {
        keys.entry("items")
            .and_modify(|items| {
                if !items.is_object() {
                    *items = json!({})
                }
            })
            .or_insert_with(|| json!({}));
    }
    if let Some(constant) = keys.remove("const") {
        keys.insert("enum".to_owned(), json!([constant]));
    }
    keys.retain(|key, _| !EXAMPLES.contains(&key.as_str()));
    bounds(keys);
    content(keys);
    types(keys);
    branches(keys);
    reference(keys);
}

/// `exclusiveMinimum: 3` was a switch beside `minimum`.
fn bounds(keys: &mut Map<String, Value>) {
    for (exclusive, inclusive) in [
        ("exclusiveMinimum", "minimum"),
        ("exclusiveMaximum", "maximum"),
    ] {
        if keys.get(exclusive).is_some_and(Value::is_number)
            && let Some(limit) = keys.insert(exclusive.to_owned(), json!(true))
        {
            keys.insert(inclusive.to_owned(), limit);
        }
    }
}

/// Binary content was a format.
fn content(keys: &mut Map<String, Value>) {
    let encoded = keys.remove("contentEncoding").is_some();
    let media = keys.remove("contentMediaType").is_some();
    if encoded || media {
        let format = if encoded { "byte" } else { "binary" };
        keys.insert("type".to_owned(), json!("string"));
        keys.insert("format".to_owned(), json!(format));
    }
}

/// Lists of types became `nullable`, or branches.
fn types(keys: &mut Map<String, Value>) {
    let list = match keys.get("type") {
        Some(Value::Array(list)) => list.clone(),
        Some(Value::String(one)) if one == "null" => vec![json!("null")],
        _ => return,
    };
    let others: Vec<Value> = list
        .iter()
        .filter(|one| **one != json!("null"))
        .cloned()
        .collect();
    if others.len() < list.len() {
        keys.insert("nullable".to_owned(), json!(true));
    }
    match others.as_slice() {
        [] => {
            keys.remove("type");
            keys.insert("enum".to_owned(), json!([null]));
        }
        [one] => drop(keys.insert("type".to_owned(), one.clone())),
        more => {
            keys.remove("type");
            let branches: Vec<Value> = more.iter().map(|one| json!({ "type": one })).collect();
            keys.entry("anyOf").or_insert(Value::Array(branches));
        }
    }
}

/// A branch `null` becomes `nullable`; a single branch left is no choice any more.
fn branches(keys: &mut Map<String, Value>) {
    for name in ["allOf", "anyOf", "oneOf"] {
        let Some(Value::Array(mut list)) = keys.remove(name) else {
            continue;
        };
        let before = list.len();
        if name != "allOf" {
            list.retain(|branch| branch.get("type") != Some(&json!("null")));
        }
        let nullable = list.len() < before;
        list.iter_mut().for_each(schema);
        if nullable {
            keys.insert("nullable".to_owned(), json!(true));
        }
        match list.as_mut_slice() {
            [] => {}
            [Value::Object(only)] if nullable && !only.contains_key("$ref") => {
                for (key, value) in std::mem::take(only) {
                    keys.entry(key).or_insert(value);
                }
            }
            [_] if nullable => drop(keys.insert("allOf".to_owned(), Value::Array(list))),
            _ => drop(keys.insert(name.to_owned(), Value::Array(list))),
        }
    }
}

/// Beside `$ref` nothing else counted.
fn reference(keys: &mut Map<String, Value>) {
    if keys.len() > 1
        && let Some(target) = keys.remove("$ref")
    {
        let target = json!({ "$ref": target });
        match keys.get_mut("allOf") {
            Some(Value::Array(list)) => list.push(target),
            _ => drop(keys.insert("allOf".to_owned(), json!([target]))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(schema: Value) -> Value {
        let mut document = json!({ "components": { "schemas": { "X": schema } } });
        document = convert(document);
        document["components"]["schemas"]["X"].take()
    }

    #[test]
    fn schemas_are_put_in_the_old_words() {
        let pairs = [
            (
                json!({"type":["string","null"]}),
                json!({"type":"string","nullable":true}),
            ),
            (json!({"const":1}), json!({"enum":[1]})),
            (
                json!({"examples":[1,2],"type":"integer"}),
                json!({"type":"integer"}),
            ),
            (
                json!({"exclusiveMinimum":3}),
                json!({"minimum":3,"exclusiveMinimum":true}),
            ),
            (
                json!({"oneOf":[{"type":"null"},{"$ref":"#/a"}]}),
                json!({"allOf":[{"$ref":"#/a"}],"nullable":true}),
            ),
            (
                json!({"oneOf":[{"type":"null"},{"type":"integer"}]}),
                json!({"type":"integer","nullable":true}),
            ),
            (
                json!({"$ref":"#/a","description":"d"}),
                json!({"allOf":[{"$ref":"#/a"}],"description":"d"}),
            ),
            (json!({"$ref":"#/a"}), json!({"$ref":"#/a"})),
            (
                json!({"properties":{"const":{"type":["integer","null"]},"examples":{"const":"a"}}}),
                json!({"properties":{"const":{"type":"integer","nullable":true},
                    "examples":{"enum":["a"]}}}),
            ),
        ];
        for (new, old) in pairs {
            assert_eq!(converted(new.clone()), old, "{new}");
        }
    }
}
