//! What holds for the whole document once its parts are together: how pages are called, which
//! fields of answers are always there, and that nothing stands in it that nobody refers to.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// How the derive calls the page of a list of something.
const PAGE_OF: &str = "Listing_";
/// Marks a property of an answer that is left out where it does not apply; taken out.
pub const SOMETIMES: &str = "x-sometimes";
/// Where schemas are.
const SCHEMAS: &str = "#/components/schemas/";
/// A JSON merge patch (RFC 7396).
pub(in crate::http) const MERGE_PATCH: &str = "application/merge-patch+json";
/// Groups of components that are pruned.
const PRUNED: &[&str] = &["schemas", "examples", "parameters", "headers", "responses"];

/// Calls the page of a list of `Risk` `RiskPage`, with its items by reference.
pub(super) fn name_pages(doc: &mut Value) {
    let Some(Value::Object(schemas)) = doc.pointer_mut("/components/schemas") else {
        return;
    };
    let pages: Vec<String> = schemas
        .keys()
        .filter(|name| name.starts_with(PAGE_OF))
        .cloned()
        .collect();
    let mut renamed = Vec::new();
    for old in pages {
        let item = old.trim_start_matches(PAGE_OF).to_owned();
        let Some(mut page) = schemas.remove(&old) else {
            continue;
        };
        if let Some(items) = page.pointer_mut("/properties/items") {
            let of_page = std::mem::replace(
                items,
                json!({"type": "array", "items": {"$ref": format!("{SCHEMAS}{item}")}}),
            );
            if let Some(shown) = of_page.get("items") {
                schemas.entry(item.clone()).or_insert_with(|| shown.clone());
            }
        }
        schemas.insert(format!("{item}Page"), page);
        renamed.push((format!("{SCHEMAS}{old}"), format!("{SCHEMAS}{item}Page")));
    }
    each_reference(doc, &mut |target| {
        if let Some((_, new)) = renamed.iter().find(|(old, _)| old == target) {
            target.clone_from(new);
        }
    });
}

fn each_reference(value: &mut Value, visit: &mut impl FnMut(&mut String)) {
    match value {
        Value::Object(fields) => {
            for (key, inner) in fields {
                match inner {
                    Value::String(target) if key == "$ref" => visit(target),
                    inner => each_reference(inner, visit),
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                each_reference(item, visit);
            }
        }
        _ => {}
    }
}

/// In answers `null` stands for what is not there: the fields of schemas that nobody sends are
/// required, save those marked [`SOMETIMES`].
pub(super) fn require_answers(doc: &mut Value) {
    let mut sent = BTreeSet::new();
    let requests = each_operation(doc).filter_map(|operation| operation.get("requestBody"));
    for request in requests {
        reach(doc, request, &mut sent);
    }
    let explicit: BTreeSet<String> = each_schema(doc)
        .filter(|(_, schema)| schema.get("required").is_none() && schema.get("allOf").is_some())
        .map(|(name, _)| name.clone())
        .collect();
    let Some(Value::Object(schemas)) = doc.pointer_mut("/components/schemas") else {
        return;
    };
    for (name, schema) in schemas {
        let is_sent = sent.contains(&format!("{SCHEMAS}{name}"));
        if !is_sent && !explicit.contains(name) && !is_partial(name, schema) {
            require(schema);
        }
        unmark(schema);
    }
}

/// Whether a schema says that only what was asked for is there.
fn is_partial(name: &str, schema: &Value) -> bool {
    name.ends_with("Fields") && schema.get("required").is_none()
}

fn require(schema: &mut Value) {
    let Some(Value::Object(properties)) = schema.get_mut("properties") else {
        return;
    };
    for property in properties.values_mut() {
        require(property);
    }
    let always = properties
        .iter()
        .filter(|(_, property)| property.get(SOMETIMES).is_none());
    let names: Vec<_> = always.map(|(name, _)| json!(name)).collect();
    if let (Value::Object(keys), false) = (schema, names.is_empty()) {
        keys.insert("required".to_owned(), json!(names));
    }
}

fn unmark(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove(SOMETIMES);
            fields.values_mut().for_each(unmark);
        }
        Value::Array(items) => items.iter_mut().for_each(unmark),
        _ => {}
    }
}

fn each_operation(doc: &Value) -> impl Iterator<Item = &Value> {
    let items = doc.get("paths").and_then(Value::as_object);
    items
        .into_iter()
        .flat_map(Map::values)
        .filter_map(Value::as_object)
        .flat_map(Map::values)
}

fn each_schema(doc: &Value) -> impl Iterator<Item = (&String, &Value)> {
    let schemas = doc
        .pointer("/components/schemas")
        .and_then(Value::as_object);
    schemas.into_iter().flatten()
}

/// Collects everything that is referred to from a value, directly or not.
fn reach(doc: &Value, value: &Value, reached: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (key, inner) in fields {
                match inner {
                    Value::String(target) if key == "$ref" => {
                        let pointer = target.trim_start_matches('#');
                        if reached.insert(target.clone())
                            && let Some(found) = doc.pointer(pointer)
                        {
                            reach(doc, found, reached);
                        }
                    }
                    inner => reach(doc, inner, reached),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| reach(doc, item, reached)),
        _ => {}
    }
}

/// Takes out the components that no operation reaches.
pub(super) fn prune(doc: &mut Value) {
    let mut reached = BTreeSet::new();
    if let Some(paths) = doc.get("paths") {
        reach(doc, paths, &mut reached);
    }
    let Some(Value::Object(components)) = doc.get_mut("components") else {
        return;
    };
    for group in PRUNED {
        if let Some(Value::Object(entries)) = components.get_mut(*group) {
            entries.retain(|name, _| reached.contains(&format!("#/components/{group}/{name}")));
        }
    }
}

/// Leaves the one media type of a patch that says what it is. Generators write a body of two types
/// twice, and some of them not so that it works; plain JSON is taken as well, which the head of the
/// document tells.
pub(super) fn one_media_type(operation: &mut Map<String, Value>) {
    let content = operation
        .get_mut("requestBody")
        .and_then(|body| body.get_mut("content"));
    if let Some(Value::Object(content)) = content
        && content.contains_key(MERGE_PATCH)
    {
        content.retain(|media, _| media == MERGE_PATCH);
    }
}

/// Whether the schema of an answer has a `version`: then the answer has it as its `ETag` too.
pub(super) fn has_version(doc: &Value, schema: &Value) -> bool {
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        let found = doc.pointer(target.trim_start_matches('#'));
        return found.is_some_and(|found| has_version(doc, found));
    }
    let version = schema.pointer("/properties/version/type");
    if version.is_some_and(|kind| kind == "integer") {
        return true;
    }
    let branches = schema.get("allOf").and_then(Value::as_array);
    branches
        .into_iter()
        .flatten()
        .any(|branch| has_version(doc, branch))
}
