//! Whose hands were on a record: what a person wrote, owned or approved. Nobody judges own work.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use futures_util::try_join;
use uuid::Uuid;

use crate::problem::Result;
use crate::schema::{events, records, versions};
use crate::tenancy::TenantTx;

/// Actions that are work on a record.
const WORK: &[&str] = &[
    "created",
    "changed",
    "moved",
    "linked",
    "unlinked",
    "attached_to",
    "rows_added",
    "archived",
    "restored",
];

/// Ids of the records that a person wrote or moved since an instant, owned or approved since.
pub async fn hands_on(
    tx: &mut TenantTx<'_>,
    person: Uuid,
    since: DateTime<Utc>,
) -> Result<HashSet<Uuid>> {
    tx.flush().await?;
    let tenant = tx.scope();
    let wrote = events::table
        .filter(events::tenant_id.eq(tenant))
        .filter(events::actor_id.eq(person))
        .filter(events::at.ge(since))
        .filter(events::action.eq_any(WORK))
        .select(events::subject_id)
        .distinct();
    let owns = records::table
        .filter(records::tenant_id.eq(tenant))
        .filter(records::owner_id.eq(person))
        .select(records::id);
    let owned = events::table
        .filter(events::tenant_id.eq(tenant))
        .filter(events::at.ge(since))
        .filter(events::action.eq_any(["changed", "moved"]))
        // Whose it was before, as canonical JSON tells a change.
        .filter(events::data.like(format!("%\"owner_id\":[\"{person}\",%")))
        .select(events::subject_id)
        .distinct();
    let approved = versions::table
        .filter(versions::tenant_id.eq(tenant))
        .filter(versions::approved_by.eq(person))
        .filter(versions::approved_at.ge(since))
        .select(versions::record_id)
        .distinct();
    let (wrote, owns, owned, approved) = tx
        .run(async |db| {
            try_join!(
                wrote.load::<Uuid>(&mut &*db),
                owns.load::<Uuid>(&mut &*db),
                owned.load::<Uuid>(&mut &*db),
                approved.load::<Uuid>(&mut &*db),
            )
        })
        .await?;
    Ok(wrote
        .into_iter()
        .chain(owns)
        .chain(owned)
        .chain(approved)
        .collect())
}
