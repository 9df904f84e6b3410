//! Kinds of which there is only one that has not ended: one scope in a tenant, one declaration
//! of roles for each system.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use super::entry::Entry;
use super::kind::OneFor;
use super::row::{RawJson, Row};
use crate::problem::{Problem, Result};
use crate::schema::records;
use crate::tenancy::TenantTx;

/// Refuses a second one. Writers of a tenant wait for each other, so two cannot be made at once.
pub(super) async fn check(tx: &mut TenantTx<'_>, entry: &Entry, row: &Row) -> Result<()> {
    let Some(one) = entry.one_for else {
        return Ok(());
    };
    let query = records::table
        .filter(records::tenant_id.eq(tx.scope()))
        .filter(records::kind.eq(entry.info.name))
        .filter(records::id.ne(row.id))
        .filter(records::archived_at.is_null())
        .select((records::ref_, records::status, records::body));
    let others: Vec<(String, String, RawJson)> =
        tx.run(async |db| query.load(&mut &*db).await).await?;
    for (reference, status, body) in others {
        if entry.is_end(&status) || !is_same(one, row, &body)? {
            continue;
        }
        return Err(Problem::conflict(format!(
            "There is {reference} already, and there is only one {}{}: change that one.",
            entry.info.one,
            match one {
                OneFor::Tenant => String::new(),
                OneFor::Fields(fields) => format!(" for each {}", fields.join(", ")),
            }
        )));
    }
    Ok(())
}

fn is_same(one: OneFor, row: &Row, other: &RawJson) -> Result<bool> {
    match one {
        OneFor::Tenant => Ok(true),
        OneFor::Fields(fields) => {
            let other: Value = serde_json::from_str(&other.0).map_err(Problem::internal)?;
            Ok(fields
                .iter()
                .all(|field| other.get(*field) == row.body.get(*field)))
        }
    }
}

/// The one of a tenant, for a kind of which there is one.
pub(super) async fn only(tx: &mut TenantTx<'_>, entry: &Entry) -> Result<Option<Uuid>> {
    let query = records::table
        .filter(records::tenant_id.eq(tx.scope()))
        .filter(records::kind.eq(entry.info.name))
        .filter(records::archived_at.is_null())
        .filter(records::in_force.is_not_null())
        .order(records::id.desc())
        .select(records::id);
    tx.run(async |db| query.first(&mut &*db).await.optional())
        .await
}
