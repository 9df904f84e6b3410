//! Who is reminded: the person responsible and the holders of the deadline's roles, as far as
//! they belong to the tenant on the day and take mail. Where nobody is left, the AIMS manager
//! stands in, then top management. What is overdue for too long is told to others too.

use chrono::{DateTime, NaiveDate, Utc};
use utoipa::ToSchema;
use uuid::Uuid;

use super::open::Open;
use super::plan::Step;
use crate::tenancy::{Holding, MemberAccount, Role, Roles};

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
    pub(super) member: &'m MemberAccount,
    pub(super) why: Why,
    /// Since when they are: steps before it do not count.
    pub(super) since: DateTime<Utc>,
}

impl Recipient<'_> {
    pub(super) fn person(&self) -> Uuid {
        self.member.holding.user_id
    }
}

/// Whether the person wants mail.
pub(super) fn wants_mail(member: &MemberAccount) -> bool {
    let (_, _, wants_mail) = member.account;
    wants_mail
}

/// Roles that somebody answers for: consultants for those of the consultancy only, whatever else
/// they hold.
fn answers_for(holding: &Holding) -> Roles {
    if !holding.is_assignment() {
        return holding.roles();
    }
    let of_firm = holding
        .roles()
        .iter()
        .filter(|role| role.is_of_consultancy());
    of_firm.fold(Roles::default(), |some, role| some.with(Roles::of(&[role])))
}

/// Whom a step of a deadline reaches on a civil date, each person once.
pub(super) fn of<'m>(
    members: &'m [MemberAccount],
    open: &Open,
    step: &Step,
    on: NaiveDate,
) -> Vec<Recipient<'m>> {
    let reached = |matches: &dyn Fn(&MemberAccount) -> Option<DateTime<Utc>>, why| {
        let here = members
            .iter()
            .filter(|member| wants_mail(member) && member.holding.holds(on));
        here.filter_map(|member| matches(member).map(|since| Recipient { member, why, since }))
            .collect::<Vec<_>>()
    };
    let holders = |roles: Roles| {
        move |member: &MemberAccount| {
            answers_for(&member.holding)
                .meets(roles)
                .then_some(member.updated_at)
        }
    };
    let wanted = holders(Roles::parse(open.roles.iter().map(String::as_str)));
    let own = |member: &MemberAccount| {
        let mine = open.person_id == Some(member.holding.user_id);
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
    found.sort_by_key(|recipient| recipient.person());
    found.dedup_by(|later, first| {
        let same = later.person() == first.person();
        if same && later.why == first.why {
            first.since = first.since.min(later.since);
        }
        same
    });
    found
}

/// The title of a record, as somebody sees it; none when they do not see the record.
pub(super) fn title_for<'o>(
    members: &[MemberAccount],
    person: Uuid,
    open: &'o Open,
    on: NaiveDate,
) -> Option<&'o str> {
    let roles = members
        .iter()
        .map(|member| &member.holding)
        .filter(|holding| holding.user_id == person && holding.holds(on))
        .map(Holding::roles)
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

    fn member(id: u128, roles: &[&str]) -> MemberAccount {
        MemberAccount::example(Uuid::from_u128(id), roles, None)
    }

    fn without_mail(member: MemberAccount) -> MemberAccount {
        MemberAccount {
            account: (String::new(), String::new(), false),
            ..member
        }
    }

    fn consultant(id: u128, roles: &[&str], in_firm: bool) -> MemberAccount {
        MemberAccount::example(Uuid::from_u128(id), roles, Some(in_firm))
    }

    /// Who is reminded so many days before, and why.
    fn told(
        members: &[MemberAccount],
        person: Option<u128>,
        roles: &[&str],
        days: i32,
        today: &str,
    ) -> Vec<(u128, &'static str)> {
        let roles = roles.iter().map(|role| (*role).to_owned()).collect();
        let open = Open::example(person.map(Uuid::from_u128), roles);
        let step = open.schedule(&[7]).step(Lead::days(days), Tz::UTC).unwrap();
        of(members, &open, &step, day(today))
            .iter()
            .map(|found| (found.person().as_u128(), found.why.as_str()))
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
        left.holding.valid_until = Some(day("2026-04-30"));
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
