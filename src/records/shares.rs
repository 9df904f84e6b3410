//! Records shared with an external auditor, until a date.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::entry::Entry;
use super::{rights, store};
use crate::problem::{Problem, Result};
use crate::schema::shares;
use crate::tenancy::{Role, Roles, TenantTx, holders};

/// Who shares records with auditors.
const SHARERS: Roles = Roles::of(&[
    Role::AimsManager,
    Role::TopManagement,
    Role::InternalAuditor,
]);

/// A record shared with an external auditor.
#[derive(Clone, Debug, Serialize, Queryable, Selectable, ToSchema)]
#[diesel(table_name = shares, check_for_backend(diesel::pg::Pg))]
pub struct Share {
    /// The auditor.
    pub person_id: Uuid,
    /// Last civil date on which they see it.
    pub until: NaiveDate,
    /// UTC.
    pub created_at: DateTime<Utc>,
    /// Who shared it.
    pub created_by: Option<Uuid>,
}

/// With whom a record is shared, and how long.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewShare {
    /// An external auditor of the tenant.
    pub person_id: Uuid,
    /// Last civil date on which they see it.
    #[schema(format = Date, value_type = String, example = "2027-07-31")]
    pub until: NaiveDate,
}

/// With whom a record is shared.
pub(super) async fn list(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    id: Uuid,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Share>> {
    store::get(tx, entry, id).await?;
    let query = shares::table
        .filter(shares::tenant_id.eq(tx.scope()))
        .filter(shares::record_id.eq(id))
        .filter(shares::person_id.gt(after.unwrap_or_default()))
        .order(shares::person_id)
        .limit(limit)
        .select(Share::as_select());
    tx.run(async |db| query.load(&mut &*db).await).await
}

/// Shares a record, or changes until when it is shared.
pub(super) async fn create(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    id: Uuid,
    new: NewShare,
) -> Result<Share> {
    rights::needs(tx, SHARERS, "share records with an external auditor")?;
    store::get(tx, entry, id).await?;
    if new.until < tx.today()? {
        return Err(Problem::invalid("/until", "is over"));
    }
    let auditors = holders(tx, Role::ExternalAuditor).await?;
    if !auditors.contains(&new.person_id) {
        return Err(Problem::invalid(
            "/person_id",
            "There is no external auditor with this id.",
        ));
    }
    let share = Share {
        person_id: new.person_id,
        until: new.until,
        created_at: tx.now(),
        created_by: tx.actor().person(),
    };
    let row = (
        shares::until.eq(share.until),
        shares::created_at.eq(share.created_at),
        shares::created_by.eq(share.created_by),
    );
    let upsert = diesel::insert_into(shares::table)
        .values((
            shares::tenant_id.eq(tx.scope()),
            shares::record_id.eq(id),
            shares::person_id.eq(share.person_id),
            row,
        ))
        .on_conflict((shares::tenant_id, shares::record_id, shares::person_id))
        .do_update()
        .set(row);
    tx.queue_fixed(upsert);
    let data = json!({"person_id": share.person_id, "until": share.until});
    tx.event("shared", entry.info.name, id, &data)?;
    Ok(share)
}

/// Ends a share.
pub(super) async fn delete(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    id: Uuid,
    person: Uuid,
) -> Result<()> {
    rights::needs(tx, SHARERS, "end what is shared with an external auditor")?;
    store::get(tx, entry, id).await?;
    let target = shares::table.find((tx.scope(), id, person));
    let gone = tx
        .run(async |db| diesel::delete(target).execute(&mut &*db).await)
        .await?;
    if gone == 0 {
        return Err(Problem::not_found());
    }
    let data = json!({"person_id": person});
    tx.event("unshared", entry.info.name, id, &data)
}
