//! What is due: derived from a record in the transaction that changes it.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::entry::Entry;
use super::kind::{Deadline, Due};
use super::row::Row;
use crate::problem::Result;
use crate::schema::deadlines;
use crate::tenancy::{Role, Roles, TenantTx};

/// Name of the deadline that every record with a review date has.
pub const REVIEW: &str = "review";

/// Something due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Queryable, Selectable, ToSchema)]
#[diesel(table_name = deadlines, check_for_backend(diesel::pg::Pg))]
#[schema(as = RecordDeadline)]
pub struct Standing {
    /// What is due.
    pub name: String,
    /// Civil date; of an instant, the date on which it falls.
    pub due_on: NaiveDate,
    /// The instant, where it is due at one.
    pub due_at: Option<DateTime<Utc>>,
    /// Civil date since which this date stands.
    pub set_on: NaiveDate,
    /// The person responsible.
    pub person_id: Option<Uuid>,
    /// Roles reminded too.
    #[schema(value_type = Vec<Role>)]
    pub roles: Vec<String>,
    /// Days before it on which people are reminded, where they are its own.
    #[serde(skip)]
    warn: Option<Vec<i32>>,
    #[serde(skip)]
    escalate_after: Option<i32>,
    #[serde(skip)]
    escalate_to: Vec<String>,
}

impl Standing {
    /// The deadline as it is stored; a date that stood before stands since then.
    fn of(deadline: Deadline, standing: &[Self], zone: Tz, today: NaiveDate) -> Self {
        let (due_on, due_at) = match deadline.due {
            Due::On(date) => (date, None),
            Due::At(at) => (at.with_timezone(&zone).date_naive(), Some(at)),
        };
        let kept = standing
            .iter()
            .find(|old| old.name == deadline.name)
            .filter(|old| (old.due_on, old.due_at) == (due_on, due_at));
        let warn = deadline.warn.map(|days| {
            let mut days = days.to_vec();
            days.sort_unstable_by(|one, other| other.cmp(one));
            days.dedup();
            days
        });
        Self {
            name: deadline.name.into_owned(),
            due_on,
            due_at,
            set_on: kept.map_or(today, |old| old.set_on),
            person_id: deadline.person,
            roles: deadline.roles.names(),
            warn,
            escalate_after: deadline.escalate.map(|(days, _)| i32::from(days)),
            escalate_to: deadline
                .escalate
                .map(|(_, roles)| roles.names())
                .unwrap_or_default(),
        }
    }
}

/// The deadlines of one record.
pub(super) async fn of_record(
    db: &AsyncPgConnection,
    tenant: Uuid,
    record: Uuid,
) -> QueryResult<Vec<Standing>> {
    deadlines::table
        .filter(deadlines::tenant_id.eq(tenant))
        .filter(deadlines::record_id.eq(record))
        .order(deadlines::due_on)
        .select(Standing::as_select())
        .load(&mut &*db)
        .await
}

/// Puts the deadlines of a record in place of those that stand.
pub(super) fn renew(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    row: &Row,
    standing: Vec<Standing>,
    mut due: Vec<Deadline>,
) -> Result<()> {
    let over = row.archived_at.is_some() || entry.is_end(&row.status);
    if over {
        due.clear();
    } else if let Some(due_on) = row.next_review_on {
        let roles = match row.owner_id {
            Some(_) => Roles::default(),
            None => Roles::of(&[Role::AimsManager]),
        };
        due.push(
            Deadline::on(REVIEW, due_on)
                .for_person(row.owner_id)
                .for_roles(roles),
        );
    }
    let (tenant, zone, today) = (tx.scope(), tx.tenant()?.zone, tx.today()?);
    let gone: Vec<String> = standing
        .iter()
        .filter(|old| !due.iter().any(|new| new.name == old.name))
        .filter(|old| over || !is_of_rows(entry, &old.name))
        .map(|old| old.name.clone())
        .collect();
    if !gone.is_empty() {
        let delete = diesel::delete(
            deadlines::table
                .filter(deadlines::tenant_id.eq(tenant))
                .filter(deadlines::record_id.eq(row.id))
                .filter(deadlines::name.eq_any(gone)),
        );
        tx.queue_fixed(delete);
    }
    for deadline in due {
        let new = Standing::of(deadline, &standing, zone, today);
        if !standing.contains(&new) {
            put(tx, row.id, new);
        }
    }
    Ok(())
}

/// Queues a deadline in the place of the one of its name.
fn put(tx: &mut TenantTx<'_>, record: Uuid, new: Standing) {
    let changing = (
        deadlines::due_on.eq(new.due_on),
        deadlines::due_at.eq(new.due_at),
        deadlines::set_on.eq(new.set_on),
        deadlines::person_id.eq(new.person_id),
        deadlines::roles.eq(new.roles),
        deadlines::warn.eq(new.warn),
        deadlines::escalate_after.eq(new.escalate_after),
        deadlines::escalate_to.eq(new.escalate_to),
    );
    let upsert = diesel::insert_into(deadlines::table)
        .values((
            deadlines::tenant_id.eq(tx.scope()),
            deadlines::record_id.eq(record),
            deadlines::name.eq(new.name),
            changing.clone(),
        ))
        .on_conflict((deadlines::tenant_id, deadlines::record_id, deadlines::name))
        .do_update()
        .set(changing);
    tx.queue_fixed(upsert);
}

/// Whether a deadline is one of rows under the record: those come and go with their rows.
fn is_of_rows(entry: &Entry, name: &str) -> bool {
    let (of, _) = name.split_once('/').unwrap_or_default();
    entry.rows.iter().any(|rows| rows.deadline == Some(of))
}

/// What a row under a record has due for its person; nothing once it is met.
pub(super) fn of_row(
    tx: &mut TenantTx<'_>,
    record: Uuid,
    name: String,
    due: Option<Deadline>,
) -> Result<()> {
    let Some(deadline) = due else {
        let met = deadlines::table.find((tx.scope(), record, name));
        tx.queue_fixed(diesel::delete(met));
        return Ok(());
    };
    let (zone, today) = (tx.tenant()?.zone, tx.today()?);
    let mut new = Standing::of(deadline, &[], zone, today);
    new.name = name;
    put(tx, record, new);
    Ok(())
}

/// Takes away what rows under a record have due.
pub(super) fn forget_of_rows(tx: &mut TenantTx<'_>, record: Uuid, of: &str) {
    let gone = deadlines::table
        .filter(deadlines::tenant_id.eq(tx.scope()))
        .filter(deadlines::record_id.eq(record))
        .filter(deadlines::name.like(format!("{of}/%")));
    tx.queue_fixed(diesel::delete(gone));
}
