//! What accepting an invitation leads to: a place in a firm, or a membership in a tenant.

use chrono::NaiveDate;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::grants;
use super::independence;
use super::invitations::{self, Found, Place, not_valid};
use crate::problem::{Problem, Result};
use crate::schema::{consultancies, consultancy_members, memberships, people, users};
use crate::tenancy::{FirmRole, Roles, TenantTx};

/// What was joined by accepting an invitation.
#[derive(Serialize, ToSchema)]
pub(super) struct Joined {
    /// The account that joined.
    #[schema(example = "019abc12-0000-7000-8000-000000000001")]
    pub(super) user_id: Uuid,
    /// Whether the account was made by accepting.
    #[schema(example = true)]
    pub(super) account_created: bool,
    /// The consultancy joined, if it was one.
    #[schema(example = json!(null))]
    pub(super) consultancy_id: Option<Uuid>,
    /// The tenant joined, if it was one.
    #[schema(example = "019abc12-3456-7890-abcd-ef0123456789")]
    pub(super) tenant_id: Option<Uuid>,
    /// Name of the consultancy or tenant.
    #[schema(example = "Aurelia Lending B.V.")]
    pub(super) name: String,
    /// The roles held there now.
    #[schema(value_type = Vec<super::invitations::InvitedRole>, example = json!(["top_management"]))]
    pub(super) roles: Vec<String>,
    /// Last day of the membership; null: open.
    #[schema(example = json!(null))]
    pub(super) valid_until: Option<NaiveDate>,
}

/// Uses the invitation up and joins its place. Leaves the transaction in the place's scope.
pub(super) async fn join(
    tx: &mut TenantTx<'_>,
    found: &Found,
    user_id: Uuid,
    account_created: bool,
) -> Result<Joined> {
    let Found { invitation, place } = found;
    tx.switch(place.id(), None).await?;
    invitations::claim(tx, invitation.id).await?;
    check_inviter_is_active(tx, invitation.invited_by).await?;
    let name = match place {
        Place::Firm(firm) => join_firm(tx, *firm, found, user_id).await?,
        Place::Tenant(tenant) => join_tenant(tx, *tenant, found, user_id).await?,
    };
    Ok(Joined {
        user_id,
        account_created,
        consultancy_id: matches!(place, Place::Firm(_)).then_some(place.id()),
        tenant_id: matches!(place, Place::Tenant(_)).then_some(place.id()),
        name,
        roles: invitation.roles.clone(),
        valid_until: invitation.valid_until,
    })
}

async fn check_inviter_is_active(tx: &mut TenantTx<'_>, inviter: Uuid) -> Result<()> {
    let query = users::table
        .filter(users::id.eq(inviter))
        .filter(users::disabled_at.is_null())
        .select(users::id);
    let active: Option<Uuid> = tx
        .run(async |db| query.first(&mut &*db).await.optional())
        .await?;
    active.map(|_| ()).ok_or_else(not_valid)
}

async fn join_firm(
    tx: &mut TenantTx<'_>,
    firm: Uuid,
    found: &Found,
    user_id: Uuid,
) -> Result<String> {
    let owner = consultancy_members::table
        .inner_join(
            consultancies::table.on(consultancies::id.eq(consultancy_members::consultancy_id)),
        )
        .filter(consultancy_members::consultancy_id.eq(firm))
        .filter(consultancy_members::user_id.eq(found.invitation.invited_by))
        .filter(consultancy_members::ended_at.is_null())
        .filter(consultancy_members::role.eq(FirmRole::Owner.as_str()))
        .select(consultancies::name);
    let name: Option<String> = tx
        .run(async |db| owner.first(&mut &*db).await.optional())
        .await?;
    let name = name.ok_or_else(not_valid)?;
    let role = found.invitation.roles.as_slice().first();
    let role = role.ok_or_else(not_valid)?;
    independence::check_joins_firm(tx, firm, user_id).await?;
    add_to_firm(tx, firm, user_id, role).await?;
    let data = json!({"role": role, "invitation_id": found.invitation.id});
    tx.event("member.joined", "account", user_id, &data)?;
    Ok(name)
}

async fn add_to_firm(tx: &mut TenantTx<'_>, firm: Uuid, user_id: Uuid, role: &str) -> Result<()> {
    let values = (
        consultancy_members::consultancy_id.eq(firm),
        consultancy_members::user_id.eq(user_id),
        consultancy_members::role.eq(role),
        consultancy_members::created_at.eq(tx.now()),
    );
    let insert = diesel::insert_into(consultancy_members::table)
        .values(values)
        .on_conflict_do_nothing();
    let back = diesel::update(
        consultancy_members::table
            .find((firm, user_id))
            .filter(consultancy_members::ended_at.is_not_null()),
    )
    .set((
        consultancy_members::role.eq(role),
        consultancy_members::created_at.eq(tx.now()),
        consultancy_members::ended_at.eq(None::<chrono::DateTime<chrono::Utc>>),
    ));
    let added = tx
        .run(async |db| {
            let inserted = insert.execute(&mut &*db).await?;
            let returned = back.execute(&mut &*db).await?;
            Ok(inserted + returned)
        })
        .await?;
    if added == 0 {
        return Err(Problem::conflict("You belong to this consultancy already."));
    }
    Ok(())
}

async fn join_tenant(
    tx: &mut TenantTx<'_>,
    tenant_id: Uuid,
    found: &Found,
    user_id: Uuid,
) -> Result<String> {
    let invitation = &found.invitation;
    let tenant = grants::tenant(tx, tenant_id).await?;
    tx.switch(tenant_id, Some(tenant.clone())).await?;
    let roles = Roles::parse(invitation.roles.iter().map(String::as_str));
    let today = tx.today()?;
    let standing = grants::standing(tx, tenant_id, invitation.invited_by).await?;
    let in_time = invitation.valid_until.is_none_or(|last| today <= last);
    if standing.require(&roles.iter().collect::<Vec<_>>()).is_err() || !in_time {
        return Err(not_valid());
    }
    let until = invitation.valid_until;
    independence::check_roles(tx, tenant_id, user_id, roles, until).await?;
    independence::check_mandate(tx, tenant_id, user_id, roles, &standing)
        .await
        .map_err(|problem| match problem.status {
            // It is not whoever joins who lacks a role.
            403 => problem.with_status(409),
            _ => problem,
        })?;
    end_expired(tx, tenant_id, user_id, today).await?;
    let membership = insert_membership(tx, tenant_id, user_id, found, today).await?;
    let data = json!({
        "invitation_id": invitation.id, "roles": invitation.roles, "user_id": user_id,
        "valid_until": invitation.valid_until,
    });
    tx.event("member.joined", "membership", membership, &data)?;
    Ok(tenant.name)
}

/// Closes memberships whose time is over, so that the person can come back.
async fn end_expired(
    tx: &mut TenantTx<'_>,
    tenant_id: Uuid,
    user_id: Uuid,
    today: NaiveDate,
) -> Result<()> {
    let rows = diesel::update(
        memberships::table
            .filter(memberships::tenant_id.eq(tenant_id))
            .filter(memberships::user_id.eq(user_id))
            .filter(memberships::engagement_id.is_null())
            .filter(memberships::ended_at.is_null())
            .filter(memberships::valid_until.lt(today)),
    )
    .set(memberships::ended_at.eq(tx.now()));
    tx.run(async |db| rows.execute(&mut &*db).await).await?;
    Ok(())
}

async fn insert_membership(
    tx: &mut TenantTx<'_>,
    tenant_id: Uuid,
    user_id: Uuid,
    found: &Found,
    today: NaiveDate,
) -> Result<Uuid> {
    let id = Uuid::now_v7();
    let row = diesel::insert_into(memberships::table)
        .values((
            memberships::id.eq(id),
            memberships::tenant_id.eq(tenant_id),
            memberships::user_id.eq(user_id),
            memberships::roles.eq(found.invitation.roles.clone()),
            memberships::valid_from.eq(today),
            memberships::valid_until.eq(found.invitation.valid_until),
            memberships::created_at.eq(tx.now()),
            memberships::updated_at.eq(tx.now()),
        ))
        .on_conflict_do_nothing();
    if tx.run(async |db| row.execute(&mut &*db).await).await? == 0 {
        return Err(Problem::conflict(
            "You are a member of this tenant already; ask for other roles there.",
        ));
    }
    add_person(tx, tenant_id, user_id);
    Ok(id)
}

/// Records that somebody can be named in the tenant's records; the scope must be the tenant.
pub(crate) fn add_person(tx: &mut TenantTx<'_>, tenant_id: Uuid, user_id: Uuid) {
    let row = diesel::insert_into(people::table)
        .values((people::tenant_id.eq(tenant_id), people::user_id.eq(user_id)))
        .on_conflict_do_nothing();
    tx.queue(|db| async move { row.execute(&mut &*db).await });
}
