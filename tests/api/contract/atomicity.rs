//! A row changes with its event or not at all, and the chain of events shows any tampering.

use aims::app::kinds;
use aims::http::json::sha256;
use reqwest::Method;
use serde_json::{Value, json};
use tokio_postgres::Client as Db;
use uuid::Uuid;

use super::stage::{Stage, rehearsal};
use crate::support::{Answer, App, Client};

/// Every event of a chain, as text where the form matters.
const EVENTS: &str = "SELECT seq, \
    to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), actor_id::text, action, \
    subject_kind, subject_id::text, request_id, data, prev_hash, hash \
    FROM events ORDER BY seq";

async fn connect(app: &App, scope: Uuid) -> Db {
    let db = app.owner().await;
    let set = format!("SET app.tenant_id = '{scope}'");
    db.batch_execute(&set).await.unwrap();
    db
}

/// Recomputes the chain of a scope: the number of its events, or what is wrong with it.
async fn verify(db: &Db, scope: Uuid) -> Result<i64, String> {
    let mut previous = vec![0; 32];
    let mut count = 0;
    for row in db.query(EVENTS, &[]).await.unwrap() {
        count += 1;
        let text = |index: usize| row.get::<_, String>(index);
        let maybe = |index: usize| row.get::<_, Option<String>>(index);
        let seq: i64 = row.get(0);
        if seq != count {
            return Err(format!("event {count} is missing"));
        }
        let canonical = json!({
            "action": text(3), "actor_id": maybe(2), "at": text(1), "data": text(7),
            "request_id": maybe(6), "scope": scope, "seq": seq, "subject_id": text(5),
            "subject_kind": text(4),
        });
        let bytes = [previous.as_slice(), canonical.to_string().as_bytes()].concat();
        let hash = sha256(&bytes).to_vec();
        if row.get::<_, Vec<u8>>(8) != previous || row.get::<_, Vec<u8>>(9) != hash {
            return Err(format!("event {seq} is not what was hashed"));
        }
        previous = hash;
    }
    let head = db
        .query_opt("SELECT seq, hash FROM chains", &[])
        .await
        .unwrap();
    match head.map(|row| (row.get::<_, i64>(0), row.get::<_, Vec<u8>>(1))) {
        Some(head) if head == (count, previous) => Ok(count),
        None if count == 0 => Ok(0),
        other => Err(format!("the chain ends at {other:?}, not at {count}")),
    }
}

/// One write, sent twice: first so that it is refused, then so that it is done.
struct Write {
    action: &'static str,
    client: Client,
    method: Method,
    path: String,
    body: Value,
    refused: Value,
}

impl Write {
    async fn send(&self, if_match: &str, body: &Value) -> Answer {
        let headers = [("If-Match", if_match)];
        let body = (!body.is_null()).then(|| body.to_string());
        let method = self.method.clone();
        self.client.send(method, &self.path, &headers, body).await
    }
}

async fn last_action(stage: &Stage<'_>) -> String {
    let db = connect(stage.app, stage.client.id).await;
    let sql = "SELECT action FROM events ORDER BY seq DESC LIMIT 1";
    db.query_one(sql, &[]).await.unwrap().get(0)
}

#[actix_web::test]
async fn every_write_leaves_one_event_and_every_refusal_none() {
    let stage = Stage::set(rehearsal().await).await;
    for write in writes(&stage).await {
        let what = format!("{} {}", write.method, write.path);
        let before = stage.events().await;

        let refused = write.send("\"v99\"", &write.refused).await;
        assert!(
            (400..500).contains(&refused.status),
            "{what}: {}",
            refused.text
        );
        assert_eq!(stage.events().await, before, "{what} was refused");

        let done = write.send("*", &write.body).await;
        assert!((200..300).contains(&done.status), "{what}: {}", done.text);
        assert_eq!(stage.events().await, before + 1, "{what}");
        assert_eq!(last_action(&stage).await, write.action, "{what}");
    }

    let db = connect(stage.app, stage.client.id).await;
    assert_eq!(verify(&db, stage.client.id).await, Ok(stage.events().await));
}

async fn writes(stage: &Stage<'_>) -> Vec<Write> {
    let system = kinds().by_name("ai_system").unwrap();
    let review = kinds().by_name("management_review").unwrap();
    let (record, meeting) = (stage.make(system).await, stage.make(review).await);
    let (at, meeting) = (stage.at(system, &record), stage.at(review, &meeting));
    let link = json!({"relation": "serves", "to": {"catalog": "iso42001", "unit": "8.2"}});
    let (post, patch, put, delete) = (Method::POST, Method::PATCH, Method::PUT, Method::DELETE);
    let write = |action, method: &Method, path: String, body: Value, refused: Value| Write {
        action,
        client: stage.author.api.clone(),
        method: method.clone(),
        path,
        body,
        refused,
    };
    let another = stage.make(system).await;
    let put_away = stage.at(system, &another);
    let none = Value::Null;
    vec![
        write(
            "created",
            &post,
            stage.list(system),
            stage.input(system).await,
            json!({"title": "x"}),
        ),
        write(
            "changed",
            &patch,
            at.clone(),
            json!({"title": "New"}),
            json!({"title": "Newer"}),
        ),
        write(
            "linked",
            &post,
            format!("{at}/links"),
            link,
            json!({"relation": "serves", "to": {"kind": "risk", "id": Uuid::nil()}}),
        ),
        write(
            "commented",
            &post,
            format!("{at}/comments"),
            json!({"text": "Twice."}),
            json!({"text": ""}),
        ),
        write(
            "commented",
            &post,
            format!("{at}/comments"),
            json!({"text": "Thanks."}),
            json!({"text": " "}),
        ),
        write(
            "moved",
            &post,
            format!("{at}/transitions"),
            json!({"to": "design_development"}),
            json!({"to": "retired"}),
        ),
        write(
            "changed",
            &put,
            format!("{meeting}/inputs/changed_issues"),
            json!({"summary": "The AI Act."}),
            json!({"summary": ""}),
        ),
        write(
            "changed",
            &delete,
            format!("{meeting}/inputs/changed_issues"),
            none.clone(),
            none.clone(),
        ),
        write(
            "archived",
            &delete,
            put_away.clone(),
            none.clone(),
            none.clone(),
        ),
        write(
            "restored",
            &post,
            format!("{put_away}/restore"),
            none.clone(),
            none.clone(),
        ),
        write(
            "changed",
            &patch,
            stage.client.path("settings"),
            json!({"warning_days": [7, 0]}),
            json!({"warning_days": []}),
        ),
        write(
            "tenant.updated",
            &patch,
            stage.client.base.clone(),
            json!({"sector": "credit"}),
            json!({"sector": ""}),
        ),
        write(
            "invitation.created",
            &post,
            stage.client.path("invitations"),
            json!({"email": "ida@example.org", "roles": ["viewer"]}),
            json!({"email": "ida@example.org", "roles": ["lead"]}),
        ),
    ]
}

#[actix_web::test]
async fn a_link_is_taken_away_once() {
    let stage = Stage::set(rehearsal().await).await;
    let system = kinds().by_name("ai_system").unwrap();
    let record = stage.make(system).await;
    let links = format!("{}/links", stage.at(system, &record));
    let link = json!({"relation": "serves", "to": {"catalog": "iso42001", "unit": "8.2"}});
    let made = stage.author.api.post(&links, &link, 201).await;
    let at = format!("{links}/{}", made["id"].as_str().unwrap());
    let delete = || stage.author.api.send(Method::DELETE, &at, &[], None);
    let before = stage.events().await;

    delete().await.expect(204);
    delete().await.expect(404);

    assert_eq!(stage.events().await, before + 1);
    assert_eq!(last_action(&stage).await, "unlinked");
}

#[actix_web::test]
async fn the_chains_of_tenant_firm_and_account_are_whole() {
    let stage = Stage::set(rehearsal().await).await;
    for entry in kinds().entries() {
        let record = stage.make(entry).await;
        let at = stage.at(entry, &record);
        if let Some((client, to)) = stage.next_move(&at).await {
            client.transition(&at, &to, Some("It is time."), 200).await;
        }
    }
    for scope in [
        stage.client.id,
        stage.firm.id,
        stage.author.id,
        stage.firm.owner.id,
    ] {
        let db = connect(stage.app, scope).await;
        let events = verify(&db, scope).await;
        assert!(
            events.as_ref().is_ok_and(|events| *events > 0),
            "{scope}: {events:?}"
        );
    }
}

#[actix_web::test]
async fn tampering_with_the_events_shows() {
    let stage = Stage::set(rehearsal().await).await;
    stage.make(kinds().by_name("risk").unwrap()).await;
    let db = connect(stage.app, stage.client.id).await;
    let tenant = format!("tenant_id = '{}'", stage.client.id);
    assert!(verify(&db, stage.client.id).await.is_ok());

    for tampering in [
        "UPDATE events SET data = replace(data, 'Proxy', 'Minor')",
        "UPDATE events SET actor_id = NULL WHERE seq = 3",
        "UPDATE events SET at = at - interval '1 day' WHERE seq = 2",
        "UPDATE events SET request_id = 'another' WHERE seq = 2",
        "DELETE FROM events WHERE seq = 2",
        "DELETE FROM events WHERE seq = (SELECT max(seq) FROM events)",
        "DELETE FROM events",
    ] {
        let (verb, condition) = match tampering.contains("WHERE") {
            true => (tampering, format!(" AND {tenant}")),
            false => (tampering, format!(" WHERE {tenant}")),
        };
        // Only the owner of the table can do this at all; it is taken back afterwards.
        db.batch_execute("BEGIN; ALTER TABLE events DISABLE TRIGGER USER")
            .await
            .unwrap();
        db.batch_execute(&format!("{verb}{condition}"))
            .await
            .unwrap();
        let found = verify(&db, stage.client.id).await;
        db.batch_execute("ROLLBACK").await.unwrap();

        assert!(found.is_err(), "{tampering} was not noticed");
    }
    assert!(verify(&db, stage.client.id).await.is_ok());
}

#[actix_web::test]
async fn the_runtime_role_cannot_change_what_happened() {
    let stage = Stage::set(rehearsal().await).await;
    let db = stage.app.runtime_role().await;
    let set = format!("SET app.tenant_id = '{}'", stage.client.id);
    db.batch_execute(&set).await.unwrap();

    for tampering in [
        "UPDATE events SET action = 'nothing'",
        "DELETE FROM events",
        "TRUNCATE events",
        "ALTER TABLE events DISABLE TRIGGER USER",
    ] {
        assert!(db.batch_execute(tampering).await.is_err(), "{tampering}");
    }
    assert!(stage.events().await > 0);
}
