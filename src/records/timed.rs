//! Transitions that time makes: the day after the deadline they name.

use chrono::NaiveDate;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::consequences::{Cause, step};
use super::entry::Entry;
use super::registry::registry;
use super::store;
use crate::problem::Result;
use crate::schema::{deadlines, records};
use crate::tenancy::TenantTx;

/// Makes all transitions whose day has come in the tenant, each by itself: one that fails keeps
/// no other waiting. Answers how many were made.
pub async fn let_time_pass(tx: &mut TenantTx<'_>) -> Result<usize> {
    let mut made = 0;
    for entry in registry().entries() {
        for known in &entry.moves {
            let Some(deadline) = known.flags.after else {
                continue;
            };
            for (id, reference, due_on) in over(tx, entry, known.from, deadline).await? {
                let because = format!("its {} was due on {due_on}", deadline.replace('_', " "));
                let cause = Cause::new(entry.info.name, id, &reference, because);
                let moved = tx.nested(async |tx| {
                    let loaded = store::load(tx, entry, id).await?;
                    // What was moved before it may have changed it too.
                    let waits = loaded.row.status == known.from
                        && loaded.row.archived_at.is_none()
                        && loaded
                            .standing
                            .iter()
                            .any(|one| one.name == deadline && one.due_on == due_on);
                    if waits {
                        step(tx, entry, loaded, known, &cause).await?;
                    }
                    Ok(waits)
                });
                match moved.await {
                    Ok(waited) => made += usize::from(waited),
                    Err(problem) => tracing::error!(
                        record_id = %id, %problem,
                        "{reference} could not become {} by itself", known.to
                    ),
                }
            }
        }
    }
    Ok(made)
}

/// Live records in a state whose deadline of this name is over.
async fn over(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    state: &str,
    deadline: &str,
) -> Result<Vec<(Uuid, String, NaiveDate)>> {
    let today = tx.today()?;
    let query = deadlines::table
        .inner_join(
            records::table.on(records::tenant_id
                .eq(deadlines::tenant_id)
                .and(records::id.eq(deadlines::record_id))),
        )
        .filter(deadlines::tenant_id.eq(tx.scope()))
        .filter(deadlines::due_on.lt(today))
        .filter(deadlines::name.eq(deadline))
        .filter(records::kind.eq(entry.info.name))
        .filter(records::status.eq(state))
        .filter(records::archived_at.is_null())
        .order(records::id)
        .select((records::id, records::ref_, deadlines::due_on));
    tx.run(async |db| query.load(&mut &*db).await).await
}
