//! Consultancies: sign-up and what they are called.

use actix_web::http::header::ETAG;
use actix_web::{HttpResponse, get, post, web};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::config::Signup;
use crate::http::etag::{self, IfNoneMatch};
use crate::http::json::Json;
use crate::identity::accounts::{Email, NewAccount};
use crate::identity::desk::{Desk, json_of};
use crate::identity::names::check_name;
use crate::identity::passwords;
use crate::problem::{Problem, Result};
use crate::schema::{consultancies, consultancy_members};
use crate::tenancy::{Answer, Caller, FirmRole, IdempotencyKey, TenantTx};

/// A firm that signs up.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewConsultancy {
    /// Name of the firm; it holds no address of the web or of mail.
    #[schema(min_length = 1, max_length = 200, example = "Fjordlys Advisory")]
    name: String,
    /// Its first owner.
    owner: NewOwner,
}

/// The first owner of a firm.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewOwner {
    /// The person's name; it holds no address of the web or of mail.
    #[schema(min_length = 1, max_length = 200, example = "Signe Dahl")]
    name: String,
    /// E-mail address.
    #[schema(max_length = 254, format = Email, example = "signe@fjordlys.example")]
    email: String,
    /// Password, at least 15 characters; that of the account if the address has one already.
    #[schema(min_length = 1, max_length = 256, format = Password, example = "six tall ships at noon")]
    password: String,
}

/// A consultancy.
#[derive(Serialize, ToSchema, Queryable, Selectable)]
#[diesel(table_name = consultancies, check_for_backend(diesel::pg::Pg))]
struct Consultancy {
    /// Its id.
    #[schema(example = "019abc12-0000-7000-8000-000000000002")]
    id: Uuid,
    /// Its name.
    #[schema(example = "Fjordlys Advisory")]
    name: String,
    /// Optimistic lock; also the `ETag`.
    #[schema(example = 1)]
    version: i32,
    /// When it signed up.
    #[schema(example = "2027-01-11T08:00:00Z")]
    created_at: DateTime<Utc>,
    /// When it was last changed.
    #[schema(example = "2027-01-11T08:00:00Z")]
    updated_at: DateTime<Utc>,
}

/// Who will own the firm.
enum Owner {
    Known(Uuid),
    New(NewAccount),
}

/// Sign a consultancy up
///
/// Makes the firm and its first owner. If the address has an account already, its password must
/// be given, and the account becomes the owner. `SIGNUP=closed` answers 403; twenty sign-ups an
/// hour are allowed from one address.
#[utoipa::path(
    tag = "Consultancies",
    operation_id = "create_consultancy",
    request_body = NewConsultancy,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a repeated request harmless")),
    responses((status = 201, description = "Signed up", body = Consultancy)),
    security(())
)]
#[post("/v1/consultancies")]
pub(super) async fn create_consultancy(
    desk: Desk,
    key: IdempotencyKey,
    body: Json<NewConsultancy>,
) -> Result<HttpResponse> {
    if desk.config.signup == Signup::Closed {
        return Err(Problem::forbidden("New consultancies cannot sign up here."));
    }
    desk.count_signup().await?;
    let NewConsultancy { name, owner } = body.value;
    check_name(&name, "/name")?;
    let owner = owner_from(&desk, owner).await?;
    let owner_id = match &owner {
        Owner::Known(id) => *id,
        Owner::New(account) => account.id,
    };
    let answer = desk
        .write(owner_id, async |tx| {
            tx.switch(owner_id, None).await?;
            key.once(tx, body.sha256, async |tx| {
                let firm = found(tx, name, owner, owner_id).await?;
                tx.switch(owner_id, None).await?;
                let location = format!("/v1/consultancies/{}", firm.id);
                Ok(Answer::created(
                    location,
                    Some(firm.version),
                    json_of(&firm)?,
                ))
            })
            .await
        })
        .await
        .map_err(unless_taken)?;
    desk.callers.forget_all();
    Ok(answer.into_response())
}

/// An account made by a simultaneous sign-up looks like one that was there before.
fn unless_taken(problem: Problem) -> Problem {
    match problem.status {
        409 => cannot_register(),
        _ => problem,
    }
}

/// 422: says nothing about whether the address has an account.
fn cannot_register() -> Problem {
    Problem::invalid(
        "/owner",
        "cannot be registered with this address and password",
    )
}

/// Checks the credentials of an account, or prepares the new one; both hash once.
async fn owner_from(desk: &Desk, owner: NewOwner) -> Result<Owner> {
    let NewOwner {
        name,
        email,
        password,
    } = owner;
    check_name(&name, "/owner/name")?;
    let email = Email::parse(&email, "/owner/email")?;
    // Judged first, so that the answer to a weak password is the same for known addresses.
    if let Some(fault) = passwords::fault(&password, email.as_str()) {
        return Err(Problem::invalid("/owner/password", fault));
    }
    desk.count_try(&email).await?;
    match desk.account(&email).await? {
        Some(account) => {
            if desk.is_right(&email, Some(&account), password).await? {
                Ok(Owner::Known(account.id))
            } else {
                Err(cannot_register())
            }
        }
        None => NewAccount::prepare(email, name, password, "/owner/password")
            .await
            .map(Owner::New),
    }
}

async fn found(
    tx: &mut TenantTx<'_>,
    name: String,
    owner: Owner,
    owner_id: Uuid,
) -> Result<Consultancy> {
    if let Owner::New(account) = owner {
        account.insert(tx).await?;
    }
    let firm = Consultancy {
        id: Uuid::now_v7(),
        name,
        version: 1,
        created_at: tx.now(),
        updated_at: tx.now(),
    };
    tx.switch(firm.id, None).await?;
    let row = diesel::insert_into(consultancies::table).values((
        consultancies::id.eq(firm.id),
        consultancies::name.eq(firm.name.clone()),
        consultancies::created_at.eq(firm.created_at),
        consultancies::updated_at.eq(firm.updated_at),
    ));
    let member = diesel::insert_into(consultancy_members::table).values((
        consultancy_members::consultancy_id.eq(firm.id),
        consultancy_members::user_id.eq(owner_id),
        consultancy_members::role.eq(FirmRole::Owner.as_str()),
        consultancy_members::created_at.eq(firm.created_at),
    ));
    tx.run(async |db| {
        row.execute(&mut &*db).await?;
        member.execute(&mut &*db).await
    })
    .await?;
    let data = json!({"name": firm.name, "owner_id": owner_id});
    tx.event("consultancy.created", "consultancy", firm.id, &data)?;
    Ok(firm)
}

/// Read a consultancy
///
/// For everybody who belongs to it.
#[utoipa::path(
    tag = "Consultancies",
    operation_id = "get_consultancy",
    params(("consultancy_id" = Uuid, Path, description = "The consultancy")),
    responses((status = 200, description = "The consultancy", body = Consultancy)),
    security(("bearer" = []))
)]
#[get("/v1/consultancies/{consultancy_id}")]
pub(super) async fn get_consultancy(
    caller: Caller,
    path: web::Path<Uuid>,
    if_none_match: IfNoneMatch,
) -> Result<HttpResponse> {
    let id = path.into_inner();
    caller.firm(id)?;
    let query = consultancies::table
        .find(id)
        .select(Consultancy::as_select());
    let firm = caller
        .read(async |tx| tx.run(async |db| query.first(&mut &*db).await).await)
        .await?;
    let tag = (ETAG, etag::of(firm.version));
    if if_none_match.matches(firm.version) {
        return Ok(HttpResponse::NotModified().insert_header(tag).finish());
    }
    Ok(HttpResponse::Ok().insert_header(tag).json(firm))
}
