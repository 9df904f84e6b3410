//! The command lines of `initdb` and `postgres`.
//!
//! Settings are given on the command line, not in `postgresql.conf`, so that a
//! newer server brings its own to an older cluster.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::account::Account;
use super::programs::Programs;
use super::{Durability, SUPERUSER};

/// Settings of every cluster.
const SETTINGS: [&str; 16] = [
    // No network: the port only names the socket.
    "listen_addresses=",
    "port=5432",
    "unix_socket_permissions=0700",
    "max_connections=100",
    "shared_buffers=256MB",
    // Short queries: compiling them costs more than it gains.
    "jit=off",
    // Nobody replicates from here; backups are made with pg_dump.
    "max_wal_senders=0",
    "timezone=UTC",
    "log_timezone=UTC",
    "log_destination=stderr",
    "logging_collector=off",
    "log_line_prefix=%m [%p] %d ",
    "log_checkpoints=off",
    // No personal data in the log: neither values that broke a constraint nor statements.
    "log_error_verbosity=terse",
    "log_min_error_statement=panic",
    "log_parameter_max_length_on_error=0",
];
/// Settings of a cluster whose data is thrown away. Commits are still written
/// to the system (`synchronous_commit` stays on): they survive a killed process.
const THROWAWAY: [&str; 2] = ["fsync=off", "full_page_writes=off"];

/// Where `setpriv` of util-linux may be.
const SETPRIV: [&str; 3] = [
    "/usr/bin/setpriv",
    "/bin/setpriv",
    "/run/current-system/sw/bin/setpriv",
];

/// Characters that sort and compare the same on every machine.
const LOCALE: &str = if cfg!(target_os = "macos") {
    "en_US.UTF-8"
} else {
    "C.UTF-8"
};

/// A log that has grown beyond this many bytes is put aside at the next start.
const LOG_LIMIT: u64 = 10 * 1024 * 1024;
/// Bytes of the log that are quoted in an error.
const TAIL: u64 = 4096;

/// Everything needed to start PostgreSQL, again and again.
pub(super) struct Launch {
    pub(super) programs: Programs,
    pub(super) account: Account,
    pub(super) durability: Durability,
    pub(super) data: PathBuf,
    /// The folder of the socket.
    pub(super) socket: PathBuf,
    pub(super) log: PathBuf,
    pub(super) setpriv: Option<PathBuf>,
}

impl Launch {
    /// `initdb` for a cluster in `folder`.
    pub(super) fn initdb(&self, folder: &Path, superuser_password: &Path) -> Command {
        let mut command = self.command(&self.programs.initdb());
        command
            .args([
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--data-checksums",
            ])
            .arg(format!("--username={SUPERUSER}"))
            .arg(format!("--locale={LOCALE}"))
            .arg("--lc-messages=C")
            .arg("--pwfile")
            .arg(superuser_password)
            .arg("--pgdata")
            .arg(folder);
        if self.durability == Durability::Throwaway {
            command.arg("--no-sync");
        }
        command
    }

    /// Starts `postgres`. With `setpriv` the system interrupts it when the
    /// *thread* that called this ends; call it from one that lives as long as
    /// PostgreSQL shall.
    pub(super) fn spawn(&self) -> io::Result<Child> {
        let log = self.open_log()?;
        let program = self.programs.postgres();
        let mut command = match &self.setpriv {
            Some(setpriv) => {
                let mut command = self.command(setpriv);
                command.args(["--pdeathsig", "INT", "--"]).arg(&program);
                command
            }
            None => self.command(&program),
        };
        command.arg("-D").arg(&self.data);
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        if self.durability == Durability::Throwaway {
            for setting in THROWAWAY {
                command.args(["-c", setting]);
            }
        }
        command
            .arg("-c")
            .arg(socket_setting(&self.socket))
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl-C is for the server, which stops PostgreSQL last.
            .process_group(0)
            .spawn()
    }

    /// A command that runs as the right account and knows nothing of our
    /// environment: that has secrets, and `PGPORT` and the like mean something
    /// to PostgreSQL.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("LC_ALL", "C")
            .current_dir("/")
            .stdin(Stdio::null());
        self.account.apply(&mut command);
        command
    }

    fn open_log(&self) -> io::Result<File> {
        if self.log_length() > LOG_LIMIT {
            fs::rename(&self.log, self.log.with_extension("log.1"))?;
        }
        OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&self.log)
    }

    /// Bytes in the log now.
    pub(super) fn log_length(&self) -> u64 {
        fs::metadata(&self.log).map_or(0, |log| log.len())
    }

    /// What PostgreSQL wrote since the log had `start` bytes, its last part only.
    pub(super) fn log_since(&self, start: u64) -> String {
        let read = || -> io::Result<Vec<u8>> {
            let mut log = File::open(&self.log)?;
            let length = log.metadata()?.len();
            let start = if start > length { 0 } else { start };
            log.seek(SeekFrom::Start(start.max(length.saturating_sub(TAIL))))?;
            let mut bytes = Vec::new();
            log.read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        // It only explains an error: better without than another error.
        let bytes = read().unwrap_or_default();
        String::from_utf8_lossy(&bytes).trim().to_owned()
    }
}

/// The `setpriv` of this machine if it knows how to set the signal that a
/// process gets when its parent dies.
pub(super) fn setpriv() -> Option<PathBuf> {
    SETPRIV.map(PathBuf::from).into_iter().find(|setpriv| {
        Command::new(setpriv)
            .args(["--pdeathsig", "INT", "--"])
            .arg(setpriv)
            .arg("--version")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    })
}

/// `unix_socket_directories` is a list: the one folder is quoted lest a comma
/// in its path makes it two.
fn socket_setting(folder: &Path) -> OsString {
    let mut setting = b"unix_socket_directories=\"".to_vec();
    for &byte in OsStr::as_bytes(folder.as_os_str()) {
        if byte == b'"' {
            setting.push(b'"');
        }
        setting.push(byte);
    }
    setting.push(b'"');
    OsString::from_vec(setting)
}

#[cfg(test)]
mod tests {
    use super::socket_setting;
    use std::path::Path;

    #[test]
    fn the_socket_folder_is_one_even_with_commas_and_quotes() {
        assert_eq!(
            socket_setting(Path::new("/a, \"b\"")),
            "unix_socket_directories=\"/a, \"\"b\"\"\""
        );
    }
}
