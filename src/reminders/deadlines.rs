//! What is due in a tenant, for reading.

use actix_web::{get, web};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::open::Open;
use super::routes::{day, page, position};
use crate::http::cursor::Cursors;
use crate::http::query::Params;
use crate::problem::Result;
use crate::records::{RecordKind, called, visible_ids, whole_ids};
use crate::schema::{deadlines, records};
use crate::tenancy::{Access, Oversees, Role, TenantTx};

/// Days before the due date from which a deadline is due soon.
const DUE_SOON_DAYS: i64 = 30;

/// Where a page begins: after this due date, record and name.
type Position = (NaiveDate, Uuid, String);

/// Something that is due.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Deadline)]
pub struct DeadlineItem {
    /// The record.
    pub record_id: Uuid,
    /// Kind of the record.
    #[schema(value_type = RecordKind, example = "risk")]
    pub kind: String,
    /// Reference of the record.
    #[schema(example = "RSK-014")]
    pub r#ref: String,
    /// Title of the record.
    pub title: String,
    /// Name of the deadline within the record.
    #[schema(example = "review")]
    pub name: String,
    /// Due date; of an instant, the date on which it falls.
    pub due_on: NaiveDate,
    /// The instant, where it is due at one.
    pub due_at: Option<DateTime<Utc>>,
    /// The person responsible.
    pub person_id: Option<Uuid>,
    /// Roles whose holders are reminded too.
    #[schema(value_type = Vec<Role>)]
    pub roles: Vec<String>,
    /// How near it is.
    pub state: DueState,
}

/// How near a due date is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DueState {
    /// Past.
    Overdue,
    /// Today or within 30 days.
    DueSoon,
    /// Later.
    Open,
}

/// A page of deadlines.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeadlinePage {
    /// Deadlines, the earliest first.
    pub items: Vec<DeadlineItem>,
    /// Cursor of the next page, if there is one.
    pub next_cursor: Option<String>,
}

impl DueState {
    fn of(due_on: NaiveDate, today: NaiveDate) -> Self {
        match (due_on - today).num_days() {
            ..0 => Self::Overdue,
            0..=DUE_SOON_DAYS => Self::DueSoon,
            _ => Self::Open,
        }
    }

    /// First and last day of the state.
    fn days(self, today: NaiveDate) -> (Option<NaiveDate>, Option<NaiveDate>) {
        let soon = today + TimeDelta::days(DUE_SOON_DAYS);
        match self {
            Self::Overdue => (None, today.pred_opt()),
            Self::DueSoon => (Some(today), Some(soon)),
            Self::Open => (soon.succ_opt(), None),
        }
    }
}

impl std::str::FromStr for DueState {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "overdue" => Ok(Self::Overdue),
            "due_soon" => Ok(Self::DueSoon),
            "open" => Ok(Self::Open),
            _ => Err(()),
        }
    }
}

impl DeadlineItem {
    fn new(open: Open, today: NaiveDate, now: DateTime<Utc>) -> Self {
        let state = match open.due_at {
            Some(due_at) if due_at < now => DueState::Overdue,
            _ => DueState::of(open.due_on, today),
        };
        let Open {
            record_id,
            name,
            due_on,
            due_at,
            person_id,
            roles,
            record: (kind, r#ref, title),
            ..
        } = open;
        Self {
            record_id,
            kind,
            r#ref,
            title,
            name,
            due_on,
            due_at,
            person_id,
            roles,
            state,
        }
    }
}

/// List deadlines
///
/// What is due in the tenant, the earliest first; a deadline is gone once it is met.
#[utoipa::path(
    tag = "Reminders",
    operation_id = "list_deadlines",
    params(
        ("tenant_id" = Uuid, Path, description = "The tenant"),
        ("from" = Option<NaiveDate>, Query, description = "First due date", example = "2027-01-01"),
        ("until" = Option<NaiveDate>, Query, description = "Last due date", example = "2027-03-31"),
        ("state" = Option<DueState>, Query, description = "How near it is"),
        ("limit" = Option<i64>, Query, description = "Items of a page", minimum = 1, maximum = 200),
        ("cursor" = Option<String>, Query, description = "Where the page begins, from `next_cursor`"),
    ),
    responses((status = 200, description = "A page of deadlines.", body = DeadlinePage)),
    security(("bearer" = []))
)]
#[get("/v1/tenants/{tenant_id}/deadlines")]
pub(super) async fn list_deadlines(
    access: Access<Oversees>,
    cursors: web::Data<Cursors>,
    mut params: Params,
) -> Result<web::Json<DeadlinePage>> {
    let (tenant_id, limit) = (access.tenant_id(), params.limit()?);
    let from = day(&mut params, "from")?;
    let until = day(&mut params, "until")?;
    let state: Option<DueState> = params.take_as("state", "overdue, due_soon or open")?;
    let context = format!("deadlines|{tenant_id}|{from:?}|{until:?}|{state:?}");
    let after: Option<Position> = position(&mut params, &cursors, &context)?;
    params.finish()?;
    let (found, today, now) = access
        .read(async |tx| {
            let (today, now) = (tx.today()?, tx.now());
            let wanted = Wanted {
                days: [from, until],
                state,
                today,
                now,
            };
            Ok((due(tx, &wanted, after, limit + 1).await?, today, now))
        })
        .await?;
    let (found, next_cursor) = page(found, limit, |last| {
        cursors.seal(&context, &json!((last.due_on, last.record_id, &last.name)))
    });
    let items = found
        .into_iter()
        .map(|open| DeadlineItem::new(open, today, now))
        .collect();
    Ok(web::Json(DeadlinePage { items, next_cursor }))
}

/// Which deadlines are asked for.
struct Wanted {
    /// First and last due date.
    days: [Option<NaiveDate>; 2],
    state: Option<DueState>,
    today: NaiveDate,
    now: DateTime<Utc>,
}

/// The deadlines of records that are not archived, after a position, as far as the actor sees
/// them: all of a record that they see as a whole, else their own.
async fn due(
    tx: &mut TenantTx<'_>,
    wanted: &Wanted,
    after: Option<Position>,
    limit: i64,
) -> Result<Vec<Open>> {
    let own = deadlines::person_id.eq(tx.actor().person());
    let whole = deadlines::record_id.eq_any(whole_ids(tx)?);
    let mut query = deadlines::table
        .inner_join(
            records::table.on(records::tenant_id
                .eq(deadlines::tenant_id)
                .and(records::id.eq(deadlines::record_id))),
        )
        .filter(deadlines::tenant_id.eq(tx.scope()))
        .filter(deadlines::record_id.eq_any(visible_ids(tx)?))
        .filter(whole.nullable().or(own))
        .filter(records::archived_at.is_null())
        .order((deadlines::due_on, deadlines::record_id, deadlines::name))
        .limit(limit)
        .select(Open::as_select())
        .into_boxed();
    let (first, last) = wanted
        .state
        .map_or((None, None), |state| state.days(wanted.today));
    // An instant of today may be past.
    match wanted.state {
        Some(DueState::Overdue) => {
            let past = deadlines::due_at.lt(wanted.now);
            let before = deadlines::due_on.lt(wanted.today).nullable();
            query = query
                .filter(deadlines::due_on.le(wanted.today))
                .filter(before.or(past));
        }
        Some(DueState::DueSoon) => {
            let to_come = deadlines::due_at.ge(wanted.now);
            query = query.filter(deadlines::due_at.is_null().nullable().or(to_come));
        }
        _ => {}
    }
    let last = last.filter(|_| wanted.state != Some(DueState::Overdue));
    let [from, until] = wanted.days;
    for first in first.into_iter().chain(from) {
        query = query.filter(deadlines::due_on.ge(first));
    }
    for last in last.into_iter().chain(until) {
        query = query.filter(deadlines::due_on.le(last));
    }
    if let Some((due_on, record_id, name)) = after {
        let later_name = deadlines::record_id
            .eq(record_id)
            .and(deadlines::name.gt(name));
        let later_record = deadlines::record_id.gt(record_id).or(later_name);
        let same_day = deadlines::due_on.eq(due_on).and(later_record);
        query = query.filter(deadlines::due_on.gt(due_on).or(same_day));
    }
    let mut found: Vec<Open> = tx.run(async |db| query.load(&mut &*db).await).await?;
    let ids: Vec<Uuid> = found.iter().map(|open| open.record_id).collect();
    let called = called(tx, &ids).await?;
    found.retain_mut(|open| {
        let seen = called.get(&open.record_id);
        if let Some(seen) = seen {
            open.record.2.clone_from(&seen.title);
        }
        seen.is_some()
    });
    Ok(found)
}
