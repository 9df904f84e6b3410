//! Putting records away, and bringing them back.

use serde_json::json;
use uuid::Uuid;

use super::entry::Entry;
use super::hearing::What;
use super::rights::{is_live, may_author};
use super::row::{Row, Stored};
use super::store::{self, Loaded, load_for};
use super::{hearing, one_for, rows, saving};
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
    is_live(entry, &loaded.row)?;
    let row = &loaded.row;
    // What rows were added to is no draft any more.
    let is_used =
        row.status == entry.start && !entry.rows.is_empty() && rows::are_there(tx, id).await?;
    let holds =
        is_used || row.in_force.is_some() || row.approved_on.is_some() && row.status == entry.start;
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
    put(tx, entry, loaded, true).await.map(drop)
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
    if loaded.row.archived_at.is_none() {
        return Err(Problem::conflict(format!(
            "This {} is not archived.",
            entry.info.one
        )));
    }
    one_for::check(tx, entry, &loaded.row).await?;
    put(tx, entry, loaded, false).await
}

async fn put(tx: &mut TenantTx<'_>, entry: &Entry, loaded: Loaded, away: bool) -> Result<Stored> {
    let Loaded {
        mut row,
        mirrors,
        standing,
    } = loaded;
    row.archived_at = away.then(|| tx.now());
    let due = entry.due(&row)?;
    saving::save(tx, entry, &mut row, mirrors, standing, due)?;
    let action = if away { "archived" } else { "restored" };
    tx.event(action, entry.info.name, row.id, &json!({}))?;
    hearing::tell(tx, entry, &row, What::Archived(away)).await?;
    store::newest(tx, entry, row).await
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
