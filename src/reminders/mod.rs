//! Reminders of what is due: a ledger in which each reminder stands once, whatever replica plans
//! it and however late.
//!
//! | file | question |
//! |---|---|
//! | `plan.rs` | when is somebody reminded of something due? (pure) |
//! | `recipients.rs` | who is reminded, and why? |
//! | `open.rs` | which deadlines stand? |
//! | `ledger.rs` | what is due now and not yet in the ledger, and what in it is no longer true? |
//! | `waiting.rs` | is a reminder that waits still true? |
//! | `recheck.rs` | does a reminder go at the moment of sending, and what does it say? |
//! | `routes.rs` | what can be read of it? |
//! | `deadlines.rs` | what is due? |
//! | `preview.rs` | what would be sent until some day? |

mod deadlines;
mod ledger;
mod open;
mod plan;
mod preview;
mod recheck;
mod recipients;
mod routes;
mod waiting;

use std::sync::Arc;

pub use ledger::Ledger;
pub use plan::instant;
pub use recheck::Recheck;
pub use routes::routes;

/// What a kind of record is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindName {
    /// Last part of the path: `risks`.
    pub path: String,
    /// Title for people: `Risk`.
    pub title: String,
}

/// Finds the names of a kind.
pub type FindName = dyn Fn(&str) -> Option<KindName> + Send + Sync;

/// Names kinds of records; `app.rs` draws it from the registry.
#[derive(Clone)]
pub struct Naming(pub Arc<FindName>);

impl Naming {
    /// The names of a kind; those of one that is unknown are made from its own.
    pub fn of(&self, kind: &str) -> KindName {
        (self.0)(kind).unwrap_or_else(|| KindName {
            path: kind.to_owned(),
            title: "Record".to_owned(),
        })
    }
}
