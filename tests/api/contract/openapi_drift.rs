//! The published document is the one in `openapi/`, and says all it has to.

use std::collections::BTreeSet;
use std::path::Path;

use aims::app::kinds;
use aims::http::openapi::Document;
use aims::records::Entry;
use serde_json::Value;

use super::operations::{Operation, document, operations, published};
use super::stage::{Stage, rehearsal};

fn committed(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_default()
}

/// The first line in which two texts differ.
fn difference(committed: &str, now: &str) -> String {
    let pairs = committed.lines().zip(now.lines()).enumerate();
    let first = pairs.into_iter().find(|(_, (old, new))| old != new);
    first.map_or("one is longer".to_owned(), |(number, (old, new))| {
        format!("line {}:\n- {old}\n+ {new}", number + 1)
    })
}

#[test]
fn the_committed_documents_are_those_of_the_program() {
    let now = Document::new(published().clone());
    for (path, now) in [
        ("openapi/openapi.json", now.json()),
        ("openapi/openapi-3.0.json", now.json_3_0()),
    ] {
        let old = committed(path);
        assert!(
            old == now,
            "{path} is not what the program publishes; run `make openapi` and commit it.\n{}",
            difference(&old, now)
        );
    }
}

#[test]
fn every_kind_has_all_operations() {
    let ids: BTreeSet<String> = operations().into_iter().map(|known| known.id).collect();
    for entry in kinds().entries() {
        for id in wanted(entry) {
            assert!(
                ids.contains(&id),
                "{} has no operation {id}",
                entry.info.name
            );
        }
    }
}

fn wanted(entry: &Entry) -> Vec<String> {
    let (one, many) = (entry.info.name, entry.info.path.replace('-', "_"));
    let mut ids = vec![format!("list_{many}"), format!("batch_{many}")];
    for verb in ["create", "get", "update", "archive", "transition"] {
        ids.push(format!("{verb}_{one}"));
    }
    for list in [
        "transitions",
        "links",
        "evidence",
        "comments",
        "history",
        "versions",
        "deadlines",
    ] {
        ids.push(format!("list_{one}_{list}"));
    }
    for part in [
        "create_{}_link",
        "delete_{}_link",
        "create_{}_evidence",
        "create_{}_comment",
        "get_{}_version",
    ] {
        ids.push(part.replace("{}", one));
    }
    ids
}

#[test]
fn every_kind_has_tests_in_a_file_of_its_name() {
    for entry in kinds().entries() {
        let path = format!("tests/api/kinds/{}.rs", entry.info.name);
        let text = committed(&path);
        assert!(
            text.contains("#[actix_web::test]") || text.contains("#[test]"),
            "{} needs tests in {path}: its rules, who may do what, its transitions",
            entry.info.name
        );
    }
}

#[test]
fn what_kinds_declare_fits_together() {
    assert_eq!(kinds().faults(), Vec::<String>::new());
}

#[test]
fn every_operation_is_named_by_verb_and_noun_and_shows_its_success() {
    let mut ids = BTreeSet::new();
    for operation in operations() {
        let Operation { id, spec, .. } = &operation;
        assert!(ids.insert(id.clone()), "two operations are named {id}");
        let words: Vec<&str> = id.split('_').collect();
        let lower = id
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte.is_ascii_digit());
        assert!(words.len() >= 2 && lower, "{id} is no verb_noun");
        let success = spec["responses"]
            .as_object()
            .unwrap()
            .iter()
            .find(|(status, _)| status.starts_with('2'));
        let (status, response) = success.unwrap_or_else(|| panic!("{id} never succeeds"));
        if status == "204" {
            assert!(response.get("content").is_none(), "{id}: 204 has no body");
            continue;
        }
        let content = &response["content"]["application/json"];
        assert!(
            !content["schema"].is_null(),
            "{id} has no schema of its success"
        );
        assert!(has_example(content), "{id} has no example of its success");
    }
}

/// Given with the response, or through the examples of the fields of its schema.
fn has_example(content: &Value) -> bool {
    if content.get("example").is_some() || content.get("examples").is_some() {
        return true;
    }
    shows(&content["schema"], 0)
}

fn shows(schema: &Value, depth: usize) -> bool {
    if depth > 6 {
        return false;
    }
    if schema.get("example").is_some() || schema.get("examples").is_some() {
        return true;
    }
    if let Some(target) = schema["$ref"].as_str() {
        let target = document().pointer(target.trim_start_matches('#')).unwrap();
        return shows(target, depth + 1);
    }
    let branches = ["allOf", "oneOf", "anyOf"];
    if let Some(list) = branches.iter().find_map(|name| schema[*name].as_array()) {
        return list.iter().any(|branch| shows(branch, depth + 1));
    }
    if let Some(items) = schema.get("items") {
        return shows(items, depth + 1);
    }
    let fields = schema["properties"].as_object();
    fields.is_some_and(|fields| fields.values().any(|field| shows(field, depth + 1)))
}

#[actix_web::test]
async fn a_record_of_every_kind_can_be_made_from_its_own_example() {
    let stage = Stage::set(rehearsal().await).await;
    for entry in kinds().entries() {
        let made = stage.make(entry).await;

        assert_eq!(made["status"], entry.start, "{}", entry.info.name);
        let reference = made["ref"].as_str().unwrap();
        assert!(reference.starts_with(entry.info.prefix), "{reference}");
        let read = stage.author.api.get(&stage.at(entry, &made), 200).await;
        assert_eq!(read, made, "{}", entry.info.name);
    }
}
