//! The HTTP contract: what every operation promises, whatever it is about.

mod addresses;
mod atomicity;
mod bad_input;
mod batch;
mod crash;
mod filters;
mod growth;
mod idempotency;
mod idempotent_posts;
mod lists;
mod lost_update;
mod mass_assignment;
mod openapi_drift;
mod operations;
mod preflight;
pub mod problems;
mod refusals;
mod roles_snapshot;
mod schema_file;
pub mod stage;
mod tags;
mod truth;

/// Whether committed files are to be written anew.
#[expect(clippy::disallowed_methods, reason = "no setting of the program")]
pub fn is_update() -> bool {
    std::env::var("UPDATE").is_ok_and(|value| value == "1")
}
