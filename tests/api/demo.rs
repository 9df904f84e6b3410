//! `aims demo`, as a reader starts it: once on an empty database, once more on the same.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Client, Setup};

/// What the demo may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// The program; it ends with the test, however that ends.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the program with demo data; answers what it prints, up to the last line, and itself.
fn start(env: &std::collections::HashMap<String, String>) -> (String, Program) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_aims"))
        .arg("demo")
        .envs(env)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map(Program)
        .unwrap();
    let output = BufReader::new(program.0.stdout.take().unwrap());
    let (tell, told) = mpsc::channel();
    thread::spawn(move || output.lines().try_for_each(|line| tell.send(line.unwrap())));
    let deadline = Instant::now() + PATIENCE;
    let mut printed = String::new();
    while !printed.contains("/portfolio'") {
        let left = deadline.saturating_duration_since(Instant::now());
        let line = told.recv_timeout(left);
        let line = line.unwrap_or_else(|_| panic!("the demo did not come to its end: {printed}"));
        printed += &line;
        printed.push('\n');
    }
    (printed, program)
}

#[actix_web::test]
async fn the_demo_is_loaded_once_and_found_again() {
    let (env, _) = Setup::named("demo").settings();

    let (first, program) = start(&env);

    let base = first.split("/docs/").next().unwrap();
    let base = base.split_whitespace().last().unwrap();
    let api = Client::new(base);
    let ana = json!({"email": "ana@aurelia.example", "password": "four small boats leave"});
    let pair = api.post("/v1/auth/login", &ana, 200).await;
    let ana = api.with_token(pair["access_token"].as_str().unwrap());
    let me = ana.get("/v1/me", 200).await;
    let tenant = me["tenants"][0]["id"].as_str().unwrap().to_owned();
    let risks = format!("/v1/tenants/{tenant}/risks?sort=ref");
    let risks = ana.get(&risks, 200).await;
    assert_eq!(risks["items"].as_array().unwrap().len(), 6);
    assert_eq!(risks["items"][0]["status"], "treated");
    assert_eq!(risks["items"][0]["inherent"]["score"], 15);
    assert_eq!(risks["items"][0]["current"]["score"], 8);
    let issues = format!("/v1/tenants/{tenant}/context-issues");
    let issues = ana.get(&issues, 200).await;
    assert_eq!(issues["items"].as_array().unwrap().len(), 12);
    drop(program);

    let (again, _program) = start(&env);

    assert!(again.contains(&tenant), "{again}");
}
