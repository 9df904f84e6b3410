//! Which operation of the published document a request is for, and what the document says of its
//! address: ids in their one spelling, query parameters that it knows, in the form it tells.

use std::collections::HashMap;
use std::sync::Arc;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::ETAG;
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage, HttpResponse, ResponseError};
use serde_json::Value;

use super::etag::{self, IfNoneMatch};
use super::query::{self, Params};
use super::shared::Verdict;
use super::{schema, sentence};
use crate::problem::{Problem, Result};

/// The addresses of a document, as a tree of their segments.
#[derive(Default)]
pub struct Operations {
    root: Node,
}

#[derive(Default)]
struct Node {
    literals: HashMap<String, Node>,
    variable: Option<Box<Node>>,
    address: Option<Address>,
}

/// One path of the document.
struct Address {
    pattern: Arc<str>,
    /// Positions of the segments that are ids.
    ids: Vec<usize>,
    /// By method, in upper case.
    operations: HashMap<String, Operation>,
}

struct Operation {
    /// Whether it needs no token.
    is_public: bool,
    /// The query parameters and their formats.
    query: Vec<(String, Option<String>)>,
}

impl Operations {
    /// The operations of an OpenAPI document.
    pub fn new(document: &Value) -> Self {
        let mut operations = Self::default();
        let paths = document.get("paths").and_then(Value::as_object);
        for (path, item) in paths.into_iter().flatten() {
            let mut node = &mut operations.root;
            for segment in path.split('/') {
                node = match is_variable(segment) {
                    true => node.variable.get_or_insert_default(),
                    false => node.literals.entry(segment.to_owned()).or_default(),
                };
            }
            node.address = Some(Address::new(document, path, item));
        }
        operations
    }

    /// The pattern of the path that a request is for.
    pub fn pattern(&self, path: &str) -> Option<Arc<str>> {
        self.find(path).map(|address| Arc::clone(&address.pattern))
    }

    fn find(&self, path: &str) -> Option<&Address> {
        let segments: Vec<&str> = path.split('/').collect();
        descend(&self.root, &segments)
    }

    /// What is wrong with the address of a request; nothing, while nobody who may ask has asked.
    fn fault(&self, req: &ServiceRequest) -> Option<Problem> {
        // As the router sees it: characters that need no percent-encoding are decoded.
        let path = req.match_info().as_str();
        let address = self.find(path)?;
        let operation = address.operations.get(req.method().as_str())?;
        if !operation.is_public && !req.extensions().contains::<Verdict>() {
            return None;
        }
        if !address.has_plain_ids(path) {
            return Some(Problem::not_found());
        }
        operation.check(req.query_string()).err()
    }
}

/// The address with the most literal segments, looked for from the left.
fn descend<'a>(node: &'a Node, segments: &[&str]) -> Option<&'a Address> {
    let Some((first, rest)) = segments.split_first() else {
        return node.address.as_ref();
    };
    let literal = node.literals.get(*first);
    let variable = node.variable.as_deref().filter(|_| !first.is_empty());
    literal
        .and_then(|next| descend(next, rest))
        .or_else(|| variable.and_then(|next| descend(next, rest)))
}

fn is_variable(segment: &str) -> bool {
    segment.starts_with('{')
}

impl Address {
    fn new(document: &Value, path: &str, item: &Value) -> Self {
        let item = item.as_object();
        let shared = item.and_then(|item| item.get("parameters"));
        let mut ids = Vec::new();
        let mut operations = HashMap::new();
        for (method, operation) in item.into_iter().flatten() {
            if method == "parameters" {
                continue;
            }
            let own = operation.get("parameters");
            let mut query = Vec::new();
            let listed = [shared, own].into_iter().flatten();
            for parameter in listed.filter_map(Value::as_array).flatten() {
                let parameter = resolve(document, parameter);
                let text = |pointer: &str| parameter.pointer(pointer).and_then(Value::as_str);
                let name = text("/name").unwrap_or_default().to_owned();
                let format = text("/schema/format").map(str::to_owned);
                match text("/in") {
                    Some("query") => query.push((name, format)),
                    Some("path") if format.as_deref() == Some("uuid") => {
                        let name = format!("{{{name}}}");
                        ids.extend(path.split('/').position(|segment| segment == name));
                    }
                    _ => {}
                }
            }
            let is_public = is_public(operation);
            operations.insert(method.to_uppercase(), Operation { is_public, query });
        }
        Self {
            pattern: Arc::from(path),
            ids,
            operations,
        }
    }

    /// Whether the ids are spelled as they are told: what else could be read as one is not there.
    fn has_plain_ids(&self, path: &str) -> bool {
        let segments: Vec<&str> = path.split('/').collect();
        let id = |index: &usize| segments.get(*index).copied().unwrap_or_default();
        self.ids.iter().all(|index| is_plain_id(id(index)))
    }
}

fn is_plain_id(text: &str) -> bool {
    schema::is_uuid(text) && !text.bytes().any(|byte| byte.is_ascii_uppercase())
}

/// Whether one of the ways to authenticate is not to.
fn is_public(operation: &Value) -> bool {
    let ways = operation.get("security").and_then(Value::as_array);
    ways.is_some_and(|ways| {
        let is_empty = |way: &Value| way.as_object().is_some_and(serde_json::Map::is_empty);
        ways.is_empty() || ways.iter().any(is_empty)
    })
}

/// What a parameter refers to, or itself.
fn resolve<'a>(document: &'a Value, parameter: &'a Value) -> &'a Value {
    let target = parameter.get("$ref").and_then(Value::as_str);
    target
        .and_then(|target| document.pointer(target.trim_start_matches('#')))
        .unwrap_or(parameter)
}

impl Operation {
    /// Refuses parameters that are not known, and values without the form of their format.
    fn check(&self, query: &str) -> Result<()> {
        let mut params = Params::parse(query)?;
        for (name, format) in &self.query {
            let (Some(value), Some(format)) = (params.take(name), format) else {
                continue;
            };
            let is_good = match format.as_str() {
                "date" => schema::is_date(&value),
                "date-time" => schema::is_instant(&value),
                "uuid" => is_plain_id(&value),
                _ => true,
            };
            if !is_good {
                return Err(query::fault(name, &sentence::format_sentence(format)));
            }
        }
        params.finish()
    }
}

/// Middleware: refuses a request whose address is not as the document says, and does not send what
/// the client has already. Stands inside `tenancy::meet` and needs `Data<Operations>` in the app.
pub async fn documented<B: MessageBody>(
    req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let operations = req.app_data::<Data<Operations>>();
    match operations.and_then(|operations| operations.fault(&req)) {
        Some(problem) => {
            let response = problem.error_response();
            Ok(req.into_response(response.map_into_right_body()))
        }
        None => {
            let is_read = [Method::GET, Method::HEAD].contains(req.method());
            let known = is_read.then(|| IfNoneMatch::of(req.headers()));
            let response = next.call(req).await?;
            Ok(match known {
                Some(known) => unless_known(&known, response),
                None => response.map_into_left_body(),
            })
        }
    }
}

/// 304 in the place of a resource whose version the client has.
fn unless_known<B: MessageBody>(
    known: &IfNoneMatch,
    response: ServiceResponse<B>,
) -> ServiceResponse<EitherBody<B>> {
    let version = etag::version_in(response.headers());
    match version.filter(|version| known.matches(*version)) {
        Some(version) if response.status() == StatusCode::OK => {
            let unchanged = HttpResponse::NotModified()
                .insert_header((ETAG, etag::of(version)))
                .finish();
            response.into_response(unchanged.map_into_right_body())
        }
        _ => response.map_into_left_body(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_most_literal_address_is_found() {
        let get = json!({"get": {}});
        let operations = Operations::new(&json!({"paths": {
            "/v1/t/{t}/{kind}": get, "/v1/t/{t}/risks": get, "/v1/t/{t}/risks/{id}": get,
            "/v1/t/{t}/{kind}/links/{id}": get,
        }}));
        for (path, pattern) in [
            ("/v1/t/1/risks", Some("/v1/t/{t}/risks")),
            ("/v1/t/1/other", Some("/v1/t/{t}/{kind}")),
            ("/v1/t/1/risks/2", Some("/v1/t/{t}/risks/{id}")),
            ("/v1/t/1/risks/links/2", Some("/v1/t/{t}/{kind}/links/{id}")),
            ("/v1/t//risks", None),
            ("/v1/t/1/risks/", None),
            ("", None),
        ] {
            assert_eq!(operations.pattern(path).as_deref(), pattern, "{path}");
        }
    }
}
