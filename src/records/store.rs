//! Making, changing and archiving records. Each is a part of one transaction: the row, its
//! links, its deadlines and its event.

use chrono::NaiveDate;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_util::try_join;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::deadlines::{self, Standing};
use super::kind::PERSON;
use super::links::{self, Mirror};
use super::refs::Found;
use super::registry::Entry;
use super::row::{Row, Spine, Stored};
use super::spine;
use crate::http::merge_patch;
use crate::problem::{FieldError, Problem, ProblemType, Result};
use crate::schema::{counters, people, records};
use crate::tenancy::{Prepared, Roles, TenantTx};

/// A record with what hangs on it, loaded to be changed.
pub(super) struct Loaded {
    pub(super) row: Row,
    pub(super) mirrors: Vec<Mirror>,
    pub(super) standing: Vec<Standing>,
}

/// One record; 404 when there is none of this kind.
pub async fn get(tx: &mut TenantTx<'_>, entry: &Entry, id: Uuid) -> Result<Stored> {
    let query = records::table
        .find((tx.scope(), id))
        .filter(records::kind.eq(entry.info.name))
        .select(Stored::as_select());
    tx.run(async |db| query.first(&mut &*db).await).await
}

/// Loads a record to change it, in one round trip.
pub(super) async fn load(tx: &mut TenantTx<'_>, entry: &Entry, id: Uuid) -> Result<Loaded> {
    let tenant = tx.scope();
    let record = records::table
        .find((tenant, id))
        .filter(records::kind.eq(entry.info.name))
        .select(Stored::as_select());
    let (stored, mirrors, standing) = tx
        .run(async |db| {
            try_join!(
                record.first(&mut &*db),
                links::mirrors_of(db, tenant, id),
                deadlines::of_record(db, tenant, id),
            )
        })
        .await?;
    Ok(Loaded {
        row: stored.into_row()?,
        mirrors,
        standing,
    })
}

/// Makes a record from a client's input.
pub async fn create(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    input: Map<String, Value>,
) -> Result<Stored> {
    may_author(tx, entry)?;
    let input = Value::Object(input);
    entry.check(&input)?;
    let (written, body) = split(input)?;
    let (now, actor) = (tx.now(), tx.actor().person());
    let spine = Spine {
        id: Uuid::now_v7(),
        kind: entry.info.name.to_owned(),
        reference: String::new(),
        title: written.title,
        status: entry.start.to_owned(),
        version: 1,
        owner_id: written.owner_id,
        next_review_on: written.next_review_on,
        created_at: now,
        created_by: actor,
        updated_at: now,
        updated_by: actor,
        authored_by: actor,
        archived_at: None,
    };
    let mut row = Row { spine, body };
    let references = references_of(entry, &row);
    let number = check_references(tx, &references, Some(entry.info.name)).await?;
    row.reference = format!("{}-{number:03}", entry.info.prefix);
    let due = entry.settle(&mut row, None, tx).await?;

    let insert = diesel::insert_into(records::table).values((
        records::tenant_id.eq(tx.scope()),
        records::id.eq(row.id),
        records::kind.eq(entry.info.name),
        records::ref_no.eq(number),
        records::ref_.eq(row.reference.clone()),
        records::title.eq(row.title.clone()),
        records::status.eq(row.status.clone()),
        records::version.eq(row.version),
        records::owner_id.eq(row.owner_id),
        records::next_review_on.eq(row.next_review_on),
        records::created_at.eq(now),
        records::created_by.eq(actor),
        records::updated_at.eq(now),
        records::updated_by.eq(actor),
        records::authored_by.eq(actor),
        records::body.eq(row.body.clone()),
    ));
    tx.queue_fixed(insert);
    links::mirror(tx, &row, Vec::new(), &references_of(entry, &row));
    deadlines::renew(tx, entry, &row, Vec::new(), due)?;
    tx.event(
        "created",
        entry.info.name,
        row.id,
        &json!({"after": row.content()}),
    )?;
    Ok(row.to_stored())
}

/// Changes a record by a merge patch (RFC 7396).
pub async fn update(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    id: Uuid,
    precondition: impl FnOnce(i32) -> Result<()>,
    patch: Map<String, Value>,
) -> Result<Stored> {
    may_author(tx, entry)?;
    let loaded = load(tx, entry, id).await?;
    precondition(loaded.row.version)?;
    change(tx, entry, loaded, |content| {
        merge_patch::apply(content, &Value::Object(patch));
        Ok(())
    })
    .await
}

/// Changes what people may change of a loaded record, and stores it.
pub(super) async fn change(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    loaded: Loaded,
    edit: impl FnOnce(&mut Value) -> Result<()>,
) -> Result<Stored> {
    let Loaded {
        mut row,
        mirrors,
        standing,
    } = loaded;
    is_live(entry, &row)?;
    let mut before = row.content();
    let mut content = before.clone();
    entry.places.strip_read_only(&mut content);
    entry.places.strip_read_only(&mut before);
    edit(&mut content)?;
    entry.check(&content)?;
    stays_frozen(entry, &row, &before, &content)?;
    if content == before {
        return Ok(row.to_stored());
    }
    let old = references_of(entry, &row);
    let (spine, body) = split(content)?;
    row.title = spine.title;
    row.owner_id = spine.owner_id;
    row.next_review_on = spine.next_review_on;
    let old_body = std::mem::replace(&mut row.body, body);
    row.authored_by = tx.actor().person();
    let fresh: Vec<_> = references_of(entry, &row)
        .into_iter()
        .filter(|found| {
            !old.iter()
                .any(|known| (&known.kind, known.id) == (&found.kind, found.id))
        })
        .collect();
    if !fresh.is_empty() {
        check_references(tx, &fresh, None).await?;
    }
    let due = entry.settle(&mut row, Some(&old_body), tx).await?;
    let changes = differences(&before, &row.content());
    save(tx, entry, &mut row, mirrors, standing, due)?;
    tx.event(
        "changed",
        entry.info.name,
        row.id,
        &json!({"changes": changes}),
    )?;
    Ok(row.to_stored())
}

/// Archives a record: it keeps its address and history, and leaves the lists.
pub async fn archive(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    id: Uuid,
    precondition: impl FnOnce(i32) -> Result<()>,
) -> Result<()> {
    may_author(tx, entry)?;
    let loaded = load(tx, entry, id).await?;
    precondition(loaded.row.version)?;
    let mut row = loaded.row;
    is_live(entry, &row)?;
    row.archived_at = Some(tx.now());
    save(
        tx,
        entry,
        &mut row,
        loaded.mirrors,
        loaded.standing,
        Vec::new(),
    )?;
    tx.event("archived", entry.info.name, id, &json!({}))
}

/// Queues the statements that store a changed row with its links and deadlines.
pub(super) fn save(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    row: &mut Row,
    mirrors: Vec<Mirror>,
    standing: Vec<Standing>,
    due: Vec<super::Deadline>,
) -> Result<()> {
    let version = row.version;
    row.version += 1;
    row.updated_at = tx.now();
    row.updated_by = tx.actor().person();
    let target = records::table
        .find((tx.scope(), row.id))
        .filter(records::version.eq(version));
    let statement = diesel::update(target).set((
        records::title.eq(row.title.clone()),
        records::status.eq(row.status.clone()),
        records::version.eq(row.version),
        records::owner_id.eq(row.owner_id),
        records::next_review_on.eq(row.next_review_on),
        records::updated_at.eq(row.updated_at),
        records::updated_by.eq(row.updated_by),
        records::authored_by.eq(row.authored_by),
        records::archived_at.eq(row.archived_at),
        records::body.eq(row.body.clone()),
    ));
    tx.queue_fixed_one(statement);
    links::mirror(tx, row, mirrors, &references_of(entry, row));
    deadlines::renew(tx, entry, row, standing, due)
}

/// Whether the caller may create and change records of this kind.
pub(super) fn may_author(tx: &TenantTx<'_>, entry: &Entry) -> Result<()> {
    needs(tx, entry.authors, &format!("change {}", entry.info.many))
}

/// Whether the actor holds one of `roles`; the system may do everything but approve.
pub(super) fn needs(tx: &TenantTx<'_>, roles: Roles, what: &str) -> Result<()> {
    match tx.actor() {
        crate::tenancy::Actor::System => Ok(()),
        crate::tenancy::Actor::Person { roles: held, .. } if held.meets(roles) => Ok(()),
        crate::tenancy::Actor::Person { .. } => Err(Problem::forbidden(match roles.names() {
            names if names.is_empty() => format!("Nobody can {what}; it happens by itself."),
            names => format!(
                "To {what}, one of these roles is needed: {}.",
                names.join(", ")
            ),
        })),
    }
}

/// Whether the record can still change.
pub(super) fn is_live(entry: &Entry, row: &Row) -> Result<()> {
    match row.archived_at {
        None => Ok(()),
        Some(_) => Err(Problem::conflict(format!(
            "This {} is archived and cannot change.",
            entry.info.one
        ))),
    }
}

/// GEN-2: approved content is immutable, save for the fields that stay open.
fn stays_frozen(entry: &Entry, row: &Row, before: &Value, after: &Value) -> Result<()> {
    if !entry.frozen.contains(&row.status.as_str()) {
        return Ok(());
    }
    let always = ["owner_id", "next_review_on"];
    let closed: Vec<_> = changed_fields(before, after)
        .into_iter()
        .filter(|name| {
            !entry.stays_open.contains(&name.as_str()) && !always.contains(&name.as_str())
        })
        .map(|name| FieldError {
            pointer: format!("/{name}"),
            detail: "is frozen".to_owned(),
        })
        .collect();
    if closed.is_empty() {
        return Ok(());
    }
    let mut problem = Problem::rule(
        "GEN-2",
        format!(
            "This {} is {}: its content is frozen. Make a new one, or move it back first.",
            entry.info.one, row.status
        ),
    )
    .with_status(ProblemType::Conflict.status());
    problem.errors = closed;
    Err(problem)
}

fn changed_fields(before: &Value, after: &Value) -> Vec<String> {
    match differences(before, after) {
        Value::Object(fields) => fields.into_iter().map(|(name, _)| name).collect(),
        _ => Vec::new(),
    }
}

/// Field by field, before and after.
fn differences(before: &Value, after: &Value) -> Value {
    let empty = Map::new();
    let before = before.as_object().unwrap_or(&empty);
    let after = after.as_object().unwrap_or(&empty);
    let names = before
        .keys()
        .chain(after.keys().filter(|name| !before.contains_key(*name)));
    let null = Value::Null;
    names
        .filter_map(|name| {
            let pair = (
                before.get(name).unwrap_or(&null),
                after.get(name).unwrap_or(&null),
            );
            (pair.0 != pair.1).then(|| (name.clone(), json!([pair.0, pair.1])))
        })
        .collect::<Map<_, _>>()
        .into()
}

struct WritableSpine {
    title: String,
    owner_id: Option<Uuid>,
    next_review_on: Option<NaiveDate>,
}

/// Takes the spine's fields out of checked input; the rest is the body.
fn split(input: Value) -> Result<(WritableSpine, Value)> {
    let Value::Object(mut fields) = input else {
        return Err(Problem::invalid("", "A JSON object is needed."));
    };
    let mut take = |name: &str| fields.remove(name).unwrap_or(Value::Null);
    let mut taken = spine::WRITABLE
        .iter()
        .map(|name| take(name))
        .collect::<Vec<_>>()
        .into_iter();
    let mut next = || taken.next().unwrap_or(Value::Null);
    let spine = WritableSpine {
        title: serde_json::from_value(next()).map_err(Problem::internal)?,
        owner_id: serde_json::from_value(next()).map_err(Problem::internal)?,
        next_review_on: serde_json::from_value(next()).map_err(Problem::internal)?,
    };
    Ok((spine, Value::Object(fields)))
}

/// All references of a row: those of its body, and its owner.
pub(super) fn references_of(entry: &Entry, row: &Row) -> Vec<Found> {
    let mut found = entry.places.collect(&row.body);
    found.extend(row.owner_id.map(|id| Found {
        pointer: "/owner_id".to_owned(),
        kind: PERSON.to_owned(),
        id,
    }));
    found
}

/// Checks that everything referred to exists in this tenant and is of the right kind, and counts
/// up the reference number of `numbered`; in one round trip.
async fn check_references(
    tx: &mut TenantTx<'_>,
    found: &[Found],
    numbered: Option<&str>,
) -> Result<i32> {
    let tenant = tx.scope();
    let (persons, targets): (Vec<&Found>, Vec<&Found>) =
        found.iter().partition(|found| found.kind == PERSON);
    let ids = |list: &[&Found]| list.iter().map(|found| found.id).collect::<Vec<_>>();
    let (persons_wanted, targets_wanted) = (ids(&persons), ids(&targets));
    let (number, known_records, known_people) = tx
        .run(async |db| {
            try_join!(
                next_number(db, tenant, numbered),
                known_records(db, tenant, targets_wanted),
                known_people(db, tenant, persons_wanted),
            )
        })
        .await?;
    let missing: Vec<_> = found
        .iter()
        .filter(|found| {
            if found.kind == PERSON {
                !known_people.contains(&found.id)
            } else {
                !known_records
                    .iter()
                    .any(|(id, kind)| (*id, kind) == (found.id, &found.kind))
            }
        })
        .map(|found| FieldError {
            pointer: found.pointer.clone(),
            detail: format!("There is no {} with this id.", found.kind.replace('_', " ")),
        })
        .collect();
    if missing.is_empty() {
        Ok(number)
    } else {
        Err(Problem::invalid_all(missing))
    }
}

async fn next_number(db: &AsyncPgConnection, tenant: Uuid, kind: Option<&str>) -> QueryResult<i32> {
    let Some(kind) = kind else { return Ok(0) };
    let count = diesel::insert_into(counters::table)
        .values((
            counters::tenant_id.eq(tenant),
            counters::kind.eq(kind),
            counters::last.eq(1),
        ))
        .on_conflict((counters::tenant_id, counters::kind))
        .do_update()
        .set(counters::last.eq(counters::last + 1))
        .returning(counters::last);
    Prepared(count).get_result(&mut &*db).await
}

async fn known_records(
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

async fn known_people(
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
