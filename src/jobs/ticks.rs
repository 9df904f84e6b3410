//! Ticks by the machine's clock, in UTC. They only order work; what is due is read from the
//! database, so a tick that is late, missing or doubled changes nothing.

use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

use super::worker::Orders;

/// Every five seconds: drain the outbox.
pub(super) const DRAIN: &str = "*/5 * * * * *";
/// Every fifteen seconds: visit the tenants.
pub(super) const ROUND: &str = "*/15 * * * * *";
/// Every hour: clear away what has expired.
pub(super) const HOUSEKEEPING: &str = "0 17 * * * *";

/// Starts a scheduler that orders work by cron expressions. Must be kept.
pub(super) async fn start(
    plan: Vec<(&'static str, Orders)>,
) -> Result<JobScheduler, JobSchedulerError> {
    let scheduler = JobScheduler::new().await?;
    for (schedule, orders) in plan {
        let tick = Job::new(schedule, move |_, _| orders.order())?;
        scheduler.add(tick).await?;
    }
    scheduler.start().await?;
    Ok(scheduler)
}
