//! Rules of the management system: each is a constant, used by the code that judges, the problem
//! that refuses, the documentation and the tests.

use std::collections::HashSet;

use uuid::Uuid;

use super::registry::registry;
use crate::problem::{FieldError, Problem, Result};
use crate::tenancy::TenantTx;

/// A rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleId {
    /// Its id, such as `RSK-2`.
    pub id: &'static str,
    /// What it asks for, as a sentence.
    pub about: &'static str,
    /// A hard rule accepts no waiver.
    pub hard: bool,
}

/// Nobody approves what they wrote, the firm never approves for its client, nor does the system.
pub const GEN_1: RuleId = RuleId::hard(
    "GEN-1",
    "Who wrote it does not approve it; a consultancy never approves on behalf of the client, save as AIMS manager under a dated mandate; the system never approves.",
);
/// Approved content does not change.
pub const GEN_2: RuleId = RuleId::hard(
    "GEN-2",
    "Approved versions are immutable; a link pins the version it was approved with.",
);

/// What a guard finds: nothing when it is met.
pub type Guarded = Result<Vec<Unmet>>;

/// Something that stands in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmet {
    /// JSON Pointer to what would meet it; empty for something outside of the record.
    pub pointer: String,
    /// What is missing, as a sentence.
    pub detail: String,
    /// 422; 403 where another person could; 409 where facts are against it.
    pub status: u16,
}

impl Unmet {
    /// A fault of the record or of what hangs on it.
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            detail: detail.into(),
            status: 422,
        }
    }

    /// Something that this person may not do, but another may.
    pub fn by_person(detail: impl Into<String>) -> Self {
        Self {
            status: 403,
            ..Self::new("", detail)
        }
    }

    /// Something that facts outside of the record speak against.
    pub fn by_facts(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            status: 409,
            ..Self::new(pointer, detail)
        }
    }

    /// Unmet unless `met`.
    pub fn unless(met: bool, pointer: &str, detail: &str) -> Guarded {
        Ok(if met {
            Vec::new()
        } else {
            vec![Self::new(pointer, detail)]
        })
    }
}

impl RuleId {
    /// A rule that accepts no waiver.
    pub const fn hard(id: &'static str, about: &'static str) -> Self {
        Self {
            id,
            about,
            hard: true,
        }
    }

    /// A rule that may be waived for a time.
    pub const fn soft(id: &'static str, about: &'static str) -> Self {
        Self {
            id,
            about,
            hard: false,
        }
    }

    /// 422: the rule refuses the content at a place.
    pub fn refuses(&self, pointer: &str, detail: impl Into<String>) -> Problem {
        let detail = detail.into();
        let mut problem = Problem::rule(self.id, detail.clone());
        problem.errors = vec![FieldError {
            pointer: pointer.to_owned(),
            detail,
        }];
        problem
    }
}

/// One problem for all guards that are not met; none when there are none.
pub(super) fn refusal(unmet: &[(&RuleId, Unmet)]) -> Option<Problem> {
    let (rule, first) = unmet.first()?;
    let sentences: Vec<_> = unmet.iter().map(|(_, one)| one.detail.as_str()).collect();
    let alike = unmet.iter().all(|(_, one)| one.status == first.status);
    let mut problem = Problem::rule(rule.id, sentences.join(" "));
    problem.status = if alike { first.status } else { 422 };
    problem.errors = unmet
        .iter()
        .map(|(rule, one)| FieldError {
            pointer: one.pointer.clone(),
            detail: format!("{}: {}", rule.id, one.detail),
        })
        .collect();
    Some(problem)
}

/// Takes out what a granted waiver of the record lets pass; answers the waivers that were needed.
pub(super) async fn waive(
    tx: &mut TenantTx<'_>,
    record: Uuid,
    unmet: &mut Vec<(&'static RuleId, Unmet)>,
) -> Result<Vec<Uuid>> {
    let soft: HashSet<_> = unmet
        .iter()
        .filter(|(rule, _)| !rule.hard)
        .map(|(rule, _)| rule.id)
        .collect();
    let Some(waivers) = registry().waivers().filter(|_| !soft.is_empty()) else {
        return Ok(Vec::new());
    };
    let granted = waivers.granted(tx, record).await?;
    let mut used = Vec::new();
    for (waiver, rule) in granted {
        let before = unmet.len();
        unmet.retain(|(known, _)| known.hard || known.id != rule);
        if unmet.len() < before {
            used.push(waiver);
        }
    }
    Ok(used)
}
