//! Criteria for tolerable AI risk (clause 6.1.1): scales, level table, tolerances, and who
//! accepts up to which level. Approved by top management before anything is assessed.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::level::{Level, RiskCategory};
use crate::problem::{FieldError, Problem, Result};
use crate::aims::RUNNERS;
use crate::records::{Kind, KindInfo, OneFor, Record, lifecycle};
use crate::tenancy::{Role, Roles, TenantTx};

/// Risk criteria. Default scale: likelihood 1–5 × consequence 1–5.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RiskCriteria {
    /// What each likelihood means, from 1 to 5.
    #[schema(min_items = 5, max_items = 5)]
    pub likelihood_scale: Vec<ScalePoint>,
    /// What each consequence means, from 1 to 5.
    #[schema(min_items = 5, max_items = 5)]
    pub consequence_scale: Vec<ScalePoint>,
    /// Which scores make which level; together they cover 1 to 25 without gap or overlap.
    #[schema(min_items = 2, max_items = 4)]
    pub levels: Vec<LevelBand>,
    /// Highest level that is tolerable where no category says otherwise.
    pub tolerance: Level,
    /// Highest tolerable level of single categories.
    #[serde(default)]
    #[schema(max_items = 7)]
    pub tolerance_by_category: Vec<CategoryTolerance>,
    /// Highest residual level the risk owner may accept; above it only top management.
    pub risk_owner_accepts_up_to: Level,
    /// Highest residual level top management may accept; above it nobody.
    pub top_management_accepts_up_to: Level,
}

/// One point of a scale.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScalePoint {
    /// Its name.
    #[schema(min_length = 1, max_length = 60, example = "likely")]
    pub name: String,
    /// What it means here.
    #[schema(max_length = 500, example = "several times a year")]
    pub meaning: String,
}

/// Scores of one level.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LevelBand {
    /// The level.
    pub level: Level,
    /// Lowest score.
    #[schema(minimum = 1, maximum = 25, example = 10)]
    pub from: u8,
    /// Highest score.
    #[schema(minimum = 1, maximum = 25, example = 16)]
    pub to: u8,
}

/// Tolerance of one category.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CategoryTolerance {
    /// The category.
    pub category: RiskCategory,
    /// Highest tolerable level.
    pub up_to: Level,
}

impl RiskCriteria {
    /// The level of a score from 1 to 25.
    pub fn level(&self, score: u8) -> Option<Level> {
        self.levels
            .iter()
            .find(|band| (band.from..=band.to).contains(&score))
            .map(|band| band.level)
    }

    /// The highest tolerable level of a category.
    pub fn tolerable(&self, category: RiskCategory) -> Level {
        self.tolerance_by_category
            .iter()
            .find(|own| own.category == category)
            .map_or(self.tolerance, |own| own.up_to)
    }

    fn faults(&self) -> Vec<FieldError> {
        let fault = |pointer: &str, detail: &str| FieldError {
            pointer: pointer.to_owned(),
            detail: detail.to_owned(),
        };
        let mut faults = Vec::new();
        let mut bands = self.levels.clone();
        bands.sort_by_key(|band| band.from);
        let mut next = 1;
        let mut last = None;
        for band in &bands {
            if band.from != next || band.to < band.from || last >= Some(band.level) {
                faults.push(fault("/levels", "must cover the scores 1 to 25 without gap or overlap, rising with the level"));
                break;
            }
            next = band.to.saturating_add(1);
            last = Some(band.level);
        }
        if faults.is_empty() && next != 26 {
            faults.push(fault("/levels", "must cover the scores up to 25"));
        }
        if self.risk_owner_accepts_up_to > self.top_management_accepts_up_to {
            faults.push(fault("/risk_owner_accepts_up_to", "must not be above what top management may accept"));
        }
        for (index, own) in self.tolerance_by_category.iter().enumerate() {
            let twice = self.tolerance_by_category.iter().take(index).any(|other| other.category == own.category);
            if twice {
                faults.push(fault(&format!("/tolerance_by_category/{index}/category"), "appears twice"));
            }
        }
        faults
    }
}

lifecycle! {
    /// States of risk criteria.
    CriteriaState of RiskCriteria: Draft, Approved, Withdrawn;
    start Draft; frozen [Approved, Withdrawn];
    Draft -> Approved by [TopManagement] => approves;
    Approved -> Draft by [AimsManager, RiskOwner, Lead] => revises, asks_reason;
    any -> Withdrawn by [TopManagement] => asks_reason, withdraws;
}

impl Kind for RiskCriteria {
    const INFO: KindInfo = KindInfo {
        name: "risk_criteria",
        path: "risk-criteria",
        prefix: "CRI",
        one: "set of risk criteria",
        many: "risk criteria",
        clauses: &["6.1.1", "6.1.2"],
        about: "Scales, level table, tolerances, and who accepts up to which level. Approved by top management; while they are revised the approved version stays in force.",
    };
    const AUTHORS: Roles = RUNNERS;
    const OWNERS: Roles = Roles::of(&[Role::RiskOwner]);
    const ONE_FOR: Option<OneFor> = Some(OneFor::Tenant);

    async fn judge(record: &Record<Self>, _before: Option<&Record<Self>>, _tx: &mut TenantTx<'_>) -> Result<()> {
        match record.body.faults() {
            faults if faults.is_empty() => Ok(()),
            faults => Err(Problem::invalid_all(faults)),
        }
    }

    fn example() -> Value {
        let point = |name: &str, meaning: &str| json!({"name": name, "meaning": meaning});
        json!({
            "title": "AI risk criteria",
            "likelihood_scale": [
                point("rare", "less than once in ten years"), point("unlikely", "once in some years"),
                point("possible", "once a year"), point("likely", "several times a year"), point("frequent", "monthly or more"),
            ],
            "consequence_scale": [
                point("negligible", "nobody notices"), point("minor", "inconvenience"), point("moderate", "reversible harm to some"),
                point("major", "lasting harm to some, or harm to many"), point("severe", "irreversible harm"),
            ],
            "levels": [
                {"level": "low", "from": 1, "to": 4}, {"level": "medium", "from": 5, "to": 9},
                {"level": "high", "from": 10, "to": 16}, {"level": "critical", "from": 17, "to": 25},
            ],
            "tolerance": "low",
            "tolerance_by_category": [{"category": "financial", "up_to": "medium"}],
            "risk_owner_accepts_up_to": "medium",
            "top_management_accepts_up_to": "high",
        })
    }
}
