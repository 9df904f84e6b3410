//! Lists: filters, and how each record is shown.

use reqwest::Method;
use serde_json::{Value, json};

use super::lists::{items, kind, systems, titles};
use super::problems::assert_problem;
use super::stage::{Stage, example, rehearsal};

#[actix_web::test]
async fn filters_say_what_is_in_the_list() {
    let stage = Stage::set(rehearsal().await).await;
    let entry = kind("ai_system");
    let (list, api) = (stage.list(entry), &stage.author.api);
    systems(
        &stage,
        ["Alpha 100%", "Beta_1", "Gamma", "Delta", "Epsilon"].map(str::to_owned),
    )
    .await;
    let all = api.get(&format!("{list}?sort=title"), 200).await;
    let at = |title: &str| {
        let found = items(&all)
            .iter()
            .find(|item| item["title"] == title)
            .unwrap();
        stage.at(entry, found)
    };
    let since = stage.author.api.get("/test/clock", 200).await["now"]
        .as_str()
        .unwrap()
        .to_owned();
    api.transition(&at("Gamma"), "design_development", None, 200)
        .await;
    api.transition(&at("Delta"), "rejected", Some("Not needed."), 200)
        .await;
    api.patch(&at("Beta_1"), &json!({"owner_id": stage.approver.id}), 200)
        .await;
    api.delete(&at("Epsilon"), 204).await;

    let owner = format!("owner_id={}", stage.approver.id);
    let since = format!("updated_since={since}");
    for (query, expected) in [
        ("", vec!["Alpha 100%", "Beta_1", "Delta", "Gamma"]),
        ("status=inception", vec!["Alpha 100%", "Beta_1"]),
        ("status=design_development,rejected", vec!["Delta", "Gamma"]),
        (owner.as_str(), vec!["Beta_1"]),
        ("owner_id=none", vec!["Alpha 100%", "Delta", "Gamma"]),
        ("owner_id=me", vec![]),
        // What has been put away since is told, so that a copy elsewhere can follow.
        (since.as_str(), vec!["Beta_1", "Delta", "Epsilon", "Gamma"]),
        ("updated_since=2099-01-01T00:00:00Z", vec![]),
        ("q=gam", vec!["Gamma"]),
        ("q=amma", vec![]),
        ("q=GAMMA", vec!["Gamma"]),
        ("q=100%25", vec!["Alpha 100%"]),
        ("q=thin+applicants+file+beta", vec!["Beta_1"]),
        ("q=ais-003", vec!["Gamma"]),
        (
            "technique=classical_ml&in_scope=true",
            vec!["Alpha 100%", "Beta_1", "Delta", "Gamma"],
        ),
        ("technique=rules,generative", vec![]),
        ("in_force=true", vec![]),
        ("archived=true", vec!["Epsilon"]),
        ("archived=false&status=rejected&q=del", vec!["Delta"]),
    ] {
        let page = api.get(&format!("{list}?sort=title&{query}"), 200).await;
        assert_eq!(titles(&page), expected, "{query}");
    }
}

#[actix_web::test]
async fn risks_are_filtered_by_system_level_and_tolerance() {
    let stage = Stage::set(rehearsal().await).await;
    let api = &stage.author.api;
    let criteria = stage.make(kind("risk_criteria")).await;
    let at = stage.at(kind("risk_criteria"), &criteria);
    stage
        .approver
        .api
        .transition(&at, "approved", None, 200)
        .await;
    let system = stage.make(kind("ai_system")).await;
    let list = stage.list(kind("risk"));
    for (title, likelihood, consequence, of) in [
        ("A low one", 1, 2, &system["id"]),
        ("B high one", 3, 5, &system["id"]),
        ("C critical one", 5, 5, &Value::Null),
    ] {
        let mut body = example(kind("risk"));
        body["title"] = json!(title);
        body["ai_system_id"] = of.clone();
        body["inherent"] = json!({"likelihood": likelihood, "consequence": consequence});
        api.post(&list, &body, 201).await;
    }

    let of_system = format!("ai_system_id={}", system["id"].as_str().unwrap());
    for (query, expected) in [
        (of_system.as_str(), vec!["A low one", "B high one"]),
        ("level=high,critical", vec!["B high one", "C critical one"]),
        ("level=medium", vec![]),
        ("above_tolerance=true", vec!["B high one", "C critical one"]),
        ("above_tolerance=false", vec!["A low one"]),
    ] {
        let page = api.get(&format!("{list}?sort=title&{query}"), 200).await;
        assert_eq!(titles(&page), expected, "{query}");
    }

    let shaped = api
        .get(
            &format!("{list}?sort=title&fields=ref,title&expand=ai_system"),
            200,
        )
        .await;
    let first = items(&shaped)[0].as_object().unwrap();
    assert_eq!(
        first.keys().collect::<Vec<_>>(),
        ["ai_system", "ref", "title"]
    );
    assert_eq!(first["ai_system"]["ref"], system["ref"]);
    assert_eq!(items(&shaped)[2]["ai_system"], Value::Null);
}

#[actix_web::test]
async fn what_a_list_does_not_know_is_refused() {
    let stage = Stage::set(rehearsal().await).await;
    let list = stage.list(kind("ai_system"));
    for query in [
        "limit=0",
        "limit=201",
        "limit=abc",
        "limit=-1",
        "limit=",
        "limit=5&limit=6",
        "sort=body",
        "sort=--title",
        "sort=title,ref",
        "status=nonsense",
        "status=inception,",
        "owner_id=you",
        "technique=magic",
        "in_scope=maybe",
        "updated_since=yesterday",
        "updated_since=2027-01-11",
        "archived=maybe",
        "level=low",
        "above_tolerance=true",
        "risk_id=019416c0-9b1c-7d2e-8f3a-5b6c7d8e9f01",
        "fields=secret",
        "fields=",
        "expand=everything",
        "kind=risk",
        "page=2",
        "offset=10",
        "q=%00",
        "q=%ff",
        "q=%2",
        "Limit=5",
        "filter%5Bstatus%5D=open",
    ] {
        let path = format!("{list}?{query}");
        let answer = stage.author.api.send(Method::GET, &path, &[], None).await;
        assert_problem(query, &answer, 400);
    }
}
