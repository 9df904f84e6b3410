//! What is due: derived from a record in the transaction that changes it.

use chrono::NaiveDate;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::kind::Deadline;
use super::registry::Entry;
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
    /// Civil date.
    pub due_on: NaiveDate,
    /// Civil date since which this date stands.
    pub set_on: NaiveDate,
    /// The person responsible.
    pub person_id: Option<Uuid>,
    /// Roles reminded too.
    pub roles: Vec<String>,
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
        due.push(Deadline {
            name: REVIEW.into(),
            due_on,
            person: row.owner_id,
            roles: if row.owner_id.is_some() {
                Roles::default()
            } else {
                Roles::of(&[Role::AimsManager])
            },
        });
    }
    let (tenant, today) = (tx.scope(), tx.today()?);
    let gone: Vec<String> = standing
        .iter()
        .filter(|old| !due.iter().any(|new| new.name == old.name))
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
        let old = standing.iter().find(|old| old.name == *deadline.name);
        let kept = old.filter(|old| old.due_on == deadline.due_on);
        let new = Standing {
            name: deadline.name.into_owned(),
            due_on: deadline.due_on,
            set_on: kept.map_or(today, |old| old.set_on),
            person_id: deadline.person,
            roles: deadline.roles.names(),
        };
        if old == Some(&new) {
            continue;
        }
        let upsert = diesel::insert_into(deadlines::table)
            .values((
                deadlines::tenant_id.eq(tenant),
                deadlines::record_id.eq(row.id),
                deadlines::name.eq(new.name),
                deadlines::due_on.eq(new.due_on),
                deadlines::set_on.eq(new.set_on),
                deadlines::person_id.eq(new.person_id),
                deadlines::roles.eq(new.roles.clone()),
            ))
            .on_conflict((deadlines::tenant_id, deadlines::record_id, deadlines::name))
            .do_update()
            .set((
                deadlines::due_on.eq(new.due_on),
                deadlines::set_on.eq(new.set_on),
                deadlines::person_id.eq(new.person_id),
                deadlines::roles.eq(new.roles),
            ));
        tx.queue_fixed(upsert);
    }
    Ok(())
}
