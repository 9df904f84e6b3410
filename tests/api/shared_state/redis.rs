//! Two servers and a Redis: what they share, and that it is never missed.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::support::server::folder;
use crate::support::{App, Client, Firm, Person, Setup};

/// Requests a minute of an account.
const LIMIT: usize = 120;
/// Wrong passwords of an account in a quarter of an hour.
const TRIES: usize = 10;
/// How long a server may believe what it has read of a session.
const FRESH: Duration = Duration::from_millis(1_100);

/// A Redis of its own.
struct Redis {
    child: Child,
    port: u16,
    folder: PathBuf,
}

impl Redis {
    async fn start(name: &str) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let folder = folder(name);
        let child = serve(port, &folder);
        let redis = Self {
            child,
            port,
            folder,
        };
        redis.answers().await;
        redis
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    async fn answers(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while tokio::net::TcpStream::connect(("127.0.0.1", self.port))
            .await
            .is_err()
        {
            assert!(Instant::now() < deadline, "redis-server does not start");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().try_into().unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Killed with all it knew, and started again.
    async fn start_anew(&mut self) {
        self.die();
        self.child = serve(self.port, &self.folder);
        self.answers().await;
    }

    fn die(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serve(port: u16, folder: &PathBuf) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--save", "", "--appendonly", "no", "--dir"])
        .arg(folder)
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server is installed: apt-get install redis-server")
}

/// Two servers on one database, and people who signed in somewhere else.
struct Pair {
    one: App,
    other: App,
    people: Vec<Person>,
}

impl Pair {
    async fn start(name: &str, redis: Option<&Redis>, people: usize) -> Self {
        let office = Setup::named(name).start();
        let firm = Firm::sign_up(&office, "Fjordlys Advisory").await;
        let mut staff = Vec::new();
        for number in 0..people {
            staff.push(firm.hire(&format!("Person {number}"), "consultant").await);
        }
        let replica = |number: u8| {
            let mut setup = Setup::named(&format!("{name}_{number}"))
                .env("RATE_LIMIT", LIMIT)
                .env("JWT_KEYS", office.data.join("keys").display());
            if let Some(redis) = redis {
                setup = setup.env("REDIS_URL", redis.url());
            }
            setup.database = Some(office.database.clone());
            setup.start()
        };
        Self {
            one: replica(1),
            other: replica(2),
            people: staff,
        }
    }

    /// Somebody's requests on each of the servers.
    fn both(&self, person: usize) -> [Client; 2] {
        let token = self.people[person].api.token().unwrap();
        [&self.one, &self.other].map(|app| app.anonymous().with_token(token))
    }

    /// Ordinary requests for some seconds, in which both servers find their Redis again.
    async fn goes_on(&self, person: usize) {
        let both = self.both(person);
        for number in 0..30 {
            assert_eq!(me(&both[number % 2]).await, 200);
            tokio::time::sleep(Duration::from_millis(170)).await;
        }
    }

    /// How many of a flood of requests are let through by the two servers together.
    async fn let_through(&self, person: usize) -> usize {
        let both = self.both(person);
        let mut through = 0;
        for number in 0..3 * LIMIT {
            let answer = me(&both[number % 2]).await;
            assert!([200, 429].contains(&answer), "{answer}");
            through += usize::from(answer == 200);
        }
        through
    }

    /// How many wrong passwords are looked at by the two servers together.
    async fn looked_at(&self, person: usize, most: usize) -> usize {
        let body = json!({"email": self.people[person].email, "password": "not the password"});
        let mut looked_at = 0;
        for number in 0..most {
            let app = [&self.one, &self.other][number % 2];
            let anybody = app.anonymous();
            let body = Some(body.to_string());
            let answer = anybody.send(reqwest::Method::POST, "/v1/auth/login", &[], body);
            let status = answer.await.status;
            assert!([401, 429].contains(&status), "{status}");
            looked_at += usize::from(status == 401);
        }
        looked_at
    }
}

/// The status of a request for oneself.
async fn me(client: &Client) -> u16 {
    client
        .send(reqwest::Method::GET, "/v1/me", &[], None)
        .await
        .status
}

/// A token that has ended is refused, and so are too many refused tokens.
async fn is_out(client: &Client) -> bool {
    [401, 429].contains(&me(client).await)
}

async fn log_out(client: &Client) {
    client
        .send(reqwest::Method::POST, "/v1/auth/logout", &[], None)
        .await
        .expect(204);
}

/// Whether a count is that of one bucket, which fills up slowly while it is emptied.
fn is_one_bucket(through: usize) -> bool {
    (LIMIT..LIMIT + LIMIT / 2).contains(&through)
}

#[actix_web::test]
async fn servers_with_a_redis_count_together_and_hear_of_a_logout_at_once() {
    let redis = Redis::start("redis_shared").await;
    let pair = Pair::start("together", Some(&redis), 3).await;

    let through = pair.let_through(0).await;
    assert!(is_one_bucket(through), "{through}");
    assert_eq!(pair.looked_at(1, TRIES + 6).await, TRIES);

    let [here, there] = pair.both(2);
    assert_eq!([me(&here).await, me(&there).await], [200, 200]);
    log_out(&here).await;
    assert_eq!([me(&there).await, me(&here).await], [401, 401]);
}

#[actix_web::test]
async fn without_a_redis_a_logout_is_heard_of_within_a_second() {
    let pair = Pair::start("alone", None, 1).await;
    let [here, there] = pair.both(0);
    assert_eq!([me(&here).await, me(&there).await], [200, 200]);

    log_out(&here).await;

    assert!(is_out(&here).await);
    tokio::time::sleep(FRESH).await;
    assert_eq!(me(&there).await, 401);
}

#[actix_web::test]
async fn a_redis_that_hangs_or_dies_is_not_missed_and_not_believed() {
    let mut redis = Redis::start("redis_lost").await;
    let pair = Pair::start("lost", Some(&redis), 7).await;
    let [here, there] = pair.both(0);
    assert_eq!([me(&here).await, me(&there).await], [200, 200]);

    redis.signal(Signal::STOP);
    let mut slowest = Duration::ZERO;
    for number in 0..100 {
        let asked = Instant::now();
        assert_eq!(me(&pair.both(1)[number % 2]).await, 200);
        slowest = slowest.max(asked.elapsed());
    }
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    log_out(&here).await;
    assert!(is_out(&here).await);
    tokio::time::sleep(FRESH).await;
    for _ in 0..5 {
        assert!(is_out(&there).await && is_out(&here).await);
    }
    // Each counts for itself: more than together, but not without end.
    let through = pair.let_through(2).await;
    assert!((LIMIT..3 * LIMIT).contains(&through), "{through}");
    assert!((TRIES..=2 * TRIES).contains(&pair.looked_at(3, 24).await));

    redis.signal(Signal::CONT);
    pair.goes_on(1).await;
    let through = pair.let_through(4).await;
    assert!(is_one_bucket(through), "shared again: {through}");
    assert!(is_out(&there).await && is_out(&here).await);

    redis.die();
    let [here, there] = pair.both(5);
    assert_eq!([me(&here).await, me(&there).await], [200, 200]);
    log_out(&there).await;
    tokio::time::sleep(FRESH).await;
    assert!(is_out(&here).await && is_out(&there).await);
    redis.start_anew().await;
    pair.goes_on(1).await;
    assert!(is_out(&here).await && is_out(&there).await);
    let through = pair.let_through(6).await;
    assert!(is_one_bucket(through), "shared once more: {through}");
}
