//! A client organisation with two people who may do everything between them, and records made
//! from the examples of the documentation.

use std::collections::BTreeMap;

use aims::app::kinds;
use aims::records::{ANY, Entry, PERSON, REFERS_TO, UNIT};
use aims::tenancy::Role;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use reqwest::Method;
use serde_json::{Map, Value, json};
use tokio::sync::OnceCell;

use crate::support::actors::id_in;
use crate::support::{App, Client, Firm, Person, Setup, TenantWorld};

/// The day on which the examples of the documentation fit together.
pub const DAY_OF_THE_EXAMPLES: &str = "2027-03-15T08:00:00Z";
/// Roles of the person who writes records.
pub const AUTHOR: &[&str] = &[
    "aims_manager",
    "system_owner",
    "risk_owner",
    "process_owner",
    "overseer",
    "internal_auditor",
];

/// The server of these tests, at a time when the examples of the documentation are valid.
pub async fn rehearsal() -> &'static App {
    static APP: OnceCell<App> = OnceCell::const_new();
    APP.get_or_init(|| rehearsal_of(Setup::named("contract")))
        .await
}

/// A server of its own at that time.
pub async fn rehearsal_of(setup: Setup) -> App {
    let app = setup.with_test_clock().start();
    set_clock(&app, DAY_OF_THE_EXAMPLES).await;
    app
}

/// Sets the clock of a server.
pub async fn set_clock(app: &App, now: &str) {
    let body = json!({"now": now}).to_string();
    app.anonymous()
        .send(Method::PUT, "/test/clock", &[], Some(body))
        .await
        .expect(200);
}

/// People and place of a test.
pub struct Stage<'a> {
    pub app: &'a App,
    pub firm: Firm<'a>,
    pub client: TenantWorld<'a>,
    /// Writes records of every kind.
    pub author: Person,
    /// Approves what the author wrote.
    pub approver: Person,
}

impl<'a> Stage<'a> {
    /// A firm, its client, and the two of the client.
    pub async fn set(app: &'a App) -> Stage<'a> {
        Stage::set_in(app, "Europe/Amsterdam", AUTHOR).await
    }

    /// The same in a time zone, with the roles of the author.
    pub async fn set_in(app: &'a App, zone: &str, author_roles: &[&str]) -> Stage<'a> {
        let firm = Firm::sign_up(app, "Fjordlys Advisory").await;
        let client = firm.client_in("Aurelia Lending B.V.", zone).await;
        let author = client.staff("Mara Visser", author_roles).await;
        // Only top management names top management, once there is one.
        let inviter = match author_roles.contains(&"top_management") {
            true => &author,
            false => &client.firm_owner,
        };
        let roles = ["top_management", "risk_owner"];
        let approver = client.staff_by(inviter, "Ana Gomez", &roles, None).await;
        Stage {
            app,
            firm,
            client,
            author,
            approver,
        }
    }

    /// Address of the records of a kind.
    pub fn list(&self, entry: &Entry) -> String {
        self.client.path(entry.info.path)
    }

    /// Address of a record.
    pub fn at(&self, entry: &Entry, record: &Value) -> String {
        format!("{}/{}", self.list(entry), record["id"].as_str().unwrap())
    }

    /// The kind's example, referring to records that exist.
    pub fn input<'s>(&'s self, entry: &'static Entry) -> LocalBoxFuture<'s, Value> {
        async move {
            let mut input = example(entry);
            for (pointer, kind) in references(entry, &input) {
                let known = match kind.as_str() {
                    PERSON => json!(self.author.id),
                    UNIT => continue,
                    ANY => {
                        let other = kinds().by_name("ai_system").unwrap();
                        json!({"kind": "ai_system", "id": self.make(other).await["id"]})
                    }
                    kind => self.one_of(kinds().by_name(kind).unwrap()).await["id"].clone(),
                };
                *input.pointer_mut(&pointer).unwrap() = known;
            }
            input
        }
        .boxed_local()
    }

    /// A record made from the kind's example.
    pub async fn make(&self, entry: &'static Entry) -> Value {
        let input = self.input(entry).await;
        self.clear(entry).await;
        self.author.api.post(&self.list(entry), &input, 201).await
    }

    /// A record to refer to: the one that there is, where there is only one, else a new one.
    async fn one_of(&self, entry: &'static Entry) -> Value {
        if entry.one_for.is_some() {
            let list = self.author.api.get(&self.list(entry), 200).await;
            let mut items = list["items"].as_array().unwrap().iter();
            let is_draft = |one: &&Value| one["status"] == entry.start && one["in_force"].is_null();
            if let Some(draft) = items.find(is_draft) {
                return draft.clone();
            }
        }
        self.make(entry).await
    }

    /// Puts away what keeps another record of a kind from being made, of which there is one.
    pub async fn clear(&self, entry: &'static Entry) {
        if entry.one_for.is_none() {
            return;
        }
        let list = self.author.api.get(&self.list(entry), 200).await;
        for record in list["items"].as_array().unwrap() {
            let at = self.at(entry, record);
            let ends = entry.moves.iter().find(|known| {
                let leaves = record["status"] == known.from;
                leaves && known.flags.withdraws && known.by.has(Role::TopManagement)
            });
            let is_untouched = record["status"] == entry.start && record["in_force"].is_null();
            if let Some(known) = ends.filter(|_| !is_untouched) {
                let api = &self.approver.api;
                api.transition(&at, known.to, Some("Not needed."), 200)
                    .await;
            }
            self.author.api.delete(&at, 204).await;
        }
    }

    /// Somebody with exactly this role.
    pub async fn holder(&self, role: Role) -> Person {
        let name = role.as_str().replace('_', " ");
        match role {
            Role::Lead | Role::Consultant => {
                let person = self.firm.hire(&name, role.as_str()).await;
                self.firm.assign(&person, &self.client, role.as_str()).await;
                person
            }
            _ => {
                let until = (role == Role::ExternalAuditor).then_some("2027-12-31");
                let roles = [role.as_str()];
                self.client
                    .staff_by(&self.approver, &name, &roles, until)
                    .await
            }
        }
    }

    /// A transition that the record can make now: who makes it, and to which state.
    pub async fn next_move(&self, at: &str) -> Option<(&Client, String)> {
        for person in [&self.author, &self.approver] {
            let options = person.api.get(&format!("{at}/transitions"), 200).await;
            let allowed = options["items"]
                .as_array()
                .unwrap()
                .iter()
                .find(|option| option["allowed"] == true)
                .map(|option| option["to"].as_str().unwrap().to_owned());
            if let Some(to) = allowed {
                return Some((&person.api, to));
            }
        }
        None
    }

    /// Events in the chain of the client, save refusals by a rule, which are events too.
    pub async fn events(&self) -> i64 {
        // Reminders go out meanwhile, whatever is asked.
        let done = "action <> 'refused' AND subject_kind <> 'reminder'";
        self.app.count(self.client.id, "events", done).await
    }

    /// Records of the client, archived ones too.
    pub async fn records(&self) -> i64 {
        self.app.count(self.client.id, "records", "true").await
    }

    /// A consultant's assignment, as the firm sees it.
    pub async fn assignment(&self, name: &str) -> (String, Value) {
        let consultant = self.firm.hire(name, "consultant").await;
        self.firm
            .assign(&consultant, &self.client, "consultant")
            .await;
        let list = format!(
            "/v1/consultancies/{}/engagements/{}/assignments",
            self.firm.id, self.client.engagement_id
        );
        let found = self.firm.owner.api.get(&list, 200).await;
        let mine = found["items"]
            .as_array()
            .unwrap()
            .iter()
            .find(|item| item["user_id"] == json!(consultant.id))
            .unwrap()
            .clone();
        (format!("{list}/{}", id_in(&mine, "id")), mine)
    }
}

/// A valid input by the documentation, with ids that do not exist.
pub fn example(entry: &Entry) -> Value {
    let mut example = entry.example.clone();
    if let Value::Object(fields) = &mut example {
        fields
            .entry("title")
            .or_insert_with(|| json!(format!("An example of a {}", entry.info.one)));
    }
    example
}

/// Where a body refers to others: pointers and kinds.
fn references(entry: &Entry, body: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    walk(
        &entry.body_schema,
        &entry.components,
        body,
        "",
        &mut |at, schema| {
            if let Some(kind) = schema[REFERS_TO].as_str() {
                found.push((at.to_owned(), kind.to_owned()));
            }
        },
    );
    found
}

/// Visits every value of a body that is not null, with each schema that describes it.
fn walk(
    schema: &Value,
    components: &BTreeMap<String, Value>,
    value: &Value,
    at: &str,
    visit: &mut dyn FnMut(&str, &Value),
) {
    if value.is_null() {
        return;
    }
    visit(at, schema);
    let name = schema["$ref"]
        .as_str()
        .and_then(|target| target.rsplit('/').next());
    if let Some(target) = name.and_then(|name| components.get(name)) {
        walk(target, components, value, at, visit);
    }
    for keyword in ["oneOf", "anyOf", "allOf"] {
        for branch in schema[keyword].as_array().into_iter().flatten() {
            walk(branch, components, value, at, visit);
        }
    }
    let nothing = Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&nothing);
    for (name, property) in properties {
        if let Some(inner) = value.get(name) {
            walk(property, components, inner, &format!("{at}/{name}"), visit);
        }
    }
    if let (Some(items), Some(list)) = (schema.get("items"), value.as_array()) {
        for (index, item) in list.iter().enumerate() {
            walk(items, components, item, &format!("{at}/{index}"), visit);
        }
    }
}
