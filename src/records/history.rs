//! What happened to a record, and what of it was approved.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::{Value, json};
use uuid::Uuid;

use super::registry::Entry;
use super::row::RawJson;
use super::store;
use crate::problem::{Problem, Result};
use crate::schema::{events, versions};
use crate::tenancy::TenantTx;

type EventRow = (
    i64,
    DateTime<Utc>,
    Option<Uuid>,
    String,
    Option<String>,
    String,
);

/// Events of a record, newest first, at most `limit` before the number `before`.
pub(super) async fn events_of(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    id: Uuid,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Value>> {
    store::get(tx, entry, id).await?;
    let query = events::table
        .filter(events::tenant_id.eq(tx.scope()))
        .filter(events::subject_id.eq(id))
        .filter(events::seq.lt(before.unwrap_or(i64::MAX)))
        .order(events::seq.desc())
        .limit(limit)
        .select((
            events::seq,
            events::at,
            events::actor_id,
            events::action,
            events::request_id,
            events::data,
        ));
    let rows: Vec<EventRow> = tx.run(async |db| query.load(&mut &*db).await).await?;
    rows.into_iter()
        .map(|(seq, at, actor_id, action, request_id, data)| {
            let data: Value = serde_json::from_str(&data).map_err(Problem::internal)?;
            Ok(json!({
                "seq": seq,
                "at": at,
                "actor_id": actor_id,
                "action": action,
                "request_id": request_id,
                "data": data,
            }))
        })
        .collect()
}

type VersionRow = (i32, String, Vec<u8>, Uuid, DateTime<Utc>);

fn version_json((number, title, hash, approved_by, approved_at): VersionRow) -> Value {
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    json!({
        "number": number,
        "title": title,
        "sha256": hash,
        "approved_by": approved_by,
        "approved_at": approved_at,
    })
}

/// Approved versions of a record, newest first, without their content.
pub(super) async fn versions_of(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    id: Uuid,
) -> Result<Vec<Value>> {
    store::get(tx, entry, id).await?;
    let query = versions::table
        .filter(versions::tenant_id.eq(tx.scope()))
        .filter(versions::record_id.eq(id))
        .order(versions::number.desc())
        .select((
            versions::number,
            versions::title,
            versions::hash,
            versions::approved_by,
            versions::approved_at,
        ));
    let rows: Vec<VersionRow> = tx.run(async |db| query.load(&mut &*db).await).await?;
    Ok(rows.into_iter().map(version_json).collect())
}

/// One approved version with its content.
pub(super) async fn version(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    id: Uuid,
    number: i32,
) -> Result<Value> {
    store::get(tx, entry, id).await?;
    let query = versions::table.find((tx.scope(), id, number)).select((
        (
            versions::number,
            versions::title,
            versions::hash,
            versions::approved_by,
            versions::approved_at,
        ),
        versions::body,
    ));
    let (row, body): (VersionRow, RawJson) =
        tx.run(async |db| query.first(&mut &*db).await).await?;
    let mut version = version_json(row);
    if let Value::Object(fields) = &mut version {
        let content = serde_json::from_str(&body.0).map_err(Problem::internal)?;
        fields.insert("content".to_owned(), content);
    }
    Ok(version)
}
