//! Invitations to a tenant, for the client's own people.

use actix_web::{HttpResponse, delete, get, post, web};
use chrono::NaiveDate;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::config::Config;
use crate::http::json::Json;
use crate::identity::accounts::Email;
use crate::identity::desk::json_of;
use crate::identity::grants;
use crate::identity::independence;
use crate::identity::invitations::{self, Invitation, Letter, NewInvitation, Place};
use crate::identity::invited;
use crate::identity::listing::{Listing, Page};
use crate::identity::throttle::{self, Buckets};
use crate::problem::{Problem, Result};
use crate::tenancy::{Access, Answer, IdempotencyKey, Invites, Role, Roles, TenantTx};

/// Somebody to invite to a tenant.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewTenantInvitation {
    /// E-mail address; the invitation can be accepted with this one only.
    #[schema(max_length = 254, format = Email, example = "ana@aurelia.example")]
    email: String,
    /// Roles of the client's own people; lead and consultant come by assignment only.
    #[schema(min_items = 1, max_items = 10, example = json!(["top_management"]))]
    roles: Vec<Role>,
    /// Last day of the membership, in the tenant's zone; needed for external_auditor.
    #[serde(default)]
    #[schema(example = "2027-07-31")]
    valid_until: Option<NaiveDate>,
}

/// List invitations to a tenant
///
/// For top management, AIMS manager, lead, and the owner of the firm. Each says how it stands
/// now, and why it died: it does so too when whoever invited may no longer give its roles. What
/// nobody accepted is kept for 30 days.
#[utoipa::path(
    tag = "Members",
    operation_id = "list_tenant_invitations",
    params(
        ("tenant_id" = Uuid, Path, description = "The tenant"),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "Items of a page, 50 unless told"),
        ("cursor" = Option<String>, Query, description = "Where the page begins, from `next_cursor`"),
    ),
    responses((status = 200, description = "Invitations", body = Listing<Invitation>)),
    security(("bearer" = []))
)]
#[get("/v1/tenants/{tenant_id}/invitations")]
pub(super) async fn list_invitations(access: Access<Invites>, page: Page) -> Result<HttpResponse> {
    let place = Place::Tenant(access.tenant_id());
    let items = access
        .read(async |tx| invited::list(tx, place, page.after(), page.rows()).await)
        .await?;
    Ok(page.answer(items, |item: &Invitation| item.id))
}

/// Invite somebody to a tenant
///
/// A mail with a link goes out; it is good once, for 72 hours. Top management gives every role of
/// the tenant, the AIMS manager all but top management. The owner of the firm and its lead do so
/// until there is a top management; after that they give no approving role. The right is judged
/// again when the invitation is accepted. Nobody invites themselves, and a person of the
/// consultancy becomes AIMS manager by top management only. A hundred invitations an hour go to
/// one tenant, three hundred from one firm with all its clients, five a day to one person; then
/// 429.
#[utoipa::path(
    tag = "Members",
    operation_id = "create_tenant_invitation",
    request_body = NewTenantInvitation,
    params(
        ("tenant_id" = Uuid, Path, description = "The tenant"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a repeated request harmless"),
    ),
    responses((status = 201, description = "Invited", body = Invitation)),
    security(("bearer" = []))
)]
#[post("/v1/tenants/{tenant_id}/invitations")]
pub(super) async fn create_invitation(
    access: Access<Invites>,
    key: IdempotencyKey,
    config: web::Data<Config>,
    shared: Buckets,
    body: Json<NewTenantInvitation>,
) -> Result<HttpResponse> {
    let tenant = access.tenant_id();
    let email = Email::parse(&body.value.email, "/email")?;
    access
        .write_once(&key, body.sha256, async |tx| {
            let invitation = invite(tx, &access, &config, &shared, email, body.value).await?;
            let location = format!("/v1/tenants/{tenant}/invitations/{}", invitation.id);
            Ok(Answer::created(location, None, json_of(&invitation)?))
        })
        .await
}

async fn invite(
    tx: &mut TenantTx<'_>,
    access: &Access<Invites>,
    config: &Config,
    shared: &Buckets,
    email: Email,
    new: NewTenantInvitation,
) -> Result<Invitation> {
    check_roles(&new.roles, new.valid_until, tx.today()?)?;
    let inviter = access.caller();
    if inviter.email == email.as_str() {
        return Err(Problem::invalid(
            "/email",
            "is your own address; nobody invites themselves",
        ));
    }
    let standing = grants::standing(tx, access.tenant_id(), inviter.user_id()).await?;
    standing.require(&new.roles)?;
    let (tenant, roles) = (access.tenant_id(), Roles::of(&new.roles));
    independence::check_mandate_of(tx, tenant, &email, roles, &standing).await?;
    independence::check_roles_of(tx, tenant, &email, roles, new.valid_until).await?;
    let firm = access.place().consultancy_id;
    throttle::invitation(shared, config.rate_limit, tenant, firm, &email).await?;
    let new = NewInvitation {
        place: Place::Tenant(tenant),
        email,
        roles: roles.names(),
        valid_until: new.valid_until,
    };
    let letter = Letter {
        public_url: &config.public_url,
        place_name: &access.place().tenant.name,
        inviter: &inviter.name,
    };
    invitations::create(tx, new, &letter).await
}

/// 422 for roles that do not go together with how they are given.
pub(super) fn check_roles(
    roles: &[Role],
    valid_until: Option<NaiveDate>,
    today: NaiveDate,
) -> Result<()> {
    if roles.is_empty() {
        return Err(Problem::invalid("/roles", "must have at least 1 item"));
    }
    if roles.iter().any(|role| role.is_of_consultancy()) {
        return Err(Problem::invalid(
            "/roles",
            "lead and consultant come by assignment to an engagement only",
        ));
    }
    if roles.contains(&Role::ExternalAuditor) && valid_until.is_none() {
        return Err(Problem::invalid(
            "/valid_until",
            "is required for an external auditor",
        ));
    }
    match valid_until {
        Some(last) if last < today => {
            Err(Problem::invalid("/valid_until", "must not be in the past"))
        }
        _ => Ok(()),
    }
}

/// Revoke an invitation to a tenant
///
/// Its link is worthless at once.
#[utoipa::path(
    tag = "Members",
    operation_id = "delete_tenant_invitation",
    params(
        ("tenant_id" = Uuid, Path, description = "The tenant"),
        ("invitation_id" = Uuid, Path, description = "The invitation"),
    ),
    responses((status = 204, description = "Revoked")),
    security(("bearer" = []))
)]
#[delete("/v1/tenants/{tenant_id}/invitations/{invitation_id}")]
pub(super) async fn delete_invitation(
    access: Access<Invites>,
    path: web::Path<(Uuid, Uuid)>,
) -> Result<HttpResponse> {
    let (tenant, id) = path.into_inner();
    access
        .write(async |tx| invitations::revoke(tx, Place::Tenant(tenant), id).await)
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_checked_against_how_they_are_given() {
        let today = NaiveDate::from_ymd_opt(2027, 1, 11).unwrap();
        let until = |days| today.checked_add_signed(chrono::TimeDelta::days(days));

        assert!(check_roles(&[Role::Employee, Role::Viewer], None, today).is_ok());
        assert!(check_roles(&[Role::ExternalAuditor], until(0), today).is_ok());

        assert!(check_roles(&[], None, today).is_err());
        assert!(check_roles(&[Role::Lead], None, today).is_err());
        assert!(check_roles(&[Role::Viewer, Role::Consultant], None, today).is_err());
        assert!(check_roles(&[Role::ExternalAuditor], None, today).is_err());
        assert!(check_roles(&[Role::Viewer], until(-1), today).is_err());
    }
}
