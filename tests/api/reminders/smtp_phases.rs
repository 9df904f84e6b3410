//! What a mail server answers, and in which phase, decides what becomes of a mail: it waits while
//! the server refuses us, is tried again when it may pass, and is given up when it will not.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::smtp_sink::{Answer, Sink};
use super::{Place, Rehearsal};

/// What becomes of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// It was no try: it waits for as long as it takes.
    Waits,
    /// It was a try; some more follow.
    AgainSoon,
    GivenUp,
}
use Outcome::{AgainSoon, GivenUp, Waits};

const ANSWERS: [(&str, &str, Outcome); 24] = [
    ("CONNECT", "421 4.3.2 Too busy", AgainSoon),
    ("CONNECT", "554 5.3.2 No service for you", Waits),
    ("EHLO", "421 4.3.2 Too busy", AgainSoon),
    ("EHLO", "550 5.7.1 Who are you?", Waits),
    ("AUTH", "454 4.7.0 Cannot look you up now", AgainSoon),
    ("AUTH", "535 5.7.8 Wrong password", Waits),
    ("AUTH", "534 5.7.9 Mechanism too weak", Waits),
    ("AUTH", "550 5.7.0 Account closed", Waits),
    ("MAIL", "451 4.3.0 Not now", AgainSoon),
    ("MAIL", "452 4.3.1 Disk full", AgainSoon),
    ("MAIL", "530 5.7.0 Sign in first", Waits),
    ("MAIL", "553 5.1.8 Not from this address", Waits),
    ("RCPT", "421 4.3.2 Closing", AgainSoon),
    ("RCPT", "450 4.2.1 Mailbox busy", AgainSoon),
    ("RCPT", "451 4.7.1 Greylisted", AgainSoon),
    ("RCPT", "452 4.2.2 Mailbox full", AgainSoon),
    ("RCPT", "550 5.1.1 Nobody of that name", GivenUp),
    ("RCPT", "551 5.1.6 Has moved", GivenUp),
    ("RCPT", "553 5.1.3 No such address", GivenUp),
    ("DATA", "421 4.3.0 Closing", AgainSoon),
    ("DATA", "451 4.3.0 Not now", AgainSoon),
    ("DATA", "550 5.7.1 Not wanted", GivenUp),
    ("DATA", "552 5.2.2 Too large", GivenUp),
    ("DATA", "554 5.6.0 Not understood", GivenUp),
];

fn with_password(name: &str) -> Rehearsal {
    let sink = Sink::start();
    let url = sink.url_with_password();
    Rehearsal::sending_to(name, sink, &url)
}

#[actix_web::test]
async fn code_and_phase_decide_what_becomes_of_a_mail() {
    let rehearsal = with_password("phases");
    rehearsal.at("2027-02-01T09:00:00Z").await;
    let place = Place::open(&rehearsal).await;
    let to = &place.risk_owner.email;
    let db = rehearsal.app.owner().await;
    let mut now: DateTime<Utc> = "2027-02-02T07:30:00Z".parse().unwrap();
    for (phase, line, outcome) in ANSWERS {
        let day = now.date_naive().to_string();
        let risk = place.risk_to_review(line, &day).await;
        match phase {
            "RCPT" => rehearsal.sink.script(to, &[Answer::ToRecipient(line)]),
            "DATA" => rehearsal.sink.script(to, &[Answer::ToData(line)]),
            _ => rehearsal.sink.refuse(Some((phase, line))),
        }

        rehearsal.at(&now.to_rfc3339()).await;

        let sql = "SELECT state, attempts FROM outbox WHERE recipient = $1 ORDER BY id DESC LIMIT 1";
        let row = db.query_one(sql, &[to]).await.unwrap();
        let found = match (row.get::<_, &str>(0), row.get::<_, i32>(1)) {
            ("queued", 0) => Waits,
            ("queued", 1) => AgainSoon,
            ("failed", 1) => GivenUp,
            other => panic!("{phase} {line}: {other:?}"),
        };
        assert_eq!(found, outcome, "{phase} {line}");
        rehearsal.sink.refuse(None);
        let manager = rehearsal.again(&place.manager).await;
        manager.transition(&risk, "closed", Some("Done"), 200).await;
        now += TimeDelta::days(1);
        rehearsal.at(&(now - TimeDelta::hours(2)).to_rfc3339()).await;
    }
    assert_eq!(rehearsal.told(&place.risk_owner), [""; 0]);
}

#[actix_web::test]
async fn a_wrong_password_of_ours_loses_no_mail() {
    let rehearsal = with_password("wrong_password");
    rehearsal.at("2027-02-01T09:00:00Z").await;
    let place = Place::open(&rehearsal).await;
    place.risk_to_review("Meanwhile", "2027-03-01").await;
    rehearsal
        .sink
        .refuse(Some(("AUTH", "535 5.7.8 Wrong password")));
    let boss = rehearsal.again(&place.client.firm_owner).await;
    let invitation = json!({"email": "late@example.org", "roles": ["viewer"]});
    let path = place.client.path("invitations");
    boss.post(&path, &invitation, 201).await;

    let mut now: DateTime<Utc> = "2027-02-01T10:00:00Z".parse().unwrap();
    for _ in 0..60 {
        now += TimeDelta::hours(6);
        rehearsal.at(&now.to_rfc3339()).await;
    }
    let came = |to: &str| {
        let mut mails = rehearsal.sink.received();
        mails.retain(|mail| mail.to.iter().any(|address| address == to));
        mails.len()
    };
    assert_eq!(came("late@example.org"), 0);
    rehearsal.sink.refuse(None);
    rehearsal.at("2027-02-16T12:00:00Z").await;

    assert_eq!(came("late@example.org"), 1);
    assert_eq!(
        rehearsal.told(&place.risk_owner),
        ["Review of RSK-001 is due in 13 days"]
    );
}
