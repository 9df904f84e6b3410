//! Every POST that takes an `Idempotency-Key` keeps what it promises: it is answered once, and its
//! `Location` leads to what it made.

use aims::records::Entry;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::operations::{Operation, operations};
use super::problems::assert_problem;
use super::stage::{Stage, rehearsal};
use crate::support::actors::{PASSWORD, sign_in, token_in};
use crate::support::{Answer, Client};

/// One request, and another one that could be mistaken for it.
struct Shot {
    client: Client,
    path: String,
    if_match: Option<String>,
    body: Value,
    other: Value,
    effect: Effect,
    /// Address of the account that it makes, if it is asked for without one.
    account: Option<String>,
}

/// How to see what came of it.
enum Effect {
    /// Events in the chain of this scope.
    Events(Uuid),
    /// Consultancies of this name.
    Firms(String),
}

impl Shot {
    async fn fire(&self, key: &str, body: &Value) -> Answer {
        let mut headers = vec![("Idempotency-Key", key)];
        headers.extend(self.if_match.as_deref().map(|tag| ("If-Match", tag)));
        self.client
            .send(Method::POST, &self.path, &headers, Some(body.to_string()))
            .await
    }

    /// Who made it.
    async fn reader(&self, stage: &Stage<'_>) -> Client {
        match &self.account {
            Some(email) => sign_in(stage.app, email, PASSWORD).await.api,
            None => self.client.clone(),
        }
    }

    async fn effects(&self, stage: &Stage<'_>) -> i64 {
        match &self.effect {
            // Reminders go out meanwhile, whatever is asked.
            Effect::Events(scope) => {
                let of_requests = "subject_kind <> 'reminder'";
                stage.app.count(*scope, "events", of_requests).await
            }
            Effect::Firms(name) => {
                let db = stage.app.owner().await;
                let sql = "SELECT count(*) FROM consultancies WHERE name = $1";
                db.query_one(sql, &[name]).await.unwrap().get(0)
            }
        }
    }
}

#[test]
fn every_post_that_makes_something_takes_a_key() {
    for operation in operations() {
        let makes = !operation.spec["responses"]["201"].is_null();
        assert!(
            !makes || operation.takes("Idempotency-Key"),
            "{} makes something: let it take a key, or its Location is tried by no test",
            operation.id
        );
    }
}

#[actix_web::test]
async fn every_post_with_a_key_is_answered_once_and_replayed_after() {
    let stage = Stage::set(rehearsal().await).await;
    let mut stuck = Vec::new();
    for operation in operations() {
        if operation.method != "POST" || !operation.takes("Idempotency-Key") {
            continue;
        }
        match shot(&stage, &operation).await {
            Some(shot) => judge(&stage, &operation.id, &shot).await,
            None => stuck.push(operation.id),
        }
    }
    // Kinds whose example cannot move at all are the exception.
    assert_eq!(
        stuck,
        [
            "transition_corrective_action",
            "transition_management_review",
            "transition_nonconformity",
            "transition_soa_entry"
        ]
    );
}

async fn judge(stage: &Stage<'_>, what: &str, shot: &Shot) {
    let key = Uuid::now_v7().to_string();
    let before = shot.effects(stage).await;

    let first = shot.fire(&key, &shot.body).await;
    assert!((200..300).contains(&first.status), "{what}: {}", first.text);
    assert_eq!(first.header("idempotency-replayed"), None, "{what}");
    let after = shot.effects(stage).await;
    assert!(after > before, "{what} left no trace");
    if let Some(location) = first.header("location") {
        let made = shot.reader(stage).await.get(location, 200).await;
        let id = &first.json()["id"];
        assert!(
            id.is_null() || made["id"] == *id,
            "{what}: {location} leads to {made}"
        );
    }
    assert_eq!(
        first.header("location").is_some(),
        first.status == 201,
        "{what}"
    );

    for _ in 0..2 {
        let again = shot.fire(&key, &shot.body).await;
        assert_eq!(again.status, first.status, "{what}: {}", again.text);
        assert_eq!(again.text, first.text, "{what}");
        for header in ["location", "etag", "content-type"] {
            assert_eq!(
                again.header(header),
                first.header(header),
                "{what}: {header}"
            );
        }
        assert_eq!(again.header("idempotency-replayed"), Some("true"), "{what}");
    }
    let mixed_up = shot.fire(&key, &shot.other).await;
    assert_problem(&format!("{what} with another payload"), &mixed_up, 422);
    assert_eq!(
        shot.effects(stage).await,
        after,
        "{what} had another effect"
    );
}

async fn shot(stage: &Stage<'_>, operation: &Operation) -> Option<Shot> {
    match operation.of_kind() {
        Some((entry, rest)) => of_record(stage, entry, rest, operation).await,
        None => Some(of_feature(stage, operation).await),
    }
}

async fn of_record(
    stage: &Stage<'_>,
    entry: &'static Entry,
    rest: &str,
    operation: &Operation,
) -> Option<Shot> {
    let mut client = stage.author.api.clone();
    let mut if_match = None;
    let input = stage.input(entry).await;
    let mut renamed = input.clone();
    renamed["title"] = json!("Another title");
    let (path, body, other) = match rest {
        "" => {
            stage.clear(entry).await;
            (stage.list(entry), input, renamed)
        }
        "batch" => {
            stage.clear(entry).await;
            let of = |body: Value| json!({"operations": [{"op": "create", "body": body}]});
            (
                format!("{}/batch", stage.list(entry)),
                of(input),
                of(renamed),
            )
        }
        "{id}/transitions" => {
            let record = stage.make(entry).await;
            let at = stage.at(entry, &record);
            let (mover, to) = stage.next_move(&at).await?;
            client = mover.clone();
            if_match = Some("\"v1\"".to_owned());
            let of = |reason: &str| json!({"to": to, "reason": reason});
            (
                format!("{at}/transitions"),
                of("It is time."),
                of("It was time."),
            )
        }
        "{id}/shares" => {
            let record = stage.make(entry).await;
            let until = Some("2027-12-31");
            let auditor = stage
                .client
                .staff_by(&stage.approver, "Eli Ext", &["external_auditor"], until)
                .await;
            let of = |until: &str| json!({"person_id": auditor.id, "until": until});
            (
                format!("{}/shares", stage.at(entry, &record)),
                of("2027-10-31"),
                of("2027-11-30"),
            )
        }
        "{id}/acknowledgements" => {
            let mut policy = input;
            policy["next_review_on"] = json!("2028-03-01");
            let record = client.post(&stage.list(entry), &policy, 201).await;
            let at = stage.at(entry, &record);
            let approver = &stage.approver.api;
            client.transition(&at, "in_review", None, 200).await;
            approver.transition(&at, "approved", None, 200).await;
            client.transition(&at, "published", None, 200).await;
            let of = |version: i32| json!({"version": version});
            (format!("{at}/acknowledgements"), of(1), of(2))
        }
        "{id}/measurements" | "{id}/analyses" => {
            let record = stage.make(entry).await;
            let list = rest.trim_start_matches("{id}/");
            let row = entry.rows_at(list).unwrap().example.clone();
            let mut other = row.clone();
            for (field, value) in [
                ("at", json!("2026-05-31T22:00:00Z")),
                ("until", json!("2026-05-31")),
            ] {
                if !other[field].is_null() {
                    other[field] = value;
                }
            }
            (format!("{}/{list}", stage.at(entry, &record)), row, other)
        }
        _ => {
            let record = stage.make(entry).await;
            let (body, other) = attachment(rest, operation);
            let rest = rest.trim_start_matches("{id}");
            (format!("{}{rest}", stage.at(entry, &record)), body, other)
        }
    };
    Some(Shot {
        client,
        path,
        if_match,
        body,
        other,
        effect: Effect::Events(stage.client.id),
        account: None,
    })
}

fn attachment(rest: &str, operation: &Operation) -> (Value, Value) {
    match rest {
        "{id}/comments" => (
            json!({"text": "Please add the data source."}),
            json!({"text": "Thanks."}),
        ),
        "{id}/evidence" => {
            let of =
                |title: &str| json!({"title": title, "kind": "link", "collected_on": "2026-03-10"});
            (
                of("Bias test of release 2.3"),
                of("Bias test of release 2.4"),
            )
        }
        "{id}/links" => {
            let of = |unit: &str| json!({"relation": "serves", "to": {"catalog": "iso42001", "unit": unit}});
            (of("6.1.2"), of("8.2"))
        }
        _ => unknown(operation),
    }
}

fn unknown<T>(operation: &Operation) -> T {
    panic!(
        "{} takes Idempotency-Key, but idempotent_posts.rs does not know how to call it; add it",
        operation.id
    )
}

async fn of_feature(stage: &Stage<'_>, operation: &Operation) -> Shot {
    let owner = &stage.firm.owner.api;
    let firm = format!("/v1/consultancies/{}", stage.firm.id);
    let address = || format!("{}@example.org", Uuid::now_v7().simple());
    let tenant = Effect::Events(stage.client.id);
    let of_firm = Effect::Events(stage.firm.id);
    let mut account = None;
    let (client, path, body, effect, field, other) = match operation.id.as_str() {
        "create_consultancy" => {
            let name = format!("Firm {}", Uuid::now_v7());
            let email = address();
            let body = json!({"name": name, "owner": {"name": "Signe Dahl", "email": email, "password": PASSWORD}});
            account = Some(email);
            let (path, anonymous) = ("/v1/consultancies".to_owned(), stage.app.anonymous());
            (
                anonymous,
                path,
                body,
                Effect::Firms(name),
                "name",
                json!("Other Firm"),
            )
        }
        "create_tenant" => {
            let body = json!({"consultancy_id": stage.firm.id, "name": "Borealis", "time_zone": "Europe/Oslo"});
            (
                owner.clone(),
                "/v1/tenants".to_owned(),
                body,
                of_firm,
                "name",
                json!("Australis"),
            )
        }
        "create_engagement" => {
            let body =
                json!({"tenant_id": stage.client.id, "service": "gap", "starts_on": "2027-01-11"});
            (
                owner.clone(),
                format!("{firm}/engagements"),
                body,
                tenant,
                "service",
                json!("managed"),
            )
        }
        "create_assignment" => {
            let consultant = stage.firm.hire("Cleo Nord", "consultant").await;
            let path = format!(
                "{firm}/engagements/{}/assignments",
                stage.client.engagement_id
            );
            let body = json!({"user_id": consultant.id, "role": "consultant"});
            (
                owner.clone(),
                path,
                body,
                tenant,
                "valid_until",
                json!("2029-12-31"),
            )
        }
        "create_consultancy_invitation" => {
            let body = json!({"email": address(), "roles": ["consultant"]});
            (
                owner.clone(),
                format!("{firm}/invitations"),
                body,
                of_firm,
                "roles",
                json!(["lead"]),
            )
        }
        "create_tenant_invitation" => {
            let body = json!({"email": address(), "roles": ["viewer"]});
            let path = stage.client.path("invitations");
            (
                stage.approver.api.clone(),
                path,
                body,
                tenant,
                "roles",
                json!(["employee"]),
            )
        }
        "accept_invitation" => {
            let email = address();
            let body = json!({"email": email, "roles": ["viewer"]});
            let path = stage.client.path("invitations");
            stage.approver.api.post(&path, &body, 201).await;
            let token = token_in(&stage.app.link_mailed_to(&email).await);
            let body = json!({"token": token, "name": "Ida Holm", "password": PASSWORD});
            account = Some(email);
            let path = "/v1/invitations/accept".to_owned();
            (
                stage.app.anonymous(),
                path,
                body,
                tenant,
                "name",
                json!("Ida Holmes"),
            )
        }
        _ => unknown(operation),
    };
    let mut changed = body.clone();
    changed[field] = other;
    Shot {
        client,
        path,
        if_match: None,
        body,
        other: changed,
        effect,
        account,
    }
}
