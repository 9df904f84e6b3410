//! The thread that starts PostgreSQL, watches it, starts it again when it
//! dies, and lets it go when the server stops.
//!
//! The thread lives exactly as long as PostgreSQL is wanted. That matters: the
//! signal that ends PostgreSQL together with a killed server is sent by the
//! system when the *thread* that started it ends, so it must not be a worker
//! that comes and goes.

use std::fs;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::retry_on_intr;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use super::error::{StartError, StopError};
use super::launch::Launch;
use super::leftovers;
use super::programs::Programs;

/// How long PostgreSQL may take to become ready; recovery after a crash reads
/// the log written since the last checkpoint, a gigabyte at worst.
const READY_PATIENCE: Duration = Duration::from_secs(300);
/// How long backends of a dead postmaster may take to notice; a busy one
/// notices at the end of its statement.
const ORPHAN_PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at `postmaster.pid`.
const PAUSE: Duration = Duration::from_millis(5);
/// Before PostgreSQL is started again; doubles up to the limit while it keeps dying.
const RESTART_PAUSE: Duration = Duration::from_millis(100);
const RESTART_PAUSE_LIMIT: Duration = Duration::from_secs(5);
/// A PostgreSQL that lived this long did not die at its start.
const LONG_LIFE: Duration = Duration::from_secs(60);
/// How PostgreSQL is asked to stop, and how long it may take each time.
const STOP: [(Signal, &str, Duration); 3] = [
    (Signal::INT, "SIGINT", Duration::from_secs(20)),
    (Signal::QUIT, "SIGQUIT", Duration::from_secs(10)),
    (Signal::KILL, "SIGKILL", Duration::from_secs(5)),
];

/// Holds PostgreSQL up while it lives.
pub(super) struct Keeper {
    shared: Arc<Shared>,
}

struct Shared {
    launch: Arc<Launch>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The running postmaster; `None` before its number can be anybody else's.
    pid: Option<Pid>,
    /// It was ready once: from now on it is started again when it dies.
    was_ready: bool,
    stopping: bool,
    /// The thread is done, for this reason.
    ended: Option<Ended>,
}

enum Ended {
    Exited(ExitStatus),
    Failed(StartError),
    Stopped,
}

impl Keeper {
    /// Starts PostgreSQL and waits until it accepts connections.
    pub(super) fn start(launch: Launch) -> Result<Self, StartError> {
        let launch = Arc::new(launch);
        let deadline = Instant::now() + ORPHAN_PATIENCE;
        loop {
            let log_start = launch.log_length();
            let keeper = Self::begin(Arc::clone(&launch))?;
            let Err(error) = keeper.wait_until_ready(log_start) else {
                return Ok(keeper);
            };
            if !still_held(&error) || Instant::now() > deadline {
                return Err(error);
            }
            thread::sleep(RESTART_PAUSE);
        }
    }

    /// Starts the thread, which starts PostgreSQL.
    fn begin(launch: Arc<Launch>) -> Result<Self, StartError> {
        let program = launch.programs.postgres();
        let shared = Arc::new(Shared {
            launch,
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let keeper = Self {
            shared: Arc::clone(&shared),
        };
        thread::Builder::new()
            .name("postgres".to_owned())
            .spawn(move || shared.keep())
            .map_err(StartError::io("start a thread for", &program))?;
        Ok(keeper)
    }

    fn wait_until_ready(&self, log_start: u64) -> Result<(), StartError> {
        let Shared {
            launch,
            state: _,
            changed,
        } = &*self.shared;
        let deadline = Instant::now() + READY_PATIENCE;
        let mut state = self.shared.lock();
        loop {
            match state.ended.take() {
                None | Some(Ended::Stopped) => {}
                Some(Ended::Failed(error)) => {
                    state.ended = Some(Ended::Stopped);
                    return Err(error);
                }
                Some(Ended::Exited(status)) => {
                    state.ended = Some(Ended::Exited(status));
                    return Err(StartError::Exited {
                        status,
                        log: launch.log.clone(),
                        tail: launch.log_since(log_start),
                    });
                }
            }
            if state.pid.is_some_and(|pid| is_ready(&launch.data, pid)) {
                state.was_ready = true;
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(StartError::NotReady {
                    log: launch.log.clone(),
                    tail: launch.log_since(log_start),
                });
            }
            (state, _) = changed
                .wait_timeout(state, PAUSE)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The folder of the socket.
    pub(super) fn socket(&self) -> &Path {
        &self.shared.launch.socket
    }

    pub(super) fn programs(&self) -> &Programs {
        &self.shared.launch.programs
    }

    /// Stops PostgreSQL for good; does nothing the second time.
    pub(super) fn stop(&self) -> Result<(), StopError> {
        let mut state = self.shared.lock();
        state.stopping = true;
        self.shared.changed.notify_all();
        let mut outcome = Ok(());
        for (signal, name, patience) in STOP {
            if state.ended.is_some() {
                break;
            }
            if let Some(pid) = state.pid {
                // It can only fail if the process just died, which is what we want.
                let _ = kill_process(pid, signal);
                if signal != Signal::INT {
                    outcome = Err(StopError { signal: name });
                }
            }
            (state, _) = self
                .shared
                .changed
                .wait_timeout_while(state, patience, |state| state.ended.is_none())
                .unwrap_or_else(PoisonError::into_inner);
        }
        outcome
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            tracing::warn!("{error}");
        }
    }
}

impl Shared {
    /// The thread's life: PostgreSQL's lives, one after the other.
    fn keep(&self) {
        let mut pause = RESTART_PAUSE;
        loop {
            let born = Instant::now();
            let ended = self.live_once().unwrap_or_else(Ended::Failed);
            let mut state = self.lock();
            if state.stopping || !state.was_ready {
                state.ended = Some(ended);
                self.changed.notify_all();
                return;
            }
            match ended {
                Ended::Exited(status) => {
                    tracing::error!(
                        log = %self.launch.log.display(),
                        "PostgreSQL ended unexpectedly ({status}): starting it again"
                    );
                }
                Ended::Failed(error) => tracing::error!("{error}"),
                Ended::Stopped => {}
            }
            pause = if born.elapsed() > LONG_LIFE {
                RESTART_PAUSE
            } else {
                RESTART_PAUSE_LIMIT.min(pause * 2)
            };
            // A stop ends the pause early.
            drop(
                self.changed
                    .wait_timeout_while(state, pause, |state| !state.stopping)
                    .unwrap_or_else(PoisonError::into_inner),
            );
        }
    }

    /// Starts PostgreSQL and waits for its end.
    fn live_once(&self) -> Result<Ended, StartError> {
        leftovers::clear(&self.launch.data, &self.launch.socket)?;
        let program = self.launch.programs.postgres();
        let mut state = self.lock();
        if state.stopping {
            return Ok(Ended::Stopped);
        }
        let mut child = self
            .launch
            .spawn()
            .map_err(StartError::io("start", &program))?;
        let pid = Pid::from_child(&child);
        state.pid = Some(pid);
        drop(state);

        // Wait without reaping: until `pid` is forgotten its number stays taken,
        // so that a signal never reaches a stranger.
        let dead = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        let _ = retry_on_intr(|| waitid(WaitId::Pid(pid), dead));
        self.lock().pid = None;
        child
            .wait()
            .map(Ended::Exited)
            .map_err(StartError::io("wait for", &program))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether PostgreSQL ended because something of a killed server still holds
/// the data folder: a postmaster that had not written its file when we looked,
/// or backends that have not noticed the death of theirs.
fn still_held(error: &StartError) -> bool {
    let StartError::Exited { tail, .. } = error else {
        return false;
    };
    tail.contains("pre-existing shared memory block")
        || (tail.contains("lock file") && tail.contains("already exists"))
}

/// Whether `postmaster.pid` says that this very postmaster accepts connections
/// (its first line is the process id, its eighth the status).
fn is_ready(data: &Path, pid: Pid) -> bool {
    let Ok(text) = fs::read_to_string(data.join("postmaster.pid")) else {
        return false;
    };
    let mut lines = text.lines().map(str::trim);
    lines.next().and_then(|line| line.parse().ok()) == Some(pid.as_raw_pid())
        && lines.nth(6) == Some("ready")
}
