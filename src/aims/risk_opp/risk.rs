//! Risks that AI brings to the organisation, to people and to society (clauses 6.1.2 and 8.2).

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::level::{Level, Rating, RiskCategory};
use super::residual_acceptance::ResidualAcceptance;
use super::risk_criteria::RiskCriteria;
use super::risk_treatment::RiskTreatment;
use crate::aims::operation::ai_system::AiSystemId;
use crate::problem::{Problem, Result};
use crate::records::{Filter, Find, Kind, KindInfo, Lifecycle, Record, Ref, find, get, lifecycle};
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
    /// Whether the level is above the tolerance of its category.
    #[serde(default)]
    #[schema(read_only)]
    pub above_tolerance: bool,
    /// The approved criteria by which the levels were computed (RSK-1).
    #[serde(default)]
    #[schema(read_only)]
    pub criteria_ref: Option<String>,
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
    const AUTHORS: Roles = Roles::of(&[Role::RiskOwner, Role::SystemOwner, Role::AimsManager, Role::Consultant, Role::Lead]);
    const FILTERS: &'static [Filter] = &[Filter::AiSystem, Filter::Level, Filter::AboveTolerance];

    fn lifecycle() -> Lifecycle<Self> {
        lifecycle! {
            start identified;
            frozen [closed];
            identified -> analysed by [RiskOwner, AimsManager, Consultant, Lead] if [has_inherent_rating];
            analysed -> evaluated by [RiskOwner, AimsManager, Consultant, Lead] if [has_inherent_rating];
            evaluated -> treating by [RiskOwner, AimsManager, Consultant, Lead];
            evaluated -> monitored by [RiskOwner] if [inside_tolerance];
            evaluated -> treated by [RiskOwner] if [option_retain, rsk_2];
            treating -> treated by [RiskOwner] if [rsk_2];
            treated -> monitored by [RiskOwner];
            treated -> analysed by [RiskOwner, AimsManager] => asks_reason;
            monitored -> analysed by [RiskOwner, AimsManager] => asks_reason;
            any -> closed by [RiskOwner, AimsManager] => asks_reason;
        }
    }

    /// RSK-1 and RSK-3: what was judged gets its level from the criteria in force; what was
    /// judged before keeps the level it had.
    async fn settle(record: &mut Record<Self>, before: Option<&Self>, tx: &mut TenantTx<'_>) -> Result<()> {
        let risk = &mut record.body;
        if let Some(before) = before {
            risk.criteria_ref.clone_from(&before.criteria_ref);
        }
        let known: Vec<Option<Rating>> = match before {
            Some(old) => vec![old.inherent, old.current, old.residual, old.target],
            None => Vec::new(),
        };
        let mut known = known.into_iter();
        let mut criteria: Option<Record<RiskCriteria>> = None;
        let names = ["inherent", "current", "residual", "target"];
        let ratings = [&mut risk.inherent, &mut risk.current, &mut risk.residual, &mut risk.target];
        for (name, rating) in names.into_iter().zip(ratings) {
            let old = known.next().flatten();
            let Some(rating) = rating else { continue };
            if rating.worst().is_some_and(|worst| worst != rating.consequence) {
                let detail = "must be the worst of organisation, people and society";
                return Err(Problem::invalid(format!("/{name}/consequence"), detail));
            }
            if let Some(old) = old.filter(|old| old.judges_as(rating) && old.level.is_some()) {
                *rating = old;
                continue;
            }
            if criteria.is_none() {
                criteria = Some(in_force(tx).await?);
            }
            rating.score = Some(rating.product());
            rating.level = criteria.as_ref().and_then(|criteria| criteria.body.level(rating.product()));
        }
        if let (Some(inherent), Some(residual)) = (&risk.inherent, &risk.residual)
            && residual.product() > inherent.product()
            && risk.residual_reason.as_deref().is_none_or(|reason| reason.trim().is_empty())
        {
            return Err(Problem::rule("RSK-3", "The residual risk is above the inherent one; residual_reason must say why."));
        }
        let level = risk.current.or(risk.inherent).and_then(|rating| rating.level);
        let same = before.is_some_and(|old| old.level == level && old.category == risk.category);
        risk.level = level;
        match (before, level) {
            (Some(old), _) if same && criteria.is_none() => risk.above_tolerance = old.above_tolerance,
            (_, None) => risk.above_tolerance = false,
            (_, Some(level)) => {
                let criteria = match criteria.take() {
                    Some(criteria) => criteria,
                    None => in_force(tx).await?,
                };
                risk.above_tolerance = level > criteria.body.tolerable(risk.category);
                risk.criteria_ref = Some(criteria.reference);
            }
        }
        Ok(())
    }

    /// A treated risk is, from now on, what its treatment left of it.
    async fn moved(record: &mut Record<Self>, _from: &str, _tx: &mut TenantTx<'_>) -> Result<()> {
        if record.status == "treated" && record.body.residual.is_some() {
            record.body.current = record.body.residual;
        }
        Ok(())
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
async fn in_force(tx: &mut TenantTx<'_>) -> Result<Record<RiskCriteria>> {
    RiskCriteria::in_force(tx).await?.ok_or_else(|| {
        Problem::rule("RSK-1", "Top management has not approved risk criteria yet; risks are rated by approved criteria only.")
    })
}

async fn has_inherent_rating(risk: &Record<Risk>, _tx: &mut TenantTx<'_>) -> Result<()> {
    match risk.body.inherent {
        Some(_) => Ok(()),
        None => Err(Problem::rule("RSK-1", "The inherent risk has not been rated.")),
    }
}

async fn inside_tolerance(risk: &Record<Risk>, _tx: &mut TenantTx<'_>) -> Result<()> {
    match risk.body.above_tolerance {
        false => Ok(()),
        true => Err(Problem::rule("RSK-2", "The risk is above the tolerance; it has to be treated, or retained by an accepted decision.")),
    }
}

async fn option_retain(risk: &Record<Risk>, _tx: &mut TenantTx<'_>) -> Result<()> {
    match risk.body.treatment_option {
        Some(TreatmentOption::Retain) => Ok(()),
        _ => Err(Problem::rule("RSK-2", "Without treatment a risk becomes treated only by the option retain.")),
    }
}

/// RSK-2: `treated` needs an effective treatment or the option retain, a risk owner, and a valid
/// acceptance of the residual risk by the person entitled for its level.
async fn rsk_2(risk: &Record<Risk>, tx: &mut TenantTx<'_>) -> Result<()> {
    let mut missing = Vec::new();
    if risk.owner_id.is_none() {
        missing.push("a risk owner");
    }
    if risk.body.treatment_option != Some(TreatmentOption::Retain) {
        let of_risk = Find { risk: Some(risk.id), statuses: &["effective"], ..Find::default() };
        if find::<RiskTreatment>(tx, of_risk).await?.is_empty() {
            missing.push("an effective treatment (or the option retain)");
        }
    }
    if !has_valid_acceptance(risk, tx).await? {
        missing.push("a valid acceptance of the residual risk");
    }
    match missing.is_empty() {
        true => Ok(()),
        false => Err(Problem::rule("RSK-2", format!("A treated risk needs {}.", missing.join(", ")))),
    }
}

/// Whether the risk that is left has been accepted at its present level, until today or later.
async fn has_valid_acceptance(risk: &Record<Risk>, tx: &mut TenantTx<'_>) -> Result<bool> {
    let today: NaiveDate = tx.today()?;
    let left = risk.body.left().and_then(|rating| rating.level);
    let of_risk = Find { risk: Some(risk.id), statuses: &["accepted"], ..Find::default() };
    let accepted = find::<ResidualAcceptance>(tx, of_risk).await?;
    Ok(accepted
        .iter()
        .any(|acceptance| acceptance.body.valid_until >= today && left.is_some() && acceptance.body.level >= left))
}

impl Risk {
    /// What is left of the risk: the residual rating, or the present one while none was given.
    pub fn left(&self) -> Option<Rating> {
        self.residual.or(self.current).or(self.inherent)
    }
}

/// RSK-3: an expired acceptance or a failed treatment sends the risk back to be analysed.
pub(super) async fn send_back(tx: &mut TenantTx<'_>, risk: RiskId, reason: &str) -> Result<()> {
    let record = get::<Risk>(tx, risk.id()).await?;
    if ["treated", "monitored"].contains(&record.status.as_str()) {
        crate::records::follow::<Risk>(tx, record.id, "analysed", reason).await?;
    }
    Ok(())
}
