//! Policies (clause 5.2 and A.2): what the organisation commits itself to with AI, approved by top
//! management, published, and acknowledged by those it is meant for.

use chrono::{Months, NaiveDate};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::acknowledgement;
use crate::aims::RUNNERS;
use crate::aims::rules::{POL_1, POL_2};
use crate::problem::{FieldError, Problem, Result};
use crate::records::{Guarded, Kind, KindInfo, Record, Ref, RuleId, Unmet, lifecycle};
use crate::tenancy::{Role, Roles, TenantTx};

/// Longest time to the next review of an AI policy, in months.
const REVIEW_MONTHS: u32 = 12;

/// The organisation's own people who can take part; asked where no roles are named.
const STAFF: Roles = Roles::of(&[
    Role::TopManagement,
    Role::AimsManager,
    Role::SystemOwner,
    Role::RiskOwner,
    Role::ProcessOwner,
    Role::Overseer,
    Role::InternalAuditor,
    Role::Employee,
]);

/// A policy.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// What it is about.
    pub kind: PolicyKind,
    /// Its text.
    #[schema(min_length = 1, max_length = 100_000, pattern = "\\S")]
    pub text: String,
    /// The two commitments of clause 5.2, and where the text makes them.
    #[serde(default)]
    #[schema(max_items = 2)]
    pub commitments: Vec<Commitment>,
    /// Other policies that it applies or touches.
    #[serde(default)]
    #[schema(max_items = 50)]
    pub linked_policies: Vec<PolicyId>,
    /// Whether its audience is asked to acknowledge each version that comes into force.
    #[serde(default)]
    #[schema(default = false)]
    pub ack_required: bool,
    /// Days that people have for it.
    #[serde(default = "ack_due_days")]
    #[schema(minimum = 1, maximum = 365, default = 30)]
    pub ack_due_days: u16,
    /// Roles that are asked; with none, all of the organisation's own people who can take part.
    #[serde(default)]
    #[schema(max_items = 12)]
    pub ack_roles: Vec<Role>,
}

/// What a policy is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PolicyKind {
    /// The AI policy of clause 5.2, approved by top management.
    Ai,
    /// Data.
    Data,
    /// Human oversight.
    Oversight,
    /// Use of AI.
    Use,
    /// Suppliers.
    Supplier,
    /// Incidents.
    Incident,
    /// Anything else.
    Other,
}

/// A commitment, ticked when the text makes it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Commitment {
    /// Which one.
    pub to: CommitmentTo,
    /// Whether the text makes it.
    pub ticked: bool,
    /// Where in the text, such as a section.
    #[serde(default)]
    #[schema(max_length = 200, example = "Section 2")]
    pub located: Option<String>,
}

/// The commitments of clause 5.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CommitmentTo {
    /// To meet the requirements that apply.
    MeetRequirements,
    /// To improve the AI management system continually.
    Improve,
}

/// A reference to a policy.
pub type PolicyId = Ref<Policy>;

const fn ack_due_days() -> u16 {
    30
}

impl Policy {
    /// Who is asked to acknowledge it.
    pub fn asked(&self) -> Roles {
        match Roles::of(&self.ack_roles) {
            none if none == Roles::default() => STAFF,
            named => named,
        }
    }

    fn makes(&self, to: CommitmentTo) -> bool {
        self.commitments.iter().any(|one| {
            let located = one.located.as_deref().is_some_and(|place| !place.trim().is_empty());
            one.to == to && one.ticked && located
        })
    }

    fn faults(&self) -> Vec<FieldError> {
        let mut faults = Vec::new();
        for (index, one) in self.commitments.iter().enumerate() {
            if self.commitments.iter().take(index).any(|other| other.to == one.to) {
                faults.push((format!("/commitments/{index}/to"), "appears twice"));
            }
        }
        for (index, role) in self.ack_roles.iter().enumerate() {
            if [Role::Viewer, Role::ExternalAuditor].contains(role) {
                faults.push((format!("/ack_roles/{index}"), "only reads; it cannot be asked to acknowledge"));
            }
        }
        let fault = |(pointer, detail): (String, &str)| FieldError { pointer, detail: detail.to_owned() };
        faults.into_iter().map(fault).collect()
    }
}

lifecycle! {
    /// States of a policy.
    PolicyState of Policy: Draft, InReview, Approved, Published, Withdrawn;
    start Draft; frozen [InReview, Approved, Published, Withdrawn];
    Draft -> InReview by [AimsManager, Consultant, Lead] or [owner];
    InReview -> Draft by [AimsManager, TopManagement, Lead] => asks_reason;
    InReview -> Approved by [TopManagement, AimsManager] if [POL_1: by_top_management, POL_1: commits, POL_1: is_reviewed_in_time] => approves;
    Approved -> Published by [AimsManager, TopManagement] if [POL_1: commits, POL_1: is_reviewed_in_time, POL_2: reaches_its_audience] => puts_in_force;
    Approved -> Draft by [AimsManager, Consultant, Lead] => revises, asks_reason;
    Published -> Draft by [AimsManager, Consultant, Lead] => revises, asks_reason;
    Published -> Withdrawn by [AimsManager, TopManagement] => withdraws, asks_reason;
}

impl Kind for Policy {
    const INFO: KindInfo = KindInfo {
        name: "policy",
        path: "policies",
        prefix: "POL",
        one: "policy",
        many: "policies",
        clauses: &["5.2", "A.2.2", "A.2.3", "A.2.4"],
        about: "What the organisation commits itself to. An AI policy needs top management (POL-1), any other the AIMS manager or top management. In force once published; while it is revised, the published version stays in force. With the audience everybody, employees read the version in force, and acknowledge it where that is asked (POL-2).",
    };
    const AUTHORS: Roles = RUNNERS;
    const OWNERS: Roles = Roles::of(&[Role::TopManagement, Role::SystemOwner, Role::ProcessOwner]);
    const FILTERS: &'static [&'static str] = &["kind", "ack_required"];
    const RULES: &'static [&'static RuleId] = &[&POL_1];

    async fn judge(record: &Record<Self>, before: Option<&Record<Self>>, tx: &mut TenantTx<'_>) -> Result<()> {
        let faults = record.body.faults();
        if !faults.is_empty() {
            return Err(Problem::invalid_all(faults));
        }
        // What is in force keeps its date; setting another is no revision.
        let moved = before.is_some_and(|before| before.next_review_on != record.next_review_on);
        match is_reviewed_in_time(record, tx).await?.into_iter().next() {
            Some(unmet) if moved && record.in_force.is_some() => Err(POL_1.refuses(&unmet.pointer, unmet.detail)),
            _ => Ok(()),
        }
    }

    async fn moved(record: &Record<Self>, _from: PolicyState, tx: &mut TenantTx<'_>) -> Result<()> {
        match record.status {
            PolicyState::Published => acknowledgement::ask(record, tx).await,
            _ => Ok(()),
        }
    }

    fn example() -> Value {
        json!({
            "title": "AI policy",
            "kind": "ai",
            "text": "1 Purpose. 2 We meet the requirements that apply to our AI. 3 We improve how we manage it. 4 Everybody reports what goes wrong.",
            "commitments": [
                {"to": "meet_requirements", "ticked": true, "located": "Section 2"},
                {"to": "improve", "ticked": true, "located": "Section 3"},
            ],
            "ack_required": true,
            "ack_due_days": 30,
            "audience": "everybody",
        })
    }
}

/// POL-1: an AI policy is approved by top management, any other by the AIMS manager too.
async fn by_top_management(policy: &Record<Policy>, tx: &mut TenantTx<'_>) -> Guarded {
    let actor = tx.actor();
    if policy.body.kind != PolicyKind::Ai || (actor.roles().has(Role::TopManagement) && !actor.is_of_firm()) {
        return Ok(Vec::new());
    }
    Ok(vec![Unmet::by_person("An AI policy is approved by top management.")])
}

/// POL-1: both commitments are ticked and located.
async fn commits(policy: &Record<Policy>, _tx: &mut TenantTx<'_>) -> Guarded {
    let missing = |to, detail: &str| {
        let met = policy.body.kind != PolicyKind::Ai || policy.body.makes(to);
        Unmet::unless(met, "/commitments", detail)
    };
    let mut unmet = missing(
        CommitmentTo::MeetRequirements,
        "An AI policy commits to meet requirements, and says where.",
    )?;
    unmet.extend(missing(
        CommitmentTo::Improve,
        "An AI policy commits to improve continually, and says where.",
    )?);
    Ok(unmet)
}

/// POL-1: the next review is within twelve months.
async fn is_reviewed_in_time(policy: &Record<Policy>, tx: &mut TenantTx<'_>) -> Guarded {
    let today = tx.today()?;
    let last = today.checked_add_months(Months::new(REVIEW_MONTHS)).unwrap_or(today);
    let in_time = |date: NaiveDate| (today..=last).contains(&date);
    let met = policy.body.kind != PolicyKind::Ai || policy.next_review_on.is_some_and(in_time);
    let detail = format!("An AI policy has its next review from {today} to {last}.");
    Unmet::unless(met, "/next_review_on", &detail)
}

/// POL-2: who is asked to acknowledge it can read it.
async fn reaches_its_audience(policy: &Record<Policy>, _tx: &mut TenantTx<'_>) -> Guarded {
    let met = !policy.body.ack_required || policy.is_seen_by(policy.body.asked());
    Unmet::unless(
        met,
        "/audience",
        "Who is asked to acknowledge it must be able to read it: open it to everybody or name their roles.",
    )
}
