//! Accepting an invitation.

use actix_web::{HttpResponse, post};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::json::Json;
use crate::identity::accounts::{Email, NewAccount};
use crate::identity::desk::{Desk, json_of};
use crate::identity::invitations::{self, Found, Place, not_valid};
use crate::identity::joining::{self, Joined};
use crate::identity::names::check_name;
use crate::problem::{Problem, Result};
use crate::tenancy::{Answer, IdempotencyKey, TenantTx};

/// An invitation and who accepts it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Acceptance {
    /// The token in the mail's link.
    #[schema(
        min_length = 1,
        max_length = 128,
        example = "q8Ejavzg8SNFZ4kKvN7wEjRWeJq83vASNFZ4mrze8BI"
    )]
    token: String,
    /// Name of the person; needed when the address has no account yet, else not used. It holds
    /// no address of the web or of mail.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 200, example = "Ana Gómez")]
    name: Option<String>,
    /// Password: of the account, or for the new one (at least 15 characters).
    #[serde(default)]
    #[schema(min_length = 1, max_length = 256, format = Password, example = "four small boats leave")]
    password: Option<String>,
}

/// Who accepts.
enum Accepting {
    Known(Uuid),
    New(NewAccount),
}

/// Accept an invitation
///
/// Joins the consultancy or tenant that the invitation names, once, with the roles it names. An
/// address without an account gets one; with an account, its password is needed and nothing of
/// the account changes. Whether the inviter may still give these roles is judged now.
#[utoipa::path(
    tag = "Sign-in",
    operation_id = "accept_invitation",
    request_body = Acceptance,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a repeated request harmless")),
    responses((status = 201, description = "Joined", body = Joined)),
    security(())
)]
#[post("/v1/invitations/accept")]
pub(super) async fn accept(
    desk: Desk,
    key: IdempotencyKey,
    body: Json<Acceptance>,
) -> Result<HttpResponse> {
    let Acceptance {
        token,
        name,
        password,
    } = body.value;
    desk.check_guesses().await?;
    let found = desk
        .platform
        .read(async |tx| invitations::find(tx, &token).await)
        .await?;
    let Some(found) = found else {
        desk.count_guess().await;
        return Err(not_valid());
    };
    let accepting = who(&desk, &found, name, password).await?;
    let user_id = match &accepting {
        Accepting::Known(id) => *id,
        Accepting::New(account) => account.id,
    };
    let answer = desk
        .write(user_id, async |tx| {
            tx.switch(user_id, None).await?;
            key.once(tx, body.sha256, async |tx| {
                let joined = join(tx, &found, accepting, user_id).await?;
                tx.switch(user_id, None).await?;
                let location = location(found.place);
                Ok(Answer::created(location, None, json_of(&joined)?))
            })
            .await
        })
        .await?;
    desk.callers.forget_all();
    Ok(answer.into_response())
}

async fn join(
    tx: &mut TenantTx<'_>,
    found: &Found,
    accepting: Accepting,
    user_id: Uuid,
) -> Result<Joined> {
    let is_new = match accepting {
        Accepting::Known(_) => false,
        Accepting::New(account) => {
            account.insert(tx).await?;
            true
        }
    };
    joining::join(tx, found, user_id, is_new).await
}

fn location(place: Place) -> String {
    match place {
        Place::Firm(id) => format!("/v1/consultancies/{id}"),
        Place::Tenant(id) => format!("/v1/tenants/{id}"),
    }
}

/// Checks the credentials of an account, or prepares the new one.
async fn who(
    desk: &Desk,
    found: &Found,
    name: Option<String>,
    password: Option<String>,
) -> Result<Accepting> {
    let email = Email::parse(&found.invitation.email, "/token")?;
    desk.count_try(&email).await?;
    let missing = |pointer: &str| Problem::invalid(pointer, "is required");
    let password = password.ok_or_else(|| missing("/password"))?;
    match desk.account(&email).await? {
        Some(account) if account.disabled_at.is_some() => Err(not_valid()),
        Some(account) => {
            if desk.is_right(&email, Some(&account), password).await? {
                return Ok(Accepting::Known(account.id));
            }
            Err(Problem::invalid(
                "/password",
                "is not that of the account with the invited address",
            ))
        }
        None => {
            let name = name.ok_or_else(|| missing("/name"))?;
            check_name(&name, "/name")?;
            NewAccount::prepare(email, name, password, "/password")
                .await
                .map(Accepting::New)
        }
    }
}
