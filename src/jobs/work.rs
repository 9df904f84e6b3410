//! What features can have done in every tenant.

use futures_util::future::LocalBoxFuture;

use crate::problem::Result;
use crate::tenancy::{Platform, Tenant, TenantTx};

/// Work done once in every civil day of a tenant by each process; doing it again, or by several
/// processes at once, must change nothing.
pub trait TenantJob: Send + Sync {
    /// For logs.
    fn name(&self) -> &'static str;
    /// Does it, as the scheduler, in one transaction.
    fn run<'a>(&'a self, tx: &'a mut TenantTx<'_>) -> LocalBoxFuture<'a, Result<()>>;
}

/// Work looked at in every round: cheap when there is nothing to do, and harmless when several
/// processes do it at once.
pub trait Planner: Send + Sync {
    /// For logs.
    fn name(&self) -> &'static str;
    /// Does what is due in the tenant; opens its own transactions.
    fn plan<'a>(
        &'a self,
        platform: &'a Platform,
        tenant: &'a Tenant,
    ) -> LocalBoxFuture<'a, Result<()>>;
}
