//! Management reviews (clause 9.3): inputs, attendance, decisions, approved minutes.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::problem::{Problem, Result};
use crate::aims::RUNNERS;
use crate::aims::rules::{MR_1, MR_2};
use crate::records::{
    AddedInput, Deadline, Guarded, Kind, KindInfo, NextDate, Part, PersonId, Record, Settings, Unmet, counts, lifecycle,
};
use crate::tenancy::{Role, Roles, TenantTx, holders_on};

/// The deadline of a review.
const MANAGEMENT_REVIEW: &str = "management_review";

/// Dates that the portfolio looks out for.
pub const DATES: &[NextDate] = &[NextDate {
    name: "management_review",
    deadline: MANAGEMENT_REVIEW,
    about: "When the next management review is due.",
}];

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
    #[schema(read_only, value_type = Option<RecordCounts>)]
    pub snapshot: Option<Value>,
}

/// Records of the tenant, counted by kind and state.
#[derive(ToSchema)]
pub struct RecordCounts(pub BTreeMap<String, BTreeMap<String, i64>>);

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

    /// One that a tenant has added, with its name.
    fn added(input: AddedInput) -> (Self, &'static str) {
        match input {
            AddedInput::RiskAndImpactStatus => (Self::RiskAndImpactStatus, "risk_and_impact_status"),
            AddedInput::Objectives => (Self::Objectives, "objectives"),
            AddedInput::IncidentsAndConcerns => (Self::IncidentsAndConcerns, "incidents_and_concerns"),
            AddedInput::Resources => (Self::Resources, "resources"),
            AddedInput::RegulatoryChange => (Self::RegulatoryChange, "regulatory_change"),
        }
    }
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

lifecycle! {
    /// States of a review.
    ReviewState of ManagementReview: Planned, InputsReady, Held, MinutesApproved, Closed;
    start Planned; frozen [MinutesApproved, Closed];
    Planned -> InputsReady by [AimsManager] if [MR_1: has_all_inputs];
    InputsReady -> Planned by [AimsManager] => asks_reason;
    InputsReady -> Held by [AimsManager] if [MR_1: has_all_inputs, MR_2: was_held];
    Held -> MinutesApproved by [TopManagement] if [MR_2: has_minutes] => approves;
    MinutesApproved -> Closed by [AimsManager] if [MR_2: top_attended, MR_2: has_decided, MR_2: actions_are_assigned];
    MinutesApproved -> Held by [TopManagement] => asks_reason, revises;
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
    const AUTHORS: Roles = RUNNERS;
    const SORTS: &'static [&'static str] = &["planned_on", "held_on"];
    const PARTS: &'static [Part] = &[Part {
        field: "inputs",
        key: "type",
        one: "input",
        person: None,
    }];

    /// An input appears once; each gets the state of the records when it was written.
    async fn compute(record: &mut Record<Self>, before: Option<&Record<Self>>, tx: &mut TenantTx<'_>) -> Result<()> {
        let mut snapshot = None;
        let mut seen = Vec::new();
        for (index, input) in record.body.inputs.iter_mut().enumerate() {
            if seen.contains(&input.r#type) {
                return Err(Problem::invalid(format!("/inputs/{index}/type"), "appears twice"));
            }
            seen.push(input.r#type);
            let old = before.and_then(|before| before.body.inputs.iter().find(|old| old.r#type == input.r#type));
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
        let review = Deadline::on(MANAGEMENT_REVIEW, record.body.planned_on)
            .for_person(record.owner_id)
            .for_roles(Roles::of(&[Role::TopManagement, Role::AimsManager]));
        match record.status {
            ReviewState::Planned | ReviewState::InputsReady => vec![review],
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

async fn has_all_inputs(review: &Record<ManagementReview>, tx: &mut TenantTx<'_>) -> Guarded {
    let there: Vec<_> = review.body.inputs.iter().map(|input| input.r#type).collect();
    let mut missing: Vec<&str> = InputType::MANDATORY
        .iter()
        .filter(|(wanted, _)| !there.contains(wanted))
        .map(|(_, name)| *name)
        .collect();
    for added in Settings::read(tx).await?.added_review_inputs {
        let (wanted, name) = InputType::added(added);
        if !there.contains(&wanted) {
            missing.push(name);
        }
    }
    Ok(missing
        .into_iter()
        .map(|name| Unmet::new("/inputs", format!("The input {name} is missing.")))
        .collect())
}

async fn was_held(review: &Record<ManagementReview>, tx: &mut TenantTx<'_>) -> Guarded {
    let today = tx.today()?;
    let held = review.body.held_on.is_some_and(|held_on| held_on <= today);
    Unmet::unless(held, "/held_on", "held_on must say when it was held, today or earlier.")
}

async fn has_minutes(review: &Record<ManagementReview>, _tx: &mut TenantTx<'_>) -> Guarded {
    let written = review.body.minutes.as_deref().is_some_and(|minutes| !minutes.trim().is_empty());
    Unmet::unless(written, "/minutes", "There are no minutes to approve.")
}

/// Somebody who was top management on the day of the review attended.
async fn top_attended(review: &Record<ManagementReview>, tx: &mut TenantTx<'_>) -> Guarded {
    let on = review.body.held_on.unwrap_or(review.body.planned_on);
    let top = holders_on(tx, Role::TopManagement, on).await?;
    let attended = review.body.attendees.iter().any(|attendee| top.contains(&attendee.person_id.0));
    Unmet::unless(attended, "/attendees", "A closed review needs somebody of top management among the attendees.")
}

async fn has_decided(review: &Record<ManagementReview>, _tx: &mut TenantTx<'_>) -> Guarded {
    let wanted = [(DecisionKind::Improvement, "improvement"), (DecisionKind::Change, "need for change")];
    Ok(wanted
        .iter()
        .filter(|(kind, _)| !review.body.decisions.iter().any(|decision| decision.kind == *kind))
        .map(|(_, name)| {
            Unmet::new("/decisions", format!("A closed review needs a decision on {name} (\"none, because\" counts)."))
        })
        .collect())
}

async fn actions_are_assigned(review: &Record<ManagementReview>, _tx: &mut TenantTx<'_>) -> Guarded {
    let actions = review.body.decisions.iter().enumerate();
    Ok(actions
        .filter(|(_, decision)| !decision.nothing && (decision.owner_id.is_none() || decision.due_on.is_none()))
        .map(|(at, _)| Unmet::new(format!("/decisions/{at}"), "A closed review needs an owner and a date for each action."))
        .collect())
}
