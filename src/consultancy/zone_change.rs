//! Correcting a tenant's zone moves its civil date, but takes nobody's place away: what has begun
//! by the old date has begun by the new one too.

use chrono::NaiveDate;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use futures_util::try_join;
use serde_json::json;

use crate::problem::Result;
use crate::schema::{engagements, memberships};
use crate::tenancy::{TenantTx, zone_of};

/// Where it is an earlier day in the new zone, the first days of engagements and memberships that
/// have begun become today's.
pub(super) async fn keep_what_has_begun(tx: &mut TenantTx<'_>, old: &str, new: &str) -> Result<()> {
    let today = |zone: &str| tx.now().with_timezone(&zone_of(zone)).date_naive();
    let (was, is) = (today(old), today(new));
    if was <= is {
        return Ok(());
    }
    bring_forward(tx, was, is).await
}

async fn bring_forward(tx: &mut TenantTx<'_>, was: NaiveDate, is: NaiveDate) -> Result<()> {
    let (tenant, now) = (tx.scope(), tx.now());
    let begun = diesel::update(
        memberships::table
            .filter(memberships::tenant_id.eq(tenant))
            .filter(memberships::ended_at.is_null())
            .filter(memberships::valid_from.gt(is))
            .filter(memberships::valid_from.le(was)),
    )
    .set((
        memberships::valid_from.eq(is),
        memberships::version.eq(memberships::version + 1),
        memberships::updated_at.eq(now),
    ))
    .returning(memberships::id);
    let running = diesel::update(
        engagements::table
            .filter(engagements::tenant_id.eq(tenant))
            .filter(engagements::ended_at.is_null())
            .filter(engagements::starts_on.gt(is))
            .filter(engagements::starts_on.le(was)),
    )
    .set((
        engagements::starts_on.eq(is),
        engagements::version.eq(engagements::version + 1),
        engagements::updated_at.eq(now),
    ))
    .returning(engagements::id);
    let (members, contracts) = tx
        .run(async |db| {
            try_join!(
                begun.get_results::<uuid::Uuid>(&mut &*db),
                running.get_results::<uuid::Uuid>(&mut &*db),
            )
        })
        .await?;
    for id in members {
        let data = json!({"because": "time zone corrected", "valid_from": is});
        tx.event("member.updated", "membership", id, &data)?;
    }
    for id in contracts {
        let data = json!({"because": "time zone corrected", "starts_on": is});
        tx.event("engagement.updated", "engagement", id, &data)?;
    }
    Ok(())
}
