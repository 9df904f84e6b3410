//! The client's settings say how many days before people are warned, also when they change.

use serde_json::json;

use super::{LATER, Place, Rehearsal};

impl Place<'_> {
    async fn warn_on(&self, days: &[u16]) {
        let manager = self.rehearsal.again(&self.manager).await;
        let settings = self.client.path("settings");
        manager.patch(&settings, &json!({"warning_days": days}), 200).await;
    }
}

#[actix_web::test]
async fn the_settings_say_on_which_days_people_are_warned() {
    let rehearsal = Rehearsal::start("days_of_settings");
    rehearsal.at("2027-02-16T09:00:00Z").await;
    let place = Place::open(&rehearsal).await;
    let other = Place::open(&rehearsal).await;
    // In no order, and further off than any kind's own.
    place.warn_on(&[2, 0, 75, 200]).await;
    for place in [&place, &other] {
        place.risk_to_review("By settings", "2027-09-30").await;
    }

    place.pass("2027-02-17", 240).await;

    let in_days = |days: i32| format!("Review of RSK-001 is due in {days} days");
    let mut own: Vec<_> = [200, 75, 2].map(in_days).to_vec();
    own.push("Review of RSK-001 is due today".to_owned());
    own.extend([7, 14].map(|days| format!("Review of RSK-001 is {days} days overdue")));
    assert_eq!(rehearsal.told(&place.risk_owner), own);
    let usual = rehearsal.told(&other.risk_owner);
    assert_eq!(usual[0], in_days(30));
    assert_eq!(usual.len(), 7);
}

#[actix_web::test]
async fn what_waits_for_a_day_that_is_none_any_more_is_cancelled_and_returns_with_it() {
    let rehearsal = Rehearsal::start("days_change");
    rehearsal.at("2027-02-16T09:00:00Z").await;
    let place = Place::open(&rehearsal).await;
    place.risk_to_review("Waits", "2027-03-01").await;
    rehearsal.sink.script(&place.risk_owner.email, &[LATER]);
    rehearsal.at("2027-02-22T08:00:00Z").await;
    let own = || place.ledger_of(&place.risk_owner);
    assert_eq!(own().await, ["2027-03-01 7 planned"]);

    place.warn_on(&[30, 1]).await;
    rehearsal.at("2027-02-22T09:00:00Z").await;
    let gone = "2027-03-01 7 cancelled: the warning days have changed";
    assert_eq!(own().await, [gone]);
    assert_eq!(rehearsal.told(&place.risk_owner), [""; 0]);

    place.warn_on(&[30, 7, 1]).await;
    rehearsal.at("2027-02-22T10:00:00Z").await;
    assert_eq!(own().await, [gone, "2027-03-01 7 sent"]);

    // The sixth day: told on the seventh, so nothing new from further off.
    for further in [[12, 1], [8, 1], [7, 1]] {
        place.warn_on(&further).await;
        rehearsal.at("2027-02-23T12:00:00Z").await;
    }
    assert_eq!(own().await.len(), 2);
    place.warn_on(&[6, 3]).await;
    place.pass("2027-02-23", 5).await;

    let later = ["2027-03-01 6 sent", "2027-03-01 3 sent"];
    assert_eq!(own().await[2..], later);
    assert_eq!(
        rehearsal.told(&place.risk_owner),
        [7, 6, 3].map(|days| format!("Review of RSK-001 is due in {days} days"))
    );
}

#[actix_web::test]
async fn steps_that_lie_far_apart_are_told_once() {
    let rehearsal = Rehearsal::start("days_far_apart");
    rehearsal.at("2027-02-16T09:00:00Z").await;
    let place = Place::open(&rehearsal).await;
    place.warn_on(&[250]).await;
    place.risk_to_review("Far off", "2027-12-01").await;
    rehearsal.sink.script(&place.risk_owner.email, &[super::smtp_sink::Answer::ToRecipient("550 5.1.1 Nobody")]);

    for day in ["03-27", "04-20", "05-20", "08-01", "11-30", "12-02"] {
        rehearsal.at(&format!("2027-{day}T12:00:00Z")).await;
    }

    let given_up = ["2027-12-01 250 cancelled: the mail could not be delivered"];
    assert_eq!(place.ledger_of(&place.risk_owner).await, given_up);
}
