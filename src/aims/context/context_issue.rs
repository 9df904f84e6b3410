//! Internal and external issues that matter to the AIMS (clause 4.1).

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::records::{Kind, KindInfo, lifecycle};
use crate::aims::RUNNERS;
use crate::tenancy::Roles;

/// An issue.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContextIssue {
    /// Inside or outside the organisation.
    pub kind: IssueKind,
    /// What it is about.
    pub theme: IssueTheme,
    /// What it does to the intended results of the AIMS.
    pub effect: IssueEffect,
    /// How much it matters: 1 little, 5 very much.
    #[schema(minimum = 1, maximum = 5)]
    pub relevance: u8,
    /// The issue, in words.
    #[serde(default)]
    #[schema(max_length = 4000)]
    pub description: Option<String>,
}

/// Inside or outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum IssueKind {
    /// Inside the organisation.
    Internal,
    /// Outside of it.
    External,
}

/// What an issue is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum IssueTheme {
    /// Law and regulation.
    Legal,
    /// Market and competition.
    Market,
    /// Technology.
    Technology,
    /// Ethics.
    Ethics,
    /// Climate; its relevance has to be decided.
    Climate,
    /// Culture and values.
    Culture,
    /// People, money, tools.
    Resources,
    /// Anything else.
    Other,
}

/// What an issue does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum IssueEffect {
    /// It endangers results.
    Threat,
    /// It helps.
    Opportunity,
    /// Neither.
    Neutral,
}

lifecycle! {
    /// States of an issue.
    IssueState of ContextIssue: Open, Monitored, Closed;
    start Open; frozen [Closed];
    Open -> Monitored by [AimsManager, Consultant, Lead];
    Monitored -> Closed by [AimsManager, Consultant, Lead];
}

impl Kind for ContextIssue {
    const INFO: KindInfo = KindInfo {
        name: "context_issue",
        path: "context-issues",
        prefix: "ISS",
        one: "context issue",
        many: "context issues",
        clauses: &["4.1"],
        about: "An internal or external issue that bears on the purpose of the organisation and on what its AIMS can reach.",
    };
    const AUTHORS: Roles = RUNNERS;
    const FILTERS: &'static [&'static str] = &["kind", "theme", "effect"];
    const SORTS: &'static [&'static str] = &["relevance"];

    fn example() -> Value {
        json!({
            "title": "High-risk duties of the EU AI Act begin",
            "kind": "external",
            "theme": "legal",
            "effect": "threat",
            "relevance": 5,
            "description": "Credit scoring is in Annex III; its duties apply from December 2027.",
        })
    }
}
