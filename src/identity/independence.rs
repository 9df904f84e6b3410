//! GEN-1 at joining: a consultancy never approves for its client, so nobody belongs to a firm
//! and holds a role that approves for a client which the firm serves.
//!
//! It is judged on the person and on every road: when a role of the client is given, when
//! somebody joins the firm, and when an engagement or an assignment begins. The one exception is
//! an AIMS manager under a dated mandate: the membership has a last day.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use futures_util::try_join;
use uuid::Uuid;

use super::accounts::{self, Email};
use super::grants::Standing;
use crate::problem::{Problem, Result};
use crate::schema::{consultancy_members, engagements, memberships, tenants};
use crate::tenancy::{Holding, Role, Roles, TenantTx, zone_of};

/// Roles whose acts stay with the client, whatever was agreed.
const CLIENT_ONLY: [Role; 2] = [Role::TopManagement, Role::RiskOwner];

/// 409: what does not go together, and what to do about it.
fn refused(detail: String) -> Problem {
    Problem::rule("GEN-1", detail).with_status(409)
}

/// Of these roles the one that somebody of the consultancy may not hold for so long.
fn barred(roles: Roles, valid_until: Option<NaiveDate>) -> Option<Role> {
    let mandated = valid_until.is_some();
    let undated = (!mandated && roles.has(Role::AimsManager)).then_some(Role::AimsManager);
    CLIENT_ONLY
        .into_iter()
        .find(|role| roles.has(*role))
        .or(undated)
}

/// 409 when a person of a firm that works for the tenant is to hold roles that approve there.
pub(crate) async fn check_roles(
    tx: &mut TenantTx<'_>,
    tenant: Uuid,
    person: Uuid,
    roles: Roles,
    valid_until: Option<NaiveDate>,
) -> Result<()> {
    let Some(role) = barred(roles, valid_until) else {
        return Ok(());
    };
    if !works_for(tx, tenant, person).await? {
        return Ok(());
    }
    Err(refused(match role {
        Role::AimsManager => {
            "Somebody of the consultancy can be the AIMS manager of its client under a dated \
             mandate only; give valid_until, the last day of the mandate."
                .to_owned()
        }
        role => format!(
            "Somebody of the consultancy cannot be {role} of its client, because a consultancy \
             never approves for its client; give the role to somebody of the client."
        ),
    }))
}

/// [`check_roles`] for whoever has an account with this address.
pub(crate) async fn check_roles_of(
    tx: &mut TenantTx<'_>,
    tenant: Uuid,
    email: &Email,
    roles: Roles,
    valid_until: Option<NaiveDate>,
) -> Result<()> {
    match accounts::by_email(tx, email).await? {
        Some(account) => check_roles(tx, tenant, account.id, roles, valid_until).await,
        None => Ok(()),
    }
}

/// 403 when the place of somebody of the consultancy as AIMS manager is given, changed or ended by
/// anybody but the client's top management: the mandate is the client's. `touched` are the roles
/// that come, go, or last longer or shorter.
pub(crate) async fn check_mandate(
    tx: &mut TenantTx<'_>,
    tenant: Uuid,
    person: Uuid,
    touched: Roles,
    standing: &Standing,
) -> Result<()> {
    let by_client = standing.roles.has(Role::TopManagement);
    if by_client || !touched.has(Role::AimsManager) || !works_for(tx, tenant, person).await? {
        return Ok(());
    }
    Err(refused(
        "The mandate of somebody of the consultancy as AIMS manager is given, changed and ended by \
         the client's top management only."
            .to_owned(),
    )
    .with_status(403))
}

/// [`check_mandate`] for whoever has an account with this address.
pub(crate) async fn check_mandate_of(
    tx: &mut TenantTx<'_>,
    tenant: Uuid,
    email: &Email,
    roles: Roles,
    standing: &Standing,
) -> Result<()> {
    match accounts::by_email(tx, email).await? {
        Some(account) => check_mandate(tx, tenant, account.id, roles, standing).await,
        None => Ok(()),
    }
}

/// Whether the person belongs to a firm that runs the tenant, or works or will work for it.
async fn works_for(tx: &mut TenantTx<'_>, tenant: Uuid, person: Uuid) -> Result<bool> {
    let runs = tenants::table
        .find(tenant)
        .select((tenants::consultancy_id, tenants::time_zone));
    let engaged = engagements::table
        .filter(engagements::tenant_id.eq(tenant))
        .filter(engagements::ended_at.is_null())
        .select((engagements::consultancy_id, engagements::ends_on));
    let firms = consultancy_members::table
        .filter(consultancy_members::user_id.eq(person))
        .filter(consultancy_members::ended_at.is_null())
        .select(consultancy_members::consultancy_id);
    let ((runs, zone), engaged, firms) = tx
        .run(async |db| {
            try_join!(
                runs.first::<(Option<Uuid>, String)>(&mut &*db),
                engaged.load::<(Uuid, Option<NaiveDate>)>(&mut &*db),
                firms.load::<Uuid>(&mut &*db),
            )
        })
        .await?;
    let today = today_in(&zone, tx.now());
    let goes_on = |last: &Option<NaiveDate>| last.is_none_or(|last| today <= last);
    let mut serving = engaged
        .iter()
        .filter(|(_, last)| goes_on(last))
        .map(|(firm, _)| *firm)
        .chain(runs);
    Ok(serving.any(|firm| firms.contains(&firm)))
}

fn today_in(zone: &str, now: DateTime<Utc>) -> NaiveDate {
    now.with_timezone(&zone_of(zone)).date_naive()
}

/// 409 when somebody who is to join a firm approves for one of its clients.
pub(crate) async fn check_joins_firm(
    tx: &mut TenantTx<'_>,
    firm: Uuid,
    person: Uuid,
) -> Result<()> {
    let clients = engagements::table
        .filter(engagements::consultancy_id.eq(firm))
        .filter(engagements::ended_at.is_null())
        .select(engagements::tenant_id);
    let clients: Vec<Uuid> = tx.run(async |db| clients.load(&mut &*db).await).await?;
    let serves = tenants::consultancy_id
        .eq(firm)
        .or(tenants::id.nullable().eq_any(clients));
    let held = Holding::open()
        .filter(memberships::user_id.eq(person))
        .filter(memberships::engagement_id.is_null())
        .filter(serves)
        .select((Holding::as_select(), tenants::name));
    let held: Vec<(Holding, String)> = tx.run(async |db| held.load(&mut &*db).await).await?;
    let now = tx.now();
    let clash = held.iter().find_map(|(place, client)| {
        let role = barred_still(place, now)?;
        Some((role, client))
    });
    match clash {
        None => Ok(()),
        Some((role, client)) => Err(refused(format!(
            "This person is {role} of {client}, for which this consultancy works, and a \
             consultancy never approves for its client; the role there has to end first, or, for \
             an AIMS manager, to get a last day."
        ))),
    }
}

/// [`check_joins_firm`] for whoever has an account with this address.
pub(crate) async fn check_joins_firm_as(
    tx: &mut TenantTx<'_>,
    firm: Uuid,
    email: &Email,
) -> Result<()> {
    match accounts::by_email(tx, email).await? {
        Some(account) => check_joins_firm(tx, firm, account.id).await,
        None => Ok(()),
    }
}

/// 409 when people of the firm approve for the tenant for which it is to work; with `person`,
/// only that one is looked at.
pub(crate) async fn check_engagement(
    tx: &mut TenantTx<'_>,
    firm: Uuid,
    tenant: Uuid,
    person: Option<Uuid>,
) -> Result<()> {
    let colleagues = consultancy_members::table
        .filter(consultancy_members::consultancy_id.eq(firm))
        .filter(consultancy_members::ended_at.is_null())
        .select(consultancy_members::user_id);
    let people: Vec<Uuid> = match person {
        Some(person) => vec![person],
        None => tx.run(async |db| colleagues.load(&mut &*db).await).await?,
    };
    let held = Holding::open()
        .filter(memberships::tenant_id.eq(tenant))
        .filter(memberships::engagement_id.is_null())
        .filter(memberships::user_id.eq_any(people))
        .select(Holding::as_select());
    let held: Vec<Holding> = tx.run(async |db| held.load(&mut &*db).await).await?;
    let now = tx.now();
    match held.iter().find_map(|place| barred_still(place, now)) {
        None => Ok(()),
        Some(role) => Err(refused(format!(
            "Somebody of this consultancy is {role} of the client, and a consultancy never \
             approves for its client; the role has to end first, or, for an AIMS manager, to get \
             a last day."
        ))),
    }
}

/// The barred role of a membership whose time is not over.
fn barred_still(place: &Holding, now: DateTime<Utc>) -> Option<Role> {
    match place.is_over_at(now) {
        true => None,
        false => barred(place.roles(), place.valid_until),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn approving_roles_are_barred_and_an_aims_manager_needs_a_last_day() {
        let day = NaiveDate::from_ymd_opt(2027, 1, 11);
        for role in Role::ALL {
            let undated = barred(Roles::of(&[Role::Viewer, *role]), None);
            let dated = barred(Roles::of(&[Role::Viewer, *role]), day);
            let approves = [Role::TopManagement, Role::RiskOwner].contains(role);

            assert_eq!(dated.is_some(), approves, "{role}");
            assert_eq!(
                undated.is_some(),
                approves || *role == Role::AimsManager,
                "{role}"
            );
        }
    }
}
