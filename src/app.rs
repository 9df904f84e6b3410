//! The composition root: the only file that names every feature.

mod database;
mod document;

use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpResponse, HttpServer, get, web};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use tokio::signal::unix::{SignalKind, signal};
use utoipa_actix_web::AppExt;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::clock::Clock;
use crate::config::Config;
use crate::consultancy;
use crate::http::cursor::Cursors;
use crate::http::openapi::Document;
use crate::http::operations::{self, Operations};
use crate::http::shared::{self, Shared};
use crate::http::{cors, docs, edge, health, limits};
use crate::identity::{self, Keys, Tokens};
use crate::jobs::{self, JobsHandle, JobsSettings, TenantJob};
use crate::problem::{Problem, Result};
use crate::reminders::{self, KindName, Ledger, Naming, Recheck};
use crate::tenancy::{self, Callers, Db, Platform, TenantTx};
use crate::{aims, catalog, pages, records, telemetry};

pub use self::database::{Database, migrate};
pub use self::document::document;

/// Seconds that running requests get when the server stops.
const DRAIN_SECONDS: u64 = 20;
/// Seconds in which a client must send the head of its request.
const HEAD_SECONDS: u64 = 5;

/// Why the server does not start, as sentences.
#[derive(Debug)]
pub struct StartFault(pub String);

impl fmt::Display for StartFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StartFault {}

fn fault(error: impl fmt::Display) -> StartFault {
    StartFault(error.to_string())
}

/// All kinds of record, known to the kernel from the first call on.
pub fn kinds() -> &'static records::Registry {
    records::install(aims::kinds)
}

/// What kinds declare fits together, or nothing starts.
fn check_kinds() -> Result<(), StartFault> {
    match kinds().faults() {
        faults if faults.is_empty() => Ok(()),
        faults => Err(StartFault(faults.join("\n"))),
    }
}

/// Everything a worker shares with the others.
#[derive(Clone)]
struct Parts {
    config: web::Data<Config>,
    clock: web::Data<Clock>,
    document: web::Data<Document>,
    operations: web::Data<Operations>,
    shared: web::Data<Arc<dyn Shared>>,
    callers: web::Data<Callers>,
    tokens: web::Data<Tokens>,
    cursors: web::Data<Cursors>,
    jobs: web::Data<JobsHandle>,
    leaving: web::Data<Leaving>,
}

/// Whether the server is about to stop; load balancers learn it from `/readyz`.
#[derive(Default)]
struct Leaving(AtomicBool);

/// A running server.
pub struct Server {
    address: SocketAddr,
    handle: ServerHandle,
    serving: LocalBoxFuture<'static, std::io::Result<()>>,
    jobs: JobsHandle,
    leaving: web::Data<Leaving>,
    notice: Duration,
}

impl Server {
    /// Starts to listen. Must run inside an actix (or tokio) runtime; serves once
    /// [`Server::run`] is awaited.
    pub async fn start(config: Config, database_url: &str) -> Result<Self, StartFault> {
        check_kinds()?;
        let clock = if config.test_clock {
            Clock::settable()
        } else {
            Clock::machine()
        };
        let folder = config
            .jwt_keys
            .clone()
            .unwrap_or_else(|| config.data.join("keys"));
        let keys = Arc::new(Keys::open(&folder, clock.clone()).map_err(fault)?);
        let shared = shared::connect(config.redis_url.as_deref()).await;
        let tokens = web::Data::new(Tokens::new(Arc::clone(&keys), &config.public_url));
        let jobs = start_jobs(&config, &clock, database_url)?;
        let document = document()?;
        let parts = Parts {
            operations: web::Data::new(Operations::new(&document)),
            document: web::Data::new(Document::new(document)),
            callers: web::Data::new(Callers::new(
                tokens.clone().into_inner(),
                Arc::clone(&shared),
            )),
            shared: web::Data::new(shared),
            tokens,
            cursors: web::Data::new(Cursors::new(&keys.derive("cursors"))),
            jobs: web::Data::new(jobs.clone()),
            leaving: web::Data::new(Leaving::default()),
            clock: web::Data::new(clock),
            config: web::Data::new(config),
        };
        let leaving = parts.leaving.clone();
        let listener = TcpListener::bind(parts.config.bind).map_err(|error| {
            StartFault(format!(
                "{} cannot be listened on: {error}",
                parts.config.bind
            ))
        })?;
        let address = listener.local_addr().map_err(fault)?;
        serve_metrics(&parts.config)?;
        let notice = Duration::from_secs(parts.config.stop_notice);
        let (workers, url) = (parts.config.workers, database_url.to_owned());
        let server = HttpServer::new(move || application(&parts, &url))
            .workers(workers)
            .client_request_timeout(Duration::from_secs(HEAD_SECONDS))
            .shutdown_timeout(DRAIN_SECONDS)
            .disable_signals()
            .listen(listener)
            .map_err(fault)?
            .run();
        Ok(Self {
            address,
            notice,
            handle: server.handle(),
            serving: server.boxed_local(),
            jobs,
            leaving,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops the server from elsewhere: running requests are finished.
    pub fn handle(&self) -> ServerHandle {
        self.handle.clone()
    }

    /// Serves until SIGTERM or Ctrl-C. After SIGTERM `/readyz` says for a while that the server is
    /// leaving, so that load balancers send nobody any more; a second signal cuts that short.
    pub async fn run_until_signalled(self) -> Result<(), StartFault> {
        let mut term = signal(SignalKind::terminate()).map_err(fault)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(fault)?;
        let (handle, leaving, notice) = (self.handle(), self.leaving.clone(), self.notice);
        actix_web::rt::spawn(async move {
            let is_term = tokio::select! {
                _ = term.recv() => true,
                _ = interrupt.recv() => false,
            };
            leaving.0.store(true, Ordering::SeqCst);
            if is_term {
                tracing::info!("Leaving: /readyz says so for {} s", notice.as_secs());
                tokio::select! {
                    () = tokio::time::sleep(notice) => {}
                    _ = term.recv() => {}
                    _ = interrupt.recv() => {}
                }
            }
            handle.stop(true).await;
        });
        self.run().await
    }

    /// Serves until a stop through [`Server::handle`]; then finishes running requests and jobs.
    pub async fn run(self) -> Result<(), StartFault> {
        let outcome = self.serving.await.map_err(fault);
        self.leaving.0.store(true, Ordering::SeqCst);
        self.jobs.stop().await;
        outcome
    }
}

/// What runs by itself.
fn start_jobs(
    config: &Config,
    clock: &Clock,
    database_url: &str,
) -> Result<JobsHandle, StartFault> {
    let naming = Naming(Arc::new(|kind| {
        records::registry().by_name(kind).map(|entry| KindName {
            path: entry.info.path.to_owned(),
            title: entry.info.one.to_owned(),
        })
    }));
    jobs::start(JobsSettings {
        database_url: database_url.to_owned(),
        planners: vec![Arc::new(Ledger)],
        daily: vec![Arc::new(TimePasses)],
        occasion: Some(Arc::new(Recheck::new(naming, &config.public_url))),
        config: config.clone(),
        clock: clock.clone(),
    })
    .map_err(fault)
}

/// Transitions that time makes.
struct TimePasses;

impl TenantJob for TimePasses {
    fn name(&self) -> &'static str {
        "transitions that time makes"
    }

    fn run<'a>(&'a self, tx: &'a mut TenantTx<'_>) -> LocalBoxFuture<'a, Result<()>> {
        async { records::let_time_pass(tx).await.map(drop) }.boxed_local()
    }
}

/// `/metrics` on its own address.
fn serve_metrics(config: &Config) -> Result<(), StartFault> {
    let Some(address) = config.metrics_bind else {
        return Ok(());
    };
    let handle = telemetry::prometheus();
    actix_web::rt::spawn(telemetry::upkeep(handle.clone()));
    let app = health::metrics_app(handle);
    let server = HttpServer::new(move || App::new().configure(app.clone()))
        .workers(1)
        .disable_signals()
        .bind(address)
        .map_err(|error| {
            StartFault(format!(
                "METRICS_BIND {address} cannot be listened on: {error}"
            ))
        })?
        .run();
    actix_web::rt::spawn(server);
    Ok(())
}

/// One worker's application with its own pool.
fn application(
    parts: &Parts,
    database_url: &str,
) -> App<
    impl actix_web::dev::ServiceFactory<
        actix_web::dev::ServiceRequest,
        Config = (),
        Response = actix_web::dev::ServiceResponse,
        Error = actix_web::Error,
        InitError = (),
    > + use<>,
> {
    let config = &parts.config;
    let mut app = App::new();
    // A pool that cannot be built answers 500 for a missing part, and says so in the log.
    match Db::new(database_url, config.db_connections) {
        Ok(db) => {
            let platform = Platform::new(db, parts.clock.as_ref().clone());
            app = app.app_data(web::Data::new(platform));
        }
        Err(error) => tracing::error!("{error}"),
    }
    let test_clock = config.test_clock;
    app.app_data(parts.config.clone())
        .app_data(parts.clock.clone())
        .app_data(parts.document.clone())
        .app_data(parts.operations.clone())
        .app_data(parts.shared.clone())
        .app_data(parts.callers.clone())
        .app_data(parts.tokens.clone())
        .app_data(parts.cursors.clone())
        .app_data(parts.jobs.clone())
        .app_data(parts.leaving.clone())
        // First, because most requests are for records; what is no record is left to the others.
        .configure(records::routes)
        .into_utoipa_app()
        .configure(features)
        .configure(|cfg| {
            if test_clock {
                jobs::test_clock::routes(cfg);
            }
        })
        .split_for_parts()
        .0
        .configure(docs::configure)
        .configure(health::configure)
        .configure(pages::configure)
        .default_service(web::to(edge::not_routed))
        .wrap(from_fn(operations::documented))
        .wrap(limits::limits())
        .wrap(from_fn(tenancy::meet))
        .wrap(cors::cors(&config.cors_origins))
        .wrap(from_fn(cors::name_refused))
        .wrap(edge::edge())
}

/// Every feature with routes of its own, in the order they are matched.
fn features(cfg: &mut ServiceConfig<'_>) {
    cfg.service(readyz)
        .configure(identity::routes)
        .configure(consultancy::routes)
        .configure(reminders::routes)
        .configure(catalog::routes);
}

/// That the server can work.
#[derive(serde::Serialize, utoipa::ToSchema)]
struct Readiness {
    /// Nothing else is told.
    status: Ready,
}

/// What there is to say.
#[derive(serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum Ready {
    /// It can.
    Ready,
}

/// Whether the server can work
///
/// 200 when the database answers and has every migration of this program; 503 otherwise, and
/// while the server is stopping. Meant for load balancers.
#[utoipa::path(
    tag = "Health",
    operation_id = "get_readiness",
    responses((status = 200, description = "Ready.", body = Readiness, example = json!({"status": "ready"}))),
    security(())
)]
#[get("/readyz")]
async fn readyz(
    platform: web::Data<Platform>,
    leaving: web::Data<Leaving>,
) -> Result<HttpResponse> {
    if leaving.0.load(Ordering::SeqCst) {
        return Err(Problem::unavailable(1, "the server is stopping"));
    }
    platform.db().ready(&kinds().statuses()).await?;
    Ok(HttpResponse::Ok().json(Readiness {
        status: Ready::Ready,
    }))
}
