//! Putting records away, and bringing them back, with those that are approved together with them.

use serde_json::json;
use uuid::Uuid;

use super::consequences::Cause;
use super::registry::Entry;
use super::row::{Row, Stored};
use super::store::{self, Loaded, load_for, may_author};
use super::{parents, versions};
use crate::problem::{Problem, Result};
use crate::tenancy::TenantTx;

/// Archives a record: it keeps its address and history, and leaves the lists. Only drafts and
/// what has ended: what was approved and holds is ended by a transition, which asks for roles.
pub async fn archive(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    id: Uuid,
    precondition: impl FnOnce(i32) -> Result<()>,
) -> Result<()> {
    let loaded = load_for(tx, entry, id, precondition).await?;
    may_author(tx, entry, &loaded.row)?;
    store::is_live(entry, &loaded.row)?;
    let row = &loaded.row;
    let holds = row.in_force.is_some() || row.approved_on.is_some() && row.status == entry.start;
    if holds || !(row.status == entry.start || entry.is_end(&row.status)) {
        return Err(Problem::conflict(format!(
            "{} {} that is {}{} is not archived; only drafts and what has ended are.",
            entry.info.article_first(),
            entry.info.one,
            row.status,
            if row.in_force.is_some() {
                " and in force"
            } else {
                ""
            }
        ))
        .with_allowed(ways_out(entry, row)));
    }
    parents::leave_open(tx, entry, &loaded.row, &["archived_at".to_owned()]).await?;
    let because = format!("{} was archived", loaded.row.reference);
    let cause = Cause::new(entry.info.name, id, &loaded.row.reference, because);
    for (child, loaded) in versions::children_with(tx, entry, id, None).await? {
        put(tx, child, loaded, true, Some(&cause)).await?;
    }
    put(tx, entry, loaded, true, None).await.map(drop)
}

/// Brings an archived record back.
pub async fn restore(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    id: Uuid,
    precondition: impl FnOnce(i32) -> Result<()>,
) -> Result<Stored> {
    let loaded = load_for(tx, entry, id, precondition).await?;
    may_author(tx, entry, &loaded.row)?;
    let Some(since) = loaded.row.archived_at else {
        return Err(Problem::conflict(format!(
            "This {} is not archived.",
            entry.info.one
        )));
    };
    super::one_for::check(tx, entry, &loaded.row).await?;
    parents::leave_open(tx, entry, &loaded.row, &["archived_at".to_owned()]).await?;
    let because = format!("{} was restored", loaded.row.reference);
    let cause = Cause::new(entry.info.name, id, &loaded.row.reference, because);
    for (child, loaded) in versions::children_with(tx, entry, id, Some(since)).await? {
        put(tx, child, loaded, false, Some(&cause)).await?;
    }
    put(tx, entry, loaded, false, None).await
}

async fn put(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    loaded: Loaded,
    away: bool,
    cause: Option<&Cause>,
) -> Result<Stored> {
    let Loaded {
        mut row,
        mirrors,
        standing,
    } = loaded;
    row.archived_at = away.then(|| tx.now());
    let due = entry.due(&row)?;
    let cause = cause.map(Cause::data);
    let doer = store::doer(tx, cause.as_ref());
    store::save(tx, entry, &mut row, mirrors, standing, due, doer)?;
    let action = if away { "archived" } else { "restored" };
    let data = store::with_cause(json!({}), cause);
    tx.event_by(doer, action, entry.info.name, row.id, &data)?;
    Ok(row.to_stored())
}

/// States that people can move it to.
fn ways_out(entry: &Entry, row: &Row) -> Vec<String> {
    entry
        .moves
        .iter()
        .filter(|known| known.from == row.status && known.is_for_people())
        .map(|known| known.to.to_owned())
        .collect()
}
