//! Limits within which a value is tolerated.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::problem::{Problem, Result};

/// What is tolerated: at least the one limit, at most the other, or between both.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// Less is a breach.
    #[serde(default)]
    pub at_least: Option<f64>,
    /// More is a breach.
    #[serde(default)]
    pub at_most: Option<f64>,
}

impl Threshold {
    /// Refuses limits that limit nothing, or leave nothing.
    pub(super) fn judge(self) -> Result<()> {
        let fault = match (self.at_least, self.at_most) {
            (None, None) => "needs at_least, at_most or both",
            (Some(least), Some(most)) if least > most => {
                "leaves no value: at_least is above at_most"
            }
            _ => return Ok(()),
        };
        Err(Problem::invalid("/threshold", fault))
    }

    /// Whether a value is a breach.
    pub(super) fn excludes(self, value: f64) -> bool {
        self.at_least.is_some_and(|least| value < least)
            || self.at_most.is_some_and(|most| value > most)
    }

    /// The limits in words: `at least 0.8 and at most 1.25`.
    pub(super) fn words(self) -> String {
        let least = self.at_least.map(|least| format!("at least {least}"));
        let most = self.at_most.map(|most| format!("at most {most}"));
        let limits: Vec<String> = least.into_iter().chain(most).collect();
        limits.join(" and ")
    }
}
