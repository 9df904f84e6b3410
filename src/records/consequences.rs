//! What follows from something that happened to another record: making one, setting fields of
//! one, moving one. Each is done by the system and tells its cause; none is ever an approval, and
//! none touches what is archived.

use serde_json::{Value, json};
use uuid::Uuid;

use super::behaviour::{typed, untyped};
use super::entry::{Entry, Move};
use super::hearing::Happened;
use super::kind::{Kind, Record};
use super::registry::entry_of;
use super::store::{self, Loaded};
use super::transitions::{self, not_from_here};
use super::{Lives, State, parents, references, rights};
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
    let cause = Some(cause.0.clone());
    let made = tx.as_system(async |tx| store::insert(tx, entry, input, cause).await);
    typed(&Box::pin(made).await?.into_row()?)
}

/// Makes many records of another kind: their references are checked and their numbers reserved at
/// once.
pub async fn spawn_all<K: Kind>(
    tx: &mut TenantTx<'_>,
    many: Vec<New<K>>,
    cause: &Cause,
) -> Result<()> {
    if many.is_empty() {
        return Ok(());
    }
    let entry = entry_of::<K>()?;
    let mut found = Vec::new();
    for new in &many {
        let body = serde_json::to_value(&new.body).map_err(Problem::internal)?;
        for one in references::references_in(entry, &body, new.owner_id) {
            if !found.contains(&one) {
                found.push(one);
            }
        }
    }
    let count = i32::try_from(many.len()).map_err(Problem::internal)?;
    references::check_ahead(tx, found, entry.info.name, count).await?;
    for new in many {
        spawn(tx, new, cause).await?;
    }
    Ok(())
}

/// Sets fields of another record, and answers whether it could: what is archived stays as it is,
/// and so does approved content, but for fields that stay open or are computed (GEN-2).
pub async fn amend<K: Kind>(
    tx: &mut TenantTx<'_>,
    id: Uuid,
    cause: &Cause,
    change: impl FnOnce(&mut Record<K>),
) -> Result<bool> {
    let entry = entry_of::<K>()?;
    let mut loaded = store::load(tx, entry, id).await?;
    let old = loaded.row.clone();
    if old.archived_at.is_some() {
        return Ok(false);
    }
    let mut record: Record<K> = typed(&old)?;
    change(&mut record);
    untyped(record, &mut loaded.row)?;
    let mut written = store::changed_fields(&old.told(), &loaded.row.told());
    written.retain(|name| !entry.is_read_only(name));
    if rights::stays_frozen(entry, &old, &written).is_err() {
        return Ok(false);
    }
    match parents::leave_open(tx, entry, &old, &written).await {
        Err(problem) if problem.status < 500 => return Ok(false),
        left => left?,
    }
    let cause = Some(cause.0.clone());
    let changed = tx.as_system(async |tx| store::change(tx, entry, loaded, &old, cause).await);
    Box::pin(changed).await.map(|_| true)
}

/// Moves another record; the guards of the transition are not asked.
pub async fn follow<K: Kind>(
    tx: &mut TenantTx<'_>,
    id: Uuid,
    to: <K as Lives>::State,
    cause: &Cause,
) -> Result<()> {
    let entry = entry_of::<K>()?;
    let loaded = store::load(tx, entry, id).await?;
    if loaded.row.archived_at.is_some() || loaded.row.status == to.name() {
        return Ok(());
    }
    let Some((_, known)) = entry.find_move(&loaded.row.status, to.name()) else {
        return Err(not_from_here(entry, &loaded.row, to.name()));
    };
    step(tx, entry, loaded, known, cause).await
}

/// Makes a transition that follows by itself.
pub(super) async fn step(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    loaded: Loaded,
    known: &Move,
    cause: &Cause,
) -> Result<()> {
    if known.flags.approves || known.flags.puts_in_force {
        return Err(Problem::internal("an approval never follows by itself"));
    }
    let (reason, cause) = (cause.because(), Some(cause.0.clone()));
    let entered = tx.as_system(async |tx| {
        transitions::enter(tx, entry, loaded, known, reason, Vec::new(), cause).await
    });
    Box::pin(entered).await.map(drop)
}
