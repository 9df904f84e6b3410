//! Every id in every body, filled with what belongs to somebody else: refused as a random id is,
//! and nothing is stored.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::document::{Operation, operations, places, put};
use super::foreign_keys::mismatches;
use super::holdings::{Holding, kinds, random_id, timely};
use crate::support::{Answer, Client, Firm, Setup};

/// Tables that would grow if an id were accepted.
const STOCK: [&str; 10] = [
    "records",
    "links",
    "events",
    "versions",
    "comments",
    "people",
    "memberships",
    "engagements",
    "tenants",
    "invitations",
];

/// A request with one id in it.
struct Probe<'a> {
    of: &'a Operation,
    place: String,
    /// What the id refers to.
    to: String,
    path: String,
    body: Box<dyn Fn(&str) -> Value + 'a>,
}

/// The statuses in an answer: of the operations of a batch, else of the answer.
fn statuses(answer: &Answer) -> Vec<u64> {
    let body = answer.json();
    match (answer.status, body["items"].as_array()) {
        (200, Some(items)) => {
            let statuses = items.iter().map(|item| item["status"].as_u64().unwrap());
            statuses.collect()
        }
        (status, _) => vec![u64::from(status)],
    }
}

/// An answer without what names the request or the id.
pub fn without(answer: &Answer, id: &str) -> (u16, Value) {
    let mut body: Value = serde_json::from_str(&answer.text.replace(id, "ID")).unwrap_or_default();
    strip(&mut body);
    (answer.status, body)
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove("request_id");
            fields.remove("instance");
            fields.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}

/// All requests with an id in their body that `own` can make.
fn probes<'a>(operations: &'a [Operation], own: &'a Holding) -> Vec<Probe<'a>> {
    let with_bodies = operations
        .iter()
        .filter(|of| of.body.is_some() && !of.public);
    with_bodies
        .flat_map(|of| match of.id.starts_with("batch_") {
            true => in_batch(of, own),
            false => in_body(of, own),
        })
        .collect()
}

fn in_body<'a>(of: &'a Operation, own: &'a Holding) -> Vec<Probe<'a>> {
    let (_, schema) = of.body.as_ref().unwrap();
    places(schema)
        .into_iter()
        .map(|place| {
            let shown = place.to_string();
            let is_link = shown == "/to/id";
            let kind = linked_kind(of);
            let to = if is_link {
                kind.to_owned()
            } else {
                place.to.clone()
            };
            let body = move |value: &str| {
                let mut body = match of.method {
                    Method::PATCH => json!({}),
                    _ => own.body(of).unwrap(),
                };
                if is_link {
                    body["to"] = json!({"kind": kind, "id": value});
                } else {
                    put(&mut body, schema, &place.steps, value, &|to| own.id(to));
                }
                body
            };
            Probe {
                of,
                place: shown,
                to,
                path: of.address(|name| own.value(of, name)),
                body: Box::new(body),
            }
        })
        .collect()
}

/// A kind other than that of the operation, so that no record is linked to itself.
fn linked_kind(of: &Operation) -> &'static str {
    match of.kind_path() {
        "ai-systems" => "risk",
        _ => "ai_system",
    }
}

/// A batch names records to change, and its bodies name what the kind's bodies name.
fn in_batch<'a>(of: &'a Operation, own: &'a Holding) -> Vec<Probe<'a>> {
    let path = of.address(|name| own.value(of, name));
    let all = kinds();
    let (kind, _, schema) = all
        .into_iter()
        .find(|(_, path, _)| path == of.kind_path())
        .unwrap();
    let record = own.records[of.kind_path()].id;
    let verbs = [
        json!({"op": "update", "body": {"title": "Another title"}}),
        json!({"op": "transition", "to": "retired", "reason": "x"}),
        json!({"op": "archive"}),
    ];
    let mut probes: Vec<Probe<'a>> = verbs
        .into_iter()
        .map(|operation| Probe {
            of,
            place: format!("/operations/*/id of {}", operation["op"]),
            to: kind.clone(),
            path: path.clone(),
            body: Box::new(move |value: &str| {
                let mut operation = operation.clone();
                operation["id"] = json!(value);
                // Never the version of one's own record, which stays as it is.
                operation["version"] = json!(9999);
                json!({"operations": [operation]})
            }),
        })
        .collect();
    for place in places(&schema) {
        for op in ["create", "update"] {
            let (schema, place) = (schema.clone(), place.clone());
            probes.push(Probe {
                of,
                place: format!("/operations/*/body{place} of {op}"),
                to: place.to.clone(),
                path: path.clone(),
                body: Box::new(move |value: &str| {
                    let own_id = |to: &str| own.id(to);
                    let mut body = match op {
                        "create" => timely(super::document::plausible("", &schema, &own_id)),
                        _ => json!({}),
                    };
                    put(&mut body, &schema, &place.steps, value, &own_id);
                    json!({"operations": [{"op": op, "id": (op == "update").then_some(record), "version": 1, "body": body}]})
                }),
            });
        }
    }
    probes
}

/// How much there is in a tenant, and in the tables that all share.
async fn stock(db: &tokio_postgres::Client, tenant: Uuid) -> Vec<i64> {
    db.batch_execute(&format!("SET app.tenant_id = '{tenant}'"))
        .await
        .unwrap();
    let counts = STOCK.map(|table| match table {
        // Reminders go out meanwhile, whatever is asked.
        "events" => "(SELECT count(*) FROM events WHERE subject_kind <> 'reminder')".to_owned(),
        _ => format!("(SELECT count(*) FROM {table})"),
    });
    let sql = format!("SELECT ARRAY[{}]", counts.join(", "));
    db.query_one(&sql, &[]).await.unwrap().get(0)
}

async fn send(api: &Client, probe: &Probe<'_>, id: &str) -> Answer {
    let (media, _) = probe.of.body.as_ref().unwrap();
    let headers = [("If-Match", "*"), ("Content-Type", media.as_str())];
    let body = (probe.body)(id).to_string();
    api.send(probe.of.method.clone(), &probe.path, &headers, Some(body))
        .await
}

/// The victim's ids that may be put where an id of `to` belongs.
fn foreign_ids(victim: &Holding, to: &str) -> Vec<String> {
    match to {
        "person" => vec![
            victim.id(to),
            victim.viewer.id.to_string(),
            victim.consultant.id.to_string(),
        ],
        _ => vec![
            victim
                .known(to)
                .unwrap_or_else(|| panic!("no id of {to} is known: teach Holding::known")),
        ],
    }
}

async fn faults(
    db: &tokio_postgres::Client,
    probe: &Probe<'_>,
    own: &Holding,
    victim: &Holding,
) -> Vec<String> {
    let api = match probe.of.path.starts_with("/v1/tenants/") {
        true => &own.everybody.api,
        false => &own.firm_owner.api,
    };
    let name = format!("{} {} {}", probe.of.method, probe.of.path, probe.place);
    let mut faults = Vec::new();
    let own_id = own.id(&probe.to);
    let control = send(api, probe, &own_id).await;
    // 409 and 412: it was found, and something else stood in the way.
    if !statuses(&control)
        .iter()
        .all(|status| *status < 300 || [409, 412].contains(status))
        // One's own record of the kind is the one that is changed, and refers to itself nowhere.
        && !control.text.contains("names this record itself")
    {
        faults.push(format!("{name}: refuses one's own id: {}", control.text));
    }
    let before = (stock(db, own.tenant).await, stock(db, victim.tenant).await);
    let random = random_id();
    let to_random = send(api, probe, &random).await;
    for foreign in foreign_ids(victim, &probe.to) {
        let to_foreign = send(api, probe, &foreign).await;
        if statuses(&to_foreign).iter().any(|status| *status < 400) {
            faults.push(format!("{name}: accepts {foreign}: {}", to_foreign.text));
        }
        if without(&to_foreign, &foreign) != without(&to_random, &random) {
            faults.push(format!(
                "{name}: {} for {foreign}, {} for a random id",
                to_foreign.text, to_random.text
            ));
        }
    }
    if before != (stock(db, own.tenant).await, stock(db, victim.tenant).await) {
        faults.push(format!("{name}: something was stored"));
    }
    faults
}

#[actix_web::test]
async fn ids_of_others_in_bodies_are_refused_as_random_ones() {
    let app = Setup::named("isolation_fields").start();
    let firm = Firm::sign_up(&app, "Fjordlys Advisory").await;
    let other_firm = Firm::sign_up(&app, "Other Advisory").await;
    let victim = Holding::of(&firm, "Aurelia Lending B.V.").await;
    let sister = Holding::of(&firm, "Borealis Insurance").await;
    let stranger = Holding::of(&other_firm, "Corvus Health").await;
    let operations = operations();
    let db = app.owner().await;
    let mut found = Vec::new();

    for (own, is_of_firm) in [(&stranger, true), (&sister, false)] {
        for probe in probes(&operations, own) {
            // What a firm's owner does with another client of the same firm is their right.
            if is_of_firm || probe.of.path.starts_with("/v1/tenants/") {
                found.extend(faults(&db, &probe, own, &victim).await);
            }
        }
    }
    for holding in [&victim, &sister, &stranger] {
        found.extend(mismatches(&app, holding.tenant).await);
    }

    assert!(
        found.is_empty(),
        "{} faults:\n{}",
        found.len(),
        found.join("\n")
    );
}
