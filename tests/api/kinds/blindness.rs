//! MON-1: a metric that nobody measures for two periods is blind, from its day in the tenant's
//! zone until it is measured again, and at no other time.

use serde_json::json;

use super::metric::{measure, value};
use super::{World, world_in};
use crate::reminders::set_clock;
use crate::support::actors::{PASSWORD, sign_in};
use crate::support::{App, Client, Person, Setup};

/// A server on a clock that can be set, at its first morning.
struct Time<'a> {
    app: &'a App,
    world: World<'a>,
}

impl<'a> Time<'a> {
    async fn begin(app: &'a App) -> Self {
        set_clock(&app.anonymous(), "2027-01-11T09:00:00Z").await;
        let world = world_in(app, "Aurelia Lending B.V.").await;
        Self { app, world }
    }

    async fn at(&self, instant: &str) {
        set_clock(&self.app.anonymous(), instant).await;
    }

    async fn again(&self, person: &Person) -> Client {
        sign_in(self.app, &person.email, PASSWORD).await.api
    }

    async fn status(&self, metric: &str) -> String {
        let metric = self.again(&self.world.top).await.get(metric, 200).await;
        metric["status"].as_str().unwrap().to_owned()
    }

    /// Mails that asked for a measurement.
    fn reminders(&self) -> usize {
        let mails = self.app.mails();
        let asks = |mail: &&Vec<u8>| {
            String::from_utf8_lossy(mail).contains("Subject: Measurement of MET-001")
        };
        mails.iter().filter(asks).count()
    }

    async fn measured(&self, metric: &str, number: f64, at: &str) {
        let owner = self.again(&self.world.risk_owner).await;
        measure(&owner, metric, value(number, at), 200).await;
    }
}

#[actix_web::test]
async fn mon_1_a_metric_is_blind_after_two_periods_on_its_day_in_the_tenants_zone() {
    let app = Setup::named("metric_blind").with_test_clock().start();
    let time = Time::begin(&app).await;
    let metric = time.world.metric().await;
    // On 1 February in Amsterdam.
    time.at("2027-02-10T09:00:00Z").await;
    time.measured(&metric, 0.1, "2027-01-31T23:30:00Z").await;
    let top = time.again(&time.world.top).await;
    assert_eq!(top.get(&metric, 200).await["measure_by"], "2027-04-01");

    time.at("2027-04-01T21:59:00Z").await;
    assert_eq!(time.status(&metric).await, "active");
    time.at("2027-04-01T22:01:00Z").await;
    assert_eq!(time.status(&metric).await, "blind");
    let top = time.again(&time.world.top).await;
    let history = top.get(&format!("{metric}/history"), 200).await;
    let event = &history["items"][0];
    assert_eq!(
        (&event["action"], &event["actor_id"]),
        (&json!("moved"), &json!(null))
    );
    assert_eq!(
        event["data"]["cause"]["because"],
        "its measurement was due on 2027-04-01"
    );
    let due = top.get(&format!("{metric}/deadlines"), 200).await;
    assert_eq!(
        due["items"][0]["name"], "measurement",
        "it stays overdue: {due}"
    );

    time.measured(&metric, 0.1, "2027-01-15T10:00:00Z").await;
    assert_eq!(time.status(&metric).await, "blind", "older than the newest");
    time.measured(&metric, 0.1, "2027-02-01T10:00:00Z").await;
    assert_eq!(
        time.status(&metric).await,
        "blind",
        "the newest, and two periods ago"
    );
    time.measured(&metric, 0.1, "2027-03-20T10:00:00Z").await;
    assert_eq!(time.status(&metric).await, "active");
    let top = time.again(&time.world.top).await;
    assert_eq!(top.get(&metric, 200).await["measure_by"], "2027-05-20");

    time.at("2027-05-21T09:00:00Z").await;
    assert_eq!(time.status(&metric).await, "blind", "the next time too");
}

#[actix_web::test]
async fn mon_1_a_metric_that_is_measured_in_time_never_goes_blind_and_reminds_nobody() {
    let app = Setup::named("metric_sees").with_test_clock().start();
    let time = Time::begin(&app).await;
    let metric = time.world.metric().await;
    for month in 2..=8 {
        time.at(&format!("2027-{month:02}-11T12:00:00Z")).await;
        assert_eq!(time.status(&metric).await, "active", "month {month}");
        time.measured(&metric, 0.1, &format!("2027-{month:02}-11T10:00:00Z"))
            .await;
    }
    let top = time.again(&time.world.top).await;
    let due = top.get(&format!("{metric}/deadlines"), 200).await;
    assert_eq!(due["items"][1]["due_on"], "2027-10-11", "{due}");
    assert_eq!(time.reminders(), 0);

    time.at("2027-09-20T12:00:00Z").await;
    assert_eq!(time.reminders(), 1, "the measurement of September is late");
}

#[actix_web::test]
async fn mon_1_another_frequency_tells_at_once_whether_a_metric_is_blind() {
    let app = Setup::named("metric_often").with_test_clock().start();
    let time = Time::begin(&app).await;
    let metric = time.world.metric().await;
    time.at("2027-03-01T09:00:00Z").await;
    let manager = time.again(&time.world.manager).await;

    let often = manager
        .patch(&metric, &json!({"frequency": "weekly"}), 200)
        .await;
    assert_eq!(
        (&often["status"], &often["measure_by"]),
        (&json!("blind"), &json!("2027-01-25"))
    );
    let seldom = manager
        .patch(&metric, &json!({"frequency": "yearly"}), 200)
        .await;
    assert_eq!(
        (&seldom["status"], &seldom["measure_by"]),
        (&json!("active"), &json!("2029-01-11"))
    );
    let history = manager.get(&format!("{metric}/history"), 200).await;
    assert_eq!(
        history["items"][0]["data"]["cause"]["because"],
        "its next measurement is due on 2029-01-11"
    );
}

#[actix_web::test]
async fn mon_1_a_metric_that_comes_back_from_the_archive_is_blind_if_it_was_not_measured() {
    let app = Setup::named("metric_restored").with_test_clock().start();
    let time = Time::begin(&app).await;
    let metric = time.world.metric().await;
    time.world.consultant.api.delete(&metric, 204).await;
    time.at("2027-05-01T09:00:00Z").await;
    let consultant = time.again(&time.world.consultant).await;

    let etag = consultant.etag(&metric).await;
    let restore = format!("{metric}/restore");
    let restored = consultant
        .send(
            reqwest::Method::POST,
            &restore,
            &[("If-Match", &etag)],
            None,
        )
        .await;

    assert_eq!(restored.expect(200).json()["status"], "blind");
}

#[actix_web::test]
async fn measurements_before_a_metric_was_set_up_are_no_reason_to_call_it_blind() {
    let app = Setup::named("metric_past").with_test_clock().start();
    let time = Time::begin(&app).await;
    let metric = time.world.metric().await;
    time.measured(&metric, 0.1, "2025-06-01T10:00:00Z").await;
    time.at("2027-01-12T09:00:00Z").await;

    assert_eq!(time.status(&metric).await, "active");
    let top = time.again(&time.world.top).await;
    let now = top.get(&metric, 200).await;
    assert_eq!(
        (&now["measure_by"], &now["last_measured_at"]),
        (&json!("2027-03-11"), &json!("2025-06-01T10:00:00Z"))
    );
    time.at("2027-03-12T00:00:00Z").await;
    assert_eq!(time.status(&metric).await, "blind");
}
