//! Rows under a record, where there are many: measurements of a metric, acknowledgements of a
//! policy. They have a table of their own, are added in bulk with one event, and are read page by
//! page in the order of time.

use chrono::{DateTime, SecondsFormat, Utc};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap};
use std::marker::PhantomData;
use utoipa::ToSchema;
use uuid::Uuid;

use super::behaviour::typed;
use super::consequences::Cause;
use super::entry::Entry;
use super::kind::{Deadline, Kind, Record};
use super::row::{RawJson, Row};
use super::{deadlines, rights, store, visibility};
use crate::http::schema::{self, Shape};
use crate::problem::{FieldError, Problem, Result};
use crate::schema::rows;
use crate::tenancy::{Actor, Roles, TenantTx};

/// Rows of one request.
pub(super) const AT_ONCE: usize = 1_000;

/// A kind of row.
#[expect(
    async_fn_in_trait,
    reason = "everything runs on the thread of its worker"
)]
pub trait Rows: Serialize + DeserializeOwned + ToSchema + Clone + 'static {
    /// The kind whose records it hangs under.
    type Of: Kind;
    /// Its place in the address, such as `measurements`.
    const LIST: &'static str;
    /// One of them, in a sentence.
    const ONE: &'static str;
    /// What they are, for the documentation.
    const ABOUT: &'static str;
    /// Who adds rows for anybody.
    const WRITERS: Roles;
    /// Whether everybody adds the rows of their own person.
    const OWN: bool = false;
    /// Name of what a row has due for its person (see [`Rows::due`]).
    const DEADLINE: Option<&'static str> = None;
    /// Whether a row takes the place of the one with its key; else other content is refused.
    const REPLACES: bool = false;

    /// A valid row for the documentation.
    fn example() -> Value;

    /// What makes a row the same when it is sent twice.
    fn key(&self) -> String;

    /// Its instant, by which rows are ordered.
    fn at(&self) -> DateTime<Utc>;

    /// The person it is about.
    fn person(&self) -> Option<Uuid> {
        None
    }

    /// Says for whom a row is that somebody sends, so that its key is known.
    #[must_use]
    fn sent_by(self, _sender: Actor) -> Self {
        self
    }

    /// When it is due for its person, of whom a record has one such deadline at a time; none once
    /// it is met. The deadline's name is [`Rows::DEADLINE`] with the person behind a slash.
    fn due(&self) -> Option<Deadline> {
        None
    }

    /// Schema of what is counted of the rows of a record, if anything is.
    fn tally_schema() -> Option<Value> {
        None
    }

    /// What is counted, for those who see the whole record; shown with every page of rows.
    async fn tally(_record: &Record<Self::Of>, _tx: &mut TenantTx<'_>) -> Result<Value> {
        Ok(Value::Null)
    }

    /// Completes a row that somebody sends, before it is stored: when it was, until when.
    /// `known` is the row of the same key. Refuses what does not fit the record.
    async fn complete(
        self,
        _record: &Record<Self::Of>,
        _known: &Known<'_, Self>,
        _tx: &mut TenantTx<'_>,
    ) -> Result<Self> {
        Ok(self)
    }

    /// What follows for the record once rows have been added.
    async fn added(
        _record: &Record<Self::Of>,
        _new: &[Self],
        _tx: &mut TenantTx<'_>,
    ) -> Result<()> {
        Ok(())
    }
}

/// Rows that are there already, by key.
pub struct Known<'a, R>(&'a HashMap<String, R>);

impl<R> Known<'_, R> {
    /// The row of a key.
    pub fn get(&self, key: &str) -> Option<&R> {
        self.0.get(key)
    }
}

/// Rows of a kind, without their type.
pub struct RowEntry {
    /// Place in the address.
    pub list: &'static str,
    /// One of them.
    pub one: &'static str,
    /// What they are.
    pub about: &'static str,
    /// Name of the schema.
    pub schema_name: String,
    /// Schema of one row.
    pub schema: Value,
    /// What the schema refers to.
    pub components: BTreeMap<String, Value>,
    /// A valid row.
    pub example: Value,
    /// Who adds rows for anybody.
    pub writers: Roles,
    /// Whether everybody adds their own.
    pub own: bool,
    /// Name of what rows have due.
    pub deadline: Option<&'static str>,
    /// Schema of what is counted of them.
    pub tally: Option<Value>,
    input: Shape,
    behaviour: Box<dyn RowBehaviour>,
}

impl std::fmt::Debug for RowEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.list)
    }
}

impl RowEntry {
    pub(super) fn new<R: Rows>() -> Self {
        let (mut schema, components) = schema::of::<R>();
        if let Some(of_row) = components.get(R::name().as_ref())
            && schema.get("$ref").is_some()
        {
            schema = of_row.clone();
        }
        Self {
            list: R::LIST,
            one: R::ONE,
            about: R::ABOUT,
            schema_name: R::name().into_owned(),
            schema,
            components,
            example: R::example(),
            writers: R::WRITERS,
            own: R::OWN,
            deadline: R::DEADLINE,
            tally: R::tally_schema(),
            input: Shape::input::<R>(),
            behaviour: Box::new(TypedRows::<R>(PhantomData)),
        }
    }
}

/// What became of rows that were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct RowsAdded {
    /// How many were stored.
    pub added: usize,
    /// How many were there already, the same.
    pub known: usize,
}

trait RowBehaviour: Send + Sync {
    fn add<'a>(
        &'a self,
        tx: &'a mut TenantTx<'_>,
        entry: &'a Entry,
        id: Uuid,
        sent: Vec<Value>,
    ) -> LocalBoxFuture<'a, Result<RowsAdded>>;
    fn tally<'a>(&'a self, tx: &'a mut TenantTx<'_>, row: Row)
    -> LocalBoxFuture<'a, Result<Value>>;
}

struct TypedRows<R>(PhantomData<fn() -> R>);

impl<R: Rows> RowBehaviour for TypedRows<R> {
    fn add<'a>(
        &'a self,
        tx: &'a mut TenantTx<'_>,
        entry: &'a Entry,
        id: Uuid,
        sent: Vec<Value>,
    ) -> LocalBoxFuture<'a, Result<RowsAdded>> {
        async move {
            let row = store::fetch(tx, entry, id).await?.into_row()?;
            rights::is_live(entry, &row)?;
            let record: Record<R::Of> = typed(&row)?;
            let sent: Vec<R> = sent
                .into_iter()
                .map(|row| serde_json::from_value(row).map_err(Problem::internal))
                .collect::<Result<_>>()?;
            let sender = tx.actor();
            let sent = sent.into_iter().map(|row| row.sent_by(sender)).collect();
            add_rows(tx, &record, sent, None).await
        }
        .boxed_local()
    }

    fn tally<'a>(
        &'a self,
        tx: &'a mut TenantTx<'_>,
        row: Row,
    ) -> LocalBoxFuture<'a, Result<Value>> {
        async move { R::tally(&typed(&row)?, tx).await }.boxed_local()
    }
}

/// Adds rows as the actor, or as the system when they follow from something.
async fn add_rows<R: Rows>(
    tx: &mut TenantTx<'_>,
    record: &Record<R::Of>,
    sent: Vec<R>,
    cause: Option<&Cause>,
) -> Result<RowsAdded> {
    let many = sent.len() > 1;
    let keys: Vec<String> = sent.iter().map(R::key).collect();
    let known: HashMap<String, R> = of_keys(tx, record.id, R::LIST, keys).await?;
    let mut new: Vec<R> = Vec::with_capacity(sent.len());
    let mut seen: HashMap<String, Value> = HashMap::new();
    let mut same = 0;
    for (at, row) in sent.into_iter().enumerate() {
        let row = match cause {
            Some(_) => row,
            None => row
                .complete(record, &Known(&known), tx)
                .await
                .map_err(|problem| at_item(problem, at, many))?,
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
            Some(old) if old == value => same += 1,
            Some(_) if !R::REPLACES || seen.contains_key(&key) => {
                let fault = Problem::invalid("", "is there already, with other content");
                return Err(at_item(fault.with_status(409), at, many));
            }
            _ => {
                seen.insert(key, value);
                new.push(row);
            }
        }
    }
    if !new.is_empty() {
        store_rows(tx, record, &new, cause)?;
        R::added(record, &new, tx).await?;
    }
    Ok(RowsAdded {
        added: new.len(),
        known: same,
    })
}

/// A problem of one row, with its place among all if there are many.
fn at_item(mut problem: Problem, at: usize, many: bool) -> Problem {
    if !many {
        return problem;
    }
    for fault in &mut problem.errors {
        fault.pointer = format!("/items/{at}{}", fault.pointer);
    }
    problem
}

fn store_rows<R: Rows>(
    tx: &mut TenantTx<'_>,
    record: &Record<R::Of>,
    new: &[R],
    cause: Option<&Cause>,
) -> Result<()> {
    let doer = match cause {
        Some(_) => Actor::System,
        None => tx.actor(),
    };
    let (tenant, now) = (tx.scope(), tx.now());
    let mut digest = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    let mut values = Vec::with_capacity(new.len());
    for row in new {
        let body = serde_json::to_value(row).map_err(Problem::internal)?;
        digest.update(body.to_string().as_bytes());
        digest.update(b"\n");
        values.push((
            rows::tenant_id.eq(tenant),
            rows::record_id.eq(record.id),
            rows::list.eq(R::LIST),
            rows::key.eq(row.key()),
            rows::at.eq(row.at()),
            rows::person_id.eq(row.person()),
            rows::body.eq(body),
            rows::created_at.eq(now),
            rows::created_by.eq(doer.person()),
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
            deadlines::of_row(tx, record.id, format!("{of}/{person}"), row.due())?;
        }
    }
    let hash: String = digest
        .finish()
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let mut data = json!({"list": R::LIST, "count": new.len(), "sha256": hash});
    if let [one] = new
        && let Value::Object(fields) = &mut data
    {
        fields.insert("row".to_owned(), json!(one));
    }
    let data = store::with_cause(data, cause.map(Cause::data));
    tx.event_by(doer, "rows_added", R::Of::INFO.name, record.id, &data)
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
        added += add_rows(tx, record, rest, Some(cause)).await?.added;
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

/// How many rows of a record there are whose key begins so and which have all of these fields.
pub async fn count_rows<R: Rows>(
    tx: &mut TenantTx<'_>,
    record: Uuid,
    key: &str,
    fields: &[&str],
) -> Result<i64> {
    let mut query = rows::table
        .filter(rows::tenant_id.eq(tx.scope()))
        .filter(rows::record_id.eq(record))
        .filter(rows::list.eq(R::LIST))
        .filter(rows::key.like(format!("{key}%")))
        .count()
        .into_boxed::<Pg>();
    for field in fields {
        query = query.filter(rows::body.retrieve_as_text(*field).is_not_null());
    }
    tx.run(async |db| query.get_result(&mut &*db).await).await
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

/// What a list of rows was asked for.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) from: Option<DateTime<Utc>>,
    pub(super) until: Option<DateTime<Utc>>,
    pub(super) person: Option<Uuid>,
    pub(super) after: Option<(DateTime<Utc>, String)>,
    pub(super) limit: i64,
}

/// A page of rows.
pub(super) struct Page {
    /// Instant, key and JSON of each, in the order of time.
    pub(super) items: Vec<(DateTime<Utc>, String, String)>,
    /// What is counted of all of them.
    pub(super) tally: Value,
}

/// Rows of a record, in the order of time.
pub(super) async fn list(
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
    let mut query = rows::table
        .filter(rows::tenant_id.eq(tx.scope()))
        .filter(rows::record_id.eq(id))
        .filter(rows::list.eq(rows_entry.list))
        .order((rows::at, rows::key))
        .limit(wanted.limit)
        .select((rows::at, rows::key, rows::body))
        .into_boxed::<Pg>();
    if let Some(from) = wanted.from {
        query = query.filter(rows::at.ge(from));
    }
    if let Some(until) = wanted.until {
        query = query.filter(rows::at.le(until));
    }
    if let Some(person) = wanted.person {
        query = query.filter(rows::person_id.eq(person));
    }
    if let Some((at, key)) = wanted.after {
        query = query
            .filter(rows::at.ge(at))
            .filter(rows::at.gt(at).or(rows::at.eq(at).and(rows::key.gt(key))));
    }
    let found: Vec<(DateTime<Utc>, String, RawJson)> =
        tx.run(async |db| query.load(&mut &*db).await).await?;
    let items = found
        .into_iter()
        .map(|(at, key, body)| (at, key, body.0))
        .collect();
    Ok(Page { items, tally })
}

/// Adds the rows of a request: one row, or `{"items": […]}` with up to 1,000.
pub(super) async fn add(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    rows_entry: &RowEntry,
    id: Uuid,
    input: Map<String, Value>,
) -> Result<RowsAdded> {
    let stored = store::fetch(tx, entry, id).await?;
    visibility::is_whole(tx, entry, &stored.spine).await?;
    if !rows_entry.own {
        rights::needs(tx, rows_entry.writers, &format!("add {}", rows_entry.list))?;
    }
    let (sent, single) = match input.get("items") {
        Some(Value::Array(items)) if input.len() == 1 => (items.clone(), false),
        Some(_) if input.len() == 1 => {
            return Err(Problem::invalid("/items", "must be a list"));
        }
        _ => (vec![Value::Object(input)], true),
    };
    if sent.is_empty() || sent.len() > AT_ONCE {
        return Err(Problem::invalid(
            "/items",
            format!("must have 1 to {AT_ONCE} rows"),
        ));
    }
    let mut faults = Vec::new();
    for (at, row) in sent.iter().enumerate() {
        let place = if single {
            String::new()
        } else {
            format!("/items/{at}")
        };
        for fault in rows_entry.input.check(row).err().into_iter().flatten() {
            faults.push(FieldError {
                pointer: format!("{place}{}", fault.pointer),
                detail: fault.detail,
            });
        }
        if faults.len() >= 100 {
            break;
        }
    }
    if !faults.is_empty() {
        return Err(Problem::invalid_all(faults));
    }
    rows_entry.behaviour.add(tx, entry, id, sent).await
}

/// An instant as part of a key: the same for the same instant, whatever zone it was written in.
pub fn instant_key(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}
