//! Tags and blanks: what has a version is not sent twice, what was shaped has no tag, and what is
//! not blank to the document is not blank to the server.

use aims::app::kinds;
use reqwest::Method;
use serde_json::json;

use super::operations::operations;
use super::problems::assert_problem;
use super::stage::{Stage, rehearsal};

#[actix_web::test]
async fn what_was_shaped_has_no_tag_and_is_always_sent() {
    let stage = Stage::set(rehearsal().await).await;
    let entry = kinds().by_name("ai_system").unwrap();
    let record = stage.make(entry).await;
    let at = stage.at(entry, &record);
    let api = &stage.author.api;

    let plain = api.send(Method::GET, &at, &[], None).await.expect(200);
    let etag = plain.header("etag").unwrap().to_owned();
    for query in ["fields=id,title", "expand=owner", "fields=id&expand=owner"] {
        let path = format!("{at}?{query}");
        let known = [("If-None-Match", etag.as_str())];
        let shaped = api.send(Method::GET, &path, &known, None).await.expect(200);
        assert_eq!(shaped.header("etag"), None, "{query}");
        assert_ne!(shaped.text, plain.text, "{query}");
    }
    let known = [("If-None-Match", etag.as_str())];
    api.send(Method::GET, &at, &known, None).await.expect(304);
}

#[actix_web::test]
async fn every_resource_with_a_tag_is_sent_once() {
    let stage = Stage::set(rehearsal().await).await;
    let (assignment, _) = stage.assignment("Cleo Nord").await;
    let membership = assignment.rsplit('/').next().unwrap().to_owned();
    let mut tried = Vec::new();
    for operation in operations() {
        if operation.method != "GET" || operation.spec["responses"]["304"].is_null() {
            continue;
        }
        let mut path = operation
            .path
            .replace("{tenant_id}", &stage.client.id.to_string())
            .replace("{consultancy_id}", &stage.firm.id.to_string())
            .replace("{engagement_id}", &stage.client.engagement_id.to_string())
            .replace("{membership_id}", &membership);
        if let Some((entry, "{id}")) = operation.of_kind() {
            let record = stage.make(entry).await;
            path = stage.at(entry, &record);
        }
        if path.contains('{') {
            continue;
        }
        let is_of_firm = path.starts_with("/v1/consultancies/");
        let api = if is_of_firm {
            &stage.firm.owner.api
        } else {
            &stage.author.api
        };
        let first = api.send(Method::GET, &path, &[], None).await.expect(200);
        let etag = first.header("etag").unwrap().to_owned();

        let again = api
            .send(Method::GET, &path, &[("If-None-Match", &etag)], None)
            .await;
        assert_eq!(again.status, 304, "{path}");
        assert_eq!(again.header("etag"), Some(etag.as_str()), "{path}");
        let other = api
            .send(Method::GET, &path, &[("If-None-Match", "\"v999\"")], None)
            .await;
        assert_eq!(other.status, 200, "{path}");
        tried.push(path);
    }
    assert!(tried.len() > 12, "{tried:?}");
}

#[actix_web::test]
async fn blanks_of_every_script_are_blank() {
    let stage = Stage::set(rehearsal().await).await;
    let entry = kinds().by_name("ai_system").unwrap();
    let input = stage.input(entry).await;
    let list = stage.list(entry);
    for blank in [
        " ",
        "\t\n",
        "\u{a0}",
        "\u{85}",
        "\u{2003}\u{2028}",
        "\u{3000} ",
        "\u{205f}",
    ] {
        let mut body = input.clone();
        body["title"] = json!(blank);
        let body = Some(body.to_string());
        let answer = stage.author.api.send(Method::POST, &list, &[], body).await;
        assert_problem(&format!("the title {blank:?}"), &answer, 422);
        let errors = &answer.json()["errors"];
        assert_eq!(errors[0]["pointer"], "/title");
        assert_eq!(errors[0]["detail"], "must not be blank");
    }
    for written in [" leading", "trailing\n", "\u{3000}x", "\u{200b}", "a\nb"] {
        let mut body = input.clone();
        body["title"] = json!(written);
        stage.author.api.post(&list, &body, 201).await;
    }
}
