//! What the tests stand on: one PostgreSQL cluster for the run, servers with databases of their
//! own, and people who call them.

pub mod actors;
pub mod client;
mod documented;
mod ending;
pub mod server;

pub use actors::{Firm, Person, TenantWorld};
pub use client::{Answer, Client};
pub use server::{App, Setup, app, owner_url};
