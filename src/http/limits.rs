//! Request quotas and the headers that tell them
//! (draft-ietf-httpapi-ratelimit-headers-11, RFC 6585).
//!
//! An address has a quota for requests without a good token; a signed-in account and its tenant
//! have quotas of their own, taken by `tenancy` through [`account`] and [`tenant`].

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
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
/// Refused tokens of an address, as a part of its quota.
const REFUSED_PART: u32 = 6;
/// Paths that are never limited.
const EXEMPT: &[&str] = &["/livez", "/readyz"];

/// Takes one request from an account's quota. Insert the verdict into the request's extensions,
/// whatever it is: [`limits`] tells it to the client, and nobody with a good token pays for the
/// address.
pub async fn account(shared: &dyn Shared, limit: u32, user: Uuid) -> Verdict {
    shared.take(&format!("account:{user}"), quota(limit)).await
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

/// The middleware; stands inside [`super::edge::edge`] and `tenancy::meet`, which knows whether a
/// token is good, and needs `Data<Config>` and
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
    // Whoever brings a good token has paid from the quota of the account.
    let account = req.extensions().get::<Verdict>().copied();
    let paid = match account {
        Some(verdict) => verdict,
        None => pay(&req, shared.as_ref().as_ref(), limit).await,
    };
    let mut response = if paid.allowed {
        next.call(req).await?.map_into_boxed_body()
    } else {
        req.into_response(too_many(&paid).error_response())
    };
    // A handler may have taken from a narrower quota and say so.
    let told = response.request().extensions().get::<Verdict>().copied();
    tell(response.headers_mut(), &told.unwrap_or(paid));
    Ok(response)
}

/// Takes a request without a good token from the quota of its address, and from a smaller one
/// when it came with another token, so that guessing is slow.
async fn pay(req: &ServiceRequest, shared: &dyn Shared, limit: u32) -> Verdict {
    let address = address(req.request());
    let verdict = shared
        .take(&format!("address:{address}"), quota(limit))
        .await;
    if !verdict.allowed || !req.headers().contains_key(AUTHORIZATION) {
        return verdict;
    }
    let few = quota((limit / REFUSED_PART).max(1));
    shared.take(&format!("refused:{address}"), few).await
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
    let forwarded: Vec<Option<IpAddr>> = forwarded
        .flat_map(|value| value.to_str().unwrap_or_default().split(','))
        .map(forwarded_address)
        .collect();
    // Beyond an entry that cannot be read, nothing is known to come from a trusted proxy.
    let client = peer
        .filter(|peer| trusted.contains(peer))
        .and_then(|_| {
            forwarded
                .into_iter()
                .rev()
                .map_while(|address| address)
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

/// An entry of `X-Forwarded-For`: an address, which some proxies send with a port, IPv6 then in
/// brackets.
fn forwarded_address(entry: &str) -> Option<IpAddr> {
    let entry = entry.trim();
    let bare = entry.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse::<IpAddr>().ok();
    let with_port = || entry.parse::<SocketAddr>().ok().map(|socket| socket.ip());
    address
        .or_else(with_port)
        .map(|address| address.to_canonical())
}

#[cfg(test)]
#[path = "limits_tests.rs"]
mod tests;
