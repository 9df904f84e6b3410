//! What every route shares: strict input, conditional requests, paging, limits, the edge that
//! turns every error into a problem, and the published description of the API.

pub mod cors;
pub mod cursor;
pub mod docs;
pub mod edge;
pub mod etag;
pub mod health;
pub mod json;
pub mod limits;
pub mod merge_patch;
pub mod openapi;
pub mod openapi_3_0;
pub mod operations;
mod problem_of;
pub mod query;
pub mod schema;
mod sentence;
pub mod shared;
