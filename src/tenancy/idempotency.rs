//! Whether this very request has been answered before (draft-ietf-httpapi-idempotency-key-header).
//!
//! The key is claimed by the first statement of the transaction that has the effect, and the
//! answer is stored in the same transaction: there is never an effect without its answer. A
//! second request with the key waits for the first to end, then gets the same answer.

use std::sync::Arc;

use actix_web::http::header::{ETAG, HeaderName, HeaderValue, LOCATION};
use actix_web::{FromRequest, HttpRequest, HttpResponse, http::StatusCode};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::access::{Access, Permission};
use super::caller::Caller;
use super::tx::{Actor, TenantTx};
use crate::problem::{Problem, ProblemType, Result};
use crate::schema::idempotency_keys as keys;

/// Longest key that is taken, in characters.
const KEY_LIMIT: usize = 255;

/// The answer to a request that changed something.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status code.
    pub status: u16,
    /// `ETag`, if the answer is a resource.
    pub etag: Option<String>,
    /// `Location` of what was made.
    pub location: Option<String>,
    /// JSON.
    pub body: String,
    /// Whether it was given before.
    pub replayed: bool,
}

impl Answer {
    /// 201 with the address of what was made.
    pub fn created(location: String, version: Option<i32>, body: String) -> Self {
        Self {
            status: 201,
            etag: version.map(crate::http::etag::of),
            location: Some(location),
            body,
            replayed: false,
        }
    }

    /// 200 with a resource.
    pub fn ok(version: Option<i32>, body: String) -> Self {
        Self {
            status: 200,
            etag: version.map(crate::http::etag::of),
            location: None,
            body,
            replayed: false,
        }
    }

    /// As an HTTP response.
    pub fn into_response(self) -> HttpResponse {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        let mut response = HttpResponse::build(status);
        response.content_type("application/json");
        for (name, value) in [(ETAG, self.etag), (LOCATION, self.location)] {
            if let Some(value) = value {
                response.insert_header((name, value));
            }
        }
        if self.replayed {
            response.insert_header((
                HeaderName::from_static("idempotency-replayed"),
                HeaderValue::from_static("true"),
            ));
        }
        response.body(self.body)
    }
}

/// Extractor: the `Idempotency-Key` of a POST, if it has one, with the route it belongs to.
#[derive(Clone, Debug)]
pub struct IdempotencyKey {
    key: Result<Option<String>, ()>,
    route: String,
}

impl FromRequest for IdempotencyKey {
    type Error = Problem;
    type Future = std::future::Ready<Result<Self>>;

    fn from_request(req: &HttpRequest, _: &mut actix_web::dev::Payload) -> Self::Future {
        let key = match req.headers().get("idempotency-key") {
            None => Ok(None),
            Some(value) => value
                .to_str()
                .ok()
                .map(|key| key.trim_matches('"').to_owned())
                .filter(|key| !key.is_empty() && key.len() <= KEY_LIMIT)
                .map(Some)
                .ok_or(()),
        };
        std::future::ready(Ok(Self {
            key,
            route: format!("{} {}", req.method(), req.path()),
        }))
    }
}

impl IdempotencyKey {
    /// Runs `work` in `tx` unless it has been done with this key; then gives the stored answer.
    /// `sha256` is the hash of the request's body.
    pub async fn once(
        &self,
        tx: &mut TenantTx<'_>,
        sha256: [u8; 32],
        work: impl AsyncFnOnce(&mut TenantTx<'_>) -> Result<Answer>,
    ) -> Result<Answer> {
        let key = self.key.clone().map_err(|()| {
            Problem::malformed(format!(
                "Idempotency-Key must have 1 to {KEY_LIMIT} visible characters."
            ))
        })?;
        let Some(key) = key else {
            return work(tx).await;
        };
        let scope = tx.scope();
        let caller = tx.actor().person().unwrap_or_default();
        let claim = diesel::insert_into(keys::table)
            .values((
                keys::tenant_id.eq(scope),
                keys::caller_id.eq(caller),
                keys::route.eq(&self.route),
                keys::key.eq(&key),
                keys::request_hash.eq(sha256.as_slice()),
                keys::created_at.eq(tx.now()),
            ))
            .on_conflict_do_nothing();
        let claimed = tx.run(async |db| claim.execute(&mut &*db).await).await?;
        let row = (scope, caller, self.route.clone(), key);
        if claimed == 0 {
            return replay(tx, row, sha256).await;
        }
        let answer = work(tx).await?;
        let stored = diesel::update(keys::table.find(row)).set((
            keys::status.eq(i32::from(answer.status)),
            keys::headers.eq(serde_json::json!([answer.etag, answer.location]).to_string()),
            keys::body.eq(answer.body.clone()),
        ));
        tx.queue_fixed(stored);
        Ok(answer)
    }
}

async fn replay(
    tx: &mut TenantTx<'_>,
    row: (Uuid, Uuid, String, String),
    sha256: [u8; 32],
) -> Result<Answer> {
    type Stored = (Vec<u8>, Option<i32>, Option<String>, Option<String>);
    let query =
        keys::table
            .find(row)
            .select((keys::request_hash, keys::status, keys::headers, keys::body));
    let (hash, status, headers, body): Stored =
        tx.run(async |db| query.first(&mut &*db).await).await?;
    if hash != sha256 {
        return Err(Problem::new(
            ProblemType::Invalid,
            "This Idempotency-Key was used with another request.",
        ));
    }
    let (Some(status), Some(body)) = (status, body) else {
        return Err(Problem::conflict(
            "The first request with this key is still running.",
        ));
    };
    let [etag, location]: [Option<String>; 2] =
        serde_json::from_str(headers.as_deref().unwrap_or("[null,null]"))
            .map_err(Problem::internal)?;
    Ok(Answer {
        status: u16::try_from(status).map_err(Problem::internal)?,
        etag,
        location,
        body,
        replayed: true,
    })
}

impl<P: Permission> Access<P> {
    /// [`Access::write`] that honours `Idempotency-Key`.
    pub async fn write_once(
        &self,
        key: &IdempotencyKey,
        sha256: [u8; 32],
        work: impl AsyncFnOnce(&mut TenantTx<'_>) -> Result<Answer>,
    ) -> Result<HttpResponse> {
        self.write(async |tx| key.once(tx, sha256, work).await)
            .await
            .map(Answer::into_response)
    }
}

impl Caller {
    /// Changes platform tables on behalf of `scope` (a firm, an account or a tenant), honouring
    /// `Idempotency-Key`.
    pub async fn write_once(
        &self,
        scope: Uuid,
        key: &IdempotencyKey,
        sha256: [u8; 32],
        work: impl AsyncFnOnce(&mut TenantTx<'_>) -> Result<Answer>,
    ) -> Result<HttpResponse> {
        self.write(scope, async |tx| key.once(tx, sha256, work).await)
            .await
            .map(Answer::into_response)
    }

    /// Changes platform tables on behalf of `scope`.
    pub async fn write<T>(
        &self,
        scope: Uuid,
        work: impl AsyncFnOnce(&mut TenantTx<'_>) -> Result<T>,
    ) -> Result<T> {
        let request_id: Option<Arc<str>> = self.request_id.clone();
        let actor: Actor = self.actor();
        self.platform
            .write(actor, request_id, async |tx| {
                tx.switch(scope, None).await?;
                work(tx).await
            })
            .await
    }

    /// Reads platform tables.
    pub async fn read<T>(
        &self,
        work: impl AsyncFnOnce(&mut TenantTx<'_>) -> Result<T>,
    ) -> Result<T> {
        self.platform.read(work).await
    }
}
