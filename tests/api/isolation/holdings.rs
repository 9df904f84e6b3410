//! Tenants with something of everything, made from the document's own examples.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::document::{Operation, operations, plausible};
use crate::support::actors::id_in;
use crate::support::{Client, Firm, Person, TenantWorld};

/// Every role of a tenant that its own people can hold for good.
pub const OWN_ROLES: &[&str] = &[
    "top_management",
    "aims_manager",
    "system_owner",
    "risk_owner",
    "process_owner",
    "overseer",
    "internal_auditor",
    "employee",
    "viewer",
];

/// A record with something attached to it.
#[derive(Clone, Debug)]
pub struct Held {
    pub id: Uuid,
    pub link: Uuid,
    pub comment: Uuid,
    /// A key of one of its parts, if it has any.
    pub part_key: String,
}

/// What a tenant has.
pub struct Holding {
    pub tenant: Uuid,
    pub name: String,
    pub firm: Uuid,
    pub engagement: Uuid,
    /// Of the consultant, through the engagement.
    pub assignment: Uuid,
    /// Of the viewer.
    pub membership: Uuid,
    pub tenant_invitation: Uuid,
    pub firm_invitation: Uuid,
    /// Of the consultant.
    pub session: Uuid,
    pub firm_owner: Person,
    pub consultant: Person,
    /// Holds every role of the tenant.
    pub everybody: Person,
    pub top: Person,
    pub viewer: Person,
    /// An external auditor.
    pub auditor: Uuid,
    /// By path, such as `risks`.
    pub records: BTreeMap<String, Held>,
    /// Ids of records by kind, such as `risk`.
    kinds: BTreeMap<String, Uuid>,
}

/// A kind as the document knows it: name, path, schema of a new one.
pub fn kinds() -> Vec<(String, String, Value)> {
    operations()
        .into_iter()
        .filter_map(|operation| {
            let name = operation.id.strip_prefix("create_")?.to_owned();
            let (_, schema) = operation.body.clone()?;
            let is_input = schema["$ref"].as_str()?.ends_with("Input");
            is_input.then(|| (name, operation.kind_path().to_owned(), schema))
        })
        .collect()
}

/// A civil date some days from now.
pub fn in_days(days: u64) -> String {
    let then = SystemTime::now() + Duration::from_secs(days * 86_400);
    DateTime::<Utc>::from(then).date_naive().to_string()
}

/// A random id.
pub fn random_id() -> String {
    Uuid::now_v7().to_string()
}

impl Holding {
    /// Fills a new client of the firm.
    pub async fn of(firm: &Firm<'_>, name: &str) -> Self {
        let client = firm.client(name).await;
        let everybody = client.staff("Edda Alle", OWN_ROLES).await;
        let top = client
            .staff_by(&everybody, "Tora Topp", &["top_management"], None)
            .await;
        let until = in_days(200);
        let auditor = client
            .staff_by(&everybody, "Eli Ext", &["external_auditor"], Some(&until))
            .await;
        let viewer = client
            .staff_by(&everybody, "Vidar Blikk", &["viewer"], None)
            .await;
        let consultant = firm.hire("Cora Raad", "consultant").await;
        firm.assign(&consultant, &client, "consultant").await;
        let mut holding = Self {
            tenant: client.id,
            name: name.to_owned(),
            firm: firm.id,
            engagement: client.engagement_id,
            assignment: membership(&everybody, &client, &consultant).await,
            membership: membership(&everybody, &client, &viewer).await,
            tenant_invitation: invite(
                &everybody.api,
                &client.path("invitations"),
                json!({"email": "waiting.staff@example.org", "roles": ["viewer"]}),
            )
            .await,
            firm_invitation: invite(
                &firm.owner.api,
                &format!("/v1/consultancies/{}/invitations", firm.id),
                json!({"email": "waiting.colleague@example.org", "roles": ["consultant"]}),
            )
            .await,
            session: first_id(&consultant.api.get("/v1/me/sessions", 200).await),
            firm_owner: firm.owner.clone(),
            consultant,
            everybody,
            top,
            viewer,
            auditor: auditor.id,
            records: BTreeMap::new(),
            kinds: BTreeMap::new(),
        };
        holding.fill(&client).await;
        holding
    }

    /// One record of each kind; those that others refer to come first.
    async fn fill(&mut self, client: &TenantWorld<'_>) {
        let mut waiting = kinds();
        while !waiting.is_empty() {
            let before = waiting.len();
            let mut later = Vec::new();
            for (name, path, schema) in waiting {
                let missing = std::cell::Cell::new(false);
                let id = |to: &str| {
                    self.known(to).unwrap_or_else(|| {
                        missing.set(true);
                        random_id()
                    })
                };
                let body = timely(plausible("", &schema, &id));
                if missing.get() {
                    later.push((name, path, schema));
                    continue;
                }
                let held = self.hold(&client.path(&path), &body).await;
                self.kinds.insert(name, held.id);
                self.records.insert(path, held);
            }
            waiting = later;
            assert!(
                waiting.len() < before,
                "the examples of {waiting:?} refer to each other in a circle"
            );
        }
    }

    async fn hold(&self, list: &str, body: &Value) -> Held {
        let api = &self.everybody.api;
        let made = api.post(list, body, 201).await;
        let id = id_in(&made, "id");
        let one = format!("{list}/{id}");
        let link = json!({"relation": "serves", "to": {"catalog": "iso42001", "unit": "6.1.2"}});
        let link = api.post(&format!("{one}/links"), &link, 201).await;
        let comment = json!({"text": "Please add the data source."});
        let comment = api.post(&format!("{one}/comments"), &comment, 201).await;
        let evidence = json!({"title": "Bias test", "kind": "link", "collected_on": "2026-01-12"});
        api.post(&format!("{one}/evidence"), &evidence, 201).await;
        let part = made.pointer("/inputs/0/type").and_then(Value::as_str);
        Held {
            id,
            link: id_in(&link, "id"),
            comment: id_in(&comment, "id"),
            part_key: part.unwrap_or("feedback").to_owned(),
        }
    }

    /// Adds an approved version to one record.
    pub async fn approve_criteria(&self) {
        let id = self.records["risk-criteria"].id;
        let path = format!("/v1/tenants/{}/risk-criteria/{id}", self.tenant);
        self.top.api.transition(&path, "approved", None, 200).await;
    }

    /// The id of something of this kind or name.
    pub fn known(&self, to: &str) -> Option<String> {
        let id = match to {
            "person" | "owner_id" => self.everybody.id,
            "person_id" => self.auditor,
            "user_id" => self.consultant.id,
            "tenant_id" => self.tenant,
            "consultancy_id" => self.firm,
            "engagement_id" => self.engagement,
            "session_id" => self.session,
            // Of a piece of evidence to be attached.
            "id" => *self.kinds.get("evidence")?,
            kind => *self.kinds.get(kind)?,
        };
        Some(id.to_string())
    }

    /// [`Holding::known`], or the id of any record.
    pub fn id(&self, to: &str) -> String {
        let any = || self.kinds.values().next().unwrap().to_string();
        self.known(to).unwrap_or_else(any)
    }

    /// The value of a path parameter of an operation. Fails where it knows none, so that new
    /// operations are swept or the sweep is taught.
    pub fn value(&self, of: &Operation, parameter: &str) -> String {
        let held = self.records.get(of.kind_path());
        let id = match (parameter, held) {
            ("id", Some(held)) => held.id,
            ("link_id", Some(held)) => held.link,
            ("comment_id", Some(held)) => held.comment,
            ("person_id", Some(_)) => self.auditor,
            ("key", Some(held)) => return held.part_key.clone(),
            ("number", Some(_)) => return "1".to_owned(),
            ("membership_id", _) if of.path.contains("/assignments/") => self.assignment,
            ("membership_id", _) => self.membership,
            ("invitation_id", _) if of.path.contains("/consultancies/") => self.firm_invitation,
            ("invitation_id", _) => self.tenant_invitation,
            _ if of.ids.iter().any(|id| id == parameter) && self.known(parameter).is_some() => {
                return self.id(parameter);
            }
            _ if of.others.iter().any(|other| other == parameter) && is_catalogue(of) => {
                return plausible_catalogue(parameter);
            }
            _ => panic!(
                "{} {} has a parameter {parameter} that Holding::value does not know: teach it there",
                of.method, of.path
            ),
        };
        id.to_string()
    }

    /// A body that could be right, with this tenant's ids.
    pub fn body(&self, of: &Operation) -> Option<Value> {
        let (_, schema) = of.body.as_ref()?;
        let id = |to: &str| self.id(to);
        let mut body = timely(plausible("", schema, &id));
        if of.id.starts_with("batch_") {
            let kind = kinds()
                .into_iter()
                .find(|(_, path, _)| path == of.kind_path());
            let (_, _, schema) = kind.unwrap();
            let new = timely(plausible("", &schema, &id));
            body["operations"] = json!([{"op": "create", "body": new}]);
        }
        let transitions = of.id.strip_prefix("transition_");
        if let Some(kind) = transitions {
            let entry = aims::app::kinds().by_name(kind).unwrap();
            body["to"] = json!(entry.moves.first().unwrap().to);
        }
        Some(body)
    }

    /// Ids and names that nobody else may read.
    pub fn secrets(&self) -> Vec<String> {
        let ids = [
            self.tenant,
            self.engagement,
            self.assignment,
            self.membership,
            self.tenant_invitation,
            self.everybody.id,
            self.top.id,
            self.viewer.id,
            self.session,
        ];
        let records = self.records.values().flat_map(|held| [held.id, held.link]);
        let ids = ids.into_iter().chain(records).map(|id| id.to_string());
        ids.chain([self.name.clone()]).collect()
    }
}

/// The catalogues are everybody's.
fn is_catalogue(of: &Operation) -> bool {
    of.path.starts_with("/v1/catalogs")
}

fn plausible_catalogue(parameter: &str) -> String {
    match parameter {
        "unit" | "code" => "6.1.2".to_owned(),
        _ => "iso42001".to_owned(),
    }
}

/// Examples have fixed dates; some must lie in the near future.
pub fn timely(mut body: Value) -> Value {
    if body["valid_until"].is_string() {
        body["valid_until"] = json!(in_days(30));
    }
    if body["valid_from"].is_string() {
        body["valid_from"] = json!(in_days(0));
    }
    body
}

async fn invite(api: &Client, path: &str, body: Value) -> Uuid {
    id_in(&api.post(path, &body, 201).await, "id")
}

fn first_id(list: &Value) -> Uuid {
    id_in(&list["items"][0], "id")
}

/// The running membership of a person in a tenant.
pub async fn membership(reader: &Person, client: &TenantWorld<'_>, of: &Person) -> Uuid {
    let members = reader.api.get(&client.path("members"), 200).await;
    let items = members["items"].as_array().unwrap();
    let found = items.iter().find(|item| item["user_id"] == json!(of.id));
    id_in(found.unwrap(), "id")
}
