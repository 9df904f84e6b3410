//! The folders of the cluster: their paths, their lock, and who may enter.

use std::env;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process;
use std::thread;
use std::time::{Duration, Instant};

use super::account::Account;
use super::error::StartError;

/// Bytes that the path of a unix socket may have (`sun_path` of `sockaddr_un`
/// without its final zero).
pub(super) const SOCKET_PATH_LIMIT: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// The socket's file name: PostgreSQL builds it from the port, which has no
/// other meaning here.
pub(super) const SOCKET_NAME: &str = ".s.PGSQL.5432";

/// How long to wait for a server that is just ending: after a SIGKILL the
/// system takes a moment to give its lock back.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);
/// Between two attempts at the lock.
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// Where everything of a cluster lies.
#[derive(Clone, Debug)]
pub(super) struct Folders {
    root: PathBuf,
    /// `<root>/postgres`, mode 0700, belongs to the account that runs PostgreSQL.
    pub(super) home: PathBuf,
    pub(super) data: PathBuf,
    /// Where `initdb` works; renamed to `data` when it is complete.
    pub(super) unfinished: PathBuf,
    pub(super) passwords: PathBuf,
    pub(super) log: PathBuf,
}

impl Folders {
    /// Makes the root folder if it is missing.
    pub(super) fn open(root: &Path) -> Result<Self, StartError> {
        DirBuilder::new()
            .recursive(true)
            .create(root)
            .map_err(StartError::io("make the folder", root))?;
        // PostgreSQL changes its working directory, and a left-over one is
        // recognised by that: the path has to be the true one.
        let root = root
            .canonicalize()
            .map_err(StartError::io("open the folder", root))?;
        let home = root.join("postgres");
        Ok(Self {
            data: home.join("data"),
            unfinished: home.join("data.new"),
            passwords: home.join("passwords"),
            log: home.join("postgres.log"),
            root,
            home,
        })
    }

    /// Takes the lock that keeps a second server away from this root folder.
    /// The system gives it back when the process ends, however it ends.
    pub(super) fn lock(&self) -> Result<File, StartError> {
        let path = self.root.join("aims.lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(StartError::io("open the lock file", &path))?;
        let deadline = Instant::now() + LOCK_PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    thread::sleep(LOCK_PAUSE);
                }
                Err(TryLockError::WouldBlock) => {
                    let mut holder = String::new();
                    // Only for the message: it does without.
                    let _ = file.read_to_string(&mut holder);
                    return Err(StartError::AlreadyRunning {
                        lock: path,
                        pid: holder.trim().parse().ok(),
                    });
                }
                Err(TryLockError::Error(error)) => {
                    return Err(StartError::io("lock the file", &path)(error));
                }
            }
        }
        file.set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| writeln!(file, "{}", process::id()))
            .map_err(StartError::io("write the lock file", &path))?;
        Ok(file)
    }

    /// The major version that made the data folder; `None` if there is no cluster yet.
    pub(super) fn major(&self) -> Result<Option<u32>, StartError> {
        let file = self.data.join("PG_VERSION");
        match fs::read_to_string(&file) {
            // Before version 10 it says `9.6`.
            Ok(text) => match text.trim().split('.').next().map(str::parse) {
                Some(Ok(major)) => Ok(Some(major)),
                _ => Err(self.not_a_cluster()),
            },
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let exists = fs::exists(&self.data)
                    .map_err(StartError::io("look at the folder", &self.data))?;
                if exists {
                    Err(self.not_a_cluster())
                } else {
                    Ok(None)
                }
            }
            Err(error) => Err(StartError::io("read", &file)(error)),
        }
    }

    fn not_a_cluster(&self) -> StartError {
        StartError::NotACluster {
            data: self.data.clone(),
        }
    }

    /// Makes the folders that PostgreSQL needs and returns the one for its socket.
    pub(super) fn prepare(&self, account: &Account) -> Result<PathBuf, StartError> {
        if account.steps_down {
            self.let_pass(account)?;
        }
        private_folder(&self.home, account)?;
        private_folder(&self.passwords, account)?;
        let socket = self.socket_folder()?;
        private_folder(&socket, account)?;
        Ok(socket)
    }

    /// Makes sure that an account other than ours reaches the cluster: opens
    /// the root folder for passing through (not for reading), and refuses if a
    /// folder above it is closed.
    fn let_pass(&self, account: &Account) -> Result<(), StartError> {
        for folder in self.root.ancestors() {
            let found =
                fs::metadata(folder).map_err(StartError::io("look at the folder", folder))?;
            if account.may_pass(&found) {
                continue;
            }
            if folder != self.root {
                return Err(StartError::ClosedFolder {
                    folder: folder.to_owned(),
                    user: account.name(),
                });
            }
            let mode = (found.mode() & 0o7777) | 0o011;
            fs::set_permissions(folder, Permissions::from_mode(mode))
                .map_err(StartError::io("open for PostgreSQL the folder", folder))?;
        }
        Ok(())
    }

    /// The folder for the socket: inside the cluster's own if the path is
    /// short enough, else in a folder for temporary files under a name that is
    /// always the same for this cluster.
    fn socket_folder(&self) -> Result<PathBuf, StartError> {
        let mut hasher = DefaultHasher::new();
        self.home.hash(&mut hasher);
        let name = format!("aims-{:016x}", hasher.finish());
        let tried = vec![
            self.home.join("run"),
            env::temp_dir().join(&name),
            Path::new("/tmp").join(&name),
        ];
        match tried.iter().find(|folder| fits(folder)) {
            Some(folder) => Ok(folder.clone()),
            None => Err(StartError::NoSocketFolder { tried }),
        }
    }
}

/// Whether a socket in `folder` has a path that the system accepts.
fn fits(folder: &Path) -> bool {
    folder.join(SOCKET_NAME).as_os_str().as_bytes().len() <= SOCKET_PATH_LIMIT
}

/// Makes a folder that belongs to `account` and is closed to all others, or
/// checks that the existing one is such.
fn private_folder(path: &Path, account: &Account) -> Result<(), StartError> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(StartError::io("make the folder", path)(error));
        }
        _ => {}
    }
    let found = fs::symlink_metadata(path).map_err(StartError::io("look at the folder", path))?;
    let ours = found.uid() == rustix::process::geteuid().as_raw() || found.uid() == account.uid;
    // A symbolic link here may be an attack (the folder for temporary files is
    // everybody's), and so may be a folder that somebody else made.
    if !found.is_dir() || !ours || found.mode() & 0o077 != 0 {
        return Err(StartError::ForeignFolder {
            folder: path.to_owned(),
        });
    }
    if found.uid() != account.uid {
        account.give(path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Folders, fits};
    use std::path::Path;

    #[test]
    fn a_long_path_puts_the_socket_into_a_short_folder() {
        let long = Path::new("/").join("long".repeat(40));
        let folders = Folders {
            root: long.clone(),
            home: long.clone(),
            data: long.clone(),
            unfinished: long.clone(),
            passwords: long.clone(),
            log: long.clone(),
        };

        let folder = folders.socket_folder().unwrap();

        assert!(fits(&folder), "{}", folder.display());
        assert_eq!(folder, folders.socket_folder().unwrap());
    }

    #[test]
    fn the_limit_counts_the_name_of_the_socket() {
        // 107 bytes in all on Linux: 14 of them are `/.s.PGSQL.5432`.
        let longest = super::SOCKET_PATH_LIMIT - 14;

        assert!(fits(&Path::new("/").join("x".repeat(longest - 1))));
        assert!(!fits(&Path::new("/").join("x".repeat(longest))));
    }
}
