//! When a mail that could not be delivered is tried again (RFC 5321 section 4.5.4.1).

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

/// Tries before a mail is given up.
pub(super) const TRIES: i32 = 10;
/// Age at which a mail is given up.
const GIVE_UP: TimeDelta = TimeDelta::days(4);
/// Shortest pause; each further one is three times as long.
const FIRST_PAUSE: i64 = 60;
/// Pause in seconds while the mail server refuses us.
const OUR_PAUSE: i64 = 5 * 60;
/// Longest pause in seconds.
const LONGEST_PAUSE: i64 = 24 * 60 * 60;

/// When to try again after `tries` tries; `None` when it is time to give up. The pauses grow
/// from one minute to one day, so that all tries span almost three days, and vary by a quarter
/// from mail to mail, so that a server that comes back is not overrun.
pub(super) fn next_try(
    id: Uuid,
    tries: i32,
    created_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    if tries >= TRIES || now - created_at > GIVE_UP {
        return None;
    }
    let power = u32::try_from(tries.max(1) - 1).unwrap_or_default();
    let pause = FIRST_PAUSE
        .saturating_mul(3_i64.saturating_pow(power))
        .min(LONGEST_PAUSE);
    now.checked_add_signed(TimeDelta::seconds(pause + jitter(id, tries, pause)))
}

/// When to try again after the mail server has refused us, not the mail: for as long as it does.
pub(super) fn pause(id: Uuid, now: DateTime<Utc>) -> DateTime<Utc> {
    now + TimeDelta::seconds(OUR_PAUSE + jitter(id, 0, OUR_PAUSE))
}

/// Seconds by which a pause is longer, up to a quarter.
fn jitter(id: Uuid, tries: i32, pause: i64) -> i64 {
    // The last bytes of a UUIDv7 are random.
    let random: i64 = id
        .as_bytes()
        .iter()
        .rev()
        .take(2)
        .map(|b| i64::from(*b))
        .sum();
    pause * (random + i64::from(tries) * 97).rem_euclid(256) / 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn pauses_grow_from_a_minute_and_span_days() {
        let created = at("2026-01-01T00:00:00Z");
        let mut now = created;
        let mut pauses = Vec::new();
        for tries in 1.. {
            let Some(next) = next_try(Uuid::now_v7(), tries, created, now) else {
                break;
            };
            pauses.push((next - now).num_seconds());
            now = next;
        }

        assert_eq!(pauses.len(), 9);
        assert!(pauses.iter().all(|pause| *pause >= 60));
        assert!(
            pauses.windows(2).take(7).all(|two| two[0] < two[1]),
            "{pauses:?}"
        );
        let span = now - created;
        assert!(
            span > TimeDelta::days(2) && span < TimeDelta::days(4),
            "{span}"
        );
    }

    #[test]
    fn an_old_mail_is_given_up_early() {
        let created = at("2026-01-01T00:00:00Z");
        assert!(next_try(Uuid::nil(), 2, created, at("2026-01-05T00:00:01Z")).is_none());
        assert!(next_try(Uuid::nil(), 2, created, at("2026-01-04T23:00:00Z")).is_some());
    }
}
