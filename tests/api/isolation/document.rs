//! The OpenAPI document as the sweeps read it: operations, bodies that could be right, and the
//! places of ids in them.

use std::sync::OnceLock;

use reqwest::Method;
use serde_json::{Map, Value, json};

/// Schemas nested deeper than this are not searched.
const DEPTH: usize = 8;

/// An operation of the document.
#[derive(Clone, Debug)]
pub struct Operation {
    pub id: String,
    pub method: Method,
    pub path: String,
    /// Names of the parameters in the path that are ids, in their order.
    pub ids: Vec<String>,
    /// The other parameters in the path.
    pub others: Vec<String>,
    /// Query parameters that are ids.
    pub queries: Vec<String>,
    /// Media type and schema of the body.
    pub body: Option<(String, Value)>,
    /// Whether it can be called without signing in.
    pub public: bool,
}

/// The document as it is published.
pub fn published() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| aims::app::document().unwrap())
}

/// The document with every operation that is described once for all kinds written out for each
/// of them, and with the parameters themselves in the place of references to them.
pub fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| {
        let mut document = published().clone();
        let mut paths = Map::new();
        for (path, item) in published()["paths"].as_object().unwrap() {
            let mut item = item.clone();
            for operation in item.as_object_mut().unwrap().values_mut() {
                let parameters = operation["parameters"].as_array_mut();
                for parameter in parameters.into_iter().flatten() {
                    *parameter = target(published(), parameter).clone();
                }
            }
            if path.contains("{kind}") {
                for kind in kind_paths() {
                    paths.insert(path.replace("{kind}", kind), of_kind(&item, kind));
                }
            } else {
                paths.insert(path.clone(), item);
            }
        }
        document["paths"] = Value::Object(paths);
        document
    })
}

fn target<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let pointer = value["$ref"].as_str().map(|target| &target[1..]);
    pointer.map_or(value, |pointer| document.pointer(pointer).unwrap())
}

/// The values of `{kind}` in a path.
pub fn kind_paths() -> Vec<&'static str> {
    let values = published()["components"]["parameters"]["kind"]["schema"]["enum"].as_array();
    values
        .unwrap()
        .iter()
        .map(|kind| kind.as_str().unwrap())
        .collect()
}

/// A path item for one kind: `list_record_links` is `list_risk_links`, `make_transition` is
/// `transition_risk`.
fn of_kind(item: &Value, kind: &str) -> Value {
    let name = aims::app::kinds().by_path(kind).unwrap().info.name;
    let mut item = item.clone();
    for operation in item.as_object_mut().unwrap().values_mut() {
        let id = operation["operationId"].as_str().unwrap();
        let id = match id {
            "make_transition" => format!("transition_{name}"),
            _ => id.replace("_record", &format!("_{name}")),
        };
        operation["operationId"] = json!(id);
        let parameters = operation["parameters"].as_array_mut().unwrap();
        parameters.retain(|parameter| parameter["name"] != "kind" || parameter["in"] != "path");
    }
    item
}

/// All operations.
pub fn operations() -> Vec<Operation> {
    let paths = document()["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, item)| {
            let verbs = item.as_object().unwrap().iter();
            verbs
                .filter(|(_, operation)| operation.get("operationId").is_some())
                .map(move |(verb, operation)| read(path, verb, operation))
        })
        .collect()
}

/// The operation of this name.
pub fn operation(id: &str) -> Option<Operation> {
    operations()
        .into_iter()
        .find(|operation| operation.id == id)
}

fn read(path: &str, verb: &str, operation: &Value) -> Operation {
    let parameters = operation["parameters"].as_array().cloned();
    let parameters = parameters.unwrap_or_default();
    let named = |place: &str, id: bool| -> Vec<String> {
        parameters
            .iter()
            .filter(|parameter| parameter["in"] == place)
            .filter(|parameter| {
                let name = parameter["name"].as_str().unwrap();
                is_id(name, &parameter["schema"]) == id
            })
            .map(|parameter| parameter["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let content = operation.pointer("/requestBody/content");
    let body = content.and_then(Value::as_object).map(|content| {
        let (media, content) = content.iter().next().unwrap();
        (media.clone(), content["schema"].clone())
    });
    let mut ids = named("path", true);
    ids.sort_by_key(|name| path.find(&format!("{{{name}}}")));
    let security = operation["security"].as_array();
    Operation {
        id: operation["operationId"].as_str().unwrap().to_owned(),
        method: verb.to_uppercase().parse().unwrap(),
        path: path.to_owned(),
        ids,
        others: named("path", false),
        queries: named("query", true),
        body,
        public: security.is_some_and(|ways| ways.contains(&json!({}))),
    }
}

impl Operation {
    /// The kind of record in the path, such as `risks`.
    pub fn kind_path(&self) -> &str {
        self.path.split('/').nth(4).unwrap_or_default()
    }

    /// The address with a value for each parameter.
    pub fn address(&self, value: impl Fn(&str) -> String) -> String {
        let names = self.ids.iter().chain(&self.others);
        names.fold(self.path.clone(), |path, name| {
            path.replace(&format!("{{{name}}}"), &value(name))
        })
    }
}

/// What `$ref` stands for.
fn resolve(schema: &Value) -> &Value {
    match schema["$ref"].as_str().and_then(|name| name.get(1..)) {
        Some(pointer) => resolve(document().pointer(pointer).unwrap()),
        None => schema,
    }
}

/// The schema itself, or the first of its alternatives that is not null.
fn settled(schema: &Value) -> &Value {
    let schema = resolve(schema);
    let composed = ["oneOf", "anyOf", "allOf"]
        .iter()
        .find_map(|name| schema[*name].as_array());
    match composed {
        Some(branches) => settled(
            branches
                .iter()
                .find(|branch| branch["type"] != "null")
                .unwrap(),
        ),
        None => schema,
    }
}

/// References that are objects: to records of any kind, to units of a catalogue.
const COMPOSED: [&str; 2] = ["any", "unit"];
/// The kind that references to any kind name in the sweeps.
const SOME_KIND: &str = "ai_system";

fn sort_of(schema: &Value) -> &str {
    [schema, settled(schema)]
        .into_iter()
        .find_map(|schema| schema["x-refers-to"].as_str())
        .unwrap_or_default()
}

/// A reference that is an object, to something that exists.
fn composed_reference(schema: &Value, id: &dyn Fn(&str) -> String) -> Option<Value> {
    match sort_of(schema) {
        "any" => Some(json!({"kind": SOME_KIND, "id": id(SOME_KIND)})),
        "unit" => Some(json!({"catalog": "iso42001", "unit": "6.1.2"})),
        _ => None,
    }
}

/// What an id refers to: a kind of record, `person`, or the name of the field.
fn refers_to(name: &str, schema: &Value) -> Option<String> {
    if COMPOSED.contains(&sort_of(schema)) {
        return None;
    }
    [schema, settled(schema)]
        .into_iter()
        .find_map(|schema| schema["x-refers-to"].as_str())
        .map(str::to_owned)
        .or_else(|| is_id(name, schema).then(|| name.to_owned()))
}

fn is_id(name: &str, schema: &Value) -> bool {
    let schema = settled(schema);
    schema["format"] == "uuid" || schema.get("x-refers-to").is_some() || name.ends_with("_id")
}

/// A value that could be right; `id` knows ids by what they refer to.
pub fn plausible(name: &str, schema: &Value, id: &dyn Fn(&str) -> String) -> Value {
    if let Some(known) = composed_reference(schema, id) {
        return known;
    }
    if let Some(to) = refers_to(name, schema) {
        return json!(id(&to));
    }
    let schema = settled(schema);
    if let Some(example) = schema.get("example").filter(|example| !example.is_null()) {
        let mut value = example.clone();
        refill(name, schema, &mut value, id);
        return value;
    }
    if let Some(first) = schema["enum"].as_array().and_then(|values| values.first()) {
        return first.clone();
    }
    let is = |kind: &str| match &schema["type"] {
        Value::Array(kinds) => kinds.contains(&json!(kind)),
        one => one == kind,
    };
    if let Some(properties) = schema["properties"].as_object() {
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        let fields: Map<_, _> = properties
            .iter()
            .filter(|(name, schema)| {
                required.contains(&json!(name))
                    || settled(schema)
                        .get("example")
                        .is_some_and(|example| !example.is_null())
            })
            .map(|(name, schema)| (name.clone(), plausible(name, schema, id)))
            .collect();
        Value::Object(fields)
    } else if is("object") {
        json!({})
    } else if is("array") {
        json!([plausible(name, &schema["items"], id)])
    } else if is("integer") || is("number") {
        schema.get("minimum").cloned().unwrap_or(json!(1))
    } else if is("boolean") {
        json!(false)
    } else if schema["format"] == "date" {
        json!("2027-01-11")
    } else {
        let shortest = schema["minLength"].as_u64().unwrap_or(1);
        json!("x".repeat(usize::try_from(shortest).unwrap().max(1)))
    }
}

/// Puts known ids in the place of those of an example.
fn refill(name: &str, schema: &Value, value: &mut Value, id: &dyn Fn(&str) -> String) {
    if let Some(known) = composed_reference(schema, id) {
        if !value.is_null() {
            *value = known;
        }
        return;
    }
    if value.is_string()
        && let Some(to) = refers_to(name, schema)
    {
        *value = json!(id(&to));
        return;
    }
    let schema = settled(schema);
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                refill(name, &schema["properties"][name.as_str()], inner, id);
            }
        }
        Value::Array(items) => {
            for inner in items {
                refill(name, &schema["items"], inner, id);
            }
        }
        _ => {}
    }
}

/// A step from a JSON value to one inside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Field(String),
    Items,
}

/// A place for an id in a body, and what it refers to.
#[derive(Clone, Debug)]
pub struct Place {
    pub steps: Vec<Step>,
    pub to: String,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for step in &self.steps {
            match step {
                Step::Field(name) => write!(f, "/{name}")?,
                Step::Items => f.write_str("/*")?,
            }
        }
        Ok(())
    }
}

/// All places for ids in a body.
pub fn places(schema: &Value) -> Vec<Place> {
    let mut found = Vec::new();
    search("", schema, &[], &mut found);
    found
}

fn search(name: &str, schema: &Value, at: &[Step], found: &mut Vec<Place>) {
    if at.len() > DEPTH || schema["readOnly"] == true || settled(schema)["readOnly"] == true {
        return;
    }
    match sort_of(schema) {
        "any" => {
            let steps = [at, &[Step::Field("id".to_owned())]].concat();
            let to = SOME_KIND.to_owned();
            found.push(Place { steps, to });
            return;
        }
        "unit" => return,
        _ => {}
    }
    let is_leaf = settled(schema)["items"].is_null() && settled(schema)["properties"].is_null();
    if is_leaf && let Some(to) = refers_to(name, schema) {
        let steps = at.to_vec();
        found.push(Place { steps, to });
        return;
    }
    let schema = settled(schema);
    if schema.get("items").is_some() {
        let inside = [at, &[Step::Items]].concat();
        search(name, &schema["items"], &inside, found);
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let inside = [at, &[Step::Field(name.clone())]].concat();
        search(name, property, &inside, found);
    }
}

/// Puts `value` at a place of a body, making what is missing on the way.
pub fn put(
    body: &mut Value,
    schema: &Value,
    steps: &[Step],
    value: &str,
    id: &dyn Fn(&str) -> String,
) {
    let schema = settled(schema);
    match steps.split_first() {
        None => *body = json!(value),
        Some((Step::Items, rest)) => {
            if body.as_array().is_none_or(Vec::is_empty) {
                *body = json!([plausible("", &schema["items"], id)]);
            }
            put(&mut body[0], &schema["items"], rest, value, id);
        }
        Some((Step::Field(name), rest)) => {
            let inner = &schema["properties"][name.as_str()];
            if body[name.as_str()].is_null() && !rest.is_empty() {
                body[name.as_str()] = plausible(name, inner, id);
            }
            put(&mut body[name.as_str()], inner, rest, value, id);
        }
    }
}
