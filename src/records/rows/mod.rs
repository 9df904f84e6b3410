//! Rows under a record, where there are many: measurements of a metric, acknowledgements of a
//! policy. They have a table of their own, are added in bulk with one event, and are read page by
//! page in the order of time.
//!
//! | file | question |
//! |---|---|
//! | `declare.rs` | what does a kind of row say of itself? |
//! | `entry.rs` | how do routes and documentation meet all of them without their type? |
//! | `taking.rs` | may who sends them add them, and is each well formed? |
//! | `storing.rs` | which are new, how are they stored and told, and what follows? |
//! | `reading.rs` | which are there, by time and person? |
//! | `figures.rs` | how many are there? |

mod declare;
mod entry;
mod figures;
mod reading;
mod storing;
mod taking;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use utoipa::ToSchema;

pub use self::declare::{Known, Rows};
pub use self::entry::RowEntry;
pub(super) use self::figures::are_there;
pub use self::figures::count_rows;
pub use self::reading::newest_rows;
pub(super) use self::reading::{Page, Wanted, list};
pub use self::storing::{add_rows_for, forget_deadlines};
pub(super) use self::taking::add;

/// Rows of one request.
pub(super) const AT_ONCE: usize = 1_000;

/// What became of rows that were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct RowsAdded {
    /// How many were stored.
    pub added: usize,
    /// How many were there already, the same.
    pub known: usize,
}

/// An instant as part of a key: the same for the same instant, whatever zone it was written in.
pub fn instant_key(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}
