//! What can be learned about others without reading them: numbers, versions, cursors, conflicts,
//! and whether an address has an account.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::document::{document, operations};
use super::holdings::{Holding, OWN_ROLES, kinds};
use crate::support::actors::{id_in, token_in};
use crate::support::{Answer, App, Client, Firm, Setup, TenantWorld};

/// Headers and fields that differ between any two answers.
const VOLATILE: &[&str] = &[
    "date",
    "x-request-id",
    "ratelimit",
    "ratelimit-policy",
    "location",
];

/// The shape of an answer: its status, its headers, and its body with ids, instants and what the
/// request itself said taken out.
fn shape(answer: &Answer, said: &[&str]) -> (u16, Vec<(String, String)>, Value) {
    let mut text = answer.text.clone();
    for word in said {
        text = text.replace(word, "SAID");
    }
    let mut body: Value = serde_json::from_str(&text).unwrap_or_default();
    blank(&mut body);
    let headers = answer.headers.iter().filter(|(name, _)| {
        let name = name.as_str();
        !VOLATILE.contains(&name) && (said.is_empty() || name != "content-length")
    });
    let headers = headers.map(|(name, value)| (name.to_string(), format!("{value:?}")));
    (answer.status, headers.collect(), body)
}

fn blank(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove("request_id");
            fields.remove("instance");
            fields.values_mut().for_each(blank);
        }
        Value::Array(items) => items.iter_mut().for_each(blank),
        Value::String(text) => {
            let is_instant = chrono::DateTime::parse_from_rfc3339(text).is_ok();
            if is_instant || text.parse::<Uuid>().is_ok() {
                *text = "VOLATILE".to_owned();
            }
        }
        _ => {}
    }
}

async fn post(api: &Client, path: &str, body: &Value) -> Answer {
    api.send(Method::POST, path, &[], Some(body.to_string()))
        .await
}

/// A client with one person who may do everything.
async fn fresh_client<'a>(firm: &Firm<'a>, name: &str) -> (TenantWorld<'a>, Client) {
    let client = firm.client(name).await;
    let api = client.staff("Edda Alle", OWN_ROLES).await.api;
    (client, api)
}

/// First of each kind that refers to nothing: how its answer looks, and the first event.
async fn first_records(app: &App, client: &TenantWorld<'_>, api: &Client) -> Vec<Value> {
    let mut seen = Vec::new();
    for (_, path, schema) in kinds() {
        let missing = std::cell::Cell::new(false);
        let body = super::document::plausible("", &schema, &|_| {
            missing.set(true);
            Uuid::nil().to_string()
        });
        if missing.get() {
            continue;
        }
        let answer = post(api, &client.path(&path), &body).await;
        if answer.status == 409 {
            // There is only one of these.
            continue;
        }
        let answer = answer.expect(201);
        let one = client.path(&format!("{path}/{}", id_in(&answer.json(), "id")));
        let history = api.get(&format!("{one}/history"), 200).await;
        let (status, headers, body) = shape(&answer, &[]);
        seen.push(json!({
            "status": status, "headers": headers, "body": body,
            "seq": history["items"][0]["seq"], "last": api.get(&client.path(&path), 200).await["next_cursor"],
        }));
    }
    let db = app.owner().await;
    db.batch_execute(&format!("SET app.tenant_id = '{}'", client.id))
        .await
        .unwrap();
    let first: i64 = db
        .query_one("SELECT min(seq) FROM events", &[])
        .await
        .unwrap()
        .get(0);
    seen.push(json!({"first event": first}));
    seen
}

#[actix_web::test]
async fn numbers_versions_and_events_begin_anew_in_each_tenant() {
    let app = Setup::named("isolation_numbers").start();
    let firm = Firm::sign_up(&app, "Fjordlys Advisory").await;
    let (lonely, api) = fresh_client(&firm, "Aurelia Lending B.V.").await;

    let in_empty = first_records(&app, &lonely, &api).await;
    for _ in 0..3 {
        first_records(&app, &lonely, &api).await;
    }
    Holding::of(&firm, "Borealis Insurance").await;
    let (late, api) = fresh_client(&firm, "Aurelia Lending B.V.").await;
    let in_crowd = first_records(&app, &late, &api).await;

    assert!(in_empty.len() > 2);
    assert_eq!(in_empty, in_crowd);
    assert_eq!(in_crowd.last().unwrap()["first event"], 1);
    assert!(
        in_crowd[0]["body"]["ref"]
            .as_str()
            .unwrap()
            .ends_with("-001")
    );
}

#[actix_web::test]
async fn cursors_of_one_tenant_are_garbage_in_another() {
    let app = Setup::named("isolation_cursors").start();
    let firm = Firm::sign_up(&app, "Fjordlys Advisory").await;
    let theirs = Holding::of(&firm, "Aurelia Lending B.V.").await;
    let own = Holding::of(&firm, "Borealis Insurance").await;
    let mut tried = 0;

    for of in operations() {
        let pages = of.method == Method::GET
            && of.path.starts_with("/v1/tenants/{")
            && parameters(&of.path).contains(&"cursor".to_owned());
        if !pages {
            continue;
        }
        let list = |holding: &Holding| of.address(|name| holding.value(&of, name));
        if of.path.matches('/').count() == 4
            && of.ids.len() == 1
            && theirs.records.contains_key(of.kind_path())
        {
            let body = theirs.body(&create_of(of.kind_path())).unwrap();
            let made = post(&theirs.everybody.api, &list(&theirs), &body).await;
            // There is only one of some kinds.
            assert!([201, 409].contains(&made.status), "{}", made.text);
        }
        let page = theirs
            .everybody
            .api
            .get(&format!("{}?limit=1", list(&theirs)), 200)
            .await;
        let Some(cursor) = page["next_cursor"].as_str() else {
            continue;
        };
        tried += 1;
        let at = |cursor: &str| format!("{}?limit=1&cursor={cursor}", list(&own));
        let api = &own.everybody.api;
        let to_foreign = api
            .send(Method::GET, &at(cursor), &[], None)
            .await
            .expect(400);
        let garbage = "x".repeat(cursor.len());
        let to_garbage = api.send(Method::GET, &at(&garbage), &[], None).await;
        assert_eq!(
            shape(&to_foreign, &[]),
            shape(&to_garbage, &[]),
            "{}",
            of.path
        );
    }

    assert!(tried > kinds().len(), "only {tried} lists gave a cursor");
}

fn create_of(kind_path: &str) -> super::document::Operation {
    let is_it = |of: &super::document::Operation| {
        of.method == Method::POST && of.path == format!("/v1/tenants/{{tenant_id}}/{kind_path}")
    };
    operations().into_iter().find(is_it).unwrap()
}

fn parameters(path: &str) -> Vec<String> {
    let parameters = document()["paths"][path]["get"]["parameters"]
        .as_array()
        .cloned();
    let names = parameters.unwrap_or_default();
    names
        .iter()
        .map(|parameter| parameter["name"].as_str().unwrap().to_owned())
        .collect()
}

#[actix_web::test]
async fn whether_an_address_has_an_account_does_not_show() {
    let app = Setup::named("isolation_addresses").start();
    let firm = Firm::sign_up(&app, "Fjordlys Advisory").await;
    let elsewhere = Firm::sign_up(&app, "Other Advisory").await;
    let (client, api) = fresh_client(&firm, "Aurelia Lending B.V.").await;
    let known = elsewhere.owner.email.as_str();
    let unknown = "nobody.at.all@example.org";
    let anonymous = app.anonymous();

    for (path, api, body) in [
        (
            client.path("invitations"),
            &api,
            json!({"roles": ["viewer"]}),
        ),
        (
            format!("/v1/consultancies/{}/invitations", firm.id),
            &firm.owner.api,
            json!({"roles": ["consultant"]}),
        ),
    ] {
        let invite = async |email: &str| {
            let mut body = body.clone();
            body["email"] = json!(email);
            let answer = post(api, &path, &body).await.expect(201);
            shape(&answer, &[email])
        };
        assert_eq!(invite(known).await, invite(unknown).await);
        let open = api.get(&path, 200).await;
        let shapes: Vec<_> = [known, unknown]
            .iter()
            .map(|email| {
                let items = open["items"].as_array().unwrap();
                let mut item = items
                    .iter()
                    .find(|item| item["email"] == *email)
                    .unwrap()
                    .clone();
                item["email"].take();
                blank(&mut item);
                item
            })
            .collect();
        assert_eq!(shapes[0], shapes[1]);
    }

    let login = async |email: &str| {
        let body = json!({"email": email, "password": "wrong lantern copper 1742"});
        shape(
            &post(&anonymous, "/v1/auth/login", &body).await.expect(401),
            &[email],
        )
    };
    assert_eq!(login(known).await, login(unknown).await);

    let sign_up = async |email: &str| {
        let body = json!({"name": "Third Advisory", "owner": {"name": "Tor", "email": email, "password": "too short"}});
        shape(
            &post(&anonymous, "/v1/consultancies", &body)
                .await
                .expect(422),
            &[email],
        )
    };
    assert_eq!(sign_up(known).await, sign_up(unknown).await);

    let accept = async |email: &str| {
        let token = token_in(&app.link_mailed_to(email).await);
        let body = json!({"token": token, "name": "Somebody"});
        shape(
            &post(&anonymous, "/v1/invitations/accept", &body)
                .await
                .expect(422),
            &[email],
        )
    };
    assert_eq!(accept(known).await, accept(unknown).await);
}

#[actix_web::test]
async fn idempotency_keys_of_others_have_no_effect() {
    let app = Setup::named("isolation_keys").start();
    let firm = Firm::sign_up(&app, "Fjordlys Advisory").await;
    let first = Holding::of(&firm, "Aurelia Lending B.V.").await;
    let second = firm.client("Borealis Insurance").await;
    firm.assign(&first.consultant, &second, "consultant").await;
    let same_tenant = &first.top.api;
    let body = first.body(&create_of("ai-systems")).unwrap();
    let create = async |api: &Client, tenant: Uuid, title: &str| {
        let mut body = body.clone();
        body["title"] = json!(title);
        let path = format!("/v1/tenants/{tenant}/ai-systems");
        let headers = [("Idempotency-Key", "the very same key")];
        api.send(Method::POST, &path, &headers, Some(body.to_string()))
            .await
    };
    let consultant = &first.consultant.api;

    let one = create(consultant, first.tenant, "Lens").await.expect(201);
    let elsewhere = create(consultant, second.id, "Lens").await.expect(201);
    let other_body = create(&first.everybody.api, first.tenant, "Prism")
        .await
        .expect(201);
    let replayed = create(consultant, first.tenant, "Lens").await.expect(201);

    assert_ne!(one.json()["id"], elsewhere.json()["id"]);
    assert_eq!(elsewhere.json()["ref"], "AIS-001");
    assert_ne!(one.json()["id"], other_body.json()["id"]);
    assert!(elsewhere.header("idempotency-replayed").is_none());
    assert!(other_body.header("idempotency-replayed").is_none());
    assert_eq!(replayed.json()["id"], one.json()["id"]);
    assert_eq!(replayed.header("idempotency-replayed"), Some("true"));
    // Somebody who may not create gets the refusal, not the answer that was kept.
    let refused = create(same_tenant, first.tenant, "Lens").await;
    assert_eq!(refused.status, 403, "{}", refused.text);
}

#[actix_web::test]
async fn lists_tell_no_totals() {
    let app = Setup::named("isolation_totals").start();
    let firm = Firm::sign_up(&app, "Fjordlys Advisory").await;
    let holding = Holding::of(&firm, "Aurelia Lending B.V.").await;
    let mut lists = 0;

    for of in operations().iter().filter(|of| of.method == Method::GET) {
        let path = of.address(|name| holding.value(of, name));
        let api = match of.path.starts_with("/v1/consultancies/") {
            true => &holding.firm_owner.api,
            false => &holding.everybody.api,
        };
        let answer = api.send(Method::GET, &path, &[], None).await;
        let body = answer.json();
        if let Some(fields) = body
            .as_object()
            .filter(|fields| fields.contains_key("next_cursor"))
        {
            lists += 1;
            let names: Vec<_> = fields.keys().map(String::as_str).collect();
            assert_eq!(names, ["items", "next_cursor"], "{}", of.path);
        }
        let counting = answer
            .headers
            .keys()
            .find(|name| name.as_str().contains("count") || name.as_str().contains("total"));
        assert!(counting.is_none(), "{}: {counting:?}", of.path);
    }

    assert!(lists > 20, "only {lists} lists were read");
}
