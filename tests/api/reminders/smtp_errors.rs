//! Mail servers that refuse, hang up or say nothing; and texts that would be headers.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::smtp_sink::{Answer, Received};
use super::{Place, Rehearsal};

/// Headers of a reminder, in order; nothing else.
const HEADERS: [&str; 8] = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "MIME-Version",
    "Content-Type",
];

impl Place<'_> {
    /// A risk to be reviewed on the day of an instant; its mail goes out then, or fails to.
    async fn due_at(&self, title: &str, now: DateTime<Utc>) {
        let before = now - TimeDelta::hours(1);
        self.rehearsal.at(&before.to_rfc3339()).await;
        let day = now.date_naive().to_string();
        self.risk_to_review(title, &day).await;
        self.rehearsal.at(&now.to_rfc3339()).await;
    }
}

#[actix_web::test]
async fn what_may_pass_is_tried_again_under_the_same_name() {
    let rehearsal = Rehearsal::start("passing");
    rehearsal.at("2027-02-01T09:00:00Z").await;
    let place = Place::open(&rehearsal).await;
    let to = &place.risk_owner.email;
    let mut now: DateTime<Utc> = "2027-02-02T07:30:00Z".parse().unwrap();
    for (number, answers) in [
        vec![Answer::ToRecipient("451 4.3.2 Not now")],
        vec![Answer::ToRecipient("450 4.7.1 Greylisted, come again")],
        vec![Answer::ToRecipient("421 4.3.2 Closing")],
        vec![Answer::ToData("452 4.2.2 Mailbox full")],
        vec![Answer::ToData("421 4.3.0 Closing")],
        vec![Answer::Silence],
        vec![
            Answer::Silence,
            Answer::ToRecipient("451 4.3.2 Not now"),
            Answer::Silence,
        ],
    ]
    .into_iter()
    .enumerate()
    {
        let (failures, tried, received) =
            (answers.len(), rehearsal.sink.tries(to), own(&place).len());
        rehearsal.sink.script(to, &answers);
        place.due_at(&format!("Case {number}"), now).await;

        for failure in 1..=failures {
            assert_eq!(rehearsal.sink.tries(to), tried + failure, "{answers:?}");
            let waits = place.ledger_of(&place.risk_owner).await;
            assert!(waits[number].ends_with("planned"), "{waits:?}");
            // Not before its time.
            rehearsal
                .at(&(now + TimeDelta::seconds(59)).to_rfc3339())
                .await;
            assert_eq!(rehearsal.sink.tries(to), tried + failure, "{answers:?}");
            now += TimeDelta::minutes(15);
            rehearsal.at(&now.to_rfc3339()).await;
        }

        let ledger = place.ledger_of(&place.risk_owner).await;
        assert!(ledger[number].ends_with(" 0 sent"), "{ledger:?}");
        let came = own(&place).split_off(received);
        let (last, earlier) = came.split_last().unwrap();
        assert!(last.taken);
        assert!(earlier.iter().all(|mail| !mail.taken
            && mail.message_id() == last.message_id()
            && mail.text() == last.text()));
        now += TimeDelta::days(1) - TimeDelta::minutes(15) * i32::try_from(failures).unwrap();
        // Closed, so that it does not become overdue.
        let risk = format!("risks/{}", newest(&place).await);
        let path = place.client.path(&risk);
        let manager = rehearsal.again(&place.manager).await;
        manager.transition(&path, "closed", Some("Done"), 200).await;
    }
}

#[actix_web::test]
async fn what_will_not_pass_is_given_up_at_once() {
    let rehearsal = Rehearsal::start("refused");
    rehearsal.at("2027-02-01T09:00:00Z").await;
    let place = Place::open(&rehearsal).await;
    let to = &place.risk_owner.email;
    let mut now: DateTime<Utc> = "2027-02-02T07:30:00Z".parse().unwrap();
    for (number, answer) in [
        Answer::ToRecipient("550 5.1.1 Nobody of that name"),
        Answer::ToData("552 5.2.2 Too large"),
        Answer::ToData("554 5.7.1 Not wanted"),
    ]
    .into_iter()
    .enumerate()
    {
        let tried = rehearsal.sink.tries(to);
        rehearsal.sink.script(to, std::slice::from_ref(&answer));

        place.due_at(&format!("Case {number}"), now).await;
        for _ in 0..4 {
            now += TimeDelta::hours(6);
            rehearsal.at(&now.to_rfc3339()).await;
        }

        let ledger = place.ledger_of(&place.risk_owner).await;
        assert!(
            ledger[number].ends_with(" 0 cancelled: the mail could not be delivered"),
            "{answer:?} {ledger:?}"
        );
        assert_eq!(rehearsal.sink.tries(to), tried + 1, "{answer:?}");
    }
    assert_eq!(rehearsal.told(&place.risk_owner), [""; 0]);
}

#[actix_web::test]
async fn patience_ends_after_some_days() {
    let rehearsal = Rehearsal::start("patience");
    rehearsal.at("2027-02-01T09:00:00Z").await;
    let place = Place::open(&rehearsal).await;
    let to = &place.risk_owner.email;
    let never = vec![Answer::ToRecipient("451 4.3.2 Not now"); 100];
    rehearsal.sink.script(to, &never);
    let before = rehearsal.sink.tries(to);
    let mut now: DateTime<Utc> = "2027-02-02T07:30:00Z".parse().unwrap();

    place.due_at("Never", now).await;
    for _ in 0..40 {
        now += TimeDelta::hours(3);
        rehearsal.at(&now.to_rfc3339()).await;
    }

    let ledger = place.ledger_of(&place.risk_owner).await;
    assert_eq!(
        ledger,
        ["2027-02-02 0 cancelled: the mail could not be delivered"]
    );
    let tries = rehearsal.sink.tries(to) - before;
    assert!((5..=10).contains(&tries), "{tries}");
}

#[actix_web::test]
async fn no_text_becomes_a_header_or_a_command() {
    let rehearsal = Rehearsal::start("injection");
    rehearsal.at("2027-02-01T09:00:00Z").await;
    let place = Place::open(&rehearsal).await;
    let db = rehearsal.app.owner().await;
    db.batch_execute(&format!("SET app.tenant_id = '{}'", place.client.id))
        .await
        .unwrap();
    let corpus = [
        "x\r\nBcc: all@example.org",
        "x\nBcc: all@example.org\n\nHello",
        "x\r\n\r\n<b>body</b>",
        "x\r\n.\r\nMAIL FROM:<eve@example.org>\r\nRCPT TO:<all@example.org>\r\nDATA\r\n",
        "=?utf-8?Q?x=0D=0ABcc:_all@example.org?=",
        "\" <eve@example.org>, \"x",
        "x>, Eve <eve@example.org",
        "x\u{2028}Bcc: all@example.org\u{85}Bcc: all@example.org\u{b}\u{c}",
        ".",
        &format!("ä{}", "\r\n Bcc: all@example.org".repeat(8)),
    ];
    for (evil, day) in corpus.iter().zip(2..) {
        let due_on = format!("2027-02-{day:02}");
        rehearsal.at(&format!("{due_on}T06:00:00Z")).await;
        let risk = place.risk_to_review("To be spoilt", &due_on).await;
        // The API refuses most of these; old data may hold them all the same.
        let record: uuid::Uuid = risk.rsplit('/').next().unwrap().parse().unwrap();
        let (record, user) = (record.to_string(), place.risk_owner.id.to_string());
        for (sql, id) in [
            ("UPDATE records SET title = $1 WHERE id::text = $2", &record),
            ("UPDATE users SET name = $1 WHERE id::text = $2", &user),
        ] {
            assert_eq!(db.execute(sql, &[evil, id]).await.unwrap(), 1);
        }

        rehearsal.at(&format!("{due_on}T07:30:00Z")).await;

        let mail = own(&place).pop().unwrap();
        assert!(mail.taken);
        assert_eq!(mail.to, [place.risk_owner.email.as_str()]);
        let headers = mail.headers();
        let names: Vec<_> = headers
            .iter()
            .map(|line| line.split(':').next().unwrap())
            .collect();
        assert_eq!(names, HEADERS, "{evil:?}");
        let to = mail.parsed();
        let to = to.to().unwrap().iter().map(|to| to.address().unwrap());
        assert_eq!(
            to.collect::<Vec<_>>(),
            [place.risk_owner.email.as_str()],
            "{evil:?}"
        );
        assert!(mail.subject().contains(" is due today: "), "{evil:?}");
        let archived = rehearsal.again(&place.manager).await;
        archived
            .transition(&risk, "closed", Some("Done"), 200)
            .await;
    }
    let all = rehearsal.sink.received();
    assert!(!all.iter().any(|mail| mail.from.contains("eve")));
    assert_eq!(own(&place).len(), corpus.len());
}

/// Everything about reminders that came for the risk owner, taken or not.
fn own(place: &Place<'_>) -> Vec<Received> {
    let mut mails = place.rehearsal.sink.received();
    mails.retain(|mail| {
        mail.to.contains(&place.risk_owner.email) && mail.text().contains("What is due:")
    });
    mails
}

/// The risk that was made last.
async fn newest(place: &Place<'_>) -> String {
    let manager = place.rehearsal.again(&place.manager).await;
    let risks = manager
        .get(&place.client.path("risks?sort=-created_at&limit=1"), 200)
        .await;
    let risk = risks["items"][0]["id"].clone();
    assert_ne!(risk, json!(null), "{risks}");
    risk.as_str().unwrap().to_owned()
}
