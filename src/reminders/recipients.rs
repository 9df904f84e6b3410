//! Who is reminded: the person responsible and the holders of the deadline's roles, as far as
//! they belong to the tenant on the day and take mail. Where nobody is left, the AIMS manager
//! stands in, then top management. What is overdue for too long is told to others too.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel::result::QueryResult;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use utoipa::ToSchema;
use uuid::Uuid;

use super::open::Open;
use super::plan::Step;
use crate::schema::{consultancy_members, engagements, memberships, users};
use crate::tenancy::{Role, Roles};

/// Who stands in where nobody responsible can be reached, the first before the second.
const STAND_INS: [Role; 2] = [Role::AimsManager, Role::TopManagement];

/// Why somebody is reminded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(as = ReminderCause, rename_all = "snake_case")]
pub(super) enum Why {
    /// It is theirs, or they hold a role that it is of.
    Responsible,
    /// Nobody responsible belongs to the tenant any more or takes mail.
    NobodyLeft,
    /// It has been overdue for too long.
    Escalated,
}

impl Why {
    /// As in the ledger.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Responsible => "responsible",
            Self::NobodyLeft => "nobody_left",
            Self::Escalated => "escalated",
        }
    }
}

/// Somebody to be reminded.
#[derive(Clone, Copy)]
pub(super) struct Recipient<'m> {
    pub(super) member: &'m Member,
    pub(super) why: Why,
    /// Since when they are: steps before it do not count.
    pub(super) since: DateTime<Utc>,
}

/// A membership of a tenant that has not been ended, with what decides whether it holds today.
#[derive(Queryable, Selectable)]
#[diesel(table_name = memberships, check_for_backend(diesel::pg::Pg))]
pub(super) struct Member {
    pub(super) user_id: Uuid,
    roles: Vec<String>,
    valid_from: NaiveDate,
    valid_until: Option<NaiveDate>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
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

    /// Roles that somebody answers for: consultants for those of the consultancy only, whatever
    /// else they hold.
    fn answers_for(&self) -> Roles {
        let held = Roles::parse(self.roles.iter().map(String::as_str));
        match self.engagement {
            Some(_) => held
                .iter()
                .filter(|role| role.is_of_consultancy())
                .fold(Roles::default(), |some, role| some.with(Roles::of(&[role]))),
            None => held,
        }
    }
}

/// Whom a step of a deadline reaches on a civil date, each person once.
pub(super) fn of<'m>(
    members: &'m [Member],
    open: &Open,
    step: &Step,
    on: NaiveDate,
) -> Vec<Recipient<'m>> {
    let reached = |matches: &dyn Fn(&Member) -> Option<DateTime<Utc>>, why| {
        let here = members
            .iter()
            .filter(|member| member.wants_mail() && member.holds(on));
        here.filter_map(|member| matches(member).map(|since| Recipient { member, why, since }))
            .collect::<Vec<_>>()
    };
    let holders = |roles: Roles| {
        move |member: &Member| {
            member
                .answers_for()
                .meets(roles)
                .then_some(member.updated_at)
        }
    };
    let wanted = holders(Roles::parse(open.roles.iter().map(String::as_str)));
    let own = |member: &Member| {
        let mine = open.person_id == Some(member.user_id);
        mine.then_some(member.created_at).or_else(|| wanted(member))
    };
    let mut found = reached(&own, Why::Responsible);
    for role in STAND_INS {
        if found.is_empty() {
            found = reached(&holders(Roles::of(&[role])), Why::NobodyLeft);
        }
    }
    found.extend(reached(&holders(open.escalated_to(step)), Why::Escalated));
    // Stable: of several reasons the first remains.
    found.sort_by_key(|recipient| recipient.member.user_id);
    found.dedup_by(|later, first| {
        let same = later.member.user_id == first.member.user_id;
        if same && later.why == first.why {
            first.since = first.since.min(later.since);
        }
        same
    });
    found
}

/// The title of a record, as somebody sees it; none when they do not see the record.
pub(super) fn title_for<'o>(
    members: &[Member],
    person: Uuid,
    open: &'o Open,
    on: NaiveDate,
) -> Option<&'o str> {
    let roles = members
        .iter()
        .filter(|member| member.user_id == person && member.holds(on))
        .map(|member| Roles::parse(member.roles.iter().map(String::as_str)))
        .fold(Roles::default(), Roles::with);
    open.titled.title_for(person, roles)
}

#[cfg(test)]
mod tests {
    use super::super::plan::Lead;
    use super::*;
    use chrono_tz::Tz;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn member(id: u128, roles: &[&str]) -> Member {
        Member {
            user_id: Uuid::from_u128(id),
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
            valid_from: day("2026-01-01"),
            valid_until: None,
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
            account: ("a@example.org".to_owned(), "A".to_owned(), true),
            engagement: None,
            firm_member: None,
        }
    }

    fn without_mail(member: Member) -> Member {
        Member {
            account: (String::new(), String::new(), false),
            ..member
        }
    }

    fn consultant(id: u128, roles: &[&str], in_firm: bool) -> Member {
        Member {
            engagement: Some((day("2026-01-01"), Some(day("2026-12-31")), None)),
            firm_member: in_firm.then(|| Uuid::from_u128(id)),
            ..member(id, roles)
        }
    }

    /// Who is reminded so many days before, and why.
    fn told(
        members: &[Member],
        person: Option<u128>,
        roles: &[&str],
        days: i32,
        today: &str,
    ) -> Vec<(u128, &'static str)> {
        let roles = roles.iter().map(|role| (*role).to_owned()).collect();
        let open = Open::example(person.map(Uuid::from_u128), roles);
        let step = open.schedule().step(Lead::days(days), Tz::UTC).unwrap();
        of(members, &open, &step, day(today))
            .iter()
            .map(|found| (found.member.user_id.as_u128(), found.why.as_str()))
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
        let both = [(1, "responsible"), (2, "responsible")];
        assert_eq!(
            told(&members, Some(1), &["aims_manager"], 7, "2026-05-01"),
            both
        );
        assert_eq!(
            told(&members, Some(3), &[], 7, "2026-05-01"),
            [(3, "responsible")]
        );
    }

    #[test]
    fn only_memberships_that_hold_on_the_day_count() {
        let mut left = member(1, &["risk_owner"]);
        left.valid_until = Some(day("2026-04-30"));
        assert_eq!(told(&[left], Some(1), &[], 7, "2026-05-01"), []);
        let later = member(2, &["aims_manager"]);
        assert_eq!(told(&[later], Some(2), &[], 7, "2025-12-31"), []);
    }

    #[test]
    fn where_nobody_is_left_the_manager_stands_in_and_then_top_management() {
        let top = || member(3, &["top_management"]);
        let members = [
            without_mail(member(1, &["risk_owner"])),
            member(2, &["aims_manager"]),
            top(),
        ];
        let stands_in = [(2, "nobody_left")];
        assert_eq!(told(&members, Some(1), &[], 7, "2026-05-01"), stands_in);
        assert_eq!(told(&members, Some(9), &[], 7, "2026-05-01"), stands_in);
        assert_eq!(
            told(&[top()], None, &["aims_manager"], 7, "2026-05-01"),
            [(3, "nobody_left")]
        );
    }

    #[test]
    fn what_is_overdue_for_too_long_is_told_to_others_too() {
        let members = [
            member(1, &["risk_owner"]),
            member(2, &["aims_manager"]),
            member(3, &["top_management"]),
        ];
        let own = [(1, "responsible")];
        assert_eq!(told(&members, Some(1), &[], -28, "2026-05-01"), own);
        assert_eq!(
            told(&members, Some(1), &[], -35, "2026-05-01"),
            [(1, "responsible"), (2, "escalated"), (3, "escalated")]
        );
    }

    #[test]
    fn consultants_answer_for_roles_of_the_consultancy_only() {
        let members = [
            consultant(1, &["lead", "internal_auditor"], true),
            consultant(2, &["lead"], false),
        ];
        let lead = [(1, "responsible")];
        assert_eq!(told(&members, None, &["lead"], 7, "2026-05-01"), lead);
        assert_eq!(
            told(&members, None, &["internal_auditor"], 7, "2026-05-01"),
            []
        );
        assert_eq!(told(&members, None, &["lead"], 7, "2027-01-01"), []);
    }
}
