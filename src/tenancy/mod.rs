//! The only door to the database.
//!
//! | file | question |
//! |---|---|
//! | `db.rs` | how is a connection opened, and is its role harmless? |
//! | `tx.rs` | what is one transaction, and which tenant does it see? |
//! | `savepoints.rs` | how is a part of one taken back? |
//! | `platform.rs` | who may work without a tenant, or in many? |
//! | `chain.rs` | how does a change become an event of the hash chain? |
//! | `roles.rs` | who may do what in a firm and in a tenant? |
//! | `caller.rs` | who is calling, and which tenants may they reach? |
//! | `holding.rs` | does somebody's place in a tenant hold today? |
//! | `access.rs` | may this caller do this in the tenant of the path? |
//! | `idempotency.rs` | has this very request been answered before? |
//!
//! A handler never sees a pool. It asks for an [`Access`] whose type names the permission it
//! needs; only an `Access` opens a transaction, and that transaction sees one tenant. Features
//! that work before a tenant is chosen (identity, consultancies) use [`Platform`]; jobs use
//! [`Platform::system`], one tenant at a time.

mod access;
mod caller;
mod chain;
mod db;
mod error;
mod holding;
mod idempotency;
mod platform;
mod prepared;
mod roles;
mod savepoints;
mod tx;

pub use access::{
    Access, Ends, Invites, Manages, Member, Oversees, Permission, Reads, TakesPart, TenantPath,
    Writes,
};
pub use caller::{
    Caller, Callers, FirmMembership, Identity, Membership, SignedIn, VerifyToken, meet,
};
pub use db::{Db, DbError, migrate, pending_migrations, table_rights_fault};
pub use error::database_problem;
pub(crate) use holding::zone_of;
pub use holding::{
    Holding, MemberAccount, PlaceState, holders, holders_among, holders_of, holders_on, members,
    within,
};
pub use idempotency::{Answer, IdempotencyKey};
pub use platform::Platform;
pub use prepared::Prepared;
pub use roles::{FirmRole, Role, Roles};
pub use tx::{Actor, Tenant, TenantTx};
