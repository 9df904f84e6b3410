//! The statements that store a row with its links and deadlines.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use serde_json::Value;
use uuid::Uuid;

use super::deadlines::{self, Standing};
use super::entry::Entry;
use super::links::{self, Mirror};
use super::references::references_of;
use super::row::Row;
use super::session::Session;
use super::shadow::Shadow;
use crate::problem::Result;
use crate::schema::records;
use crate::tenancy::TenantTx;

/// What of a record changes, shadows of its body included.
#[derive(Insertable, AsChangeset)]
#[diesel(table_name = records, treat_none_as_null = true)]
struct Columns {
    title: String,
    status: String,
    version: i32,
    owner_id: Option<Uuid>,
    next_review_on: Option<NaiveDate>,
    updated_at: DateTime<Utc>,
    updated_by: Option<Uuid>,
    authors: Vec<Uuid>,
    in_force: Option<i32>,
    approved_by: Option<Uuid>,
    approved_on: Option<NaiveDate>,
    audience: String,
    audience_roles: Vec<String>,
    audience_people: Vec<Uuid>,
    archived_at: Option<DateTime<Utc>>,
    body: Value,
    facet_1: Option<String>,
    facet_2: Option<String>,
    facet_3: Option<String>,
    facet_4: Option<String>,
    sort_1: Option<i64>,
    sort_2: Option<i64>,
    sort_3: Option<i64>,
    words: String,
}

impl Columns {
    fn of(entry: &Entry, row: &Row) -> Self {
        let Shadow {
            facets: [facet_1, facet_2, facet_3, facet_4],
            sorts: [sort_1, sort_2, sort_3],
            words,
        } = Shadow::of(entry, row);
        Self {
            title: row.title.clone(),
            status: row.status.clone(),
            version: row.version,
            owner_id: row.owner_id,
            next_review_on: row.next_review_on,
            updated_at: row.updated_at,
            updated_by: row.updated_by,
            authors: row.authors.clone(),
            in_force: row.in_force,
            approved_by: row.approved_by,
            approved_on: row.approved_on,
            audience: row.audience.clone(),
            audience_roles: row.audience_roles.clone(),
            audience_people: row.audience_people.clone(),
            archived_at: row.archived_at,
            body: row.body.clone(),
            facet_1,
            facet_2,
            facet_3,
            facet_4,
            sort_1,
            sort_2,
            sort_3,
            words,
        }
    }
}

/// Queues what stores a new row under its number.
pub(super) fn insert(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    row: &Row,
    number: i32,
    due: Vec<super::Deadline>,
) -> Result<()> {
    let statement = diesel::insert_into(records::table).values((
        records::tenant_id.eq(tx.scope()),
        records::id.eq(row.id),
        records::kind.eq(entry.info.name),
        records::ref_no.eq(number),
        records::ref_.eq(row.reference.clone()),
        records::created_at.eq(row.created_at),
        records::created_by.eq(row.created_by),
        Columns::of(entry, row),
    ));
    tx.queue_fixed(statement);
    hang_on(tx, entry, row, Vec::new(), Vec::new(), due)
}

/// Queues what stores a changed row, as its next version.
pub(super) fn save(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    row: &mut Row,
    mirrors: Vec<Mirror>,
    standing: Vec<Standing>,
    due: Vec<super::Deadline>,
) -> Result<()> {
    let target = records::table
        .find((tx.scope(), row.id))
        .filter(records::version.eq(row.version));
    row.version += 1;
    row.updated_at = tx.now();
    row.updated_by = tx.actor().person();
    let statement = diesel::update(target).set(Columns::of(entry, row));
    tx.queue_fixed_one(statement);
    hang_on(tx, entry, row, mirrors, standing, due)
}

fn hang_on(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    row: &Row,
    mirrors: Vec<Mirror>,
    standing: Vec<Standing>,
    due: Vec<super::Deadline>,
) -> Result<()> {
    Session::saved(tx, row.id);
    let actor = tx.actor().person();
    links::mirror(tx, row, mirrors, &references_of(entry, row), actor);
    deadlines::renew(tx, entry, row, standing, due)
}
