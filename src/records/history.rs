//! What happened to a record.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::{Value, json};
use uuid::Uuid;

use super::entry::Entry;
use super::store;
use crate::problem::{Problem, Result};
use crate::schema::events;
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
