//! How one tenant stands: its open risks and deadlines, as counted on one civil date.
//!
//! Counting is dear, so it is kept for each (tenant, last event, civil date): whatever changes a
//! tenant's records is an event, so a row counted at the same event and date is still true.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use chrono::{DateTime, NaiveDate, Utc};
use diesel::dsl::{count_star, exists, not};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use quick_cache::sync::Cache;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::problem::Result;
use crate::schema::{chains, deadlines, records};
use crate::tenancy::TenantTx;

/// Tenants whose counts are kept; the least used make room.
const REMEMBERED: usize = 10_000;

/// Open risks by level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct OpenRisks {
    /// Of level low.
    #[schema(example = 3)]
    pub(super) low: i64,
    /// Of level medium.
    #[schema(example = 2)]
    pub(super) medium: i64,
    /// Of level high.
    #[schema(example = 1)]
    pub(super) high: i64,
    /// Of level critical.
    #[schema(example = 0)]
    pub(super) critical: i64,
}

/// Something that is due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema, Queryable)]
pub(super) struct NextDeadline {
    /// The record.
    #[schema(example = "019abc12-0000-7000-8000-000000000007")]
    pub(super) record_id: Uuid,
    /// Its kind.
    #[schema(example = "risk_treatment")]
    pub(super) kind: String,
    /// Its human reference.
    #[schema(example = "TRT-004")]
    pub(super) r#ref: String,
    /// What is due.
    #[schema(example = "due")]
    pub(super) name: String,
    /// When, in the tenant's zone.
    #[schema(example = "2027-03-15")]
    pub(super) due_on: NaiveDate,
}

/// What was counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    pub(super) open_risks: OpenRisks,
    pub(super) unaccepted: i64,
    pub(super) overdue: i64,
    pub(super) next: Option<NextDeadline>,
    pub(super) review_on: Option<NaiveDate>,
}

/// How a tenant stands.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    pub(super) last_act_at: Option<DateTime<Utc>>,
    pub(super) counts: Arc<Counts>,
}

/// Tenant, number of its last event, civil date.
type Key = (Uuid, i64, NaiveDate);

static COUNTED: LazyLock<Cache<Key, Arc<Counts>>> = LazyLock::new(|| Cache::new(REMEMBERED));

/// Reads how each tenant stands on its own civil date, in the given order. Where nothing has
/// happened since the last time, only the head of the tenant's chain is read.
pub(super) async fn standings(
    tx: &mut TenantTx<'_>,
    tenants: &[(Uuid, NaiveDate)],
) -> Result<Vec<Standing>> {
    let ids: Vec<Uuid> = tenants.iter().map(|(id, _)| *id).collect();
    let heads: Vec<Option<(i64, Option<DateTime<Utc>>)>> = tx
        .visit(&ids, async |db, tenant| {
            chains::table
                .find(tenant)
                .select((chains::seq, chains::last_act_at))
                .first(&mut &*db)
                .await
                .optional()
        })
        .await?;
    let keys: Vec<Key> = tenants
        .iter()
        .zip(&heads)
        .map(|((id, today), head)| (*id, head.map_or(0, |(seq, _)| seq), *today))
        .collect();
    let mut counted = counts(tx, &keys).await?;
    Ok(keys
        .iter()
        .zip(heads)
        .map(|(key, head)| Standing {
            last_act_at: head.and_then(|(_, at)| at),
            counts: counted.remove(&key.0).unwrap_or_default(),
        })
        .collect())
}

/// The counts of every key: those that are known, the others counted now and kept.
async fn counts(tx: &mut TenantTx<'_>, keys: &[Key]) -> Result<HashMap<Uuid, Arc<Counts>>> {
    let mut all = HashMap::new();
    let mut cold = Vec::new();
    for key in keys {
        match COUNTED.get(key) {
            Some(known) => _ = all.insert(key.0, known),
            None => cold.push(*key),
        }
    }
    for (key, counts) in cold.iter().zip(count(tx, &cold).await?) {
        let counts = Arc::new(counts);
        COUNTED.insert(*key, Arc::clone(&counts));
        all.insert(key.0, counts);
    }
    Ok(all)
}

/// Counts anew, one kind of question after the other, each to all tenants in one message.
async fn count(tx: &mut TenantTx<'_>, cold: &[Key]) -> Result<Vec<Counts>> {
    let ids: Vec<Uuid> = cold.iter().map(|(id, ..)| *id).collect();
    let days: HashMap<Uuid, NaiveDate> = cold.iter().map(|(id, _, day)| (*id, *day)).collect();
    let levels = risks_by_level(tx, &ids).await?;
    let unaccepted = unaccepted_risks(tx, &ids).await?;
    let overdue = overdue(tx, &ids, &days).await?;
    let next = next_deadlines(tx, &ids, &days).await?;
    let reviews = next_reviews(tx, &ids).await?;
    Ok(levels
        .into_iter()
        .zip(unaccepted)
        .zip(overdue)
        .zip(next)
        .zip(reviews)
        .map(
            |((((levels, unaccepted), overdue), next), review_on)| Counts {
                open_risks: by_level(levels),
                unaccepted,
                overdue,
                next,
                review_on,
            },
        )
        .collect())
}

fn by_level(rows: Vec<(Option<String>, i64)>) -> OpenRisks {
    let mut risks = OpenRisks::default();
    for (level, number) in rows {
        match level.as_deref() {
            Some("low") => risks.low += number,
            Some("medium") => risks.medium += number,
            Some("high") => risks.high += number,
            Some("critical") => risks.critical += number,
            _ => {}
        }
    }
    risks
}

async fn risks_by_level(
    tx: &mut TenantTx<'_>,
    ids: &[Uuid],
) -> Result<Vec<Vec<(Option<String>, i64)>>> {
    tx.visit(ids, async |db, tenant| {
        records::table
            .filter(records::tenant_id.eq(tenant))
            .filter(records::kind.eq("risk"))
            .filter(records::status.ne("closed"))
            .filter(records::archived_at.is_null())
            .group_by(records::level)
            .select((records::level, count_star()))
            .load(&mut &*db)
            .await
    })
    .await
}

/// Risks above the tolerance that nobody entitled has accepted (RSK-2).
async fn unaccepted_risks(tx: &mut TenantTx<'_>, ids: &[Uuid]) -> Result<Vec<i64>> {
    tx.visit(ids, async |db, tenant| {
        let acceptances = diesel::alias!(records as acceptances);
        let accepted = acceptances
            .filter(acceptances.field(records::tenant_id).eq(tenant))
            .filter(acceptances.field(records::kind).eq("residual_acceptance"))
            .filter(acceptances.field(records::status).eq("accepted"))
            .filter(acceptances.field(records::archived_at).is_null())
            .filter(
                acceptances
                    .field(records::risk_id)
                    .eq(records::id.nullable()),
            );
        records::table
            .filter(records::tenant_id.eq(tenant))
            .filter(records::kind.eq("risk"))
            .filter(records::status.ne("closed"))
            .filter(records::archived_at.is_null())
            .filter(records::above_tolerance.eq(true))
            .filter(not(exists(accepted)))
            .select(count_star())
            .first(&mut &*db)
            .await
    })
    .await
}

async fn overdue(
    tx: &mut TenantTx<'_>,
    ids: &[Uuid],
    days: &HashMap<Uuid, NaiveDate>,
) -> Result<Vec<i64>> {
    tx.visit(ids, async |db, tenant| {
        deadlines::table
            .filter(deadlines::tenant_id.eq(tenant))
            .filter(deadlines::due_on.lt(day(days, tenant)))
            .select(count_star())
            .first(&mut &*db)
            .await
    })
    .await
}

async fn next_deadlines(
    tx: &mut TenantTx<'_>,
    ids: &[Uuid],
    days: &HashMap<Uuid, NaiveDate>,
) -> Result<Vec<Option<NextDeadline>>> {
    tx.visit(ids, async |db, tenant| {
        deadlines::table
            .inner_join(
                records::table.on(records::tenant_id
                    .eq(deadlines::tenant_id)
                    .and(records::id.eq(deadlines::record_id))),
            )
            .filter(deadlines::tenant_id.eq(tenant))
            .filter(deadlines::due_on.ge(day(days, tenant)))
            .order((deadlines::due_on, deadlines::record_id, deadlines::name))
            .select((
                deadlines::record_id,
                records::kind,
                records::ref_,
                deadlines::name,
                deadlines::due_on,
            ))
            .first(&mut &*db)
            .await
            .optional()
    })
    .await
}

/// When the next management review is due (clause 9.3).
async fn next_reviews(tx: &mut TenantTx<'_>, ids: &[Uuid]) -> Result<Vec<Option<NaiveDate>>> {
    tx.visit(ids, async |db, tenant| {
        deadlines::table
            .filter(deadlines::tenant_id.eq(tenant))
            .filter(deadlines::name.eq("management_review"))
            .order(deadlines::due_on)
            .select(deadlines::due_on)
            .first(&mut &*db)
            .await
            .optional()
    })
    .await
}

fn day(days: &HashMap<Uuid, NaiveDate>, tenant: Uuid) -> NaiveDate {
    days.get(&tenant).copied().unwrap_or_default()
}
