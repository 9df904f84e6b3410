//! Judges a reminder at the moment of sending, writes what its mail says then, and notes what
//! became of it.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use diesel::prelude::*;
use diesel::result::QueryResult;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_util::future::LocalBoxFuture;
use futures_util::{FutureExt, try_join};
use serde_json::json;
use uuid::Uuid;

use super::Naming;
use super::open::{self, Open};
use super::recipients::{self, Recipient, Why};
use super::waiting::{View, Waiting};
use crate::mail::templates::{self, Reason, Reminder};
use crate::mail::{Fate, Judgement, Occasion};
use crate::problem::Result;
use crate::records::Settings;
use crate::schema::{reminders, tenants};
use crate::tenancy::{MemberAccount, Platform, TenantTx, members};

/// Why a mail is cancelled: its reminder is no longer waiting.
const NOT_WAITING: &str = "the reminder is no longer planned";
/// Why a reminder is cancelled: nothing goes out while the tenant is paused.
const PAUSED: &str = "the organisation is paused";
/// Why a reminder is cancelled: the tenant is archived.
const ARCHIVED: &str = "the organisation is archived";

/// Knows the ledger behind mails that are about to be sent.
pub struct Recheck {
    naming: Naming,
    public_url: String,
}

/// A tenant and its mails that are about to be sent, as they are now.
struct Place {
    id: Uuid,
    name: String,
    zone: Tz,
    stage: String,
    waiting: Vec<Waiting>,
    deadlines: Vec<Open>,
    members: Vec<MemberAccount>,
    warn: Vec<i32>,
}

impl Recheck {
    /// Mails name kinds by `naming` and link below `public_url`.
    pub fn new(naming: Naming, public_url: &str) -> Self {
        Self {
            naming,
            public_url: public_url.to_owned(),
        }
    }

    async fn judge_all(
        &self,
        platform: &Platform,
        mails: &[(Uuid, Uuid)],
    ) -> Result<HashMap<Uuid, Judgement>> {
        let mut wanted: BTreeMap<Uuid, Vec<Uuid>> = BTreeMap::new();
        for (tenant, reminder) in mails {
            wanted.entry(*tenant).or_default().push(*reminder);
        }
        let tenants: Vec<Uuid> = wanted.keys().copied().collect();
        let wanted = &wanted;
        let (places, now) = platform
            .read(async |tx| {
                let now = tx.now();
                let found = tx
                    .visit(&tenants, async |db, tenant| {
                        let ids = wanted.get(&tenant).cloned().unwrap_or_default();
                        place(db, tenant, ids).await
                    })
                    .await?;
                Ok((found, now))
            })
            .await?;
        let mut judged: HashMap<Uuid, Judgement> = mails
            .iter()
            .map(|(_, id)| (*id, Judgement::Cancelled(NOT_WAITING)))
            .collect();
        for place in &places {
            for reminder in &place.waiting {
                judged.insert(reminder.id, self.judge_one(place, reminder, now)?);
            }
        }
        Ok(judged)
    }

    fn judge_one(
        &self,
        place: &Place,
        reminder: &Waiting,
        now: DateTime<Utc>,
    ) -> Result<Judgement> {
        match place.stage.as_str() {
            "paused" => return Ok(Judgement::Cancelled(PAUSED)),
            "archived" => return Ok(Judgement::Cancelled(ARCHIVED)),
            _ => {}
        }
        let view = View {
            members: &place.members,
            warn: &place.warn,
            zone: place.zone,
            now,
        };
        match reminder.judge(&place.deadlines, &view) {
            Err(reason) => Ok(Judgement::Cancelled(reason)),
            Ok((open, recipient)) => self.write(place, open, &recipient, now),
        }
    }

    /// What the mail says now.
    fn write(
        &self,
        place: &Place,
        open: &Open,
        recipient: &Recipient<'_>,
        now: DateTime<Utc>,
    ) -> Result<Judgement> {
        let (kind, reference, _) = &open.record;
        let (to, to_name, _) = &recipient.member.account;
        let names = self.naming.of(kind);
        let today = now.with_timezone(&place.zone).date_naive();
        let title = recipients::title_for(&place.members, recipient.person(), open, today);
        let content = templates::reminder(&Reminder {
            public_url: &self.public_url,
            tenant_id: place.id,
            tenant: &place.name,
            recipient: to_name,
            path: &names.path,
            kind: &names.title,
            record_id: open.record_id,
            reference,
            title,
            deadline: &open.name,
            due_on: open.due_on,
            due_at: open.due_at,
            now,
            zone: place.zone,
            reason: match recipient.why {
                Why::Responsible => Reason::Responsible,
                Why::NobodyLeft => Reason::NobodyLeft,
                Why::Escalated => Reason::Escalated,
            },
        })?;
        Ok(Judgement::Goes {
            to: to.clone(),
            to_name: to_name.clone(),
            content,
        })
    }
}

impl Occasion for Recheck {
    fn judge<'a>(
        &'a self,
        platform: &'a Platform,
        mails: &'a [(Uuid, Uuid)],
    ) -> LocalBoxFuture<'a, Result<HashMap<Uuid, Judgement>>> {
        self.judge_all(platform, mails).boxed_local()
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

/// A tenant with those of its reminders that are planned, and what they are about.
async fn place(db: &AsyncPgConnection, tenant_id: Uuid, ids: Vec<Uuid>) -> QueryResult<Place> {
    let waiting = reminders::table
        .filter(reminders::tenant_id.eq(tenant_id))
        .filter(reminders::id.eq_any(ids.clone()))
        .filter(reminders::state.eq("planned"))
        .select(Waiting::as_select());
    let tenant =
        tenants::table
            .find(tenant_id)
            .select((tenants::name, tenants::time_zone, tenants::stage));
    let (waiting, deadlines, members, warn, tenant) = try_join!(
        waiting.load(&mut &*db),
        open::of_reminders(db, tenant_id, Some(ids)),
        members(db, tenant_id),
        Settings::warning_days(db, tenant_id),
        tenant.first::<(String, String, String)>(&mut &*db),
    )?;
    let (name, zone, stage) = tenant;
    Ok(Place {
        id: tenant_id,
        name,
        zone: zone.parse().unwrap_or(Tz::UTC),
        stage,
        waiting,
        deadlines,
        members,
        warn,
    })
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
