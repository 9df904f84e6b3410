//! The audit trail: everything that happened in the tenant, refusals included, in its order.
//!
//! Of records, those events are told that happened to records which the reader sees as a whole.

use chrono::{DateTime, Utc};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::visibility;
use crate::http::query::{Params, fault};
use crate::problem::{Problem, Result};
use crate::schema::events;
use crate::tenancy::TenantTx;

/// Something that happened in a tenant.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AuditEvent {
    /// Number in the tenant's chain of events.
    pub seq: i64,
    /// UTC.
    pub at: DateTime<Utc>,
    /// Who did it; null for the system.
    pub actor_id: Option<Uuid>,
    /// What was done, such as `created`, `moved` or `refused`.
    #[schema(example = "refused")]
    pub action: String,
    /// Kind of what it was done to: of a record, or `membership`, `invitation` and the like.
    #[schema(example = "risk")]
    pub kind: String,
    /// What it was done to; of something refused before it was made, the nil id.
    pub subject_id: Uuid,
    /// The request that did it.
    pub request_id: Option<String>,
    /// What changed, before and after; of a refusal, the rule and what was tried.
    #[schema(value_type = HashMap<String, Value>)]
    pub data: Value,
    /// SHA-256 of the event before it.
    #[schema(min_length = 64, max_length = 64)]
    pub prev_hash: String,
    /// SHA-256 over the hash before and the canonical JSON of this event.
    #[schema(min_length = 64, max_length = 64)]
    pub hash: String,
}

/// Longest word of a filter, in characters.
pub(super) const WORD_LIMIT: usize = 60;

/// Which events are wanted.
#[derive(Debug)]
pub(super) struct Filter {
    action: Option<String>,
    kind: Option<String>,
    actor: Option<Uuid>,
    subject: Option<Uuid>,
    since: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
    after: i64,
}

impl Filter {
    /// Takes the filters out of a query.
    pub(super) fn read(params: &mut Params) -> Result<Self> {
        const INSTANT: &str = "an instant such as 2027-01-11T08:00:00Z";
        Ok(Self {
            action: word(params, "action")?,
            kind: word(params, "kind")?,
            actor: params.take_as("actor_id", "an id")?,
            subject: params.take_as("subject_id", "an id")?,
            since: params.take_as("since", INSTANT)?,
            until: params.take_as("until", INSTANT)?,
            after: params
                .take_as::<u32>("after", "the number of an event")?
                .map_or(0, i64::from),
        })
    }
}

/// Takes a word out, of at most [`WORD_LIMIT`] characters.
fn word(params: &mut Params, name: &str) -> Result<Option<String>> {
    let word = params.take(name);
    match word
        .as_ref()
        .is_none_or(|word| word.chars().count() <= WORD_LIMIT)
    {
        true => Ok(word),
        false => Err(fault(name, &format!("has at most {WORD_LIMIT} characters"))),
    }
}

type EventRow = (
    (i64, DateTime<Utc>, Option<Uuid>, String, String, Uuid),
    (Option<String>, String, Vec<u8>, Vec<u8>),
);

/// Events in their order, at most `limit` after the number `after`.
pub(super) async fn list(
    tx: &mut TenantTx<'_>,
    filter: &Filter,
    after: Option<i64>,
    limit: i64,
) -> Result<Vec<AuditEvent>> {
    let mut query = events::table
        .filter(events::tenant_id.eq(tx.scope()))
        .filter(events::seq.gt(after.unwrap_or(0).max(filter.after)))
        .order(events::seq)
        .limit(limit)
        .select((
            (
                events::seq,
                events::at,
                events::actor_id,
                events::action,
                events::subject_kind,
                events::subject_id,
            ),
            (
                events::request_id,
                events::data,
                events::prev_hash,
                events::hash,
            ),
        ))
        .into_boxed::<Pg>();
    query = query.filter(events::subject_id.ne_all(visibility::hidden_ids(tx)?));
    if let Some(action) = &filter.action {
        query = query.filter(events::action.eq(action));
    }
    if let Some(kind) = &filter.kind {
        query = query.filter(events::subject_kind.eq(kind));
    }
    if let Some(actor) = filter.actor {
        query = query.filter(events::actor_id.eq(actor));
    }
    if let Some(subject) = filter.subject {
        query = query.filter(events::subject_id.eq(subject));
    }
    if let Some(since) = filter.since {
        query = query.filter(events::at.ge(since));
    }
    if let Some(until) = filter.until {
        query = query.filter(events::at.lt(until));
    }
    let rows: Vec<EventRow> = tx.run(async |db| query.load(&mut &*db).await).await?;
    rows.into_iter().map(told).collect()
}

fn told(row: EventRow) -> Result<AuditEvent> {
    let ((seq, at, actor_id, action, kind, subject_id), (request_id, data, prev_hash, hash)) = row;
    let hex = |hash: Vec<u8>| hash.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(AuditEvent {
        seq,
        at,
        actor_id,
        action,
        kind,
        subject_id,
        request_id,
        data: serde_json::from_str(&data).map_err(Problem::internal)?,
        prev_hash: hex(prev_hash),
        hash: hex(hash),
    })
}
