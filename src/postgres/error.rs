//! What can keep the cluster from starting or stopping, in sentences that say
//! what to do next.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

/// The oldest major version of PostgreSQL that the schema can live in.
pub(super) const OLDEST_MAJOR: u32 = 15;

/// The way out that is always open.
const OR_ELSEWHERE: &str =
    "or set DATABASE_URL to use a PostgreSQL server that already runs elsewhere";

/// Why the built-in cluster did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// Neither `postgres` nor `initdb` was found.
    NoPrograms {
        /// The folders that were searched.
        looked_in: Vec<PathBuf>,
    },
    /// Programs were found, but all are older than PostgreSQL 15.
    ProgramsTooOld {
        /// Major versions and the folders of their programs.
        found: Vec<(u32, PathBuf)>,
    },
    /// The data folder was made by a major version that is not installed.
    OtherMajor {
        /// The data folder.
        data: PathBuf,
        /// The major version that made it.
        made_by: u32,
        /// Major versions on this machine and the folders of their programs.
        found: Vec<(u32, PathBuf)>,
    },
    /// There is a data folder, but it is no PostgreSQL cluster.
    NotACluster {
        /// The data folder.
        data: PathBuf,
    },
    /// Another server works on this root folder.
    AlreadyRunning {
        /// The file that it has locked.
        lock: PathBuf,
        /// Its process id, if the file tells.
        pid: Option<u32>,
    },
    /// Started as root, and there is no other user to run PostgreSQL as.
    NoAccount,
    /// The user that runs PostgreSQL may not pass through a folder above the data.
    ClosedFolder {
        /// The folder that is closed.
        folder: PathBuf,
        /// The user's name, or number if it has none.
        user: String,
    },
    /// A folder that must be private belongs to somebody else or is open to others.
    ForeignFolder {
        /// That folder.
        folder: PathBuf,
    },
    /// No folder has a path short enough for a unix socket.
    NoSocketFolder {
        /// The folders that were considered.
        tried: Vec<PathBuf>,
    },
    /// The password of the superuser is lost.
    NoPassword {
        /// The file that should have it.
        file: PathBuf,
    },
    /// A file, folder or program could not be used.
    Io {
        /// What was being done, as in "could not *read* …".
        doing: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// `initdb` could not make the cluster.
    Initdb {
        /// What it wrote to its standard error.
        output: String,
    },
    /// A PostgreSQL of a killed server still runs on the data folder and does not stop.
    StillRunning {
        /// Its process id.
        pid: i32,
        /// The data folder.
        data: PathBuf,
    },
    /// PostgreSQL ended before it was ready.
    Exited {
        /// How it ended.
        status: ExitStatus,
        /// Its log.
        log: PathBuf,
        /// What it wrote there in this attempt.
        tail: String,
    },
    /// PostgreSQL runs but did not become ready in time.
    NotReady {
        /// Its log.
        log: PathBuf,
        /// What it wrote there in this attempt.
        tail: String,
    },
    /// Roles and database could not be put in place.
    Furnish {
        /// What PostgreSQL said.
        source: tokio_postgres::Error,
    },
}

impl StartError {
    /// For `map_err`: an input/output error met while `doing` something with `path`.
    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            doing,
            path,
            source,
        }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPrograms { looked_in } => write!(
                f,
                "No PostgreSQL programs were found on this machine (looked in {}). \
                 Install PostgreSQL {OLDEST_MAJOR} or newer (Debian, Ubuntu: apt-get install postgresql; \
                 macOS: brew install postgresql@17), set PG_BINDIR to the folder of `postgres` and `initdb`, \
                 {OR_ELSEWHERE}.",
                list(looked_in.iter().map(|folder| folder.display().to_string()))
            ),
            Self::ProgramsTooOld { found } => write!(
                f,
                "PostgreSQL {OLDEST_MAJOR} or newer is needed, but this machine only has {}. \
                 Install a newer PostgreSQL, set PG_BINDIR to its programs, {OR_ELSEWHERE}.",
                versions(found)
            ),
            Self::OtherMajor {
                data,
                made_by,
                found,
            } => write!(
                f,
                "The data folder {} was made by PostgreSQL {made_by}, but this machine has {}; \
                 one major version cannot read the data of another. Install PostgreSQL {made_by} beside it \
                 (or set PG_BINDIR to its programs), or move the data to the newer version with pg_upgrade, \
                 {OR_ELSEWHERE}. Nothing was changed.",
                data.display(),
                versions(found)
            ),
            Self::NotACluster { data } => write!(
                f,
                "The folder {} exists but is no PostgreSQL cluster (it has no readable PG_VERSION). \
                 Restore it from a backup, or move it away to begin with an empty database.",
                data.display()
            ),
            Self::AlreadyRunning { lock, pid } => {
                write!(f, "Another server already works on this data folder (")?;
                if let Some(pid) = pid {
                    write!(f, "process {pid} ")?;
                }
                write!(
                    f,
                    "holds {}). Stop it first, or set AIMS_DATA to another folder.",
                    lock.display()
                )
            }
            Self::NoAccount => write!(
                f,
                "PostgreSQL refuses to run as root, and there is neither a user `postgres` nor `nobody` \
                 to run it as. Start the server as a normal user, {OR_ELSEWHERE}."
            ),
            Self::ClosedFolder { folder, user } => write!(
                f,
                "PostgreSQL is to run as user {user}, who may not pass through the folder {}. \
                 Set AIMS_DATA to a folder that everybody can reach, such as /var/lib/aims, \
                 or start the server as a normal user.",
                folder.display()
            ),
            Self::ForeignFolder { folder } => write!(
                f,
                "The folder {} must belong to the user that runs PostgreSQL and be closed to all others, \
                 but it is not. Remove it, or set AIMS_DATA to another folder.",
                folder.display()
            ),
            Self::NoSocketFolder { tried } => write!(
                f,
                "The path of a unix socket may have {} bytes at most, and all of these folders are longer: {}. \
                 Set AIMS_DATA to a folder with a shorter path.",
                super::folders::SOCKET_PATH_LIMIT,
                list(tried.iter().map(|folder| folder.display().to_string()))
            ),
            Self::NoPassword { file } => write!(
                f,
                "The cluster exists, but its password file {} is missing or damaged. \
                 Restore that file from a backup, {OR_ELSEWHERE}.",
                file.display()
            ),
            Self::Io {
                doing,
                path,
                source,
            } => write!(
                f,
                "Could not {doing} {}: {source}. Check who owns it and that the disk is not full.",
                path.display()
            ),
            Self::Initdb { output } => {
                write!(f, "A new PostgreSQL cluster could not be made.")?;
                if output.contains("could not look up effective user") {
                    write!(
                        f,
                        " The user that runs the server must be known to the system (/etc/passwd)."
                    )?;
                }
                write!(f, " initdb said:\n{output}")
            }
            Self::StillRunning { pid, data } => write!(
                f,
                "PostgreSQL (process {pid}) of an earlier server still runs on {} and does not stop. \
                 End that process, then start again.",
                data.display()
            ),
            Self::Exited { status, log, tail } => write!(
                f,
                "PostgreSQL ended before it was ready ({status}). It said (more in {}):\n{tail}",
                log.display()
            ),
            Self::NotReady { log, tail } => write!(
                f,
                "PostgreSQL started but did not become ready in time. It said (more in {}):\n{tail}",
                log.display()
            ),
            Self::Furnish { source } => {
                write!(
                    f,
                    "Roles and database of the cluster could not be put in place: {source}"
                )?;
                source
                    .as_db_error()
                    .map_or(Ok(()), |error| write!(f, " ({error})"))
            }
        }
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Furnish { source } => Some(source),
            _ => None,
        }
    }
}

/// PostgreSQL did not stop in time and was killed with this signal. Committed
/// data is safe; the next start recovers it.
#[derive(Debug)]
pub struct StopError {
    pub(super) signal: &'static str,
}

impl fmt::Display for StopError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "PostgreSQL did not stop in time and was ended with {}. No committed data is lost; \
             the next start will take a little longer to recover it.",
            self.signal
        )
    }
}

impl Error for StopError {}

/// `PostgreSQL 16 (/usr/lib/postgresql/16/bin), PostgreSQL 15 (…)`.
fn versions(found: &[(u32, PathBuf)]) -> String {
    list(
        found
            .iter()
            .map(|(major, folder)| format!("PostgreSQL {major} ({})", folder.display())),
    )
}

/// The items with commas between them.
fn list(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}
