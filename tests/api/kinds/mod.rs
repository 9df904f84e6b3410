//! One file for each kind of record: its states, rules, roles and deadlines, over HTTP.

automod::dir!(pub "tests/api/kinds");

use serde_json::{Value, json};

use crate::support::{App, Firm, Person, TenantWorld, app};
pub use nonconformity::Year;

/// A client organisation with everybody who matters.
pub struct World<'a> {
    pub client: TenantWorld<'a>,
    pub lead: Person,
    pub consultant: Person,
    pub top: Person,
    pub manager: Person,
    pub risk_owner: Person,
}

pub async fn world(name: &str) -> World<'static> {
    world_in(app(), name).await
}

pub async fn world_in<'a>(app: &'a App, name: &str) -> World<'a> {
    let firm = Firm::sign_up(app, "Fjordlys Advisory").await;
    let client = firm.client(name).await;
    let lead = firm.hire("Lena Lead", "lead").await;
    let consultant = firm.hire("Cleo Nord", "consultant").await;
    firm.assign(&lead, &client, "lead").await;
    firm.assign(&consultant, &client, "consultant").await;
    World {
        manager: client.staff("Mara Visser", &["aims_manager"]).await,
        risk_owner: client.staff("Rik Bos", &["risk_owner"]).await,
        top: client.staff("Tess de Wit", &["top_management"]).await,
        client,
        lead,
        consultant,
    }
}

/// A civil date so many days from today, in the zone of the tenants of `world`.
pub fn in_days(days: u64) -> String {
    let today = aims::clock::Clock::machine().today(chrono_tz::Europe::Amsterdam);
    (today + chrono::Days::new(days)).to_string()
}

/// The kind's own example of a new record.
pub fn example(kind: &str) -> Value {
    let mut example = aims::app::kinds().by_name(kind).unwrap().example.clone();
    if example["title"].is_null() {
        example["title"] = json!("An example");
    }
    example
}

/// The id at the end of an address.
pub fn id_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

impl World<'_> {
    /// Makes a record and answers its address.
    pub async fn make(&self, by: &Person, path: &str, body: Value) -> String {
        let made = by.api.post(&self.client.path(path), &body, 201).await;
        format!(
            "{}/{path}/{}",
            self.client.base,
            made["id"].as_str().unwrap()
        )
    }

    /// Criteria in force.
    pub async fn approved_criteria(&self) -> String {
        let path = self
            .make(&self.consultant, "risk-criteria", example("risk_criteria"))
            .await;
        self.top.api.transition(&path, "approved", None, 200).await;
        path
    }

    /// Revises the criteria that are in force and approves the new version.
    pub async fn revised_criteria(&self, criteria: Value) {
        let list = self
            .top
            .api
            .get(&self.client.path("risk-criteria"), 200)
            .await;
        let path = format!(
            "{}/risk-criteria/{}",
            self.client.base,
            list["items"][0]["id"].as_str().unwrap()
        );
        self.manager
            .api
            .transition(&path, "draft", Some("revised"), 200)
            .await;
        self.consultant.api.patch(&path, &criteria, 200).await;
        self.top.api.transition(&path, "approved", None, 200).await;
    }

    /// Makes a risk retained, and its residual risk accepted by top management.
    pub async fn retained(&self, risk: &str) {
        self.consultant
            .api
            .patch(risk, &json!({"treatment_option": "retain"}), 200)
            .await;
        for state in ["analysed", "evaluated"] {
            self.consultant.api.transition(risk, state, None, 200).await;
        }
        let mut acceptance = example("residual_acceptance");
        acceptance["risk_id"] = json!(risk.rsplit('/').next());
        acceptance["valid_until"] = json!(in_days(100));
        let acceptance = self
            .make(&self.consultant, "residual-acceptances", acceptance)
            .await;
        self.top
            .api
            .transition(&acceptance, "accepted", None, 200)
            .await;
    }

    /// A rated risk and its approved treatment.
    pub async fn treated_risk(&self) -> (String, String) {
        let criteria = self.approved_criteria().await;
        self.treated_risk_of(&criteria).await
    }

    /// The same, by criteria that are in force.
    pub async fn treated_risk_of(&self, _criteria: &str) -> (String, String) {
        let mut risk = example("risk");
        risk["inherent"] = json!({"likelihood": 3, "consequence": 5});
        risk["owner_id"] = json!(self.risk_owner.id);
        let risk = self.make(&self.consultant, "risks", risk).await;
        let mut treatment = example("risk_treatment");
        treatment["risk_id"] = json!(risk.rsplit('/').next());
        let treatment = self
            .make(&self.consultant, "risk-treatments", treatment)
            .await;
        self.risk_owner
            .api
            .transition(&treatment, "approved", None, 200)
            .await;
        (risk, treatment)
    }

    /// A Statement of Applicability with an undecided entry for each control.
    pub async fn statement(&self) -> String {
        self.make(&self.consultant, "soas", example("soa")).await
    }

    /// The entries of a statement, in the order of their references.
    pub async fn entries(&self, soa: &str) -> Vec<Value> {
        let query = format!("soa-entries?limit=200&sort=ref&soa_id={}", id_of(soa));
        let list = self.top.api.get(&self.client.path(&query), 200).await;
        list["items"].as_array().unwrap().clone()
    }

    /// The address of the entry of a control.
    pub async fn entry(&self, soa: &str, control: &str) -> String {
        let query = format!("soa-entries?soa_id={}&control={control}", id_of(soa));
        let list = self.top.api.get(&self.client.path(&query), 200).await;
        let id = list["items"][0]["id"].as_str().unwrap();
        self.client.path(&format!("soa-entries/{id}"))
    }

    /// The consultant includes all controls that nobody has decided on; so many of them are
    /// implemented, the others planned.
    pub async fn include_all(&self, soa: &str, implemented: usize) {
        let undecided = self.entries(soa).await;
        let undecided = undecided.iter().filter(|entry| entry["decision"].is_null());
        let operations: Vec<Value> = undecided
            .enumerate()
            .map(|(at, entry)| {
                let body = json!({
                    "decision": "included",
                    "justification": format!("{} is what our risks ask for.", entry["title"].as_str().unwrap()),
                    "reasons": ["risk"],
                    "owner_id": self.manager.id,
                    "implementation": if at < implemented { "implemented" } else { "planned" },
                });
                json!({"op": "update", "id": entry["id"], "version": entry["version"], "body": body})
            })
            .collect();
        if operations.is_empty() {
            return;
        }
        let batch = json!({"atomic": true, "operations": operations});
        let list = self.client.path("soa-entries/batch");
        let done = self.consultant.api.post(&list, &batch, 200).await;
        assert_eq!(done["committed"], true, "{done}");
    }

    /// A statement in force that includes every control.
    pub async fn approved_statement(&self) -> String {
        let soa = self.statement().await;
        self.include_all(&soa, 24).await;
        self.approve_statement(&soa).await;
        soa
    }

    /// Submits a statement and approves it.
    pub async fn approve_statement(&self, soa: &str) {
        self.consultant
            .api
            .transition(soa, "in_review", None, 200)
            .await;
        self.top.api.transition(soa, "approved", None, 200).await;
    }

    /// A review with all mandatory inputs.
    pub async fn ready_review(&self) -> String {
        let inputs: Vec<_> = [
            "earlier_actions",
            "changed_issues",
            "changed_needs",
            "nonconformity_trend",
            "measurement_trend",
            "audit_results",
            "improvement_chances",
        ]
        .iter()
        .map(|input| json!({"type": input, "summary": "Looked at"}))
        .collect();
        let body = json!({"title": "Review", "planned_on": "2027-06-28", "inputs": inputs});
        let path = self.make(&self.manager, "management-reviews", body).await;
        self.manager
            .api
            .transition(&path, "inputs_ready", None, 200)
            .await;
        path
    }
}
