//! Whoever sends an object back as they read it changes nothing, also where they could not.

use reqwest::Method;
use serde_json::{Value, json};

use super::{member_of, patch};
use crate::contract::problems::{assert_problem, pointers};
use crate::contract::stage::{Stage, rehearsal};
use crate::support::Client;

/// What can be patched and is no record: who, where, as it is read.
async fn objects<'s>(stage: &'s Stage<'_>) -> Vec<(&'s Client, String, Value, Value)> {
    let top = &stage.approver.api;
    let owner = &stage.firm.owner.api;
    let engagement = format!(
        "/v1/consultancies/{}/engagements/{}",
        stage.firm.id, stage.client.engagement_id
    );
    let (member, as_read) = member_of(top, &stage.client, &stage.author).await;
    vec![
        (
            top,
            "/v1/me".to_owned(),
            top.get("/v1/me", 200).await,
            json!({"name": "Ana Sofia Gomez"}),
        ),
        (
            top,
            stage.client.base.clone(),
            top.get(&stage.client.base, 200).await,
            json!({"size": 241}),
        ),
        (top, member, as_read, json!({"valid_until": "2027-12-31"})),
        (
            owner,
            engagement.clone(),
            owner.get(&engagement, 200).await,
            json!({"ends_on": "2028-12-31"}),
        ),
    ]
}

#[actix_web::test]
async fn an_object_sent_back_as_it_was_read_is_no_change() {
    let stage = Stage::set(rehearsal().await).await;
    for (api, at, as_read, _) in objects(&stage).await {
        let before = stage.events().await;
        let version = format!("\"v{}\"", as_read["version"]);
        let headers = [("If-Match", version.as_str())];

        for body in [as_read.clone(), json!({})] {
            let sent = Some(body.to_string());
            let answer = api.send(Method::PATCH, &at, &headers, sent).await;
            assert_eq!(answer.status, 200, "{at}: {}", answer.text);
            assert_eq!(answer.json(), as_read, "{at}");
        }
        assert_eq!(stage.events().await, before, "{at}");
        let stale = [("If-Match", "\"v0\"")];
        let sent = Some(as_read.to_string());
        let answer = api.send(Method::PATCH, &at, &stale, sent).await;
        assert_problem(&at, &answer, 412);
    }
}

#[actix_web::test]
async fn among_what_is_as_it_was_a_change_is_found_and_made() {
    let stage = Stage::set(rehearsal().await).await;
    for (api, at, as_read, change) in objects(&stage).await {
        let mut body = as_read.clone();
        for (name, value) in change.as_object().unwrap() {
            body[name] = value.clone();
        }

        let after = patch(api, &at, body.clone()).await.expect(200).json();

        for (name, value) in change.as_object().unwrap() {
            assert_eq!(&after[name], value, "{at}");
        }
        assert_ne!(after["version"], as_read["version"], "{at}");
    }
}

#[actix_web::test]
async fn what_only_the_server_writes_and_what_does_not_exist_is_refused_when_it_differs() {
    let stage = Stage::set(rehearsal().await).await;
    for (api, at, as_read, _) in objects(&stage).await {
        for (name, value) in [
            ("id", json!("019abc12-0000-7000-8000-000000000001")),
            ("version", json!(77)),
            ("is_admin", json!(true)),
            ("created_at", Value::Null),
        ] {
            let mut body = as_read.clone();
            body[name] = value;
            let answer = patch(api, &at, body).await;
            assert_problem(&format!("{at} {name}"), &answer, 422);
            assert_eq!(pointers(&answer), [format!("/{name}")], "{at}");
        }
    }
}
