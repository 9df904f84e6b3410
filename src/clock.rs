//! The only source of "now".
//!
//! Instants are UTC. With `AIMS_TEST_CLOCK=1` the clock is settable, so that a year of
//! reminders can be rehearsed; without it, it is the machine's clock and nothing can move it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;

/// Tells the time. Cheap to clone; all clones move together.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    Machine,
    /// Microseconds to add to the machine's clock.
    Settable(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's clock.
    pub fn machine() -> Self {
        Self(Source::Machine)
    }

    /// A clock that starts at the machine's time and may be set.
    pub fn settable() -> Self {
        Self(Source::Settable(Arc::default()))
    }

    /// Whether [`Clock::set`] can succeed.
    pub fn is_settable(&self) -> bool {
        matches!(self.0, Source::Settable(_))
    }

    /// The present instant, in whole microseconds as PostgreSQL keeps them.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the machine's clock"
    )]
    pub fn now(&self) -> DateTime<Utc> {
        let machine = Utc::now();
        let now = match &self.0 {
            Source::Machine => machine,
            Source::Settable(offset) => {
                machine + TimeDelta::microseconds(offset.load(Ordering::SeqCst))
            }
        };
        DateTime::from_timestamp_micros(now.timestamp_micros()).unwrap_or(now)
    }

    /// Sets the clock; it goes on from there. Answers `false` on the machine's clock.
    #[expect(
        clippy::disallowed_methods,
        reason = "the offset is counted from the machine's clock"
    )]
    pub fn set(&self, now: DateTime<Utc>) -> bool {
        match &self.0 {
            Source::Machine => false,
            Source::Settable(offset) => {
                let shift = now.timestamp_micros() - Utc::now().timestamp_micros();
                offset.store(shift, Ordering::SeqCst);
                true
            }
        }
    }

    /// Today's civil date in `zone`.
    pub fn today(&self, zone: Tz) -> NaiveDate {
        self.now().with_timezone(&zone).date_naive()
    }
}
