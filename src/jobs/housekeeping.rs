//! Clears away what has expired.

use chrono::TimeDelta;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use futures_util::try_join;
use uuid::Uuid;

use crate::problem::Result;
use crate::schema::{
    consultancies, idempotency_keys, invitations, outbox, sessions, tenants, users,
};
use crate::tenancy::{Actor, Platform};

/// Hours for which the answer of a POST with `Idempotency-Key` is kept.
const ANSWERS_HOURS: i64 = 24;
/// Days for which a session is kept after its end.
const SESSIONS_DAYS: i64 = 7;
/// Days for which an invitation that nobody accepted is kept after its end.
const INVITATIONS_DAYS: i64 = 30;

/// Days for which it is kept that a mail was sent, cancelled or given up.
const MAILS_DAYS: i64 = 30;

/// Deletes expired sessions, invitations and remembered answers, and mails that are long done.
pub(super) async fn clear(platform: &Platform, stopping: impl Fn() -> bool) -> Result<()> {
    platform
        .write(Actor::System, None, async |tx| {
            let now = tx.now();
            let ended = sessions::expires_at.lt(now - TimeDelta::days(SESSIONS_DAYS));
            let old = diesel::delete(sessions::table.filter(ended));
            tx.queue(|db| async move { old.execute(&mut &*db).await });
            let ended = invitations::expires_at.lt(now - TimeDelta::days(INVITATIONS_DAYS));
            let old = diesel::delete(
                invitations::table
                    .filter(ended)
                    .filter(invitations::accepted_at.is_null()),
            );
            tx.queue(|db| async move { old.execute(&mut &*db).await });
            let done = outbox::finished_at.lt(now - TimeDelta::days(MAILS_DAYS));
            let old = diesel::delete(outbox::table.filter(done));
            tx.queue(|db| async move { old.execute(&mut &*db).await });
            Ok(())
        })
        .await?;
    for scope in with_old_answers(platform).await? {
        if stopping() {
            break;
        }
        platform
            .write(Actor::System, None, async |tx| {
                tx.switch(scope, None).await?;
                let before = tx.now() - TimeDelta::hours(ANSWERS_HOURS);
                let old = diesel::delete(
                    idempotency_keys::table
                        .filter(idempotency_keys::tenant_id.eq(scope))
                        .filter(idempotency_keys::created_at.lt(before)),
                );
                tx.queue(|db| async move { old.execute(&mut &*db).await });
                Ok(())
            })
            .await?;
    }
    Ok(())
}

/// Tenants, firms and accounts with answers that are too old.
async fn with_old_answers(platform: &Platform) -> Result<Vec<Uuid>> {
    platform
        .read(async |tx| {
            let before = tx.now() - TimeDelta::hours(ANSWERS_HOURS);
            let (tenants, firms, accounts) = tx
                .run(async |db| {
                    try_join!(
                        tenants::table.select(tenants::id).load::<Uuid>(&mut &*db),
                        consultancies::table
                            .select(consultancies::id)
                            .load::<Uuid>(&mut &*db),
                        users::table.select(users::id).load::<Uuid>(&mut &*db),
                    )
                })
                .await?;
            let scopes = [tenants, firms, accounts].concat();
            let old = tx
                .visit(&scopes, async |db, scope| {
                    let old = idempotency_keys::table
                        .filter(idempotency_keys::tenant_id.eq(scope))
                        .filter(idempotency_keys::created_at.lt(before));
                    diesel::select(diesel::dsl::exists(old))
                        .get_result::<bool>(&mut &*db)
                        .await
                })
                .await?;
            Ok(scopes
                .into_iter()
                .zip(old)
                .filter_map(|(scope, old)| old.then_some(scope))
                .collect())
        })
        .await
}
