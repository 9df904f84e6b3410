//! What has expired is cleared away in its time: not before, and not long after.

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use super::smtp_sink::Answer;
use super::{LATER, Place, Rehearsal};
use crate::kinds::example;

/// The instant of a row.
async fn instant(db: &tokio_postgres::Client, sql: &str) -> DateTime<Utc> {
    let sql = format!("SELECT to_char(({sql}) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')");
    let row = db.query_one(&sql, &[]).await.unwrap();
    row.get::<_, String>(0).parse().unwrap()
}

#[actix_web::test]
async fn each_thing_is_kept_until_its_time_and_gone_after_it() {
    let rehearsal = Rehearsal::start("housekeeping");
    rehearsal.at("2027-02-16T09:00:00Z").await;
    let place = Place::open(&rehearsal).await;
    let api = rehearsal.again(&place.consultant).await;
    let key = format!("key-{}", Uuid::now_v7());
    let risk = example("risk").to_string();
    let path = place.client.path("risks");
    api.send(Method::POST, &path, &[("Idempotency-Key", &key)], Some(risk))
        .await
        .expect(201);
    let boss = rehearsal.again(&place.client.firm_owner).await;
    let invitation = json!({"email": "never@example.org", "roles": ["viewer"]});
    boss.post(&place.client.path("invitations"), &invitation, 201)
        .await;
    let db = rehearsal.app.owner().await;
    let tenant = place.client.id;
    db.batch_execute(&format!("SET app.tenant_id = '{tenant}'"))
        .await
        .unwrap();
    rehearsal.at("2027-02-16T09:30:00Z").await;
    // A mail that was taken, one that was refused, one whose reason is gone.
    for (to, answer) in [
        ("refused@example.org", Answer::ToRecipient("550 5.1.1 Nobody")),
        (place.risk_owner.email.as_str(), LATER),
    ] {
        rehearsal.sink.script(to, &[answer]);
    }
    let boss = rehearsal.again(&place.client.firm_owner).await;
    let refused = json!({"email": "refused@example.org", "roles": ["viewer"]});
    boss.post(&place.client.path("invitations"), &refused, 201)
        .await;
    rehearsal.at("2027-02-16T09:40:00Z").await;
    let due = place.risk_to_review("Due", "2027-02-16").await;
    rehearsal.at("2027-02-16T09:50:00Z").await;
    place.change(&due, json!({"next_review_on": null})).await;
    rehearsal.at("2027-02-16T10:00:00Z").await;
    let session = "SELECT id::text FROM sessions ORDER BY created_at DESC, id DESC LIMIT 1";
    let session: String = db.query_one(session, &[]).await.unwrap().get(0);

    let mut cases = Vec::new();
    for (rows, when, kept) in [
        (
            format!("idempotency_keys WHERE key = '{key}'"),
            "created_at",
            TimeDelta::hours(24),
        ),
        (
            "invitations WHERE email = 'never@example.org'".to_owned(),
            "expires_at",
            TimeDelta::days(30),
        ),
        (
            format!("sessions WHERE id = '{session}'"),
            "expires_at",
            TimeDelta::days(7),
        ),
        (
            "outbox WHERE recipient = 'never@example.org' AND state = 'sent' AND body_text || body_html = ''".to_owned(),
            "finished_at",
            TimeDelta::days(30),
        ),
        (
            "outbox WHERE recipient = 'refused@example.org' AND state = 'failed' AND body_text || body_html = ''".to_owned(),
            "finished_at",
            TimeDelta::days(30),
        ),
        (
            format!("outbox WHERE recipient = '{}' AND state = 'cancelled' AND body_text || body_html = ''", place.risk_owner.email),
            "finished_at",
            TimeDelta::days(30),
        ),
    ] {
        let from = instant(&db, &format!("SELECT {when} FROM {rows}")).await;
        cases.push((from + kept, rows));
    }
    cases.sort();

    for (end, rows) in cases {
        let count = async || -> i64 {
            let sql = format!("SELECT count(*) FROM {rows}");
            db.query_one(&sql, &[]).await.unwrap().get(0)
        };
        rehearsal
            .at(&(end - TimeDelta::minutes(1)).to_rfc3339())
            .await;
        assert_eq!(count().await, 1, "{rows} is gone before its time");
        rehearsal
            .at(&(end + TimeDelta::seconds(1)).to_rfc3339())
            .await;
        assert_eq!(count().await, 0, "{rows} is still there");
    }
    // An invitation that was accepted tells who brought whom: it stays.
    let sql = "SELECT count(*) FROM invitations WHERE accepted_at IS NOT NULL";
    let accepted: i64 = db.query_one(sql, &[]).await.unwrap().get(0);
    assert_eq!(accepted, 3);
}
