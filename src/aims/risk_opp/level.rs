//! Risk levels, ratings, and the categories that tolerances are set for (clause 6.1.2).

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Level of a risk, computed from the approved criteria (RSK-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Acceptable by default.
    Low,
    /// May be accepted by the risk owner with a reason.
    Medium,
    /// May be accepted by top management only.
    High,
    /// Not acceptable in operation.
    Critical,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        })
    }
}

/// What a risk hurts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RiskCategory {
    /// Individuals and groups.
    People,
    /// Society.
    Society,
    /// The organisation's own goals.
    Organisation,
    /// Law and contracts.
    Legal,
    /// Security.
    Security,
    /// Money.
    Financial,
    /// Standing.
    Reputation,
}

/// Likelihood and consequence at one point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rating {
    /// Likelihood, 1 to 5 on the scale of the criteria.
    #[schema(minimum = 1, maximum = 5, example = 3)]
    pub likelihood: u8,
    /// Consequence, 1 to 5: the worst of organisation, people and society.
    #[schema(minimum = 1, maximum = 5, example = 5)]
    pub consequence: u8,
    /// Consequence for the organisation.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 5, example = 3)]
    pub organisation: Option<u8>,
    /// Consequence for people.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 5, example = 5)]
    pub people: Option<u8>,
    /// Consequence for society.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 5, example = 2)]
    pub society: Option<u8>,
    /// Likelihood times consequence.
    #[serde(default)]
    #[schema(read_only)]
    pub score: Option<u8>,
    /// Level by the approved criteria.
    #[serde(default)]
    #[schema(read_only)]
    pub level: Option<Level>,
    /// Whether the level is above what is tolerable for the category.
    #[serde(default)]
    #[schema(read_only)]
    pub above_tolerance: Option<bool>,
    /// Version of the criteria by which it was judged (RSK-1).
    #[serde(default)]
    #[schema(read_only)]
    pub criteria_version: Option<i32>,
}

impl Rating {
    /// What was judged, without what was computed from it.
    fn judged(&self) -> (u8, u8, Option<u8>, Option<u8>, Option<u8>) {
        (self.likelihood, self.consequence, self.organisation, self.people, self.society)
    }

    /// Whether both judge the same.
    pub fn judges_as(&self, other: &Self) -> bool {
        self.judged() == other.judged()
    }

    /// Likelihood times consequence, 1 to 25.
    pub fn product(&self) -> u8 {
        self.likelihood.saturating_mul(self.consequence)
    }

    /// The worst of the consequences that are told apart, if any are.
    pub fn worst(&self) -> Option<u8> {
        [self.organisation, self.people, self.society].into_iter().flatten().max()
    }
}
