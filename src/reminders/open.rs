//! Deadlines that stand, each with its record.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::result::QueryResult;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_util::try_join;
use uuid::Uuid;

use super::plan::{ESCALATE_TO, LAST_COUNTS, Schedule, Step};
use crate::records::Titled;
use crate::schema::{deadlines, records, reminders};
use crate::tenancy::Roles;

/// A deadline of a record that is not archived.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = deadlines, check_for_backend(diesel::pg::Pg))]
pub(super) struct Open {
    pub(super) record_id: Uuid,
    pub(super) name: String,
    pub(super) due_on: NaiveDate,
    pub(super) due_at: Option<DateTime<Utc>>,
    pub(super) set_on: NaiveDate,
    pub(super) person_id: Option<Uuid>,
    pub(super) roles: Vec<String>,
    pub(super) warn: Option<Vec<i32>>,
    pub(super) escalate_after: Option<i32>,
    escalate_to: Vec<String>,
    #[diesel(select_expression = (records::kind, records::ref_, records::title))]
    pub(super) record: (String, String, String),
    #[diesel(embed)]
    pub(super) titled: Titled,
}

impl Open {
    /// When people are reminded of it, in a tenant with these warning days.
    pub(super) fn schedule<'a>(&'a self, usual: &'a [i32]) -> Schedule<'a> {
        Schedule {
            due_on: self.due_on,
            due_at: self.due_at,
            set_on: self.set_on,
            warn: self.warn.as_deref().unwrap_or(usual),
            escalate_after: self.escalate_after,
        }
    }

    /// The roles that are told too at a step.
    pub(super) fn escalated_to(&self, step: &Step) -> Roles {
        match (step.escalated, self.escalate_after) {
            (false, _) => Roles::default(),
            (true, Some(_)) => Roles::parse(self.escalate_to.iter().map(String::as_str)),
            (true, None) => ESCALATE_TO,
        }
    }
}

/// Deadlines with their records, as far as those are not archived.
#[diesel::dsl::auto_type(no_type_alias)]
fn standing(tenant_id: Uuid) -> _ {
    deadlines::table
        .inner_join(
            records::table.on(records::tenant_id
                .eq(deadlines::tenant_id)
                .and(records::id.eq(deadlines::record_id))),
        )
        .filter(deadlines::tenant_id.eq(tenant_id))
        .filter(records::archived_at.is_null())
}

/// The deadlines of a tenant with these warning days of which somebody may have to be reminded
/// today: those that have no days of their own, and those that have.
pub(super) async fn to_remind(
    db: &AsyncPgConnection,
    tenant_id: Uuid,
    today: NaiveDate,
    usual: &[i32],
) -> QueryResult<Vec<Open>> {
    // A day more on either side: a tenant may have moved to another zone.
    let first = today - LAST_COUNTS - TimeDelta::days(1);
    let last = today + TimeDelta::days(1);
    let longest = usual.iter().copied().max().unwrap_or_default();
    let usual = standing(tenant_id)
        .filter(deadlines::remind_until.ge(first))
        .filter(deadlines::warn.is_null())
        .filter(deadlines::due_on.le(last + TimeDelta::days(longest.into())))
        .select(Open::as_select());
    let own = standing(tenant_id)
        .filter(deadlines::remind_until.ge(first))
        .filter(deadlines::warn.is_not_null())
        .filter(deadlines::remind_from.le(last))
        .select(Open::as_select());
    let (mut usual, own) = try_join!(usual.load(&mut &*db), own.load(&mut &*db))?;
    usual.extend(own);
    Ok(usual)
}

/// All deadlines of the records that planned reminders are about: these, or all that are planned.
pub(super) async fn of_reminders(
    db: &AsyncPgConnection,
    tenant_id: Uuid,
    ids: Option<Vec<Uuid>>,
) -> QueryResult<Vec<Open>> {
    let planned = reminders::table
        .filter(reminders::tenant_id.eq(tenant_id))
        .filter(reminders::state.eq("planned"))
        .select(reminders::record_id);
    let query = standing(tenant_id).select(Open::as_select());
    match ids {
        Some(ids) => {
            let these = planned.filter(reminders::id.eq_any(ids));
            let query = query.filter(deadlines::record_id.eq_any(these));
            query.load(&mut &*db).await
        }
        None => {
            let query = query.filter(deadlines::record_id.eq_any(planned));
            query.load(&mut &*db).await
        }
    }
}

#[cfg(test)]
impl Open {
    /// A review due on 1 March 2027.
    pub(super) fn example(person_id: Option<Uuid>, roles: Vec<String>) -> Self {
        Self {
            record_id: Uuid::nil(),
            name: "review".to_owned(),
            due_on: NaiveDate::from_ymd_opt(2027, 3, 1).unwrap(),
            due_at: None,
            set_on: NaiveDate::from_ymd_opt(2026, 1, 1).unwrap(),
            person_id,
            roles,
            warn: None,
            escalate_after: None,
            escalate_to: Vec::new(),
            record: ("risk".to_owned(), "RSK-001".to_owned(), String::new()),
            titled: Titled::example(),
        }
    }
}
