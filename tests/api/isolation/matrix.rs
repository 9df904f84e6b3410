//! Every operation of the document, called by everybody who has no business there: the answer
//! to what belongs to others is the answer to what does not exist.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::document::{Operation, operations};
use super::former::Former;
use super::holdings::{Holding, random_id};
use crate::support::actors::{PASSWORD, sign_in};
use crate::support::{Answer, App, Client, Firm, Person, Setup};

/// Operations that the sweep does not call as it calls all others, each with its reason.
const EXCEPTIONS: &str = include_str!("matrix_exceptions.txt");
/// Headers that differ between any two answers.
const VOLATILE: &[&str] = &[
    "date",
    "x-request-id",
    "ratelimit",
    "ratelimit-policy",
    // Whether the server reads a refused body to its end is a matter of packets.
    "connection",
];

/// Somebody who calls, and what is theirs.
struct Caller<'a> {
    who: &'static str,
    api: Client,
    own: Option<&'a Holding>,
    /// The firm they belong to.
    firm: Option<Uuid>,
}

impl Caller<'_> {
    /// The caller's own value of a parameter, if there is one.
    fn own(&self, of: &Operation, parameter: &str) -> Option<String> {
        match parameter {
            "consultancy_id" => self.firm.map(|firm| firm.to_string()),
            _ if of.path.starts_with("/v1/consultancies/") && self.firm.is_none() => None,
            _ => self.own.map(|own| own.value(of, parameter)),
        }
    }
}

/// An answer without what differs anyway.
#[derive(Debug, PartialEq)]
struct Seen {
    status: u16,
    headers: Vec<(String, String)>,
    body: Value,
}

fn seen(answer: &Answer) -> Seen {
    let mut body = answer.json();
    if let Value::Object(fields) = &mut body {
        fields.remove("request_id");
        fields.remove("instance");
    }
    let headers = answer
        .headers
        .iter()
        .filter(|(name, _)| !VOLATILE.contains(&name.as_str()));
    Seen {
        status: answer.status,
        headers: headers
            .map(|(name, value)| (name.to_string(), format!("{value:?}")))
            .collect(),
        body,
    }
}

async fn send(caller: &Caller<'_>, of: &Operation, path: &str, body: Option<&str>) -> Answer {
    let media = of.body.as_ref().map(|(media, _)| media.as_str());
    let mut headers = vec![("If-Match", "*")];
    headers.extend(media.map(|media| ("Content-Type", media)));
    let body = body.map(str::to_owned);
    caller
        .api
        .send(of.method.clone(), path, &headers, body)
        .await
}

/// The ids in a path, the first `kept` of them the caller's own.
fn mixed(
    caller: &Caller<'_>,
    of: &Operation,
    kept: usize,
    rest: impl Fn(&str) -> String,
) -> String {
    let own: Vec<_> = of.ids.iter().take(kept).collect();
    of.address(|name| match own.iter().any(|own| *own == name) {
        true => caller.own(of, name).unwrap(),
        false => rest(name),
    })
}

/// What is wrong with the answers to one caller about one operation.
async fn faults(caller: &Caller<'_>, of: &Operation, victim: &Holding) -> Vec<String> {
    let name = format!("{} {} by {}", of.method, of.path, caller.who);
    let plausible = victim.body(of).map(|body| body.to_string());
    let mut faults = Vec::new();
    if caller.api.token().is_none() {
        let path = of.address(|name| victim.value(of, name));
        let status = send(caller, of, &path, plausible.as_deref()).await.status;
        if status != 401 && !of.public {
            faults.push(format!("{name}: {status} instead of 401"));
        }
        return faults;
    }
    if of.ids.is_empty() {
        let path = of.address(|name| victim.value(of, name));
        let text = send(caller, of, &path, plausible.as_deref()).await.text;
        let told = victim
            .secrets()
            .into_iter()
            .filter(|secret| text.contains(secret.as_str()));
        faults.extend(told.map(|secret| format!("{name}: tells {secret}")));
        return faults;
    }
    let mut bodies = vec![plausible];
    if of.body.is_some() {
        bodies.extend([Some("{}".to_owned()), Some("{".to_owned())]);
    }
    for kept in 0..of.ids.len() {
        let has_them = of
            .ids
            .iter()
            .take(kept)
            .all(|id| caller.own(of, id).is_some());
        let first = &of.ids[kept];
        if !has_them || caller.own(of, first).as_deref() == Some(&victim.value(of, first)) {
            continue;
        }
        let foreign = mixed(caller, of, kept, |name| victim.value(of, name));
        let random = mixed(caller, of, kept, |name| {
            match of.others.iter().any(|other| other == name) {
                true => victim.value(of, name),
                false => random_id(),
            }
        });
        for body in &bodies {
            let to_foreign = seen(&send(caller, of, &foreign, body.as_deref()).await);
            let to_random = seen(&send(caller, of, &random, body.as_deref()).await);
            if to_foreign.status < 300 {
                faults.push(format!("{name}: {} for {foreign}", to_foreign.status));
            }
            if to_foreign != to_random {
                faults.push(format!("{name}, body {body:?}: {to_foreign:?} for {foreign}, {to_random:?} for {random}"));
            }
        }
    }
    faults
}

/// Three days later; all tokens have run out by then.
async fn three_days_later(app: &App) {
    let now = app.anonymous().get("/test/clock", 200).await;
    let now: chrono::DateTime<chrono::Utc> = now["now"].as_str().unwrap().parse().unwrap();
    let then = json!({"now": now + chrono::TimeDelta::days(3)}).to_string();
    app.anonymous()
        .send(Method::PUT, "/test/clock", &[], Some(then))
        .await
        .expect(200);
}

async fn caller<'a>(
    app: &App,
    who: &'static str,
    person: &Person,
    own: Option<&'a Holding>,
    firm: Option<Uuid>,
) -> Caller<'a> {
    let api = sign_in(app, &person.email, PASSWORD).await.api;
    Caller {
        who,
        api,
        own,
        firm,
    }
}

/// All operations without the exceptions; an exception must still be needed.
fn swept() -> Vec<Operation> {
    let exceptions: BTreeSet<_> = EXCEPTIONS
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| {
            let (id, reason) = line.split_once(": ").expect("an exception has a reason");
            assert!(!reason.trim().is_empty(), "{id} needs a reason");
            id
        })
        .collect();
    let all = operations();
    for id in &exceptions {
        assert!(
            all.iter().any(|operation| operation.id == *id),
            "{id} does not exist any more: take it out of matrix_exceptions.txt"
        );
    }
    let mut swept = all;
    swept.retain(|operation| !exceptions.contains(operation.id.as_str()));
    swept
}

#[actix_web::test]
async fn what_belongs_to_others_answers_as_what_does_not_exist() {
    let app = Setup::named("isolation_matrix").with_test_clock().start();
    let firm = Firm::sign_up(&app, "Fjordlys Advisory").await;
    let other_firm = Firm::sign_up(&app, "Other Advisory").await;
    let victim = Holding::of(&firm, "Aurelia Lending B.V.").await;
    victim.approve_criteria().await;
    let sister = Holding::of(&firm, "Borealis Insurance").await;
    let stranger = Holding::of(&other_firm, "Corvus Health").await;
    let former = Former::of(&firm, &victim).await;
    three_days_later(&app).await;
    let (of_firm, of_other) = (Some(firm.id), Some(other_firm.id));
    let callers = [
        Caller {
            who: "nobody",
            api: app.anonymous(),
            own: None,
            firm: None,
        },
        caller(
            &app,
            "a consultant of another client",
            &sister.consultant,
            Some(&sister),
            of_firm,
        )
        .await,
        caller(
            &app,
            "top management of another client",
            &sister.top,
            Some(&sister),
            None,
        )
        .await,
        caller(
            &app,
            "somebody with all roles at another client",
            &sister.everybody,
            Some(&sister),
            None,
        )
        .await,
        caller(
            &app,
            "a viewer of another client",
            &sister.viewer,
            Some(&sister),
            None,
        )
        .await,
        caller(
            &app,
            "a consultant of another firm",
            &stranger.consultant,
            Some(&stranger),
            of_other,
        )
        .await,
        caller(
            &app,
            "the owner of another firm",
            &stranger.firm_owner,
            Some(&stranger),
            of_other,
        )
        .await,
        caller(&app, "a member who has left", &former.ex_member, None, None).await,
        caller(
            &app,
            "an auditor whose time is over",
            &former.expired_auditor,
            None,
            None,
        )
        .await,
        caller(
            &app,
            "a consultant of an ended engagement",
            &former.ended,
            None,
            of_firm,
        )
        .await,
        caller(
            &app,
            "a consultant of an engagement that ran out",
            &former.run_out,
            None,
            of_firm,
        )
        .await,
    ];
    let operations = swept();
    let boss = sign_in(&app, &victim.everybody.email, PASSWORD).await.api;
    let before = boss
        .get(&format!("/v1/tenants/{}/risks", victim.tenant), 200)
        .await;

    let (operations, victim) = (&operations, &victim);
    let sweeps = callers.iter().map(|caller| async move {
        let mut found = Vec::new();
        for operation in operations {
            found.extend(faults(caller, operation, victim).await);
        }
        found
    });
    let found: Vec<_> = join_all(sweeps).await.concat();

    assert!(
        found.is_empty(),
        "{} faults:\n{}",
        found.len(),
        found.join("\n")
    );
    let after = boss
        .get(&format!("/v1/tenants/{}/risks", victim.tenant), 200)
        .await;
    assert_eq!(before, after);
}
