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

/// Phases of a conversation, in order; END is the end of the text.
const PHASES: [&str; 7] = ["CONNECT", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "END"];
/// Replies, each of which a server may give in any phase.
const REPLIES: [&str; 20] = [
    "421 4.3.2 Closing",
    "450 4.2.1 Mailbox busy",
    "451 4.7.1 Greylisted",
    "452 4.2.2 Mailbox full",
    "454 4.7.0 Cannot look you up now",
    "455 4.5.4 Parameters do not fit",
    "500 5.5.2 Not understood",
    "502 5.5.1 Not known here",
    "503 5.5.1 Not now",
    "521 5.3.2 No mail here",
    "530 5.7.0 Sign in first",
    "534 5.7.9 Mechanism too weak",
    "535 5.7.8 Wrong password",
    "538 5.7.11 Encrypt first",
    "550 5.1.1 Nobody of that name",
    "551 5.1.6 Has moved",
    "552 5.2.2 Too large",
    "553 5.1.3 No such address",
    "553 5.1.8 Not from this address",
    "554 5.7.1 Not wanted",
];

/// What 4 begins may pass. What 5 begins will not: before a recipient is named it refuses us, and
/// so it does when it says so; later on it refuses the mail.
fn expected(phase: &str, reply: &str) -> Outcome {
    let of_us = ["530", "534", "535", "538", "553 5.1.8"];
    match phase {
        _ if reply.starts_with('4') => AgainSoon,
        "CONNECT" | "EHLO" | "AUTH" | "MAIL" => Waits,
        _ if of_us.iter().any(|ours| reply.starts_with(ours)) => Waits,
        _ => GivenUp,
    }
}

fn with_password(name: &str) -> Rehearsal {
    let sink = Sink::start();
    let url = sink.url_with_password();
    Rehearsal::sending_to(name, sink, &url)
}

#[actix_web::test]
async fn code_and_phase_decide_what_becomes_of_a_mail() {
    let rehearsal = with_password("phases");
    let now = "2027-02-01T09:00:00Z";
    rehearsal.at(now).await;
    let db = rehearsal.app.owner().await;
    let mut wrong = Vec::new();
    for phase in PHASES {
        for (number, reply) in REPLIES.into_iter().enumerate() {
            let to = format!("{}-{number}@example.org", phase.to_lowercase());
            match phase {
                "RCPT" => rehearsal.sink.script(&to, &[Answer::ToRecipient(reply)]),
                "END" => rehearsal.sink.script(&to, &[Answer::ToData(reply)]),
                _ => rehearsal.sink.refuse(Some((phase, reply))),
            }
            let sql = format!(
                "INSERT INTO outbox (id, message_id, recipient, subject, body_text, body_html, send_after, created_at)
                 VALUES (gen_random_uuid(), '{to}', '{to}', 'Hello', 'Hello', 'Hello', '{now}', '{now}')"
            );
            db.batch_execute(&sql).await.unwrap();

            rehearsal.at(now).await;

            let sql = "SELECT state, attempts FROM outbox WHERE recipient = $1";
            let row = db.query_one(sql, &[&to]).await.unwrap();
            let found = match (row.get::<_, &str>(0), row.get::<_, i32>(1)) {
                ("queued", 0) => Waits,
                ("queued", 1) => AgainSoon,
                ("failed", 1) => GivenUp,
                other => panic!("{phase} {reply}: {other:?}"),
            };
            if found != expected(phase, reply) {
                wrong.push(format!("{phase} {reply}: {found:?}"));
            }
        }
        rehearsal.sink.refuse(None);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    // Nothing that waits is lost; what is tried again comes too.
    rehearsal.at("2027-02-01T09:30:00Z").await;
    let sql = "SELECT count(*) FROM outbox WHERE state = 'queued'";
    let waiting: i64 = db.query_one(sql, &[]).await.unwrap().get(0);
    assert_eq!(waiting, 0);
    let lost = PHASES.iter().flat_map(|phase| REPLIES.map(|reply| expected(phase, reply)));
    let lost = lost.filter(|outcome| *outcome == GivenUp).count();
    assert_eq!(rehearsal.sink.received().iter().filter(|mail| mail.taken).count(), PHASES.len() * REPLIES.len() - lost);
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
