//! Memberships of consultants as they are kept.

use chrono::NaiveDate;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::identity::joining::add_person;
use crate::problem::{Problem, Result};
use crate::schema::{consultancy_members, memberships};
use crate::tenancy::{FirmRole, Roles, TenantTx};

/// 422 unless the person belongs to the firm.
pub(super) async fn check_belongs(tx: &mut TenantTx<'_>, firm: Uuid, person: Uuid) -> Result<()> {
    let query = consultancy_members::table
        .find((firm, person))
        .filter(consultancy_members::ended_at.is_null())
        .select(consultancy_members::user_id);
    let member: Option<Uuid> = tx
        .run(async |db| query.first(&mut &*db).await.optional())
        .await?;
    member
        .map(|_| ())
        .ok_or_else(|| Problem::invalid("/user_id", "does not belong to this consultancy"))
}

/// Closes assignments whose time is over, so that the person can come back.
pub(super) async fn end_expired(
    tx: &mut TenantTx<'_>,
    engagement: Uuid,
    person: Uuid,
    today: NaiveDate,
) -> Result<()> {
    let rows = diesel::update(
        memberships::table
            .filter(memberships::engagement_id.eq(engagement))
            .filter(memberships::user_id.eq(person))
            .filter(memberships::ended_at.is_null())
            .filter(memberships::valid_until.lt(today)),
    )
    .set(memberships::ended_at.eq(tx.now()));
    tx.run(async |db| rows.execute(&mut &*db).await).await?;
    Ok(())
}

/// A consultant's membership to write.
pub(super) struct NewMembership {
    pub(super) tenant_id: Uuid,
    pub(super) engagement_id: Uuid,
    pub(super) user_id: Uuid,
    pub(super) role: FirmRole,
    pub(super) valid_from: NaiveDate,
    pub(super) valid_until: Option<NaiveDate>,
}

/// Writes an assignment; the transaction must be in the tenant's scope.
pub(super) async fn insert(tx: &mut TenantTx<'_>, new: NewMembership) -> Result<Uuid> {
    let NewMembership {
        tenant_id,
        engagement_id,
        user_id,
        role,
        valid_from,
        valid_until,
    } = new;
    let id = Uuid::now_v7();
    let row = diesel::insert_into(memberships::table)
        .values((
            memberships::id.eq(id),
            memberships::tenant_id.eq(tenant_id),
            memberships::user_id.eq(user_id),
            memberships::engagement_id.eq(engagement_id),
            memberships::roles.eq(Roles::parse([role.as_str()]).names()),
            memberships::valid_from.eq(valid_from),
            memberships::valid_until.eq(valid_until),
            memberships::created_at.eq(tx.now()),
            memberships::updated_at.eq(tx.now()),
        ))
        .on_conflict_do_nothing();
    if tx.run(async |db| row.execute(&mut &*db).await).await? == 0 {
        return Err(Problem::conflict(
            "This person is assigned to the engagement already.",
        ));
    }
    add_person(tx, tenant_id, user_id);
    let data = json!({
        "engagement_id": engagement_id, "role": role, "user_id": user_id,
        "valid_from": valid_from, "valid_until": valid_until,
    });
    tx.event("member.assigned", "membership", id, &data)?;
    Ok(id)
}

/// Ends an assignment or membership, `why` goes into the event; the transaction must be in the
/// tenant's scope. 404 if it is not running.
pub(super) async fn end(tx: &mut TenantTx<'_>, membership: Uuid, why: &Value) -> Result<()> {
    let row = diesel::update(
        memberships::table
            .filter(memberships::id.eq(membership))
            .filter(memberships::tenant_id.eq(tx.scope()))
            .filter(memberships::ended_at.is_null()),
    )
    .set((
        memberships::ended_at.eq(tx.now()),
        memberships::version.eq(memberships::version + 1),
        memberships::updated_at.eq(tx.now()),
    ));
    if tx.run(async |db| row.execute(&mut &*db).await).await? == 0 {
        return Err(Problem::not_found());
    }
    tx.event("member.ended", "membership", membership, why)
}
