//! The published description of the API (OpenAPI 3.1): what the routes cannot say themselves is
//! added here, and a route that says too little is refused.

use std::collections::BTreeSet;

use actix_web::dev::{Path, ResourceDef};
use serde_json::{Map, Value, json};

use super::{openapi_3_0, schema};
use crate::problem::ProblemType;

#[path = "openapi_parts.rs"]
mod parts;
#[path = "openapi_tidy.rs"]
mod tidy;

pub(super) use tidy::MERGE_PATCH;
pub use tidy::SOMETIMES;

use parts::{ALWAYS, common_parameter, complete_components, header, name_of};

/// Keys of a path item that are operations.
const METHODS: &[&str] = &["get", "put", "post", "delete", "patch", "head", "options"];
/// Methods that change something.
const UNSAFE: &[&str] = &["put", "post", "delete", "patch"];
/// About the whole API.
const DESCRIPTION: &str = "\
AI management systems (ISO/IEC 42001) for consultancies and their clients.

Errors are `application/problem+json` (RFC 9457). Resources carry a strong `ETag`; PATCH, PUT, \
DELETE and transitions need it in `If-Match`. PATCH takes a JSON merge patch (RFC 7396), also as \
`application/json`. Lists are paged by an opaque `cursor`. Unknown \
fields and parameters are refused.";

/// The finished document in both versions, and the paths it knows.
pub struct Document {
    json: String,
    json_3_0: String,
    templates: Vec<Template>,
}

struct Template {
    path: ResourceDef,
    /// Variables that stand for a few values, and the values.
    closed: Vec<(String, Vec<String>)>,
    variables: usize,
    methods: Vec<String>,
}

impl Document {
    /// Takes what [`finish`] made.
    pub fn new(document: Value) -> Self {
        let mut templates = Vec::new();
        for (path, item) in document
            .get("paths")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            let methods = METHODS.iter().filter(|method| item.get(**method).is_some());
            templates.push(Template {
                path: ResourceDef::new(path.as_str()),
                closed: closed_variables(&document, item),
                variables: path.matches('{').count(),
                methods: methods.map(|method| method.to_uppercase()).collect(),
            });
        }
        Self {
            json: text(&document),
            json_3_0: text(&openapi_3_0::convert(document)),
            templates,
        }
    }

    /// OpenAPI 3.1, pretty and sorted, as `openapi/openapi.json`.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// OpenAPI 3.0 for older generators.
    pub fn json_3_0(&self) -> &str {
        &self.json_3_0
    }

    /// The methods of the most literal path that matches, sorted; none when no path does.
    pub fn methods_of(&self, path: &str) -> Vec<String> {
        let matching = || self.templates.iter().filter(|known| known.matches(path));
        let Some(fewest) = matching().map(|known| known.variables).min() else {
            return Vec::new();
        };
        let methods: BTreeSet<&String> = matching()
            .filter(|known| known.variables == fewest)
            .flat_map(|known| &known.methods)
            .collect();
        methods.into_iter().cloned().collect()
    }
}

impl Template {
    fn matches(&self, path: &str) -> bool {
        let mut path = Path::new(path);
        self.path.capture_match_info(&mut path)
            && self.closed.iter().all(|(name, values)| {
                path.get(name)
                    .is_some_and(|found| values.iter().any(|value| value == found))
            })
    }
}

/// The variables of a path that have an `enum`.
fn closed_variables(document: &Value, item: &Value) -> Vec<(String, Vec<String>)> {
    let operations = METHODS.iter().filter_map(|method| item.get(*method));
    let parameters = operations
        .filter_map(|operation| operation.get("parameters"))
        .filter_map(Value::as_array)
        .flatten();
    let resolved = parameters.map(|parameter| {
        let target = parameter.get("$ref").and_then(Value::as_str);
        target
            .and_then(|target| document.pointer(target.trim_start_matches('#')))
            .unwrap_or(parameter)
    });
    let in_path = resolved.filter(|parameter| parameter.get("in") == Some(&json!("path")));
    in_path
        .filter_map(|parameter| {
            let name = parameter.get("name")?.as_str()?.to_owned();
            let values = parameter.pointer("/schema/enum")?.as_array()?;
            let values = values.iter().filter_map(Value::as_str).map(str::to_owned);
            Some((name, values.collect()))
        })
        .collect()
}

/// A document as it is committed: pretty, keys in order, with a line feed at the end.
pub fn text(document: &Value) -> String {
    let sorted = sorted(document.clone());
    serde_json::to_string_pretty(&sorted).unwrap_or_default() + "\n"
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.into_iter().collect();
            fields.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(
                fields
                    .into_iter()
                    .map(|(key, value)| (key, sorted(value)))
                    .collect(),
            )
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

/// Completes a raw document: info, security, the errors every operation can give, headers.
/// Operations may carry `x-problems` (slugs or status codes of further errors) and
/// `x-etag: true`; both are taken out. The error lists everything a route fails to say.
pub fn finish(mut doc: Value, public_url: &str) -> Result<Value, Vec<String>> {
    let mut faults = Vec::new();
    schema::spell_out(&mut doc);
    tidy::name_pages(&mut doc);
    let described = doc.clone();
    if let Some(paths) = doc.get_mut("paths").and_then(Value::as_object_mut) {
        let mut ids = BTreeSet::new();
        for (path, item) in paths {
            let shared = item.get("parameters").cloned().unwrap_or(json!([]));
            for method in METHODS {
                if let Some(Value::Object(operation)) = item.get_mut(*method) {
                    let mut route = Route {
                        doc: &described,
                        path,
                        method,
                        shared: &shared,
                        faults: &mut faults,
                    };
                    route.check(operation, &mut ids);
                    route.complete(operation);
                }
            }
        }
    }
    faults.extend(unexplained_tags(&doc));
    let Value::Object(top) = &mut doc else {
        return Err(vec!["the document is no object".to_owned()]);
    };
    top.insert("openapi".to_owned(), json!("3.1.0"));
    top.insert("info".to_owned(), info());
    top.insert("servers".to_owned(), json!([{ "url": "/" }]));
    top.insert("security".to_owned(), json!([{ "bearer": [] }]));
    complete_components(top);
    tidy::require_answers(&mut doc);
    tidy::prune(&mut doc);
    let doc = sorted(doc);
    if !public_url.is_empty() && doc.to_string().contains(public_url) {
        faults.push(format!(
            "the document names {public_url}; it must fit every installation"
        ));
    }
    if faults.is_empty() {
        Ok(doc)
    } else {
        Err(faults)
    }
}

fn info() -> Value {
    json!({
        "title": "AIMS API",
        "version": env!("CARGO_PKG_VERSION"),
        "description": DESCRIPTION,
        "contact": { "name": "Whoever runs this server" },
        "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
    })
}

struct Route<'a> {
    /// The document, for what the operation refers to.
    doc: &'a Value,
    path: &'a str,
    method: &'a str,
    /// Parameters of all methods of the path.
    shared: &'a Value,
    faults: &'a mut Vec<String>,
}

impl Route<'_> {
    fn check(&mut self, operation: &Map<String, Value>, ids: &mut BTreeSet<String>) {
        let place = format!("{} {}", self.method.to_uppercase(), self.path);
        for key in ["operationId", "summary", "description"] {
            let said = operation
                .get(key)
                .and_then(Value::as_str)
                .unwrap_or_default();
            if said.trim().is_empty() {
                self.faults.push(format!("{place}: no {key}"));
            }
            if key == "operationId" && !said.is_empty() && !ids.insert(said.to_owned()) {
                self.faults
                    .push(format!("{place}: operationId {said} is used twice"));
            }
        }
        let tags = operation.get("tags").and_then(Value::as_array);
        if tags.is_none_or(Vec::is_empty) {
            self.faults.push(format!("{place}: no tag"));
        }
        let responses = operation.get("responses").and_then(Value::as_object);
        if !responses.is_some_and(|list| list.keys().any(|status| is_success(status))) {
            self.faults.push(format!("{place}: no success response"));
        }
    }

    fn complete(&mut self, operation: &mut Map<String, Value>) {
        let mut statuses = self.statuses(operation);
        if let Some(Value::Array(more)) = operation.remove("x-problems") {
            for problem in more {
                match status_of(&problem) {
                    Some(status) => drop(statuses.insert(status)),
                    None => self.faults.push(format!(
                        "{} {}: x-problems names {problem}, which is no problem",
                        self.method.to_uppercase(),
                        self.path
                    )),
                }
            }
        }
        let mut headers = ALWAYS.to_vec();
        let tagged =
            operation.remove("x-etag") == Some(json!(true)) || self.is_versioned(operation);
        if tagged {
            headers.push("ETag");
        }
        if self.takes(operation, "query", "cursor") {
            headers.push("Link");
        }
        if self.takes(operation, "header", "Idempotency-Key") {
            headers.push("Idempotency-Replayed");
        }
        let conditional = tagged && self.method == "get";
        if conditional && !self.takes(operation, "header", "If-None-Match") {
            let parameters = operation.entry("parameters").or_insert_with(|| json!([]));
            if let Value::Array(parameters) = parameters {
                parameters.push(json!({"in": "header", "name": "If-None-Match"}));
            }
        }
        share_parameters(operation);
        tidy::one_media_type(operation);
        let responses = operation.entry("responses").or_insert_with(|| json!({}));
        let Value::Object(responses) = responses else {
            return;
        };
        if conditional {
            let unchanged = json!({"description": "You have this version already."});
            responses.entry("304").or_insert(unchanged);
        }
        for (status, response) in responses.iter_mut() {
            if is_success(status) && response.get("$ref").is_none() {
                add_headers(response, &headers);
                if status == "201" {
                    add_headers(response, &["Location"]);
                }
            }
        }
        for status in statuses {
            responses.entry(status.to_string()).or_insert_with(
                || json!({ "$ref": format!("#/components/responses/{}", name_of(status)) }),
            );
        }
    }

    /// Whether its success is a resource with a version, which is its `ETag` too.
    fn is_versioned(&self, operation: &Map<String, Value>) -> bool {
        let responses = operation.get("responses").and_then(Value::as_object);
        responses.into_iter().flatten().any(|(status, response)| {
            let schema = response.pointer("/content/application~1json/schema");
            is_success(status) && schema.is_some_and(|schema| tidy::has_version(self.doc, schema))
        })
    }

    /// The errors that the form of the operation makes possible.
    fn statuses(&self, operation: &Map<String, Value>) -> BTreeSet<u16> {
        let mut statuses = BTreeSet::from([400, 429, 500, 503]);
        let open = operation
            .get("security")
            .and_then(Value::as_array)
            .is_some_and(Vec::is_empty);
        let changes = UNSAFE.contains(&self.method);
        if !open {
            statuses.extend([401, 403]);
        }
        if changes && !open {
            statuses.insert(409);
        }
        if self.path.contains('{') {
            statuses.insert(404);
        }
        if operation.contains_key("requestBody") {
            statuses.extend([408, 413, 415, 422]);
        }
        if self.takes(operation, "header", "If-Match") {
            statuses.extend([412, 428]);
        }
        if self.takes(operation, "header", "Idempotency-Key") {
            statuses.extend([409, 422]);
        }
        statuses
    }

    /// Whether it has a parameter, of its own, of its path or as a component.
    fn takes(&self, operation: &Map<String, Value>, place: &str, name: &str) -> bool {
        let own = operation.get("parameters").and_then(Value::as_array);
        let shared = self.shared.as_array();
        own.into_iter().chain(shared).flatten().any(|parameter| {
            let is = |key: &str, wanted: &str| {
                let value = parameter
                    .get(key)
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                value.eq_ignore_ascii_case(wanted)
            };
            (is("in", place) && is("name", name))
                || is("$ref", &format!("#/components/parameters/{name}"))
        })
    }
}

/// Groups that operations are in and that the document says nothing about.
fn unexplained_tags(doc: &Value) -> BTreeSet<String> {
    let explained: Vec<_> = doc
        .get("tags")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|tag| tag.get("name"))
        .collect();
    let items = doc.get("paths").and_then(Value::as_object);
    items
        .into_iter()
        .flat_map(Map::values)
        .flat_map(|item| METHODS.iter().filter_map(|method| item.get(*method)))
        .filter_map(|operation| operation.get("tags")?.as_array())
        .flatten()
        .filter(|tag| !explained.contains(tag))
        .map(|tag| format!("the group {tag} has no description among the tags"))
        .collect()
}

fn is_success(status: &str) -> bool {
    status.starts_with('2') || status.starts_with('3')
}

/// The status that a slug or a number in `x-problems` stands for.
fn status_of(problem: &Value) -> Option<u16> {
    let named = |kind: &&ProblemType| match problem {
        Value::String(slug) => kind.slug() == slug || kind.status().to_string() == *slug,
        number => number.as_u64() == Some(u64::from(kind.status())),
    };
    ProblemType::ALL
        .iter()
        .find(named)
        .map(|kind| kind.status())
}

/// Puts the component in the place of every parameter that has one.
fn share_parameters(operation: &mut Map<String, Value>) {
    let parameters = operation
        .get_mut("parameters")
        .and_then(Value::as_array_mut);
    for parameter in parameters.into_iter().flatten() {
        if let Some(shared) = common_parameter(parameter) {
            *parameter = shared;
        }
    }
}

fn add_headers(response: &mut Value, names: &[&str]) {
    let Value::Object(response) = response else {
        return;
    };
    let headers = response.entry("headers").or_insert_with(|| json!({}));
    let Value::Object(headers) = headers else {
        return;
    };
    for name in names {
        headers.entry(*name).or_insert_with(|| header(name));
    }
}

#[cfg(test)]
#[path = "openapi_tests.rs"]
mod tests;
