//! What a mail is about, which may have changed since it was written.
//!
//! The outbox knows mails, not reminders; `reminders` implements this and `app.rs` wires it.

use std::collections::HashMap;

use futures_util::future::LocalBoxFuture;
use uuid::Uuid;

use super::Content;
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

/// What is to become of a mail that is about to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It goes, as it is true now.
    Goes {
        /// Address of the recipient.
        to: String,
        /// Name of the recipient.
        to_name: String,
        /// What it says.
        content: Content,
    },
    /// It does not, for this reason.
    Cancelled(&'static str),
}

/// Knows the ledger behind the mails that carry a `reminder_id`.
pub trait Occasion: Send + Sync {
    /// Judges each of these `(tenant, reminder)` at the moment of sending, and writes what goes.
    /// Reads all tenants in one transaction.
    fn judge<'a>(
        &'a self,
        platform: &'a Platform,
        mails: &'a [(Uuid, Uuid)],
    ) -> LocalBoxFuture<'a, Result<HashMap<Uuid, Judgement>>>;

    /// Notes what became of reminders of the transaction's tenant, in the transaction that notes
    /// it in the outbox.
    fn settle(&self, tx: &mut TenantTx<'_>, fates: &[(Uuid, Fate)]) -> Result<()>;
}
