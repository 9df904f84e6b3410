//! Storing rows: which of those sent are new, the one event that tells of them, what they change
//! of their record, and what follows.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::behaviour::{typed, untyped};
use super::super::consequences::Cause;
use super::super::hearing::{self, What};
use super::super::kind::{Kind, Record};
use super::super::registry::entry_of;
use super::super::row::RawJson;
use super::super::store::{self, Loaded};
use super::super::{deadlines, saving};
use super::taking::{MOST_FAULTS, Places};
use super::{AT_ONCE, Known, Rows, RowsAdded};
use crate::problem::{Problem, ProblemType, Result};
use crate::schema::rows;
use crate::tenancy::TenantTx;

/// Adds rows; what they follow from, if from something else, is told.
pub(super) async fn add_rows<R: Rows>(
    tx: &mut TenantTx<'_>,
    record: &Record<R::Of>,
    sent: Vec<R>,
    places: Places,
    cause: Option<&Cause>,
) -> Result<RowsAdded> {
    let count = sent.len();
    let new = new_ones(tx, record, sent, places, cause).await?;
    if !new.is_empty() {
        insert(tx, record.id, &new)?;
        match R::TELLS {
            true => tell(tx, record.id, &new, cause).await?,
            false => {
                event(tx, record.id, &new, &Value::Null, cause)?;
                R::added(record, &new, tx).await?;
            }
        }
    }
    Ok(RowsAdded {
        added: new.len(),
        known: count - new.len(),
    })
}

/// Completes what was sent and takes out what is there already, the same.
async fn new_ones<R: Rows>(
    tx: &mut TenantTx<'_>,
    record: &Record<R::Of>,
    sent: Vec<R>,
    places: Places,
    cause: Option<&Cause>,
) -> Result<Vec<R>> {
    let keys: Vec<String> = sent.iter().map(R::key).collect();
    let known: HashMap<String, R> = of_keys(tx, record.id, R::LIST, keys).await?;
    let mut new: Vec<R> = Vec::with_capacity(sent.len());
    let mut seen: HashMap<String, Value> = HashMap::new();
    let mut faults = Vec::new();
    for (at, row) in sent.into_iter().enumerate() {
        let completed = match cause {
            Some(_) => Ok(row),
            None => row.complete(record, &Known(&known), tx).await,
        };
        let row = match completed.map_err(|problem| at_item(problem, at, places)) {
            Ok(row) => row,
            Err(problem) if problem.kind == ProblemType::Invalid => {
                faults.extend(problem.errors);
                continue;
            }
            Err(problem) => return Err(problem),
        };
        let value = serde_json::to_value(&row).map_err(Problem::internal)?;
        let key = row.key();
        let old = match seen.get(&key) {
            Some(old) => Some(old.clone()),
            None => known
                .get(&key)
                .map(serde_json::to_value)
                .transpose()
                .map_err(Problem::internal)?,
        };
        match old {
            Some(old) if old == value => {}
            Some(_) if !R::REPLACES || seen.contains_key(&key) => {
                let fault = Problem::invalid("", "is there already, with other content");
                return Err(at_item(fault.with_status(409), at, places));
            }
            _ => {
                seen.insert(key, value);
                new.push(row);
            }
        }
    }
    faults.truncate(MOST_FAULTS);
    match faults.is_empty() {
        true => Ok(new),
        false => Err(Problem::invalid_all(faults)),
    }
}

/// A problem of one row, with its place in the request.
fn at_item(mut problem: Problem, at: usize, places: Places) -> Problem {
    for fault in &mut problem.errors {
        fault.pointer = places.pointer(at, &fault.pointer);
    }
    problem
}

/// Queues the rows and what they have due.
fn insert<R: Rows>(tx: &mut TenantTx<'_>, record: Uuid, new: &[R]) -> Result<()> {
    let (tenant, now, by) = (tx.scope(), tx.now(), tx.actor().person());
    let mut values = Vec::with_capacity(new.len());
    for row in new {
        values.push((
            rows::tenant_id.eq(tenant),
            rows::record_id.eq(record),
            rows::list.eq(R::LIST),
            rows::key.eq(row.key()),
            rows::at.eq(row.at()),
            rows::person_id.eq(row.person()),
            rows::body.eq(serde_json::to_value(row).map_err(Problem::internal)?),
            rows::created_at.eq(now),
            rows::created_by.eq(by),
        ));
    }
    let upsert = diesel::insert_into(rows::table)
        .values(values)
        .on_conflict((rows::tenant_id, rows::record_id, rows::list, rows::key))
        .do_update()
        .set((
            rows::at.eq(diesel::upsert::excluded(rows::at)),
            rows::body.eq(diesel::upsert::excluded(rows::body)),
        ));
    tx.queue(|db| async move { upsert.execute(&mut &*db).await });
    for row in new {
        if let Some((of, person)) = R::DEADLINE.zip(row.person()) {
            deadlines::of_row(tx, record, format!("{of}/{person}"), row.due())?;
        }
    }
    Ok(())
}

/// What new rows change of the computed fields of their record, told in the event of the rows;
/// then what follows from both.
async fn tell<R: Rows>(
    tx: &mut TenantTx<'_>,
    id: Uuid,
    new: &[R],
    cause: Option<&Cause>,
) -> Result<()> {
    let entry = entry_of::<R::Of>()?;
    let Loaded {
        mut row,
        mirrors,
        standing,
    } = store::load(tx, entry, id).await?;
    let old = row.clone();
    let mut record: Record<R::Of> = typed(&row)?;
    R::tell(&mut record, new)?;
    untyped(record, &mut row)?;
    let due = entry.settle_move(&mut row, &old, tx).await?;
    let (before, after) = (old.told(), row.told());
    let fields = store::changed_fields(&before, &after);
    event(tx, id, new, &store::differences(&before, &after), cause)?;
    if !fields.is_empty() {
        saving::save(tx, entry, &mut row, mirrors, standing, due)?;
        Box::pin(hearing::tell(tx, entry, &row, What::Changed(fields))).await?;
    }
    R::added(&typed(&row)?, new, tx).await
}

/// One event for all rows that were added together.
fn event<R: Rows>(
    tx: &mut TenantTx<'_>,
    record: Uuid,
    new: &[R],
    changes: &Value,
    cause: Option<&Cause>,
) -> Result<()> {
    let mut digest = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    for row in new {
        let body = serde_json::to_value(row).map_err(Problem::internal)?;
        digest.update(body.to_string().as_bytes());
        digest.update(b"\n");
    }
    let hash: String = digest
        .finish()
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let mut data = json!({"list": R::LIST, "count": new.len(), "sha256": hash});
    if let Value::Object(fields) = &mut data {
        if let [one] = new {
            fields.insert("row".to_owned(), json!(one));
        }
        if changes
            .as_object()
            .is_some_and(|changes| !changes.is_empty())
        {
            fields.insert("changes".to_owned(), changes.clone());
        }
    }
    let data = store::with_cause(data, cause.map(Cause::data));
    tx.event("rows_added", R::Of::INFO.name, record, &data)
}

async fn of_keys<R: Rows>(
    tx: &mut TenantTx<'_>,
    record: Uuid,
    list: &'static str,
    keys: Vec<String>,
) -> Result<HashMap<String, R>> {
    let query = rows::table
        .filter(rows::tenant_id.eq(tx.scope()))
        .filter(rows::record_id.eq(record))
        .filter(rows::list.eq(list))
        .filter(rows::key.eq_any(keys))
        .select((rows::key, rows::body));
    let found: Vec<(String, RawJson)> = tx.run(async |db| query.load(&mut &*db).await).await?;
    found
        .into_iter()
        .map(|(key, body)| {
            let row = serde_json::from_str(&body.0).map_err(Problem::internal)?;
            Ok((key, row))
        })
        .collect()
}

/// Adds rows as a consequence: those whose key is there already stay as they are.
pub async fn add_rows_for<R: Rows>(
    tx: &mut TenantTx<'_>,
    record: &Record<R::Of>,
    new: Vec<R>,
    cause: &Cause,
) -> Result<usize> {
    let mut added = 0;
    let mut rest = new;
    while !rest.is_empty() {
        let later = rest.split_off(rest.len().min(AT_ONCE));
        let keys = rest.iter().map(R::key).collect();
        let known: HashMap<String, R> = of_keys(tx, record.id, R::LIST, keys).await?;
        rest.retain(|row| !known.contains_key(&row.key()));
        let adding =
            tx.as_system(async |tx| add_rows(tx, record, rest, Places::Items, Some(cause)).await);
        added += adding.await?.added;
        tx.flush().await?;
        rest = later;
    }
    Ok(added)
}

/// Takes away what the rows of a record have due: what they were about holds no more.
pub fn forget_deadlines<R: Rows>(tx: &mut TenantTx<'_>, record: Uuid) {
    if let Some(of) = R::DEADLINE {
        deadlines::forget_of_rows(tx, record, of);
    }
}
