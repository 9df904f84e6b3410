//! Treatments of AI risks (clauses 6.1.3 and 8.3): what is done, by when, and whether it worked.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::facts::Fact;
use super::risk::{RiskId, TreatmentOption};
use crate::aims::RUNNERS;
use crate::aims::rules::RSK_2;
use crate::aims::words::ControlId;
use crate::problem::{FieldError, Problem, Result};
use crate::records::{Deadline, Guarded, Kind, KindInfo, Record, Ref, Settings, Unmet, find, lifecycle};
use crate::tenancy::{Role, Roles, TenantTx};

/// A treatment.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RiskTreatment {
    /// The risk it treats.
    pub risk_id: RiskId,
    /// What is done about the risk.
    pub option: TreatmentOption,
    /// Annex A controls it uses, such as `A.7.4`.
    #[serde(default)]
    #[schema(max_items = 88)]
    pub controls: Vec<ControlId>,
    /// What is done.
    #[schema(min_length = 1, max_length = 4000)]
    pub action: String,
    /// Civil date by which it is implemented.
    #[schema(value_type = String, format = Date)]
    pub due_on: NaiveDate,
    /// People, money and tools it takes.
    #[serde(default)]
    #[schema(max_length = 2000)]
    pub resources: Option<String>,
    /// What should be left of the risk, in words.
    #[serde(default)]
    #[schema(max_length = 2000)]
    pub expected_residual: Option<String>,
    /// How it will show that the treatment works.
    #[serde(default)]
    #[schema(max_length = 2000)]
    pub effectiveness_measure: Option<String>,
    /// What the measure showed.
    #[serde(default)]
    #[schema(max_length = 4000)]
    pub effectiveness_result: Option<String>,
    /// How far it is.
    #[serde(default)]
    #[schema(max_length = 4000)]
    pub progress: Option<String>,
}

/// A reference to a treatment.
pub type RiskTreatmentId = Ref<RiskTreatment>;

lifecycle! {
    /// States of a treatment.
    TreatmentState of RiskTreatment: Proposed, Approved, InProgress, Implemented, Effective, Ineffective, Cancelled;
    start Proposed; frozen [Approved, InProgress, Implemented, Effective, Cancelled];
    Proposed -> Approved by [RiskOwner] => approves;
    Approved -> InProgress by [RiskOwner, SystemOwner, ProcessOwner, AimsManager];
    InProgress -> Implemented by [RiskOwner, SystemOwner, ProcessOwner, AimsManager];
    Implemented -> Effective by [RiskOwner, AimsManager] if [RSK_2: shows_effect];
    Implemented -> Ineffective by [RiskOwner, AimsManager] => asks_reason, withdraws;
    Ineffective -> Proposed by [RiskOwner, SystemOwner, ProcessOwner, AimsManager, Consultant, Lead] => revises;
    any -> Cancelled by [RiskOwner, AimsManager] => asks_reason, withdraws;
}

impl Kind for RiskTreatment {
    const INFO: KindInfo = KindInfo {
        name: "risk_treatment",
        path: "risk-treatments",
        prefix: "TRT",
        one: "risk treatment",
        many: "risk treatments",
        clauses: &["6.1.3", "8.3"],
        about: "What is done about a risk, by when, and how it shows that it works. The risk owner approves it; its plan is frozen then.",
    };
    const AUTHORS: Roles = RUNNERS;
    const OWNERS: Roles = Roles::of(&[Role::RiskOwner, Role::SystemOwner, Role::ProcessOwner]);
    const FILTERS: &'static [&'static str] = &["option"];
    const SORTS: &'static [&'static str] = &["due_on"];
    const STAYS_OPEN: &'static [&'static str] = &["effectiveness_result", "progress"];

    async fn judge(record: &Record<Self>, _before: Option<&Record<Self>>, tx: &mut TenantTx<'_>) -> Result<()> {
        let known = Settings::read(tx).await?.controls();
        let unknown: Vec<_> = record
            .body
            .controls
            .iter()
            .enumerate()
            .filter(|(_, control)| !known.iter().any(|(unit, _)| *control == unit))
            .map(|(index, _)| FieldError {
                pointer: format!("/controls/{index}"),
                detail: "There is no such control in Annex A, nor among your own.".to_owned(),
            })
            .collect();
        if unknown.is_empty() { Ok(()) } else { Err(Problem::invalid_all(unknown)) }
    }

    fn deadlines(record: &Record<Self>) -> Vec<Deadline> {
        use TreatmentState::{Approved, InProgress, Proposed};
        let running = [Proposed, Approved, InProgress].contains(&record.status);
        let action = Deadline::on("action", record.body.due_on)
            .for_person_or(record.owner_id, Roles::of(&[Role::RiskOwner]));
        if running { vec![action] } else { Vec::new() }
    }

    fn example() -> Value {
        json!({
            "title": "Bias constraint in training",
            "risk_id": "019416c0-9b1c-7d2e-8f3a-5b6c7d8e9f01",
            "option": "reduce",
            "controls": ["A.7.4", "A.6.2.4"],
            "action": "Train with a fairness constraint and test the selection ratio of every release",
            "due_on": "2027-03-10",
            "resources": "Two weeks of the data team",
            "expected_residual": "2 x 4",
            "effectiveness_measure": "Selection ratio of at least 0.8 on the test set",
        })
    }
}

/// SOA-3: which controls the treatments use that are not cancelled.
pub async fn facts(tx: &mut TenantTx<'_>) -> Result<Vec<Fact>> {
    let mut treatments = find::<RiskTreatment>().load(tx).await?;
    treatments.retain(|treatment| treatment.status != TreatmentState::Cancelled);
    treatments.reverse();
    let mut used: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for treatment in &treatments {
        for control in &treatment.body.controls {
            used.entry(&control.0).or_default().push(treatment.reference.clone());
        }
    }
    let facts = used.into_iter().map(|(control, by)| Fact::new(control, "treating risks with it", by));
    Ok(facts.collect())
}

/// Effective is what the measure showed, not what was hoped.
async fn shows_effect(treatment: &Record<RiskTreatment>, _tx: &mut TenantTx<'_>) -> Guarded {
    let shown = treatment.body.effectiveness_result.as_deref().is_some_and(|result| !result.trim().is_empty());
    Unmet::unless(shown, "/effectiveness_result", "effectiveness_result must say what the measure showed.")
}
