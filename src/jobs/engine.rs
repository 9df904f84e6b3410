//! The engine: a thread of its own with a runtime of its own, so that neither slow mail servers
//! nor long rounds take anything from requests.

use std::fmt;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::LocalSet;

use super::housekeeping;
use super::rounds::Rounds;
use super::ticks::{self, DRAIN, HOUSEKEEPING, ROUND};
use super::work::{Planner, TenantJob};
use super::worker::{Desk, Orders, orders};
use crate::clock::Clock;
use crate::config::Config;
use crate::mail::{Occasion, Postman, Transport};
use crate::problem::Result;
use crate::tenancy::{Db, Platform};

/// Database connections of the engine.
const CONNECTIONS: usize = 4;
/// How long what has been begun may take after [`JobsHandle::stop`].
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// What the engine works with.
pub struct JobsSettings {
    /// PostgreSQL as the runtime role.
    pub database_url: String,
    /// Mail settings.
    pub config: Config,
    /// The clock that says what is due.
    pub clock: Clock,
    /// Looked at in every round, in this order.
    pub planners: Vec<Arc<dyn Planner>>,
    /// Done once in every civil day of a tenant, before the planners, in this order.
    pub daily: Vec<Arc<dyn TenantJob>>,
    /// Checks reminders before they are sent.
    pub occasion: Option<Arc<dyn Occasion>>,
}

/// Why the engine does not start, as a sentence.
#[derive(Debug)]
pub struct JobsError(String);

impl fmt::Display for JobsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "The scheduler does not start: {}", self.0)
    }
}

impl std::error::Error for JobsError {}

/// The running engine, from any thread. It goes on when handles are dropped, until
/// [`JobsHandle::stop`] or the end of the process.
#[derive(Clone)]
pub struct JobsHandle {
    round: Orders,
    drain: Orders,
    housekeeping: Orders,
    stop: watch::Sender<bool>,
    running: watch::Receiver<bool>,
}

impl JobsHandle {
    /// Says that there is mail to send now.
    pub fn nudge(&self) {
        self.drain.order();
    }

    /// Does everything that is due now once, and waits: a round through all tenants, then the
    /// outbox until nothing due is left, then clearing away.
    pub async fn run_due(&self) {
        self.round.order_and_wait().await;
        self.drain.order_and_wait().await;
        self.housekeeping.order_and_wait().await;
    }

    /// Stops: finishes what is being done or sent, but waits no longer than ten seconds. What is
    /// cut off is done by the next process.
    pub async fn stop(&self) {
        self.stop.send_replace(true);
        let mut running = self.running.clone();
        // The thread's end of the channel is gone: it has ended already.
        let _ = running.wait_for(|running| !running).await;
    }
}

/// The three workers' places to receive orders.
struct Desks {
    round: Desk,
    drain: Desk,
    housekeeping: Desk,
}

/// Starts the engine on its own thread. It refuses when the mail settings are not usable.
pub fn start(settings: JobsSettings) -> Result<JobsHandle, JobsError> {
    let ((round, round_desk), (drain, drain_desk)) = (orders(), orders());
    let (housekeeping, housekeeping_desk) = orders();
    let (stop, stopped) = watch::channel(false);
    let (ended, running) = watch::channel(true);
    let plan = vec![
        (DRAIN, drain.clone()),
        (ROUND, round.clone()),
        (HOUSEKEEPING, housekeeping.clone()),
    ];
    let desks = Desks {
        round: round_desk,
        drain: drain_desk,
        housekeeping: housekeeping_desk,
    };
    let nudge = drain.clone();
    // What fell due while nobody was there.
    round.order();
    let (report, reported) = mpsc::channel();
    std::thread::Builder::new()
        .name("jobs".to_owned())
        .spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            match runtime {
                Ok(runtime) => {
                    let engine = run(settings, desks, plan, nudge, stopped, &report);
                    runtime.block_on(LocalSet::new().run_until(engine));
                    // Files are written by threads that are not waited for any longer.
                    runtime.shutdown_background();
                }
                Err(error) => {
                    let _ = report.send(Err(JobsError(error.to_string())));
                }
            }
            ended.send_replace(false);
        })
        .map_err(|error| JobsError(error.to_string()))?;
    reported
        .recv()
        .map_err(|gone| JobsError(gone.to_string()))??;
    Ok(JobsHandle {
        round,
        drain,
        housekeeping,
        stop,
        running,
    })
}

/// Runs the workers until told to stop.
async fn run(
    settings: JobsSettings,
    desks: Desks,
    plan: Vec<(&'static str, Orders)>,
    nudge: Orders,
    stopped: watch::Receiver<bool>,
    report: &mpsc::Sender<Result<(), JobsError>>,
) {
    let parts = async {
        let platform = platform(&settings)?;
        let transport = Transport::new(&settings.config).map_err(fail)?;
        let ticks = ticks::start(plan).await.map_err(fail)?;
        Ok((platform, transport, ticks))
    };
    let (platform, transport, mut ticks) = match parts.await {
        Ok(parts) => parts,
        Err(error) => {
            let _ = report.send(Err(error));
            return;
        }
    };
    let _ = report.send(Ok(()));
    let postman = Postman::new(platform.clone(), transport, settings.occasion);
    let rounds = Rounds::new(platform.clone(), settings.planners, settings.daily);
    let stopping = || *stopped.borrow();
    let workers = async {
        tokio::join!(
            desks.round.serve(stopped.clone(), async || {
                log("round", rounds.round(stopping).await);
                nudge.order();
            }),
            desks.drain.serve(stopped.clone(), async || {
                log("drain", postman.drain(stopping).await);
            }),
            desks.housekeeping.serve(stopped.clone(), async || {
                log(
                    "housekeeping",
                    housekeeping::clear(&platform, stopping).await,
                );
            }),
        )
    };
    let mut told = stopped.clone();
    let late = async {
        let _ = told.wait_for(|stop| *stop).await;
        tokio::time::sleep(STOP_WITHIN).await;
    };
    tokio::select! {
        _ = workers => {}
        () = late => tracing::warn!("Jobs were cut off; the next process does them"),
    }
    let _ = ticks.shutdown().await;
}

fn platform(settings: &JobsSettings) -> Result<Platform, JobsError> {
    let db = Db::new(&settings.database_url, CONNECTIONS).map_err(fail)?;
    Ok(Platform::new(db, settings.clock.clone()))
}

fn fail(error: impl fmt::Display) -> JobsError {
    JobsError(error.to_string())
}

/// A worker that failed tries again at the next tick.
fn log(name: &str, outcome: Result<()>) {
    if let Err(problem) = outcome {
        metrics::counter!("aims_job_failures_total", "job" => name.to_owned()).increment(1);
        tracing::error!(%problem, "The job {name} failed; it is tried again at the next tick");
    }
}
