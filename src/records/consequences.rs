//! What follows from something that happened to another record: making one, setting fields of
//! one, moving one. Each is done by the system and tells its cause; none is ever an approval, and
//! none touches what is archived.

use serde_json::{Value, json};
use uuid::Uuid;

use super::hearing::{Happened, What};
use super::kind::{Kind, Record};
use super::registry::{entry_of, typed, untyped};
use super::row::Row;
use super::store::{self, Loaded};
use super::transitions::{self, not_from_here};
use super::{Lives, State, hearing};
use crate::problem::{Problem, Result};
use crate::tenancy::{TenantTx, holders_among};

/// Why something follows: the record it comes from, and a sentence.
#[derive(Clone, Debug)]
pub struct Cause(Value);

impl Cause {
    /// It follows from this record.
    pub fn of<K: Kind>(record: &Record<K>, because: impl Into<String>) -> Self {
        Self::new(K::INFO.name, record.id, &record.reference, because.into())
    }

    /// It follows from what was heard.
    pub fn heard(happened: &Happened, because: impl Into<String>) -> Self {
        Self::new(
            happened.kind,
            happened.id,
            &happened.reference,
            because.into(),
        )
    }

    pub(super) fn new(kind: &str, id: Uuid, reference: &str, because: String) -> Self {
        Self(json!({"kind": kind, "id": id, "ref": reference, "because": because}))
    }

    pub(super) fn data(&self) -> Value {
        self.0.clone()
    }

    fn because(&self) -> Option<&str> {
        self.0.get("because").and_then(Value::as_str)
    }
}

/// A record to be made.
#[derive(Clone, Debug)]
pub struct New<K> {
    /// Its title; longer ones are cut.
    pub title: String,
    /// The person responsible; nobody once they have left.
    pub owner_id: Option<Uuid>,
    /// Its fields.
    pub body: K,
}

/// Longest title that is made by the system, in characters.
const TITLE_LIMIT: usize = 200;

/// Makes a record of another kind.
pub async fn spawn<K: Kind>(
    tx: &mut TenantTx<'_>,
    new: New<K>,
    cause: &Cause,
) -> Result<Record<K>> {
    let entry = entry_of::<K>()?;
    let owner_id = holders_among(tx, new.owner_id.as_slice()).await?.pop();
    let mut input = serde_json::to_value(&new.body).map_err(Problem::internal)?;
    if let Value::Object(fields) = &mut input {
        let title: String = new.title.chars().take(TITLE_LIMIT).collect();
        fields.insert("title".to_owned(), json!(title));
        fields.insert("owner_id".to_owned(), json!(owner_id));
    }
    let made = store::insert(tx, entry, input, Some(cause.0.clone()));
    typed(&Box::pin(made).await?.into_row()?)
}

/// Sets fields of another record. What is archived stays as it is; to change what is approved is
/// refused, save for fields that stay open or are computed (GEN-2).
pub async fn amend<K: Kind>(
    tx: &mut TenantTx<'_>,
    id: Uuid,
    cause: &Cause,
    change: impl FnOnce(&mut Record<K>),
) -> Result<()> {
    let entry = entry_of::<K>()?;
    let Loaded {
        mut row,
        mirrors,
        standing,
    } = store::load(tx, entry, id).await?;
    if row.archived_at.is_some() {
        return Ok(());
    }
    let old: Row = row.clone();
    let mut record: Record<K> = typed(&row)?;
    change(&mut record);
    untyped(record, &mut row)?;
    let due = Box::pin(entry.settle(&mut row, Some(&old), tx)).await?;
    let changes = store::differences(&old.told(), &row.told());
    let fields: Vec<String> = changes
        .as_object()
        .into_iter()
        .flat_map(|fields| fields.keys().cloned())
        .collect();
    if fields.is_empty() {
        return Ok(());
    }
    let written: Vec<_> = fields
        .iter()
        .filter(|name| !entry.is_read_only(name))
        .cloned()
        .collect();
    store::stays_frozen(entry, &old, &written)?;
    let doer = crate::tenancy::Actor::System;
    store::save(tx, entry, &mut row, mirrors, standing, due, doer)?;
    let data = json!({"changes": changes, "cause": cause.0});
    tx.event_by(doer, "changed", entry.info.name, row.id, &data)?;
    let what = What::Changed(fields);
    Box::pin(hearing::tell(tx, entry, row.id, &row.reference, what)).await
}

/// Moves another record; the guards of the transition are not asked.
pub async fn follow<K: Kind>(
    tx: &mut TenantTx<'_>,
    id: Uuid,
    to: <K as Lives>::State,
    cause: &Cause,
) -> Result<()> {
    step(tx, entry_of::<K>()?, id, to.name(), cause).await
}

/// As [`follow`], for a kind that is known by its entry.
pub(super) async fn step(
    tx: &mut TenantTx<'_>,
    entry: &'static super::Entry,
    id: Uuid,
    to: &str,
    cause: &Cause,
) -> Result<()> {
    let loaded = store::load(tx, entry, id).await?;
    if loaded.row.archived_at.is_some() || loaded.row.status == to {
        return Ok(());
    }
    let Some((_, known)) = entry.find_move(&loaded.row.status, to) else {
        return Err(not_from_here(entry, &loaded.row, to));
    };
    if known.flags.approves || known.flags.puts_in_force {
        return Err(Problem::internal("an approval never follows by itself"));
    }
    let (reason, data) = (cause.because().map(str::to_owned), cause.0.clone());
    let entered = transitions::enter(
        tx,
        entry,
        loaded,
        known,
        reason.as_deref(),
        Vec::new(),
        Some(data),
    );
    Box::pin(entered).await.map(drop)
}
