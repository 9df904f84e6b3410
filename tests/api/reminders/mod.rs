//! Reminders: a year of them, changes, replicas that die, mail servers that refuse, zones.

automod::dir!("tests/api/reminders");

use std::time::Duration;

use chrono::{Days, NaiveDate};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::kinds::example;
use crate::support::actors::{PASSWORD, sign_in};
use crate::support::server::folder;
use crate::support::{App, Client, Firm, Person, Setup, TenantWorld};
use smtp_sink::{Answer, Received, Sink};

/// A mail server that wants the mail some other time.
pub const LATER: Answer = Answer::ToRecipient("451 4.3.2 Not now");

/// A server on a clock that can be set, and the mail server it sends to.
pub struct Rehearsal {
    pub app: App,
    pub sink: Sink,
}

/// A reminder as the ledger tells it.
#[derive(Clone, Debug)]
pub struct Entry {
    pub record: String,
    pub due_on: String,
    pub lead: i32,
    /// Name of the recipient.
    pub to: String,
    pub state: String,
    pub reason: Option<String>,
}

impl Rehearsal {
    pub fn start(name: &str) -> Self {
        let sink = Sink::start();
        let url = sink.url();
        Self::sending_to(name, sink, &url)
    }

    /// Sends to a sink under some address.
    pub fn sending_to(name: &str, sink: Sink, url: &str) -> Self {
        sink.keep_files_in(folder(name).join("mails"));
        let app = Setup::named(name)
            .with_test_clock()
            .env("SMTP_URL", url)
            .start();
        Self { app, sink }
    }

    /// Sets the clock; what has fallen due is done when this returns.
    pub async fn at(&self, instant: &str) {
        set_clock(&self.app.anonymous(), instant).await;
    }

    /// Sends everything that is due now, such as invitations.
    pub async fn send_what_waits(&self) {
        let now = self.app.anonymous().get("/test/clock", 200).await;
        self.at(now["now"].as_str().unwrap()).await;
    }

    /// Signs somebody in again: sessions end when the clock jumps.
    pub async fn again(&self, person: &Person) -> Client {
        sign_in(&self.app, &person.email, PASSWORD).await.api
    }

    /// The reminders that went to somebody, as due dates and how far off they were said to be.
    pub fn mails_to(&self, person: &Person) -> Vec<Received> {
        let mut mails = self.sink.reminders();
        mails.retain(|mail| mail.to.contains(&person.email));
        mails
    }

    /// The subjects of the reminders that went to somebody, without the record's title.
    pub fn told(&self, person: &Person) -> Vec<String> {
        let mails = self.mails_to(person);
        let subjects = mails.iter().map(Received::subject);
        subjects
            .map(|subject| subject.split(": ").next().unwrap_or_default().to_owned())
            .collect()
    }
}

/// Sets a server's clock.
pub async fn set_clock(anybody: &Client, instant: &str) {
    let now = json!({"now": instant}).to_string();
    anybody
        .send(reqwest::Method::PUT, "/test/clock", &[], Some(now))
        .await
        .expect(200);
}

/// A client organisation and the people who get its reminders.
pub struct Place<'a> {
    pub rehearsal: &'a Rehearsal,
    pub client: TenantWorld<'a>,
    pub firm_id: Uuid,
    pub consultant: Person,
    pub manager: Person,
    pub risk_owner: Person,
}

impl<'a> Place<'a> {
    pub async fn open(rehearsal: &'a Rehearsal) -> Place<'a> {
        let firm = Firm::sign_up(&rehearsal.app, "Fjordlys Advisory").await;
        let client = firm.client("Aurelia Lending B.V.").await;
        let consultant = firm.hire("Cleo Nord", "consultant").await;
        firm.assign(&consultant, &client, "consultant").await;
        let place = Self {
            rehearsal,
            manager: client.staff("Mara Visser", &["aims_manager"]).await,
            risk_owner: client.staff("Rik Bos", &["risk_owner"]).await,
            firm_id: firm.id,
            client,
            consultant,
        };
        rehearsal.send_what_waits().await;
        place
    }

    /// A risk of the risk owner's, to be reviewed by a date. Answers its address.
    pub async fn risk_to_review(&self, title: &str, on: &str) -> String {
        let mut risk = example("risk");
        risk["title"] = json!(title);
        risk["owner_id"] = json!(self.risk_owner.id);
        risk["next_review_on"] = json!(on);
        let consultant = self.rehearsal.again(&self.consultant).await;
        let made = consultant
            .post(&self.client.path("risks"), &risk, 201)
            .await;
        format!(
            "{}/risks/{}",
            self.client.base,
            made["id"].as_str().unwrap()
        )
    }

    /// A risk that is nobody's, so that the AIMS managers have to review it. Answers its address.
    pub async fn risk_of_nobody(&self, title: &str, on: &str) -> String {
        let risk = self.risk_to_review(title, on).await;
        self.change(&risk, json!({"owner_id": null})).await;
        risk
    }

    /// Gives a record a deadline that no kind has; it lasts until the record is changed.
    pub async fn deadline(&self, record: &str, columns: &str, values: &str) {
        let record = record.rsplit('/').next().unwrap();
        let tenant = self.client.id;
        let db = self.rehearsal.app.owner().await;
        db.batch_execute(&format!(
            "SET app.tenant_id = '{tenant}';
             INSERT INTO deadlines (tenant_id, record_id, roles, {columns})
             VALUES ('{tenant}', '{record}', '{{}}', {values})"
        ))
        .await
        .unwrap();
    }

    /// The client's firm changes a membership.
    pub async fn change_member(&self, person: &Person, patch: Value) {
        let boss = self.rehearsal.again(&self.client.firm_owner).await;
        let path = self.membership(&boss, person).await;
        boss.patch(&path, &patch, 200).await;
    }

    pub async fn leaves(&self, person: &Person) {
        self.removed_by(&self.client.firm_owner, person).await;
    }

    pub async fn removed_by(&self, boss: &Person, person: &Person) {
        let boss = self.rehearsal.again(boss).await;
        let path = self.membership(&boss, person).await;
        boss.delete(&path, 200).await;
    }

    async fn membership(&self, boss: &Client, person: &Person) -> String {
        let members = boss.get(&self.client.path("members"), 200).await;
        let found = members["items"].as_array().unwrap().iter();
        let mut own = found.filter(|member| member["user_id"] == json!(person.id));
        let member = own.next().unwrap_or_else(|| panic!("{members}"));
        self.client
            .path(&format!("members/{}", member["id"].as_str().unwrap()))
    }

    /// Lets days pass, looking in at noon of each.
    pub async fn pass(&self, from: &str, days: u64) {
        let from: NaiveDate = from.parse().unwrap();
        for on in from
            .iter_days()
            .take_while(|on| *on < from + Days::new(days))
        {
            self.rehearsal.at(&format!("{on}T12:00:00Z")).await;
        }
    }

    /// Changes a record as the AIMS manager.
    pub async fn change(&self, path: &str, patch: Value) {
        let manager = self.rehearsal.again(&self.manager).await;
        manager.patch(path, &patch, 200).await;
    }

    /// The ledger, oldest first.
    pub async fn ledger(&self) -> Vec<Entry> {
        ledger(&self.rehearsal.app, self.client.id).await
    }

    /// Due date, lead and state of somebody's reminders, oldest first.
    pub async fn ledger_of(&self, person: &Person) -> Vec<String> {
        let ledger = self.ledger().await;
        let own = ledger.into_iter().filter(|entry| entry.to == person.name);
        own.map(|entry| {
            let reason = entry.reason.map(|reason| format!(": {reason}"));
            let reason = reason.unwrap_or_default();
            format!("{} {} {}{reason}", entry.due_on, entry.lead, entry.state)
        })
        .collect()
    }
}

/// The ledger of a tenant, oldest first.
pub async fn ledger(app: &App, tenant: Uuid) -> Vec<Entry> {
    let db = app.owner().await;
    db.batch_execute(&format!("SET app.tenant_id = '{tenant}'"))
        .await
        .unwrap();
    let rows = db
        .query(
            "SELECT record_id::text, due_on::text, lead_days, u.name, state, reason
               FROM reminders r JOIN users u ON u.id = r.recipient_id
              WHERE r.tenant_id = current_setting('app.tenant_id')::uuid ORDER BY r.id",
            &[],
        )
        .await
        .unwrap();
    rows.iter()
        .map(|row| Entry {
            record: row.get(0),
            due_on: row.get(1),
            lead: row.get(2),
            to: row.get(3),
            state: row.get(4),
            reason: row.get(5),
        })
        .collect()
}

/// Asks again and again until something holds; fails when it never does.
pub async fn eventually(what: &str, within: Duration, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = std::time::Instant::now() + within;
    while !holds().await {
        assert!(std::time::Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
