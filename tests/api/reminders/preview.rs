//! The preview says what is then sent, to whom and when; and costs the same whatever there is.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::smtp_sink::Received;
use super::{Place, Rehearsal};
use crate::support::Client;

/// What the preview and the ledger both say of a reminder.
const SAID: [&str; 9] = [
    "send_at",
    "record_id",
    "deadline",
    "recipient_id",
    "due_on",
    "due_at",
    "lead_days",
    "lead_hours",
    "why",
];

/// A page of a preview may take so long on a busy machine; by far not if all were looked at.
const QUICK: Duration = Duration::from_secs(3);

/// All pages of a list.
async fn all(api: &Client, path: &str) -> Vec<Value> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = api.get(&format!("{path}{cursor}"), 200).await;
        items.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return items,
        }
    }
}

fn said(items: &[Value]) -> BTreeSet<Vec<String>> {
    items
        .iter()
        .map(|item| SAID.map(|name| item[name].to_string()).to_vec())
        .collect()
}

#[actix_web::test]
async fn the_preview_is_what_is_then_sent_to_whom_and_when() {
    let rehearsal = Rehearsal::start("preview");
    rehearsal.at("2027-02-16T09:00:00Z").await;
    let place = Place::open(&rehearsal).await;
    let top = place.client.staff("Tess de Wit", &["top_management"]).await;
    let other = place.client.staff_by(&top, "Mo Bos", &["aims_manager"], Some("2027-03-20"));
    let other = other.await;
    let api = rehearsal.again(&place.manager).await;
    let settings = place.client.path("settings");
    api.patch(&settings, &json!({"warning_days": [3, 20, 0]}), 200).await;
    let own = place.risk_to_review("Somebody's", "2027-03-10").await;
    place.risk_of_nobody("Nobody's", "2027-03-12").await;
    place.risk_to_review("The same day", "2027-03-12").await;
    let owner = place.risk_owner.id;
    let columns = "name, due_on, set_on, person_id, due_at, warn, escalate_after, escalate_to";
    for values in [
        "'a', '2027-03-05', '2027-02-16', $, NULL, '{10,2}', 9, '{top_management}'",
        "'b', '2027-02-20', '2027-02-16', $, '2027-02-20T07:00:00Z', NULL, NULL, '{}'",
        "'c', '2027-03-12', '2027-02-16', $, '2027-03-12T22:59:00Z', '{0}', 3, '{aims_manager}'",
        "'d', '1900-01-01', '2027-02-16', $, NULL, NULL, NULL, '{}'",
    ] {
        let values = values.replace('$', &format!("'{owner}'"));
        place.deadline(&own, columns, &values).await;
    }
    rehearsal.at("2027-02-16T10:00:00Z").await;
    let manager = rehearsal.again(&place.manager).await;
    assert_eq!(place.ledger().await.len(), 0);

    let path = place.client.path("reminders/preview?until=2027-05-15");
    let foreseen = all(&manager, &format!("{path}&limit=3")).await;
    let at_once = all(&manager, &format!("{path}&limit=200")).await;
    assert_eq!(foreseen, at_once);
    let mut moments: Vec<DateTime<Utc>> = foreseen
        .iter()
        .map(|item| item["send_at"].as_str().unwrap().parse().unwrap())
        .collect();
    assert!(moments.is_sorted());
    // Besides, every noon, when nothing should go out.
    let noon: DateTime<Utc> = "2027-02-17T12:00:00Z".parse().unwrap();
    moments.extend((0..88).map(|days| noon + TimeDelta::days(days)));
    moments.sort_unstable();
    moments.dedup();
    for moment in moments {
        rehearsal.at(&moment.to_rfc3339()).await;
    }

    let manager = rehearsal.again(&place.manager).await;
    let ledger = all(&manager, &place.client.path("reminders?limit=200")).await;
    assert_eq!(said(&foreseen), said(&ledger));
    assert!(ledger.iter().all(|item| item["state"] == "sent"));
    assert_eq!(ledger.len(), foreseen.len());
    let reasons: BTreeSet<_> = ledger.iter().map(|item| item["why"].to_string()).collect();
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    assert!(!rehearsal.told(&other).is_empty());
}

/// The subject of the mail that an item of a preview foresees.
fn subject(item: &Value) -> String {
    let when = match item["lead_days"].as_i64().unwrap() {
        0 => "is due today".to_owned(),
        1 => "is due tomorrow".to_owned(),
        days @ 2.. => format!("is due in {days} days"),
        days => format!("is {} days overdue", -days),
    };
    let title = item["title"].as_str().map(|title| format!(": {title}"));
    let (record, title) = (item["ref"].as_str().unwrap(), title.unwrap_or_default());
    format!("Review of {record} {when}{title}")
}

#[actix_web::test]
async fn each_recipient_foresees_what_their_mail_tells_of_confidential_records_too() {
    let rehearsal = Rehearsal::start("foreseen_words");
    rehearsal.at("2027-02-16T09:00:00Z").await;
    let place = Place::open(&rehearsal).await;
    let top = place.client.staff("Tess de Wit", &["top_management"]).await;
    place.risk_to_review("For its readers", "2027-03-10").await;
    place.risk_of_nobody("Nobody's", "2027-03-11").await;
    let of_owner = place.risk_to_review("The owner's secret", "2027-03-12").await;
    let of_board = place.risk_to_review("The board's secret", "2027-03-13").await;
    let named = json!({"audience": "named", "audience_roles": ["top_management"]});
    place.change(&of_owner, named.clone()).await;
    place.change(&of_board, json!({"owner_id": null})).await;
    place.change(&of_board, named).await;
    let people = [&place.risk_owner, &place.manager, &top];

    let path = place.client.path("reminders/preview?until=2027-04-20&limit=200");
    let mut foreseen = Vec::new();
    for person in people {
        let mut items = all(&rehearsal.again(person).await, &path).await;
        items.retain(|item| item["recipient_id"] == json!(person.id));
        foreseen.push(items);
    }
    let moments: BTreeSet<_> = foreseen.iter().flatten().map(|item| item["send_at"].to_string()).collect();
    for moment in moments {
        rehearsal.at(moment.trim_matches('"')).await;
    }
    rehearsal.at("2027-04-20T21:00:00Z").await;

    for (person, foreseen) in people.into_iter().zip(&foreseen) {
        let mut told: Vec<_> = foreseen.iter().map(subject).collect();
        let mut mails: Vec<_> = rehearsal.mails_to(person).iter().map(Received::subject).collect();
        told.sort();
        mails.sort();
        assert_eq!(told, mails, "{}", person.name);
        let api = rehearsal.again(person).await;
        let mut ledger = all(&api, &place.client.path("reminders?limit=200")).await;
        ledger.retain(|item| item["recipient_id"] == json!(person.id));
        let mut kept: Vec<_> = ledger.iter().map(subject).collect();
        kept.sort();
        assert_eq!(kept, mails, "{}", person.name);
    }
    let all_of = |person: usize| serde_json::to_string(&foreseen[person]).unwrap();
    assert!(all_of(0).contains("The owner's secret"));
    assert!(all_of(1).contains("RSK-004") && !all_of(1).contains("secret"));
}

#[actix_web::test]
async fn nothing_is_foreseen_for_a_client_that_is_paused() {
    let rehearsal = Rehearsal::start("foreseen_paused");
    rehearsal.at("2027-02-16T09:00:00Z").await;
    let place = Place::open(&rehearsal).await;
    place.risk_to_review("Waits", "2027-03-10").await;
    let path = place.client.path("reminders/preview");
    let boss = rehearsal.again(&place.client.firm_owner).await;
    let manager = rehearsal.again(&place.manager).await;
    assert_ne!(manager.get(&path, 200).await["items"], json!([]));

    boss.patch(&place.client.base, &json!({"stage": "paused"}), 200)
        .await;

    assert_eq!(manager.get(&path, 200).await["items"], json!([]));
}

#[actix_web::test]
async fn dates_beyond_the_calendar_are_refused() {
    let rehearsal = Rehearsal::start("foreseen_dates");
    rehearsal.at("2027-02-16T09:00:00Z").await;
    let place = Place::open(&rehearsal).await;
    let manager = rehearsal.again(&place.manager).await;
    for query in [
        "deadlines?from=-9999-01-01",
        "deadlines?until=%2B262142-12-31",
        "deadlines?from=2027-2-3",
        "reminders/preview?until=-9999-01-01",
        "reminders/preview?until=1899-12-31",
        "reminders/preview?until=2027-2-3",
    ] {
        manager.get(&place.client.path(query), 400).await;
    }
}

#[actix_web::test]
async fn a_page_costs_the_same_however_much_there_is() {
    let rehearsal = Rehearsal::start("foreseen_much");
    rehearsal.at("2027-02-16T09:00:00Z").await;
    let place = Place::open(&rehearsal).await;
    let record = place.risk_to_review("Much", "2030-01-01").await;
    let (tenant, record) = (place.client.id, record.rsplit('/').next().unwrap());
    let db = rehearsal.app.owner().await;
    // 3,000 of long ago and 20,000 to come, each of forty people.
    db.batch_execute(&format!(
        "SET app.tenant_id = '{tenant}';
         INSERT INTO users (id, email, name, password_hash, created_at, updated_at)
           SELECT gen_random_uuid(), 'crowd' || n || '@example.org', 'Crowd', '', now(), now()
             FROM generate_series(1, 40) n;
         INSERT INTO memberships (id, tenant_id, user_id, roles, valid_from, created_at, updated_at)
           SELECT gen_random_uuid(), '{tenant}', id, '{{process_owner}}', '2027-01-01', now(), now()
             FROM users WHERE name = 'Crowd';
         INSERT INTO deadlines (tenant_id, record_id, name, due_on, set_on, roles)
           SELECT '{tenant}', '{record}', 'old_' || n, '1900-01-01', '2027-02-16', '{{process_owner}}'
             FROM generate_series(1, 3000) n;
         INSERT INTO deadlines (tenant_id, record_id, name, due_on, set_on, roles)
           SELECT '{tenant}', '{record}', 'new_' || n, '2027-04-20', '2027-02-16', '{{process_owner}}'
             FROM generate_series(1, 20000) n;
         ANALYZE deadlines",
    ))
    .await
    .unwrap();
    let manager = rehearsal.again(&place.manager).await;
    let path = place.client.path("reminders/preview?until=2027-05-15");

    let begun = Instant::now();
    let pages = join_all((0..10).map(|_| manager.get(&path, 200))).await;
    let large = manager.get(&format!("{path}&limit=200"), 200).await;
    let cursor = large["next_cursor"].as_str().unwrap();
    let next = manager
        .get(&format!("{path}&limit=200&cursor={cursor}"), 200)
        .await;
    assert!(begun.elapsed() < QUICK, "{:?}", begun.elapsed());

    assert!(pages.iter().all(|page| page == &pages[0]));
    for page in [&large, &next] {
        let items = page["items"].as_array().unwrap();
        assert_eq!(items.len(), 200);
        assert!(items.iter().all(|item| item["due_on"] == "2027-04-20"
            && item["send_at"] == "2027-03-21T07:00:00Z"));
    }
    assert_eq!(said(large["items"].as_array().unwrap()).len(), 200);
    let (large, next) = (said(large["items"].as_array().unwrap()), said(next["items"].as_array().unwrap()));
    assert!(large.is_disjoint(&next));

    let begun = Instant::now();
    for path in ["deadlines?limit=200", "deadlines?state=overdue", "reminders?state=cancelled"] {
        manager.get(&place.client.path(path), 200).await;
    }
    assert!(begun.elapsed() < QUICK, "{:?}", begun.elapsed());
}
