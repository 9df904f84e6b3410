//! A server that is killed in the middle has either done what was asked, with its answer kept,
//! or nothing of it.

use std::collections::HashMap;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use aims::app::kinds;
use futures_util::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

use super::stage::{Stage, example};
use crate::support::Setup;

/// Times that the server is killed.
const ROUNDS: u64 = 6;
/// Clients at once.
const CLIENTS: usize = 6;
/// What a server may take to start.
const START_TIME: Duration = Duration::from_secs(60);

/// A server process.
struct Process {
    child: Child,
    base: String,
}

impl Process {
    async fn start(env: &HashMap<String, String>) -> Self {
        // Free a moment ago; the server says so if somebody else was faster.
        let address = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_aims"))
            .arg("serve")
            .envs(env)
            .env("BIND", address.to_string())
            .env("LOG", "error")
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let process = Self {
            child,
            base: format!("http://{address}"),
        };
        let deadline = Instant::now() + START_TIME;
        let ready = format!("{}/readyz", process.base);
        while !reqwest::get(&ready)
            .await
            .is_ok_and(|answer| answer.status().is_success())
        {
            assert!(Instant::now() < deadline, "the server does not start");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        process
    }

    /// SIGKILL.
    fn kill(&mut self) {
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

/// Sends one POST; none when the server died over it.
async fn post(base: &str, path: &str, token: &str, key: &str, body: &Value) -> Option<(u16, bool)> {
    let request = reqwest::Client::new()
        .post(format!("{base}{path}"))
        .bearer_auth(token)
        .header("idempotency-key", key)
        .json(body);
    let answer = request.send().await.ok()?;
    let replayed = answer.headers().contains_key("idempotency-replayed");
    let status = answer.status().as_u16();
    answer.bytes().await.ok()?;
    Some((status, replayed))
}

#[actix_web::test]
async fn a_keyed_post_has_exactly_one_effect_although_the_server_is_killed() {
    let setup = Setup::named("crash");
    let (mut env, database) = setup.settings();
    let app = Setup {
        database: Some(database),
        ..setup
    }
    .start();
    let stage = Stage::set(&app).await;
    let entry = kinds().by_name("ai_system").unwrap();
    let (path, token) = (stage.list(entry), stage.author.api.token().unwrap());
    env.remove("BIND");
    let (records, events) = (stage.records().await, stage.events().await);
    let (mut asked, mut unanswered, mut kept) = (0, 0, 0);

    for round in 0..ROUNDS {
        let mut process = Process::start(&env).await;
        let base = process.base.clone();
        let clients = (0..CLIENTS).map(|_| until_it_dies(&base, &path, token));
        let random = u64::from(Uuid::now_v7().as_bytes()[15] % 40);
        let death = async {
            tokio::time::sleep(Duration::from_millis(30 + 25 * round + random)).await;
            process.kill();
        };
        let (sent, ()) = tokio::join!(join_all(clients), death);

        let process = Process::start(&env).await;
        for (key, body, answered) in sent.into_iter().flatten() {
            let again = post(&process.base, &path, token, &key, &body).await;
            let (status, replayed) = again.expect("the server answers again");
            assert_eq!(status, 201);
            assert!(replayed || !answered, "an answered request was done twice");
            asked += 1;
            unanswered += i64::from(!answered);
            kept += i64::from(replayed && !answered);
        }
    }

    eprintln!("{asked} requests, {unanswered} without an answer, {kept} of them done before");
    assert!(unanswered > 0);
    assert_eq!(stage.records().await - records, asked);
    assert_eq!(stage.events().await - events, asked);
}

/// One POST after the other, each with its own key, until there is no answer.
async fn until_it_dies(base: &str, path: &str, token: &str) -> Vec<(String, Value, bool)> {
    let entry = kinds().by_name("ai_system").unwrap();
    let mut sent = Vec::new();
    loop {
        let key = Uuid::now_v7().to_string();
        let mut body = example(entry);
        body["title"] = json!(format!("System {key}"));
        let answer = post(base, path, token, &key, &body).await;
        let answered = answer.is_some();
        assert!(answer.is_none_or(|(status, replayed)| status == 201 && !replayed));
        sent.push((key, body, answered));
        if !answered {
            return sent;
        }
    }
}
