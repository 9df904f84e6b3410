//! The server as a process of its own, which can be sent signals and killed.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::Client;

/// What a start or an end may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(10);

/// A running `aims serve`; killed when it is dropped.
pub struct Process {
    child: Child,
    log: PathBuf,
    base: String,
}

impl Process {
    /// Starts with these settings and waits until it listens. What it says goes to a file.
    pub async fn start(env: &HashMap<String, String>, log: &Path) -> Self {
        let out = File::create(log).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_aims"))
            .arg("serve")
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
            .envs(env)
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            .spawn()
            .unwrap();
        let mut process = Self {
            child,
            log: log.to_owned(),
            base: String::new(),
        };
        let deadline = Instant::now() + PATIENCE;
        loop {
            let said = process.said();
            let address = said.split("Listening on ").nth(1);
            if let Some((address, _)) = address.and_then(|rest| rest.split_once('\n')) {
                address.trim().clone_into(&mut process.base);
                return process;
            }
            let ended = process.child.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < deadline, "{said}");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Its log.
    pub fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Where it is reached.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// A caller without credentials.
    pub fn anonymous(&self) -> Client {
        Client::new(&self.base)
    }

    /// Its resident memory.
    pub fn memory_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.unwrap().trim().trim_end_matches(" kB");
        number.parse().unwrap()
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().try_into().unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Waits for its end.
    pub async fn end(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "{}", self.said());
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
