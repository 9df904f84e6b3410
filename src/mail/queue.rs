//! Which mails are next: those that somebody waits for first, then reminders, tenant by tenant in
//! turn, so that nobody's flood keeps others waiting.

use std::cell::Cell;

use chrono::{DateTime, Utc};
use diesel::dsl::{IntervalDsl, now};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::result::QueryResult;
use diesel::sql_types::{Bool, Nullable, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_util::future::try_join_all;
use futures_util::try_join;
use uuid::Uuid;

use super::worker::Due;
use crate::problem::Result;
use crate::schema::outbox;
use crate::tenancy::{Actor, Platform, TenantTx};

/// Mails claimed at once.
const BATCH: i64 = 100;
/// Tenants that share what is left of a batch.
const TENANTS: usize = 10;
/// How long a claim holds, in seconds.
const LEASE_SECONDS: i32 = 60;

diesel::define_sql_function! {
    /// Changes a setting, for the transaction only when `local`.
    fn set_config(name: diesel::sql_types::Text, value: diesel::sql_types::Text, local: diesel::sql_types::Bool) -> diesel::sql_types::Text;
}

/// Whose turn it is.
#[derive(Default)]
pub(super) struct Turns {
    /// The tenant that was last.
    last: Cell<Uuid>,
}

type Condition = Box<dyn BoxableExpression<outbox::table, Pg, SqlType = Nullable<Bool>>>;

/// Waiting, due, and not claimed.
fn free(at: DateTime<Utc>) -> Condition {
    let unclaimed = outbox::leased_until
        .is_null()
        .nullable()
        .or(outbox::leased_until.lt(now.into_sql::<Timestamptz>().nullable()));
    Box::new(
        outbox::state
            .eq("queued")
            .nullable()
            .and(outbox::send_after.le(at).nullable())
            .and(unclaimed),
    )
}

impl Turns {
    /// Claims what is next.
    pub(super) async fn claim(&self, platform: &Platform) -> Result<Vec<Due>> {
        let at = platform.clock().now();
        let mut mails = platform
            .write(Actor::System, None, async |tx| {
                let mut mails = waited_for(tx, at).await?;
                let left = BATCH - i64::try_from(mails.len()).unwrap_or(BATCH);
                if left > 0 {
                    mails.extend(self.reminders(tx, at, left).await?);
                }
                lease(tx, &mails);
                Ok(mails)
            })
            .await?;
        for mail in &mut mails {
            mail.attempts += 1;
        }
        Ok(mails)
    }

    /// Reminders of the tenants whose turn it is, the oldest of each first.
    async fn reminders(
        &self,
        tx: &mut TenantTx<'_>,
        at: DateTime<Utc>,
        left: i64,
    ) -> Result<Vec<Due>> {
        let mut tenants: Vec<Uuid> = Vec::new();
        let mut last = self.last.get();
        let mut begun_anew = false;
        while tenants.len() < TENANTS {
            match tx.run(async |db| next_tenant(db, at, last).await).await? {
                Some(tenant) if tenants.contains(&tenant) => break,
                Some(tenant) => {
                    tenants.push(tenant);
                    last = tenant;
                }
                None if begun_anew => break,
                None => (begun_anew, last) = (true, Uuid::nil()),
            }
        }
        self.last.set(tenants.last().copied().unwrap_or_default());
        let share = left / i64::try_from(tenants.len().max(1)).unwrap_or(1);
        let claimed = tx
            .run(async |db| {
                try_join_all(
                    tenants
                        .into_iter()
                        .map(|tenant| of(db, at, tenant, share.max(1))),
                )
                .await
            })
            .await?;
        Ok(claimed.into_iter().flatten().collect())
    }
}

/// Mails that are no reminders: invitations, which somebody waits for.
async fn waited_for(tx: &mut TenantTx<'_>, at: DateTime<Utc>) -> Result<Vec<Due>> {
    // What the planner knows of a queue is always old; left to itself it would sort all of a long
    // one for each batch instead of following the index.
    let no_sort = diesel::select(set_config("enable_sort", "off", true));
    let due = outbox::table
        .filter(free(at))
        .filter(outbox::reminder_id.is_null())
        .order((outbox::send_after, outbox::id))
        .limit(BATCH)
        .for_update()
        .skip_locked()
        .select(Due::as_select());
    let (_, mails) = tx
        .run(async |db| try_join!(no_sort.execute(&mut &*db), due.load::<Due>(&mut &*db)))
        .await?;
    Ok(mails)
}

/// The first tenant after another that has reminders to send.
async fn next_tenant(
    db: &AsyncPgConnection,
    at: DateTime<Utc>,
    after: Uuid,
) -> QueryResult<Option<Uuid>> {
    let tenant: Option<Option<Uuid>> = outbox::table
        .filter(free(at))
        .filter(outbox::reminder_id.is_not_null())
        .filter(outbox::tenant_id.gt(after))
        .order(outbox::tenant_id)
        .select(outbox::tenant_id)
        .first(&mut &*db)
        .await
        .optional()?;
    Ok(tenant.flatten())
}

async fn of(
    db: &AsyncPgConnection,
    at: DateTime<Utc>,
    tenant: Uuid,
    most: i64,
) -> QueryResult<Vec<Due>> {
    outbox::table
        .filter(free(at))
        .filter(outbox::reminder_id.is_not_null())
        .filter(outbox::tenant_id.eq(tenant))
        .order((outbox::send_after, outbox::id))
        .limit(most)
        .for_update()
        .skip_locked()
        .select(Due::as_select())
        .load(&mut &*db)
        .await
}

fn lease(tx: &mut TenantTx<'_>, mails: &[Due]) {
    if mails.is_empty() {
        return;
    }
    let ids: Vec<Uuid> = mails.iter().map(|mail| mail.id).collect();
    let until = (now.into_sql::<Timestamptz>() + LEASE_SECONDS.seconds()).nullable();
    let lease = diesel::update(outbox::table.filter(outbox::id.eq_any(ids))).set((
        outbox::leased_until.eq(until),
        outbox::attempts.eq(outbox::attempts + 1),
    ));
    tx.queue(|db| async move { lease.execute(&mut &*db).await });
}
