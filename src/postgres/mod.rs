//! The built-in PostgreSQL cluster.
//!
//! Without `DATABASE_URL` the program brings its own database: a private
//! cluster below the data folder, served by the PostgreSQL programs found on
//! this machine, reachable only through a unix socket in a folder that nobody
//! else may enter. No port is opened and nothing is shared with a PostgreSQL
//! that may already run here.
//!
//! ```text
//! <root>/aims.lock                held while a server runs; contains its process id
//! <root>/postgres/data/           the cluster (data.new/ while it is being made)
//! <root>/postgres/run/            the socket
//! <root>/postgres/passwords/      superuser, owner, app: 32 random bytes each, mode 0600
//! <root>/postgres/postgres.log    what PostgreSQL has to say
//! ```
//!
//! | file | question |
//! |---|---|
//! | `programs.rs` | which PostgreSQL programs serve this folder? |
//! | `account.rs` | which operating-system user runs them? |
//! | `folders.rs` | where does everything lie, and who may enter? |
//! | `passwords.rs` | how do the roles prove who they are? |
//! | `leftovers.rs` | what did a killed server leave behind? |
//! | `launch.rs` | with which settings does the cluster start? |
//! | `keeper.rs` | who watches, restarts and stops it? |
//! | `bootstrap.rs` | how does an empty folder become a cluster with its roles and database? |
//!
//! Everything here blocks; no asynchronous runtime is needed.

mod account;
mod bootstrap;
mod error;
mod folders;
mod keeper;
mod launch;
mod leftovers;
mod passwords;
mod programs;

use std::fmt;
use std::fs::File;
use std::path::PathBuf;

use self::account::Account;
use self::folders::Folders;
use self::keeper::Keeper;
use self::launch::Launch;
use self::passwords::Passwords;
use self::programs::Programs;

pub use self::error::{StartError, StopError};

/// The database that the server works in.
const DATABASE: &str = "aims";
/// The role that `initdb` makes; only this module uses it.
const SUPERUSER: &str = "aims_superuser";
/// The role that owns [`DATABASE`] and runs the migrations.
const OWNER: &str = "aims_owner";
/// The role that serves requests.
const APP: &str = "aims_app";

/// Where the cluster lives and how it is to be run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The data folder of the program (`AIMS_DATA`); made if it is missing.
    pub root: PathBuf,
    /// Whether data must survive a power cut.
    pub durability: Durability,
    /// The folder of the PostgreSQL programs (`PG_BINDIR`). `None` looks in
    /// the usual places; a folder given here is the only one considered.
    pub bindir: Option<PathBuf>,
}

/// Whether data must survive a power cut.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Durability {
    /// PostgreSQL's own safe defaults: what was committed stays.
    Safe,
    /// Nothing waits for the disk. Survives a killed process, not a power
    /// cut: for tests, and only there.
    Throwaway,
}

/// A running cluster. It stops when this value is dropped; [`Cluster::stop`]
/// does the same and tells how it went.
///
/// While the value lives, a thread of its own watches PostgreSQL and starts it
/// again should it die. When the program itself is killed, PostgreSQL stops
/// with it where `setpriv` (util-linux) exists; elsewhere it lives on until
/// the next [`Cluster::start`] on the same folder, which stops it first.
pub struct Cluster {
    // Dropped in this order: the lock goes when nothing runs any more.
    keeper: Keeper,
    folders: Folders,
    passwords: Passwords,
    _lock: File,
}

impl Cluster {
    /// Starts the cluster below `settings.root`, making it first if there is
    /// none, and returns when it accepts connections and its roles
    /// (`aims_owner`, `aims_app`) and its database (`aims`) are in place.
    ///
    /// Blocks: about a second for a new cluster, a tenth of that for an
    /// existing one, longer when PostgreSQL has to recover from a crash. May
    /// be called from any thread.
    ///
    /// # Errors
    /// See [`StartError`]; nothing is left running.
    pub fn start(settings: &Settings) -> Result<Self, StartError> {
        let folders = Folders::open(&settings.root)?;
        let lock = folders.lock()?;
        let made_by = folders.major()?;
        let programs = Programs::find(settings.bindir.as_deref(), &folders.data, made_by)?;
        let account = Account::choose(&folders)?;
        let socket = folders.prepare(&account)?;
        let passwords = Passwords::open(&folders, &account, made_by.is_some())?;
        let launch = Launch {
            programs,
            account,
            durability: settings.durability,
            data: folders.data.clone(),
            socket,
            log: folders.log.clone(),
            setpriv: launch::setpriv(),
        };
        if made_by.is_none() {
            bootstrap::make(&launch, &folders, &passwords)?;
        }
        let keeper = Keeper::start(launch)?;
        bootstrap::furnish(keeper.socket(), &passwords)?;
        tracing::info!(
            folder = %folders.data.display(),
            programs = %keeper.programs(),
            "The built-in PostgreSQL cluster is ready"
        );
        Ok(Self {
            keeper,
            folders,
            passwords,
            _lock: lock,
        })
    }

    /// How to connect as `aims_owner`: owns the database, may make further
    /// databases, is no superuser. For migrations and for tests.
    #[must_use]
    pub fn owner_url(&self) -> String {
        bootstrap::url(self.keeper.socket(), OWNER, &self.passwords.owner)
    }

    /// How to connect as `aims_app`, the role that serves requests: owns
    /// nothing and is subject to row-level security. It may connect to every
    /// database of the cluster.
    #[must_use]
    pub fn app_url(&self) -> String {
        bootstrap::url(self.keeper.socket(), APP, &self.passwords.app)
    }

    /// Stops the cluster: open transactions are rolled back, a checkpoint is
    /// written, connections end. Blocks, usually for less than a tenth of a
    /// second, and never for more than about half a minute.
    ///
    /// # Errors
    /// [`StopError`] when PostgreSQL did not stop in time and had to be
    /// killed. Committed data is safe; the next start recovers it.
    pub fn stop(self) -> Result<(), StopError> {
        self.keeper.stop()
    }
}

impl fmt::Debug for Cluster {
    /// Names the folder, never the passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("data", &self.folders.data)
            .finish_non_exhaustive()
    }
}
