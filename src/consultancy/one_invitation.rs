//! One invitation, at the address that inviting answers.

use actix_web::{HttpResponse, get, web};
use uuid::Uuid;

use super::owner_of;
use crate::identity::invitations::{Invitation, Place};
use crate::identity::invited;
use crate::problem::{Problem, Result};
use crate::tenancy::{Access, Caller, Invites, TenantTx};

/// Read an invitation to a consultancy
///
/// For owners, as long as the list of invitations shows it.
#[utoipa::path(
    tag = "Consultancies",
    operation_id = "get_consultancy_invitation",
    params(
        ("consultancy_id" = Uuid, Path, description = "The consultancy"),
        ("invitation_id" = Uuid, Path, description = "The invitation"),
    ),
    responses((status = 200, description = "The invitation", body = Invitation)),
    security(("bearer" = []))
)]
#[get("/v1/consultancies/{consultancy_id}/invitations/{invitation_id}")]
pub(super) async fn of_firm(caller: Caller, path: web::Path<(Uuid, Uuid)>) -> Result<HttpResponse> {
    let (firm, id) = path.into_inner();
    owner_of(&caller, firm)?;
    let found = caller
        .read(async |tx| read(tx, Place::Firm(firm), id).await)
        .await?;
    Ok(HttpResponse::Ok().json(found))
}

/// Read an invitation to a tenant
///
/// For those who list invitations, as long as the list shows it.
#[utoipa::path(
    tag = "Members",
    operation_id = "get_tenant_invitation",
    params(
        ("tenant_id" = Uuid, Path, description = "The tenant"),
        ("invitation_id" = Uuid, Path, description = "The invitation"),
    ),
    responses((status = 200, description = "The invitation", body = Invitation)),
    security(("bearer" = []))
)]
#[get("/v1/tenants/{tenant_id}/invitations/{invitation_id}")]
pub(super) async fn of_tenant(
    access: Access<Invites>,
    path: web::Path<(Uuid, Uuid)>,
) -> Result<HttpResponse> {
    let (tenant, id) = path.into_inner();
    let found = access
        .read(async |tx| read(tx, Place::Tenant(tenant), id).await)
        .await?;
    Ok(HttpResponse::Ok().json(found))
}

/// The first of the list from this id on, if it is the one; 404 if not.
async fn read(tx: &mut TenantTx<'_>, place: Place, id: Uuid) -> Result<Invitation> {
    let before = Uuid::from_u128(id.as_u128().saturating_sub(1));
    let page = invited::list(tx, place, before, 1).await?;
    page.into_iter()
        .find(|found| found.id == id)
        .ok_or_else(Problem::not_found)
}
