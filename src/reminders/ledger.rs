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

use super::recipients::{self, Member};
use super::{LEADS, Naming, Step, plan};
use crate::jobs::Planner;
use crate::mail::templates::{self, Reminder};
use crate::mail::{Mail, outbox};
use crate::problem::Result;
use crate::schema::{deadlines, outbox as mails, records, reminders};
use crate::tenancy::{Platform, Tenant, TenantTx};

/// The one channel there is.
const CHANNEL: &str = "mail";
/// Rows of one transaction.
const AT_ONCE: usize = 500;
/// Days back within which the present step of any deadline lies: the widest gap between two
/// steps is 16 days, and a change of zone shifts it by hours.
const STEP_AGE: i64 = 20;
/// Why a reminder is cancelled: its deadline is no longer there as it was.
pub(super) const MET_OR_MOVED: &str = "met or moved";
/// Why a reminder is cancelled: it waited so long that the next one has come.
const OVERTAKEN: &str = "a later reminder has taken its place";

/// Plans reminders.
pub struct Ledger {
    naming: Naming,
    public_url: String,
}

/// A deadline with its record.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = deadlines, check_for_backend(diesel::pg::Pg))]
pub(super) struct Open {
    pub(super) record_id: Uuid,
    pub(super) name: String,
    pub(super) due_on: NaiveDate,
    pub(super) set_on: NaiveDate,
    pub(super) person_id: Option<Uuid>,
    pub(super) roles: Vec<String>,
    #[diesel(select_expression = (records::kind, records::ref_, records::title))]
    pub(super) record: (String, String, String),
}

/// A reminder that is in the ledger: record, deadline, due date, lead, recipient.
type Entry = (Uuid, String, NaiveDate, i32, Uuid);
/// A reminder that waits to be sent: id, record, deadline, lead, and the deadline's due date if
/// it still stands.
type Waiting = (Uuid, Uuid, String, i32, Option<NaiveDate>);

/// What is to be done in one tenant.
#[derive(Default)]
struct Change {
    new: Vec<(Open, Step, Recipient)>,
    cancel: Vec<(Uuid, &'static str)>,
}

/// A person to be reminded.
struct Recipient {
    id: Uuid,
    address: String,
    name: String,
}

impl Ledger {
    /// A planner whose mails name kinds by `naming` and link below `public_url`.
    pub fn new(naming: Naming, public_url: &str) -> Self {
        Self {
            naming,
            public_url: public_url.to_owned(),
        }
    }

    async fn bring_up_to_date(&self, platform: &Platform, tenant: &Tenant) -> Result<()> {
        let mut change = read(platform, tenant).await?;
        while !change.new.is_empty() {
            let rest = change.new.split_off(change.new.len().min(AT_ONCE));
            let new = std::mem::replace(&mut change.new, rest);
            platform
                .system(tenant.clone(), async |tx| self.add(tx, &new).await)
                .await?;
        }
        for cancel in change.cancel.chunks(AT_ONCE) {
            platform
                .system(tenant.clone(), async |tx| cancel_all(tx, cancel).await)
                .await?;
        }
        Ok(())
    }

    /// Writes reminders, and for each that is new its mail and its event.
    async fn add(&self, tx: &mut TenantTx<'_>, new: &[(Open, Step, Recipient)]) -> Result<()> {
        let (tenant_id, now) = (tx.scope(), tx.now());
        let ids: Vec<Uuid> = new.iter().map(|_| Uuid::now_v7()).collect();
        let rows: Vec<_> = ids
            .iter()
            .zip(new)
            .map(|(id, (open, step, recipient))| {
                (
                    reminders::tenant_id.eq(tenant_id),
                    reminders::id.eq(*id),
                    reminders::record_id.eq(open.record_id),
                    reminders::deadline.eq(&open.name),
                    reminders::due_on.eq(open.due_on),
                    reminders::lead_days.eq(step.lead_days),
                    reminders::recipient_id.eq(recipient.id),
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
        for (id, (open, step, recipient)) in ids.into_iter().zip(new) {
            if written.contains(&id) {
                letters.push(self.letter(tx, id, open, step, recipient)?);
                tx.event(
                    "planned",
                    "reminder",
                    id,
                    &json!({
                        "record_id": open.record_id,
                        "deadline": open.name,
                        "due_on": open.due_on,
                        "lead_days": step.lead_days,
                        "recipient_id": recipient.id,
                    }),
                )?;
            }
        }
        metrics::counter!("aims_reminders_planned_total")
            .increment(u64::try_from(letters.len()).unwrap_or_default());
        outbox::enqueue_all(tx, letters)
    }

    fn letter(
        &self,
        tx: &TenantTx<'_>,
        id: Uuid,
        open: &Open,
        step: &Step,
        recipient: &Recipient,
    ) -> Result<Mail> {
        let tenant = tx.tenant()?;
        let (kind, reference, title) = &open.record;
        let names = self.naming.of(kind);
        let content = templates::reminder(&Reminder {
            public_url: &self.public_url,
            tenant_id: tenant.id,
            tenant: &tenant.name,
            recipient: &recipient.name,
            path: &names.path,
            kind: &names.title,
            record_id: open.record_id,
            reference,
            title,
            deadline: &open.name,
            due_on: open.due_on,
            today: tx.today()?,
        })?;
        Ok(Mail {
            tenant_id: Some(tenant.id),
            reminder_id: Some(id),
            key: format!(
                "reminder:{}:{}:{}:{}:{}:{}:{CHANNEL}",
                tenant.id, open.record_id, open.name, open.due_on, step.lead_days, recipient.id
            ),
            to: recipient.address.clone(),
            to_name: Some(recipient.name.clone()),
            content,
        })
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
            let horizon = today + TimeDelta::days(i64::from(LEADS[0]) + 1);
            let (open, members, ledger, waiting) = tx
                .run(async |db| {
                    try_join!(
                        open(db, tenant.id, horizon),
                        recipients::members(db, tenant.id),
                        recent(db, tenant.id, now - TimeDelta::days(STEP_AGE)),
                        waiting(db, tenant.id),
                    )
                })
                .await?;
            Ok(compare(open, &members, &ledger, waiting, tenant, now))
        })
        .await
}

/// Deadlines up to `horizon`, of records that are not archived.
pub(super) async fn open(
    db: &AsyncPgConnection,
    tenant_id: Uuid,
    horizon: NaiveDate,
) -> QueryResult<Vec<Open>> {
    deadlines::table
        .inner_join(
            records::table.on(records::tenant_id
                .eq(deadlines::tenant_id)
                .and(records::id.eq(deadlines::record_id))),
        )
        .filter(deadlines::tenant_id.eq(tenant_id))
        .filter(deadlines::due_on.le(horizon))
        .filter(records::archived_at.is_null())
        .select(Open::as_select())
        .load(&mut &*db)
        .await
}

async fn recent(
    db: &AsyncPgConnection,
    tenant_id: Uuid,
    since: DateTime<Utc>,
) -> QueryResult<Vec<Entry>> {
    reminders::table
        .filter(reminders::tenant_id.eq(tenant_id))
        .filter(reminders::send_at.ge(since))
        .select((
            reminders::record_id,
            reminders::deadline,
            reminders::due_on,
            reminders::lead_days,
            reminders::recipient_id,
        ))
        .load(&mut &*db)
        .await
}

async fn waiting(db: &AsyncPgConnection, tenant_id: Uuid) -> QueryResult<Vec<Waiting>> {
    reminders::table
        .left_join(
            deadlines::table.on(deadlines::tenant_id
                .eq(reminders::tenant_id)
                .and(deadlines::record_id.eq(reminders::record_id))
                .and(deadlines::name.eq(reminders::deadline))
                .and(deadlines::due_on.eq(reminders::due_on))),
        )
        .filter(reminders::tenant_id.eq(tenant_id))
        .filter(reminders::state.eq("planned"))
        .select((
            reminders::id,
            reminders::record_id,
            reminders::deadline,
            reminders::lead_days,
            deadlines::due_on.nullable(),
        ))
        .load(&mut &*db)
        .await
}

/// What is due and not in the ledger, and what in it is no longer true.
fn compare(
    open: Vec<Open>,
    members: &[Member],
    ledger: &[Entry],
    waiting: Vec<Waiting>,
    tenant: &Tenant,
    now: DateTime<Utc>,
) -> Change {
    let today = now.with_timezone(&tenant.zone).date_naive();
    let known: HashSet<(Uuid, &str, NaiveDate, i32, Uuid)> = ledger
        .iter()
        .map(|(record, name, due, lead, who)| (*record, name.as_str(), *due, *lead, *who))
        .collect();
    let mut change = Change::default();
    let mut present: HashMap<(Uuid, String), i32> = HashMap::new();
    for open in open {
        let Some(step) = plan::current(open.due_on, open.set_on, tenant.zone, now) else {
            continue;
        };
        for member in recipients::of(members, open.person_id, &open.roles, today) {
            let key = (
                open.record_id,
                open.name.as_str(),
                open.due_on,
                step.lead_days,
                member.user_id,
            );
            if member.wants_mail() && !known.contains(&key) {
                change
                    .new
                    .push((open.clone(), step, Recipient::from(member)));
            }
        }
        present.insert((open.record_id, open.name), step.lead_days);
    }
    for (id, record, name, lead, due) in waiting {
        let overtaken = || present.get(&(record, name)).is_some_and(|now| *now < lead);
        match due {
            None => change.cancel.push((id, MET_OR_MOVED)),
            Some(_) if overtaken() => change.cancel.push((id, OVERTAKEN)),
            Some(_) => {}
        }
    }
    change
}

impl From<&Member> for Recipient {
    fn from(member: &Member) -> Self {
        let (address, name, _) = &member.account;
        Self {
            id: member.user_id,
            address: address.clone(),
            name: name.clone(),
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
