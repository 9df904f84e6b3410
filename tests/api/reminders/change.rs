//! What happens to reminders when the world changes: outages, dates, people, wishes.

use std::collections::HashSet;

use serde_json::json;

use super::{LATER, Place, Rehearsal};

impl Place<'_> {
    /// Each due date, lead and recipient once, in the ledger and in the post.
    async fn everything_once(&self) {
        let ledger = self.ledger().await;
        let distinct: HashSet<_> = ledger
            .iter()
            .map(|entry| (&entry.record, &entry.due_on, entry.lead, &entry.to))
            .collect();
        assert_eq!(distinct.len(), ledger.len(), "{ledger:#?}");
        let mails = self.rehearsal.sink.reminders();
        let distinct: HashSet<_> = mails
            .iter()
            .map(|mail| (mail.subject(), mail.to.clone()))
            .collect();
        assert_eq!(distinct.len(), mails.len());
        let sent = ledger.iter().filter(|entry| entry.state == "sent");
        assert_eq!(sent.count(), mails.len(), "{ledger:#?}");
    }
}

#[actix_web::test]
async fn an_outage_across_the_due_date_ends_in_one_mail() {
    let rehearsal = Rehearsal::start("outage");
    rehearsal.at("2027-02-16T09:00:00Z").await;
    let place = Place::open(&rehearsal).await;
    place.risk_to_review("Open", "2027-03-01").await;
    let done = place.risk_to_review("Done in time", "2027-03-01").await;
    rehearsal.at("2027-02-27T12:00:00Z").await;
    place.change(&done, json!({"next_review_on": null})).await;

    rehearsal.at("2027-03-02T12:00:00Z").await;
    place.pass("2027-03-03", 5).await;

    let told = rehearsal.told(&place.risk_owner);
    let before = [
        "Review of RSK-001 is due in 2 days",
        "Review of RSK-002 is due in 2 days",
    ];
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(
        before
            .iter()
            .all(|line| told[..2].contains(&(*line).to_owned()))
    );
    assert_eq!(told[2], "Review of RSK-001 is 1 day overdue");
    place.everything_once().await;
}

#[actix_web::test]
async fn a_longer_outage_of_what_is_overdue_is_one_mail_too() {
    let rehearsal = Rehearsal::start("overdue");
    rehearsal.at("2027-02-16T09:00:00Z").await;
    let place = Place::open(&rehearsal).await;
    place.risk_to_review("Open", "2027-02-20").await;

    rehearsal.at("2027-03-30T12:00:00Z").await;
    // The clock is put back and forth, as an administrator might.
    rehearsal.at("2027-03-01T12:00:00Z").await;
    rehearsal.at("2027-03-30T13:00:00Z").await;

    let told = rehearsal.told(&place.risk_owner);
    assert_eq!(told[0], "Review of RSK-001 is 38 days overdue");
    place.everything_once().await;
}

#[actix_web::test]
async fn a_new_date_cancels_what_waits_and_counts_from_the_day_it_was_set() {
    let rehearsal = Rehearsal::start("moved");
    rehearsal.at("2027-02-16T09:00:00Z").await;
    let place = Place::open(&rehearsal).await;
    let risk = place.risk_to_review("Moved", "2027-03-01").await;
    rehearsal.sink.script(&place.risk_owner.email, &[LATER]);
    rehearsal.at("2027-02-22T08:00:00Z").await;
    assert_eq!(
        place.ledger_of(&place.risk_owner).await,
        ["2027-03-01 7 planned"]
    );

    place
        .change(&risk, json!({"next_review_on": "2027-03-04"}))
        .await;
    place.pass("2027-02-23", 14).await;

    assert_eq!(
        place.ledger_of(&place.risk_owner).await,
        [
            "2027-03-01 7 cancelled: met or moved",
            "2027-03-04 7 sent",
            "2027-03-04 1 sent",
            "2027-03-04 0 sent",
        ]
    );
    place.everything_once().await;
}

#[actix_web::test]
async fn what_is_closed_is_not_mentioned_again() {
    let rehearsal = Rehearsal::start("closed");
    rehearsal.at("2027-02-16T09:00:00Z").await;
    let place = Place::open(&rehearsal).await;
    let risk = place.risk_to_review("Closed", "2027-03-01").await;
    rehearsal.at("2027-02-22T08:00:00Z").await;
    rehearsal.sink.script(&place.risk_owner.email, &[LATER]);
    rehearsal.at("2027-02-28T08:00:00Z").await;

    let manager = rehearsal.again(&place.manager).await;
    manager
        .transition(&risk, "closed", Some("Retired"), 200)
        .await;
    place.pass("2027-03-01", 20).await;

    assert_eq!(
        place.ledger_of(&place.risk_owner).await,
        ["2027-03-01 7 sent", "2027-03-01 1 cancelled: met or moved"]
    );
    assert_eq!(place.ledger().await.len(), 2);
    place.everything_once().await;
}

#[actix_web::test]
async fn a_new_owner_is_told_once_and_the_old_one_no_more() {
    let rehearsal = Rehearsal::start("owner");
    rehearsal.at("2027-02-01T09:00:00Z").await;
    let place = Place::open(&rehearsal).await;
    let risk = place.risk_to_review("Handed over", "2027-03-01").await;
    rehearsal.at("2027-02-15T08:00:00Z").await;

    place
        .change(&risk, json!({"owner_id": place.manager.id}))
        .await;
    place.pass("2027-02-18", 14).await;

    assert_eq!(
        place.ledger_of(&place.risk_owner).await,
        ["2027-03-01 14 sent"]
    );
    assert_eq!(
        rehearsal.told(&place.manager),
        [
            "Review of RSK-001 is due in 11 days",
            "Review of RSK-001 is due in 7 days",
            "Review of RSK-001 is due tomorrow",
            "Review of RSK-001 is due today",
        ]
    );
    place.everything_once().await;
}

#[actix_web::test]
async fn who_has_left_before_the_mail_goes_does_not_get_it() {
    let rehearsal = Rehearsal::start("left");
    rehearsal.at("2027-02-16T09:00:00Z").await;
    let place = Place::open(&rehearsal).await;
    place.risk_to_review("Left behind", "2027-03-01").await;
    rehearsal.sink.script(&place.risk_owner.email, &[LATER]);
    rehearsal.at("2027-02-22T08:00:00Z").await;

    place.leaves(&place.risk_owner).await;
    place.pass("2027-02-22", 20).await;

    assert_eq!(
        place.ledger_of(&place.risk_owner).await,
        ["2027-03-01 7 cancelled: recipient has left"]
    );
    assert_eq!(rehearsal.told(&place.risk_owner), [""; 0]);
    place.everything_once().await;
}

#[actix_web::test]
async fn who_wants_no_mail_gets_none_from_that_moment_on() {
    let rehearsal = Rehearsal::start("unwanted");
    rehearsal.at("2027-02-16T09:00:00Z").await;
    let place = Place::open(&rehearsal).await;
    place.risk_to_review("Unwanted", "2027-03-01").await;
    rehearsal.sink.script(&place.risk_owner.email, &[LATER]);
    rehearsal.at("2027-02-22T08:00:00Z").await;

    let own = rehearsal.again(&place.risk_owner).await;
    own.patch("/v1/me", &json!({"notify_by_mail": false}), 200)
        .await;
    place.pass("2027-02-22", 10).await;

    assert_eq!(
        place.ledger_of(&place.risk_owner).await,
        ["2027-03-01 7 cancelled: mail switched off"]
    );
    let own = rehearsal.again(&place.risk_owner).await;
    own.patch("/v1/me", &json!({"notify_by_mail": true}), 200)
        .await;
    place.pass("2027-03-08", 1).await;
    assert_eq!(
        rehearsal.told(&place.risk_owner),
        ["Review of RSK-001 is 7 days overdue"]
    );
    place.everything_once().await;
}

#[actix_web::test]
async fn a_date_that_comes_back_is_not_announced_again() {
    let rehearsal = Rehearsal::start("back");
    rehearsal.at("2027-02-16T09:00:00Z").await;
    let place = Place::open(&rehearsal).await;
    let risk = place.risk_to_review("Back again", "2027-03-01").await;
    rehearsal.at("2027-02-22T08:00:00Z").await;

    for date in ["2027-06-01", "2027-03-01"] {
        place.change(&risk, json!({"next_review_on": date})).await;
        rehearsal.at("2027-02-22T09:00:00Z").await;
    }
    place.pass("2027-02-23", 7).await;
    // Away over a lead, and back on the day of the next one.
    place
        .change(&risk, json!({"next_review_on": "2027-06-01"}))
        .await;
    rehearsal.at("2027-03-08T06:00:00Z").await;
    place
        .change(&risk, json!({"next_review_on": "2027-03-01"}))
        .await;
    place.pass("2027-03-08", 3).await;

    assert_eq!(
        place.ledger_of(&place.risk_owner).await,
        [
            "2027-03-01 7 sent",
            "2027-03-01 1 sent",
            "2027-03-01 0 sent",
            "2027-03-01 -7 sent",
        ]
    );
    place.everything_once().await;
}

#[actix_web::test]
async fn a_cancelled_reminder_returns_with_its_date_once() {
    let rehearsal = Rehearsal::start("returns");
    rehearsal.at("2027-02-16T09:00:00Z").await;
    let place = Place::open(&rehearsal).await;
    let risk = place.risk_to_review("To and fro", "2027-03-01").await;
    rehearsal.sink.script(&place.risk_owner.email, &[LATER]);
    rehearsal.at("2027-02-22T08:00:00Z").await;

    for date in ["2027-06-01", "2027-03-01"] {
        place.change(&risk, json!({"next_review_on": date})).await;
        rehearsal.at("2027-02-22T09:00:00Z").await;
    }
    rehearsal.at("2027-02-22T10:00:00Z").await;

    assert_eq!(
        place.ledger_of(&place.risk_owner).await,
        ["2027-03-01 7 cancelled: met or moved", "2027-03-01 7 sent"]
    );
    assert_eq!(
        rehearsal.told(&place.risk_owner),
        ["Review of RSK-001 is due in 7 days"]
    );
}

#[actix_web::test]
async fn who_joins_or_gains_a_role_is_not_told_of_what_was_said_before() {
    let rehearsal = Rehearsal::start("newcomers");
    rehearsal.at("2027-02-16T09:00:00Z").await;
    let place = Place::open(&rehearsal).await;
    let viewer = place.client.staff("Vera Kist", &["viewer"]).await;
    for title in ["One", "Two", "Three"] {
        place.risk_of_nobody(title, "2027-03-01").await;
    }
    rehearsal.at("2027-02-22T08:00:00Z").await;
    assert_eq!(rehearsal.told(&place.manager).len(), 3);

    rehearsal.at("2027-02-22T10:00:00Z").await;
    let boss = rehearsal.again(&place.client.firm_owner).await;
    let boss = crate::support::Person {
        api: boss,
        ..place.client.firm_owner.clone()
    };
    let newcomer = place
        .client
        .staff_by(&boss, "Nora Vos", &["aims_manager"], None)
        .await;
    place
        .change_member(&viewer, json!({"roles": ["aims_manager"]}))
        .await;
    place.pass("2027-02-22", 6).await;
    for person in [&newcomer, &viewer] {
        assert_eq!(rehearsal.told(person), [""; 0]);
    }

    place.pass("2027-02-28", 1).await;
    for person in [&newcomer, &viewer] {
        let told = rehearsal.told(person);
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told.iter().all(|line| line.ends_with("is due tomorrow")));
    }
}

#[actix_web::test]
async fn nagging_ends_and_others_are_told_before_it_does() {
    let rehearsal = Rehearsal::start("nagging");
    rehearsal.at("2027-02-28T09:00:00Z").await;
    let place = Place::open(&rehearsal).await;
    let top = place.client.staff("Tess de Wit", &["top_management"]).await;
    place.risk_to_review("Forgotten", "2027-03-01").await;

    place.pass("2027-03-01", 120).await;

    let overdue = |days: i32| format!("Review of RSK-001 is {days} days overdue");
    let mut own = vec!["Review of RSK-001 is due today".to_owned()];
    own.extend([7, 14, 21, 28, 35].map(overdue));
    assert_eq!(rehearsal.told(&place.risk_owner), own);
    for person in [&place.manager, &top] {
        assert_eq!(rehearsal.told(person), [overdue(35)]);
        let text = rehearsal.mails_to(person)[0].text();
        assert!(text.contains("it has been overdue for long"), "{text}");
    }
}
