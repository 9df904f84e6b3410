//! How a server ends, and how it gets over a database that restarts.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::{Value, json};

use super::process::Process;
use crate::support::Client;
use crate::support::actors::PASSWORD;
use crate::support::server::folder;

/// How long the service may be away after its database has died.
const HEALED_WITHIN: Duration = Duration::from_secs(10);
/// What a request takes to arrive; one that has not when the signal comes may be turned away.
const ARRIVAL: Duration = Duration::from_millis(50);
const EMAIL: &str = "astrid@example.org";

/// A server with its built-in database, and the owner of a firm on it.
struct House {
    process: Process,
    data: PathBuf,
    owner: Client,
    firm: Value,
}

impl House {
    async fn open(name: &str) -> Self {
        let data = folder(name);
        let env: HashMap<String, String> = [
            ("AIMS_DATA", data.to_str().unwrap()),
            ("BIND", "127.0.0.1:0"),
            ("PUBLIC_URL", "http://aims.test"),
            ("RATE_LIMIT", "1000000"),
            ("WORKERS", "2"),
            ("STOP_NOTICE", "1"),
            ("LOG", "warn,aims=info"),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
        let process = Process::start(&env, &data.join("log")).await;
        let anybody = process.anonymous();
        let owner = json!({"name": "Astrid Fjord", "email": EMAIL, "password": PASSWORD});
        let body = json!({"name": "Fjordlys Advisory", "owner": owner});
        let firm = anybody.post("/v1/consultancies", &body, 201).await;
        let answer = anybody.post("/v1/auth/login", &login(), 200).await;
        let owner = anybody.with_token(answer["access_token"].as_str().unwrap());
        Self {
            process,
            data,
            owner,
            firm,
        }
    }

    /// The first process of the built-in database.
    fn postmaster(&self) -> Pid {
        let file = self.data.join("postgres/data/postmaster.pid");
        let text = std::fs::read_to_string(file).unwrap();
        Pid::from_raw(text.lines().next().unwrap().parse().unwrap()).unwrap()
    }

    fn new_client(&self, name: &str) -> String {
        json!({"consultancy_id": self.firm["id"], "name": name, "time_zone": "Europe/Amsterdam"})
            .to_string()
    }
}

/// Asks over and over, on a connection for each request, as many clients do. Answers how many were
/// answered, and when the first that was not had been asked.
async fn ask_until_refused(url: String, token: String) -> (usize, Instant) {
    let mut answered = 0;
    loop {
        let asked = Instant::now();
        let http = reqwest::Client::new();
        match http.get(&url).bearer_auth(&token).send().await {
            Ok(answer) => assert_eq!(answer.status(), 200),
            Err(_) => return (answered, asked),
        }
        answered += 1;
    }
}

fn login() -> Value {
    json!({"email": EMAIL, "password": PASSWORD})
}

#[actix_web::test]
async fn sigterm_answers_what_has_been_asked_and_stops_the_database() {
    let mut house = House::open("sigterm").await;
    let postmaster = house.postmaster();
    // Checking a password takes a while, so these are on their way when the signal comes.
    let slow = (0..6).map(|_| {
        let anybody = house.process.anonymous();
        tokio::spawn(async move { anybody.post("/v1/auth/login", &login(), 200).await })
    });
    let slow: Vec<_> = slow.collect();
    let quick = (0..6).map(|_| {
        let url = format!("{}/v1/me", house.process.base());
        tokio::spawn(ask_until_refused(
            url,
            house.owner.token().unwrap().to_owned(),
        ))
    });
    let quick: Vec<_> = quick.collect();
    tokio::time::sleep(Duration::from_millis(100)).await;

    let signalled = Instant::now();
    house.process.signal(Signal::TERM);

    let status = house.process.end().await;
    for request in slow {
        request.await.unwrap();
    }
    let mut total = 0;
    for requests in quick {
        let (answered, refused_from) = requests.await.unwrap();
        assert!(
            refused_from + ARRIVAL > signalled,
            "dropped {:?} before the signal",
            signalled - refused_from
        );
        total += answered;
    }
    assert!(total > 0);
    assert_eq!(status.code(), Some(0), "{}", house.process.said());
    assert!(test_kill_process(postmaster).is_err());
    assert!(!house.data.join("postgres/data/postmaster.pid").exists());
}

#[actix_web::test]
async fn a_server_that_leaves_says_so_before_it_stops_to_listen() {
    let mut house = House::open("leaving").await;
    let balancer = house.process.anonymous();
    balancer.get("/readyz", 200).await;

    house.process.signal(Signal::TERM);

    let deadline = Instant::now() + HEALED_WITHIN;
    loop {
        let answer = balancer.send(reqwest::Method::GET, "/readyz", &[], None).await;
        if answer.status == 503 {
            break;
        }
        assert!(Instant::now() < deadline, "{}", answer.expect(200).text);
    }
    // Whoever has not learned it yet is still served.
    house.owner.get("/v1/me", 200).await;
    balancer.get("/livez", 200).await;
    let status = house.process.end().await;
    assert_eq!(status.code(), Some(0), "{}", house.process.said());
}

#[actix_web::test]
async fn a_flood_of_sign_ins_leaves_no_memory_behind() {
    let house = House::open("flood").await;
    let http = reqwest::Client::new();
    let url = format!("{}/v1/auth/login", house.process.base());
    let flood = async |from: usize, to: usize| {
        futures_util::stream::iter(from..to)
            .for_each_concurrent(20, |number| {
                let body = json!({
                    "email": format!("somebody.{number}@example.org"),
                    "password": format!("wrong guess number {number}"),
                });
                let request = http.post(&url).json(&body);
                async move { assert_eq!(request.send().await.unwrap().status(), 401) }
            })
            .await;
    };
    flood(0, 20).await;
    let before = house.process.memory_kib();

    flood(20, 2020).await;

    let grown = house.process.memory_kib().saturating_sub(before);
    assert!(grown < 64 * 1024, "{before} KiB and {grown} KiB more");
}

#[actix_web::test]
async fn a_database_that_dies_costs_seconds_and_nothing_that_was_confirmed() {
    let house = House::open("healing").await;
    let mut confirmed = Vec::new();
    let mut away = None;
    let mut refused = 0;
    for number in 0.. {
        if number == 10 {
            kill_process(house.postmaster(), Signal::KILL).unwrap();
            away = Some(Instant::now());
        }
        let body = Some(house.new_client(&format!("Client {number}")));
        let answer = house
            .owner
            .send(reqwest::Method::POST, "/v1/tenants", &[], body)
            .await;
        match answer.status {
            201 => confirmed.push(answer.json()["id"].as_str().unwrap().to_owned()),
            503 => {
                let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
                assert!((1..=10).contains(&wait), "{wait}");
                refused += 1;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            other => panic!("{other}: {}", answer.text),
        }
        if let Some(away) = away {
            assert!(away.elapsed() < HEALED_WITHIN, "not healed");
            if answer.status == 201 && refused > 0 {
                break;
            }
        }
    }
    for number in 0..10 {
        let body = Some(house.new_client(&format!("Later client {number}")));
        let answer = house
            .owner
            .send(reqwest::Method::POST, "/v1/tenants", &[], body);
        let made = answer.await.expect(201).json();
        confirmed.push(made["id"].as_str().unwrap().to_owned());
    }
    for id in &confirmed {
        house.owner.get(&format!("/v1/tenants/{id}"), 200).await;
    }
    let ready = house.process.anonymous();
    ready.get("/readyz", 200).await;
}
