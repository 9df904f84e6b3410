//! Who may give which role in a tenant: no path grants a role that the granter lacks.
//!
//! The one exception is how an engagement begins: until the tenant has a top management, the
//! consultancy that runs it may invite everybody, top management included.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use futures_util::try_join;
use uuid::Uuid;

use crate::problem::{Problem, Result};
use crate::schema::{consultancy_members, memberships, tenants};
use crate::tenancy::{FirmRole, Holding, Role, Roles, Tenant, TenantTx};

/// Roles that a consultancy cannot give once the tenant has a top management.
const RESERVED: Roles = Roles::of(&[Role::TopManagement, Role::AimsManager, Role::RiskOwner]);

/// What decides which roles a person may give in a tenant.
#[derive(Clone, Copy, Debug, Default)]
pub struct Standing {
    /// Roles they hold in the tenant now.
    pub roles: Roles,
    /// Whether they own the firm that runs the tenant.
    pub owns_firm: bool,
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
        if self.roles.has(Role::AimsManager) {
            return role != Role::TopManagement;
        }
        let is_firm = self.owns_firm || self.roles.has(Role::Lead);
        is_firm && !(self.has_top_management && RESERVED.has(role))
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
    let runs = tenants::table.find(tenant).select(tenants::consultancy_id);
    let held = Holding::open()
        .filter(memberships::tenant_id.eq(tenant))
        .filter(
            memberships::user_id
                .eq(person)
                .or(memberships::roles.contains(vec![Role::TopManagement.as_str()])),
        )
        .select(Holding::as_select());
    let firms = consultancy_members::table
        .filter(consultancy_members::user_id.eq(person))
        .filter(consultancy_members::ended_at.is_null())
        .select((
            consultancy_members::consultancy_id,
            consultancy_members::role,
        ));
    let (firm, held, firms) = tx
        .run(async |db| {
            try_join!(
                runs.first::<Option<Uuid>>(&mut &*db),
                held.load::<Holding>(&mut &*db),
                firms.load::<(Uuid, String)>(&mut &*db),
            )
        })
        .await?;
    Ok(judge(person, firm, tx.now(), &held, &firms))
}

fn judge(
    person: Uuid,
    firm: Option<Uuid>,
    now: DateTime<Utc>,
    held: &[Holding],
    firms: &[(Uuid, String)],
) -> Standing {
    let mut standing = Standing {
        owns_firm: firms
            .iter()
            .any(|(id, role)| firm == Some(*id) && role == FirmRole::Owner.as_str()),
        ..Standing::default()
    };
    for place in held.iter().filter(|place| place.holds_at(now)) {
        standing.has_top_management |= place.roles().has(Role::TopManagement);
        if place.user_id == person {
            standing.roles = standing.roles.with(place.roles());
        }
    }
    standing
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
