//! The kinds of record of an AI management system, in the groups of ISO/IEC 42001.
//!
//! A kind is one file that reads like its clause: fields, states, who may do what, rules,
//! deadlines. Groups meet through references, the kernel's look-ups, and by hearing each other.

use crate::aims::risk_opp::facts::Facts;
use crate::records::Registry;
use crate::tenancy::{Role, Roles};

pub mod context;
pub mod evaluation;
pub mod improvement;
pub mod leadership;
pub mod operation;
pub mod risk_opp;
pub mod rules;
pub mod support;
pub mod words;

/// Who writes every record of a kind: the AIMS manager and the consultants assigned.
pub const RUNNERS: Roles = Roles::of(&[Role::AimsManager, Role::Consultant, Role::Lead]);

/// What kinds know that speaks against excluding a control (SOA-3), one line each.
pub const FACTS: &[Facts] = &[
    |tx| Box::pin(operation::ai_system::facts(tx)),
    |tx| Box::pin(risk_opp::risk_treatment::facts(tx)),
];

/// All kinds, one line each.
pub fn kinds() -> Registry {
    Registry::default()
        .with_rules(rules::ALL)
        .with_figures(
            risk_opp::figures::FIGURES,
            evaluation::management_review::DATES,
        )
        .with::<context::context_issue::ContextIssue>()
        .with::<leadership::policy::Policy>()
        .with_rows::<leadership::acknowledgement::Acknowledgement>()
        .with::<operation::ai_system::AiSystem>()
        .with::<risk_opp::risk_criteria::RiskCriteria>()
        .with::<risk_opp::risk::Risk>()
        .with::<risk_opp::risk_treatment::RiskTreatment>()
        .with::<risk_opp::residual_acceptance::ResidualAcceptance>()
        .with::<risk_opp::soa::Soa>()
        .with::<risk_opp::soa_entry::SoaEntry>()
        .with::<evaluation::metric::Metric>()
        .with_rows::<evaluation::measurement::Measurement>()
        .with_rows::<evaluation::analysis::Analysis>()
        .with::<evaluation::management_review::ManagementReview>()
        .with::<support::evidence::Evidence>()
        .with::<improvement::nonconformity::Nonconformity>()
        .with::<improvement::corrective_action::CorrectiveAction>()
        .with::<improvement::task::Task>()
        .with::<improvement::waiver::Waiver>()
        .waived_by::<improvement::waiver::Waiver>()
}
