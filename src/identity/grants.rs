//! Who may give which role in a tenant: no path grants a role that the granter lacks.
//!
//! The one exception is how an engagement begins: until the tenant has a top management, the
//! consultancy that runs it may invite everybody, top management included. Afterwards nobody of
//! the consultancy gives a role that approves, not even as AIMS manager under a mandate.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use futures_util::try_join;
use uuid::Uuid;

use crate::problem::{Problem, Result};
use crate::schema::{consultancy_members, engagements, memberships, tenants};
use crate::tenancy::{FirmRole, Holding, Role, Roles, Tenant, TenantTx, zone_of};

/// Roles that a consultancy cannot give once the tenant has a top management.
const RESERVED: Roles = Roles::of(&[Role::TopManagement, Role::AimsManager, Role::RiskOwner]);

/// What decides which roles a person may give in a tenant.
#[derive(Clone, Copy, Debug, Default)]
pub struct Standing {
    /// Roles they hold in the tenant now.
    pub roles: Roles,
    /// Whether they own the firm that runs the tenant.
    pub owns_firm: bool,
    /// Whether they belong to a firm that works, or will work, for the tenant.
    pub of_firm: bool,
    /// Whether somebody holds `top_management` in the tenant now.
    pub has_top_management: bool,
}

impl Standing {
    /// Whether they may give, or take, this role of the tenant's own people.
    pub fn may_grant(&self, role: Role) -> bool {
        if role.is_of_consultancy() {
            return false;
        }
        if self.roles.has(Role::TopManagement) {
            return true;
        }
        let manages = self.roles.has(Role::AimsManager);
        let as_manager = match self.of_firm {
            true => !RESERVED.has(role),
            false => role != Role::TopManagement,
        };
        let leads = self.owns_firm || self.roles.has(Role::Lead);
        let as_lead = !(self.has_top_management && RESERVED.has(role));
        (manages && as_manager) || (leads && as_lead)
    }

    /// 403 unless they may give all of these.
    pub fn require(&self, roles: &[Role]) -> Result<()> {
        match roles.iter().find(|role| !self.may_grant(**role)) {
            None => Ok(()),
            Some(role) => Err(Problem::forbidden(format!(
                "Your roles do not let you give or take the role {role}."
            ))),
        }
    }
}

/// Reads a person's standing in a tenant.
pub async fn standing(tx: &mut TenantTx<'_>, tenant: Uuid, person: Uuid) -> Result<Standing> {
    let all = standings(tx, tenant, vec![person]).await?;
    Ok(all.get(&person).copied().unwrap_or_default())
}

/// Reads the standing of several people in a tenant.
pub async fn standings(
    tx: &mut TenantTx<'_>,
    tenant: Uuid,
    people: Vec<Uuid>,
) -> Result<HashMap<Uuid, Standing>> {
    let runs = tenants::table
        .find(tenant)
        .select((tenants::consultancy_id, tenants::time_zone));
    let engaged = engagements::table
        .filter(engagements::tenant_id.eq(tenant))
        .filter(engagements::ended_at.is_null())
        .select((engagements::consultancy_id, engagements::ends_on));
    let held = Holding::open()
        .filter(memberships::tenant_id.eq(tenant))
        .filter(
            memberships::user_id
                .eq_any(people.clone())
                .or(memberships::roles.contains(vec![Role::TopManagement.as_str()])),
        )
        .select(Holding::as_select());
    let firms = consultancy_members::table
        .filter(consultancy_members::user_id.eq_any(people.clone()))
        .filter(consultancy_members::ended_at.is_null())
        .select((
            consultancy_members::user_id,
            consultancy_members::consultancy_id,
            consultancy_members::role,
        ));
    let ((runs, zone), engaged, held, firms) = tx
        .run(async |db| {
            try_join!(
                runs.first::<(Option<Uuid>, String)>(&mut &*db),
                engaged.load::<(Uuid, Option<NaiveDate>)>(&mut &*db),
                held.load::<Holding>(&mut &*db),
                firms.load::<(Uuid, Uuid, String)>(&mut &*db),
            )
        })
        .await?;
    let today = tx.now().with_timezone(&zone_of(&zone)).date_naive();
    let goes_on = |last: &Option<NaiveDate>| last.is_none_or(|last| today <= last);
    let serving = engaged.iter().filter(|(_, last)| goes_on(last));
    let facts = Facts {
        runs,
        serving: serving.map(|(firm, _)| *firm).chain(runs).collect(),
        now: tx.now(),
        held,
        firms,
    };
    let of = |person: Uuid| (person, facts.judge(person));
    Ok(people.into_iter().map(of).collect())
}

/// What standings in a tenant are judged by.
struct Facts {
    /// The firm that runs it.
    runs: Option<Uuid>,
    /// All firms that work or will work for it.
    serving: Vec<Uuid>,
    now: DateTime<Utc>,
    held: Vec<Holding>,
    /// Person, firm and role there.
    firms: Vec<(Uuid, Uuid, String)>,
}

impl Facts {
    fn judge(&self, person: Uuid) -> Standing {
        let mut standing = Standing::default();
        for (_, firm, role) in self.firms.iter().filter(|(who, ..)| *who == person) {
            standing.owns_firm |= self.runs == Some(*firm) && role == FirmRole::Owner.as_str();
            standing.of_firm |= self.serving.contains(firm);
        }
        for place in self.held.iter().filter(|place| place.holds_at(self.now)) {
            standing.has_top_management |= place.roles().has(Role::TopManagement);
            if place.user_id == person {
                standing.roles = standing.roles.with(place.roles());
            }
        }
        standing
    }
}

/// The tenant, as transactions need it.
pub async fn tenant(tx: &mut TenantTx<'_>, id: Uuid) -> Result<Tenant> {
    let query = tenants::table
        .find(id)
        .select((tenants::name, tenants::time_zone));
    let (name, zone): (String, String) = tx.run(async |db| query.first(&mut &*db).await).await?;
    Ok(Tenant {
        id,
        name,
        zone: zone.parse().map_err(Problem::internal)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants(roles: &[Role], owns_firm: bool, has_top_management: bool) -> Vec<&'static str> {
        let standing = Standing {
            roles: Roles::of(roles),
            owns_firm,
            of_firm: owns_firm,
            has_top_management,
        };
        Role::ALL
            .iter()
            .filter(|role| standing.may_grant(**role))
            .map(|role| role.as_str())
            .collect()
    }

    #[test]
    fn top_management_gives_every_role_of_the_tenant_and_none_of_the_consultancy() {
        let given = grants(&[Role::TopManagement], false, true);

        assert_eq!(given.len(), 10);
        assert!(!given.contains(&"lead") && !given.contains(&"consultant"));
    }

    #[test]
    fn the_aims_manager_gives_all_but_top_management() {
        let given = grants(&[Role::AimsManager], false, true);

        assert_eq!(given.len(), 9);
        assert!(!given.contains(&"top_management"));
    }

    #[test]
    fn an_aims_manager_of_the_consultancy_gives_no_role_that_approves() {
        let given = grants(&[Role::AimsManager], true, true);

        assert_eq!(given.len(), 7);
        for reserved in ["top_management", "aims_manager", "risk_owner"] {
            assert!(!given.contains(&reserved), "{reserved}");
        }
    }

    #[test]
    fn the_consultancy_invites_everybody_until_there_is_a_top_management() {
        assert_eq!(grants(&[], true, false).len(), 10);
        assert_eq!(grants(&[Role::Lead], false, false).len(), 10);

        let later = grants(&[Role::Lead], true, true);

        assert_eq!(later.len(), 7);
        for reserved in ["top_management", "aims_manager", "risk_owner"] {
            assert!(!later.contains(&reserved), "{reserved}");
        }
    }

    #[test]
    fn nobody_else_gives_anything() {
        for role in Role::ALL {
            let gives = [Role::Lead, Role::TopManagement, Role::AimsManager].contains(role);
            assert_eq!(!grants(&[*role], false, false).is_empty(), gives, "{role}");
        }
    }
}
