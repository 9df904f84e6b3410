//! What a mail is about, which may have changed since it was written.
//!
//! The outbox knows mails, not reminders; `reminders` implements this and `app.rs` wires it.

use std::collections::HashMap;

use futures_util::future::LocalBoxFuture;
use uuid::Uuid;

use crate::problem::Result;
use crate::tenancy::{Platform, TenantTx};

/// What became of a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The mail server has taken it.
    Sent,
    /// It was not sent, for this reason.
    Cancelled(String),
}

/// Knows the ledger behind the mails that carry a `reminder_id`.
pub trait Occasion: Send + Sync {
    /// Looks once more before sending: which of these `(tenant, reminder)` must not be sent,
    /// and why. Reads all tenants in one transaction.
    fn outdated<'a>(
        &'a self,
        platform: &'a Platform,
        mails: &'a [(Uuid, Uuid)],
    ) -> LocalBoxFuture<'a, Result<HashMap<Uuid, String>>>;

    /// Notes what became of reminders of the transaction's tenant, in the transaction that notes
    /// it in the outbox.
    fn settle(&self, tx: &mut TenantTx<'_>, fates: &[(Uuid, Fate)]) -> Result<()>;
}
