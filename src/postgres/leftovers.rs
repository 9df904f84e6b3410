//! What a killed server left behind.
//!
//! PostgreSQL writes its process id into two lock files, `postmaster.pid` in
//! the data folder and another one beside the socket, and refuses to start
//! while that process lives. After a crash such a file may name
//!
//! - our PostgreSQL, still running because only the server was killed: it is
//!   stopped, in peace if possible;
//! - a zombie, dead but not yet reaped (in a container whose first process
//!   never reaps, for ever): the file is removed;
//! - an unrelated process that got the same number, common in containers: the
//!   file is removed;
//! - nothing: PostgreSQL sees that itself.
//!
//! Removing the files is safe because the server's own lock is held, and
//! because PostgreSQL also recognises surviving backends of a dead postmaster
//! by the shared memory that belongs to the data folder's inode.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::error::StartError;
use super::folders::SOCKET_NAME;

/// How long a left-over PostgreSQL may take after each signal.
const PATIENCE: [(Signal, Duration); 3] = [
    (Signal::INT, Duration::from_secs(20)),
    (Signal::QUIT, Duration::from_secs(10)),
    (Signal::KILL, Duration::from_secs(5)),
];
/// Between two looks at a process that is about to end.
const PAUSE: Duration = Duration::from_millis(10);

/// What the process named in a lock file turned out to be.
#[derive(Debug, Eq, PartialEq)]
enum Found {
    Nothing,
    Zombie,
    OurPostgres,
    Stranger,
}

/// Clears the way for a start on `data` with a socket in the folder `socket`.
pub(super) fn clear(data: &Path, socket: &Path) -> Result<(), StartError> {
    clear_lock(&data.join("postmaster.pid"), data)?;
    clear_lock(&socket.join(format!("{SOCKET_NAME}.lock")), data)
}

/// Sees to it that the lock file does not keep PostgreSQL from starting.
fn clear_lock(file: &Path, data: &Path) -> Result<(), StartError> {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(StartError::io("read", file)(error)),
    };
    let Some(pid) = parse_pid(&text) else {
        return remove(file);
    };
    match look_at(pid, data) {
        Found::Nothing => Ok(()),
        Found::Zombie | Found::Stranger => remove(file),
        Found::OurPostgres => {
            tracing::warn!(
                pid = pid.as_raw_pid(),
                "PostgreSQL of an earlier server still runs: stopping it first"
            );
            end(pid, data)?;
            // Gone if it stopped in peace.
            remove(file)
        }
    }
}

/// Ends a left-over PostgreSQL, ever less politely.
fn end(pid: Pid, data: &Path) -> Result<(), StartError> {
    for (signal, patience) in PATIENCE {
        // An error means that it is gone or not ours to end; the look tells which.
        let _ = kill_process(pid, signal);
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if look_at(pid, data) != Found::OurPostgres {
                return Ok(());
            }
            thread::sleep(PAUSE);
        }
    }
    Err(StartError::StillRunning {
        pid: pid.as_raw_pid(),
        data: data.to_owned(),
    })
}

fn remove(file: &Path) -> Result<(), StartError> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(StartError::io("remove the left-over file", file)(error))
        }
        _ => Ok(()),
    }
}

/// The process id in the text of a lock file.
fn parse_pid(text: &str) -> Option<Pid> {
    Pid::from_raw(text.lines().next()?.trim().parse().ok()?)
}

/// Finds out what process `pid` is: through `/proc` where there is one, else
/// by asking `ps`.
fn look_at(pid: Pid, data: &Path) -> Found {
    if !Path::new("/proc/self/stat").exists() {
        return look_through_ps(pid, data);
    }
    let process = Path::new("/proc").join(pid.as_raw_pid().to_string());
    let Ok(stat) = fs::read_to_string(process.join("stat")) else {
        return Found::Nothing;
    };
    match parse_stat(&stat) {
        Some((_, 'Z' | 'X')) => Found::Zombie,
        Some(("postgres", _)) => match fs::read_link(process.join("cwd")) {
            // A postmaster works in its data folder, and so does nobody else's.
            Ok(folder) if folder == data => Found::OurPostgres,
            _ => Found::Stranger,
        },
        _ => Found::Stranger,
    }
}

/// `12 (postgres) S 1 …` → name and state.
fn parse_stat(stat: &str) -> Option<(&str, char)> {
    let (head, tail) = stat.rsplit_once(')')?;
    let (_, name) = head.split_once('(')?;
    Some((name, tail.trim_start().chars().next()?))
}

fn look_through_ps(pid: Pid, data: &Path) -> Found {
    let output = Command::new("ps")
        .args(["-o", "stat=", "-o", "command=", "-p"])
        .arg(pid.as_raw_pid().to_string())
        .output();
    // Without an answer PostgreSQL itself decides.
    let Ok(output) = output else {
        return Found::Nothing;
    };
    let line = String::from_utf8_lossy(&output.stdout);
    let line = line.trim();
    if line.is_empty() {
        Found::Nothing
    } else if line.starts_with('Z') {
        Found::Zombie
    } else if line.contains("postgres -D") && line.contains(&*data.to_string_lossy()) {
        Found::OurPostgres
    } else {
        Found::Stranger
    }
}

#[cfg(test)]
mod tests {
    use super::{Found, look_at, look_through_ps, parse_pid, parse_stat};
    use rustix::process::Pid;
    use std::path::Path;
    use std::process::Command;

    #[test]
    fn name_and_state_are_read_even_if_the_name_has_parentheses() {
        assert_eq!(parse_stat("7 (postgres) S 1 7"), Some(("postgres", 'S')));
        assert_eq!(parse_stat("7 (a) b) Z 1 7"), Some(("a) b", 'Z')));
        assert_eq!(parse_stat("nonsense"), None);
    }

    #[test]
    fn a_damaged_pid_file_names_nobody() {
        assert_eq!(parse_pid(""), None);
        assert_eq!(parse_pid("0\n"), None);
        assert_eq!(parse_pid("12\n/data\n").map(Pid::as_raw_pid), Some(12));
    }

    #[test]
    fn living_zombie_and_gone_processes_are_told_apart() {
        let mut child = Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let pid = Pid::from_child(&child);
        let data = Path::new("/nowhere");

        assert_eq!(look_at(pid, data), Found::Stranger);
        child.kill().unwrap();
        let options =
            rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
        rustix::process::waitid(rustix::process::WaitId::Pid(pid), options).unwrap();
        assert_eq!(look_at(pid, data), Found::Zombie);
        child.wait().unwrap();
        assert_eq!(look_at(pid, data), Found::Nothing);
        assert_eq!(look_through_ps(pid, data), Found::Nothing);
    }
}
