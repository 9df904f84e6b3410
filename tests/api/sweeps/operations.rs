//! Every operation of the document, tried by everybody: what comes of it stands in a committed
//! table. Where a role may, the table says `yes`; else it tells the status of the answer.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use aims::app::kinds;
use aims::records::Entry;
use aims::tenancy::Role;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::walk::{Cast, Walk};
use crate::contract::is_update;
use crate::contract::stage::rehearsal_of;
use crate::isolation::document::{Operation, operations};
use crate::support::actors::id_in;
use crate::support::{Client, Firm, Setup};

/// The kind of record that operations which all kinds share are tried on.
const SHARED_KIND: &str = "risk_treatment";

/// Operations that are about the caller alone, each with its reason.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("update_my_password", "everybody's own; identity/endings.rs looks at it"),
    ("delete_my_session", "everybody's own; identity/endings.rs looks at it"),
];

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/api/sweeps/operations.json")
}

/// Somebody who tries.
struct Standing {
    name: String,
    api: Client,
}

/// What an operation is tried on; some of it is used up by who may.
struct Target {
    path: String,
    body: Option<Value>,
}

/// Everybody: each role of the tenant, the firm's own and others.
async fn standings(cast: &Cast<'_>, stranger: &Firm<'_>) -> Vec<Standing> {
    let stage = &cast.stage;
    let standing = |name: &str, api: &Client| Standing { name: name.to_owned(), api: api.clone() };
    let roles = cast.people.iter().map(|(role, person)| standing(role.as_str(), &person.api));
    let mut all: Vec<_> = roles.collect();
    for role in ["lead", "consultant"] {
        let person = stage.firm.hire(&format!("Unassigned {role}"), role).await;
        all.push(standing(&format!("{role} of the firm, not assigned"), &person.api));
    }
    all.push(standing("owner of the firm", &stage.firm.owner.api));
    all.push(standing("owner of another firm", &stranger.owner.api));
    all.push(standing("nobody signed in", &stage.app.anonymous()));
    all
}

/// Operations whose success uses up what they are tried on.
fn uses_up(of: &Operation) -> bool {
    let ends = ["end_tenant_engagement", "create_assignment", "create_tenant_invitation", "create_consultancy_invitation"];
    let acts = ["create_", "restore_", "transition_", "batch_", "archive_"];
    of.method == Method::DELETE || ends.contains(&of.id.as_str()) || acts.iter().any(|act| of.id.starts_with(act))
}

/// An operation on a record.
async fn of_record(cast: &Cast<'_>, of: &Operation, entry: &'static Entry) -> Target {
    let (stage, api) = (&cast.stage, &cast.stage.author.api);
    let list = stage.list(entry);
    let rest: Vec<&str> = of.path.split('/').skip(5).collect();
    if let [] | ["batch"] = rest.as_slice() {
        let mut body = None;
        if of.method == Method::POST {
            let input = stage.input(entry).await;
            stage.clear(entry).await;
            body = Some(match rest.is_empty() {
                true => input,
                false => json!({"operations": [{"op": "create", "body": input}]}),
            });
        }
        return Target { path: [vec![list.as_str()], rest].concat().join("/"), body };
    }
    let at = match rest[1..] {
        // Rows are added to what is in force.
        [rows] if entry.rows_at(rows).is_some() => in_force(cast, entry).await,
        _ => stage.at(entry, &stage.make(entry).await),
    };
    let (below, body) = match (of.method.as_str(), &rest[1..]) {
        ("PATCH", []) => (String::new(), Some(json!({"title": format!("Named at {}", Uuid::now_v7())}))),
        ("POST", ["restore"]) => {
            api.delete(&at, 204).await;
            ("/restore".to_owned(), None)
        }
        ("POST", ["transitions"]) => ("/transitions".to_owned(), Some(json!({"to": entry.moves[0].to, "reason": "It is time."}))),
        ("POST", ["links"]) => ("/links".to_owned(), Some(link())),
        ("POST", ["comments"]) => ("/comments".to_owned(), Some(json!({"text": "Seen."}))),
        ("POST", ["evidence"]) => {
            ("/evidence".to_owned(), Some(json!({"title": "Proof", "kind": "link", "collected_on": "2027-03-10"})))
        }
        ("POST", ["shares"]) => ("/shares".to_owned(), Some(share(cast))),
        (_, ["links", _]) => (format!("/links/{}", made(api, &at, "links", link()).await), None),
        (_, ["comments", _]) => (format!("/comments/{}", made(api, &at, "comments", json!({"text": "Seen."})).await), None),
        (_, ["shares", _]) => {
            api.post(&format!("{at}/shares"), &share(cast), 200).await;
            (format!("/shares/{}", cast.holder(Role::ExternalAuditor).id), None)
        }
        (_, ["versions", _]) => {
            stage.approver.api.transition(&at, entry.in_force_state, None, 200).await;
            ("/versions/1".to_owned(), None)
        }
        ("POST", [rows]) => (format!("/{rows}"), Some(entry.rows_at(rows).unwrap().example.clone())),
        (method, [part, _]) => {
            let known = entry.parts.iter().find(|known| known.field == *part).unwrap();
            let item = &entry.example[*part][0];
            let key = item[known.key].as_str().unwrap();
            (format!("/{part}/{key}"), (method == "PUT").then(|| item.clone()))
        }
        (_, [below]) => (format!("/{below}"), None),
        _ => (String::new(), None),
    };
    Target { path: format!("{at}{below}"), body }
}

/// A record in the state in which its version is in force.
async fn in_force(cast: &Cast<'_>, entry: &'static Entry) -> String {
    let leads_on = entry.moves.iter().find(|known| known.from == entry.in_force_state);
    let leads_on = leads_on.or(entry.moves.first()).unwrap();
    Walk { cast, entry }.before(leads_on, None).await
}

fn link() -> Value {
    json!({"relation": "serves", "to": {"catalog": "iso42001", "unit": "6.1.2"}})
}

fn share(cast: &Cast<'_>) -> Value {
    json!({"person_id": cast.holder(Role::ExternalAuditor).id, "until": "2027-12-01"})
}

async fn made(api: &Client, at: &str, list: &str, body: Value) -> Uuid {
    id_in(&api.post(&format!("{at}/{list}"), &body, 201).await, "id")
}

/// A year in which no engagement of the client runs yet.
fn next_year() -> u32 {
    static YEAR: AtomicU32 = AtomicU32::new(2030);
    YEAR.fetch_add(1, Ordering::Relaxed)
}

/// An operation on anything but records.
async fn of_feature(cast: &Cast<'_>, of: &Operation) -> Target {
    let stage = &cast.stage;
    let (firm, client) = (&stage.firm, &stage.client);
    let owner = &firm.owner.api;
    let engagements = format!("/v1/consultancies/{}/engagements", firm.id);
    let email = format!("{}@example.org", Uuid::now_v7().simple());
    let year = next_year();
    let new_engagement = json!({
        "tenant_id": client.id, "service": "gap",
        "starts_on": format!("{year}-01-11"), "ends_on": format!("{year}-02-11"),
    });
    let mut ids: BTreeMap<&str, String> = BTreeMap::from([
        ("tenant_id", client.id.to_string()),
        ("consultancy_id", firm.id.to_string()),
        ("engagement_id", client.engagement_id.to_string()),
        ("id", "iso42001".to_owned()),
        ("unit", "6.1.2".to_owned()),
    ]);
    let mut body = None;
    match of.id.as_str() {
        "create_assignment" => {
            let hired = firm.hire("New hand", "consultant").await;
            body = Some(json!({"user_id": hired.id, "role": "consultant"}));
        }
        "get_assignment" | "delete_assignment" => {
            let (path, _) = stage.assignment("Old hand").await;
            ids.insert("membership_id", path.rsplit('/').next().unwrap().to_owned());
        }
        "create_consultancy_invitation" => body = Some(json!({"email": email, "roles": ["consultant"]})),
        "create_tenant_invitation" => body = Some(json!({"email": email, "roles": ["viewer"]})),
        "get_consultancy_invitation" | "delete_consultancy_invitation" => {
            let list = format!("/v1/consultancies/{}/invitations", firm.id);
            let invited = owner.post(&list, &json!({"email": email, "roles": ["consultant"]}), 201).await;
            ids.insert("invitation_id", id_in(&invited, "id").to_string());
        }
        "get_tenant_invitation" | "delete_tenant_invitation" => {
            let invited = json!({"email": email, "roles": ["viewer"]});
            let invited = stage.author.api.post(&client.path("invitations"), &invited, 201).await;
            ids.insert("invitation_id", id_in(&invited, "id").to_string());
        }
        "create_engagement" => body = Some(new_engagement),
        "update_engagement" => body = Some(json!({"ends_on": "2031-12-31"})),
        "end_tenant_engagement" => {
            let made = owner.post(&engagements, &new_engagement, 201).await;
            ids.insert("engagement_id", id_in(&made, "id").to_string());
        }
        "delete_consultancy_member" => {
            ids.insert("user_id", firm.hire("Leaving", "consultant").await.id.to_string());
        }
        "update_member" | "delete_member" => {
            let viewer = client.staff_by(&stage.author, "Vera Kok", &["viewer"], None).await;
            let membership = crate::isolation::holdings::membership(&stage.author, client, &viewer).await;
            ids.insert("membership_id", membership.to_string());
            body = (of.id == "update_member").then(|| json!({"valid_until": "2031-12-31"}));
        }
        "create_tenant" => body = Some(json!({"consultancy_id": firm.id, "name": "Delta", "time_zone": "Europe/Oslo"})),
        "update_tenant" => body = Some(json!({"sector": "consumer credit"})),
        "update_settings" => body = Some(json!({"review_cycle_months": 7})),
        "update_me" => body = Some(json!({"name": "The same as ever"})),
        id => assert!(of.body.is_none(), "{id} has a body that sweeps/operations.rs does not know: teach it"),
    }
    let path = of.address(|name| {
        let known = ids.get(name);
        known.unwrap_or_else(|| panic!("{}: sweeps/operations.rs knows no {name}: teach it", of.id)).clone()
    });
    Target { path, body }
}

async fn target(cast: &Cast<'_>, of: &Operation) -> Target {
    match kinds().by_path(of.kind_path()).filter(|_| of.path.starts_with("/v1/tenants/")) {
        Some(entry) => of_record(cast, of, entry).await,
        None => of_feature(cast, of).await,
    }
}

/// What comes of one operation, by who tried.
async fn verdicts(cast: &Cast<'_>, of: &Operation, standings: &[Standing]) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut current = None;
    // Who may not comes to what is there, who may uses it up.
    for standing in standings.iter().rev() {
        let Target { path, body } = match current.take() {
            Some(target) => target,
            None => target(cast, of).await,
        };
        let sent = body.as_ref().map(Value::to_string);
        let answer = standing.api.send(of.method.clone(), &path, &[("If-Match", "*")], sent).await;
        assert!(answer.status < 500, "{} {path}: {}", of.method, answer.text);
        // A batch answers for each of its operations.
        let status = match answer.json()["items"][0]["status"].as_u64() {
            Some(of_item) if of.path.ends_with("/batch") => of_item,
            _ => u64::from(answer.status),
        };
        let is_done = status < 300;
        if !(is_done && uses_up(of)) {
            current = Some(Target { path, body });
        }
        let verdict = if is_done { "yes".to_owned() } else { status.to_string() };
        found.entry(verdict).or_default().push(standing.name.clone());
    }
    for names in found.values_mut() {
        names.reverse();
    }
    found
}

/// The operations that are tried: of those that all kinds share, one for all.
fn tried() -> Vec<Operation> {
    let shared = kinds().by_name(SHARED_KIND).unwrap();
    let is_shared = |of: &Operation| {
        let below = of.path.split('/').nth(6);
        let own = kinds().by_path(of.kind_path()).is_some_and(|entry| {
            below.is_none_or(|below| {
                entry.parts.iter().any(|part| part.field == below) || entry.rows_at(below).is_some()
            })
        });
        kinds().by_path(of.kind_path()).is_some() && !own
    };
    let mut all = operations();
    all.retain(|of| !of.public && !EXCEPTIONS.iter().any(|(id, _)| *id == of.id));
    all.retain(|of| !is_shared(of) || of.kind_path() == shared.info.path);
    all
}

#[actix_web::test]
async fn who_may_call_what_is_the_committed_table() {
    let app = rehearsal_of(Setup::named("operations")).await;
    let cast = Cast::of(&app, "Europe/Amsterdam").await;
    let stranger = Firm::sign_up(&app, "Other Advisory").await;
    let standings = standings(&cast, &stranger).await;
    let mut table = BTreeMap::new();
    for of in tried() {
        let verdicts = verdicts(&cast, &of, &standings).await;
        table.insert(format!("{} {}", of.path, of.method), verdicts);
    }

    let now = serde_json::to_string_pretty(&table).unwrap() + "\n";
    if is_update() {
        std::fs::write(file(), now).unwrap();
        return;
    }
    let committed = std::fs::read_to_string(file()).unwrap_or_default();
    let committed: BTreeMap<String, BTreeMap<String, Vec<String>>> = serde_json::from_str(&committed).unwrap_or_default();
    let differs = |name: &&String| committed.get(*name) != table.get(*name);
    let differing: Vec<_> = table.keys().chain(committed.keys()).filter(differs).collect();
    let shown = differing.iter().map(|name| format!("{name}: {:?}, now {:?}", committed.get(*name), table.get(*name)));
    assert!(
        differing.is_empty(),
        "who may call what has changed. If that is meant, run `UPDATE=1 cargo test --test api who_may_call_what` \
         and have the difference in tests/api/sweeps/operations.json reviewed.\n{}",
        shown.collect::<Vec<_>>().join("\n")
    );
}
