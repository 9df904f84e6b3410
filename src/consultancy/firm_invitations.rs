//! Invitations to a consultancy.

use actix_web::{HttpResponse, delete, get, post, web};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::owner_of;
use crate::config::Config;
use crate::http::json::Json;
use crate::identity::accounts::Email;
use crate::identity::desk::json_of;
use crate::identity::independence;
use crate::identity::invitations::{self, Invitation, Letter, NewInvitation, Place};
use crate::identity::invited;
use crate::identity::listing::{Listing, Page};
use crate::identity::throttle::{self, Buckets};
use crate::problem::{Problem, Result};
use crate::schema::consultancies;
use crate::tenancy::{Answer, Caller, FirmRole, IdempotencyKey, TenantTx};

/// Somebody to invite to a consultancy.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewFirmInvitation {
    /// E-mail address; the invitation can be accepted with this one only.
    #[schema(max_length = 254, format = Email, example = "lars@fjordlys.example")]
    email: String,
    /// The role in the firm: one.
    #[schema(min_items = 1, max_items = 1, example = json!(["consultant"]))]
    roles: Vec<FirmRole>,
}

/// List invitations to a consultancy
///
/// For owners. Each says how it stands now, and why it died. What nobody accepted is kept for 30
/// days.
#[utoipa::path(
    tag = "Consultancies",
    operation_id = "list_consultancy_invitations",
    params(
        ("consultancy_id" = Uuid, Path, description = "The consultancy"),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "Items of a page, 50 unless told"),
        ("cursor" = Option<String>, Query, description = "Where the page begins, from `next_cursor`"),
    ),
    responses((status = 200, description = "Invitations", body = Listing<Invitation>)),
    security(("bearer" = []))
)]
#[get("/v1/consultancies/{consultancy_id}/invitations")]
pub(super) async fn list_invitations(
    caller: Caller,
    path: web::Path<Uuid>,
    page: Page,
) -> Result<HttpResponse> {
    let firm = path.into_inner();
    owner_of(&caller, firm)?;
    let place = Place::Firm(firm);
    let items = caller
        .read(async |tx| invited::list(tx, place, page.after(), page.rows()).await)
        .await?;
    Ok(page.answer(items, |item: &Invitation| item.id))
}

/// Invite somebody to a consultancy
///
/// For owners. A mail with a link goes out; it is good once, for 72 hours. An open invitation of
/// the same address to this firm ends. A hundred invitations an hour go to the firm, three hundred
/// from it with all its clients, five a day to one person; then 429.
#[utoipa::path(
    tag = "Consultancies",
    operation_id = "create_consultancy_invitation",
    request_body = NewFirmInvitation,
    params(
        ("consultancy_id" = Uuid, Path, description = "The consultancy"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a repeated request harmless"),
    ),
    responses((status = 201, description = "Invited", body = Invitation)),
    security(("bearer" = []))
)]
#[post("/v1/consultancies/{consultancy_id}/invitations")]
pub(super) async fn create_invitation(
    caller: Caller,
    path: web::Path<Uuid>,
    key: IdempotencyKey,
    config: web::Data<Config>,
    shared: Buckets,
    body: Json<NewFirmInvitation>,
) -> Result<HttpResponse> {
    let firm = path.into_inner();
    owner_of(&caller, firm)?;
    let NewFirmInvitation { email, roles } = body.value;
    let role = roles.as_slice().first().copied().ok_or_else(no_role)?;
    let email = Email::parse(&email, "/email")?;
    caller
        .write_once(firm, &key, body.sha256, async |tx| {
            throttle::invitation(&shared, config.rate_limit, firm, Some(firm), &email).await?;
            let invitation = invite(tx, &caller, &config, firm, email, role).await?;
            let location = format!("/v1/consultancies/{firm}/invitations/{}", invitation.id);
            Ok(Answer::created(location, None, json_of(&invitation)?))
        })
        .await
}

fn no_role() -> Problem {
    Problem::invalid("/roles", "must have 1 item")
}

async fn invite(
    tx: &mut TenantTx<'_>,
    caller: &Caller,
    config: &Config,
    firm: Uuid,
    email: Email,
    role: FirmRole,
) -> Result<Invitation> {
    let name = consultancies::table.find(firm).select(consultancies::name);
    let name: String = tx.run(async |db| name.first(&mut &*db).await).await?;
    independence::check_joins_firm_as(tx, firm, &email).await?;
    let new = NewInvitation {
        place: Place::Firm(firm),
        email,
        roles: vec![role.as_str().to_owned()],
        valid_until: None,
    };
    let letter = Letter {
        public_url: &config.public_url,
        place_name: &name,
        inviter: &caller.name,
    };
    invitations::create(tx, new, &letter).await
}

/// Revoke an invitation to a consultancy
///
/// For owners. Its link is worthless at once.
#[utoipa::path(
    tag = "Consultancies",
    operation_id = "delete_consultancy_invitation",
    params(
        ("consultancy_id" = Uuid, Path, description = "The consultancy"),
        ("invitation_id" = Uuid, Path, description = "The invitation"),
    ),
    responses((status = 204, description = "Revoked")),
    security(("bearer" = []))
)]
#[delete("/v1/consultancies/{consultancy_id}/invitations/{invitation_id}")]
pub(super) async fn delete_invitation(
    caller: Caller,
    path: web::Path<(Uuid, Uuid)>,
) -> Result<HttpResponse> {
    let (firm, id) = path.into_inner();
    owner_of(&caller, firm)?;
    caller
        .write(firm, async |tx| {
            invitations::revoke(tx, Place::Firm(firm), id).await
        })
        .await?;
    Ok(HttpResponse::NoContent().finish())
}
