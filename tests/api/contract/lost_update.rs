//! Nobody overwrites what they have not seen (RFC 9110 section 13, RFC 6585).

use aims::app::kinds;
use aims::records::Entry;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use super::operations::{Operation, operations};
use super::problems::assert_problem;
use super::stage::{Stage, rehearsal};
use crate::support::{Answer, Client};

/// How to reach one resource that an operation changes.
struct Target {
    client: Client,
    method: Method,
    path: String,
    etag: String,
    body: Option<Value>,
}

impl Target {
    async fn send(&self, if_match: Option<&str>) -> Answer {
        let headers: Vec<_> = if_match.map(|tag| ("If-Match", tag)).into_iter().collect();
        let body = self.body.as_ref().map(Value::to_string);
        let method = self.method.clone();
        self.client.send(method, &self.path, &headers, body).await
    }
}

fn etag_of(resource: &Value) -> String {
    format!("\"v{}\"", resource["version"].as_i64().unwrap())
}

#[actix_web::test]
async fn every_operation_with_if_match_refuses_to_overwrite_what_was_not_seen() {
    let stage = Stage::set(rehearsal().await).await;
    let mut seen = 0;
    for operation in operations() {
        if operation.takes("If-Match") {
            judge(&stage, &operation).await;
            seen += 1;
        }
    }
    assert!(seen >= 3 * kinds().entries().len() + 7, "{seen} operations");
}

async fn judge(stage: &Stage<'_>, operation: &Operation) {
    let what = &operation.id;
    let target = target(stage, operation).await;
    let before = stage.events().await;

    let missing = target.send(None).await;
    assert_problem(&format!("{what} without If-Match"), &missing, 428);
    for malformed in ["v1", "\"v1", "", "\"v1\" \"v2\""] {
        let answer = target.send(Some(malformed)).await;
        assert_problem(&format!("{what} with {malformed:?}"), &answer, 400);
    }
    for stale in ["\"v0\"", "\"v999999\"", "\"v99999999999999\"", "W/\"v0\""] {
        let answer = target.send(Some(stale)).await;
        assert_problem(&format!("{what} with {stale}"), &answer, 412);
    }
    assert_eq!(stage.events().await, before, "{what} had an effect");

    let changes = [Method::PATCH, Method::PUT].contains(&target.method);
    let weak = format!("W/{}", target.etag);
    let good = if changes { weak.as_str() } else { "*" };
    let any = target.send(Some(good)).await;
    let is_move = operation.path.ends_with("/transitions");
    let by_rule = is_move && [403, 409, 422].contains(&any.status);
    assert!(
        (200..300).contains(&any.status) || by_rule,
        "{what} with {good}: {}",
        any.text
    );
    if changes {
        let stale = target.send(Some(&target.etag)).await;
        assert_problem(&format!("{what} with the old tag"), &stale, 412);
    }
}

async fn target(stage: &Stage<'_>, operation: &Operation) -> Target {
    let mut target = match operation.of_kind() {
        Some((entry, rest)) => of_record(stage, entry, rest, operation).await,
        None => of_feature(stage, operation).await,
    };
    target.method = operation.method.parse().unwrap();
    target
}

async fn of_record(
    stage: &Stage<'_>,
    entry: &'static Entry,
    rest: &str,
    operation: &Operation,
) -> Target {
    let record = stage.make(entry).await;
    let at = stage.at(entry, &record);
    let (path, body) = match rest {
        "{id}" if operation.method == "PATCH" => {
            (at, Some(json!({"title": "What it is called from now on"})))
        }
        "{id}" => (at, None),
        "{id}/restore" => {
            stage.author.api.delete(&at, 204).await;
            let away = stage.author.api.get(&at, 200).await;
            return Target {
                client: stage.author.api.clone(),
                method: Method::POST,
                path: format!("{at}/restore"),
                etag: etag_of(&away),
                body: None,
            };
        }
        "{id}/transitions" => {
            let to = entry.moves.iter().find(|known| known.from == entry.start);
            let body = json!({"to": to.map(|known| known.to), "reason": "It is time."});
            (format!("{at}/transitions"), Some(body))
        }
        _ => {
            let part = entry.parts.iter().find(|part| rest.contains(part.field));
            let part = part.unwrap_or_else(|| unknown(operation));
            let mut item = record[part.field][0].clone();
            let key = item[part.key].as_str().unwrap().to_owned();
            amend(entry, part.field, part.key, &mut item);
            let put = operation.method == "PUT";
            (format!("{at}/{}/{key}", part.field), put.then_some(item))
        }
    };
    Target {
        client: stage.author.api.clone(),
        method: Method::PATCH,
        path,
        etag: etag_of(&record),
        body,
    }
}

/// An item as a client would send it, with other words than before.
fn amend(entry: &Entry, field: &str, key: &str, item: &mut Value) {
    let example = &entry.example[field][0];
    let Value::Object(fields) = item else { return };
    fields.retain(|name, _| example.get(name).is_some());
    for (name, value) in fields.iter_mut() {
        if let Some(text) = value
            .as_str()
            .filter(|text| name != key && text.contains(' '))
        {
            *value = json!(format!("{text} So it was agreed."));
        }
    }
}

fn unknown<T>(operation: &Operation) -> T {
    panic!(
        "{} takes If-Match, but lost_update.rs does not know how to reach it; add it",
        operation.id
    )
}

async fn of_feature(stage: &Stage<'_>, operation: &Operation) -> Target {
    let owner = &stage.firm.owner.api;
    let (client, path, resource, body) = match operation.id.as_str() {
        "update_me" => {
            let me = stage.author.api.get("/v1/me", 200).await;
            let body = json!({"name": "Mara de Visser"});
            (&stage.author.api, "/v1/me".to_owned(), me, Some(body))
        }
        "update_settings" => {
            let path = stage.client.path("settings");
            let first = json!({"review_cycle_months": 7});
            stage.author.api.patch(&path, &first, 200).await;
            let etag = stage.author.api.etag(&path).await;
            let version: i64 = etag.trim_matches(['"', 'v']).parse().unwrap();
            let settings = json!({"version": version});
            let body = json!({"review_cycle_months": 6});
            (&stage.author.api, path, settings, Some(body))
        }
        "update_tenant" => {
            let path = stage.client.base.clone();
            let tenant = owner.get(&path, 200).await;
            (
                owner,
                path,
                tenant,
                Some(json!({"sector": "consumer credit"})),
            )
        }
        "update_engagement" => {
            let path = format!("{}/{}", engagements(stage), stage.client.engagement_id);
            let engagement = owner.get(&path, 200).await;
            (
                owner,
                path,
                engagement,
                Some(json!({"ends_on": "2029-12-31"})),
            )
        }
        "end_tenant_engagement" => {
            let new =
                json!({"tenant_id": stage.client.id, "service": "gap", "starts_on": "2027-01-11"});
            let engagement = owner.post(&engagements(stage), &new, 201).await;
            let id = engagement["id"].as_str().unwrap();
            let path = stage.client.path(&format!("engagements/{id}/end"));
            (&stage.approver.api, path, engagement, None)
        }
        "delete_assignment" => {
            let (path, assignment) = stage.assignment("Cleo Nord").await;
            (owner, path, assignment, None)
        }
        "update_member" => {
            let (path, member) = member(stage).await;
            let body = json!({"valid_until": "2029-12-31"});
            (&stage.approver.api, path, member, Some(body))
        }
        "delete_member" => {
            let (path, member) = member(stage).await;
            (&stage.approver.api, path, member, None)
        }
        _ => unknown(operation),
    };
    Target {
        client: client.clone(),
        method: Method::PATCH,
        path,
        etag: etag_of(&resource),
        body,
    }
}

fn engagements(stage: &Stage<'_>) -> String {
    format!("/v1/consultancies/{}/engagements", stage.firm.id)
}

async fn member(stage: &Stage<'_>) -> (String, Value) {
    let viewer = stage
        .client
        .staff_by(&stage.approver, "Vera Kok", &["viewer"], None)
        .await;
    let list = stage.client.path("members");
    let members = stage.approver.api.get(&list, 200).await;
    let found = members["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|member| member["user_id"] == json!(viewer.id))
        .unwrap();
    (
        format!("{list}/{}", found["id"].as_str().unwrap()),
        found.clone(),
    )
}

#[actix_web::test]
async fn of_a_hundred_changes_to_one_version_exactly_one_succeeds() {
    let stage = Stage::set(rehearsal().await).await;
    let entry = kinds().by_name("ai_system").unwrap();
    let record = stage.make(entry).await;
    let at = stage.at(entry, &record);
    let events = stage.events().await;

    let changes = (0..100).map(|number| {
        let body = json!({"title": format!("Name {number}")}).to_string();
        let (client, at) = (stage.author.api.clone(), at.clone());
        async move {
            let headers = [("If-Match", "\"v1\"")];
            client.send(Method::PATCH, &at, &headers, Some(body)).await
        }
    });
    let answers = join_all(changes).await;

    let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!(won.len(), 1);
    assert!(lost.iter().all(|answer| answer.status == 412));
    let now = stage.author.api.get(&at, 200).await;
    assert_eq!(now["version"], 2);
    assert_eq!(now["title"], won[0].json()["title"]);
    assert_eq!(stage.events().await, events + 1);
}

#[actix_web::test]
async fn a_tag_that_a_proxy_has_touched_still_names_its_version() {
    let stage = Stage::set(rehearsal().await).await;
    let entry = kinds().by_name("ai_system").unwrap();
    let at = stage.at(entry, &stage.make(entry).await);
    let api = &stage.author.api;
    let patch = async |tag: &str| {
        let body = Some(json!({"title": format!("Seen as {tag}")}).to_string());
        api.send(Method::PATCH, &at, &[("If-Match", tag)], body)
            .await
    };

    patch("W/\"v1\"").await.expect(200);
    patch("\"v2-gzip\"").await.expect(200);
    assert_problem("an old one", &patch("W/\"v2\"").await, 412);
    for tag in ["W/\"v3\"", "\"v3\"", "\"v3-gzip\""] {
        let seen = [("If-None-Match", tag)];
        api.send(Method::GET, &at, &seen, None).await.expect(304);
    }
}
