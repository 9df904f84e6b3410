//! 08:00 is eight o'clock where the tenant is, also on days when clocks change.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::Rehearsal;
use super::smtp_sink::Received;
use crate::kinds::example;
use crate::support::{Firm, Person, TenantWorld};

/// Zone, due date, and 08:00 of that day there in UTC, worked out by hand; in order.
const MORNINGS: [(&str, &str, &str); 13] = [
    ("Pacific/Kiritimati", "2027-02-01", "2027-01-31T18:00:00Z"),
    ("Pacific/Pago_Pago", "2027-02-01", "2027-02-01T19:00:00Z"),
    ("America/St_Johns", "2027-03-14", "2027-03-14T10:30:00Z"),
    ("Europe/Amsterdam", "2027-03-28", "2027-03-28T06:00:00Z"),
    ("Pacific/Chatham", "2027-04-04", "2027-04-03T19:15:00Z"),
    ("Australia/Lord_Howe", "2027-04-04", "2027-04-03T21:30:00Z"),
    ("Africa/Cairo", "2027-04-30", "2027-04-30T05:00:00Z"),
    ("Pacific/Apia", "2027-06-01", "2027-05-31T19:00:00Z"),
    ("Asia/Kathmandu", "2027-06-01", "2027-06-01T02:15:00Z"),
    ("Australia/Lord_Howe", "2027-10-03", "2027-10-02T21:00:00Z"),
    ("Africa/Cairo", "2027-10-29", "2027-10-29T06:00:00Z"),
    ("Europe/Amsterdam", "2027-10-31", "2027-10-31T07:00:00Z"),
    ("America/St_Johns", "2027-11-07", "2027-11-07T11:30:00Z"),
];

/// A client organisation whose only reminders go to the consultant.
async fn open<'a>(firm: &Firm<'a>, cleo: &Person, zone: &str) -> TenantWorld<'a> {
    let client = firm.client(zone).await;
    firm.assign(cleo, &client, "consultant").await;
    let (firm_owner, zone) = (&firm.owner.api, json!({"time_zone": zone}));
    firm_owner.patch(&client.base, &zone, 200).await;
    client
}

impl Rehearsal {
    async fn review(&self, client: &TenantWorld<'_>, by: &Person, on: &str) {
        let mut risk = example("risk");
        risk["owner_id"] = json!(by.id);
        risk["next_review_on"] = json!(on);
        let api = self.again(by).await;
        api.post(&client.path("risks"), &risk, 201).await;
    }

    /// Mails about a tenant's records of which it is the day.
    fn due_today(&self, client: &TenantWorld<'_>) -> usize {
        let of_tenant = |mail: &&Received| mail.text().contains(&client.base);
        self.sink
            .reminders()
            .iter()
            .filter(of_tenant)
            .filter(|mail| mail.subject().contains("is due today"))
            .count()
    }
}

#[actix_web::test]
async fn a_mail_goes_at_eight_where_the_tenant_is_and_once() {
    let rehearsal = Rehearsal::start("zones");
    rehearsal.at("2027-01-11T09:00:00Z").await;
    let firm = Firm::sign_up(&rehearsal.app, "Fjordlys Advisory").await;
    let cleo = firm.hire("Cleo Nord", "consultant").await;
    let mut places = Vec::new();
    for (zone, ..) in MORNINGS {
        places.push(open(&firm, &cleo, zone).await);
    }

    for ((zone, on, eight), client) in MORNINGS.into_iter().zip(&places) {
        let eight: DateTime<Utc> = eight.parse().unwrap();
        let after = async |passed: TimeDelta| {
            rehearsal.at(&(eight + passed).to_rfc3339()).await;
            rehearsal.due_today(client)
        };
        rehearsal
            .at(&(eight - TimeDelta::hours(1)).to_rfc3339())
            .await;
        rehearsal.review(client, &cleo, on).await;

        assert_eq!(after(TimeDelta::seconds(-20)).await, 0, "{zone} {on}");
        assert_eq!(after(TimeDelta::zero()).await, 1, "{zone} {on}");
        assert_eq!(after(TimeDelta::hours(1)).await, 1, "{zone} {on}");
        assert_eq!(after(TimeDelta::hours(23)).await, 1, "{zone} {on}");
    }
}

#[actix_web::test]
async fn a_tenant_that_moves_to_another_zone_hears_of_a_day_once() {
    let rehearsal = Rehearsal::start("moving");
    rehearsal.at("2027-01-11T09:00:00Z").await;
    let firm = Firm::sign_up(&rehearsal.app, "Fjordlys Advisory").await;
    let cleo = firm.hire("Cleo Nord", "consultant").await;
    let west = open(&firm, &cleo, "Europe/Amsterdam").await;
    let east = open(&firm, &cleo, "Europe/Amsterdam").await;
    for client in [&west, &east] {
        rehearsal.review(client, &cleo, "2027-01-19").await;
    }
    let move_to = async |client: &TenantWorld<'_>, zone: &str| {
        let owner = rehearsal.again(&firm.owner).await;
        owner
            .patch(&client.base, &json!({"time_zone": zone}), 200)
            .await;
    };

    rehearsal.at("2027-01-18T12:00:00Z").await;
    // In Amsterdam it is 00:30, in Apia past noon of the same day.
    rehearsal.at("2027-01-18T23:30:00Z").await;
    move_to(&east, "Pacific/Apia").await;
    rehearsal.at("2027-01-18T23:31:00Z").await;
    assert_eq!(rehearsal.due_today(&east), 1);
    assert_eq!(rehearsal.due_today(&west), 0);

    // In Amsterdam it is past eight, in St. John's before.
    rehearsal.at("2027-01-19T07:00:00Z").await;
    assert_eq!(rehearsal.due_today(&west), 1);
    move_to(&west, "America/St_Johns").await;
    for hour in ["08", "11", "12", "20"] {
        rehearsal.at(&format!("2027-01-19T{hour}:45:00Z")).await;
    }
    move_to(&east, "Europe/Amsterdam").await;
    rehearsal.at("2027-01-20T12:00:00Z").await;
    assert_eq!(rehearsal.due_today(&east), 1);
    assert_eq!(rehearsal.due_today(&west), 1);
}
