//! Records that hang on others under a name of their own, such as evidence: `…/{id}/evidence`
//! lists them, attaches one that is there, or makes one and attaches it. What hangs on a record is
//! no part of its content, so that evidence can be gathered for what is approved.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::entry::Entry;
use super::row::Stored;
use super::{links, rights, store, visibility};
use crate::problem::{Problem, Result};
use crate::schema::{links as rows, records};
use crate::tenancy::{Roles, TenantTx};

/// Relation of what hangs on a record.
const PROVES: &str = "proves";

/// Live records of the kind `hanging` that hang on a record, oldest first, after an id.
pub(super) async fn list(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    id: Uuid,
    hanging: &'static Entry,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Stored>> {
    store::get(tx, entry, id).await?;
    let seen = visibility::visible_ids(tx)?;
    let hung = rows::table
        .filter(rows::tenant_id.eq(tx.scope()))
        .filter(rows::to_id.eq(id))
        .filter(rows::from_kind.eq(hanging.info.name))
        .select(rows::from_id);
    let query = records::table
        .filter(records::tenant_id.eq(tx.scope()))
        .filter(records::id.eq_any(hung))
        .filter(records::id.eq_any(seen))
        .filter(records::id.gt(after.unwrap_or_default()))
        .filter(records::archived_at.is_null())
        .order(records::id)
        .limit(limit)
        .select(Stored::as_select());
    let mut page: Vec<Stored> = tx.run(async |db| query.load(&mut &*db).await).await?;
    visibility::show(tx, &mut page).await?;
    Ok(page)
}

/// Attaches a record by its id, or makes one from the fields and attaches it.
pub(super) async fn attach(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    id: Uuid,
    hanging: &'static Entry,
    input: Map<String, Value>,
) -> Result<Stored> {
    let what = format!("attach {}", hanging.info.many);
    rights::needs(tx, Roles::WRITERS, &what)?;
    let row = store::get(tx, entry, id).await?.into_row()?;
    rights::is_live(entry, &row)?;
    let given = input.get("id").filter(|_| input.len() == 1);
    let stored = match given {
        Some(given) => {
            let missing = || Problem::invalid("/id", "There is no such record.");
            let given: Uuid = given
                .as_str()
                .and_then(|given| given.parse().ok())
                .ok_or_else(missing)?;
            match store::get(tx, hanging, given).await {
                Err(problem) if problem.status == 404 => return Err(missing()),
                found => found?,
            }
        }
        None => store::create(tx, hanging, input).await?,
    };
    rights::is_live(hanging, &stored.clone().into_row()?)?;
    if links::is_linked(tx, stored.id, id, PROVES).await? {
        return Ok(stored);
    }
    let insert = diesel::insert_into(rows::table).values((
        rows::tenant_id.eq(tx.scope()),
        rows::id.eq(Uuid::now_v7()),
        rows::from_id.eq(stored.id),
        rows::from_kind.eq(hanging.info.name),
        rows::relation.eq(PROVES),
        rows::to_id.eq(id),
        rows::to_kind.eq(entry.info.name),
        rows::created_at.eq(tx.now()),
        rows::created_by.eq(tx.actor().person()),
    ));
    tx.queue_fixed(insert);
    let data = json!({"kind": hanging.info.name, "id": stored.id, "ref": stored.reference});
    tx.event("attached", entry.info.name, id, &data)?;
    let data = json!({"kind": entry.info.name, "id": id, "ref": row.reference});
    tx.event("attached_to", hanging.info.name, stored.id, &data)?;
    Ok(stored)
}
