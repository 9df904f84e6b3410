//! Who may give which role in a tenant: no path grants a role that the granter lacks.
//!
//! The one exception is how an engagement begins: until the tenant has a top management, the
//! consultancy that runs it may invite everybody, top management included.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use futures_util::try_join;
use uuid::Uuid;

use crate::problem::{Problem, Result};
use crate::schema::{consultancy_members, engagements, memberships, tenants};
use crate::tenancy::{FirmRole, Role, Roles, Tenant, TenantTx};

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

/// Firm, first day, last day and end of the engagement that a membership comes from.
type Contract = (Uuid, NaiveDate, Option<NaiveDate>, Option<DateTime<Utc>>);

/// A membership, as far as it decides who holds what today.
#[derive(Queryable, Selectable)]
#[diesel(table_name = memberships, check_for_backend(diesel::pg::Pg))]
struct Held {
    user_id: Uuid,
    roles: Vec<String>,
    valid_from: NaiveDate,
    valid_until: Option<NaiveDate>,
    #[diesel(select_expression = (engagements::consultancy_id, engagements::starts_on, engagements::ends_on, engagements::ended_at).nullable())]
    engagement: Option<Contract>,
}

/// Reads a person's standing in a tenant.
pub async fn standing(tx: &mut TenantTx<'_>, tenant: Uuid, person: Uuid) -> Result<Standing> {
    let place = tenants::table
        .find(tenant)
        .select((tenants::time_zone, tenants::consultancy_id));
    let held = memberships::table
        .left_join(engagements::table)
        .filter(memberships::tenant_id.eq(tenant))
        .filter(memberships::ended_at.is_null())
        .filter(
            memberships::user_id
                .eq(person)
                .or(memberships::roles.contains(vec![Role::TopManagement.as_str()])),
        )
        .select(Held::as_select());
    let firms = consultancy_members::table
        .filter(consultancy_members::user_id.eq(person))
        .filter(consultancy_members::ended_at.is_null())
        .select((
            consultancy_members::consultancy_id,
            consultancy_members::role,
        ));
    let ((zone, firm), held, firms) = tx
        .run(async |db| {
            try_join!(
                place.first::<(String, Option<Uuid>)>(&mut &*db),
                held.load::<Held>(&mut &*db),
                firms.load::<(Uuid, String)>(&mut &*db),
            )
        })
        .await?;
    let zone: Tz = zone.parse().map_err(Problem::internal)?;
    let today = tx.now().with_timezone(&zone).date_naive();
    Ok(judge(person, firm, today, &held, &firms))
}

fn judge(
    person: Uuid,
    firm: Option<Uuid>,
    today: NaiveDate,
    held: &[Held],
    firms: &[(Uuid, String)],
) -> Standing {
    let in_firm = |id: Uuid| firms.iter().any(|(firm, _)| *firm == id);
    let within = |from: NaiveDate, until: Option<NaiveDate>| {
        from <= today && until.is_none_or(|last| today <= last)
    };
    let mut standing = Standing {
        owns_firm: firms
            .iter()
            .any(|(id, role)| firm == Some(*id) && role == FirmRole::Owner.as_str()),
        ..Standing::default()
    };
    for place in held {
        let runs = match place.engagement {
            None => true,
            Some((consultancy, from, until, ended)) => {
                ended.is_none() && within(from, until) && in_firm(consultancy)
            }
        };
        if !within(place.valid_from, place.valid_until) || !runs {
            continue;
        }
        let roles = Roles::parse(place.roles.iter().map(String::as_str));
        standing.has_top_management |= roles.has(Role::TopManagement);
        if place.user_id == person {
            standing.roles = standing.roles.with(roles);
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
