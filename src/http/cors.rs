//! Calls from pages of other origins (CORS).

use actix_cors::Cors;
use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{ACCESS_CONTROL_REQUEST_HEADERS, HeaderName};
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError};

use crate::problem::Problem;

/// Headers that pages may send, besides those that every page may.
const ALLOWED: &[&str] = &[
    "authorization",
    "baggage",
    "content-type",
    "idempotency-key",
    "if-match",
    "if-none-match",
    "last-event-id",
    "traceparent",
    "tracestate",
    "x-request-id",
];
/// Headers that every page may send without asking (Fetch section 2.2.2).
const ALWAYS: &[&str] = &["accept", "accept-language", "content-language"];
/// Headers of answers that pages may read.
const EXPOSED: &[&str] = &[
    "ETag",
    "Link",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "X-Request-Id",
    "Idempotency-Replayed",
];
/// Seconds for which a page need not ask again.
const MAX_AGE: usize = 3600;

/// Lets in calls from an exact list of origins.
pub fn cors(origins: &[String]) -> Cors {
    let cors = Cors::default()
        .allowed_methods(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
        .allowed_headers(ALLOWED.iter().chain(ALWAYS).copied())
        .expose_headers(EXPOSED.iter().copied())
        .supports_credentials()
        .max_age(MAX_AGE);
    origins
        .iter()
        .fold(cors, |cors, origin| cors.allowed_origin(origin))
}

/// Middleware around [`cors`]: names the headers that a preflight asks for in vain.
pub async fn name_refused<B: MessageBody>(
    req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let refused = match *req.method() {
        Method::OPTIONS => refused(&req),
        _ => Vec::new(),
    };
    if refused.is_empty() {
        return Ok(next.call(req).await?.map_into_left_body());
    }
    let problem = Problem::malformed(format!(
        "Pages of other origins may not send: {}. They may send: {}.",
        refused.join(", "),
        ALLOWED.join(", ")
    ));
    let response = problem.error_response();
    Ok(req.into_response(response.map_into_right_body()))
}

/// The headers asked for that are not allowed; what is no name of a header is left to [`cors`].
fn refused(req: &ServiceRequest) -> Vec<String> {
    let asked = req.headers().get_all(ACCESS_CONTROL_REQUEST_HEADERS);
    let names = asked.flat_map(|value| value.to_str().unwrap_or_default().split(','));
    names
        .filter_map(|name| name.trim().parse::<HeaderName>().ok())
        .map(|name| name.as_str().to_owned())
        .filter(|name| !ALLOWED.contains(&name.as_str()) && !ALWAYS.contains(&name.as_str()))
        .collect()
}
