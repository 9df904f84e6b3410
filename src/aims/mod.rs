//! The kinds of record of an AI management system, in the groups of ISO/IEC 42001.
//!
//! A kind is one file that reads like its clause: fields, states, who may do what, rules,
//! deadlines. Groups meet through references and the kernel's look-ups.

use crate::records::Registry;

pub mod context;
pub mod evaluation;
pub mod operation;
pub mod risk_opp;

/// All kinds, one line each.
pub fn kinds() -> Registry {
    Registry::default()
        .with::<context::context_issue::ContextIssue>()
        .with::<operation::ai_system::AiSystem>()
        .with::<risk_opp::risk_criteria::RiskCriteria>()
        .with::<risk_opp::risk::Risk>()
        .with::<risk_opp::risk_treatment::RiskTreatment>()
        .with::<risk_opp::residual_acceptance::ResidualAcceptance>()
        .with::<evaluation::management_review::ManagementReview>()
}
