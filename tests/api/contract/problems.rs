//! What every error looks like.

use aims::problem::ProblemType;

use crate::support::{Answer, Client};

/// Words that only somebody who looks inside the server knows.
const INTERNALS: &[&str] = &[
    "diesel",
    "postgres",
    "sql",
    "panicked",
    "src/",
    "relation",
    "serde",
    "tokio",
    "actix",
    "deadpool",
    "backtrace",
    "argon2",
    "jsonwebtoken",
    "constraint",
];

/// Fails unless the answer is a whole problem of this status that tells nothing of the inside.
#[track_caller]
pub fn assert_problem(what: &str, answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{what}: {}", answer.text);
    let media = answer.header("content-type");
    assert_eq!(media, Some("application/problem+json"), "{what}");
    let body = answer.json();
    assert_eq!(body["status"], status, "{what}: {}", answer.text);
    for field in ["type", "title", "detail", "instance", "request_id"] {
        let text = body[field].as_str().unwrap_or_default();
        assert!(!text.is_empty(), "{what}: no {field} in {}", answer.text);
    }
    let known = ProblemType::ALL.iter().any(|kind| {
        body["type"] == format!("http://aims.test/problems/{}", kind.slug())
            && body["title"] == kind.title()
    });
    assert!(known, "{what}: unknown type in {}", answer.text);
    let id = answer.header("x-request-id");
    assert_eq!(id, body["request_id"].as_str(), "{what}");
    // The caller's own words are no leak.
    let told = format!("{} {} {}", body["title"], body["detail"], body["errors"]);
    let told = told.to_lowercase();
    for word in INTERNALS {
        assert!(
            !told.contains(word),
            "{what} tells of {word}: {}",
            answer.text
        );
    }
    if status == 405 {
        let allow = answer.header("allow").unwrap_or_default();
        assert!(!allow.is_empty(), "{what}: no Allow");
    }
    if status == 429 || status == 503 {
        let wait = answer.header("retry-after").unwrap_or_default();
        assert!(wait.parse::<u32>().is_ok_and(|wait| wait > 0), "{what}");
    }
}

/// Fails unless the page of the problem's type is there.
pub async fn assert_type_resolves(client: &Client, answer: &Answer) {
    let body = answer.json();
    let path = body["type"].as_str().unwrap();
    let path = path.strip_prefix("http://aims.test").unwrap();
    client.get(path, 200).await;
}

/// The pointers of the faults.
pub fn pointers(answer: &Answer) -> Vec<String> {
    let body = answer.json();
    body["errors"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|fault| fault["pointer"].as_str().map(str::to_owned))
        .collect()
}
