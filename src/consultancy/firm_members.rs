//! The people of a consultancy.

use actix_web::{HttpResponse, delete, get, web};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::owner_of;
use crate::identity::accounts::{self, Email};
use crate::identity::invitations::{self, PERSON_REMOVED, Place};
use crate::identity::listing::{Listing, Page};
use crate::problem::{Problem, Result};
use crate::schema::{consultancy_members as members, engagements, memberships, users};
use crate::tenancy::{Caller, Callers, FirmRole, TenantTx};

/// Somebody who belongs to a consultancy.
#[derive(Serialize, ToSchema)]
struct FirmMember {
    /// Account.
    #[schema(example = "019abc12-0000-7000-8000-000000000001")]
    user_id: Uuid,
    /// Name.
    #[schema(example = "Signe Dahl")]
    name: String,
    /// E-mail address.
    #[schema(example = "signe@fjordlys.example")]
    email: String,
    /// Role in the firm.
    #[schema(value_type = FirmRole, example = "owner")]
    role: String,
    /// Since when.
    #[schema(example = "2027-01-11T08:00:00Z")]
    joined_at: DateTime<Utc>,
}

/// List the people of a consultancy
///
/// For everybody who belongs to it; those who have left are not listed.
#[utoipa::path(
    tag = "Consultancies",
    operation_id = "list_consultancy_members",
    params(
        ("consultancy_id" = Uuid, Path, description = "The consultancy"),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "Items of a page, 50 unless told"),
        ("cursor" = Option<String>, Query, description = "Where the page begins, from `next_cursor`"),
    ),
    responses((status = 200, description = "The people", body = Listing<FirmMember>)),
    security(("bearer" = []))
)]
#[get("/v1/consultancies/{consultancy_id}/members")]
pub(super) async fn list_members(
    caller: Caller,
    path: web::Path<Uuid>,
    page: Page,
) -> Result<HttpResponse> {
    let firm = path.into_inner();
    caller.firm(firm)?;
    let query = members::table
        .inner_join(users::table.on(users::id.eq(members::user_id)))
        .filter(members::consultancy_id.eq(firm))
        .filter(members::ended_at.is_null())
        .filter(members::user_id.gt(page.after()))
        .order(members::user_id)
        .limit(page.rows())
        .select((
            members::user_id,
            users::name,
            users::email,
            members::role,
            members::created_at,
        ));
    type Row = (Uuid, String, String, String, DateTime<Utc>);
    let rows: Vec<Row> = caller
        .read(async |tx| tx.run(async |db| query.load(&mut &*db).await).await)
        .await?;
    let items = rows
        .into_iter()
        .map(|(user_id, name, email, role, joined_at)| FirmMember {
            user_id,
            name,
            email,
            role,
            joined_at,
        })
        .collect();
    Ok(page.answer(items, |item: &FirmMember| item.user_id))
}

/// Remove somebody from a consultancy
///
/// For owners, and for anybody who leaves. Their assignments under the firm's engagements end
/// too, and what is open for their address: an older invitation does not lead back. The last owner
/// cannot be removed (409).
#[utoipa::path(
    tag = "Consultancies",
    operation_id = "delete_consultancy_member",
    params(
        ("consultancy_id" = Uuid, Path, description = "The consultancy"),
        ("user_id" = Uuid, Path, description = "The person"),
    ),
    responses((status = 204, description = "Removed")),
    security(("bearer" = []))
)]
#[delete("/v1/consultancies/{consultancy_id}/members/{user_id}")]
pub(super) async fn end_member(
    caller: Caller,
    path: web::Path<(Uuid, Uuid)>,
    callers: web::Data<Callers>,
) -> Result<HttpResponse> {
    let (firm, person) = path.into_inner();
    caller.firm(firm)?;
    if person != caller.user_id() {
        owner_of(&caller, firm)?;
    }
    caller
        .write(firm, async |tx| {
            let assigned = end_in_firm(tx, firm, person).await?;
            end_assignments(tx, assigned).await
        })
        .await?;
    callers.forget_all();
    Ok(HttpResponse::NoContent().finish())
}

/// Ends the place in the firm and tells which assignments hang on it.
async fn end_in_firm(tx: &mut TenantTx<'_>, firm: Uuid, person: Uuid) -> Result<Vec<(Uuid, Uuid)>> {
    let query = members::table
        .filter(members::consultancy_id.eq(firm))
        .filter(members::ended_at.is_null())
        .order(members::user_id)
        .select((members::user_id, members::role))
        .for_update();
    let people: Vec<(Uuid, String)> = tx.run(async |db| query.load(&mut &*db).await).await?;
    let owner = FirmRole::Owner.as_str();
    let (_, role) = people
        .iter()
        .find(|(id, _)| *id == person)
        .ok_or_else(Problem::not_found)?;
    if role == owner && people.iter().filter(|(_, role)| role == owner).count() == 1 {
        return Err(Problem::conflict("The last owner cannot be removed."));
    }
    let end =
        diesel::update(members::table.find((firm, person))).set(members::ended_at.eq(tx.now()));
    tx.run(async |db| end.execute(&mut &*db).await).await?;
    let email = accounts::by_id(tx, person).await?.email;
    let email = Email::parse(&email, "/user_id")?;
    let revoked = invitations::revoke_all(tx, Place::Firm(firm), &email, PERSON_REMOVED).await?;
    let data = json!({"role": role, "invitations_revoked": revoked});
    tx.event("member.ended", "account", person, &data)?;
    let assigned = memberships::table
        .inner_join(engagements::table)
        .filter(engagements::consultancy_id.eq(firm))
        .filter(memberships::user_id.eq(person))
        .filter(memberships::ended_at.is_null())
        .order((memberships::tenant_id, memberships::id))
        .select((memberships::tenant_id, memberships::id));
    tx.run(async |db| assigned.load(&mut &*db).await).await
}

/// Ends them tenant by tenant, in the order of their ids, so that two such writes cannot block
/// each other.
async fn end_assignments(tx: &mut TenantTx<'_>, assigned: Vec<(Uuid, Uuid)>) -> Result<()> {
    for (tenant, membership) in assigned {
        tx.switch(tenant, None).await?;
        let why = json!({"because": "left the consultancy"});
        super::assignment_rows::end(tx, membership, &why).await?;
    }
    Ok(())
}
