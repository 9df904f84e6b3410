//! The caller's own account.

use actix_web::http::header::ETAG;
use actix_web::{HttpResponse, get, patch, put, web};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::auth::REMEMBER_REVOKED;
use crate::http::etag::{self, IfMatch};
use crate::http::json::Json;
use crate::identity::accounts::{self, Account, Email};
use crate::identity::desk::Desk;
use crate::identity::names::check_name;
use crate::identity::passwords;
use crate::identity::patch::Patch;
use crate::identity::sessions;
use crate::problem::{Problem, Result};
use crate::schema::{consultancies, users};
use crate::tenancy::{Caller, Callers, FirmRole, Role, TenantTx};

/// The caller: account, places in consultancies, visible tenants.
#[derive(Serialize, ToSchema)]
pub(super) struct Me {
    /// Id of the account.
    #[schema(example = "019abc12-0000-7000-8000-000000000001")]
    id: Uuid,
    /// Optimistic lock; also the `ETag`.
    #[schema(example = 1)]
    version: i32,
    /// E-mail address.
    #[schema(example = "ana@aurelia.example")]
    email: String,
    /// Name.
    #[schema(example = "Ana Gómez")]
    name: String,
    /// Language of mails.
    #[schema(example = "en")]
    locale: String,
    /// IANA time zone.
    #[schema(example = "Europe/Amsterdam")]
    time_zone: String,
    /// Whether reminders come by mail.
    #[schema(example = true)]
    notify_by_mail: bool,
    /// When the account was made.
    #[schema(example = "2027-01-11T08:00:00Z")]
    created_at: DateTime<Utc>,
    /// When it was last changed.
    #[schema(example = "2027-01-11T08:00:00Z")]
    updated_at: DateTime<Utc>,
    /// Places in consultancies.
    consultancies: Vec<MyFirm>,
    /// Tenants visible now.
    tenants: Vec<MyTenant>,
}

/// A place in a consultancy.
#[derive(Serialize, ToSchema)]
pub(super) struct MyFirm {
    /// The consultancy.
    #[schema(example = "019abc12-0000-7000-8000-000000000002")]
    id: Uuid,
    /// Its name.
    #[schema(example = "Fjordlys Advisory")]
    name: String,
    /// The role there.
    role: FirmRole,
}

/// A visible tenant.
#[derive(Serialize, ToSchema)]
pub(super) struct MyTenant {
    /// The tenant.
    #[schema(example = "019abc12-3456-7890-abcd-ef0123456789")]
    id: Uuid,
    /// Its name.
    #[schema(example = "Aurelia Lending B.V.")]
    name: String,
    /// IANA zone of its civil dates.
    #[schema(example = "Europe/Amsterdam")]
    time_zone: String,
    /// Roles held there; none for the owner of the firm that runs it, who manages it only.
    roles: Vec<Role>,
    /// The firm that runs it.
    #[schema(example = "019abc12-0000-7000-8000-000000000002")]
    consultancy_id: Option<Uuid>,
}

/// Changes to the own account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MePatch {
    /// Name; it holds no address of the web or of mail.
    #[schema(
        nullable = false,
        min_length = 1,
        max_length = 200,
        example = "Ana Gómez"
    )]
    name: Option<String>,
    /// Language of mails (BCP 47).
    #[schema(
        nullable = false,
        max_length = 35,
        pattern = "^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$",
        example = "nl"
    )]
    locale: Option<String>,
    /// IANA time zone.
    #[schema(nullable = false, max_length = 64, example = "Europe/Amsterdam")]
    time_zone: Option<String>,
    /// Whether reminders come by mail.
    #[schema(nullable = false, example = true)]
    notify_by_mail: Option<bool>,
}

/// A new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PasswordChange {
    /// The present password.
    #[schema(min_length = 1, max_length = 256, format = Password, example = "four small boats leave")]
    old_password: String,
    /// The new one: at least 15 characters, not easy to guess.
    #[schema(min_length = 15, max_length = 256, format = Password, example = "nine grey herons wait")]
    new_password: String,
}

/// Who am I
///
/// The account of the caller, their places in consultancies, and the tenants they can see now
/// with the roles they hold there.
#[utoipa::path(
    tag = "Account",
    operation_id = "get_me",
    responses((status = 200, description = "The caller", body = Me)),
    security(("bearer" = []))
)]
#[get("/v1/me")]
pub(super) async fn get_me(caller: Caller) -> Result<HttpResponse> {
    let me = caller.read(async |tx| read(tx, &caller).await).await?;
    Ok(respond(&me))
}

/// Change my account
///
/// Changes name, language, time zone and notifications. The address and the password are not
/// changed here.
#[utoipa::path(
    tag = "Account",
    operation_id = "update_me",
    request_body(content = MePatch, content_type = "application/merge-patch+json"),
    params(("If-Match" = String, Header, description = "Version you read")),
    responses((status = 200, description = "The caller", body = Me)),
    security(("bearer" = []))
)]
#[patch("/v1/me")]
pub(super) async fn update_me(
    caller: Caller,
    if_match: IfMatch,
    patch: Patch<MePatch>,
    callers: web::Data<Callers>,
) -> Result<HttpResponse> {
    let me = caller
        .write(caller.user_id(), async |tx| {
            // The lock on the account's chain comes first, so the version cannot move under us.
            let me = read(tx, &caller).await?;
            if_match.require(me.version)?;
            match patch.to(&me)? {
                None => Ok(me),
                Some(changes) => {
                    change(tx, me.version, changes).await?;
                    read(tx, &caller).await
                }
            }
        })
        .await?;
    callers.forget_all();
    Ok(respond(&me))
}

/// Change my password
///
/// Needs the present password. All other sessions of the account end.
#[utoipa::path(
    tag = "Account",
    operation_id = "update_my_password",
    request_body = PasswordChange,
    responses((status = 204, description = "Changed")),
    security(("bearer" = []))
)]
#[put("/v1/me/password")]
pub(super) async fn update_password(
    caller: Caller,
    desk: Desk,
    body: Json<PasswordChange>,
) -> Result<HttpResponse> {
    let PasswordChange {
        old_password,
        new_password,
    } = body.value;
    let email = Email::parse(&caller.email, "/old_password")?;
    desk.count_try(&email).await?;
    let account = desk.account(&email).await?;
    let version = account.as_ref().map_or(0, |account| account.version);
    if !desk
        .is_right(&email, account.as_ref(), old_password)
        .await?
    {
        return Err(Problem::invalid(
            "/old_password",
            "is not your present password",
        ));
    }
    if let Some(fault) = passwords::fault(&new_password, email.as_str()) {
        return Err(Problem::invalid("/new_password", fault));
    }
    let hash = passwords::hash(new_password).await?;
    let ended = caller
        .write(caller.user_id(), async |tx| {
            set_password(tx, &caller, version, hash).await
        })
        .await?;
    for session in ended {
        desk.callers.revoke(session, REMEMBER_REVOKED).await;
    }
    Ok(HttpResponse::NoContent().finish())
}

fn respond(me: &Me) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((ETAG, etag::of(me.version)))
        .json(me)
}

async fn read(tx: &mut TenantTx<'_>, caller: &Caller) -> Result<Me> {
    let Account {
        id,
        email,
        name,
        password_hash: _,
        locale,
        time_zone,
        notify_by_mail,
        version,
        disabled_at: _,
        created_at,
        updated_at,
    } = accounts::by_id(tx, caller.user_id()).await?;
    Ok(Me {
        id,
        version,
        email,
        name,
        locale,
        time_zone,
        notify_by_mail,
        created_at,
        updated_at,
        consultancies: firms(tx, caller).await?,
        tenants: caller
            .tenants
            .iter()
            .map(|place| MyTenant {
                id: place.tenant.id,
                name: place.tenant.name.clone(),
                time_zone: place.tenant.zone.name().to_owned(),
                roles: place.roles.iter().collect(),
                consultancy_id: place.consultancy_id,
            })
            .collect(),
    })
}

async fn firms(tx: &mut TenantTx<'_>, caller: &Caller) -> Result<Vec<MyFirm>> {
    let ids: Vec<Uuid> = caller
        .firms
        .iter()
        .map(|firm| firm.consultancy_id)
        .collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let query = consultancies::table
        .filter(consultancies::id.eq_any(ids))
        .order(consultancies::id)
        .select((consultancies::id, consultancies::name));
    let rows: Vec<(Uuid, String)> = tx.run(async |db| query.load(&mut &*db).await).await?;
    rows.into_iter()
        .map(|(id, name)| {
            let role = caller.firm(id)?;
            Ok(MyFirm { id, name, role })
        })
        .collect()
}

/// The values of a patch that a schema cannot judge.
fn check(patch: &MePatch) -> Result<()> {
    if let Some(name) = &patch.name {
        check_name(name, "/name")?;
    }
    match &patch.time_zone {
        Some(zone) if zone.parse::<Tz>().is_err() => Err(Problem::invalid(
            "/time_zone",
            "must be an IANA time zone such as Europe/Amsterdam",
        )),
        _ => Ok(()),
    }
}

#[derive(AsChangeset)]
#[diesel(table_name = users)]
struct Changes {
    name: Option<String>,
    locale: Option<String>,
    time_zone: Option<String>,
    notify_by_mail: Option<bool>,
    version: i32,
    updated_at: DateTime<Utc>,
}

async fn change(tx: &mut TenantTx<'_>, version: i32, patch: MePatch) -> Result<()> {
    check(&patch)?;
    let id = tx.scope();
    let MePatch {
        name,
        locale,
        time_zone,
        notify_by_mail,
    } = patch;
    let fields: Vec<&str> = [
        ("name", name.is_some()),
        ("locale", locale.is_some()),
        ("time_zone", time_zone.is_some()),
        ("notify_by_mail", notify_by_mail.is_some()),
    ]
    .into_iter()
    .filter_map(|(field, set)| set.then_some(field))
    .collect();
    let changes = Changes {
        name,
        locale,
        time_zone,
        notify_by_mail,
        version: version + 1,
        updated_at: tx.now(),
    };
    let row = diesel::update(users::table.find(id).filter(users::version.eq(version))).set(changes);
    tx.run(async |db| row.execute(&mut &*db).await).await?;
    tx.event("account.updated", "account", id, &json!({"fields": fields}))
}

/// Sets it unless the account has changed since the old password was checked.
async fn set_password(
    tx: &mut TenantTx<'_>,
    caller: &Caller,
    version: i32,
    hash: String,
) -> Result<Vec<Uuid>> {
    let id = caller.user_id();
    let row = diesel::update(users::table.find(id).filter(users::version.eq(version))).set((
        users::password_hash.eq(hash),
        users::version.eq(version + 1),
        users::updated_at.eq(tx.now()),
    ));
    if tx.run(async |db| row.execute(&mut &*db).await).await? == 0 {
        return Err(accounts::just_changed());
    }
    tx.event("account.password_changed", "account", id, &json!({}))?;
    sessions::revoke_others(tx, caller.signed_in.session_id, "password changed").await
}
