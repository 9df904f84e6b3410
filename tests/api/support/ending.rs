//! A run ends when it is told to: the servers in it leave the signals of the process alone. It
//! leaves no PostgreSQL behind.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::server::{Setup, folder};

/// What the end of a run may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A run of its own; killed when it is dropped.
struct Run(Child);

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[actix_web::test]
#[ignore = "the run that is ended by the test below"]
async fn a_run_that_would_go_on_for_ever() {
    let app = Setup::named("ending").start();
    app.anonymous().get("/livez", 200).await;
    let postmaster = folder("").join("../postgres/data/postmaster.pid");
    let postmaster = std::fs::read_to_string(postmaster).unwrap();
    println!("PostgreSQL is {}", postmaster.lines().next().unwrap());
    tokio::time::sleep(Duration::from_secs(600)).await;
}

#[test]
fn a_run_that_is_told_to_end_does_and_leaves_no_database_behind() {
    for told in [Signal::TERM, Signal::INT] {
        let mut run = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--nocapture", "--exact"])
            .arg("support::ending::a_run_that_would_go_on_for_ever")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map(Run)
            .unwrap();
        let lines = BufReader::new(run.0.stdout.take().unwrap()).lines();
        let mut lines = lines.map_while(Result::ok);
        let postgres = lines.find_map(|line| {
            let (_, pid) = line.split_once("PostgreSQL is ")?;
            Some(Path::new("/proc").join(pid.trim()))
        });
        let postgres = postgres.expect("the run starts");
        assert!(postgres.exists());

        kill_process(Pid::from_child(&run.0), told).unwrap();

        let begun = Instant::now();
        let status = loop {
            if let Some(status) = run.0.try_wait().unwrap() {
                break status;
            }
            assert!(begun.elapsed() < PATIENCE, "{told:?} is ignored");
            thread::sleep(Duration::from_millis(20));
        };
        assert!(!status.success());
        while postgres.exists() {
            assert!(
                begun.elapsed() < PATIENCE,
                "{told:?} leaves PostgreSQL behind"
            );
            thread::sleep(Duration::from_millis(20));
        }
    }
}
