//! Who is reminded: the person responsible and the holders of the deadline's roles, as far as
//! they belong to the tenant today.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel::result::QueryResult;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::schema::{consultancy_members, engagements, memberships, users};
use crate::tenancy::Roles;

/// A membership of a tenant that has not been ended, with what decides whether it holds today.
#[derive(Queryable, Selectable)]
#[diesel(table_name = memberships, check_for_backend(diesel::pg::Pg))]
pub(super) struct Member {
    pub(super) user_id: Uuid,
    roles: Vec<String>,
    valid_from: NaiveDate,
    valid_until: Option<NaiveDate>,
    #[diesel(select_expression = (users::email, users::name, users::notify_by_mail))]
    pub(super) account: (String, String, bool),
    #[diesel(select_expression = (engagements::starts_on, engagements::ends_on, engagements::ended_at).nullable())]
    engagement: Option<(NaiveDate, Option<NaiveDate>, Option<DateTime<Utc>>)>,
    #[diesel(select_expression = consultancy_members::user_id.nullable())]
    firm_member: Option<Uuid>,
}

/// The open memberships of a tenant; accounts that are disabled are left out.
pub(super) async fn members(db: &AsyncPgConnection, tenant_id: Uuid) -> QueryResult<Vec<Member>> {
    memberships::table
        .inner_join(users::table.on(users::id.eq(memberships::user_id)))
        .left_join(engagements::table)
        .left_join(
            consultancy_members::table.on(consultancy_members::consultancy_id
                .nullable()
                .eq(engagements::consultancy_id.nullable())
                .and(consultancy_members::user_id.eq(memberships::user_id))
                .and(consultancy_members::ended_at.is_null())),
        )
        .filter(memberships::tenant_id.eq(tenant_id))
        .filter(memberships::ended_at.is_null())
        .filter(users::disabled_at.is_null())
        .select(Member::as_select())
        .load(&mut &*db)
        .await
}

impl Member {
    /// Whether the membership holds on a civil date of the tenant; a consultant needs a running
    /// engagement and a place in the firm besides.
    pub(super) fn holds(&self, today: NaiveDate) -> bool {
        let own = self.valid_from <= today && self.valid_until.is_none_or(|last| today <= last);
        let engaged = self
            .engagement
            .is_none_or(|(starts_on, ends_on, ended_at)| {
                ended_at.is_none()
                    && starts_on <= today
                    && ends_on.is_none_or(|last| today <= last)
                    && self.firm_member.is_some()
            });
        own && engaged
    }

    /// Whether the person wants mail.
    pub(super) fn wants_mail(&self) -> bool {
        let (_, _, wants_mail) = self.account;
        wants_mail
    }

    /// Whether they hold one of these roles. Consultants answer for a role of the consultancy
    /// only, whatever else they hold.
    fn holds_one_of(&self, wanted: Roles) -> bool {
        let held = Roles::parse(self.roles.iter().map(String::as_str));
        if self.engagement.is_some() {
            return held
                .iter()
                .any(|role| role.is_of_consultancy() && wanted.has(role));
        }
        held.meets(wanted)
    }
}

/// Who of the members is to be reminded of a deadline, each person once.
pub(super) fn of<'m>(
    members: &'m [Member],
    person: Option<Uuid>,
    roles: &[String],
    today: NaiveDate,
) -> Vec<&'m Member> {
    let wanted = Roles::parse(roles.iter().map(String::as_str));
    let mut found: Vec<&Member> = members
        .iter()
        .filter(|member| member.holds(today))
        .filter(|member| person == Some(member.user_id) || member.holds_one_of(wanted))
        .collect();
    found.sort_by_key(|member| member.user_id);
    found.dedup_by_key(|member| member.user_id);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn member(id: u128, roles: &[&str]) -> Member {
        Member {
            user_id: Uuid::from_u128(id),
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
            valid_from: day("2026-01-01"),
            valid_until: None,
            account: ("a@example.org".to_owned(), "A".to_owned(), true),
            engagement: None,
            firm_member: None,
        }
    }

    fn consultant(id: u128, roles: &[&str], in_firm: bool) -> Member {
        Member {
            engagement: Some((day("2026-01-01"), Some(day("2026-12-31")), None)),
            firm_member: in_firm.then(|| Uuid::from_u128(id)),
            ..member(id, roles)
        }
    }

    fn ids(members: &[Member], person: Option<u128>, roles: &[&str], today: &str) -> Vec<u128> {
        let roles: Vec<_> = roles.iter().map(|role| (*role).to_owned()).collect();
        of(members, person.map(Uuid::from_u128), &roles, day(today))
            .iter()
            .map(|member| member.user_id.as_u128())
            .collect()
    }

    #[test]
    fn the_person_and_the_holders_of_the_roles_each_once() {
        let members = [
            member(1, &["risk_owner"]),
            member(1, &["aims_manager"]),
            member(2, &["aims_manager"]),
            member(3, &["viewer"]),
        ];
        assert_eq!(
            ids(&members, Some(1), &["aims_manager"], "2026-05-01"),
            [1, 2]
        );
        assert_eq!(ids(&members, Some(9), &[], "2026-05-01"), [0_u128; 0]);
    }

    #[test]
    fn only_memberships_that_hold_today_count() {
        let mut left = member(1, &["aims_manager"]);
        left.valid_until = Some(day("2026-04-30"));
        assert_eq!(ids(&[left], Some(1), &[], "2026-05-01"), [0_u128; 0]);
        let later = member(2, &["aims_manager"]);
        assert_eq!(ids(&[later], Some(2), &[], "2025-12-31"), [0_u128; 0]);
    }

    #[test]
    fn consultants_answer_for_roles_of_the_consultancy_only() {
        let members = [
            consultant(1, &["lead", "internal_auditor"], true),
            consultant(2, &["lead"], false),
        ];
        assert_eq!(ids(&members, None, &["lead"], "2026-05-01"), [1]);
        assert_eq!(
            ids(&members, None, &["internal_auditor"], "2026-05-01"),
            [0_u128; 0]
        );
        assert_eq!(ids(&members, None, &["lead"], "2027-01-01"), [0_u128; 0]);
    }
}
