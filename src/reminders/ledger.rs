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
use super::plan::Step;
use super::recipients::{self, Member, Why};
use super::waiting::Waiting;
use crate::jobs::Planner;
use crate::mail::{Content, Mail, UNDELIVERABLE, outbox};
use crate::problem::Result;
use crate::schema::{deadlines, outbox as mails, reminders};
use crate::tenancy::{Platform, Tenant, TenantTx};

/// The one channel there is.
const CHANNEL: &str = "mail";
/// Rows of one transaction.
const AT_ONCE: usize = 500;
/// Days back within which the present step of a deadline lies that has no days of its own: the
/// widest gap between two steps is 16 days, the last one counts for 30, and a change of zone
/// shifts it by hours.
const STEP_AGE: i64 = 32;

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

/// Reads what is open and what is in the ledger, in one round trip, and compares the two.
async fn read(platform: &Platform, tenant: &Tenant) -> Result<Change> {
    platform
        .read(async |tx| {
            tx.switch(tenant.id, Some(tenant.clone())).await?;
            let (now, today) = (tx.now(), tx.today()?);
            let (open, members, mut ledger, older, waiting, about) = tx
                .run(async |db| {
                    let since = now - TimeDelta::days(STEP_AGE);
                    try_join!(
                        open::to_remind(db, tenant.id, today),
                        recipients::members(db, tenant.id),
                        recent(db, tenant.id, since),
                        of_own_days(db, tenant.id, since),
                        waiting(db, tenant.id, now),
                        open::of_reminders(db, tenant.id, None),
                    )
                })
                .await?;
            ledger.extend(older);
            Ok(Change {
                cancel: untrue(&waiting, &about, &members, tenant, now),
                new: missing(open, &members, ledger, tenant, now),
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

/// What was said longer ago of deadlines with days of their own, whose steps may be far apart.
async fn of_own_days(
    db: &AsyncPgConnection,
    tenant_id: Uuid,
    before: DateTime<Utc>,
) -> QueryResult<Vec<Entry>> {
    let standing = reminders::state
        .ne("cancelled")
        .or(reminders::reason.is_not_distinct_from(UNDELIVERABLE));
    deadlines::table
        .inner_join(
            reminders::table.on(reminders::tenant_id
                .eq(deadlines::tenant_id)
                .and(reminders::record_id.eq(deadlines::record_id))
                .and(reminders::deadline.eq(deadlines::name))
                .and(reminders::due_on.eq(deadlines::due_on))),
        )
        .filter(deadlines::tenant_id.eq(tenant_id))
        .filter(deadlines::warn.is_not_null())
        .filter(reminders::send_at.lt(before))
        .filter(standing)
        .select(ENTRY)
        .load(&mut &*db)
        .await
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
fn untrue(
    waiting: &[Waiting],
    about: &[Open],
    members: &[Member],
    tenant: &Tenant,
    now: DateTime<Utc>,
) -> Vec<(Uuid, &'static str)> {
    let mut by_record: HashMap<Uuid, Vec<&Open>> = HashMap::new();
    for open in about {
        by_record.entry(open.record_id).or_default().push(open);
    }
    let judge = |reminder: &Waiting| {
        let of_record = by_record.get(&reminder.record_id);
        let deadlines = of_record.into_iter().flatten().copied();
        let judged = reminder.judge(deadlines, members, tenant.zone, now);
        judged.err().map(|reason| (reminder.id, reason))
    };
    waiting.iter().filter_map(judge).collect()
}

/// What is due and not in the ledger.
fn missing(
    open: Vec<Open>,
    members: &[Member],
    ledger: Vec<Entry>,
    tenant: &Tenant,
    now: DateTime<Utc>,
) -> Vec<(Open, Step, Addressee)> {
    let mut missing = Vec::new();
    let known: HashSet<Entry> = ledger.into_iter().collect();
    let today = now.with_timezone(&tenant.zone).date_naive();
    for open in open {
        let Some(step) = open.schedule().current(tenant.zone, now) else {
            continue;
        };
        let key = |person| {
            let (record, name) = (open.record_id, open.name.clone());
            let (due_on, due_at) = (open.due_on, open.due_at);
            let lead = step.lead;
            (record, name, due_on, due_at, lead.days, lead.hours, person)
        };
        let new: Vec<_> = recipients::of(members, &open, &step, today)
            .into_iter()
            .filter(|to| {
                // Who was not there yet is not told of what was said before.
                let joined_on = to.since.with_timezone(&tenant.zone).date_naive();
                to.since <= step.send_at || joined_on <= open.set_on
            })
            .filter(|to| !known.contains(&key(to.member.user_id)))
            .collect();
        for to in new {
            missing.push((open.clone(), step, to.into()));
        }
    }
    missing
}

impl From<recipients::Recipient<'_>> for Addressee {
    fn from(recipient: recipients::Recipient<'_>) -> Self {
        let (address, name, _) = &recipient.member.account;
        Self {
            id: recipient.member.user_id,
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
