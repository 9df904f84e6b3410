//! Opening connections, migrations, and the check of the runtime role.

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use diesel::connection::InstrumentationEvent;
use diesel::prelude::*;
use diesel::result::ConnectionError;
use diesel_async::pooled_connection::deadpool::{Object, Pool};
use diesel_async::pooled_connection::{
    AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod,
};
use diesel_async::{AsyncConnection, AsyncMigrationHarness, AsyncPgConnection, RunQueryDsl};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::problem::{Problem, Result};
use crate::schema::kind_statuses;

/// The schema, in steps.
const MIGRATIONS: EmbeddedMigrations = embed_migrations!();
/// How long a request waits for a free connection.
const CHECKOUT_PATIENCE: Duration = Duration::from_secs(5);
/// Oldest server that is accepted, as `server_version_num`.
const OLDEST_SERVER: i32 = 150_000;

/// A pool of connections of the runtime role. Each HTTP worker has its own; so do jobs.
#[derive(Clone)]
pub struct Db {
    pool: Pool<AsyncPgConnection>,
}

/// A checked-out connection.
pub(super) type Connection = Object<AsyncPgConnection>;

impl Db {
    /// A pool of at most `size` connections; opens none yet.
    pub fn new(url: &str, size: usize) -> Result<Self, DbError> {
        let mut config = ManagerConfig::default();
        config.recycling_method = RecyclingMethod::Fast;
        config.custom_setup = Box::new(|url| connect(url).boxed());
        let manager = AsyncDieselConnectionManager::new_with_config(url, config);
        let pool = Pool::builder(manager)
            .max_size(size)
            .build()
            .map_err(|error| DbError(error.to_string()))?;
        Ok(Self { pool })
    }

    pub(super) async fn connection(&self) -> Result<Connection> {
        tokio::time::timeout(CHECKOUT_PATIENCE, self.pool.get())
            .await
            .map_err(|late| Problem::unavailable(2, late))?
            .map_err(|error| Problem::unavailable(2, error))
    }

    /// Whether the database answers and knows every migration and every status of this program.
    pub async fn ready(&self, statuses: &[(&str, &str)]) -> Result<()> {
        use crate::schema::kind_statuses;
        let mut connection = self.connection().await?;
        let known = diesel_migrations_names();
        let applied: Vec<String> = migrations_table::table
            .select(migrations_table::version)
            .load(&mut *connection)
            .await?;
        if let Some(missing) = known.iter().find(|name| !applied.contains(name)) {
            let cause = format!("migration {missing} has not run");
            return Err(Problem::unavailable(10, cause));
        }
        let filled: Vec<(String, String)> = kind_statuses::table
            .select((kind_statuses::kind, kind_statuses::status))
            .load(&mut *connection)
            .await?;
        let is_filled = |kind: &str, status: &str| {
            let mut filled = filled.iter();
            filled.any(|(known, state)| known == kind && state == status)
        };
        match statuses
            .iter()
            .find(|(kind, status)| !is_filled(kind, status))
        {
            None => Ok(()),
            Some((kind, status)) => Err(Problem::unavailable(
                10,
                format!("the database does not know {status} of {kind}"),
            )),
        }
    }
}

diesel::table! {
    /// Bookkeeping of diesel's migrations.
    #[sql_name = "__diesel_schema_migrations"]
    migrations_table (version) {
        version -> Text,
        run_on -> Timestamp,
    }
}

diesel::table! {
    pg_catalog.pg_roles (rolname) {
        rolname -> Text,
        rolsuper -> Bool,
        rolbypassrls -> Bool,
    }
}

/// Versions of all migrations in this program.
fn diesel_migrations_names() -> Vec<String> {
    use diesel::migration::{Migration, MigrationSource};
    let all: Vec<Box<dyn Migration<diesel::pg::Pg>>> = MIGRATIONS.migrations().unwrap_or_default();
    all.iter()
        .map(|migration| migration.name().version().to_string())
        .collect()
}

/// Opens one connection, with TLS where the address asks for it (`sslmode=require`) or allows it.
fn connect(url: &str) -> BoxFuture<'_, ConnectionResult<AsyncPgConnection>> {
    async move {
        let bad = |error: &dyn fmt::Display| ConnectionError::BadConnection(error.to_string());
        let config: tokio_postgres::Config = url.parse().map_err(|error| bad(&error))?;
        let roots = rustls::RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| bad(&error))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let (client, connection) = config
            .connect(tokio_postgres_rustls::MakeRustlsConnect::new(tls))
            .await
            .map_err(|error| bad(&error))?;
        // Whoever waits for an answer is told by the client that the connection has ended.
        tokio::spawn(connection);
        let mut connection = AsyncPgConnection::try_from(client).await?;
        connection.set_instrumentation(|event: InstrumentationEvent<'_>| {
            if let InstrumentationEvent::CacheQuery { .. } = event {
                PREPARING.set(true);
            }
        });
        Ok(connection)
    }
    .boxed()
}

thread_local! {
    static PREPARING: Cell<bool> = const { Cell::new(false) };
}

/// Begins to watch whether statements have to be prepared before they can be sent.
pub(super) fn nothing_is_prepared() {
    PREPARING.set(false);
}

/// Whether a statement that this thread has polled since is being prepared. Only while nothing
/// was awaited in between is it known whose statement.
pub(super) fn is_preparing() -> bool {
    PREPARING.get()
}

/// Why the database cannot be used, as a sentence.
#[derive(Debug)]
pub struct DbError(pub String);

impl fmt::Display for DbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for DbError {}

/// Runs the pending migrations as the owner role and returns their names. Several replicas may
/// start at once: the one that gets the lock runs them. `statuses` are the `(kind, status)`
/// pairs the registry knows; the database checks every record against them.
pub async fn migrate(
    owner_url: &str,
    statuses: Vec<(&'static str, &'static str)>,
) -> Result<Vec<String>, DbError> {
    let fail = |error: &dyn fmt::Display| DbError(format!("The migrations failed: {error}"));
    let mut connection = connect(owner_url).await.map_err(|error| fail(&error))?;
    diesel::select(advisory_lock(MIGRATION_LOCK))
        .execute(&mut connection)
        .await
        .map_err(|error| fail(&error))?;
    let mut harness = AsyncMigrationHarness::new(connection);
    let names = harness
        .run_pending_migrations(MIGRATIONS)
        .map_err(|error| fail(&error))?
        .iter()
        .map(ToString::to_string)
        .collect();
    let mut connection = harness.into_inner();
    let rows: Vec<_> = statuses
        .into_iter()
        .map(|(kind, status)| {
            (
                kind_statuses::kind.eq(kind),
                kind_statuses::status.eq(status),
            )
        })
        .collect();
    diesel::insert_into(kind_statuses::table)
        .values(&rows)
        .on_conflict_do_nothing()
        .execute(&mut connection)
        .await
        .map_err(|error| fail(&error))?;
    Ok(names)
}

/// Any number that nothing else locks.
const MIGRATION_LOCK: i64 = 42_001;

diesel::define_sql_function! {
    /// Held until the connection closes, which is when the migrations are done.
    #[sql_name = "pg_advisory_lock"]
    fn advisory_lock(key: diesel::sql_types::BigInt) -> diesel::sql_types::Text;
}

diesel::define_sql_function! {
    /// A setting of the session.
    fn current_setting(name: diesel::sql_types::Text) -> diesel::sql_types::Text;
}

diesel::define_sql_function! {
    /// Whether the current role has a right on a schema.
    fn has_schema_privilege(schema: diesel::sql_types::Text, privilege: diesel::sql_types::Text) -> diesel::sql_types::Bool;
}

diesel::define_sql_function! {
    /// Whether the current role has a right on a table.
    fn has_table_privilege(table: diesel::sql_types::Text, privilege: diesel::sql_types::Text) -> diesel::sql_types::Bool;
}

diesel::table! {
    pg_catalog.pg_tables (tablename) {
        tablename -> Text,
        tableowner -> Text,
    }
}

/// Whether migrations have not run or statuses are not known, seen by the runtime role.
pub async fn pending_migrations(url: &str, statuses: &[(&str, &str)]) -> Result<bool, DbError> {
    let db = Db::new(url, 1)?;
    Ok(db.ready(statuses).await.is_err())
}

/// Whether errors come in English under this locale.
fn speaks_english(locale: &str) -> bool {
    let language = locale.split(['.', '_', '-']).next().unwrap_or_default();
    ["", "C", "POSIX", "en", "English"].contains(&language)
}

/// The reason why the role behind `url` must not serve requests; `None` if it is harmless:
/// no superuser, no BYPASSRLS, owns and creates nothing, cannot truncate.
pub async fn table_rights_fault(url: &str) -> Result<Option<String>, DbError> {
    let fail = |error: &dyn fmt::Display| DbError(format!("The database does not answer: {error}"));
    let mut connection = connect(url).await.map_err(|error| fail(&error))?;
    let version: String = diesel::select(current_setting("server_version_num"))
        .get_result(&mut connection)
        .await
        .map_err(|error| fail(&error))?;
    if version
        .parse::<i32>()
        .is_ok_and(|number| number < OLDEST_SERVER)
    {
        return Ok(Some(format!(
            "PostgreSQL 15 or newer is needed, not {version}"
        )));
    }
    let language: String = diesel::select(current_setting("lc_messages"))
        .get_result(&mut connection)
        .await
        .map_err(|error| fail(&error))?;
    if !speaks_english(&language) {
        return Ok(Some(format!(
            "The database tells its errors in {language}; set lc_messages to C for it, so that those that pass are known"
        )));
    }
    let name: String = diesel::select(current_setting("role"))
        .get_result(&mut connection)
        .await
        .map_err(|error| fail(&error))?;
    let config: Option<String> = url
        .parse::<tokio_postgres::Config>()
        .ok()
        .and_then(|config| config.get_user().map(str::to_owned));
    let role = if name == "none" {
        config.unwrap_or_default()
    } else {
        name
    };
    let (superuser, bypass): (bool, bool) = pg_roles::table
        .find(&role)
        .select((pg_roles::rolsuper, pg_roles::rolbypassrls))
        .first(&mut connection)
        .await
        .map_err(|error| fail(&error))?;
    // Without tables there is nothing to judge; the missing migrations are told elsewhere.
    let records = pg_tables::table.filter(pg_tables::tablename.eq("records"));
    let migrated: bool = diesel::select(diesel::dsl::exists(records))
        .get_result(&mut connection)
        .await
        .map_err(|error| fail(&error))?;
    if !migrated {
        return Ok(None);
    }
    let owned = pg_tables::table.filter(pg_tables::tableowner.eq(&role));
    let (creates, truncates, owns): (bool, bool, bool) = diesel::select((
        has_schema_privilege("public", "CREATE"),
        has_table_privilege("records", "TRUNCATE"),
        diesel::dsl::exists(owned),
    ))
    .get_result(&mut connection)
    .await
    .map_err(|error| fail(&error))?;
    let faults = [
        (superuser, "is a superuser"),
        (bypass, "bypasses row-level security"),
        (creates, "may create objects"),
        (truncates, "may truncate tables"),
        (owns, "owns tables"),
    ];
    Ok(faults
        .iter()
        .find(|(bad, _)| *bad)
        .map(|(_, why)| format!("The role {role} {why}; the server must not run with it")))
}
