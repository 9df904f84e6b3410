//! Management reviews (clause 9.3): inputs, attendance, decisions, approved minutes.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::problem::{Problem, Result};
use crate::records::{Deadline, Kind, KindInfo, Lifecycle, Part, PersonId, Record, counts, lifecycle};
use crate::tenancy::{Role, Roles, TenantTx, holders};

/// A management review.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ManagementReview {
    /// Civil date it is planned for.
    #[schema(value_type = String, format = Date)]
    pub planned_on: NaiveDate,
    /// Civil date it was held.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Date)]
    pub held_on: Option<NaiveDate>,
    /// Who attended.
    #[serde(default)]
    #[schema(max_items = 100)]
    pub attendees: Vec<Attendee>,
    /// What was looked at; MR-1 names the seven that must be there.
    #[serde(default)]
    #[schema(max_items = 12)]
    pub inputs: Vec<ReviewInput>,
    /// What was decided.
    #[serde(default)]
    #[schema(max_items = 100)]
    pub decisions: Vec<Decision>,
    /// The minutes.
    #[serde(default)]
    #[schema(max_length = 50_000)]
    pub minutes: Option<String>,
}

/// Somebody who attended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Attendee {
    /// The person.
    pub person_id: PersonId,
    /// In what function.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub function: Option<String>,
}

/// One input to the review.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReviewInput {
    /// Which input.
    pub r#type: InputType,
    /// What management has to know.
    #[schema(min_length = 1, max_length = 20_000)]
    pub summary: String,
    /// The tenant's records when this was written: counts by kind and state.
    #[serde(default)]
    #[schema(read_only, value_type = Object)]
    pub snapshot: Option<Value>,
}

/// Inputs of clause 9.3.2, and those a tenant may add.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InputType {
    /// Status of actions from earlier reviews.
    EarlierActions,
    /// Changed external and internal issues.
    ChangedIssues,
    /// Changed needs of interested parties.
    ChangedNeeds,
    /// Trend of nonconformities and corrective actions.
    NonconformityTrend,
    /// Trend of measurements.
    MeasurementTrend,
    /// Audit results.
    AuditResults,
    /// Chances for improvement.
    ImprovementChances,
    /// Status of risks and impacts (added).
    RiskAndImpactStatus,
    /// Objectives (added).
    Objectives,
    /// Incidents and concerns (added).
    IncidentsAndConcerns,
    /// Resources (added).
    Resources,
    /// Changed law (added).
    RegulatoryChange,
}

impl InputType {
    /// Those without which a review is none (MR-1), with their names.
    const MANDATORY: [(Self, &'static str); 7] = [
        (Self::EarlierActions, "earlier_actions"),
        (Self::ChangedIssues, "changed_issues"),
        (Self::ChangedNeeds, "changed_needs"),
        (Self::NonconformityTrend, "nonconformity_trend"),
        (Self::MeasurementTrend, "measurement_trend"),
        (Self::AuditResults, "audit_results"),
        (Self::ImprovementChances, "improvement_chances"),
    ];
}

/// Something decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// What it is about.
    pub kind: DecisionKind,
    /// What was decided; or, with `nothing`, why nothing is needed.
    #[schema(min_length = 1, max_length = 4000)]
    pub text: String,
    /// "None, because …": a decision that nothing is needed; it has no owner and no date.
    #[serde(default)]
    #[schema(default = false)]
    pub nothing: bool,
    /// Who does it.
    #[serde(default)]
    pub owner_id: Option<PersonId>,
    /// By which civil date.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Date)]
    pub due_on: Option<NaiveDate>,
}

/// What a decision is about (clause 9.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DecisionKind {
    /// Chances for improvement.
    Improvement,
    /// Need for changes to the AIMS.
    Change,
    /// Resources.
    Resource,
    /// Anything else.
    Other,
}

impl Kind for ManagementReview {
    const INFO: KindInfo = KindInfo {
        name: "management_review",
        path: "management-reviews",
        prefix: "MRV",
        one: "management review",
        many: "management reviews",
        clauses: &["9.3.1", "9.3.2", "9.3.3"],
        about: "Top management looks at the AIMS at planned intervals: seven mandatory inputs (MR-1), decisions with owners and dates, approved minutes (MR-2).",
    };
    const AUTHORS: Roles = Roles::of(&[Role::AimsManager, Role::Consultant, Role::Lead]);
    const PARTS: &'static [Part] = &[Part {
        field: "inputs",
        key: "type",
        one: "input",
    }];

    fn lifecycle() -> Lifecycle<Self> {
        lifecycle! {
            start planned;
            frozen [minutes_approved, closed];
            planned -> inputs_ready by [AimsManager] if [mr_1];
            inputs_ready -> planned by [AimsManager] => asks_reason;
            inputs_ready -> held by [AimsManager] if [mr_1, was_held];
            held -> minutes_approved by [TopManagement] if [has_minutes] => approves;
            minutes_approved -> closed by [AimsManager] if [mr_2];
            minutes_approved -> held by [TopManagement] => asks_reason;
        }
    }

    /// An input appears once; each gets the state of the records when it was written.
    async fn settle(record: &mut Record<Self>, before: Option<&Self>, tx: &mut TenantTx<'_>) -> Result<()> {
        let mut snapshot = None;
        let mut seen = Vec::new();
        for (index, input) in record.body.inputs.iter_mut().enumerate() {
            if seen.contains(&input.r#type) {
                return Err(Problem::invalid(format!("/inputs/{index}/type"), "appears twice"));
            }
            seen.push(input.r#type);
            let old = before.and_then(|before| before.inputs.iter().find(|old| old.r#type == input.r#type));
            if let Some(old) = old.filter(|old| old.summary == input.summary) {
                input.snapshot.clone_from(&old.snapshot);
                continue;
            }
            if snapshot.is_none() {
                snapshot = Some(counts(tx).await?);
            }
            input.snapshot.clone_from(&snapshot);
        }
        Ok(())
    }

    fn deadlines(record: &Record<Self>) -> Vec<Deadline> {
        let review = Deadline::on("management_review", record.body.planned_on)
            .for_person(record.owner_id)
            .for_roles(Roles::of(&[Role::TopManagement, Role::AimsManager]));
        match record.status.as_str() {
            "planned" | "inputs_ready" => vec![review],
            _ => Vec::new(),
        }
    }

    fn example() -> Value {
        json!({
            "title": "Management review 2027",
            "planned_on": "2027-06-28",
            "inputs": [{"type": "earlier_actions", "summary": "First review; there are no earlier actions."}],
            "decisions": [{"kind": "improvement", "text": "Train all credit officers on automation bias", "owner_id": null, "due_on": "2027-09-30"}],
        })
    }
}

/// MR-1: the review is not ready, hence not held, without all mandatory inputs.
async fn mr_1(review: &Record<ManagementReview>, _tx: &mut TenantTx<'_>) -> Result<()> {
    let missing: Vec<_> = InputType::MANDATORY
        .iter()
        .filter(|(wanted, _)| !review.body.inputs.iter().any(|input| input.r#type == *wanted))
        .map(|(_, name)| *name)
        .collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(Problem::rule("MR-1", format!("These inputs are missing: {}.", missing.join(", ")))),
    }
}

async fn was_held(review: &Record<ManagementReview>, tx: &mut TenantTx<'_>) -> Result<()> {
    let today = tx.today()?;
    match review.body.held_on {
        Some(held_on) if held_on <= today => Ok(()),
        _ => Err(Problem::rule("MR-2", "held_on must say when it was held, today or earlier.")),
    }
}

async fn has_minutes(review: &Record<ManagementReview>, _tx: &mut TenantTx<'_>) -> Result<()> {
    match review.body.minutes.as_deref().map(str::trim) {
        Some(minutes) if !minutes.is_empty() => Ok(()),
        _ => Err(Problem::rule("MR-2", "There are no minutes to approve.")),
    }
}

/// MR-2: closes only with top management attending, explicit decisions on improvement and on
/// need for change, and an owner and a date for each action.
async fn mr_2(review: &Record<ManagementReview>, tx: &mut TenantTx<'_>) -> Result<()> {
    let body = &review.body;
    let mut missing = Vec::new();
    let top = holders(tx, Role::TopManagement).await?;
    if !body.attendees.iter().any(|attendee| top.contains(&attendee.person_id.0)) {
        missing.push("somebody of top management among the attendees".to_owned());
    }
    for (kind, name) in [(DecisionKind::Improvement, "improvement"), (DecisionKind::Change, "need for change")] {
        if !body.decisions.iter().any(|decision| decision.kind == kind) {
            missing.push(format!("a decision on {name} (\"none, because\" counts)"));
        }
    }
    let incomplete = body
        .decisions
        .iter()
        .filter(|decision| !decision.nothing)
        .any(|decision| decision.owner_id.is_none() || decision.due_on.is_none());
    if incomplete {
        missing.push("an owner and a date for each action".to_owned());
    }
    match missing.is_empty() {
        true => Ok(()),
        false => Err(Problem::rule("MR-2", format!("A closed review needs {}.", missing.join(", ")))),
    }
}
