//! Whether somebody's place in a tenant holds today: decided here and nowhere else.
//!
//! The client's own people hold theirs from their first to their last day, in the tenant's zone.
//! A consultant needs besides an engagement that runs, and a place in the firm.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use diesel::prelude::*;
use diesel::result::QueryResult;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::roles::{Role, Roles};
use super::tx::TenantTx;
use crate::problem::Result;
use crate::schema::{consultancy_members, engagements, memberships, tenants, users};

/// Firm, first day, last day, and when the client ended it.
type Contract = (Uuid, NaiveDate, Option<NaiveDate>, Option<DateTime<Utc>>);

/// A membership that nobody has ended, with all that decides whether it holds on a day. Comes
/// from [`Holding::open`].
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = memberships, check_for_backend(diesel::pg::Pg))]
pub struct Holding {
    /// The membership.
    pub id: Uuid,
    /// Where.
    pub tenant_id: Uuid,
    /// Who.
    pub user_id: Uuid,
    roles: Vec<String>,
    /// First day.
    pub valid_from: NaiveDate,
    /// Last day; none: open.
    pub valid_until: Option<NaiveDate>,
    #[diesel(select_expression = tenants::time_zone)]
    zone: String,
    #[diesel(select_expression = (engagements::consultancy_id, engagements::starts_on, engagements::ends_on, engagements::ended_at).nullable())]
    engagement: Option<Contract>,
    #[diesel(select_expression = consultancy_members::user_id.nullable())]
    in_firm: Option<Uuid>,
}

/// How somebody's place stands on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(example = "holds")]
pub enum PlaceState {
    /// Its first day, or that of the engagement, is still to come.
    NotYet,
    /// The person reaches the tenant.
    Holds,
    /// Its last day, or the engagement, is over, or the person has left the consultancy.
    Ended,
}

/// Whether a civil date lies in a window, first and last day included.
pub fn within(day: NaiveDate, first: NaiveDate, last: Option<NaiveDate>) -> bool {
    first <= day && last.is_none_or(|last| day <= last)
}

impl Holding {
    /// The memberships that nobody has ended, joined with what [`Holding`] is selected from.
    #[diesel::dsl::auto_type(no_type_alias)]
    pub fn open() -> _ {
        let colleague = consultancy_members::consultancy_id
            .nullable()
            .eq(engagements::consultancy_id.nullable())
            .and(consultancy_members::user_id.eq(memberships::user_id))
            .and(consultancy_members::ended_at.is_null());
        memberships::table
            .inner_join(tenants::table)
            .left_join(engagements::table)
            .left_join(consultancy_members::table.on(colleague))
            .filter(memberships::ended_at.is_null())
    }

    /// The roles it gives while it holds.
    pub fn roles(&self) -> Roles {
        Roles::parse(self.roles.iter().map(String::as_str))
    }

    /// The zone of the tenant's civil dates.
    pub fn zone(&self) -> Tz {
        zone_of(&self.zone)
    }

    /// Whether it comes from an engagement of a consultancy.
    pub fn is_assignment(&self) -> bool {
        self.engagement.is_some()
    }

    /// How it stands on a civil date of the tenant.
    pub fn state(&self, day: NaiveDate) -> PlaceState {
        let (mut first, mut last) = (self.valid_from, self.valid_until);
        let mut ended = false;
        if let Some((_, starts_on, ends_on, ended_at)) = self.engagement {
            first = first.max(starts_on);
            last = last.into_iter().chain(ends_on).min();
            ended = ended_at.is_some() || self.in_firm.is_none();
        }
        if ended || last.is_some_and(|last| last < day) {
            PlaceState::Ended
        } else if day < first {
            PlaceState::NotYet
        } else {
            PlaceState::Holds
        }
    }

    /// [`Holding::state`] at an instant.
    pub fn state_at(&self, now: DateTime<Utc>) -> PlaceState {
        self.state(now.with_timezone(&self.zone()).date_naive())
    }

    /// Whether it holds on a civil date of the tenant.
    pub fn holds(&self, day: NaiveDate) -> bool {
        self.state(day) == PlaceState::Holds
    }

    /// Whether its last day has passed.
    pub fn is_over_at(&self, now: DateTime<Utc>) -> bool {
        let today = now.with_timezone(&self.zone()).date_naive();
        self.valid_until.is_some_and(|last| last < today)
    }

    /// Whether it holds at an instant.
    pub fn holds_at(&self, now: DateTime<Utc>) -> bool {
        self.holds(now.with_timezone(&self.zone()).date_naive())
    }
}

/// The zone of a tenant; its name was checked when it was written.
pub(crate) fn zone_of(name: &str) -> Tz {
    name.parse().unwrap_or(Tz::UTC)
}

/// A membership with the account of its person.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = memberships, check_for_backend(diesel::pg::Pg))]
pub struct MemberAccount {
    /// The membership.
    #[diesel(embed)]
    pub holding: Holding,
    /// E-mail address, name, and whether the person wants reminders by mail.
    #[diesel(select_expression = (users::email, users::name, users::notify_by_mail))]
    pub account: (String, String, bool),
    /// When the person joined.
    pub created_at: DateTime<Utc>,
    /// When the membership was changed last.
    pub updated_at: DateTime<Utc>,
}

#[cfg(test)]
impl MemberAccount {
    /// Somebody with these roles, since 1 January 2026; of a consultancy engaged for that year,
    /// where it is told whether they still are in it.
    pub(crate) fn example(person: Uuid, roles: &[&str], in_firm: Option<bool>) -> Self {
        let first = NaiveDate::from_ymd_opt(2026, 1, 1).unwrap();
        let last = NaiveDate::from_ymd_opt(2026, 12, 31);
        Self {
            holding: Holding {
                id: Uuid::nil(),
                tenant_id: Uuid::nil(),
                user_id: person,
                roles: roles.iter().map(|role| (*role).to_owned()).collect(),
                valid_from: first,
                valid_until: None,
                zone: "UTC".to_owned(),
                engagement: in_firm.map(|_| (Uuid::nil(), first, last, None)),
                in_firm: in_firm.filter(|there| *there).map(|_| person),
            },
            account: ("a@example.org".to_owned(), "A".to_owned(), true),
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
        }
    }
}

/// The open memberships of a tenant with their accounts; accounts that are disabled are left out.
pub async fn members(db: &AsyncPgConnection, tenant_id: Uuid) -> QueryResult<Vec<MemberAccount>> {
    Holding::open()
        .inner_join(users::table.on(users::id.eq(memberships::user_id)))
        .filter(memberships::tenant_id.eq(tenant_id))
        .filter(users::disabled_at.is_null())
        .select(MemberAccount::as_select())
        .load(&mut &*db)
        .await
}

/// People who hold a role in the tenant of a transaction today.
pub async fn holders(tx: &mut TenantTx<'_>, role: Role) -> Result<Vec<Uuid>> {
    holders_of(tx, Roles::of(&[role])).await
}

/// People who hold one of these roles in the tenant of a transaction today.
pub async fn holders_of(tx: &mut TenantTx<'_>, roles: Roles) -> Result<Vec<Uuid>> {
    let query = Holding::open()
        .inner_join(users::table.on(users::id.eq(memberships::user_id)))
        .filter(memberships::tenant_id.eq(tx.scope()))
        .filter(memberships::roles.overlaps_with(roles.names()))
        .filter(users::disabled_at.is_null())
        .select(Holding::as_select());
    let found = tx.run(async |db| query.load(&mut &*db).await).await?;
    Ok(held_now(found, tx.now()))
}

/// People who held a role in the tenant of a transaction on a civil date, whatever became of them
/// since.
pub async fn holders_on(tx: &mut TenantTx<'_>, role: Role, on: NaiveDate) -> Result<Vec<Uuid>> {
    let zone = tx.tenant()?.zone;
    let query = memberships::table
        .filter(memberships::tenant_id.eq(tx.scope()))
        .filter(memberships::roles.contains(vec![role.as_str()]))
        .select((
            memberships::user_id,
            memberships::valid_from,
            memberships::valid_until,
            memberships::ended_at,
        ));
    type Row = (Uuid, NaiveDate, Option<NaiveDate>, Option<DateTime<Utc>>);
    let found: Vec<Row> = tx.run(async |db| query.load(&mut &*db).await).await?;
    let held = found.into_iter().filter(|(_, first, last, ended)| {
        let ended_before = ended.is_some_and(|at| at.with_timezone(&zone).date_naive() < on);
        within(on, *first, *last) && !ended_before
    });
    Ok(held.map(|(person, ..)| person).collect())
}

/// Who of these people holds a place in the tenant of a transaction today: those who can be
/// named as owners from now on.
pub async fn holders_among(tx: &mut TenantTx<'_>, ids: &[Uuid]) -> Result<Vec<Uuid>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let query = Holding::open()
        .inner_join(users::table.on(users::id.eq(memberships::user_id)))
        .filter(memberships::tenant_id.eq(tx.scope()))
        .filter(memberships::user_id.eq_any(ids.to_vec()))
        .filter(users::disabled_at.is_null())
        .select(Holding::as_select());
    let found = tx.run(async |db| query.load(&mut &*db).await).await?;
    Ok(held_now(found, tx.now()))
}

fn held_now(found: Vec<Holding>, now: DateTime<Utc>) -> Vec<Uuid> {
    let held = found.into_iter().filter(|place| place.holds_at(now));
    let mut people: Vec<Uuid> = held.map(|place| place.user_id).collect();
    people.sort_unstable();
    people.dedup();
    people
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn own(zone: &str) -> Holding {
        Holding {
            id: Uuid::nil(),
            tenant_id: Uuid::nil(),
            user_id: Uuid::nil(),
            roles: vec!["viewer".to_owned()],
            valid_from: day("2027-03-10"),
            valid_until: Some(day("2027-03-12")),
            zone: zone.to_owned(),
            engagement: None,
            in_firm: None,
        }
    }

    #[test]
    fn a_place_holds_from_the_first_to_the_last_day() {
        for (today, holds) in [
            ("2027-03-09", false),
            ("2027-03-10", true),
            ("2027-03-12", true),
            ("2027-03-13", false),
        ] {
            assert_eq!(own("UTC").holds(day(today)), holds, "{today}");
        }
    }

    #[test]
    fn an_assignment_needs_a_running_engagement_and_a_place_in_the_firm() {
        let firm = Uuid::from_u128(1);
        let assigned = |last: &str, ended_at| Holding {
            engagement: Some((firm, day("2027-03-11"), Some(day(last)), ended_at)),
            in_firm: Some(Uuid::nil()),
            ..own("UTC")
        };
        let runs = assigned("2027-03-11", None);

        assert!(runs.holds(day("2027-03-11")));
        assert!(!runs.holds(day("2027-03-10")) && !runs.holds(day("2027-03-12")));
        let ended = assigned("2027-03-31", "2027-03-01T00:00:00Z".parse().ok());
        assert!(!ended.holds(day("2027-03-11")));
        let left = Holding {
            in_firm: None,
            ..runs
        };
        assert!(!left.holds(day("2027-03-11")));
    }

    #[test]
    fn days_are_those_of_the_tenants_zone() {
        for (zone, first, last) in [
            (
                "Pacific/Auckland",
                "2027-03-09T11:00:00Z",
                "2027-03-12T10:59:59Z",
            ),
            (
                "Pacific/Honolulu",
                "2027-03-10T10:00:00Z",
                "2027-03-13T09:59:59Z",
            ),
        ] {
            let at = |text: &str, seconds| {
                let instant: DateTime<Utc> = text.parse().unwrap();
                own(zone).holds_at(instant + chrono::TimeDelta::seconds(seconds))
            };
            assert!(!at(first, -1) && at(first, 0), "{zone}");
            assert!(at(last, 0) && !at(last, 1), "{zone}");
        }
    }
}
