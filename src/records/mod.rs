//! The kernel: everything a record of any kind needs, written once.
//!
//! | file | question |
//! |---|---|
//! | `kind.rs` | what is a kind, what is a reference? |
//! | `lifecycle.rs` | how does a kind declare its states? |
//! | `registry.rs` | how do routes and store meet all kinds without knowing them? |
//! | `refs.rs` | where in a body are references and computed fields? |
//! | `spine.rs`, `row.rs` | what has every record, and how is it stored and shown? |
//! | `store.rs` | how is one made, changed, archived? |
//! | `transitions.rs` | how does it move, who approves, what is frozen? |
//! | `links.rs`, `deadlines.rs`, `notes.rs`, `history.rs` | what hangs on it? |
//! | `list.rs`, `shaping.rs`, `find.rs` | which ones are there, how shown, for clients and for rules? |
//! | `parts.rs`, `batch.rs` | items of a list in it, many at once? |
//! | `routes.rs`, `openapi.rs` | how do clients reach all this, and read about it? |
//!
//! The kernel knows no kind by name.

mod batch;
mod deadlines;
mod find;
mod history;
mod kind;
mod lifecycle;
mod links;
mod list;
mod notes;
mod openapi;
mod parts;
mod refs;
mod registry;
mod routes;
mod row;
mod shaping;
mod spine;
mod store;
mod transitions;

pub use deadlines::REVIEW;
pub use find::{Find, counts, find, get};
pub use kind::{Deadline, Filter, Kind, KindInfo, PERSON, Part, PersonId, REFERS_TO, Record, Ref};
pub(crate) use lifecycle::lifecycle;
pub use lifecycle::{Lifecycle, Rule, RuleCheck, Transition};
pub use links::referring;
pub use openapi::document;
pub use registry::{Entry, Move, Registry, install, registry};
pub use routes::routes;
pub use transitions::follow;
