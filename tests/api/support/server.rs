//! Servers: the one that most tests share, and others for tests that need their own.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::mpsc;
use std::thread;

use aims::app::{Server, migrate};
use aims::config::Config;
use aims::postgres::{Cluster, Durability, Settings};
use tokio_postgres::NoTls;

use super::client::Client;
use crate::what_is_left;

/// The cluster of this test run. It dies with the process, which dies when it is told to; its
/// folder is swept by the next run.
pub fn postgres() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let runs = std::env::temp_dir().join("aims-tests");
        sweep(&runs);
        Cluster::start(&Settings {
            root: runs.join(std::process::id().to_string()),
            durability: Durability::Throwaway,
            bindir: None,
        })
        .unwrap_or_else(|error| panic!("{error}"))
    })
}

/// Removes the folders of runs that have ended.
fn sweep(runs: &Path) {
    for run in std::fs::read_dir(runs).into_iter().flatten().flatten() {
        let pid = run.file_name().to_string_lossy().into_owned();
        if !Path::new("/proc").join(&pid).exists() {
            let _ = std::fs::remove_dir_all(run.path());
        }
    }
}

/// A folder of this run.
pub fn folder(name: &str) -> PathBuf {
    postgres();
    let folder = std::env::temp_dir()
        .join("aims-tests")
        .join(std::process::id().to_string())
        .join("servers")
        .join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The same cluster, another database.
pub fn with_database(url: &str, database: &str) -> String {
    let (server, _) = url.rsplit_once('/').unwrap();
    format!("{server}/{database}")
}

/// The migrated template that databases of tests are cloned from.
fn template() -> &'static str {
    static TEMPLATE: OnceLock<()> = OnceLock::new();
    const NAME: &str = "aims_template";
    TEMPLATE.get_or_init(|| {
        create_database(NAME, None);
        migrate(&with_database(&postgres().owner_url(), NAME)).unwrap();
    });
    NAME
}

fn create_database(name: &str, template: Option<&str>) {
    let sql = match template {
        Some(template) => format!("CREATE DATABASE {name} TEMPLATE {template}"),
        None => format!("CREATE DATABASE {name}"),
    };
    let url = postgres().owner_url();
    thread::scope(|scope| {
        scope
            .spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                runtime.block_on(async {
                    let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
                    let connection = tokio::spawn(connection);
                    client.batch_execute(&sql).await.unwrap();
                    drop(client);
                    connection.await.unwrap().unwrap();
                });
            })
            .join()
            .unwrap();
    });
}

/// How a server of a test differs from the defaults.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// Names folder and database; must be unique in the run.
    pub name: String,
    /// Environment variables.
    pub env: Vec<(&'static str, String)>,
    /// An existing database to work on, such as that of another replica.
    pub database: Option<String>,
}

impl Setup {
    /// A server with a database of its own.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: &'static str, value: impl ToString) -> Self {
        self.env.push((name, value.to_string()));
        self
    }

    /// With a clock that can be set.
    pub fn with_test_clock(self) -> Self {
        self.env("AIMS_TEST_CLOCK", "1")
    }

    /// The settings of the server, and the database it works on.
    pub fn settings(&self) -> (HashMap<String, String>, String) {
        let database = match &self.database {
            Some(database) => database.clone(),
            None => {
                let database = format!("aims_{}", self.name);
                create_database(&database, Some(template()));
                database
            }
        };
        let mut env: HashMap<String, String> = [
            ("BIND", "127.0.0.1:0"),
            ("PUBLIC_URL", "http://aims.test"),
            ("RATE_LIMIT", "1000000"),
            ("WORKERS", "1"),
            ("DB_CONNECTIONS", "8"),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
        env.insert(
            "AIMS_DATA".to_owned(),
            folder(&self.name).display().to_string(),
        );
        env.insert(
            "DATABASE_URL".to_owned(),
            with_database(&postgres().app_url(), &database),
        );
        env.extend(
            self.env
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone())),
        );
        (env, database)
    }

    /// Starts the server inside this process.
    pub fn start(self) -> App {
        let (env, database) = self.settings();
        let config = Config::read(|name| env.get(name).cloned()).unwrap();
        let data = config.data.clone();
        let (tell, told) = mpsc::channel();
        let server = thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let url = config.database_url.clone().unwrap();
                let server = Server::start(config, &url).await.unwrap();
                tell.send((server.address(), server.handle())).unwrap();
                server.run().await.unwrap();
            });
        });
        let (address, handle) = told.recv().expect("the server starts");
        App {
            base: format!("http://{address}"),
            database,
            data,
            stop: Some((handle, server)),
        }
    }
}

/// A running server.
pub struct App {
    /// Where it is reached.
    pub base: String,
    /// Its database in the cluster of the run.
    pub database: String,
    /// Its data folder.
    pub data: PathBuf,
    stop: Option<(actix_web::dev::ServerHandle, thread::JoinHandle<()>)>,
}

/// The server that most tests share; each brings its own tenants.
pub fn app() -> &'static App {
    static APP: OnceLock<App> = OnceLock::new();
    APP.get_or_init(|| Setup::named("shared").start())
}

/// The owner role's address of a database of the run.
pub fn owner_url(database: &str) -> String {
    with_database(&postgres().owner_url(), database)
}

impl App {
    /// A caller without credentials.
    pub fn anonymous(&self) -> Client {
        Client::new(&self.base)
    }

    /// A connection to the server's database as the owner role, which sees a tenant's rows once
    /// `app.tenant_id` is set.
    pub async fn owner(&self) -> tokio_postgres::Client {
        let (client, connection) = tokio_postgres::connect(&owner_url(&self.database), NoTls)
            .await
            .unwrap();
        tokio::spawn(connection);
        client
    }

    /// A connection as the runtime role.
    pub async fn runtime_role(&self) -> tokio_postgres::Client {
        let url = with_database(&postgres().app_url(), &self.database);
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// Rows of a tenant-owned table that a condition holds for.
    pub async fn count(&self, tenant: uuid::Uuid, table: &str, condition: &str) -> i64 {
        let db = self.owner().await;
        db.batch_execute(&format!("SET app.tenant_id = '{tenant}'"))
            .await
            .unwrap();
        let row = db
            .query_one(
                &format!(
                    "SELECT count(*) FROM {table} WHERE tenant_id = '{tenant}' AND ({condition})"
                ),
                &[],
            )
            .await
            .unwrap();
        row.get(0)
    }

    /// The link of the newest mail to an address: from the outbox, or from the file it became.
    pub async fn link_mailed_to(&self, email: &str) -> String {
        let db = self.owner().await;
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        loop {
            let rows = db
                .query(
                    "SELECT body_text FROM outbox WHERE recipient = $1 ORDER BY id DESC LIMIT 1",
                    &[&email],
                )
                .await
                .unwrap();
            let queued = rows
                .first()
                .map(|row| row.get::<_, String>(0))
                .unwrap_or_default();
            if let Some(link) = link_in(&queued).or_else(|| self.link_in_files(email)) {
                return link;
            }
            assert!(
                std::time::Instant::now() < deadline,
                "no mail with a link for {email}"
            );
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    fn link_in_files(&self, email: &str) -> Option<String> {
        self.mails().into_iter().rev().find_map(|mail| {
            let text = String::from_utf8_lossy(&mail).into_owned();
            let parsed = mail_parser::MessageParser::default().parse(&mail)?;
            let body = parsed.body_text(0)?.into_owned();
            if text.contains(email) {
                link_in(&body)
            } else {
                None
            }
        })
    }

    /// The `.eml` files, oldest first.
    pub fn mails(&self) -> Vec<Vec<u8>> {
        let mut files: Vec<_> = std::fs::read_dir(self.data.join("mails"))
            .into_iter()
            .flatten()
            .flatten()
            .filter(|file| file.path().extension().is_some_and(|kind| kind == "eml"))
            .map(|file| (file.metadata().unwrap().modified().unwrap(), file.path()))
            .collect();
        files.sort();
        files
            .into_iter()
            .map(|(_, path)| std::fs::read(path).unwrap())
            .collect()
    }

    /// Stops the server as SIGTERM would.
    fn halt(&mut self) {
        if let Some((handle, thread)) = self.stop.take() {
            let runtime = thread::spawn(move || {
                actix_web::rt::System::new().block_on(handle.stop(true));
            });
            runtime.join().unwrap();
            thread.join().unwrap();
        }
    }
}

impl Drop for App {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.halt();
            what_is_left::look_through_now(&self.database);
        }
    }
}

fn link_in(text: &str) -> Option<String> {
    let start = text.find("http://aims.test")?;
    let link = text.get(start..)?;
    let end = link.find(char::is_whitespace).unwrap_or(link.len());
    link.get(..end).map(str::to_owned)
}
