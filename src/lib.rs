//! Multi-tenant AI management systems (ISO/IEC 42001) as a REST API.
//!
//! The map of the house:
//!
//! | module | what it is |
//! |---|---|
//! | [`app`] | composition root; the only file that names every feature |
//! | [`config`], [`clock`], [`problem`], [`telemetry`] | settings, time, errors, logs |
//! | [`postgres`] | the built-in PostgreSQL cluster |
//! | [`tenancy`] | the only door to the database |
//! | [`http`] | what every route has in common |
//! | [`records`] | the kernel of all kinds of record |
//! | [`aims`] | the kinds, one file each, in the groups of the standard |
//! | [`catalog`] | clauses and controls that records are linked to |
//! | [`identity`], [`consultancy`] | people and sign-in; firms, tenants, portfolio |
//! | [`reminders`], [`mail`], [`jobs`] | what is due, how it is told, what runs by itself |
//! | [`pages`] | what a person sees who clicks on a link in a mail |
//! | [`demo`] | a consultancy with two clients, loaded through the API |

pub mod aims;
pub mod app;
pub mod catalog;
pub mod clock;
pub mod config;
pub mod consultancy;
pub mod demo;
pub mod http;
pub mod identity;
pub mod jobs;
pub mod mail;
pub mod pages;
pub mod postgres;
pub mod problem;
pub mod records;
pub mod reminders;
#[expect(missing_docs, reason = "generated; the comments are in the database")]
pub mod schema;
pub mod telemetry;
pub mod tenancy;
