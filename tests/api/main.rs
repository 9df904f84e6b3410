//! The integration tests: real servers, a real PostgreSQL with the real runtime role.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that meets what it did not expect should fail at once"
)]

mod browser;
mod builtin_postgres;
mod clients;
mod confidential;
mod contract;
mod demo;
mod identity;
mod isolation;
mod kinds;
mod reminders;
mod scenario;
mod scenario_nonconformity;
mod scenario_policy;
mod scenario_soa;
mod shared_state;
mod support;
mod sweeps;
mod what_is_left;
