//! The names behind the ids: everybody who ever was there, or acted.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{delete, member_of};
use crate::contract::problems::assert_problem;
use crate::contract::stage::{Stage, rehearsal};
use crate::support::Client;

/// Name and whether they are members, by id, over all pages.
async fn people(reader: &Client, base: &str) -> BTreeMap<String, (String, bool)> {
    let mut all = BTreeMap::new();
    let mut cursor = String::new();
    loop {
        let page = reader
            .get(&format!("{base}/people?limit=2{cursor}"), 200)
            .await;
        for item in page["items"].as_array().unwrap() {
            let text = |name: &str| item[name].as_str().unwrap().to_owned();
            let value = (text("name"), item["is_member"].as_bool().unwrap());
            assert!(
                all.insert(text("id"), value).is_none(),
                "{item} comes twice"
            );
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

/// Ids of those who did or wrote something, wherever they stand in an answer.
fn actors(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let tells = [
                    "actor_id",
                    "created_by",
                    "updated_by",
                    "owner_id",
                    "approved_by",
                ];
                match value.as_str() {
                    Some(id) if tells.contains(&name.as_str()) => found.push(id.to_owned()),
                    _ => actors(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| actors(item, found)),
        _ => {}
    }
}

#[actix_web::test]
async fn everybody_who_ever_was_there_or_acted_has_a_name() {
    let stage = Stage::set(rehearsal().await).await;
    let top = &stage.approver.api;
    let cleo = stage.firm.hire("Cleo Nord", "consultant").await;
    stage.firm.assign(&cleo, &stage.client, "consultant").await;
    let gone = stage
        .client
        .staff_by(&stage.approver, "Vera Kok", &["aims_manager"], None)
        .await;
    let list = stage.client.path("tasks");
    let mut written = Vec::new();
    for person in [&cleo, &gone] {
        let task = json!({"title": "Interview", "due_on": "2027-06-01", "owner_id": person.id});
        let made = person.api.post(&list, &task, 201).await;
        let at = format!("{list}/{}", made["id"].as_str().unwrap());
        let comment = json!({"text": "Done by Friday."});
        person
            .api
            .post(&format!("{at}/comments"), &comment, 201)
            .await;
        written.push(at);
    }
    let (at, _) = member_of(top, &stage.client, &gone).await;
    delete(top, &at).await.expect(200);
    let firm = format!("/v1/consultancies/{}", stage.firm.id);
    delete(&cleo.api, &format!("{firm}/members/{}", cleo.id))
        .await
        .expect(204);
    let owner = &stage.firm.owner;

    let people = people(top, &stage.client.base).await;

    let mut ids = Vec::new();
    for at in &written {
        for rest in ["", "/history", "/comments"] {
            actors(&top.get(&format!("{at}{rest}"), 200).await, &mut ids);
        }
    }
    assert!(ids.len() > 6, "{ids:?}");
    for id in &ids {
        assert!(people.contains_key(id), "{id} has no name");
    }
    for (person, is_member) in [
        (&cleo, false),
        (&gone, false),
        (owner, false),
        (&stage.author, true),
        (&stage.approver, true),
    ] {
        let expected = (person.name.clone(), is_member);
        assert_eq!(people.get(&person.id.to_string()), Some(&expected));
    }
}

#[actix_web::test]
async fn colleagues_who_never_acted_and_strangers_are_not_among_them() {
    let stage = Stage::set(rehearsal().await).await;
    let other = Stage::set(rehearsal().await).await;
    let nils = stage.firm.hire("Nils Aune", "consultant").await;

    let people = people(&stage.approver.api, &stage.client.base).await;

    assert_eq!(people.len(), 3, "{people:?}");
    for stranger in [&nils, &other.approver, &other.author, &other.firm.owner] {
        assert!(!people.contains_key(&stranger.id.to_string()));
    }
    let path = stage.client.path("people");
    nils.api.get(&path, 404).await;
    other.approver.api.get(&path, 404).await;
}

#[actix_web::test]
async fn the_names_are_for_everybody_with_a_role_in_the_tenant() {
    let stage = Stage::set(rehearsal().await).await;
    let until = Some("2027-12-31");
    let path = stage.client.path("people");
    for (role, until) in [
        ("employee", None),
        ("viewer", None),
        ("external_auditor", until),
    ] {
        let person = stage
            .client
            .staff_by(&stage.approver, role, &[role], until)
            .await;
        let page = person.api.get(&path, 200).await;
        assert!(
            !page.to_string().contains('@'),
            "addresses are not told: {page}"
        );
    }
    let answer = stage
        .firm
        .owner
        .api
        .send(reqwest::Method::GET, &path, &[], None)
        .await;
    assert_problem("who manages the tenant only", &answer, 403);
}
