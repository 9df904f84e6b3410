//! Nobody sees, changes or learns of what is not theirs: sweeps generated from the OpenAPI
//! document and from `pg_catalog`, so that what is added later is swept as well.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod catalogue;
pub mod document;
mod foreign_keys;
mod former;
pub mod holdings;
mod id_fields;
mod id_queries;
mod matrix;
mod oracles;
mod schema_gate;
mod schema_teeth;
mod walls;
