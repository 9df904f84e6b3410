//! Putting records away, and bringing them back, with those that are approved together with them.

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use super::consequences::Cause;
use super::entry::Entry;
use super::hearing::What;
use super::rights::{is_live, may_author};
use super::row::{Row, Stored};
use super::store::{self, Loaded, load_for};
use super::{hearing, one_for, parents, rows, saving, versions};
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
    parents::leave_open(tx, entry, &loaded.row, &["archived_at".to_owned()]).await?;
    put_with_children(tx, entry, loaded, None).await.map(drop)
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
    one_for::check(tx, entry, &loaded.row).await?;
    parents::leave_open(tx, entry, &loaded.row, &["archived_at".to_owned()]).await?;
    put_with_children(tx, entry, loaded, Some(since)).await
}

/// Puts away what is live, with what is approved together with it; brings back what was put away
/// at an instant, with what was put away at the same.
async fn put_with_children(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    loaded: Loaded,
    since: Option<DateTime<Utc>>,
) -> Result<Stored> {
    let away = since.is_none();
    let Row { spine, .. } = &loaded.row;
    let done = if away { "archived" } else { "restored" };
    let because = format!("{} was {done}", spine.reference);
    let cause = Cause::new(entry.info.name, spine.id, &spine.reference, because);
    let children = versions::children_with(tx, entry, spine.id, since).await?;
    tx.as_system(async |tx| {
        for (child, loaded) in children {
            put(tx, child, loaded, away, Some(&cause)).await?;
        }
        Ok(())
    })
    .await?;
    put(tx, entry, loaded, away, None).await
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
    saving::save(tx, entry, &mut row, mirrors, standing, due)?;
    let action = if away { "archived" } else { "restored" };
    let data = store::with_cause(json!({}), cause.map(Cause::data));
    tx.event(action, entry.info.name, row.id, &data)?;
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
