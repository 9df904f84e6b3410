//! Brings the ledger of one tenant up to the present instant.
//!
//! Any number of replicas may do this at once: what is read outside of the writing transaction
//! may be old, but a reminder that is in the ledger already is not written again, and only what
//! was written is mailed.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use diesel::dsl::now as database_now;
use diesel::prelude::*;
use diesel::result::QueryResult;
use diesel::sql_types::Timestamptz;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use futures_util::try_join;
use serde_json::json;
use uuid::Uuid;

use super::open::{self, Open};
use super::plan::{self, Lead, Step};
use super::recipients::{self, Why};
use super::waiting::{View, Waiting};
use crate::jobs::Planner;
use crate::mail::{Content, Mail, UNDELIVERABLE, outbox};
use crate::problem::Result;
use crate::records::Settings;
use crate::schema::{deadlines, outbox as mails, reminders};
use crate::tenancy::{Platform, Tenant, TenantTx, members};

/// The one channel there is.
const CHANNEL: &str = "mail";
/// Rows of one transaction.
const AT_ONCE: usize = 500;
/// Within this time lies the present step of a deadline in most tenants; the ledger before it is
/// looked at only for deadlines whose steps lie further apart.
const RECENT: TimeDelta = TimeDelta::days(32);

/// Plans reminders.
pub struct Ledger;

/// Columns of an [`Entry`].
const ENTRY: EntryColumns = (
    reminders::record_id,
    reminders::deadline,
    reminders::due_on,
    reminders::due_at,
    reminders::lead_days,
    reminders::lead_hours,
    reminders::recipient_id,
);
type EntryColumns = (
    reminders::record_id,
    reminders::deadline,
    reminders::due_on,
    reminders::due_at,
    reminders::lead_days,
    reminders::lead_hours,
    reminders::recipient_id,
);
/// A reminder that is in the ledger: record, deadline, due date and instant, lead, recipient.
type Entry = (
    Uuid,
    String,
    NaiveDate,
    Option<DateTime<Utc>>,
    i32,
    i32,
    Uuid,
);

/// What somebody was told of: record, deadline, due date and instant, recipient.
type About = (Uuid, String, NaiveDate, Option<DateTime<Utc>>, Uuid);

/// What is to be done in one tenant.
struct Change {
    new: Vec<(Open, Step, Addressee)>,
    cancel: Vec<(Uuid, &'static str)>,
}

/// A person to be reminded.
struct Addressee {
    id: Uuid,
    address: String,
    name: String,
    why: Why,
}

impl Ledger {
    async fn bring_up_to_date(&self, platform: &Platform, tenant: &Tenant) -> Result<()> {
        let mut change = read(platform, tenant).await?;
        while !change.new.is_empty() {
            let rest = change.new.split_off(change.new.len().min(AT_ONCE));
            let new = std::mem::replace(&mut change.new, rest);
            platform
                .system(tenant.clone(), async |tx| add(tx, &new).await)
                .await?;
        }
        for cancel in change.cancel.chunks(AT_ONCE) {
            platform
                .system(tenant.clone(), async |tx| cancel_all(tx, cancel).await)
                .await?;
        }
        Ok(())
    }
}

/// Writes reminders, and for each that is new its mail and its event.
async fn add(tx: &mut TenantTx<'_>, new: &[(Open, Step, Addressee)]) -> Result<()> {
    let (tenant_id, now) = (tx.scope(), tx.now());
    let ids: Vec<Uuid> = new.iter().map(|_| Uuid::now_v7()).collect();
    let rows: Vec<_> = ids
        .iter()
        .zip(new)
        .map(|(id, (open, step, to))| {
            (
                reminders::tenant_id.eq(tenant_id),
                reminders::id.eq(*id),
                reminders::record_id.eq(open.record_id),
                reminders::deadline.eq(&open.name),
                reminders::due_on.eq(open.due_on),
                reminders::due_at.eq(open.due_at),
                reminders::lead_days.eq(step.lead.days),
                reminders::lead_hours.eq(step.lead.hours),
                reminders::recipient_id.eq(to.id),
                reminders::why.eq(to.why.as_str()),
                reminders::channel.eq(CHANNEL),
                reminders::state.eq("planned"),
                reminders::send_at.eq(step.send_at),
                reminders::created_at.eq(now),
            )
        })
        .collect();
    let insert = diesel::insert_into(reminders::table)
        .values(rows)
        .on_conflict_do_nothing()
        .returning(reminders::id);
    let written: HashSet<Uuid> = tx
        .run(async |db| insert.load(&mut &*db).await)
        .await?
        .into_iter()
        .collect();
    let mut letters = Vec::with_capacity(written.len());
    for (id, (open, step, to)) in ids.into_iter().zip(new) {
        if written.contains(&id) {
            letters.push(letter(tenant_id, id, to));
            tx.event(
                "planned",
                "reminder",
                id,
                &json!({
                    "record_id": open.record_id,
                    "deadline": open.name,
                    "due_on": open.due_on,
                    "lead_days": step.lead.days,
                    "recipient_id": to.id,
                    "why": to.why.as_str(),
                }),
            )?;
        }
    }
    metrics::counter!("aims_reminders_planned_total")
        .increment(u64::try_from(letters.len()).unwrap_or_default());
    outbox::enqueue_all(tx, letters)
}

/// The mail of a reminder; what it says is written when it is sent.
fn letter(tenant_id: Uuid, id: Uuid, to: &Addressee) -> Mail {
    Mail {
        tenant_id: Some(tenant_id),
        reminder_id: Some(id),
        key: format!("reminder:{tenant_id}:{id}:{CHANNEL}"),
        to: to.address.clone(),
        to_name: Some(to.name.clone()),
        content: Content::default(),
    }
}

impl Planner for Ledger {
    fn name(&self) -> &'static str {
        "reminders"
    }

    fn plan<'a>(
        &'a self,
        platform: &'a Platform,
        tenant: &'a Tenant,
    ) -> LocalBoxFuture<'a, Result<()>> {
        self.bring_up_to_date(platform, tenant).boxed_local()
    }
}

/// Reads what is open and what is in the ledger, and compares the two.
async fn read(platform: &Platform, tenant: &Tenant) -> Result<Change> {
    platform
        .read(async |tx| {
            tx.switch(tenant.id, Some(tenant.clone())).await?;
            let (now, today) = (tx.now(), tx.today()?);
            let (warn, members, waiting, about) = tx
                .run(async |db| {
                    try_join!(
                        Settings::warning_days(db, tenant.id),
                        members(db, tenant.id),
                        waiting(db, tenant.id, now),
                        open::of_reminders(db, tenant.id, None),
                    )
                })
                .await?;
            let (open, mut ledger, older) = tx
                .run(async |db| {
                    let since = now - RECENT;
                    try_join!(
                        open::to_remind(db, tenant.id, today, &warn),
                        recent(db, tenant.id, since),
                        older(db, tenant.id, since, plan::step_age(&warn) > RECENT),
                    )
                })
                .await?;
            ledger.extend(older);
            let view = View {
                members: &members,
                warn: &warn,
                zone: tenant.zone,
                now,
            };
            Ok(Change {
                cancel: untrue(&waiting, &about, &view),
                new: missing(open, ledger, &view),
            })
        })
        .await
}

/// What was said lately, or will not be said again. What was cancelled may return with its cause,
/// save what could not be delivered.
async fn recent(
    db: &AsyncPgConnection,
    tenant_id: Uuid,
    since: DateTime<Utc>,
) -> QueryResult<Vec<Entry>> {
    let standing = reminders::state
        .ne("cancelled")
        .or(reminders::reason.is_not_distinct_from(UNDELIVERABLE));
    reminders::table
        .filter(reminders::tenant_id.eq(tenant_id))
        .filter(reminders::send_at.ge(since))
        .filter(standing)
        .select(ENTRY)
        .load(&mut &*db)
        .await
}

/// What was said longer ago of deadlines whose steps may be far apart: those with days of their
/// own, or all.
async fn older(
    db: &AsyncPgConnection,
    tenant_id: Uuid,
    before: DateTime<Utc>,
    of_all: bool,
) -> QueryResult<Vec<Entry>> {
    let standing = reminders::state
        .ne("cancelled")
        .or(reminders::reason.is_not_distinct_from(UNDELIVERABLE));
    let own_days = deadlines::warn
        .is_not_null()
        .or(deadlines::escalate_after.is_not_null());
    let query = deadlines::table
        .inner_join(
            reminders::table.on(reminders::tenant_id
                .eq(deadlines::tenant_id)
                .and(reminders::record_id.eq(deadlines::record_id))
                .and(reminders::deadline.eq(deadlines::name))
                .and(reminders::due_on.eq(deadlines::due_on))),
        )
        .filter(deadlines::tenant_id.eq(tenant_id))
        .filter(reminders::send_at.lt(before))
        .filter(standing)
        .select(ENTRY);
    match of_all {
        true => query.load(&mut &*db).await,
        false => query.filter(own_days).load(&mut &*db).await,
    }
}

/// What is planned and has come, by the clock of this process: another's may be ahead.
async fn waiting(
    db: &AsyncPgConnection,
    tenant_id: Uuid,
    now: DateTime<Utc>,
) -> QueryResult<Vec<Waiting>> {
    reminders::table
        .filter(reminders::tenant_id.eq(tenant_id))
        .filter(reminders::state.eq("planned"))
        .filter(reminders::send_at.le(now))
        .select(Waiting::as_select())
        .load(&mut &*db)
        .await
}

/// What waits in the ledger and is no longer true, and why.
fn untrue(waiting: &[Waiting], about: &[Open], view: &View<'_>) -> Vec<(Uuid, &'static str)> {
    let mut by_record: HashMap<Uuid, Vec<&Open>> = HashMap::new();
    for open in about {
        by_record.entry(open.record_id).or_default().push(open);
    }
    let judge = |reminder: &Waiting| {
        let of_record = by_record.get(&reminder.record_id);
        let deadlines = of_record.into_iter().flatten().copied();
        let judged = reminder.judge(deadlines, view);
        judged.err().map(|reason| (reminder.id, reason))
    };
    waiting.iter().filter_map(judge).collect()
}

/// What is due and not in the ledger.
fn missing(open: Vec<Open>, ledger: Vec<Entry>, view: &View<'_>) -> Vec<(Open, Step, Addressee)> {
    let mut missing = Vec::new();
    let said = latest(ledger);
    for open in open {
        let Some(step) = open.schedule(view.warn).current(view.zone, view.now) else {
            continue;
        };
        let key = |person| {
            let (record, name) = (open.record_id, open.name.clone());
            (record, name, open.due_on, open.due_at, person)
        };
        let new: Vec<_> = recipients::of(view.members, &open, &step, view.today())
            .into_iter()
            .filter(|to| {
                // Who was not there yet is not told of what was said before.
                let joined_on = to.since.with_timezone(&view.zone).date_naive();
                to.since <= step.send_at || joined_on <= open.set_on
            })
            .filter(|to| {
                // What was said nearer to the date needs no word from further off, which would
                // come when days are added to the settings.
                let said = said.get(&key(to.person()));
                said.is_none_or(|said| *said > step.lead)
            })
            .collect();
        for to in new {
            missing.push((open.clone(), step, to.into()));
        }
    }
    missing
}

/// The last that each person was told of each due date.
fn latest(ledger: Vec<Entry>) -> HashMap<About, Lead> {
    let mut latest: HashMap<About, Lead> = HashMap::new();
    for (record, name, due_on, due_at, days, hours, person) in ledger {
        let lead = Lead { days, hours };
        let about = (record, name, due_on, due_at, person);
        let last = latest.entry(about).or_insert(lead);
        *last = lead.min(*last);
    }
    latest
}

impl From<recipients::Recipient<'_>> for Addressee {
    fn from(recipient: recipients::Recipient<'_>) -> Self {
        let (address, name, _) = &recipient.member.account;
        Self {
            id: recipient.person(),
            address: address.clone(),
            name: name.clone(),
            why: recipient.why,
        }
    }
}

/// Cancels reminders whose mails nobody is sending just now; the sender looks for itself.
async fn cancel_all(tx: &mut TenantTx<'_>, cancel: &[(Uuid, &'static str)]) -> Result<()> {
    let ids: Vec<Uuid> = cancel.iter().map(|(id, _)| *id).collect();
    let idle = mails::table
        .filter(mails::reminder_id.eq_any(ids))
        .filter(mails::tenant_id.eq(tx.scope()))
        .filter(mails::state.eq("queued"))
        .filter(
            mails::leased_until
                .is_null()
                .or(mails::leased_until.lt(database_now.into_sql::<Timestamptz>().nullable())),
        );
    let update = diesel::update(idle)
        .set((
            mails::state.eq("cancelled"),
            mails::finished_at.eq(tx.now()),
            mails::leased_until.eq(None::<DateTime<Utc>>),
            mails::body_text.eq(""),
            mails::body_html.eq(""),
        ))
        .returning(mails::reminder_id);
    let stopped: HashSet<Uuid> = tx
        .run(async |db| update.load::<Option<Uuid>>(&mut &*db).await)
        .await?
        .into_iter()
        .flatten()
        .collect();
    for (id, reason) in cancel.iter().filter(|(id, _)| stopped.contains(id)) {
        super::recheck::finish(tx, vec![*id], "cancelled", Some((*reason).to_owned()));
        tx.event("cancelled", "reminder", *id, &json!({ "reason": reason }))?;
    }
    Ok(())
}
