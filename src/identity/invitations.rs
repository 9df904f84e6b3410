//! Invitations: single-use, bound to an address, a place and its roles, good for 72 hours.
//!
//! The token is sent by mail and kept hashed. Whether the inviter may still give these roles is
//! judged again when the invitation is accepted.

use std::collections::BTreeSet;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde::Serialize;
use serde_json::json;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

use super::accounts::Email;
use super::refresh::random;
use crate::mail::{Mail, outbox, templates};
use crate::problem::{Problem, Result};
use crate::schema::invitations;
use crate::tenancy::{FirmRole, Role, TenantTx};

/// How long an invitation is good.
const LIFETIME: TimeDelta = TimeDelta::hours(72);
/// Why an invitation died that was followed by another one.
const REPLACED: &str = "replaced by a newer one";
/// Why one died that was revoked.
const TAKEN_BACK: &str = "taken back";
/// Why one died whose person was removed from the place.
pub const PERSON_REMOVED: &str = "the person was removed";

/// Where somebody is invited to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A consultancy.
    Firm(Uuid),
    /// A tenant, as one of its own people.
    Tenant(Uuid),
}

impl Place {
    /// Its id, also the scope of its events.
    pub fn id(self) -> Uuid {
        match self {
            Self::Firm(id) | Self::Tenant(id) => id,
        }
    }

    pub(super) fn firm(self) -> Option<Uuid> {
        match self {
            Self::Firm(id) => Some(id),
            Self::Tenant(_) => None,
        }
    }

    pub(super) fn tenant(self) -> Option<Uuid> {
        match self {
            Self::Firm(_) => None,
            Self::Tenant(id) => Some(id),
        }
    }
}

/// How an invitation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(example = "pending")]
pub enum InvitationState {
    /// It can be accepted.
    Pending,
    /// Somebody has joined with it.
    Accepted,
    /// It is worthless, because it was taken back or something happened since.
    Revoked,
    /// Nobody accepted it in time.
    Expired,
}

/// An invitation.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Invitation {
    /// Its id.
    #[schema(example = "019abc12-3456-7890-abcd-ef0123456789")]
    pub id: Uuid,
    /// Who is invited.
    #[schema(example = "ana@aurelia.example", format = Email)]
    pub email: String,
    /// The roles they will have.
    #[schema(value_type = Vec<InvitedRole>, example = json!(["top_management"]))]
    pub roles: Vec<String>,
    /// Last day of the membership, in the tenant's zone; null: open.
    #[schema(example = "2027-07-31")]
    pub valid_until: Option<NaiveDate>,
    /// Account of the inviter.
    #[schema(example = "019abc12-0000-7000-8000-000000000001")]
    pub invited_by: Uuid,
    /// How it stands now.
    pub state: InvitationState,
    /// Why it is revoked or expired, in words; null for those pending and accepted.
    #[schema(example = json!(null))]
    pub ended_because: Option<String>,
    /// Until when it can be accepted.
    #[schema(example = "2027-01-14T08:00:00Z")]
    pub expires_at: DateTime<Utc>,
    /// When it was accepted.
    #[schema(example = json!(null))]
    pub accepted_at: Option<DateTime<Utc>>,
    /// When it was sent.
    #[schema(example = "2027-01-11T08:00:00Z")]
    pub created_at: DateTime<Utc>,
}

/// Role that an invitation names: of a firm or of a tenant.
pub(super) struct InvitedRole;

impl PartialSchema for InvitedRole {
    fn schema() -> RefOr<Schema> {
        let of_firm = FirmRole::ALL.iter().map(|role| role.as_str());
        let of_tenant = Role::ALL.iter().map(|role| role.as_str());
        let both: BTreeSet<&str> = of_firm.chain(of_tenant).collect();
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("Role of a firm or of a tenant."))
            .enum_values(Some(both))
            .build()
            .into()
    }
}

impl ToSchema for InvitedRole {}

/// An invitation in the database.
#[derive(Clone, Queryable, Selectable)]
#[diesel(table_name = invitations, check_for_backend(diesel::pg::Pg))]
pub(super) struct Row {
    id: Uuid,
    email: String,
    roles: Vec<String>,
    valid_until: Option<NaiveDate>,
    invited_by: Uuid,
    expires_at: DateTime<Utc>,
    accepted_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
    revoked_because: Option<String>,
    created_at: DateTime<Utc>,
}

impl Row {
    /// As it stands at `now` by itself; [`super::invited`] judges what has happened around it.
    pub(super) fn at(self, now: DateTime<Utc>) -> Invitation {
        let (state, ended_because) = if self.accepted_at.is_some() {
            (InvitationState::Accepted, None)
        } else if self.revoked_at.is_some() {
            (InvitationState::Revoked, self.revoked_because)
        } else if self.expires_at <= now {
            let why = format!("nobody accepted it within {} hours", LIFETIME.num_hours());
            (InvitationState::Expired, Some(why))
        } else {
            (InvitationState::Pending, None)
        };
        Invitation {
            id: self.id,
            email: self.email,
            roles: self.roles,
            valid_until: self.valid_until,
            invited_by: self.invited_by,
            state,
            ended_because,
            expires_at: self.expires_at,
            accepted_at: self.accepted_at,
            created_at: self.created_at,
        }
    }
}

/// Somebody to invite.
pub struct NewInvitation {
    /// Where to.
    pub place: Place,
    /// Whom.
    pub email: Email,
    /// Names of the roles.
    pub roles: Vec<String>,
    /// Last day of the membership.
    pub valid_until: Option<NaiveDate>,
}

/// What the mail says besides.
pub struct Letter<'a> {
    /// Base of the link.
    pub public_url: &'a str,
    /// Name of the firm or tenant.
    pub place_name: &'a str,
    /// Name of the inviter.
    pub inviter: &'a str,
}

/// Invites somebody: row, event and mail; open invitations of the same person to the same place
/// end. The transaction must be in the scope of the place.
pub async fn create(
    tx: &mut TenantTx<'_>,
    new: NewInvitation,
    letter: &Letter<'_>,
) -> Result<Invitation> {
    let NewInvitation {
        place,
        email,
        roles,
        valid_until,
    } = new;
    let token = URL_SAFE_NO_PAD.encode(random()?);
    let invitation = Invitation {
        id: Uuid::now_v7(),
        email: email.as_str().to_owned(),
        roles,
        valid_until,
        invited_by: tx.actor().person().unwrap_or_default(),
        state: InvitationState::Pending,
        ended_because: None,
        accepted_at: None,
        expires_at: tx.now() + LIFETIME,
        created_at: tx.now(),
    };
    revoke_all(tx, place, &email, REPLACED).await?;
    insert(tx, place, &invitation, hash(&token)).await?;
    let data = json!({"roles": invitation.roles, "expires_at": invitation.expires_at});
    tx.event("invitation.created", "invitation", invitation.id, &data)?;
    send(tx, place, &invitation, &token, letter).await?;
    Ok(invitation)
}

/// Ends what is open for an address in a place; answers which. The transaction must be in the
/// scope of the place.
pub async fn revoke_all(
    tx: &mut TenantTx<'_>,
    place: Place,
    email: &Email,
    because: &str,
) -> Result<Vec<Uuid>> {
    let open = diesel::update(
        invitations::table
            .filter(invitations::email.eq(email.as_str()))
            .filter(invitations::consultancy_id.is_not_distinct_from(place.firm()))
            .filter(invitations::tenant_id.is_not_distinct_from(place.tenant()))
            .filter(invitations::accepted_at.is_null())
            .filter(invitations::revoked_at.is_null()),
    )
    .set((
        invitations::revoked_at.eq(tx.now()),
        invitations::revoked_because.eq(because),
    ))
    .returning(invitations::id);
    let ended: Vec<Uuid> = tx.run(async |db| open.get_results(&mut &*db).await).await?;
    for id in &ended {
        let data = json!({"because": because});
        tx.event("invitation.revoked", "invitation", *id, &data)?;
    }
    Ok(ended)
}

async fn insert(
    tx: &mut TenantTx<'_>,
    place: Place,
    invitation: &Invitation,
    token_hash: Vec<u8>,
) -> Result<()> {
    let Invitation {
        id,
        email,
        roles,
        valid_until,
        invited_by,
        state: _,
        ended_because: _,
        expires_at,
        accepted_at: _,
        created_at,
    } = invitation.clone();
    let row = diesel::insert_into(invitations::table).values((
        invitations::id.eq(id),
        invitations::token_hash.eq(token_hash),
        invitations::email.eq(email),
        invitations::consultancy_id.eq(place.firm()),
        invitations::tenant_id.eq(place.tenant()),
        invitations::roles.eq(roles),
        invitations::valid_until.eq(valid_until),
        invitations::invited_by.eq(invited_by),
        invitations::expires_at.eq(expires_at),
        invitations::created_at.eq(created_at),
    ));
    tx.run(async |db| row.execute(&mut &*db).await).await?;
    Ok(())
}

async fn send(
    tx: &mut TenantTx<'_>,
    place: Place,
    invitation: &Invitation,
    token: &str,
    letter: &Letter<'_>,
) -> Result<()> {
    // Behind #, so that the token reaches no server log and no Referer.
    let link = format!("{}/invitation#token={token}", letter.public_url);
    let content = templates::invitation(
        letter.public_url,
        letter.place_name,
        letter.inviter,
        &invitation.roles,
        &link,
        invitation.expires_at.date_naive(),
    )?;
    let mail = Mail {
        tenant_id: place.tenant(),
        reminder_id: None,
        key: format!("invitation-{}", invitation.id),
        to: invitation.email.clone(),
        to_name: None,
        content,
    };
    outbox::enqueue(tx, mail).await
}

/// Takes an open invitation to a place back; 404 if there is none.
pub async fn revoke(tx: &mut TenantTx<'_>, place: Place, id: Uuid) -> Result<()> {
    let row = diesel::update(
        invitations::table
            .filter(invitations::id.eq(id))
            .filter(invitations::consultancy_id.is_not_distinct_from(place.firm()))
            .filter(invitations::tenant_id.is_not_distinct_from(place.tenant()))
            .filter(invitations::accepted_at.is_null())
            .filter(invitations::revoked_at.is_null()),
    )
    .set((
        invitations::revoked_at.eq(tx.now()),
        invitations::revoked_because.eq(TAKEN_BACK),
    ));
    match tx.run(async |db| row.execute(&mut &*db).await).await? {
        0 => Err(Problem::not_found()),
        _ => tx.event(
            "invitation.revoked",
            "invitation",
            id,
            &json!({"because": TAKEN_BACK}),
        ),
    }
}

/// An invitation as the holder of its token finds it, open or not.
pub(super) struct Found {
    pub(super) invitation: Invitation,
    pub(super) place: Place,
}

/// The invitation with this token.
pub(super) async fn find(tx: &mut TenantTx<'_>, token: &str) -> Result<Option<Found>> {
    let query = invitations::table
        .filter(invitations::token_hash.eq(hash(token)))
        .select((
            Row::as_select(),
            invitations::consultancy_id,
            invitations::tenant_id,
        ));
    type Placed = (Row, Option<Uuid>, Option<Uuid>);
    let row: Option<Placed> = tx
        .run(async |db| query.first(&mut &*db).await.optional())
        .await?;
    let Some((row, firm, tenant)) = row else {
        return Ok(None);
    };
    let place = firm.map(Place::Firm).or(tenant.map(Place::Tenant));
    let place = place.ok_or_else(|| Problem::internal("an invitation without a place"))?;
    let invitation = row.at(tx.now());
    Ok(Some(Found { invitation, place }))
}

/// Uses an invitation up; 422 if it was used, taken back or has expired.
pub(super) async fn claim(tx: &mut TenantTx<'_>, id: Uuid) -> Result<()> {
    let row = diesel::update(
        invitations::table
            .filter(invitations::id.eq(id))
            .filter(invitations::accepted_at.is_null())
            .filter(invitations::revoked_at.is_null())
            .filter(invitations::expires_at.gt(tx.now())),
    )
    .set(invitations::accepted_at.eq(tx.now()));
    match tx.run(async |db| row.execute(&mut &*db).await).await? {
        0 => Err(not_valid()),
        _ => Ok(()),
    }
}

/// 422: one answer for unknown, used, revoked and expired invitations.
pub(super) fn not_valid() -> Problem {
    Problem::invalid(
        "/token",
        "is not that of a valid invitation; ask for a new one",
    )
}

fn hash(token: &str) -> Vec<u8> {
    digest::digest(&digest::SHA256, token.as_bytes())
        .as_ref()
        .to_vec()
}
