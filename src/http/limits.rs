//! Request quotas and the headers that tell them
//! (draft-ietf-httpapi-ratelimit-headers-11, RFC 6585).
//!
//! An address has a quota for requests without a token and for refused tokens; a signed-in
//! account and its tenant have quotas of their own, taken by `tenancy` through [`account`] and
//! [`tenant`].

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::Data;
use actix_web::{Error, HttpMessage, HttpRequest, ResponseError};
use uuid::Uuid;

use super::shared::{Quota, Shared, Verdict};
use crate::config::Config;
use crate::problem::{Problem, ProblemType, Result};

/// The time in which a quota is whole again.
const WINDOW: Duration = Duration::from_secs(60);
/// How many times the quota of an account its tenant has.
const TENANT_TIMES: u32 = 10;
/// Paths that are never limited.
const EXEMPT: &[&str] = &["/livez", "/readyz"];

/// Takes one request from an account's quota; 429 when it is spent. Insert the verdict into the
/// request's extensions, so that [`limits`] tells it to the client.
pub async fn account(shared: &dyn Shared, limit: u32, user: Uuid) -> Result<Verdict> {
    take(shared, &format!("account:{user}"), limit).await
}

/// Takes one request from a tenant's quota, ten times that of an account.
pub async fn tenant(shared: &dyn Shared, limit: u32, tenant: Uuid) -> Result<Verdict> {
    let limit = limit.saturating_mul(TENANT_TIMES);
    take(shared, &format!("tenant:{tenant}"), limit).await
}

async fn take(shared: &dyn Shared, bucket: &str, limit: u32) -> Result<Verdict> {
    let verdict = shared.take(bucket, quota(limit)).await;
    if verdict.allowed {
        Ok(verdict)
    } else {
        Err(too_many(&verdict))
    }
}

fn quota(limit: u32) -> Quota {
    Quota {
        burst: limit,
        per: WINDOW,
    }
}

/// 429 with the seconds after which one more request is allowed.
pub fn too_many(verdict: &Verdict) -> Problem {
    let mut problem = Problem::new(
        ProblemType::TooManyRequests,
        "The quota of requests is spent; wait as long as Retry-After says.",
    );
    problem.retry_after = Some(whole_seconds(verdict.reset).max(1));
    problem
}

fn whole_seconds(duration: Duration) -> u32 {
    let up = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    u32::try_from(up).unwrap_or(u32::MAX)
}

/// The middleware; stands inside [`super::edge::edge`] and needs `Data<Config>` and
/// `Data<Arc<dyn Shared>>` in the app.
pub fn limits<S, B>()
-> impl Transform<S, ServiceRequest, Response = ServiceResponse<BoxBody>, Error = Error, InitError = ()>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    from_fn(apply::<B>)
}

async fn apply<B: MessageBody + 'static>(
    req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let shared = req.app_data::<Data<Arc<dyn Shared>>>().cloned();
    let config = req.app_data::<Data<Config>>();
    let limit = config.map(|config| config.rate_limit);
    let (Some(shared), Some(limit)) = (shared, limit) else {
        tracing::error!("limits need Config and Shared in the app; nothing is limited");
        return Ok(next.call(req).await?.map_into_boxed_body());
    };
    if EXEMPT.contains(&req.path()) {
        return Ok(next.call(req).await?.map_into_boxed_body());
    }
    let bucket = format!("address:{}", address(req.request()));
    if req.headers().contains_key(AUTHORIZATION) {
        with_token(req, next, shared, &bucket, quota(limit)).await
    } else {
        without_token(req, next, shared, &bucket, quota(limit)).await
    }
}

async fn without_token<B: MessageBody + 'static>(
    req: ServiceRequest,
    next: Next<B>,
    shared: Data<Arc<dyn Shared>>,
    bucket: &str,
    quota: Quota,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let verdict = shared.take(bucket, quota).await;
    let mut response = if verdict.allowed {
        next.call(req).await?.map_into_boxed_body()
    } else {
        req.into_response(too_many(&verdict).error_response())
    };
    // A handler may have taken from a narrower quota and say so.
    let told = response.request().extensions().get::<Verdict>().copied();
    tell(response.headers_mut(), &told.unwrap_or(verdict));
    Ok(response)
}

/// A token is judged later. Only a refused one costs the address something, and once its quota
/// is spent, the sender of bad tokens learns no more about them.
async fn with_token<B: MessageBody + 'static>(
    req: ServiceRequest,
    next: Next<B>,
    shared: Data<Arc<dyn Shared>>,
    bucket: &str,
    quota: Quota,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let answer = next.call(req).await;
    let status = match &answer {
        Ok(response) => response.status(),
        Err(error) => error.as_response_error().status_code(),
    };
    if status != StatusCode::UNAUTHORIZED {
        let mut response = answer?.map_into_boxed_body();
        let told = response.request().extensions().get::<Verdict>().copied();
        if let Some(verdict) = told {
            tell(response.headers_mut(), &verdict);
        }
        return Ok(response);
    }
    let verdict = shared.take(bucket, quota).await;
    let mut response = match answer {
        Ok(response) if verdict.allowed => response.map_into_boxed_body(),
        Ok(response) => {
            let (req, _) = response.into_parts();
            ServiceResponse::new(req, too_many(&verdict).error_response())
        }
        Err(_) if !verdict.allowed => return Err(too_many(&verdict).into()),
        Err(error) => return Err(error),
    };
    tell(response.headers_mut(), &verdict);
    Ok(response)
}

/// `RateLimit-Policy` and `RateLimit`.
fn tell(headers: &mut HeaderMap, verdict: &Verdict) {
    let window = WINDOW.as_secs();
    let reset = whole_seconds(verdict.reset);
    for (name, value) in [
        (
            "ratelimit-policy",
            format!("\"default\";q={};w={window}", verdict.limit),
        ),
        (
            "ratelimit",
            format!("\"default\";r={};t={reset}", verdict.remaining),
        ),
    ] {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}

/// The client's address; for IPv6 its /64, of which one client has all. Behind a proxy named in
/// `TRUSTED_PROXIES` it is the last address in `X-Forwarded-For` that is not such a proxy itself;
/// from anybody else that header is ignored.
pub fn address(req: &HttpRequest) -> String {
    let trusted = req
        .app_data::<Data<Config>>()
        .map_or(&[][..], |config| &config.trusted_proxies);
    let peer = req.peer_addr().map(|peer| peer.ip().to_canonical());
    let forwarded = req.headers().get_all("x-forwarded-for");
    let forwarded: Vec<IpAddr> = forwarded
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|address| address.trim().parse::<IpAddr>().ok())
        .map(|address| address.to_canonical())
        .collect();
    let client = peer
        .filter(|peer| trusted.contains(peer))
        .and_then(|_| {
            forwarded
                .into_iter()
                .rev()
                .find(|address| !trusted.contains(address))
        })
        .or(peer);
    match client {
        None => "unknown".to_owned(),
        Some(IpAddr::V4(v4)) => v4.to_string(),
        Some(IpAddr::V6(v6)) => {
            let [a, b, c, d, ..] = v6.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

#[cfg(test)]
#[path = "limits_tests.rs"]
mod tests;
