//! Risks that AI brings to the organisation, to people and to society (clauses 6.1.2 and 8.2).

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::level::{Level, Rating, RiskCategory};
use super::residual_acceptance::{AcceptanceState, ResidualAcceptance};
use super::risk_criteria::RiskCriteria;
use super::risk_treatment::{RiskTreatment, TreatmentState};
use crate::aims::RUNNERS;
use crate::aims::operation::ai_system::AiSystemId;
use crate::aims::rules::{RSK_1, RSK_2, RSK_3};
use crate::problem::{Problem, Result};
use crate::records::{
    Cause, Guarded, Happened, Hears, Kind, KindInfo, Record, Ref, RuleId, Unmet, find, follow, get, lifecycle,
    only_in_force, version_of,
};
use crate::tenancy::{Role, Roles, TenantTx};

/// A risk.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Risk {
    /// The AI system it comes from, if it is one.
    #[serde(default)]
    pub ai_system_id: Option<AiSystemId>,
    /// Where it comes from (the seven families of ISO/IEC 42001 Annex C).
    pub source: RiskSource,
    /// What it hurts.
    pub category: RiskCategory,
    /// The objective at risk.
    #[serde(default)]
    #[schema(max_length = 500)]
    pub objective_at_risk: Option<String>,
    /// Why it may happen.
    #[serde(default)]
    #[schema(max_length = 4000)]
    pub cause: Option<String>,
    /// What may happen.
    #[serde(default)]
    #[schema(max_length = 4000)]
    pub event: Option<String>,
    /// What it would lead to.
    #[serde(default)]
    #[schema(max_length = 4000)]
    pub consequences: Option<String>,
    /// How the risk will be dealt with.
    #[serde(default)]
    pub treatment_option: Option<TreatmentOption>,
    /// Before any treatment.
    #[serde(default)]
    pub inherent: Option<Rating>,
    /// As it is now.
    #[serde(default)]
    pub current: Option<Rating>,
    /// After the treatment.
    #[serde(default)]
    pub residual: Option<Rating>,
    /// As it should become.
    #[serde(default)]
    pub target: Option<Rating>,
    /// Why the residual risk is above the inherent one, if it is (RSK-3).
    #[serde(default)]
    #[schema(max_length = 2000)]
    pub residual_reason: Option<String>,
    /// Level now: of `current`, else of `inherent`.
    #[serde(default)]
    #[schema(read_only)]
    pub level: Option<Level>,
    /// Likelihood times consequence now, of the same rating.
    #[serde(default)]
    #[schema(read_only)]
    pub score: Option<u8>,
    /// Whether the level is above the tolerance of its category.
    #[serde(default)]
    #[schema(read_only)]
    pub above_tolerance: bool,
    /// The approved criteria by which the levels were computed (RSK-1).
    #[serde(default)]
    #[schema(read_only)]
    pub criteria_ref: Option<String>,
    /// The version of them by which the level of now was computed.
    #[serde(default)]
    #[schema(read_only)]
    pub criteria_version: Option<i32>,
}

/// A reference to a risk.
pub type RiskId = Ref<Risk>;

/// Families of risk sources (ISO/IEC 42001 Annex C).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RiskSource {
    /// Complexity of the environment.
    Environment,
    /// Lack of transparency or explainability.
    Transparency,
    /// Level of automation.
    Automation,
    /// Machine learning: data, training, drift, attack.
    MachineLearning,
    /// System hardware.
    Hardware,
    /// Life cycle.
    LifeCycle,
    /// Technology readiness.
    TechnologyReadiness,
}

/// What can be done about a risk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TreatmentOption {
    /// Not start, or stop.
    Avoid,
    /// Change likelihood or consequence.
    Reduce,
    /// Share it with others.
    Share,
    /// Keep it by informed decision.
    Retain,
    /// Remove its source.
    RemoveSource,
    /// Take more of it for an opportunity.
    Increase,
}

lifecycle! {
    /// States of a risk.
    RiskState of Risk: Identified, Analysed, Evaluated, Treating, Treated, Monitored, Closed;
    start Identified; frozen [Closed];
    Identified -> Analysed by [RiskOwner, AimsManager, Consultant, Lead] if [RSK_1: has_inherent_rating];
    Analysed -> Evaluated by [RiskOwner, AimsManager, Consultant, Lead] if [RSK_1: has_inherent_rating];
    Evaluated -> Treating by [RiskOwner, AimsManager, Consultant, Lead];
    Evaluated -> Monitored by [RiskOwner] if [RSK_2: inside_tolerance];
    Evaluated -> Treated by [RiskOwner] if [RSK_2: option_retain, RSK_2: has_owner, RSK_2: is_accepted];
    Treating -> Treated by [RiskOwner] if [RSK_2: has_owner, RSK_2: has_effective_treatment, RSK_2: is_accepted];
    Treated -> Monitored by [RiskOwner];
    Treated -> Analysed by [RiskOwner, AimsManager] => asks_reason;
    Monitored -> Analysed by [RiskOwner, AimsManager] => asks_reason;
    any -> Closed by [RiskOwner, AimsManager] => asks_reason;
}

impl Kind for Risk {
    const INFO: KindInfo = KindInfo {
        name: "risk",
        path: "risks",
        prefix: "RSK",
        one: "risk",
        many: "risks",
        clauses: &["6.1.2", "8.2"],
        about: "What AI may do to objectives of the organisation, to people and to society. Levels are computed from the approved criteria (RSK-1).",
    };
    const AUTHORS: Roles = RUNNERS;
    const OWNERS: Roles = Roles::of(&[Role::RiskOwner, Role::SystemOwner]);
    const FILTERS: &'static [&'static str] = &["level", "above_tolerance", "category", "source"];
    const SORTS: &'static [&'static str] = &["level", "score"];
    const RULES: &'static [&'static RuleId] = &[&RSK_1, &RSK_3];
    const HEARS: &'static [Hears] = &[
        Hears::Changed("risk"),
        Hears::Moved("residual_acceptance", "expired"),
        Hears::Moved("risk_treatment", "ineffective"),
    ];

    /// RSK-1: what was judged gets its level from the criteria in force; what was judged before
    /// keeps the verdict it had.
    async fn compute(record: &mut Record<Self>, before: Option<&Record<Self>>, tx: &mut TenantTx<'_>) -> Result<()> {
        let risk = &mut record.body;
        let old = before.map(|before| &before.body);
        let category = risk.category;
        let same_category = old.is_some_and(|old| old.category == category);
        let mut criteria: Option<Record<RiskCriteria>> = None;
        let known = old.map_or([None; 4], |old| [old.inherent, old.current, old.residual, old.target]);
        let ratings = [&mut risk.inherent, &mut risk.current, &mut risk.residual, &mut risk.target];
        for (old, rating) in known.into_iter().zip(ratings) {
            let Some(rating) = rating else { continue };
            let kept = old.filter(|old| old.judges_as(rating) && old.level.is_some());
            if let Some(old) = kept.filter(|_| same_category) {
                *rating = old;
                continue;
            }
            if criteria.is_none() {
                criteria = Some(approved(tx).await?);
            }
            let Some(criteria) = &criteria else { continue };
            match kept.zip(kept.and_then(|old| old.criteria_version)) {
                // Another category, the same judgement: the tolerance of the criteria of then.
                Some((old, version)) if Some(version) != criteria.in_force => {
                    let of_then: RiskCriteria = version_of(tx, criteria.id, version).await?;
                    *rating = old;
                    rating.above_tolerance = rating.level.map(|level| level > of_then.tolerable(category));
                }
                _ => {
                    rating.score = Some(rating.product());
                    rating.level = criteria.body.level(rating.product());
                    rating.above_tolerance = rating.level.map(|level| level > criteria.body.tolerable(category));
                    rating.criteria_version = criteria.in_force;
                    risk.criteria_ref = Some(criteria.reference.clone());
                }
            }
        }
        let now = risk.current.or(risk.inherent);
        risk.level = now.and_then(|rating| rating.level);
        risk.score = now.and_then(|rating| rating.score);
        risk.above_tolerance = now.and_then(|rating| rating.above_tolerance).unwrap_or(false);
        risk.criteria_version = now.and_then(|rating| rating.criteria_version);
        Ok(())
    }

    /// RSK-3: what is left is not above what was there before, without a reason.
    async fn judge(record: &Record<Self>, _before: Option<&Record<Self>>, _tx: &mut TenantTx<'_>) -> Result<()> {
        let risk = &record.body;
        let ratings = [("inherent", risk.inherent), ("current", risk.current), ("residual", risk.residual), ("target", risk.target)];
        for (name, rating) in ratings {
            let Some(rating) = rating else { continue };
            if rating.worst().is_some_and(|worst| worst != rating.consequence) {
                let detail = "must be the worst of organisation, people and society";
                return Err(Problem::invalid(format!("/{name}/consequence"), detail));
            }
        }
        if let (Some(inherent), Some(residual)) = (&risk.inherent, &risk.residual)
            && residual.product() > inherent.product()
            && risk.residual_reason.as_deref().is_none_or(|reason| reason.trim().is_empty())
        {
            let detail = "The residual risk is above the inherent one; residual_reason must say why.";
            return Err(RSK_3.refuses("/residual_reason", detail));
        }
        Ok(())
    }

    /// A treated risk is, from now on, what its treatment left of it.
    async fn entering(record: &mut Record<Self>, _from: RiskState, _tx: &mut TenantTx<'_>) -> Result<()> {
        if record.status == RiskState::Treated && record.body.residual.is_some() {
            record.body.current = record.body.residual;
        }
        Ok(())
    }

    /// RSK-3: an expired acceptance, a failed treatment, or a rating that nobody has accepted
    /// sends the risk back to be analysed.
    async fn heard(happened: &Happened, tx: &mut TenantTx<'_>) -> Result<()> {
        let (id, because) = match happened.kind {
            "residual_acceptance" => (get::<ResidualAcceptance>(tx, happened.id).await?.body.risk_id.id(), "has expired"),
            "risk_treatment" => (get::<RiskTreatment>(tx, happened.id).await?.body.risk_id.id(), "turned out ineffective"),
            _ => (happened.id, "is rated above what was accepted"),
        };
        let risk = get::<Self>(tx, id).await?;
        let rests = [RiskState::Treated, RiskState::Monitored].contains(&risk.status);
        let failed = happened.kind == "risk_treatment";
        let needs_acceptance = risk.status == RiskState::Treated || risk.body.above_tolerance;
        if !rests || (!failed && (!needs_acceptance || has_valid_acceptance(&risk, tx).await?)) {
            return Ok(());
        }
        let cause = Cause::heard(happened, format!("{} {because}", happened.reference));
        follow::<Self>(tx, id, RiskState::Analysed, &cause).await
    }

    fn example() -> Value {
        json!({
            "title": "Proxy discrimination of applicants",
            "source": "machine_learning",
            "category": "people",
            "objective_at_risk": "Fair credit decisions",
            "cause": "Postcode and employer stand in for origin",
            "event": "Applicants of one group are declined more often",
            "consequences": "People are denied credit unfairly; supervisory measures",
            "treatment_option": "reduce",
        })
    }
}

/// The approved criteria; without them nothing can be rated (RSK-1).
async fn approved(tx: &mut TenantTx<'_>) -> Result<Record<RiskCriteria>> {
    only_in_force::<RiskCriteria>(tx).await?.ok_or_else(|| {
        RSK_1.refuses("", "Top management has not approved risk criteria yet; risks are rated by approved criteria only.")
    })
}

async fn has_inherent_rating(risk: &Record<Risk>, _tx: &mut TenantTx<'_>) -> Guarded {
    Unmet::unless(risk.body.inherent.is_some(), "/inherent", "The inherent risk has not been rated.")
}

async fn inside_tolerance(risk: &Record<Risk>, _tx: &mut TenantTx<'_>) -> Guarded {
    let detail = "The risk is above the tolerance; it has to be treated, or retained by an accepted decision.";
    Unmet::unless(!risk.body.above_tolerance, "/above_tolerance", detail)
}

async fn option_retain(risk: &Record<Risk>, _tx: &mut TenantTx<'_>) -> Guarded {
    let retained = risk.body.treatment_option == Some(TreatmentOption::Retain);
    Unmet::unless(retained, "/treatment_option", "Without treatment a risk becomes treated only by the option retain.")
}

async fn has_owner(risk: &Record<Risk>, _tx: &mut TenantTx<'_>) -> Guarded {
    Unmet::unless(risk.owner_id.is_some(), "/owner_id", "A treated risk needs a risk owner.")
}

async fn has_effective_treatment(risk: &Record<Risk>, tx: &mut TenantTx<'_>) -> Guarded {
    let met = risk.body.treatment_option == Some(TreatmentOption::Retain)
        || find::<RiskTreatment>().whose("risk_id", risk.id).in_states(&[TreatmentState::Effective]).exists(tx).await?;
    Unmet::unless(met, "", "A treated risk needs an effective treatment (or the option retain).")
}

async fn is_accepted(risk: &Record<Risk>, tx: &mut TenantTx<'_>) -> Guarded {
    let accepted = has_valid_acceptance(risk, tx).await?;
    Unmet::unless(accepted, "", "A treated risk needs a valid acceptance of the residual risk.")
}

/// Whether what is left of the risk has been accepted at its present level, until today or later.
async fn has_valid_acceptance(risk: &Record<Risk>, tx: &mut TenantTx<'_>) -> Result<bool> {
    let today = tx.today()?;
    let left = risk.body.left().and_then(|rating| rating.level);
    let accepted = find::<ResidualAcceptance>().whose("risk_id", risk.id).in_states(&[AcceptanceState::Accepted]).load(tx).await?;
    Ok(left.is_some()
        && accepted.iter().any(|acceptance| acceptance.body.valid_until >= today && acceptance.body.level >= left))
}

impl Risk {
    /// What is left of the risk: the worse of the residual rating and the present one, because a
    /// later look may find more than the treatment promised.
    pub fn left(&self) -> Option<Rating> {
        match (self.residual, self.current) {
            (Some(residual), Some(current)) if current.level > residual.level => Some(current),
            (residual, current) => residual.or(current).or(self.inherent),
        }
    }
}
