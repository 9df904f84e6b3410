//! Several servers on one database, killed while they send: nothing is lost, nothing is said
//! twice but what was on the wire.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use tokio_postgres::Client as Db;
use uuid::Uuid;

use super::smtp_sink::Sink;
use super::{Place, Rehearsal, eventually};
use crate::shared_state::process::Process;
use crate::support::Setup;
use crate::support::server::folder;

/// Mails that a killed server may have handed over without noting it.
const IN_FLIGHT: usize = 16;
/// When everything is due.
const DUE: &str = "2027-03-01T07:00:00Z";

/// A place full of deadlines, and the servers that work on it.
struct Fleet {
    env: HashMap<String, String>,
    sink: Sink,
    db: Db,
    replicas: Vec<Option<Process>>,
    started: usize,
    kills: usize,
}

impl Fleet {
    /// A tenant with `deadlines` due on one day, as set on another, each for two people; and
    /// replicas that do not know yet that it has come.
    async fn start(name: &str, deadlines: i32, set_on: &str, replicas: usize) -> Self {
        let office = Rehearsal::start(name);
        office.at("2027-01-11T09:00:00Z").await;
        let place = Place::open(&office).await;
        let risk = place.risk_to_review("Much to do", "2027-03-01").await;
        let tenant = place.client.id;
        let record: Uuid = risk.rsplit('/').next().unwrap().parse().unwrap();
        let db = office.app.owner().await;
        db.batch_execute(&format!(
            "SET app.tenant_id = '{tenant}';
             DELETE FROM deadlines;
             INSERT INTO deadlines (tenant_id, record_id, name, due_on, set_on, person_id, roles)
             SELECT '{tenant}', '{record}', 'task_' || n, '2027-03-01', '{set_on}', '{}', '{{aims_manager}}'
               FROM generate_series(1, {deadlines}) n",
            place.risk_owner.id,
        ))
        .await
        .unwrap();
        let sink = Sink::start();
        let mut setup = Setup::named(&format!("{name}_fleet"))
            .with_test_clock()
            .env("SMTP_URL", sink.url())
            .env("JWT_KEYS", folder(&format!("{name}_keys")).display())
            .env("DB_CONNECTIONS", 2)
            .env("LOG", "warn,aims=info");
        setup.database = Some(office.app.database.clone());
        let (env, _) = setup.settings();
        drop(office);
        let mut fleet = Self {
            env,
            sink,
            db,
            replicas: Vec::new(),
            started: 0,
            kills: 0,
        };
        for _ in 0..replicas {
            let replica = fleet.replica().await;
            fleet.replicas.push(Some(replica));
        }
        fleet
    }

    async fn replica(&mut self) -> Process {
        self.started += 1;
        let number = self.started;
        let name = self.env["AIMS_DATA"].rsplit('/').next().unwrap();
        let data = folder(&format!("{name}_{number}"));
        let mut env = self.env.clone();
        env.insert("AIMS_DATA".to_owned(), data.display().to_string());
        Process::start(&env, &data.join("log")).await
    }

    /// Tells all replicas at once that the day has come, and lets them work.
    fn go(&self, now: &str) -> Vec<tokio::task::JoinHandle<()>> {
        let tell = |replica: &Process| {
            let url = format!("{}/test/clock", replica.base());
            let told = reqwest::Client::new().put(url);
            let told = told.json(&serde_json::json!({ "now": now })).send();
            // The answer comes when all is sent, or never, when the replica is killed.
            tokio::spawn(async move { drop(told.await) })
        };
        self.replicas.iter().flatten().map(tell).collect()
    }

    /// Lets all replicas find the same day's work before one of them can write it down.
    async fn go_together(&self, now: &str) {
        let lock = "BEGIN; LOCK TABLE reminders IN SHARE MODE";
        self.db.batch_execute(lock).await.unwrap();
        self.go(now);
        let all = i64::try_from(self.replicas.len()).unwrap();
        let waiting = "(SELECT DISTINCT pid FROM pg_locks JOIN pg_stat_activity USING (pid)
                         WHERE NOT granted AND datname = current_database()) w";
        eventually("all have planned", Duration::from_secs(30), async || {
            self.count(waiting).await >= all
        })
        .await;
        self.db.batch_execute("COMMIT").await.unwrap();
    }

    fn kill(&mut self, number: usize) {
        if let Some(replica) = self.replicas[number].take() {
            replica.kill();
            self.kills += 1;
        }
    }

    async fn start_again(&mut self, number: usize) {
        self.replicas[number] = Some(self.replica().await);
    }

    /// The minute that the claims of the killed hold is over. Waits until nobody works, because
    /// the claims of the living do hold.
    async fn minute_passes(&self) {
        let (mut before, mut since) = (0, Instant::now());
        eventually("quiet", Duration::from_secs(60), async || {
            let now = self.sink.received().len();
            if now != before {
                (before, since) = (now, Instant::now());
            }
            since.elapsed() > Duration::from_millis(700)
        })
        .await;
        let sql = "UPDATE outbox SET leased_until = now() - interval '1 second'
                    WHERE state = 'queued' AND leased_until IS NOT NULL";
        self.db.execute(sql, &[]).await.unwrap();
    }

    async fn count(&self, sql: &str) -> i64 {
        self.db
            .query_one(&format!("SELECT count(*) FROM {sql}"), &[])
            .await
            .unwrap()
            .get(0)
    }

    /// Every row of the ledger is sent once, and the post agrees.
    async fn settle(&self, expected: usize) {
        let all = i64::try_from(expected).unwrap();
        assert_eq!(self.count("reminders").await, all);
        assert_eq!(self.count("reminders WHERE state = 'sent'").await, all);
        let events = "events WHERE action = 'sent' AND subject_kind = 'reminder'";
        assert_eq!(self.count(events).await, all);
        let distinct = format!("(SELECT DISTINCT subject_id FROM {events}) e");
        assert_eq!(self.count(&distinct).await, all);
        let mails = self.sink.reminders();
        let ids: HashSet<_> = mails.iter().map(|mail| mail.message_id()).collect();
        let texts: HashSet<_> = mails
            .iter()
            .map(|mail| (mail.subject(), mail.to.clone()))
            .collect();
        assert_eq!((ids.len(), texts.len()), (expected, expected));
        let twice = mails.len() - expected;
        assert!(twice <= self.kills * IN_FLIGHT, "{twice} sent twice");
        println!("{} kills, {twice} mails sent twice", self.kills);
    }
}

#[actix_web::test]
async fn killed_servers_lose_nothing_and_repeat_only_what_was_on_the_wire() {
    let mut fleet = Fleet::start("replicas", 300, "2027-03-01", 2).await;
    fleet.sink.take_time(Duration::from_millis(60));

    // The work of the day itself is done before.
    for told in fleet.go("2027-03-01T06:00:00Z") {
        told.await.unwrap();
    }
    fleet.go_together(DUE).await;
    let sent = async |fleet: &Fleet, most: usize| {
        eventually("mails are sent", Duration::from_secs(60), async || {
            fleet.sink.received().len() >= most
        })
        .await;
    };
    // One alone claims two hundred at most.
    let claimed = "outbox WHERE state = 'queued' AND leased_until IS NOT NULL";
    eventually("both are sending", Duration::from_secs(60), async || {
        fleet.count(claimed).await > 200
    })
    .await;
    fleet.kill(0);
    fleet.minute_passes().await;
    assert_eq!(fleet.count("reminders").await, 600, "planned once");
    let left = fleet.count("reminders WHERE state = 'planned'").await;
    assert!(left > 0, "the server was killed too late");

    fleet.start_again(0).await;
    fleet.go("2027-03-01T07:01:00Z");
    let before = fleet.sink.received().len();
    sent(&fleet, before + usize::try_from(left / 4).unwrap()).await;
    fleet.kill(1);
    fleet.minute_passes().await;
    fleet.start_again(1).await;
    for told in fleet.go("2027-03-01T07:02:00Z") {
        told.await.unwrap();
    }

    fleet.settle(600).await;
}

/// `make soak` runs this.
mod soak {
    use super::*;

    #[actix_web::test]
    #[ignore = "ten minutes"]
    async fn three_servers_are_killed_again_and_again_for_ten_minutes() {
        let mut fleet = Fleet::start("soak", 1_000, "2027-01-11", 3).await;
        fleet.sink.take_time(Duration::from_millis(100));
        let begun = Instant::now();
        let due: DateTime<Utc> = DUE.parse().unwrap();
        let sent = "reminders WHERE state = 'sent'";
        let mut round = 0_u64;
        for (lead, done) in [30, 14, 7, 1, 0].into_iter().zip((1..).map(|n| n * 2_000)) {
            // A fifth of the time at least, and until all of this lead are sent.
            let share = begun.elapsed() + Duration::from_secs(120);
            while begun.elapsed() < share || fleet.count(sent).await < done {
                assert!(
                    begun.elapsed() < Duration::from_secs(1_800),
                    "it does not end"
                );
                let passed = TimeDelta::from_std(begun.elapsed()).unwrap();
                let now = due - TimeDelta::days(lead) + passed;
                fleet.go(&now.to_rfc3339());
                let pause = 2_000 + round * 1_237 % 3_000;
                tokio::time::sleep(Duration::from_millis(pause)).await;
                let victim = usize::try_from(round * 7 % 3).unwrap();
                fleet.kill(victim);
                fleet.start_again(victim).await;
                round += 1;
            }
        }
        fleet.settle(10_000).await;
    }
}
