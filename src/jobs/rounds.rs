//! Visits every tenant: daily jobs on the first visit of its civil day, planners each time.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::NaiveDate;
use chrono_tz::Tz;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use futures_util::{StreamExt, stream};
use uuid::Uuid;

use super::work::{Planner, TenantJob};
use crate::problem::Result;
use crate::schema::tenants;
use crate::tenancy::{Platform, Tenant};

/// Tenants visited at once.
const AT_ONCE: usize = 2;
/// Stages in which nothing happens by itself.
pub(crate) const QUIET_STAGES: [&str; 2] = ["paused", "archived"];

/// Visits tenants.
pub(super) struct Rounds {
    platform: Platform,
    planners: Vec<Arc<dyn Planner>>,
    daily: Vec<Arc<dyn TenantJob>>,
    /// The civil day on which a daily job was last done in a tenant.
    done: RefCell<HashMap<(Uuid, &'static str), NaiveDate>>,
    /// What failed on its last try, so that it is logged once.
    failing: RefCell<HashSet<(Uuid, &'static str)>>,
}

impl Rounds {
    pub(super) fn new(
        platform: Platform,
        planners: Vec<Arc<dyn Planner>>,
        daily: Vec<Arc<dyn TenantJob>>,
    ) -> Self {
        Self {
            platform,
            planners,
            daily,
            done: RefCell::default(),
            failing: RefCell::default(),
        }
    }

    /// One round. A tenant in which something fails does not keep the others waiting.
    pub(super) async fn round(&self, stopping: impl Fn() -> bool) -> Result<()> {
        let tenants = list(&self.platform, &QUIET_STAGES).await?;
        stream::iter(&tenants)
            .for_each_concurrent(AT_ONCE, |tenant| async {
                if !stopping() {
                    self.visit(tenant).await;
                }
            })
            .await;
        Ok(())
    }

    async fn visit(&self, tenant: &Tenant) {
        let today = self.platform.clock().today(tenant.zone);
        for job in &self.daily {
            let key = (tenant.id, job.name());
            if self.done.borrow().get(&key) == Some(&today) {
                continue;
            }
            let ran = self
                .platform
                .system(tenant.clone(), async |tx| job.run(tx).await)
                .await;
            if self.succeeded(key, ran) {
                self.done.borrow_mut().insert(key, today);
            }
        }
        for planner in &self.planners {
            let planned = planner.plan(&self.platform, tenant).await;
            self.succeeded((tenant.id, planner.name()), planned);
        }
    }

    /// Whether it went well; a failure is logged when it begins, not each time.
    fn succeeded(&self, key: (Uuid, &'static str), outcome: Result<()>) -> bool {
        let (tenant_id, name) = key;
        match outcome {
            Ok(()) => {
                if self.failing.borrow_mut().remove(&key) {
                    tracing::info!(%tenant_id, "The job {name} works again in tenant {tenant_id}");
                }
                true
            }
            Err(problem) => {
                metrics::counter!("aims_job_failures_total", "job" => name).increment(1);
                if self.failing.borrow_mut().insert(key) {
                    tracing::error!(%tenant_id, %problem, "The job {name} failed in tenant {tenant_id}");
                }
                false
            }
        }
    }
}

/// The tenants, save those in these stages.
pub(super) async fn list(platform: &Platform, without: &[&str]) -> Result<Vec<Tenant>> {
    let query = tenants::table
        .filter(tenants::stage.ne_all(without.to_vec()))
        .order(tenants::id)
        .select((tenants::id, tenants::name, tenants::time_zone));
    let found: Vec<(Uuid, String, String)> = platform
        .read(async |tx| tx.run(async |db| query.load(&mut &*db).await).await)
        .await?;
    Ok(found
        .into_iter()
        .map(|(id, name, zone)| Tenant {
            id,
            name,
            zone: zone.parse().unwrap_or(Tz::UTC),
        })
        .collect())
}
