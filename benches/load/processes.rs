//! Processes: starting servers, and what they and PostgreSQL use.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use crate::Outcome;

/// A server in a process of its own; it ends with this value, or with this program.
pub struct Served {
    child: Child,
    _lifeline: ChildStdin,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Served {
    /// Starts this program again in another role; it prints its address.
    pub fn start(role: &str, env: &[(&str, String)]) -> Outcome<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(role)
            .envs(env.iter().map(|(name, value)| (*name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let lifeline = child.stdin.take().ok_or("no stdin")?;
        let mut line = String::new();
        let stdout = child.stdout.take().ok_or("no stdout")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let address = line
            .trim()
            .parse()
            .map_err(|error| format!("{role} did not start: {error}"))?;
        Ok(Self {
            child,
            _lifeline: lifeline,
            address,
        })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Ends this process when the one that started it is gone.
pub fn end_with_parent() {
    std::thread::spawn(|| {
        let mut nothing = Vec::new();
        let _ = std::io::stdin().read_to_end(&mut nothing);
        std::process::exit(0);
    });
}

/// Time that the threads of a process have been running.
pub fn cpu(pid: u32) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"));
    tasks
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|task| fs::read_to_string(task.path().join("schedstat")).ok())
        .filter_map(|stat| stat.split(' ').next()?.parse().ok())
        .map(Duration::from_nanos)
        .sum()
}

/// Time of PostgreSQL: its postmaster and all that it has started.
pub fn postgres_cpu(postmaster: u32) -> Duration {
    let backends = fs::read_dir("/proc").into_iter().flatten().flatten();
    let backends = backends
        .filter_map(|process| process.file_name().to_str()?.parse().ok())
        .filter(|pid| parent(*pid) == Some(postmaster))
        .map(cpu);
    cpu(postmaster) + backends.sum::<Duration>()
}

fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may have spaces: state and parent follow the last one.
    stat.rsplit_once(')')?.1.split(' ').nth(2)?.parse().ok()
}

/// Process id of the cluster in a folder.
pub fn postmaster(root: &Path) -> Outcome<u32> {
    let file = fs::read_to_string(root.join("postgres/data/postmaster.pid"))?;
    Ok(file.lines().next().unwrap_or_default().trim().parse()?)
}

/// Resident memory in megabytes.
pub fn memory(pid: u32) -> Outcome<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kilobytes: u32 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|value| value.split_whitespace().next())
        .ok_or("no VmRSS")?
        .parse()?;
    Ok(f64::from(kilobytes) / 1024.0)
}
