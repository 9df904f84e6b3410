//! How one tenant stands: its open risks and deadlines, as counted on one civil date.
//!
//! Counting is dear, so it is kept for each (tenant, last event, civil date): whatever changes a
//! tenant's records is an event, so a row counted at the same event and date is still true.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock};

use chrono::{DateTime, NaiveDate, Utc};
use diesel::dsl::count_star;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use quick_cache::sync::Cache;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::problem::Result;
use crate::records::{Figure, RecordKind, registry};
use crate::schema::{chains, deadlines, records};
use crate::tenancy::TenantTx;

/// Tenants whose counts are kept; the least used make room.
const REMEMBERED: usize = 10_000;

/// Something that is due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema, Queryable)]
pub(super) struct NextDeadline {
    /// The record.
    #[schema(example = "019abc12-0000-7000-8000-000000000007")]
    pub(super) record_id: Uuid,
    /// Its kind.
    #[schema(value_type = RecordKind, example = "risk_treatment")]
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
    /// What the kinds count, by name.
    pub(super) figures: BTreeMap<&'static str, i64>,
    /// Dates that the kinds look out for, by name.
    pub(super) dates: BTreeMap<&'static str, Option<NaiveDate>>,
    pub(super) overdue: i64,
    pub(super) next: Option<NextDeadline>,
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
    let mut counted: Vec<Counts> = overdue(tx, &ids, &days)
        .await?
        .into_iter()
        .zip(next_deadlines(tx, &ids, &days).await?)
        .map(|(overdue, next)| Counts {
            overdue,
            next,
            ..Counts::default()
        })
        .collect();
    for figure in registry().figures() {
        let numbers = number(tx, &ids, &days, figure).await?;
        for (counts, number) in counted.iter_mut().zip(numbers) {
            counts.figures.insert(figure.name, number);
        }
    }
    for date in registry().dates() {
        let dates = next_date(tx, &ids, date.deadline).await?;
        for (counts, on) in counted.iter_mut().zip(dates) {
            counts.dates.insert(date.name, on);
        }
    }
    Ok(counted)
}

async fn number(
    tx: &mut TenantTx<'_>,
    ids: &[Uuid],
    days: &HashMap<Uuid, NaiveDate>,
    figure: &Figure,
) -> Result<Vec<i64>> {
    tx.visit(ids, async |db, tenant| {
        (figure.counted)(tenant, day(days, tenant))
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
            .filter(records::audience.ne("named"))
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

/// The earliest deadline of a name.
async fn next_date(
    tx: &mut TenantTx<'_>,
    ids: &[Uuid],
    deadline: &'static str,
) -> Result<Vec<Option<NaiveDate>>> {
    tx.visit(ids, async |db, tenant| {
        deadlines::table
            .filter(deadlines::tenant_id.eq(tenant))
            .filter(deadlines::name.eq(deadline))
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
