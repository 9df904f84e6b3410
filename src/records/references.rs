//! References of a record: that what they name is there, and who may be named.

use std::ops::Range;

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_util::try_join;
use serde_json::Value;
use uuid::Uuid;

use super::entry::Entry;
use super::refs::{Found, Target};
use super::registry::registry;
use super::row::Row;
use super::settings::Settings;
use crate::problem::{FieldError, Problem, Result};
use crate::schema::{counters, people, records};
use crate::tenancy::{Prepared, TenantTx, holders_among};

/// Pointer of the owner, which has a column and a foreign key of its own.
pub(super) const OWNER: &str = "/owner_id";
/// Begin of the pointers of people in an audience.
pub(super) const AUDIENCE: &str = "/audience_people";

/// All references of a row: those of its body, its owner, and the people of its audience.
pub(super) fn references_of(entry: &Entry, row: &Row) -> Vec<Found> {
    let mut found = references_in(entry, &row.body, row.owner_id);
    let audience = row.audience_people.iter().enumerate();
    found.extend(audience.map(|(at, id)| person(format!("{AUDIENCE}/{at}"), *id)));
    found
}

/// References of a body and an owner.
pub(super) fn references_in(entry: &Entry, body: &Value, owner: Option<Uuid>) -> Vec<Found> {
    let mut found = entry.places.collect(body);
    found.extend(owner.map(|id| person(OWNER.to_owned(), id)));
    found
}

fn person(pointer: String, id: Uuid) -> Found {
    Found {
        pointer,
        target: Target::Person(id),
    }
}

/// Checks what a change of the record `id` names newly; no record refers to itself.
pub(super) async fn check_new(
    tx: &mut TenantTx<'_>,
    id: Uuid,
    old: &[Found],
    new: &[Found],
) -> Result<()> {
    let itself = |found: &&Found| matches!(found.target, Target::Record { id: to, .. } if to == id);
    if let Some(found) = new.iter().find(itself) {
        return Err(Problem::invalid(
            found.pointer.clone(),
            "names this record itself",
        ));
    }
    let fresh: Vec<_> = new
        .iter()
        .filter(|found| {
            !old.iter().any(|known| {
                known.target == found.target && (known.pointer == OWNER) == (found.pointer == OWNER)
            })
        })
        .cloned()
        .collect();
    if fresh.is_empty() {
        return Ok(());
    }
    check(tx, &fresh, None).await.map(drop)
}

/// What was checked and counted ahead for records that are made together.
#[derive(Default)]
struct Ahead {
    kind: &'static str,
    numbers: Range<i32>,
    found: Vec<Found>,
}

/// Checks the references of records that are about to be made together, and reserves their
/// numbers; in one round trip for all of them.
pub(super) async fn check_ahead(
    tx: &mut TenantTx<'_>,
    found: Vec<Found>,
    kind: &'static str,
    count: i32,
) -> Result<()> {
    let last = check_and_count(tx, &found, Some(kind), count).await?;
    tx.keep_memo(Ahead {
        kind,
        numbers: last - count + 1..last + 1,
        found,
    });
    Ok(())
}

/// Checks that everything referred to exists in this tenant and is of the right kind, and counts
/// up the reference number of `numbered`; in one round trip.
pub(super) async fn check(
    tx: &mut TenantTx<'_>,
    found: &[Found],
    numbered: Option<&str>,
) -> Result<i32> {
    let mut ahead: Ahead = tx.take_memo();
    let is_known =
        numbered == Some(ahead.kind) && found.iter().all(|one| ahead.found.contains(one));
    let number = if is_known { ahead.numbers.next() } else { None };
    tx.keep_memo(ahead);
    match number {
        Some(number) => Ok(number),
        None => check_and_count(tx, found, numbered, 1).await,
    }
}

async fn check_and_count(
    tx: &mut TenantTx<'_>,
    found: &[Found],
    numbered: Option<&str>,
    count: i32,
) -> Result<i32> {
    let tenant = tx.scope();
    let persons: Vec<Uuid> = found
        .iter()
        .filter_map(|found| match found.target {
            Target::Person(id) => Some(id),
            _ => None,
        })
        .collect();
    let targets: Vec<Uuid> = found
        .iter()
        .filter_map(|found| match found.target {
            Target::Record { id, .. } => Some(id),
            _ => None,
        })
        .collect();
    let (number, known_records, known_people) = tx
        .run(async |db| {
            try_join!(
                next_number(db, tenant, numbered, count),
                records_among(db, tenant, targets),
                people_among(db, tenant, persons),
            )
        })
        .await?;
    let mut missing = not_here(tx, found).await?;
    for found in found {
        let fault = match &found.target {
            Target::Person(_) if found.pointer == OWNER || found.pointer.starts_with(AUDIENCE) => {
                None
            }
            Target::Person(id) => (!known_people.contains(id)).then(|| "person".to_owned()),
            Target::Record { kind, id } => {
                let there = registry().by_name(kind).is_some()
                    && known_records
                        .iter()
                        .any(|(known, of)| (known, of) == (id, kind));
                (!there).then(|| kind.replace('_', " "))
            }
            Target::Unit { catalog, unit } => {
                let there = Settings::read(tx)
                    .await?
                    .version_of(catalog, unit)
                    .is_some();
                (!there).then(|| "unit of a catalogue".to_owned())
            }
        };
        if let Some(what) = fault {
            missing.push(FieldError {
                pointer: found.pointer.clone(),
                detail: format!("There is no {what} with this id."),
            });
        }
    }
    if missing.is_empty() {
        Ok(number)
    } else {
        Err(Problem::invalid_all(missing))
    }
}

/// Owners and people of an audience who hold no place in the tenant today: they could not be
/// told, nor see it.
async fn not_here(tx: &mut TenantTx<'_>, found: &[Found]) -> Result<Vec<FieldError>> {
    let actor = tx.actor().person();
    let responsible: Vec<(&Found, Uuid)> = found
        .iter()
        .filter(|found| found.pointer == OWNER || found.pointer.starts_with(AUDIENCE))
        .filter_map(|found| match found.target {
            Target::Person(id) if Some(id) != actor => Some((found, id)),
            _ => None,
        })
        .collect();
    let ids: Vec<Uuid> = responsible.iter().map(|(_, id)| *id).collect();
    let here = holders_among(tx, &ids).await?;
    Ok(responsible
        .into_iter()
        .filter(|(_, id)| !here.contains(id))
        .map(|(found, _)| FieldError {
            pointer: found.pointer.clone(),
            detail: "There is no person with this id who belongs to the organisation today."
                .to_owned(),
        })
        .collect())
}

/// Counts up the number of a kind by `count`; answers the last of them.
async fn next_number(
    db: &AsyncPgConnection,
    tenant: Uuid,
    kind: Option<&str>,
    count: i32,
) -> QueryResult<i32> {
    let Some(kind) = kind else { return Ok(0) };
    let next = diesel::insert_into(counters::table)
        .values((
            counters::tenant_id.eq(tenant),
            counters::kind.eq(kind),
            counters::last.eq(count),
        ))
        .on_conflict((counters::tenant_id, counters::kind))
        .do_update()
        .set(counters::last.eq(counters::last + count))
        .returning(counters::last);
    Prepared(next).get_result(&mut &*db).await
}

async fn records_among(
    db: &AsyncPgConnection,
    tenant: Uuid,
    ids: Vec<Uuid>,
) -> QueryResult<Vec<(Uuid, String)>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    records::table
        .filter(records::tenant_id.eq(tenant))
        .filter(records::id.eq_any(ids))
        .select((records::id, records::kind))
        .load(&mut &*db)
        .await
}

async fn people_among(
    db: &AsyncPgConnection,
    tenant: Uuid,
    ids: Vec<Uuid>,
) -> QueryResult<Vec<Uuid>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    people::table
        .filter(people::tenant_id.eq(tenant))
        .filter(people::user_id.eq_any(ids))
        .select(people::user_id)
        .load(&mut &*db)
        .await
}
