//! Sessions: a sign-in with its family of refresh tokens, of which only the newest works.
//!
//! Everything here runs in the scope of the account, whose chain of events orders the writers.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::json;
use uuid::Uuid;

use super::refresh::{self, RefreshToken, Seal};
use crate::problem::Result;
use crate::schema::{sessions, users};
use crate::tenancy::TenantTx;

/// How long a session lives without being used.
const IDLE: TimeDelta = TimeDelta::days(14);
/// How long a session lives at most.
const ABSOLUTE: TimeDelta = TimeDelta::days(30);
/// How long the token before is answered with its successor, for clients that lost the answer.
const GRACE: TimeDelta = TimeDelta::seconds(10);
/// Characters of the user agent that are kept.
const USER_AGENT_LIMIT: usize = 200;

/// A session that can go on.
pub(super) struct Opened {
    pub(super) session_id: Uuid,
    pub(super) user_id: Uuid,
    pub(super) refresh: RefreshToken,
    pub(super) refresh_until: DateTime<Utc>,
}

/// Begins a session.
pub(super) async fn open(
    tx: &mut TenantTx<'_>,
    user_id: Uuid,
    user_agent: Option<String>,
    seal: &Seal,
) -> Result<Opened> {
    let session_id = Uuid::now_v7();
    let refresh = RefreshToken::new(session_id, seal)?;
    let now = tx.now();
    let user_agent: Option<String> =
        user_agent.map(|text| text.chars().take(USER_AGENT_LIMIT).collect());
    let row = diesel::insert_into(sessions::table).values((
        sessions::id.eq(session_id),
        sessions::user_id.eq(user_id),
        sessions::refresh_hash.eq(refresh.hash()),
        sessions::rotated_at.eq(now),
        sessions::idle_until.eq(now + IDLE),
        sessions::expires_at.eq(now + ABSOLUTE),
        sessions::user_agent.eq(user_agent),
        sessions::created_at.eq(now),
    ));
    tx.queue(|db| async move { row.execute(&mut &*db).await });
    tx.event("session.opened", "session", session_id, &json!({}))?;
    Ok(Opened {
        session_id,
        user_id,
        refresh,
        refresh_until: now + IDLE,
    })
}

/// What came of presenting a refresh token.
pub(super) enum Rotation {
    /// The session goes on with the next token.
    Next(Opened),
    /// An old token came back: the session has been revoked.
    Reused(Uuid),
    /// No such session, or it has ended.
    Refused,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = sessions, check_for_backend(diesel::pg::Pg))]
struct Session {
    user_id: Uuid,
    refresh_hash: Vec<u8>,
    previous_hash: Option<Vec<u8>>,
    successor_salt: Option<Vec<u8>>,
    rotated_at: DateTime<Utc>,
    idle_until: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    revoked_at: Option<DateTime<Utc>>,
    #[diesel(select_expression = users::disabled_at)]
    disabled_at: Option<DateTime<Utc>>,
}

impl Session {
    fn is_over(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_some()
            || self.disabled_at.is_some()
            || now >= self.idle_until
            || now >= self.expires_at
    }
}

/// The account whose session a token names, genuine or not.
pub(super) async fn owner(tx: &mut TenantTx<'_>, presented: &RefreshToken) -> Result<Option<Uuid>> {
    let query = sessions::table
        .find(presented.session_id)
        .select(sessions::user_id);
    tx.run(async |db| query.first(&mut &*db).await.optional())
        .await
}

/// Account and session of a genuine token, the newest or the one before it.
pub(super) async fn holder(
    tx: &mut TenantTx<'_>,
    presented: &RefreshToken,
) -> Result<Option<(Uuid, Uuid)>> {
    let hash = presented.hash();
    let query = sessions::table
        .filter(sessions::id.eq(presented.session_id))
        .filter(
            sessions::refresh_hash
                .eq(hash.clone())
                .or(sessions::previous_hash.is_not_distinct_from(hash)),
        )
        .select((sessions::user_id, sessions::id));
    tx.run(async |db| query.first(&mut &*db).await.optional())
        .await
}

/// Exchanges a refresh token of the account `user_id` for its successor.
pub(super) async fn rotate(
    tx: &mut TenantTx<'_>,
    user_id: Uuid,
    presented: &RefreshToken,
    seal: &Seal,
) -> Result<Rotation> {
    tx.switch(user_id, None).await?;
    let query = sessions::table
        .inner_join(users::table)
        .filter(sessions::id.eq(presented.session_id))
        .select(Session::as_select())
        .for_update();
    let session = tx.run(async |db| query.first(&mut &*db).await).await?;
    if session.is_over(tx.now()) {
        return Ok(Rotation::Refused);
    }
    let hash = presented.hash();
    if session.refresh_hash == hash {
        return advance(tx, &session, presented, seal).map(Rotation::Next);
    }
    match (&session.previous_hash, &session.successor_salt) {
        (Some(previous), Some(salt))
            if *previous == hash && tx.now() - session.rotated_at <= GRACE =>
        {
            Ok(Rotation::Next(Opened {
                session_id: presented.session_id,
                user_id,
                refresh: presented.successor(salt, seal),
                refresh_until: session.idle_until,
            }))
        }
        // Who only knows of the session must not be able to end it.
        _ if !seal.is_on(presented) => Ok(Rotation::Refused),
        _ => {
            revoke(tx, presented.session_id, "an old refresh token came back").await?;
            Ok(Rotation::Reused(presented.session_id))
        }
    }
}

fn advance(
    tx: &mut TenantTx<'_>,
    session: &Session,
    presented: &RefreshToken,
    seal: &Seal,
) -> Result<Opened> {
    let salt = refresh::random()?;
    let next = presented.successor(&salt, seal);
    let now = tx.now();
    let idle_until = (now + IDLE).min(session.expires_at);
    let row = diesel::update(sessions::table.find(presented.session_id)).set((
        sessions::refresh_hash.eq(next.hash()),
        sessions::previous_hash.eq(presented.hash()),
        sessions::successor_salt.eq(salt.to_vec()),
        sessions::rotated_at.eq(now),
        sessions::idle_until.eq(idle_until),
    ));
    tx.queue(|db| async move { row.execute(&mut &*db).await });
    tx.event(
        "session.refreshed",
        "session",
        presented.session_id,
        &json!({}),
    )?;
    Ok(Opened {
        session_id: presented.session_id,
        user_id: session.user_id,
        refresh: next,
        refresh_until: idle_until,
    })
}

/// Ends a session; `false` if the account of the scope has no such session running.
pub(super) async fn revoke(tx: &mut TenantTx<'_>, session_id: Uuid, why: &str) -> Result<bool> {
    let row = diesel::update(
        sessions::table
            .filter(sessions::id.eq(session_id))
            .filter(sessions::user_id.eq(tx.scope()))
            .filter(sessions::revoked_at.is_null()),
    )
    .set((
        sessions::revoked_at.eq(tx.now()),
        sessions::revoked_because.eq(why),
    ));
    let ended = tx.run(async |db| row.execute(&mut &*db).await).await?;
    if ended > 0 {
        let data = json!({"because": why});
        tx.event("session.revoked", "session", session_id, &data)?;
    }
    Ok(ended > 0)
}

/// Ends all sessions of the account but one and tells which they were.
pub(super) async fn revoke_others(
    tx: &mut TenantTx<'_>,
    keep: Uuid,
    why: &str,
) -> Result<Vec<Uuid>> {
    let rows = diesel::update(
        sessions::table
            .filter(sessions::user_id.eq(tx.scope()))
            .filter(sessions::id.ne(keep))
            .filter(sessions::revoked_at.is_null()),
    )
    .set((
        sessions::revoked_at.eq(tx.now()),
        sessions::revoked_because.eq(why),
    ))
    .returning(sessions::id);
    let ended: Vec<Uuid> = tx.run(async |db| rows.get_results(&mut &*db).await).await?;
    for id in &ended {
        tx.event("session.revoked", "session", *id, &json!({"because": why}))?;
    }
    Ok(ended)
}
