//! Each rule bites: its defect is planted in a database in which everything was right, and must be
//! found.

use serde_json::json;

use super::{faults, superuser};
use crate::kinds::example;
use crate::reminders::{Place, Rehearsal};

/// Topic, words of the fault, and what is done behind the program's back.
const DEFECTS: &[(&str, &str, &str)] = &[
    (
        "in force",
        "has version 9 in force",
        "UPDATE records SET in_force = 9 WHERE kind = 'risk_criteria'",
    ),
    (
        "authors",
        "is as it was approved",
        "UPDATE records SET authors = ARRAY[approved_by] WHERE kind = 'risk_criteria'",
    ),
    (
        "authors",
        "never wrote on it",
        "UPDATE records SET authors = ARRAY[(SELECT id FROM users WHERE name = 'Rik Bos')] WHERE kind = 'ai_system'",
    ),
    (
        "approval",
        "has no version",
        "UPDATE records SET approved_by = (SELECT id FROM users WHERE name = 'Rik Bos') WHERE kind = 'ai_system'",
    ),
    (
        "pins",
        "does not say which version",
        "UPDATE versions SET links = jsonb_set(links, '{0,to_version}', 'null') WHERE links <> '[]'",
    ),
    (
        "versions",
        "froze other links",
        "UPDATE links SET to_version = NULL WHERE to_version IS NOT NULL",
    ),
    (
        "versions",
        "is not what was hashed",
        "UPDATE versions SET title = 'Another'",
    ),
    (
        "versions",
        "is not what was hashed",
        "UPDATE versions SET body = '{}'",
    ),
    (
        "versions",
        "is not what was hashed",
        "UPDATE versions SET links = '[{}]'",
    ),
    (
        "versions",
        "is not what was hashed",
        "UPDATE versions SET children = '[{}]'",
    ),
    (
        "versions",
        "is not what was hashed",
        "UPDATE versions SET hash = '\\x00'",
    ),
    (
        "versions",
        "is not the content",
        "UPDATE records SET title = 'Another' WHERE kind = 'risk_criteria'",
    ),
    (
        "links",
        "is linked to {}",
        "DELETE FROM links WHERE field = '/ai_system_id'",
    ),
    (
        "links",
        "refers to {}",
        "UPDATE records SET body = body - 'ai_system_id' WHERE kind = 'risk'",
    ),
    (
        "chain",
        "is not what was hashed",
        "UPDATE events SET action = 'nothing' WHERE seq = 1",
    ),
    ("chain", "follows", "DELETE FROM events WHERE seq = 1"),
    (
        "chain",
        "is not its last event",
        "UPDATE chains SET seq = seq + 1",
    ),
    (
        "mail",
        "still has its text",
        "UPDATE outbox SET body_html = 'x' WHERE state = 'sent'",
    ),
    (
        "mail",
        "holds a secret",
        "UPDATE outbox SET subject = 'http://x/#token=abc' WHERE state = 'sent'",
    ),
    (
        "mail",
        "has no end",
        "UPDATE outbox SET finished_at = NULL WHERE state = 'sent'",
    ),
    (
        "mail",
        "not its tenant's",
        "UPDATE outbox SET reminder_id = gen_random_uuid() WHERE reminder_id IS NOT NULL",
    ),
    (
        "reminders",
        "no mail waits",
        "UPDATE reminders SET state = 'planned'",
    ),
    (
        "reminders",
        "its mail is sent",
        "UPDATE reminders SET state = 'cancelled'",
    ),
    (
        "deadlines",
        "which is archived",
        "UPDATE records SET archived_at = now() WHERE kind = 'risk'",
    ),
    (
        "numbers",
        "beyond the count",
        "UPDATE counters SET last = 0 WHERE kind = 'risk'",
    ),
    (
        "secrets",
        "is kept with a secret",
        "UPDATE idempotency_keys SET body = '{\"refresh_token\":\"x\"}'",
    ),
    (
        "secrets",
        "holds a secret",
        "UPDATE events SET data = '{\"password\":\"x\"}' WHERE seq = 1",
    ),
    (
        "nobody's",
        "settings",
        "UPDATE settings SET tenant_id = gen_random_uuid()",
    ),
    (
        "nobody's",
        "events",
        "UPDATE events SET tenant_id = gen_random_uuid()",
    ),
    (
        "nobody's",
        "user_id has no account",
        "UPDATE memberships SET user_id = gen_random_uuid()",
    ),
    (
        "nobody's",
        "updated_by has no account",
        "UPDATE records SET updated_by = gen_random_uuid()",
    ),
    (
        "negative",
        "attempts is below zero",
        "UPDATE outbox SET attempts = -1",
    ),
];

#[actix_web::test]
async fn every_defect_that_is_planted_is_found() {
    let rehearsal = Rehearsal::start("teeth");
    rehearsal.at("2027-02-16T09:00:00Z").await;
    let place = Place::open(&rehearsal).await;
    let top = place.client.staff("Tess de Wit", &["top_management"]).await;
    let consultant = rehearsal.again(&place.consultant).await;
    let system = example("ai_system");
    let system = consultant
        .post(&place.client.path("ai-systems"), &system, 201)
        .await;
    let criteria = place.client.path("risk-criteria");
    let made = consultant
        .post(&criteria, &example("risk_criteria"), 201)
        .await;
    let criteria = format!("{criteria}/{}", made["id"].as_str().unwrap());
    top.api.transition(&criteria, "approved", None, 200).await;
    let mut waiver = example("waiver");
    waiver["about"] = json!({"kind": "risk_criteria", "id": made["id"]});
    waiver["rule"] = json!("GEN-3");
    waiver["valid_until"] = json!("2027-04-01");
    let path = place.client.path("waivers");
    let made = consultant.post(&path, &waiver, 201).await;
    let waiver = format!("{path}/{}", made["id"].as_str().unwrap());
    top.api.transition(&waiver, "granted", None, 200).await;
    let risk = place.risk_to_review("Sound", "2027-03-01").await;
    place
        .change(&risk, json!({"ai_system_id": system["id"]}))
        .await;
    let manager = rehearsal.again(&place.manager).await;
    manager
        .patch(
            &place.client.path("settings"),
            &json!({"warning_days": [7]}),
            200,
        )
        .await;
    rehearsal.at("2027-02-22T12:00:00Z").await;
    let consultant = rehearsal.again(&place.consultant).await;
    let key = [("Idempotency-Key", "key-of-teeth")];
    let body = Some(example("context_issue").to_string());
    let path = place.client.path("context-issues");
    consultant
        .send(reqwest::Method::POST, &path, &key, body)
        .await
        .expect(201);
    let db = superuser(&rehearsal.app.database).await;
    assert_eq!(faults(&db).await, [""; 0]);

    let mut unfound = Vec::new();
    for (topic, words, defect) in DEFECTS {
        // The rules of the tables themselves would keep some of them out.
        db.batch_execute("BEGIN; SET LOCAL session_replication_role = replica")
            .await
            .unwrap();
        let changed = db.execute(*defect, &[]).await;
        let changed = changed.unwrap_or_else(|error| panic!("{defect}: {error:?}"));
        let found = faults(&db).await;
        db.batch_execute("ROLLBACK").await.unwrap();
        let is_it =
            |fault: &String| fault.starts_with(&format!("{topic}: ")) && fault.contains(words);
        if changed == 0 || !found.iter().any(is_it) {
            unfound.push(format!("{defect} ({changed} rows): {found:?}"));
        }
    }
    assert!(unfound.is_empty(), "not found:\n{}", unfound.join("\n"));
}
