//! Looks at a reminder once more at the moment of sending, and notes what became of it.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use diesel::prelude::*;
use diesel::result::QueryResult;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_util::future::LocalBoxFuture;
use futures_util::{FutureExt, try_join};
use serde_json::json;
use uuid::Uuid;

use super::ledger::MET_OR_MOVED;
use super::recipients::{self, Member};
use crate::mail::{Fate, Occasion};
use crate::problem::Result;
use crate::schema::{deadlines, reminders, tenants};
use crate::tenancy::{Platform, TenantTx};

/// Why a reminder is cancelled: the recipient does not belong to the tenant any more.
const HAS_LEFT: &str = "recipient has left";
/// Why a reminder is cancelled: the recipient does not want mail.
const SWITCHED_OFF: &str = "mail switched off";
/// Why a mail is cancelled: its reminder is no longer waiting.
const NOT_WAITING: &str = "the reminder is no longer planned";

/// Knows the ledger behind mails that are about to be sent.
pub struct Recheck;

/// A reminder as it is now: id, recipient, state, the deadline's due date if it still stands,
/// and the tenant's zone.
type Present = (Uuid, Uuid, String, Option<NaiveDate>, String);

impl Occasion for Recheck {
    fn outdated<'a>(
        &'a self,
        platform: &'a Platform,
        mails: &'a [(Uuid, Uuid)],
    ) -> LocalBoxFuture<'a, Result<HashMap<Uuid, String>>> {
        outdated(platform, mails).boxed_local()
    }

    fn settle(&self, tx: &mut TenantTx<'_>, fates: &[(Uuid, Fate)]) -> Result<()> {
        let sent = fates
            .iter()
            .filter(|(_, fate)| *fate == Fate::Sent)
            .map(|(id, _)| *id)
            .collect();
        finish(tx, sent, "sent", None);
        for (id, fate) in fates {
            match fate {
                Fate::Sent => tx.event("sent", "reminder", *id, &json!({}))?,
                Fate::Cancelled(reason) => {
                    finish(tx, vec![*id], "cancelled", Some(reason.clone()));
                    tx.event("cancelled", "reminder", *id, &json!({ "reason": reason }))?;
                }
            }
        }
        Ok(())
    }
}

async fn outdated(platform: &Platform, mails: &[(Uuid, Uuid)]) -> Result<HashMap<Uuid, String>> {
    let mut wanted: BTreeMap<Uuid, Vec<Uuid>> = BTreeMap::new();
    for (tenant, reminder) in mails {
        wanted.entry(*tenant).or_default().push(*reminder);
    }
    let tenants: Vec<Uuid> = wanted.keys().copied().collect();
    let wanted = &wanted;
    platform
        .read(async |tx| {
            let now = tx.now();
            let found = tx
                .visit(&tenants, async |db, tenant| {
                    let ids = wanted.get(&tenant).cloned().unwrap_or_default();
                    try_join!(present(db, tenant, ids), recipients::members(db, tenant))
                })
                .await?;
            let mut standing: HashMap<Uuid, Option<&'static str>> = HashMap::new();
            for (present, members) in &found {
                let judged = present
                    .iter()
                    .map(|reminder| (reminder.0, fault(reminder, members, now)));
                standing.extend(judged);
            }
            Ok(mails
                .iter()
                .filter_map(|(_, id)| match standing.get(id) {
                    Some(fault) => fault.map(|reason| (*id, reason.to_owned())),
                    None => Some((*id, NOT_WAITING.to_owned())),
                })
                .collect())
        })
        .await
}

async fn present(
    db: &AsyncPgConnection,
    tenant_id: Uuid,
    ids: Vec<Uuid>,
) -> QueryResult<Vec<Present>> {
    reminders::table
        .inner_join(tenants::table.on(tenants::id.eq(reminders::tenant_id)))
        .left_join(
            deadlines::table.on(deadlines::tenant_id
                .eq(reminders::tenant_id)
                .and(deadlines::record_id.eq(reminders::record_id))
                .and(deadlines::name.eq(reminders::deadline))
                .and(deadlines::due_on.eq(reminders::due_on))),
        )
        .filter(reminders::tenant_id.eq(tenant_id))
        .filter(reminders::id.eq_any(ids))
        .select((
            reminders::id,
            reminders::recipient_id,
            reminders::state,
            deadlines::due_on.nullable(),
            tenants::time_zone,
        ))
        .load(&mut &*db)
        .await
}

/// Why a reminder must not be sent, if so.
fn fault(
    (_, recipient, state, due_on, zone): &Present,
    members: &[Member],
    now: DateTime<Utc>,
) -> Option<&'static str> {
    let zone: Tz = zone.parse().unwrap_or(Tz::UTC);
    let today = now.with_timezone(&zone).date_naive();
    let member = members
        .iter()
        .find(|member| member.user_id == *recipient && member.holds(today));
    if state != "planned" {
        return Some(NOT_WAITING);
    }
    if due_on.is_none() {
        return Some(MET_OR_MOVED);
    }
    match member {
        None => Some(HAS_LEFT),
        Some(member) if !member.wants_mail() => Some(SWITCHED_OFF),
        Some(_) => None,
    }
}

/// Queues the end of reminders of the transaction's tenant that are still planned.
pub(super) fn finish(
    tx: &mut TenantTx<'_>,
    ids: Vec<Uuid>,
    state: &'static str,
    reason: Option<String>,
) {
    if ids.is_empty() {
        return;
    }
    let planned = reminders::table
        .filter(reminders::tenant_id.eq(tx.scope()))
        .filter(reminders::id.eq_any(ids))
        .filter(reminders::state.eq("planned"));
    let update = diesel::update(planned).set((
        reminders::state.eq(state),
        reminders::reason.eq(reason),
        reminders::finished_at.eq(tx.now()),
    ));
    tx.queue(|db| async move { update.execute(&mut &*db).await });
}
