//! What happens without being asked: rounds through the tenants, draining the outbox, clearing
//! away what has expired. The engine knows no feature; `app.rs` gives it the work.
//!
//! | file | question |
//! |---|---|
//! | `work.rs` | what can be done in a tenant? |
//! | `rounds.rs` | who visits the tenants? |
//! | `housekeeping.rs` | what is cleared away? |
//! | `worker.rs` | how do orders become work, one after the other? |
//! | `ticks.rs` | who orders it when? |
//! | `engine.rs` | where does it run, how does it start and stop? |
//! | `test_clock.rs` | how is a year rehearsed? |

mod engine;
mod housekeeping;
mod rounds;
pub mod test_clock;
mod ticks;
mod work;
mod worker;

pub use engine::{JobsError, JobsHandle, JobsSettings, start};
pub(crate) use rounds::QUIET_STAGES;
pub use work::{Planner, TenantJob};
