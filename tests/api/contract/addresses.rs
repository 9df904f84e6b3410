//! Addresses of all operations: one spelling of an id, known parameters only, dates and instants
//! as strict as in bodies, HEAD wherever GET is, and measured by their patterns alone.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::Value;
use uuid::Uuid;

use super::operations::{Operation, operations};
use super::problems::assert_problem;
use super::stage::{Stage, rehearsal};
use crate::support::{Answer, App, Client, Firm, Setup};

/// A member of the firm and of the client, so that no operation is refused for want of a place.
struct Visitor<'a> {
    stage: Stage<'a>,
}

impl Visitor<'_> {
    /// The address of an operation with ids that exist where a place is judged by them, in a
    /// spelling of one's own.
    fn path(&self, operation: &Operation, spell: impl Fn(Uuid) -> String) -> String {
        let mut path = operation.path.clone();
        for segment in operation
            .path
            .split('/')
            .filter(|part| part.starts_with('{'))
        {
            let value = match segment {
                "{tenant_id}" => spell(self.stage.client.id),
                "{consultancy_id}" => spell(self.stage.firm.id),
                "{engagement_id}" => spell(self.stage.client.engagement_id),
                "{number}" => "1".to_owned(),
                "{unit}" | "{key}" | "{kind}" => "x".to_owned(),
                "{id}" if path.starts_with("/v1/catalogs") => "iso-42001-2023".to_owned(),
                _ => spell(Uuid::from_u128(0xabcdef)),
            };
            path = path.replace(segment, &value);
        }
        path
    }

    fn caller(&self, operation: &Operation) -> &Client {
        match operation.path.contains("{consultancy_id}") {
            true => &self.stage.firm.owner.api,
            false => &self.stage.author.api,
        }
    }

    async fn send(&self, operation: &Operation, path: &str) -> Answer {
        let method = Method::from_bytes(operation.method.as_bytes()).unwrap();
        let body = (method != Method::GET && method != Method::DELETE).then(|| "{}".to_owned());
        let headers = [("If-Match", "*")];
        self.caller(operation)
            .send(method, path, &headers, body)
            .await
    }
}

fn parameters<'a>(operation: &'a Operation, place: &'a str) -> impl Iterator<Item = &'a Value> {
    let listed = operation.spec["parameters"].as_array();
    listed
        .into_iter()
        .flatten()
        .filter(move |parameter| parameter["in"] == place)
}

async fn visitor() -> Visitor<'static> {
    Visitor {
        stage: Stage::set(rehearsal().await).await,
    }
}

/// Signing out and the like would end what the sweep needs; they are public and take no token.
fn is_public(operation: &Operation) -> bool {
    operation.spec["security"].to_string().contains("{}")
}

#[actix_web::test]
async fn no_operation_takes_a_parameter_that_is_not_documented() {
    let visitor = visitor().await;
    for operation in operations() {
        let path = visitor.path(&operation, |id| id.to_string());
        let answer = visitor
            .send(&operation, &format!("{path}?nonsense=1"))
            .await;

        let what = format!("{} {path}", operation.method);
        assert_problem(&what, &answer, 400);
        assert_eq!(answer.json()["errors"][0]["pointer"], "nonsense", "{what}");
    }
}

#[actix_web::test]
async fn an_id_has_one_spelling() {
    let visitor = visitor().await;
    let spellings: [fn(Uuid) -> String; 4] = [
        |id| id.to_string().to_uppercase(),
        |id| id.simple().to_string(),
        |id| {
            id.braced()
                .to_string()
                .replace('{', "%7B")
                .replace('}', "%7D")
        },
        |id| id.urn().to_string(),
    ];
    for operation in operations() {
        let ids = parameters(&operation, "path").filter(|id| id["schema"]["format"] == "uuid");
        if ids.count() == 0 || is_public(&operation) {
            continue;
        }
        for spell in spellings {
            let path = visitor.path(&operation, spell);
            let answer = visitor.send(&operation, &path).await;
            assert_problem(&format!("{} {path}", operation.method), &answer, 404);
        }
    }
}

#[actix_web::test]
async fn dates_instants_and_ids_of_queries_are_read_strictly() {
    let visitor = visitor().await;
    let mut tried = 0;
    for operation in operations() {
        for parameter in parameters(&operation, "query") {
            let bad: &[&str] = match parameter["schema"]["format"].as_str() {
                Some("date") => &[
                    "2027-2-3",
                    "-9999-01-01",
                    "1899-12-31",
                    "2201-01-01",
                    "2027-02-30",
                    "20270203",
                    "2027-02-03T00:00:00Z",
                    "+12027-01-01",
                    "",
                ],
                Some("date-time") => &[
                    "-9999-01-01T00:00:00Z",
                    "1899-12-31T00:00:00Z",
                    "2201-01-01T00:00:00Z",
                    "2027-02-03",
                    "2027-02-03%2000:00:00Z",
                    "2027-02-03T00:00:00",
                    "2027-2-3T00:00:00Z",
                    "1800000000",
                    "",
                ],
                Some("uuid") => &["x", "", "0198A000-0000-7000-8000-000000000001"],
                _ => continue,
            };
            let path = visitor.path(&operation, |id| id.to_string());
            let name = parameter["name"].as_str().unwrap();
            for value in bad {
                let answer = visitor
                    .send(&operation, &format!("{path}?{name}={value}"))
                    .await;
                assert_problem(&format!("{path}?{name}={value}"), &answer, 400);
                assert_eq!(answer.json()["errors"][0]["pointer"], name);
            }
            tried += 1;
        }
    }
    assert!(tried >= 10, "{tried} parameters");
}

#[actix_web::test]
async fn head_answers_what_get_does_without_the_body() {
    let visitor = visitor().await;
    let documented = operations().into_iter().filter(|one| one.method == "GET");
    let mut paths: Vec<(Client, String)> = documented
        .map(|one| {
            (
                visitor.caller(&one).clone(),
                visitor.path(&one, |id| id.to_string()),
            )
        })
        .collect();
    for other in [
        "/livez",
        "/openapi.json",
        "/docs/",
        "/problems",
        "/problems/not-found",
    ] {
        paths.push((visitor.stage.app.anonymous(), other.to_owned()));
    }
    for (caller, path) in paths {
        let get = caller.send(Method::GET, &path, &[], None).await;
        let head = caller.send(Method::HEAD, &path, &[], None).await;

        assert_eq!(head.status, get.status, "{path}");
        assert_ne!(head.status, 405, "{path}");
        assert_eq!(head.text, "", "{path}");
        for name in ["content-type", "etag", "link", "cache-control"] {
            assert_eq!(
                head.header(name).is_some(),
                get.header(name).is_some(),
                "{path} {name}"
            );
        }
    }
}

/// The routes in the text of `/metrics`.
fn routes(text: &str) -> BTreeSet<&str> {
    text.split("route=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect()
}

async fn metrics(address: &str) -> String {
    let answer = reqwest::get(format!("http://{address}/metrics"))
        .await
        .unwrap();
    answer.text().await.unwrap()
}

fn free_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

async fn ask_oddly(app: &App, caller: &Client, tenant: Uuid) {
    let anybody = app.anonymous();
    for path in [
        "/ready%7a",
        "/%72eadyz",
        "/livez/",
        "/odd-place",
        "/v1/tenants/odd-place",
    ] {
        anybody.send(Method::GET, path, &[], None).await;
    }
    anybody
        .send(Method::from_bytes(b"ODDLY").unwrap(), "/livez", &[], None)
        .await;
    for id in [
        tenant.to_string(),
        tenant.simple().to_string(),
        tenant.to_string().to_uppercase(),
    ] {
        for rest in ["", "/risks", "/odd-place", "/members", "/risks/odd-place"] {
            let path = format!("/v1/tenants/{id}{rest}");
            caller.send(Method::GET, &path, &[], None).await;
        }
    }
}

#[actix_web::test]
async fn metrics_know_patterns_only() {
    let address = free_address();
    let app = Setup::named("patterns")
        .env("METRICS_BIND", &address)
        .start();
    let firm = Firm::sign_up(&app, "Fjordlys Advisory").await;
    let client = firm.client("Aurelia Lending B.V.").await;

    ask_oddly(&app, &firm.owner.api, client.id).await;

    let text = metrics(&address).await;
    let known: BTreeSet<String> = operations().into_iter().map(|one| one.path).collect();
    // Other tests may run in this process, on servers with a clock that can be set.
    let of_the_router = |route: &str| {
        [
            "unmatched",
            "/livez",
            "/problems",
            "/docs",
            "/openapi",
            "/test/clock",
            "/invitation",
        ]
        .iter()
        .any(|start| route.starts_with(start))
            || route.starts_with("/v1/tenants/{tenant_id}/{kind}")
            || route.starts_with("/{")
    };
    for route in routes(&text) {
        assert!(known.contains(route) || of_the_router(route), "{route}");
        assert!(
            !route.contains("odd-place") && !route.contains('%'),
            "{route}"
        );
    }
    assert!(text.contains("route=\"/readyz\""));
    assert!(!text.contains(&client.id.simple().to_string()));
    assert!(!text.contains(&client.id.to_string()));
    assert!(text.contains("method=\"other\""));
}

#[actix_web::test]
async fn a_database_that_does_not_know_a_status_is_not_ready() {
    let app = Setup::named("statuses").start();
    let stage = Stage::set(&app).await;
    let issues = stage.client.path("context-issues");
    stage.app.anonymous().get("/readyz", 200).await;
    let db = app.owner().await;

    let forget = "DELETE FROM kind_statuses WHERE kind = 'context_issue'";
    db.batch_execute(forget).await.unwrap();

    stage.app.anonymous().get("/readyz", 503).await;
    let entry = aims::app::kinds().by_name("context_issue").unwrap();
    let body = stage.input(entry).await.to_string();
    let api = &stage.author.api;
    let answer = api.send(Method::POST, &issues, &[], Some(body)).await;
    assert_problem("a record in a status that is not known", &answer, 503);
}
