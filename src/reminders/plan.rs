//! When somebody is reminded of a due date: a pure function of dates, zone and instant.
//!
//! Reminders go out at 08:00 in the tenant's zone, 30, 14, 7, 1 and 0 days before the due date
//! and every week after it. At any instant only the latest of these steps counts: after an
//! outage the earlier ones are not made up for. Steps before the day the due date was set do not
//! count either.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

/// Days before the due date, from the earliest.
pub const LEADS: [i32; 5] = [30, 14, 7, 1, 0];
/// Days between reminders of what is overdue.
const OVERDUE_EVERY: i32 = 7;
/// Minutes after which the search for the end of a gap is given up; the longest in the tz
/// database are days left out at the date line.
const GAP_MOST: i64 = 3 * 24 * 60;

/// When reminders go out, in the tenant's zone.
fn send_time() -> NaiveTime {
    NaiveTime::from_hms_opt(8, 0, 0).unwrap_or_default()
}

/// One reminder of a due date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Days before the due date; negative when overdue.
    pub lead_days: i32,
    /// Civil date.
    pub on: NaiveDate,
    /// When it goes out.
    pub send_at: DateTime<Utc>,
}

/// All steps of a due date, from the earliest; they end with the calendar.
pub fn steps(due_on: NaiveDate, set_on: NaiveDate, zone: Tz) -> impl Iterator<Item = Step> {
    let overdue = (1..).map(|weeks: i32| weeks.saturating_mul(-OVERDUE_EVERY));
    LEADS
        .into_iter()
        .chain(overdue)
        .map_while(move |lead| step(due_on, lead, zone))
        .filter(move |step| step.on >= set_on)
}

/// The step that counts at `now`: the latest that has come.
pub fn current(due_on: NaiveDate, set_on: NaiveDate, zone: Tz, now: DateTime<Utc>) -> Option<Step> {
    let today = now.with_timezone(&zone).date_naive();
    let mut lead = lead_by(due_on, today)?;
    let mut found = step(due_on, lead, zone)?;
    while found.send_at > now {
        lead = lead_by(due_on, found.on.pred_opt()?)?;
        found = step(due_on, lead, zone)?;
    }
    (found.on >= set_on).then_some(found)
}

/// The latest lead whose day is not after `day`.
fn lead_by(due_on: NaiveDate, day: NaiveDate) -> Option<i32> {
    let left = i32::try_from((due_on - day).num_days()).ok()?;
    if left <= -OVERDUE_EVERY {
        return Some(left / OVERDUE_EVERY * OVERDUE_EVERY);
    }
    LEADS.into_iter().rfind(|lead| *lead >= left)
}

fn step(due_on: NaiveDate, lead_days: i32, zone: Tz) -> Option<Step> {
    let on = due_on.checked_sub_signed(TimeDelta::days(lead_days.into()))?;
    Some(Step {
        lead_days,
        on,
        send_at: instant(on, zone)?,
    })
}

/// When reminders of a civil date go out: 08:00 there; the first valid instant after it where
/// clocks are put forward over it, the first of the two where they are put back.
pub fn instant(on: NaiveDate, zone: Tz) -> Option<DateTime<Utc>> {
    let wanted = on.and_time(send_time());
    (0..=GAP_MOST)
        .filter_map(|minutes| wanted.checked_add_signed(TimeDelta::minutes(minutes)))
        .find_map(|local| zone.from_local_datetime(&local).earliest())
        .map(|local| local.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn lead_at(due: &str, set: &str, now: &str) -> Option<i32> {
        current(day(due), day(set), Tz::Europe__Berlin, at(now)).map(|step| step.lead_days)
    }

    #[test]
    fn only_the_latest_step_counts() {
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
            minutes in -60 * 1_440..200 * 1_440_i64,
        ) {
            let zone = chrono_tz::TZ_VARIANTS[zone];
            let due_on = day("2025-01-01") + TimeDelta::days(due);
            let set_on = due_on - TimeDelta::days(set);
            let now = due_on.and_time(NaiveTime::MIN).and_utc() + TimeDelta::minutes(minutes);

            let found = current(due_on, set_on, zone, now);

            let expected = steps(due_on, set_on, zone)
                .take_while(|step| step.send_at <= now)
                .last();
            prop_assert_eq!(found, expected);
        }
    }
}
