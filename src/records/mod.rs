//! The kernel: everything a record of any kind needs, written once.
//!
//! | file | question |
//! |---|---|
//! | `kind.rs`, `typed_refs.rs`, `refs.rs` | what is a kind, what is a reference, where are they in a body? |
//! | `lifecycle.rs`, `rules.rs`, `waivers.rs` | how does a kind declare its states and rules? |
//! | `entry.rs`, `registry.rs`, `behaviour.rs`, `checks.rs` | how do routes and store meet all kinds without knowing them, and does what they declare fit? |
//! | `spine.rs`, `row.rs`, `shadow.rs` | what has every record, how is it stored, shown and found? |
//! | `store.rs`, `saving.rs`, `rights.rs`, `references.rs`, `one_for.rs`, `archive.rs` | how is one made, changed, put away, and by whom? |
//! | `transitions.rs`, `versions.rs`, `parents.rs` | how does it move, who approves, what is frozen and in force, alone or with others? |
//! | `consequences.rs`, `hearing.rs`, `timed.rs`, `session.rs` | what follows from it, for others and in time? |
//! | `visibility.rs`, `called.rs`, `shares.rs`, `hands.rs`, `owned.rs` | who sees it, by which title, whose hands were on it, and who has what? |
//! | `links.rs`, `attached.rs`, `deadlines.rs`, `comments.rs`, `history.rs`, `trail.rs` | what hangs on it, and what happened to it and in the tenant? |
//! | `list.rs`, `wanted.rs`, `order.rs`, `shaping.rs`, `find.rs`, `figures.rs` | which ones are there, for clients, rules and the portfolio? |
//! | `parts.rs`, `rows/`, `batch.rs` | items of a list in it, many rows under it, many at once? |
//! | `settings.rs` | what has the tenant set? |
//! | `closed.rs` | which kinds and states are there, for schemas? |
//! | `routes.rs`, `openapi.rs` | how do clients reach all this, and read about it? |
//!
//! The kernel knows no kind by name.

mod archive;
mod attached;
mod batch;
mod behaviour;
mod called;
mod checks;
mod closed;
mod comments;
mod consequences;
mod deadlines;
mod entry;
mod figures;
mod find;
mod hands;
mod hearing;
mod history;
mod kind;
mod lifecycle;
mod links;
mod list;
mod one_for;
mod openapi;
mod order;
mod owned;
mod parents;
mod parts;
mod references;
mod refs;
mod registry;
mod rights;
mod routes;
mod row;
mod rows;
mod rules;
mod saving;
mod session;
mod settings;
mod shadow;
mod shaping;
mod shares;
mod spine;
mod store;
mod timed;
mod trail;
mod transitions;
mod typed_refs;
mod versions;
mod visibility;
mod waivers;
mod wanted;

pub use called::{Called, Titled, called};
pub use closed::{RecordKind, RecordState};
pub use consequences::{Cause, New, amend, follow, spawn, spawn_all};
pub use deadlines::REVIEW;
pub use entry::{Entry, Move};
pub use figures::{Counted, Figure, NextDate, live};
pub use find::{Find, counts, find, get};
pub use hands::hands_on;
pub use hearing::{Happened, Hears, What};
pub use kind::{Deadline, Kind, KindInfo, OneFor, Part, Record, SeenBy};
pub(crate) use lifecycle::lifecycle;
pub use lifecycle::{Flags, Guard, GuardCheck, Lifecycle, Lives, State, Transition};
pub use openapi::document;
pub use owned::{Owned, owned_by};
pub use refs::{Found, Target};
pub use registry::{Registry, install, registry};
pub use routes::routes;
pub use rows::{
    Known, RowEntry, Rows, add_rows_for, count_rows, forget_deadlines, instant_key, newest_rows,
};
pub use rules::{GEN_1, GEN_2, Guarded, RuleId, Unmet};
pub use settings::{AddedInput, OwnControl, SETTINGS, Settings};
pub use timed::let_time_pass;
pub use typed_refs::{ANY, AnyRef, PERSON, PersonId, REFERS_TO, Ref, UNIT, UnitRef};
pub use versions::{content_hash, in_force, only_in_force, version_of};
pub use visibility::{VisibleIds, visible_ids, whole_ids};
pub use waivers::{Waives, is_waived};
