//! When somebody is reminded of something due: a pure function of dates, zone and instant.
//!
//! Reminders go out on the deadline's warning days, on four weeks after it, and when it is
//! escalated; then there is silence. What is due by the end of a day is mentioned at 08:00 in the
//! tenant's zone; what is due at an instant whole days before it to the minute, six hours before
//! it, and when it is reached. At any instant only the latest of these steps counts: after an
//! outage the earlier ones are not made up for. Steps before the day the date was set do not
//! count either. The warning days are those of the deadline, else those of the tenant's settings.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

use crate::tenancy::{Role, Roles};

/// Hours before an instant at which people are reminded besides.
const WARN_HOURS: i32 = 6;
/// Days overdue at which people are reminded.
const OVERDUE: [i32; 4] = [7, 14, 21, 28];
/// Days overdue after which others are told, unless the deadline says so itself.
const ESCALATE_AFTER: i32 = 35;
/// Who is told then.
pub(super) const ESCALATE_TO: Roles = Roles::of(&[Role::AimsManager, Role::TopManagement]);
/// How long the last step counts: whoever was away for longer need not be told of it.
pub(super) const LAST_COUNTS: TimeDelta = TimeDelta::days(30);
/// How far a change of the tenant's zone shifts a step, and more.
const ZONE_SHIFT: TimeDelta = TimeDelta::days(2);
/// Minutes after which the search for the end of a gap is given up; the longest in the tz
/// database are days left out at the date line.
const GAP_MOST: i64 = 3 * 24 * 60;

/// When reminders go out, in the tenant's zone.
fn send_time() -> NaiveTime {
    NaiveTime::from_hms_opt(8, 0, 0).unwrap_or_default()
}

/// How long before something is due; what comes later is smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Lead {
    /// Days; negative when overdue.
    pub(super) days: i32,
    /// Hours besides.
    pub(super) hours: i32,
}

/// What decides when people are reminded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule<'a> {
    pub(super) due_on: NaiveDate,
    pub(super) due_at: Option<DateTime<Utc>>,
    /// Civil date since which it is due then.
    pub(super) set_on: NaiveDate,
    /// Days before it on which people are reminded.
    pub(super) warn: &'a [i32],
    /// Its own days overdue after which it is escalated.
    pub(super) escalate_after: Option<i32>,
}

/// One reminder of something due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) lead: Lead,
    /// Civil date.
    pub(super) on: NaiveDate,
    /// When it goes out.
    pub(super) send_at: DateTime<Utc>,
    /// Whether others are told too.
    pub(super) escalated: bool,
}

impl Lead {
    pub(super) const fn days(days: i32) -> Self {
        Self { days, hours: 0 }
    }

    pub(super) fn length(self) -> TimeDelta {
        TimeDelta::days(self.days.into()) + TimeDelta::hours(self.hours.into())
    }
}

/// All leads of deadlines with these warning days and this escalation, from the earliest.
pub(super) fn leads(warn: &[i32], escalate_after: Option<i32>, instant: bool) -> Vec<Lead> {
    let escalation = escalate_after.unwrap_or(ESCALATE_AFTER);
    let overdue = OVERDUE.iter().chain([&escalation]).map(|days| -days);
    let days = warn.iter().copied().chain(overdue);
    let mut leads: Vec<Lead> = days.map(Lead::days).collect();
    if instant {
        leads.push(Lead::days(0));
        leads.push(Lead {
            days: 0,
            hours: WARN_HOURS,
        });
    }
    leads.sort_unstable_by(|one, other| other.cmp(one));
    leads.dedup();
    leads
}

/// How long ago the present step of a deadline with these warning days may have come.
pub(super) fn step_age(warn: &[i32]) -> TimeDelta {
    let leads = leads(warn, None, false);
    let gaps = leads.windows(2).filter_map(|pair| match pair {
        [one, next] => Some(one.length() - next.length()),
        _ => None,
    });
    gaps.chain([LAST_COUNTS]).max().unwrap_or(LAST_COUNTS) + ZONE_SHIFT
}

impl Schedule<'_> {
    /// How long before it people are reminded, from the earliest.
    pub(super) fn leads(&self) -> Vec<Lead> {
        leads(self.warn, self.escalate_after, self.due_at.is_some())
    }

    /// All steps, from the earliest.
    pub(super) fn steps(&self, zone: Tz) -> Vec<Step> {
        self.leads()
            .into_iter()
            .filter_map(|lead| self.step(lead, zone))
            .filter(|step| step.on >= self.set_on)
            .collect()
    }

    /// The step that counts at `now`: the latest that has come.
    pub(super) fn current(&self, zone: Tz, now: DateTime<Utc>) -> Option<Step> {
        let steps = self.steps(zone);
        let last = steps.last().map(|step| step.lead);
        let current = steps.into_iter().rfind(|step| step.send_at <= now)?;
        let over = Some(current.lead) == last && now - current.send_at > LAST_COUNTS;
        (!over).then_some(current)
    }

    /// The step so long before, whether it counts or not; none beyond the calendar.
    pub(super) fn step(&self, lead: Lead, zone: Tz) -> Option<Step> {
        let (on, send_at) = match self.due_at {
            Some(due_at) => {
                let send_at = due_at.checked_sub_signed(lead.length())?;
                (send_at.with_timezone(&zone).date_naive(), send_at)
            }
            None => {
                let on = self
                    .due_on
                    .checked_sub_signed(TimeDelta::days(lead.days.into()))?;
                (on, instant(on, zone)?)
            }
        };
        let escalation = self.escalate_after.unwrap_or(ESCALATE_AFTER);
        Some(Step {
            lead,
            on,
            send_at,
            escalated: -lead.days >= escalation,
        })
    }
}

/// When reminders of a civil date go out: 08:00 there.
pub fn instant(on: NaiveDate, zone: Tz) -> Option<DateTime<Utc>> {
    local(on, send_time(), zone)
}

/// When a civil date begins.
pub(super) fn midnight(on: NaiveDate, zone: Tz) -> Option<DateTime<Utc>> {
    local(on, NaiveTime::MIN, zone)
}

/// A local time: the first valid instant after it where clocks are put forward over it, the first
/// of the two where they are put back.
fn local(on: NaiveDate, time: NaiveTime, zone: Tz) -> Option<DateTime<Utc>> {
    let wanted = on.and_time(time);
    (0..=GAP_MOST)
        .filter_map(|minutes| wanted.checked_add_signed(TimeDelta::minutes(minutes)))
        .find_map(|local| zone.from_local_datetime(&local).earliest())
        .map(|local| local.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ZONE: Tz = Tz::Europe__Berlin;
    const WARN: &[i32] = &[30, 14, 7, 1, 0];

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn by_date(due: &str, set: &str) -> Schedule<'static> {
        Schedule {
            due_on: day(due),
            due_at: None,
            set_on: day(set),
            warn: WARN,
            escalate_after: None,
        }
    }

    fn lead_at(due: &str, set: &str, now: &str) -> Option<i32> {
        by_date(due, set)
            .current(ZONE, at(now))
            .map(|step| step.lead.days)
    }

    #[test]
    fn only_the_latest_step_counts_and_nagging_ends() {
        let (due, set) = ("2027-03-01", "2026-01-01");
        for (now, lead) in [
            ("2027-01-30T06:59:59Z", None),
            ("2027-01-30T07:00:00Z", Some(30)),
            ("2027-02-15T06:59:59Z", Some(30)),
            ("2027-02-15T07:00:00Z", Some(14)),
            ("2027-02-27T23:00:00Z", Some(7)),
            ("2027-02-28T07:00:00Z", Some(1)),
            ("2027-03-01T07:00:00Z", Some(0)),
            ("2027-03-08T06:59:59Z", Some(0)),
            ("2027-03-08T07:00:00Z", Some(-7)),
            ("2027-03-31T06:00:00Z", Some(-28)),
            ("2027-04-05T06:00:00Z", Some(-35)),
            ("2027-05-05T06:00:00Z", Some(-35)),
            ("2027-05-05T06:00:01Z", None),
            ("2099-01-01T00:00:00Z", None),
        ] {
            assert_eq!(lead_at(due, set, now), lead, "{now}");
        }
    }

    #[test]
    fn steps_before_the_date_was_set_are_not_made_up_for() {
        let due = "2027-03-01";
        assert_eq!(lead_at(due, "2027-02-24", "2027-02-24T12:00:00Z"), None);
        assert_eq!(lead_at(due, "2027-02-24", "2027-02-28T07:00:00Z"), Some(1));
        assert_eq!(lead_at(due, "2027-02-22", "2027-02-22T12:00:00Z"), Some(7));
        assert_eq!(lead_at(due, "2027-03-05", "2027-03-05T12:00:00Z"), None);
        assert_eq!(lead_at(due, "2027-03-05", "2027-03-08T12:00:00Z"), Some(-7));
        assert!(by_date("1900-01-01", "2027-01-01").steps(ZONE).is_empty());
    }

    #[test]
    fn a_deadline_has_its_own_days_and_escalation() {
        let certificate = Schedule {
            warn: &[180, 90, 30],
            escalate_after: Some(10),
            ..by_date("2027-12-31", "2026-01-01")
        };

        let steps: Vec<_> = certificate
            .steps(ZONE)
            .iter()
            .map(|step| (step.lead.days, step.escalated))
            .collect();

        assert_eq!(
            steps,
            [
                (180, false),
                (90, false),
                (30, false),
                (-7, false),
                (-10, true),
                (-14, true),
                (-21, true),
                (-28, true)
            ]
        );
    }

    #[test]
    fn the_present_step_is_as_old_as_the_widest_gap_at_most() {
        for (warn, days) in [
            (WARN, 32),
            (&[0, 90, 180], 92),
            (&[60], 69),
            (&[1], 32),
            (&[400, 0], 402),
        ] {
            assert_eq!(step_age(warn), TimeDelta::days(days), "{warn:?}");
        }
    }

    #[test]
    fn an_instant_is_mentioned_before_it_to_the_minute_and_when_it_is_reached() {
        let notice = Schedule {
            due_at: Some(at("2027-03-03T22:40:00Z")),
            ..by_date("2027-03-03", "2027-02-28")
        };

        let said: Vec<_> = notice
            .steps(ZONE)
            .iter()
            .map(|step| step.send_at.to_rfc3339())
            .take(4)
            .collect();

        assert_eq!(
            said,
            [
                "2027-03-02T22:40:00+00:00",
                "2027-03-03T16:40:00+00:00",
                "2027-03-03T22:40:00+00:00",
                "2027-03-10T22:40:00+00:00"
            ]
        );
    }

    #[test]
    fn a_gap_moves_on_and_an_overlap_takes_the_first() {
        // Apia left out 30 December 2011.
        let skipped = instant(day("2011-12-30"), Tz::Pacific__Apia);
        assert_eq!(skipped, Some(at("2011-12-30T10:00:00Z")));
        // Troll and others change at other hours; 08:00 is stable in Berlin.
        let berlin = instant(day("2027-03-28"), Tz::Europe__Berlin);
        assert_eq!(berlin, Some(at("2027-03-28T06:00:00Z")));
    }

    #[test]
    fn every_civil_date_of_every_zone_has_exactly_one_instant() {
        for zone in chrono_tz::TZ_VARIANTS {
            let mut before = None;
            for on in day("2024-01-01")
                .iter_days()
                .take_while(|on| *on < day("2035-01-01"))
            {
                let send_at = instant(on, zone).unwrap();
                assert!(before.is_none_or(|before| before < send_at), "{zone} {on}");
                assert_eq!(send_at.with_timezone(&zone).date_naive(), on, "{zone}");
                before = Some(send_at);
            }
        }
    }

    proptest! {
        #[test]
        fn the_current_step_is_the_last_of_all_that_have_come(
            zone in 0..chrono_tz::TZ_VARIANTS.len(),
            due in 0..3_650_i64,
            set in -60..400_i64,
            minutes in -60 * 1_440..60 * 1_440_i64,
            instant in proptest::bool::ANY,
        ) {
            let zone = chrono_tz::TZ_VARIANTS[zone];
            let due_on = day("2025-01-01") + TimeDelta::days(due);
            let midnight = due_on.and_time(NaiveTime::MIN).and_utc();
            let schedule = Schedule {
                due_on,
                due_at: instant.then_some(midnight),
                set_on: due_on - TimeDelta::days(set),
                warn: WARN,
                escalate_after: None,
            };
            let now = midnight + TimeDelta::minutes(minutes);

            let steps = schedule.steps(zone);

            prop_assert!(steps.is_sorted_by(|one, other| one.send_at < other.send_at));
            let expected = steps.into_iter().take_while(|step| step.send_at <= now).last();
            prop_assert_eq!(schedule.current(zone, now), expected);
        }
    }
}
