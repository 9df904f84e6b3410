//! Who did it: every write of every operation is told of the one who made it, in its event and in
//! every row that it leaves behind.

use std::collections::BTreeMap;

use aims::app::kinds;
use reqwest::Method;
use serde_json::{Value, json};
use tokio_postgres::Client as Db;
use uuid::Uuid;

use crate::isolation::document::{Operation, operations};
use crate::isolation::holdings::{Holding, OWN_ROLES};
use crate::kinds::preparations::inputs;
use crate::support::actors::id_in;
use crate::support::{Answer, Firm, Person, Setup, TenantWorld};

/// Writes that are not tried here, each with its reason.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("add_policy_acknowledgements", "needs a policy in force; kinds/policy.rs looks at whose it is"),
    ("update_my_password", "ends the caller's sessions; identity/endings.rs looks at it"),
    ("delete_my_session", "ends the caller's session; identity/endings.rs looks at it"),
];

/// In which turn an operation is tried: what takes away comes after what needs it.
fn turn(of: &Operation) -> u8 {
    let takes_away = of.method == Method::DELETE;
    match of.id.as_str() {
        id if id.starts_with("archive_") => 6,
        _ if makes_one(of) && !of.path.ends_with("/restore") => 7,
        // What belongs to another comes back after it.
        id if id.starts_with("restore_") => 8 + u8::from(is_child(of)),
        // What has rows is no draft any more, and is not archived.
        id if id.starts_with("add_") => 9,
        id if id.starts_with("transition_") => 10,
        "delete_assignment" => 11,
        "end_tenant_engagement" => 12,
        "delete_consultancy_member" => 13,
        _ if takes_away => 5,
        _ => 0,
    }
}

/// Whether an operation brings about a record of a kind of which there is only one.
fn makes_one(of: &Operation) -> bool {
    let is_one = kinds().by_path(of.kind_path()).is_some_and(|entry| entry.one_for.is_some());
    let makes = of.method == Method::POST && !of.path.contains("{id}");
    is_one && (makes || of.path.ends_with("/restore"))
}

/// Whether an operation is on records that belong to those of another kind.
fn is_child(of: &Operation) -> bool {
    let name = kinds().by_path(of.kind_path()).map(|entry| entry.info.name);
    let mut children = kinds().entries().iter().flat_map(|entry| entry.children);
    children.any(|(child, _)| Some(*child) == name)
}

/// Whether an operation moves records that only the system moves.
fn is_moved_by_nobody(of: &Operation) -> bool {
    let entry = kinds().by_path(of.kind_path());
    let by_itself = entry.is_some_and(|entry| !entry.moves.iter().any(|known| known.is_for_people()));
    by_itself && of.id.starts_with("transition_")
}

/// What a scope of the database knew before a write.
struct Scope {
    id: Uuid,
    seq: i64,
    /// By table with a `created_by`: rows, those of the caller, those of nobody.
    made: BTreeMap<String, [i64; 3]>,
    /// Version and last writer of each record.
    records: BTreeMap<String, (i32, Option<String>, Option<String>)>,
}

async fn enter(db: &Db, scope: Uuid) {
    db.batch_execute(&format!("SET app.tenant_id = '{scope}'")).await.unwrap();
}

/// Tables with a column of this name.
async fn tables_with(db: &Db, column: &str) -> Vec<String> {
    let sql = "SELECT table_name::text FROM information_schema.columns \
        WHERE table_schema = 'public' AND column_name = $1 ORDER BY 1";
    let rows = db.query(sql, &[&column]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

impl Scope {
    async fn read(db: &Db, id: Uuid, caller: Uuid) -> Self {
        enter(db, id).await;
        let seq = format!("SELECT coalesce(max(seq), 0) FROM events WHERE tenant_id = '{id}'");
        let mut made = BTreeMap::new();
        for table in tables_with(db, "created_by").await {
            let sql = format!(
                "SELECT count(*), count(*) FILTER (WHERE created_by = '{caller}'), \
                 count(*) FILTER (WHERE created_by IS NULL) FROM {table}"
            );
            let row = db.query_one(&sql, &[]).await.unwrap();
            made.insert(table, [row.get(0), row.get(1), row.get(2)]);
        }
        let sql = "SELECT id::text, version, updated_by::text, created_by::text FROM records";
        let records = db.query(sql, &[]).await.unwrap();
        Self {
            id,
            seq: db.query_one(&seq, &[]).await.unwrap().get(0),
            made,
            records: records.iter().map(|row| (row.get(0), (row.get(1), row.get(2), row.get(3)))).collect(),
        }
    }

    /// What a write has left behind that does not say who made it; and how many events it has.
    async fn faults(&self, db: &Db, caller: Uuid) -> (Vec<String>, usize) {
        let now = Self::read(db, self.id, caller).await;
        let sql = format!(
            "SELECT action, actor_id::text, data::jsonb ? 'cause' FROM events WHERE tenant_id = '{}' AND seq > {}",
            self.id, self.seq
        );
        let events = db.query(&sql, &[]).await.unwrap();
        let by_caller = Some(caller.to_string());
        let mut faults = Vec::new();
        let mut anything_follows = false;
        for event in &events {
            let (action, actor, follows): (String, Option<String>, bool) = (event.get(0), event.get(1), event.get(2));
            anything_follows |= follows;
            if actor != by_caller.clone().filter(|_| !follows) {
                faults.push(format!("the event {action} is by {actor:?}"));
            }
        }
        // What follows is done by the system.
        let is_right = |who: &Option<String>| *who == by_caller || (anything_follows && who.is_none());
        for (table, before) in &self.made {
            let new: Vec<i64> = now.made[table].iter().zip(before).map(|(now, before)| now - before).collect();
            let of_nobody = if anything_follows { new[2] } else { 0 };
            // Rows may also go away.
            if new[0] > 0 && new[0] != new[1] + of_nobody {
                faults.push(format!("{} new rows of {table}, {} of the caller", new[0], new[1]));
            }
        }
        for (id, (version, updated_by, created_by)) in &now.records {
            let before = self.records.get(id);
            if before.is_none_or(|before| before.0 != *version) && !is_right(updated_by) {
                faults.push(format!("record {id} was last written by {updated_by:?}"));
            }
            if before.map_or(!is_right(created_by), |before| before.2 != *created_by) {
                faults.push(format!("record {id} was made by {created_by:?}"));
            }
        }
        (faults, events.len())
    }
}

/// A request of an operation that succeeds, and who makes it.
struct Request<'a> {
    by: &'a Person,
    path: String,
    body: Option<Value>,
}

/// Those who write: others than those who made what is there.
struct Writers {
    of_client: Person,
    of_firm: Person,
}

/// What some operations need that the document does not tell.
async fn request<'a>(of: &Operation, own: &Holding, firm: &Firm<'_>, writers: &'a Writers) -> Request<'a> {
    let by = match of.path.starts_with("/v1/tenants/") {
        true => &writers.of_client,
        false => &writers.of_firm,
    };
    let mut path = of.address(|name| own.value(of, name));
    if makes_one(of) {
        // The one that is there makes room.
        let list = format!("/v1/tenants/{}/{}", own.tenant, of.kind_path());
        for one in own.everybody.api.get(&list, 200).await["items"].as_array().unwrap() {
            own.everybody.api.delete(&format!("{list}/{}", one["id"].as_str().unwrap()), 204).await;
        }
    }
    let mut body = of.body.as_ref().map(|_| match of.method {
        Method::PATCH => json!({}),
        _ => own.body(of).unwrap(),
    });
    let rows = kinds().by_path(of.kind_path()).and_then(|entry| entry.rows_at(of.path.rsplit('/').next()?));
    if let Some(rows) = rows {
        body = Some(rows.example.clone());
    }
    match of.id.as_str() {
        "create_assignment" => {
            let colleague = firm.hire("Nils Aune", "consultant").await;
            body = Some(json!({"user_id": colleague.id, "role": "consultant"}));
        }
        "create_tenant" => body = Some(json!({"consultancy_id": own.firm, "name": "Delta", "time_zone": "Europe/Oslo"})),
        "create_tenant_invitation" => body = Some(json!({"email": "new.staff@example.org", "roles": ["viewer"]})),
        "create_consultancy_invitation" => body = Some(json!({"email": "new.hand@example.org", "roles": ["consultant"]})),
        "end_tenant_engagement" => {
            let list = format!("/v1/consultancies/{}/engagements", own.firm);
            let new = json!({"tenant_id": own.tenant, "service": "internal_audit", "starts_on": "2026-01-01"});
            let engagement = own.firm_owner.api.post(&list, &new, 201).await;
            path = path.replace(&own.engagement.to_string(), &id_in(&engagement, "id").to_string());
        }
        "update_me" => body = Some(json!({"name": "Astrid Fjord-Holm"})),
        "update_settings" => body = Some(json!({"review_cycle_months": 7})),
        "update_tenant" => body = Some(json!({"sector": "consumer credit"})),
        "update_engagement" => body = Some(json!({"ends_on": "2031-12-31"})),
        "update_member" => body = Some(json!({"valid_until": "2031-12-31"})),
        id if id.starts_with("update_") => body = Some(json!({"title": "What it is called from now on"})),
        id if id.starts_with("restore_") => body = None,
        id if id.starts_with("transition_") => {
            let needed = match id {
                "transition_management_review" => Some(inputs()),
                "transition_nonconformity" => Some(json!({"correction": "The advice was taken back."})),
                "transition_corrective_action" => Some(json!({"owner_id": own.everybody.id})),
                _ => None,
            };
            if let Some(needed) = needed {
                own.everybody.api.patch(path.trim_end_matches("/transitions"), &needed, 200).await;
            }
            let options = by.api.get(&path, 200).await;
            let mut options = options["items"].as_array().unwrap().iter();
            let free = options.find(|option| option["allowed"] == true);
            let by_hand = kinds().by_path(of.kind_path()).unwrap().info.name;
            let to = free.unwrap_or_else(|| panic!("{by_hand}: no move is free; say in `request` of sweeps/who.rs what it needs")).clone();
            body = Some(json!({"to": to["to"], "reason": "It is time."}));
        }
        _ => {}
    }
    Request { by, path, body }
}

async fn send(of: &Operation, request: &Request<'_>) -> Answer {
    let body = request.body.as_ref().map(Value::to_string);
    let api = &request.by.api;
    api.send(of.method.clone(), &request.path, &[("If-Match", "*")], body).await
}

#[actix_web::test]
async fn every_write_is_told_of_the_one_who_made_it() {
    let app = Setup::named("who").start();
    let firm = Firm::sign_up(&app, "Fjordlys Advisory").await;
    let own = Holding::of(&firm, "Aurelia Lending B.V.").await;
    let client = TenantWorld {
        app: &app,
        id: own.tenant,
        engagement_id: own.engagement,
        base: format!("/v1/tenants/{}", own.tenant),
        firm_owner: own.firm_owner.clone(),
    };
    let writers = Writers {
        of_client: client.staff_by(&own.everybody, "Ottar Annen", OWN_ROLES, None).await,
        of_firm: firm.hire("Olga Eier", "owner").await,
    };
    let db = app.owner().await;
    let mut writes: Vec<_> = operations().into_iter().filter(|of| of.method != Method::GET && !of.public).collect();
    writes.retain(|of| !EXCEPTIONS.iter().any(|(id, _)| *id == of.id) && !is_moved_by_nobody(of));
    writes.sort_by_key(turn);

    let mut found = Vec::new();
    for of in &writes {
        let what = format!("{} {}", of.method, of.path);
        let request = request(of, &own, &firm, &writers).await;
        let caller = request.by.id;
        let mut before = Vec::new();
        for scope in [own.tenant, own.firm, caller] {
            before.push(Scope::read(&db, scope, caller).await);
        }
        let answer = send(of, &request).await;
        if !(200..300).contains(&answer.status) {
            found.push(format!("{what} did not succeed, teach `request` in sweeps/who.rs: {}", answer.text));
            continue;
        }
        let mut told = 0;
        for scope in &before {
            let (faults, events) = scope.faults(&db, caller).await;
            found.extend(faults.into_iter().map(|fault| format!("{what}: {fault}")));
            told += events;
        }
        if told == 0 {
            found.push(format!("{what}: no event tells of it"));
        }
    }

    assert!(found.is_empty(), "{} faults:\n{}", found.len(), found.join("\n"));
    assert!(writes.len() > 10 * kinds().entries().len(), "only {} writes", writes.len());
}
