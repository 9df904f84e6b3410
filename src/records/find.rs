//! Typed look-ups for rules: the records of a kind that are about something.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::kind::{Kind, Record};
use super::registry::{entry_of, typed};
use super::row::Stored;
use super::store;
use crate::problem::Result;
use crate::schema::records;
use crate::tenancy::TenantTx;

/// Which live records of a kind.
#[derive(Clone, Copy, Debug, Default)]
pub struct Find<'a> {
    /// About this risk.
    pub risk: Option<Uuid>,
    /// About this AI system.
    pub ai_system: Option<Uuid>,
    /// In one of these states; empty: in any.
    pub statuses: &'a [&'a str],
}

/// The live records of a kind, newest first.
pub async fn find<K: Kind>(tx: &mut TenantTx<'_>, which: Find<'_>) -> Result<Vec<Record<K>>> {
    let mut query = records::table
        .filter(records::tenant_id.eq(tx.scope()))
        .filter(records::kind.eq(K::INFO.name))
        .filter(records::archived_at.is_null())
        .order(records::id.desc())
        .select(Stored::as_select())
        .into_boxed();
    if let Some(risk) = which.risk {
        query = query.filter(records::risk_id.eq(risk));
    }
    if let Some(system) = which.ai_system {
        query = query.filter(records::ai_system_id.eq(system));
    }
    if !which.statuses.is_empty() {
        query = query.filter(records::status.eq_any(which.statuses.to_vec()));
    }
    let stored: Vec<Stored> = tx.run(async |db| query.load(&mut &*db).await).await?;
    stored
        .into_iter()
        .map(|stored| typed(&stored.into_row()?))
        .collect()
}

/// One record of a kind.
pub async fn get<K: Kind>(tx: &mut TenantTx<'_>, id: Uuid) -> Result<Record<K>> {
    let stored = store::get(tx, entry_of::<K>()?, id).await?;
    typed(&stored.into_row()?)
}

/// How many live records there are, by kind and state.
pub async fn counts(tx: &mut TenantTx<'_>) -> Result<serde_json::Value> {
    let query = records::table
        .filter(records::tenant_id.eq(tx.scope()))
        .filter(records::archived_at.is_null())
        .group_by((records::kind, records::status))
        .select((records::kind, records::status, diesel::dsl::count_star()));
    let rows: Vec<(String, String, i64)> = tx.run(async |db| query.load(&mut &*db).await).await?;
    let mut counts =
        std::collections::BTreeMap::<String, std::collections::BTreeMap<String, i64>>::new();
    for (kind, status, count) in rows {
        counts.entry(kind).or_default().insert(status, count);
    }
    serde_json::to_value(counts).map_err(crate::problem::Problem::internal)
}
