//! The clock of rehearsals: with `AIMS_TEST_CLOCK=1` a client may set it, and what falls due is
//! done before the answer. Without it these routes do not exist.

use actix_web::{get, put, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::JobsHandle;
use crate::clock::Clock;
use crate::problem::{Problem, Result};
use crate::tenancy::Callers;

/// Mounts the routes; only where the clock is settable.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(get_test_clock).service(set_test_clock);
}

/// The clock of a rehearsal.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TestClock {
    /// The present instant.
    pub now: DateTime<Utc>,
}

/// Read the test clock
///
/// Exists only on servers started for rehearsals.
#[utoipa::path(
    tag = "Test clock",
    operation_id = "get_test_clock",
    responses((status = 200, description = "The present instant.", body = TestClock)),
    security(())
)]
#[get("/test/clock")]
async fn get_test_clock(clock: web::Data<Clock>) -> web::Json<TestClock> {
    web::Json(TestClock { now: clock.now() })
}

/// Set the test clock
///
/// The clock goes on from the given instant, forward or back. What falls due by then is done
/// before the answer: daily work, reminders, mails, clearing away.
#[utoipa::path(
    tag = "Test clock",
    operation_id = "set_test_clock",
    request_body = TestClock,
    responses((status = 200, description = "The clock is set and what fell due is done.", body = TestClock)),
    security(())
)]
#[put("/test/clock")]
async fn set_test_clock(
    clock: web::Data<Clock>,
    callers: web::Data<Callers>,
    jobs: web::Data<JobsHandle>,
    wanted: web::Json<TestClock>,
) -> Result<web::Json<TestClock>> {
    if !clock.set(wanted.now) {
        return Err(Problem::not_found());
    }
    callers.forget_all();
    jobs.run_due().await;
    Ok(web::Json(TestClock { now: clock.now() }))
}
