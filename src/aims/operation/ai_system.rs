//! AI systems (clause 8): what they are for, how they work, where they stand in their life cycle.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::aims::RUNNERS;
use crate::aims::risk_opp::facts::Fact;
use crate::aims::rules::SYS_1;
use crate::aims::words::{Country, Line};
use crate::problem::Result;
use crate::records::{Guarded, Kind, KindInfo, Record, Ref, Unmet, find, lifecycle};
use crate::tenancy::{Role, Roles, TenantTx};

/// An AI system.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AiSystem {
    /// What it is for.
    #[schema(min_length = 1, max_length = 4000)]
    pub purpose: String,
    /// How it is meant to be used.
    #[schema(min_length = 1, max_length = 4000)]
    pub intended_use: String,
    /// How people will plausibly misuse it.
    #[serde(default)]
    #[schema(max_items = 50)]
    pub foreseeable_misuse: Vec<Line>,
    /// How it works.
    pub technique: Technique,
    /// How far it acts by itself: 0 not at all, 5 fully.
    #[schema(minimum = 0, maximum = 5)]
    pub autonomy: u8,
    /// Where it comes from.
    pub origin: Origin,
    /// Who supplies it, if it is not built in-house.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub supplier_name: Option<String>,
    /// Who uses it.
    #[serde(default)]
    #[schema(max_length = 2000)]
    pub users: Option<String>,
    /// Which groups they belong to; empty while nobody has said. All but staff are outside.
    #[serde(default)]
    #[schema(max_items = 4)]
    pub used_by: Vec<UserGroup>,
    /// Whom its results affect.
    #[serde(default)]
    #[schema(max_items = 50)]
    pub affected_groups: Vec<Line>,
    /// What its results do to decisions about people.
    pub decision_effect: DecisionEffect,
    /// Whether it processes personal data.
    pub personal_data: bool,
    /// Where it is used: ISO 3166-1 alpha-2 codes.
    #[serde(default)]
    #[schema(max_items = 250)]
    pub regions: Vec<Country>,
    /// Whether it is inside the scope of the AIMS.
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub in_scope: bool,
    /// How much depends on it: 1 little, 5 everything.
    #[schema(minimum = 1, maximum = 5)]
    pub criticality: u8,
    /// Version of the model in use.
    #[serde(default)]
    #[schema(max_length = 100)]
    pub model_version: Option<String>,
    /// It was live before the AIMS began: it enters at operation and catches up.
    #[serde(default)]
    #[schema(default = false)]
    pub legacy: bool,
}

fn yes() -> bool {
    true
}

/// A reference to an AI system.
pub type AiSystemId = Ref<AiSystem>;

/// A group of people who use an AI system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UserGroup {
    /// The organisation's own people.
    Staff,
    /// Customers.
    Customers,
    /// Partners, suppliers and other organisations.
    Partners,
    /// Anybody.
    Public,
}

/// How an AI system works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Technique {
    /// Rules and logic.
    Rules,
    /// Regression, trees, boosting.
    ClassicalMl,
    /// Neural networks.
    DeepLearning,
    /// Makes text, images, sound or code.
    Generative,
    /// Plans and acts through tools.
    Agentic,
    /// Several of these.
    Hybrid,
}

/// Where an AI system comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// In-house.
    Built,
    /// From a supplier.
    Bought,
    /// Part of another product.
    Embedded,
    /// Open source.
    OpenSource,
}

/// What results do to decisions about people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DecisionEffect {
    /// Nothing.
    None,
    /// They inform.
    Assist,
    /// They decide, a human confirms.
    DecideWithHuman,
    /// They decide alone.
    DecideAlone,
}

lifecycle! {
    /// Stages of an AI system.
    Stage of AiSystem: Inception, DesignDevelopment, VerificationValidation, Deployment, OperationMonitoring, ReEvaluation, Suspended, Rejected, Retired;
    start Inception; frozen [Rejected, Retired];
    Inception -> DesignDevelopment by [SystemOwner, AimsManager];
    Inception -> OperationMonitoring by [SystemOwner, AimsManager] if [SYS_1: is_legacy];
    DesignDevelopment -> VerificationValidation by [SystemOwner, AimsManager];
    VerificationValidation -> DesignDevelopment by [SystemOwner, AimsManager] => asks_reason;
    VerificationValidation -> Deployment by [SystemOwner, AimsManager];
    Deployment -> OperationMonitoring by [SystemOwner, AimsManager];
    OperationMonitoring -> ReEvaluation by [SystemOwner, AimsManager];
    ReEvaluation -> OperationMonitoring by [SystemOwner, AimsManager];
    ReEvaluation -> DesignDevelopment by [SystemOwner, AimsManager];
    Inception -> Rejected by [AimsManager] => asks_reason;
    DesignDevelopment -> Rejected by [AimsManager] => asks_reason;
    VerificationValidation -> Rejected by [AimsManager] => asks_reason;
    Deployment -> Suspended by [Overseer, SystemOwner] => asks_reason;
    OperationMonitoring -> Suspended by [Overseer, SystemOwner] => asks_reason;
    Suspended -> OperationMonitoring by [AimsManager] => asks_reason;
    any -> Retired by [SystemOwner, AimsManager] => asks_reason;
}

impl Kind for AiSystem {
    const INFO: KindInfo = KindInfo {
        name: "ai_system",
        path: "ai-systems",
        prefix: "AIS",
        one: "AI system",
        many: "AI systems",
        clauses: &["8.1", "A.6.1.2", "A.6.1.3", "A.9.4"],
        about: "An AI system the organisation develops, provides or uses. Its state is its stage in the life cycle.",
    };
    const AUTHORS: Roles = RUNNERS;
    const OWNERS: Roles = Roles::of(&[Role::SystemOwner]);
    const FILTERS: &'static [&'static str] = &["technique", "origin", "decision_effect", "in_scope"];
    const SORTS: &'static [&'static str] = &["criticality", "autonomy"];

    fn example() -> Value {
        json!({
            "title": "LoanLens",
            "purpose": "Credit score of consumers",
            "intended_use": "Ranks loan applications; a human decides below the cut-off",
            "foreseeable_misuse": ["Declining by score alone"],
            "technique": "classical_ml",
            "autonomy": 2,
            "origin": "built",
            "users": "Credit officers",
            "used_by": ["staff"],
            "affected_groups": ["applicants", "applicants with thin credit file"],
            "decision_effect": "decide_with_human",
            "personal_data": true,
            "regions": ["NL"],
            "criticality": 5,
            "model_version": "2.3",
        })
    }
}

impl AiSystem {
    fn has_outside_users(&self) -> bool {
        self.used_by.iter().any(|group| *group != UserGroup::Staff)
    }

    fn has_supplier(&self) -> bool {
        let named = self.supplier_name.as_deref().is_some_and(|name| !name.trim().is_empty());
        named || [Origin::Bought, Origin::Embedded].contains(&self.origin)
    }
}

/// SOA-3: what the systems in scope that are not over say about controls.
pub async fn facts(tx: &mut TenantTx<'_>) -> Result<Vec<Fact>> {
    let mut systems = find::<AiSystem>().with("in_scope", true).load(tx).await?;
    systems.retain(|system| ![Stage::Rejected, Stage::Retired].contains(&system.status));
    systems.reverse();
    let those = |is: fn(&AiSystem) -> bool| {
        let found = systems.iter().filter(|system| is(&system.body));
        found.map(|system| system.reference.clone()).collect::<Vec<_>>()
    };
    Ok(vec![
        Fact::new("A.6", "built here", those(|system| system.origin == Origin::Built)),
        Fact::new("A.10.3", "supplied by others", those(AiSystem::has_supplier)),
        Fact::new("A.10.4", "used by people outside of the organisation", those(AiSystem::has_outside_users)),
    ])
}

/// Only a system that was live before the AIMS began skips the stages before operation.
async fn is_legacy(system: &Record<AiSystem>, _tx: &mut TenantTx<'_>) -> Guarded {
    Unmet::unless(system.body.legacy, "/legacy", "Only a system marked legacy enters at operation.")
}
