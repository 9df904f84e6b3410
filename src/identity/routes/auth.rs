//! Signing in, going on, signing out.

use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_TYPE, SET_COOKIE, USER_AGENT};
use actix_web::{FromRequest, HttpRequest, HttpResponse, post};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;

use crate::http::json::Json;
use crate::identity::accounts::{self, Email};
use crate::identity::cookies;
use crate::identity::desk::Desk;
use crate::identity::refresh::RefreshToken;
use crate::identity::sessions::{self, Opened, Rotation};
use crate::identity::tokens;
use crate::problem::{Problem, ProblemType, Result};
use crate::tenancy::Caller;

/// Longest life of an access token, after which a revoked session needs no mention.
pub(super) const REMEMBER_REVOKED: Duration = Duration::from_secs(11 * 60);

/// Who signs in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Login {
    /// E-mail address of the account.
    #[schema(max_length = 254, format = Email, example = "ana@aurelia.example")]
    email: String,
    /// Its password.
    #[schema(min_length = 1, max_length = 256, format = Password, example = "four small boats leave")]
    password: String,
    /// Whether the refresh token comes as a cookie instead, for pages in a browser.
    #[serde(default)]
    #[schema(example = false)]
    cookie: bool,
}

/// The refresh token, unless it is in the cookie.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Refresh {
    /// The newest refresh token of the session.
    #[serde(default)]
    #[schema(
        max_length = 128,
        example = "AZq8Ejavzg8SNFZ4kKvN7wEjRWeJq83vASNFZ4mrze8BI0VniavN7wEjRWeJq83v"
    )]
    refresh_token: Option<String>,
}

/// Tokens of a session.
#[derive(Serialize, ToSchema)]
pub(super) struct TokenPair {
    /// Access token, for `Authorization: Bearer`.
    #[schema(example = "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFZERTQSJ9.e30.c2ln")]
    access_token: String,
    /// Refresh token, good once; null when it came as a cookie.
    #[schema(example = "AZq8Ejavzg8SNFZ4kKvN7wEjRWeJq83vASNFZ4mrze8BI0VniavN7wEjRWeJq83v")]
    refresh_token: Option<String>,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds for which the access token is good.
    #[schema(example = 600)]
    expires_in: i64,
}

/// Extractor: a [`Refresh`] body, which may be missing altogether.
pub(super) struct RefreshBody(Refresh);

impl FromRequest for RefreshBody {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        if !req.headers().contains_key(CONTENT_TYPE) {
            return std::future::ready(Ok(Self(Refresh::default()))).boxed_local();
        }
        Json::<Refresh>::from_request(req, payload)
            .map(|body| body.map(|body| Self(body.value)))
            .boxed_local()
    }
}

/// Sign in
///
/// Opens a session and gives an access token (ten minutes) and a refresh token (14 days unused,
/// 30 days in all). Unknown addresses and wrong passwords get the same answer in the same time;
/// ten tries an account and a hundred an address are allowed in a quarter of an hour.
#[utoipa::path(
    tag = "Sign-in",
    operation_id = "create_session",
    request_body = Login,
    responses((status = 200, description = "Signed in", body = TokenPair)),
    security(())
)]
#[post("/v1/auth/login")]
pub(super) async fn login(desk: Desk, body: Json<Login>) -> Result<HttpResponse> {
    let Login {
        email,
        password,
        cookie,
    } = body.value;
    if cookie {
        cookies::check_origin(&desk.req, &desk.config)?;
    }
    let email = Email::parse(&email, "/email")?;
    desk.count_try(&email).await?;
    let account = desk.account(&email).await?;
    let right = desk.is_right(&email, account.as_ref(), password).await?;
    let account = account.filter(|_| right).ok_or_else(wrong)?;
    let agent = desk.req.headers().get(USER_AGENT);
    let agent = agent.and_then(|value| value.to_str().ok().map(str::to_owned));
    let seal = desk.seal();
    let opened = desk
        .write(account.id, async |tx| {
            tx.switch(account.id, None).await?;
            // A password changed since it was checked must not open a session any more.
            let now = accounts::by_id(tx, account.id).await?;
            if now.version != account.version || now.disabled_at.is_some() {
                return Err(accounts::just_changed());
            }
            sessions::open(tx, account.id, agent, &seal).await
        })
        .await?;
    answer(&desk, &opened, cookie)
}

/// 401, the same for all that may be wrong.
fn wrong() -> Problem {
    Problem::new(
        ProblemType::Unauthenticated,
        "The e-mail address or the password is not right.",
    )
}

/// Get new tokens
///
/// Exchanges the newest refresh token, from the body or the cookie, for new tokens; the old one
/// is used up. Within ten seconds a repeated exchange gets the same successor. Later use of an
/// old token ends the whole session, because somebody else may have it.
#[utoipa::path(
    tag = "Sign-in",
    operation_id = "refresh_session",
    request_body = Option<Refresh>,
    responses((status = 200, description = "New tokens", body = TokenPair)),
    security(())
)]
#[post("/v1/auth/refresh")]
pub(super) async fn refresh(desk: Desk, body: RefreshBody) -> Result<HttpResponse> {
    let presented = presented(&desk, body.0)?;
    let (token, cookie) = presented.ok_or_else(ended)?;
    desk.check_guesses().await?;
    match exchange(&desk, &token).await? {
        Some(opened) => answer(&desk, &opened, cookie),
        None => {
            desk.count_guess().await;
            Err(ended())
        }
    }
}

/// The session that goes on with the successor of a token; none if it cannot.
async fn exchange(desk: &Desk, token: &str) -> Result<Option<Opened>> {
    let Some(token) = RefreshToken::parse(token) else {
        return Ok(None);
    };
    // Who acts is known once the session is found; until then it is nobody.
    let owner = desk
        .platform
        .read(async |tx| sessions::owner(tx, &token).await)
        .await?;
    let Some(owner) = owner else { return Ok(None) };
    let seal = desk.seal();
    let rotation = desk
        .write(owner, async |tx| {
            sessions::rotate(tx, owner, &token, &seal).await
        })
        .await?;
    match rotation {
        Rotation::Next(opened) => Ok(Some(opened)),
        Rotation::Refused => Ok(None),
        Rotation::Reused(session) => {
            tracing::warn!(%session, "a used refresh token came back, session {session} is revoked");
            desk.callers.revoke(session, REMEMBER_REVOKED).await;
            Ok(None)
        }
    }
}

/// The refresh token of a request and whether it was in the cookie.
fn presented(desk: &Desk, body: Refresh) -> Result<Option<(String, bool)>> {
    match body.refresh_token {
        Some(token) => Ok(Some((token, false))),
        None => Ok(cookies::read(&desk.req, &desk.config)?.map(|token| (token, true))),
    }
}

/// 401: the session cannot go on.
fn ended() -> Problem {
    Problem::new(
        ProblemType::Unauthenticated,
        "The session has ended; sign in again.",
    )
}

/// Sign out
///
/// Ends the session of the refresh token in the body or the cookie, else that of the access
/// token. Its access tokens are worthless at once.
#[utoipa::path(
    tag = "Sign-in",
    operation_id = "delete_session_current",
    request_body = Option<Refresh>,
    responses((status = 204, description = "Signed out")),
    security((), ("bearer" = []))
)]
#[post("/v1/auth/logout")]
pub(super) async fn logout(desk: Desk, body: RefreshBody) -> Result<HttpResponse> {
    let token = presented(&desk, body.0)?.map(|(token, _)| token);
    let session = match token.as_deref().and_then(RefreshToken::parse) {
        Some(token) => {
            desk.platform
                .read(async |tx| sessions::holder(tx, &token).await)
                .await?
        }
        None if token.is_some() => None,
        None => {
            let caller = Caller::extract(&desk.req).await?;
            Some((caller.user_id(), caller.signed_in.session_id))
        }
    };
    if let Some((owner, session)) = session {
        desk.write(owner, async |tx| {
            tx.switch(owner, None).await?;
            sessions::revoke(tx, session, "signed out").await
        })
        .await?;
        desk.callers.revoke(session, REMEMBER_REVOKED).await;
    }
    Ok(HttpResponse::NoContent()
        .insert_header((SET_COOKIE, cookies::remove()))
        .finish())
}

fn answer(desk: &Desk, opened: &Opened, cookie: bool) -> Result<HttpResponse> {
    let now = desk.platform.clock().now();
    let access_token = desk.tokens.issue(opened.user_id, opened.session_id, now)?;
    let text = opened.refresh.text();
    let mut response = HttpResponse::Ok();
    if cookie {
        let value = cookies::keep(&text, opened.refresh_until, now);
        response.insert_header((SET_COOKIE, value));
    }
    Ok(response.json(TokenPair {
        access_token,
        refresh_token: (!cookie).then_some(text),
        token_type: "Bearer",
        expires_in: tokens::LIFETIME.num_seconds(),
    }))
}
