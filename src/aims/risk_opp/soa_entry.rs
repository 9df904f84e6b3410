//! Entries of a Statement of Applicability (clause 6.1.3): one for each control, whether it
//! applies, why, and how far it is put into practice.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::facts::{Fact, against, facts};
use super::risk_treatment::RiskTreatmentId;
use super::soa::{Soa, SoaId, SoaState};
use crate::aims::RUNNERS;
use crate::aims::rules::{SOA_2, SOA_3};
use crate::aims::words::ControlId;
use crate::problem::{Problem, Result};
use crate::records::{
    Deadline, Kind, KindInfo, Record, RuleId, Settings, get, is_waived, lifecycle,
};
use crate::tenancy::{Role, Roles, TenantTx};

/// Fewest characters of a justification (SOA-2).
const SHORTEST: usize = 20;
/// What stands in an entry until somebody justifies it; left unchanged, it justifies nothing.
const TEMPLATE: &str = "To be written: why this control is included or excluded.";

/// What a Statement of Applicability says about one control. It is approved and frozen with the
/// statement; how far the control is stays open.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SoaEntry {
    /// The statement it belongs to, and stays with.
    pub soa_id: SoaId,
    /// The control: of Annex A, or of your own. It stays.
    pub control: ControlId,
    /// Whether the control applies; null while nobody has decided.
    #[serde(default)]
    pub decision: Option<SoaDecision>,
    /// Why, in at least 20 characters of your own (SOA-2).
    #[serde(default = "template")]
    #[schema(max_length = 4000, default = "To be written: why this control is included or excluded.")]
    pub justification: String,
    /// What asks for it; an included control needs one at least.
    #[serde(default)]
    #[schema(max_items = 6)]
    pub reasons: Vec<SoaReason>,
    /// Treatments of risks that use it.
    #[serde(default)]
    #[schema(max_items = 50)]
    pub treatments: Vec<RiskTreatmentId>,
    /// How far an included control is. Open while the statement is approved.
    #[serde(default)]
    pub implementation: Option<ControlImplementation>,
    /// Civil date by which it is put into practice. Open while the statement is approved.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Date)]
    pub planned_on: Option<NaiveDate>,
}

fn template() -> String {
    TEMPLATE.to_owned()
}

/// Whether a control applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SoaDecision {
    /// It applies.
    Included,
    /// It does not.
    Excluded,
}

/// What asks for a control.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SoaReason {
    /// A risk.
    Risk,
    /// Law.
    Legal,
    /// A contract.
    Contract,
    /// An objective.
    Objective,
    /// A policy.
    Policy,
    /// Good practice.
    BestPractice,
}

/// How far a control is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ControlImplementation {
    /// Nothing has been done.
    NotStarted,
    /// It is planned.
    Planned,
    /// A part of it is there.
    Partial,
    /// It is put into practice.
    Implemented,
}

impl SoaEntry {
    /// An entry that nobody has decided on.
    pub fn undecided(soa: &Record<Soa>, control: &str) -> Self {
        Self {
            soa_id: soa.link(),
            control: ControlId(control.to_owned()),
            decision: None,
            justification: template(),
            reasons: Vec::new(),
            treatments: Vec::new(),
            implementation: None,
            planned_on: None,
        }
    }

    fn is_justified(&self) -> bool {
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let own = words(&self.justification);
        own.chars().count() >= SHORTEST && own.to_lowercase() != TEMPLATE.to_lowercase()
    }
}

/// SOA-2: what an entry lacks to be approved, each with its field.
pub fn lacks(entry: &Record<SoaEntry>) -> Vec<(&'static str, &'static str)> {
    let included = entry.body.decision == Some(SoaDecision::Included);
    [
        (entry.body.decision.is_none(), "decision", "is not decided on"),
        (!entry.body.is_justified(), "justification", "is not justified in 20 characters of your own"),
        (included && entry.body.reasons.is_empty(), "reasons", "has no reason"),
        (included && entry.owner_id.is_none(), "owner_id", "has no owner"),
        (included && entry.body.implementation.is_none(), "implementation", "does not say how far it is"),
    ]
    .into_iter()
    .filter_map(|(lacking, field, what)| lacking.then_some((field, what)))
    .collect()
}

lifecycle! {
    /// States of an entry.
    SoaEntryState of SoaEntry: Current, Withdrawn;
    start Current; frozen [Withdrawn];
    Current -> Withdrawn by [];
}

impl Kind for SoaEntry {
    const INFO: KindInfo = KindInfo {
        name: "soa_entry",
        path: "soa-entries",
        prefix: "SOE",
        one: "entry of a Statement of Applicability",
        many: "entries of Statements of Applicability",
        clauses: &["6.1.3"],
        about: "What a Statement of Applicability says about one control: `?soa_id=` lists them, `?soa_id=&control=A.10.4` finds one. They are made with the statement, approved with it as one version, and frozen with it; `implementation` and `planned_on` stay open. An exclusion that facts speak against is refused unless waived (SOA-3).",
    };
    const AUTHORS: Roles = RUNNERS;
    const OWNERS: Roles = Roles::of(&[Role::SystemOwner, Role::RiskOwner, Role::ProcessOwner]);
    const FILTERS: &'static [&'static str] = &["control", "decision", "implementation"];
    const SORTS: &'static [&'static str] = &["implementation", "planned_on"];
    const STAYS_OPEN: &'static [&'static str] = &["implementation", "planned_on"];
    const RULES: &'static [&'static RuleId] = &[&SOA_2, &SOA_3];

    async fn judge(record: &Record<Self>, before: Option<&Record<Self>>, tx: &mut TenantTx<'_>) -> Result<()> {
        let entry = &record.body;
        match before {
            None => {
                let known = Settings::read(tx).await?.controls();
                if !known.iter().any(|(unit, _)| entry.control == *unit) {
                    let detail = "There is no such control in Annex A, nor among your own.";
                    return Err(Problem::invalid("/control", detail));
                }
            }
            Some(before) if before.body.control != entry.control => {
                return Err(Problem::invalid("/control", "An entry keeps its control."));
            }
            Some(_) => stays_whole(record, tx).await?,
        }
        let excluded = |entry: &Self| entry.decision == Some(SoaDecision::Excluded);
        if excluded(entry) && !before.is_some_and(|before| excluded(&before.body)) {
            contradicts_nothing(record, tx).await?;
        }
        Ok(())
    }

    fn deadlines(record: &Record<Self>) -> Vec<Deadline> {
        let open = record.status == SoaEntryState::Current
            && record.body.decision == Some(SoaDecision::Included)
            && record.body.implementation != Some(ControlImplementation::Implemented);
        let planned = record.body.planned_on.filter(|_| open);
        let manager = Roles::of(&[Role::AimsManager]);
        let deadline = |due_on| Deadline::on("implementation", due_on).for_person_or(record.owner_id, manager);
        planned.map(deadline).into_iter().collect()
    }

    fn example() -> Value {
        json!({
            "title": "A.10.4 Customers",
            "soa_id": "019416c0-9b1c-7d2e-8f3a-5b6c7d8e9f01",
            "control": "A.10.4",
            "decision": "included",
            "justification": "Customers chat with AskAurelia and rely on its answers.",
            "reasons": ["risk", "contract"],
            "implementation": "planned",
            "planned_on": "2027-06-30",
        })
    }
}

/// SOA-2 holds for what is approved: what stays open may change, and is not taken away.
async fn stays_whole(record: &Record<SoaEntry>, tx: &mut TenantTx<'_>) -> Result<()> {
    let Some((field, what)) = lacks(record).into_iter().next() else {
        return Ok(());
    };
    let soa = get::<Soa>(tx, record.body.soa_id.id()).await?;
    if ![SoaState::Approved, SoaState::ReviewRequired].contains(&soa.status) {
        return Ok(());
    }
    let detail = format!("{} is approved: an entry of it that {what} is not whole.", soa.reference);
    Err(SOA_2.refuses(&format!("/{field}"), detail))
}

/// SOA-3: facts do not speak against the exclusion, unless that is waived.
async fn contradicts_nothing(record: &Record<SoaEntry>, tx: &mut TenantTx<'_>) -> Result<()> {
    let facts = facts(tx).await?;
    match contradiction(record, &facts, tx).await? {
        Some(detail) => Err(SOA_3.refuses("/decision", detail).with_status(409)),
        None => Ok(()),
    }
}

/// What speaks against an exclusion; nothing when a waiver of the entry lets it pass.
pub async fn contradiction(entry: &Record<SoaEntry>, facts: &[Fact], tx: &mut TenantTx<'_>) -> Result<Option<String>> {
    if entry.body.decision != Some(SoaDecision::Excluded) {
        return Ok(None);
    }
    let control = &entry.body.control.0;
    let detail = match against(control, facts) {
        None if !entry.body.treatments.is_empty() => {
            format!("{control} cannot be excluded: its entry names treatments that use it.")
        }
        None => return Ok(None),
        Some(detail) => detail,
    };
    let waived = is_waived(tx, entry.id, &SOA_3).await?;
    Ok((!waived).then_some(detail))
}
