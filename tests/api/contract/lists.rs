//! Lists: pages, orders, cursors, and what has not changed.

use std::collections::BTreeSet;

use aims::app::kinds;
use aims::records::Entry;
use reqwest::Method;
use serde_json::{Value, json};

use super::problems::assert_problem;
use super::stage::{Stage, example, rehearsal};

/// A kind by its name.
pub fn kind(name: &str) -> &'static Entry {
    kinds().by_name(name).unwrap()
}

/// The items of a page.
pub fn items(page: &Value) -> &Vec<Value> {
    page["items"].as_array().unwrap()
}

/// Their titles.
pub fn titles(page: &Value) -> Vec<String> {
    items(page)
        .iter()
        .map(|item| item["title"].as_str().unwrap().to_owned())
        .collect()
}

/// Systems with these titles, made in one transaction and so at one instant.
pub async fn systems(stage: &Stage<'_>, titles: impl IntoIterator<Item = String>) {
    let entry = kind("ai_system");
    let operations: Vec<_> = titles
        .into_iter()
        .map(|title| {
            let mut body = example(entry);
            body["title"] = json!(title);
            json!({"op": "create", "body": body})
        })
        .collect();
    let path = format!("{}/batch", stage.list(entry));
    let body = json!({"atomic": true, "operations": operations});
    let answer = stage.author.api.post(&path, &body, 200).await;
    assert_eq!(answer["committed"], true);
}

/// All pages, followed by their `Link`; after the first one `between` happens.
async fn walk(stage: &Stage<'_>, first: &str, between: impl AsyncFnOnce()) -> Vec<Value> {
    let mut found = Vec::new();
    let mut between = Some(between);
    let mut next = Some(first.to_owned());
    while let Some(path) = next {
        let answer = stage
            .author
            .api
            .send(Method::GET, &path, &[], None)
            .await
            .expect(200);
        let page = answer.json();
        found.extend(items(&page).clone());
        next = answer.header("link").map(|link| {
            let (address, relation) = link.split_once(">; ").unwrap();
            assert_eq!(relation, "rel=\"next\"");
            address.trim_start_matches('<').to_owned()
        });
        let cursor = page["next_cursor"].as_str();
        assert_eq!(cursor.is_some(), next.is_some());
        assert!(
            next.as_deref()
                .is_none_or(|next| next.contains(cursor.unwrap()))
        );
        if let Some(between) = between.take() {
            between().await;
        }
    }
    found
}

#[actix_web::test]
async fn pages_hold_everything_once_in_every_order_while_others_insert() {
    let stage = Stage::set(rehearsal().await).await;
    let list = stage.list(kind("ai_system"));
    systems(&stage, (0..12).map(|number| format!("System {number:02}"))).await;
    systems(&stage, (0..12).map(|number| format!("System {number:02}"))).await;
    let mut ids = BTreeSet::new();
    for item in items(
        &stage
            .author
            .api
            .get(&format!("{list}?limit=200"), 200)
            .await,
    ) {
        ids.insert(item["id"].to_string());
    }

    for sort in ["created_at", "updated_at", "ref", "title"] {
        for sign in ["", "-"] {
            let path = format!("{list}?limit=5&sort={sign}{sort}");
            let all = walk(&stage, &path, async || {
                systems(
                    &stage,
                    [
                        "Another".to_owned(),
                        "System 05".to_owned(),
                        "Zulu".to_owned(),
                    ],
                )
                .await;
            })
            .await;

            let seen: Vec<_> = all.iter().map(|item| item["id"].to_string()).collect();
            let once: BTreeSet<_> = seen.iter().cloned().collect();
            assert_eq!(seen.len(), once.len(), "{sign}{sort} shows something twice");
            assert!(ids.is_subset(&once), "{sign}{sort} leaves something out");
            let keys: Vec<_> = all
                .iter()
                .map(|item| item[sort].as_str().unwrap())
                .collect();
            let ordered = keys.windows(2).all(|pair| match sign {
                "" => pair[0] <= pair[1],
                _ => pair[0] >= pair[1],
            });
            assert!(ordered, "{sign}{sort}: {keys:?}");
            ids.extend(once);
        }
    }
}

#[actix_web::test]
async fn a_cursor_belongs_to_its_list() {
    let stage = Stage::set(rehearsal().await).await;
    let elsewhere = Stage::set(rehearsal().await).await;
    let list = stage.list(kind("ai_system"));
    systems(&stage, (0..6).map(|number| format!("System {number}"))).await;
    let api = &stage.author.api;
    let first = api
        .get(&format!("{list}?limit=2&q=system&sort=title"), 200)
        .await;
    let cursor = first["next_cursor"].as_str().unwrap();

    // The size of a page may change on the way.
    let next = api
        .get(
            &format!("{list}?limit=3&q=system&sort=title&cursor={cursor}"),
            200,
        )
        .await;
    assert_eq!(titles(&next), ["System 2", "System 3", "System 4"]);

    let another = if cursor.starts_with('A') { 'B' } else { 'A' };
    let tampered = format!("{another}{}", cursor.get(1..).unwrap());
    let other = elsewhere.list(kind("ai_system"));
    for (what, client, path) in [
        (
            "another search",
            api,
            format!("{list}?q=sys&sort=title&cursor={cursor}"),
        ),
        (
            "no search",
            api,
            format!("{list}?sort=title&cursor={cursor}"),
        ),
        (
            "another order",
            api,
            format!("{list}?q=system&sort=-title&cursor={cursor}"),
        ),
        (
            "a filter",
            api,
            format!("{list}?q=system&sort=title&status=inception&cursor={cursor}"),
        ),
        (
            "archived ones",
            api,
            format!("{list}?q=system&sort=title&archived=true&cursor={cursor}"),
        ),
        (
            "another kind",
            api,
            format!(
                "{}?q=system&sort=title&cursor={cursor}",
                stage.list(kind("risk"))
            ),
        ),
        (
            "all kinds",
            api,
            format!(
                "{}?q=system&sort=title&cursor={cursor}",
                stage.client.path("records")
            ),
        ),
        (
            "another tenant",
            &elsewhere.author.api,
            format!("{other}?q=system&sort=title&cursor={cursor}"),
        ),
        (
            "tampering",
            api,
            format!("{list}?q=system&sort=title&cursor={tampered}"),
        ),
        ("nonsense", api, format!("{list}?cursor=abc")),
    ] {
        let answer = client.send(Method::GET, &path, &[], None).await;
        assert_problem(&format!("a cursor with {what}"), &answer, 400);
    }
}

#[actix_web::test]
async fn a_search_finds_records_of_all_kinds() {
    let stage = Stage::set(rehearsal().await).await;
    let api = &stage.author.api;
    for entry in kinds().entries() {
        stage.make(entry).await;
    }
    let records = stage.client.path("records");

    let all = walk(&stage, &format!("{records}?limit=3"), async || ()).await;
    let seen: BTreeSet<_> = all
        .iter()
        .map(|item| item["kind"].as_str().unwrap())
        .collect();
    let known: BTreeSet<_> = kinds()
        .entries()
        .iter()
        .map(|entry| entry.info.name)
        .collect();
    assert_eq!(seen, known);
    let two = api
        .get(&format!("{records}?kind=risk,ai_system&limit=200"), 200)
        .await;
    assert!(
        items(&two)
            .iter()
            .all(|item| item["kind"] == "risk" || item["kind"] == "ai_system")
    );
    let proxy = api
        .get(
            &format!("{records}?kind=risk&q=proxy&status=identified"),
            200,
        )
        .await;
    assert!(!items(&proxy).is_empty());
    for bad in [
        "kind=secret",
        "fields=title",
        "expand=owner",
        "level=low",
        "status=no",
    ] {
        let answer = api
            .send(Method::GET, &format!("{records}?{bad}"), &[], None)
            .await;
        assert_problem(bad, &answer, 400);
    }
}

#[actix_web::test]
async fn a_record_that_has_not_changed_is_not_sent_again() {
    let stage = Stage::set(rehearsal().await).await;
    let entry = kind("ai_system");
    let record = stage.make(entry).await;
    let (at, api) = (stage.at(entry, &record), &stage.author.api);

    for (tag, status) in [
        ("\"v1\"", 304),
        ("W/\"v1\"", 304),
        ("\"v0\", \"v1\"", 304),
        ("*", 304),
        ("\"v2\"", 200),
        ("v1", 200),
    ] {
        let answer = api
            .send(Method::GET, &at, &[("If-None-Match", tag)], None)
            .await
            .expect(status);
        assert_eq!(answer.header("etag"), Some("\"v1\""), "{tag}");
        assert_eq!(answer.text.is_empty(), status == 304, "{tag}");
    }
    api.patch(&at, &json!({"title": "Another"}), 200).await;
    api.send(Method::GET, &at, &[("If-None-Match", "\"v1\"")], None)
        .await
        .expect(200);
    for path in ["/v1/me", stage.client.base.as_str()] {
        let tag = api.etag(path).await;
        let answer = api
            .send(Method::GET, path, &[("If-None-Match", &tag)], None)
            .await;
        assert!([200, 304].contains(&answer.status), "{path}");
    }
}
