//! The caller's own sessions.

use actix_web::{HttpResponse, delete, get, web};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::auth::REMEMBER_REVOKED;
use crate::identity::listing::{Listing, Page};
use crate::identity::sessions;
use crate::problem::{Problem, Result};
use crate::schema::sessions as rows;
use crate::tenancy::{Caller, Callers};

/// A session of the caller.
#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
pub(super) struct SessionView {
    /// Its id.
    #[schema(example = "019abc12-0000-7000-8000-000000000003")]
    id: Uuid,
    /// Whether this request belongs to it.
    #[schema(example = true)]
    is_current: bool,
    /// The program that signed in, as it named itself.
    #[schema(example = "Mozilla/5.0")]
    user_agent: Option<String>,
    /// When it began.
    #[schema(example = "2027-01-11T08:00:00Z")]
    created_at: DateTime<Utc>,
    /// When its tokens were last renewed.
    #[schema(example = "2027-01-11T08:10:00Z")]
    refreshed_at: DateTime<Utc>,
    /// When it ends unless it is used.
    #[schema(example = "2027-01-25T08:10:00Z")]
    idle_until: DateTime<Utc>,
    /// When it ends at the latest.
    #[schema(example = "2027-02-10T08:00:00Z")]
    expires_at: DateTime<Utc>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = rows, check_for_backend(diesel::pg::Pg))]
struct Row {
    id: Uuid,
    user_agent: Option<String>,
    created_at: DateTime<Utc>,
    rotated_at: DateTime<Utc>,
    idle_until: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

/// List my sessions
///
/// The sessions of the account that can still go on.
#[utoipa::path(
    tag = "Account",
    operation_id = "list_my_sessions",
    params(
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "Items of a page, 50 unless told"),
        ("cursor" = Option<String>, Query, description = "Where the page begins, from `next_cursor`"),
    ),
    responses((status = 200, description = "The sessions", body = Listing<SessionView>)),
    security(("bearer" = []))
)]
#[get("/v1/me/sessions")]
pub(super) async fn list(caller: Caller, page: Page) -> Result<HttpResponse> {
    let found = caller
        .read(async |tx| {
            let query = rows::table
                .filter(rows::user_id.eq(caller.user_id()))
                .filter(rows::revoked_at.is_null())
                .filter(rows::idle_until.gt(tx.now()))
                .filter(rows::expires_at.gt(tx.now()))
                .filter(rows::id.gt(page.after()))
                .order(rows::id)
                .limit(page.rows())
                .select(Row::as_select());
            tx.run(async |db| query.load(&mut &*db).await).await
        })
        .await?;
    let current = caller.signed_in.session_id;
    let items = found.into_iter().map(|row| view(row, current)).collect();
    Ok(page.answer(items, |item: &SessionView| item.id))
}

fn view(row: Row, current: Uuid) -> SessionView {
    let Row {
        id,
        user_agent,
        created_at,
        rotated_at,
        idle_until,
        expires_at,
    } = row;
    SessionView {
        id,
        is_current: id == current,
        user_agent,
        created_at,
        refreshed_at: rotated_at,
        idle_until,
        expires_at,
    }
}

/// End one of my sessions
///
/// Its tokens are worthless at once. The session of this very request may be ended too.
#[utoipa::path(
    tag = "Account",
    operation_id = "delete_my_session",
    params(("session_id" = Uuid, Path, description = "The session")),
    responses((status = 204, description = "Ended")),
    security(("bearer" = []))
)]
#[delete("/v1/me/sessions/{session_id}")]
pub(super) async fn delete(
    caller: Caller,
    path: web::Path<Uuid>,
    callers: web::Data<Callers>,
) -> Result<HttpResponse> {
    let session = path.into_inner();
    let ended = caller
        .write(caller.user_id(), async |tx| {
            sessions::revoke(tx, session, "ended by its owner").await
        })
        .await?;
    if !ended {
        return Err(Problem::not_found());
    }
    callers.revoke(session, REMEMBER_REVOKED).await;
    Ok(HttpResponse::NoContent().finish())
}
