//! Events: append-only, each hashed with the one before it, one chain for each tenant (and for
//! each firm and account, under its own id).
//!
//! `hash = SHA-256(prev_hash ‖ canonical JSON of the event)`, the canonical form being that of
//! RFC 8785 for the JSON we write: keys sorted, no white space, no fractions.

use chrono::{DateTime, SecondsFormat, Utc};
use diesel::prelude::*;
use diesel::result::QueryResult;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use serde_json::{Value, json};
use uuid::Uuid;

use super::tx::fixed;
use crate::schema::{chains, events};

/// The hash before the first event.
pub(crate) const GENESIS: [u8; 32] = [0; 32];

/// The end of a chain: last number and hash; `None` before the first event.
pub(super) type Head = Option<(i64, Vec<u8>)>;

/// An event that has not been numbered yet.
pub(super) struct NewEvent {
    pub(super) at: DateTime<Utc>,
    pub(super) actor_id: Option<Uuid>,
    pub(super) action: String,
    pub(super) subject_kind: String,
    pub(super) subject_id: Uuid,
    pub(super) request_id: Option<String>,
    pub(super) data: Value,
}

/// What a transaction knows of the chain it writes.
#[derive(Default)]
pub(super) struct Chain {
    asked: bool,
    head: Option<Head>,
    new: Vec<NewEvent>,
}

impl Chain {
    /// The query that locks the chain, the first time.
    pub(super) fn lock<'c>(
        &mut self,
        connection: &'c AsyncPgConnection,
        scope: Option<Uuid>,
    ) -> Option<LocalBoxFuture<'c, QueryResult<Head>>> {
        let scope = scope.filter(|_| !self.asked)?;
        self.asked = true;
        let query = chains::table
            .find(scope)
            .select((chains::seq, chains::hash))
            .for_update();
        Some(async move { query.first(&mut &*connection).await.optional() }.boxed_local())
    }

    pub(super) fn locked(&mut self, head: Head) {
        self.head = Some(head);
    }

    /// The end of the chain as far as it is known; for [`Chain::reset`].
    pub(super) fn head(&self) -> Head {
        self.head.clone().flatten()
    }

    /// Forgets the events since the end was this.
    pub(super) fn reset(&mut self, head: Head) {
        self.new.clear();
        self.head = Some(head);
    }

    pub(super) fn is_locked(&self) -> bool {
        self.head.is_some()
    }

    pub(super) fn is_unsettled(&self) -> bool {
        !self.new.is_empty()
    }

    pub(super) fn append(&mut self, event: NewEvent) {
        self.new.push(event);
    }

    /// The statements that write the new events and the new head.
    pub(super) fn settle<'c>(
        &mut self,
        connection: &'c AsyncPgConnection,
        scope: Uuid,
    ) -> Vec<LocalBoxFuture<'c, QueryResult<usize>>> {
        let (mut seq, mut hash) = self
            .head
            .take()
            .flatten()
            .unwrap_or_else(|| (0, GENESIS.to_vec()));
        let (mut last_event_at, mut last_act_at) = (None, None);
        let mut rows = Vec::new();
        for event in self.new.drain(..) {
            seq += 1;
            let data = event.data.to_string();
            let next = event_hash(
                &hash,
                &Hashed {
                    scope,
                    seq,
                    at: event.at,
                    actor_id: event.actor_id,
                    action: &event.action,
                    subject_kind: &event.subject_kind,
                    subject_id: event.subject_id,
                    request_id: event.request_id.as_deref(),
                    data: &data,
                },
            );
            last_event_at = Some(event.at);
            last_act_at = event.actor_id.map(|_| event.at).or(last_act_at);
            rows.push((
                events::tenant_id.eq(scope),
                events::seq.eq(seq),
                events::at.eq(event.at),
                events::actor_id.eq(event.actor_id),
                events::action.eq(event.action),
                events::subject_kind.eq(event.subject_kind),
                events::subject_id.eq(event.subject_id),
                events::request_id.eq(event.request_id),
                events::data.eq(data),
                events::prev_hash.eq(std::mem::replace(&mut hash, next.clone())),
                events::hash.eq(next),
            ));
        }
        self.head = Some(Some((seq, hash.clone())));
        let mut statements = Vec::new();
        for row in rows {
            let insert = diesel::insert_into(events::table).values(row);
            statements.push(fixed(connection, insert));
        }
        if let Some(at) = last_event_at {
            let head = (
                chains::tenant_id.eq(scope),
                chains::seq.eq(seq),
                chains::hash.eq(hash),
                chains::last_event_at.eq(at),
                last_act_at.map(|at| chains::last_act_at.eq(at)),
            );
            let upsert = diesel::insert_into(chains::table)
                .values(head.clone())
                .on_conflict(chains::tenant_id)
                .do_update()
                .set((head.1, head.2, head.3, head.4));
            statements.push(fixed(connection, upsert));
        }
        statements
    }
}

/// What an event's hash covers.
pub(crate) struct Hashed<'a> {
    pub(crate) scope: Uuid,
    pub(crate) seq: i64,
    pub(crate) at: DateTime<Utc>,
    pub(crate) actor_id: Option<Uuid>,
    pub(crate) action: &'a str,
    pub(crate) subject_kind: &'a str,
    pub(crate) subject_id: Uuid,
    pub(crate) request_id: Option<&'a str>,
    pub(crate) data: &'a str,
}

/// Hash of an event that follows one with the hash `previous`.
pub(crate) fn event_hash(previous: &[u8], event: &Hashed<'_>) -> Vec<u8> {
    // serde_json sorts the keys of a `Value`.
    let canonical = json!({
        "action": event.action,
        "actor_id": event.actor_id,
        "at": event.at.to_rfc3339_opts(SecondsFormat::Micros, true),
        "data": event.data,
        "request_id": event.request_id,
        "scope": event.scope,
        "seq": event.seq,
        "subject_id": event.subject_id,
        "subject_kind": event.subject_kind,
    })
    .to_string();
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    context.update(previous);
    context.update(canonical.as_bytes());
    context.finish().as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every hash ever written must come out the same for ever. Should this fail, the way in which
    /// JSON is written has changed, not the events.
    #[test]
    fn the_hash_of_an_event_never_changes() {
        let event = Hashed {
            scope: Uuid::from_u128(1),
            seq: 7,
            at: DateTime::from_timestamp(1_800_000_000, 123_456_000).unwrap(),
            actor_id: Some(Uuid::from_u128(2)),
            action: "risk.created",
            subject_kind: "risk",
            subject_id: Uuid::from_u128(3),
            request_id: None,
            data: r#"{"b":1,"a":"é"}"#,
        };

        let hash = event_hash(&[0; 32], &event);

        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            "df7510e296f012643ce1cb7a30aa5be7c1ae65adcffb256d419a534bbef1d015"
        );
    }
}
