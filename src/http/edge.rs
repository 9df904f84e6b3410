//! The outermost middleware: nothing leaves the server but what it has seen.
//!
//! It gives every request an id, a time limit and a line in the log, catches panics, and turns
//! every error into `application/problem+json` (RFC 9457). It must be the last `wrap` of the app.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::error::InternalError;
use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY, RETRY_AFTER,
    STRICT_TRANSPORT_SECURITY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::Data;
use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse};
use futures_util::FutureExt;
use tracing::Instrument;
use uuid::Uuid;

use super::openapi::Document;
use super::operations::Operations;
use super::problem_of::problem_of;
use crate::config::Config;
use crate::problem::{Problem, ProblemType, Result};

/// What a handler may take before the client gets 503.
const HANDLER_TIME: Duration = Duration::from_secs(30);
/// Seconds after which a client may try again when a handler took too long.
const RETRY_AFTER_TIMEOUT: u32 = 10;
/// Name of the header with the request's id.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a request, as in `X-Request-Id`; in the request's extensions.
#[derive(Clone, Debug)]
pub struct RequestId(pub Arc<str>);

/// The middleware. Reads `Data<Config>` of the app for `public_url`.
pub fn edge<S, B>()
-> impl Transform<S, ServiceRequest, Response = ServiceResponse<BoxBody>, Error = Error, InitError = ()>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    from_fn(run::<B>)
}

/// What must be known of a request after it is gone.
struct Seen {
    id: Arc<str>,
    method: Method,
    path: String,
    route: Arc<str>,
    public_url: String,
    start: Instant,
}

impl Seen {
    fn new(req: &ServiceRequest) -> Self {
        let config = req.app_data::<Data<Config>>();
        Self {
            id: request_id(req.headers()),
            method: req.method().clone(),
            path: req.path().to_owned(),
            route: route_of(req),
            public_url: config.map_or_else(String::new, |config| config.public_url.clone()),
            start: Instant::now(),
        }
    }
}

/// The kind of address, for logs and metrics: a pattern of the document or of the router, of
/// which there are so many and no more, whatever is asked for.
fn route_of(req: &ServiceRequest) -> Arc<str> {
    req.app_data::<Data<Operations>>()
        .and_then(|operations| operations.pattern(req.match_info().as_str()))
        .or_else(|| req.match_pattern().map(Arc::from))
        .unwrap_or_else(|| Arc::from("unmatched"))
}

fn request_id(headers: &HeaderMap) -> Arc<str> {
    let sane = |id: &&str| {
        (8..=64).contains(&id.len())
            && id
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    };
    headers
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .filter(sane)
        .map_or_else(|| Uuid::now_v7().to_string().into(), Arc::from)
}

async fn run<B: MessageBody + 'static>(
    mut req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let seen = Seen::new(&req);
    // What GET answers, without the body, which the connection leaves out for HEAD by itself.
    if seen.method == Method::HEAD {
        req.head_mut().method = Method::GET;
    }
    req.extensions_mut().insert(RequestId(Arc::clone(&seen.id)));
    let span = tracing::info_span!("request", request_id = %seen.id);
    let call = AssertUnwindSafe(next.call(req).instrument(span)).catch_unwind();
    let failure = match tokio::time::timeout(HANDLER_TIME, call).await {
        Ok(Ok(Ok(response))) => {
            let (req, response) = response.map_into_boxed_body().into_parts();
            let response = finish(response, &seen, Some(&req));
            return Ok(ServiceResponse::new(req, response));
        }
        Ok(Ok(Err(error))) => error.error_response(),
        Ok(Err(panic)) => respond(&Problem::internal(panic_text(panic.as_ref()))),
        Err(_) => respond(&Problem::unavailable(
            RETRY_AFTER_TIMEOUT,
            "the handler took too long",
        )),
    };
    // The request is gone with the service; an error that is its own response takes its place.
    let response = finish(failure, &seen, None);
    Err(InternalError::from_response("answered at the edge", response).into())
}

fn respond(problem: &Problem) -> HttpResponse {
    actix_web::ResponseError::error_response(problem)
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panic: {}", text.unwrap_or("(no text)"))
}

/// Makes a problem of an error, adds the headers every response has, logs and counts.
fn finish(mut response: HttpResponse, seen: &Seen, req: Option<&HttpRequest>) -> HttpResponse {
    if let Some(mut problem) = problem_of(&mut response) {
        // Resources of actix answer 405 by themselves, without saying what they do take.
        if problem.kind == ProblemType::MethodNotAllowed && problem.allowed.is_none() {
            problem.allowed = req.and_then(|req| unrouted(req).allowed);
        }
        response = write(response, problem, seen);
    }
    let secure = seen.public_url.starts_with("https://");
    add_headers(response.headers_mut(), secure);
    set(response.headers_mut(), REQUEST_ID, &seen.id);
    let status = response.status().as_u16();
    record(seen, status);
    response
}

/// Writes the problem as the body; headers of the first answer stay (quotas, CORS, cookies).
fn write(response: HttpResponse, mut problem: Problem, seen: &Seen) -> HttpResponse {
    if problem.status >= 500 {
        let cause = problem.cause.as_ref().map(ToString::to_string);
        let cause = cause.unwrap_or_else(|| problem.detail.clone());
        tracing::error!(request_id = %seen.id, path = seen.path, cause, "a request failed");
    }
    let methods = match problem.kind {
        ProblemType::MethodNotAllowed => problem.allowed.take(),
        _ => None,
    };
    let mut body = problem.body(&seen.public_url);
    body.instance = Some(seen.path.clone());
    body.request_id = Some(seen.id.to_string());
    let text = serde_json::to_string(&body).unwrap_or_default();
    let mut response = response.set_body(BoxBody::new(text));
    *response.status_mut() = problem.status_code();
    let headers = response.headers_mut();
    headers.remove(CONTENT_LENGTH);
    set(headers, CONTENT_TYPE, "application/problem+json");
    if let Some(seconds) = problem.retry_after {
        set(headers, RETRY_AFTER, &seconds.to_string());
    }
    if problem.status == 401 {
        set(headers, WWW_AUTHENTICATE, "Bearer");
    }
    if let Some(methods) = methods {
        set(headers, ALLOW, &methods.join(", "));
    }
    response
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn add_headers(headers: &mut HeaderMap, secure: bool) {
    let resource_policy = HeaderName::from_static("cross-origin-resource-policy");
    // Where CORS has let an origin in, the resource may be read from there.
    let from = match headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
        true => "cross-origin",
        false => "same-origin",
    };
    let mut add = |name: HeaderName, value: &'static str| {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    };
    add(X_CONTENT_TYPE_OPTIONS, "nosniff");
    add(
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'",
    );
    add(REFERRER_POLICY, "no-referrer");
    add(CACHE_CONTROL, "no-store");
    add(resource_policy, from);
    if secure {
        add(
            STRICT_TRANSPORT_SECURITY,
            "max-age=31536000; includeSubDomains",
        );
    }
}

fn record(seen: &Seen, status: u16) {
    let route: &str = &seen.route;
    let elapsed = seen.start.elapsed();
    let class = format!("{}xx", status / 100);
    let method = match seen.method {
        Method::GET | Method::POST | Method::PATCH | Method::PUT => seen.method.to_string(),
        Method::DELETE | Method::OPTIONS | Method::HEAD => seen.method.to_string(),
        _ => "other".to_owned(),
    };
    let labels = [
        ("method", method.clone()),
        ("route", route.to_owned()),
        ("status", class),
    ];
    metrics::counter!("http_requests_total", &labels).increment(1);
    metrics::histogram!("http_request_duration_seconds", &labels).record(elapsed.as_secs_f64());
    let ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    let id = &seen.id;
    tracing::info!(request_id = %id, %method, %route, status, ms, "{method} {route} {status}");
}

/// 405 with the methods of the path, when the document knows it; else 404.
pub fn unrouted(req: &HttpRequest) -> Problem {
    let methods = req
        .app_data::<Data<Document>>()
        .map(|document| document.methods_of(req.path()))
        .unwrap_or_default();
    if methods.is_empty() || methods.iter().any(|known| known == req.method().as_str()) {
        return Problem::not_found();
    }
    let detail = format!("This address takes {} only.", methods.join(", "));
    Problem::new(ProblemType::MethodNotAllowed, detail).with_allowed(methods)
}

/// The app's default service.
pub async fn not_routed(req: HttpRequest) -> Result<HttpResponse> {
    Err(unrouted(&req))
}

/// The default of resources that only offer GET and are not in the document.
pub async fn get_only() -> Result<HttpResponse> {
    let problem = Problem::new(
        ProblemType::MethodNotAllowed,
        "This address takes GET only.",
    );
    Err(problem.with_allowed(vec!["GET".to_owned()]))
}

#[cfg(test)]
#[path = "edge_tests.rs"]
mod tests;
