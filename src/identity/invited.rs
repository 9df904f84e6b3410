//! How invitations stand now: what has happened since they were sent counts too, because it is
//! judged again when one is accepted.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::grants::{self, Standing};
use super::invitations::{Invitation, InvitationState, Place, Row};
use crate::problem::Result;
use crate::schema::{consultancy_members, invitations};
use crate::tenancy::{FirmRole, Role, Roles, TenantTx};

/// The consultancy no longer gives the role.
const TOP_MANAGEMENT_TOOK_OVER: &str =
    "top management took over: the consultancy gives this role no longer";
/// The inviter has lost the roles that it takes.
const INVITER_MAY_NOT: &str = "whoever invited may no longer give this role";
/// The membership would be over.
const OVER: &str = "the last day of the membership has passed";

/// Invitations to a place after the id `after`, at most `rows`, dead ones too.
pub(crate) async fn list(
    tx: &mut TenantTx<'_>,
    place: Place,
    after: Uuid,
    rows: i64,
) -> Result<Vec<Invitation>> {
    let query = invitations::table
        .filter(invitations::consultancy_id.is_not_distinct_from(place.firm()))
        .filter(invitations::tenant_id.is_not_distinct_from(place.tenant()))
        .filter(invitations::id.gt(after))
        .order(invitations::id)
        .limit(rows)
        .select(Row::as_select());
    let rows: Vec<Row> = tx.run(async |db| query.load(&mut &*db).await).await?;
    let now = tx.now();
    let mut items: Vec<Invitation> = rows.into_iter().map(|row| row.at(now)).collect();
    let pending = |item: &&mut Invitation| item.state == InvitationState::Pending;
    let inviters: Vec<Uuid> = items
        .iter_mut()
        .filter(pending)
        .map(|item| item.invited_by)
        .collect();
    if inviters.is_empty() {
        return Ok(items);
    }
    match place {
        Place::Firm(firm) => {
            let owners = owners(tx, firm).await?;
            let open = items.iter_mut().filter(pending);
            open.filter(|item| !owners.contains(&item.invited_by))
                .for_each(|item| end(item, InvitationState::Revoked, INVITER_MAY_NOT));
        }
        Place::Tenant(tenant) => {
            let standings = grants::standings(tx, tenant, inviters).await?;
            let today = tx.today()?;
            for item in items.iter_mut().filter(pending) {
                if item.valid_until.is_some_and(|last| last < today) {
                    end(item, InvitationState::Expired, OVER);
                } else if let Some(why) = lost(&standings, item) {
                    end(item, InvitationState::Revoked, why);
                }
            }
        }
    }
    Ok(items)
}

fn end(item: &mut Invitation, state: InvitationState, why: &str) {
    item.state = state;
    item.ended_because = Some(why.to_owned());
}

/// Why the inviter may not give the roles any more, if so.
fn lost(standings: &HashMap<Uuid, Standing>, item: &Invitation) -> Option<&'static str> {
    let standing = standings.get(&item.invited_by).copied().unwrap_or_default();
    let roles = Roles::parse(item.roles.iter().map(String::as_str));
    let refused = |standing: &Standing| roles.iter().any(|role| !standing.may_grant(role));
    if !refused(&standing) {
        return None;
    }
    let before = Standing {
        has_top_management: false,
        ..standing
    };
    let by_firm = !standing.roles.has(Role::TopManagement) && !refused(&before);
    Some(match by_firm {
        true => TOP_MANAGEMENT_TOOK_OVER,
        false => INVITER_MAY_NOT,
    })
}

async fn owners(tx: &mut TenantTx<'_>, firm: Uuid) -> Result<Vec<Uuid>> {
    let query = consultancy_members::table
        .filter(consultancy_members::consultancy_id.eq(firm))
        .filter(consultancy_members::ended_at.is_null())
        .filter(consultancy_members::role.eq(FirmRole::Owner.as_str()))
        .select(consultancy_members::user_id);
    tx.run(async |db| query.load(&mut &*db).await).await
}
