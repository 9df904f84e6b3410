//! Which rows are there, by time and person.

use chrono::{DateTime, Utc};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde::{Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::super::entry::Entry;
use super::super::row::RawJson;
use super::super::{store, visibility};
use super::{RowEntry, Rows};
use crate::problem::{Problem, Result};
use crate::schema::rows;
use crate::tenancy::TenantTx;

/// What a list of rows was asked for.
#[derive(Debug)]
pub(in crate::records) struct Wanted {
    pub(in crate::records) from: Option<DateTime<Utc>>,
    pub(in crate::records) until: Option<DateTime<Utc>>,
    pub(in crate::records) person: Option<Uuid>,
    pub(in crate::records) after: Option<(DateTime<Utc>, String)>,
    pub(in crate::records) limit: i64,
}

/// A page of rows, in the order of time.
pub(in crate::records) struct Page {
    pub(in crate::records) items: Vec<Shown>,
    /// What is counted of all of them.
    pub(in crate::records) tally: Value,
}

/// A row as clients read it, and its place in the order.
pub(in crate::records) struct Shown {
    pub(in crate::records) at: DateTime<Utc>,
    pub(in crate::records) key: String,
    body: Box<RawValue>,
}

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        self.body.serialize(serializer)
    }
}

/// Rows of a record, in the order of time.
pub(in crate::records) async fn list(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    rows_entry: &RowEntry,
    id: Uuid,
    mut wanted: Wanted,
) -> Result<Page> {
    let stored = store::fetch(tx, entry, id).await?;
    let mut tally = Value::Null;
    if visibility::is_whole(tx, entry, &stored.spine).await? {
        if rows_entry.tally.is_some() {
            tally = rows_entry.behaviour.tally(tx, stored.into_row()?).await?;
        }
    } else {
        // Who sees only what is in force sees of the rows their own.
        wanted.person = tx.actor().person();
    }
    let query = wanted.query(tx.scope(), id, rows_entry.list);
    let found: Vec<(DateTime<Utc>, String, RawJson)> =
        tx.run(async |db| query.load(&mut &*db).await).await?;
    let items = found
        .into_iter()
        .map(|(at, key, body)| {
            let body = RawValue::from_string(body.0).map_err(Problem::internal)?;
            Ok(Shown { at, key, body })
        })
        .collect::<Result<_>>()?;
    Ok(Page { items, tally })
}

type Query<'a> = diesel::helper_types::IntoBoxed<
    'a,
    diesel::helper_types::Select<rows::table, (rows::at, rows::key, rows::body)>,
    Pg,
>;

impl Wanted {
    fn query(self, tenant: Uuid, record: Uuid, list: &'static str) -> Query<'static> {
        let mut query = rows::table
            .select((rows::at, rows::key, rows::body))
            .into_boxed::<Pg>()
            .filter(rows::tenant_id.eq(tenant))
            .filter(rows::record_id.eq(record))
            .filter(rows::list.eq(list))
            .order((rows::at, rows::key))
            .limit(self.limit);
        if let Some(from) = self.from {
            query = query.filter(rows::at.ge(from));
        }
        if let Some(until) = self.until {
            query = query.filter(rows::at.le(until));
        }
        if let Some(person) = self.person {
            query = query.filter(rows::person_id.eq(person));
        }
        if let Some((at, key)) = self.after {
            query = query
                .filter(rows::at.ge(at))
                .filter(rows::at.gt(at).or(rows::at.eq(at).and(rows::key.gt(key))));
        }
        query
    }
}

/// The newest rows of a record, newest first.
pub async fn newest_rows<R: Rows>(
    tx: &mut TenantTx<'_>,
    record: Uuid,
    limit: i64,
) -> Result<Vec<R>> {
    tx.flush().await?;
    let query = rows::table
        .filter(rows::tenant_id.eq(tx.scope()))
        .filter(rows::record_id.eq(record))
        .filter(rows::list.eq(R::LIST))
        .order((rows::at.desc(), rows::key.desc()))
        .limit(limit)
        .select(rows::body);
    let found: Vec<RawJson> = tx.run(async |db| query.load(&mut &*db).await).await?;
    found
        .iter()
        .map(|body| serde_json::from_str(&body.0).map_err(Problem::internal))
        .collect()
}
