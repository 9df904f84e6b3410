//! Waivers: a granted one lets a soft rule pass for a record, for a time.

use chrono::NaiveDate;
use futures_util::future::LocalBoxFuture;
use uuid::Uuid;

use super::kind::Kind;
use crate::problem::Result;
use crate::tenancy::TenantTx;

/// A kind whose granted records let a rule pass for the record they refer to.
pub trait Waives: Kind {
    /// The state in which it is granted.
    const GRANTED: Self::State;
    /// The record for which the rule is let pass; one linked to the waiver by hand is not.
    fn about(&self) -> Uuid;
    /// Id of the rule, such as `SOA-3`.
    fn rule(&self) -> &str;
    /// Last civil date it holds.
    fn valid_until(&self) -> NaiveDate;
}

/// As [`Waives`], without the type of the kind.
pub(super) trait Waivers: Send + Sync {
    /// Waivers that hold today for a record, each with its rule.
    fn granted<'a>(
        &'a self,
        tx: &'a mut TenantTx<'_>,
        record: Uuid,
    ) -> LocalBoxFuture<'a, Result<Vec<(Uuid, String)>>>;
}
