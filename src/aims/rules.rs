//! The rules of the management system that kinds of record judge by. Those of the kernel, GEN-1
//! and GEN-2, stand with it.

use crate::records::RuleId;

macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident = $id:literal $hardness:ident, $about:literal;)*) => {
        $($(#[$doc])* #[doc = $about] pub const $name: RuleId = RuleId::$hardness($id, $about);)*

        /// All of them.
        pub const ALL: &[&RuleId] = &[$(&$name),*];
    };
}

rules! {
    GEN_3 = "GEN-3" soft, "Evidence is accepted by a second person; past its freshness it is stale and its owner is asked to renew it.";
    POL_1 = "POL-1" hard, "An AI policy is published only with the approval of top management, both commitments ticked and located, and a next review within twelve months.";
    POL_2 = "POL-2" soft, "Publishing asks everybody in the audience to acknowledge.";
    RSK_1 = "RSK-1" hard, "Risk levels are computed from the approved criteria; new criteria do not rewrite old assessments.";
    RSK_2 = "RSK-2" hard, "A treated risk needs an effective treatment or the option retain, a risk owner, and a valid acceptance of what is left by the person entitled for its level.";
    RSK_3 = "RSK-3" soft, "An expired acceptance, a failed treatment or a worse rating sends the risk back to be analysed; the residual risk is not above the inherent one without a reason.";
    SOA_1 = "SOA-1" hard, "There is exactly one entry for each control of Annex A and each control of the tenant's own.";
    SOA_2 = "SOA-2" hard, "Inclusion and exclusion are justified in own words; an included control has a reason, an owner and a state of implementation.";
    SOA_3 = "SOA-3" soft, "An exclusion does not contradict the facts.";
    SOA_4 = "SOA-4" soft, "A new treatment, risk or system, and a new set of controls, send an approved Statement of Applicability to be reviewed.";
    SYS_1 = "SYS-1" hard, "The stage of an AI system changes only when all guards of the gate are met.";
    MON_1 = "MON-1" soft, "A breached threshold opens a task; a metric without measurement for two periods is blind.";
    MR_1 = "MR-1" hard, "A management review is not ready, hence not held, without all its inputs.";
    MR_2 = "MR-2" hard, "A management review closes only with top management attending, explicit decisions on improvement and on need for change, and an owner and a date for each action.";
    NC_1 = "NC-1" hard, "A nonconformity closes with correction, consequences, root cause, similar cases looked for, an action done and found effective at least 30 days later by somebody else, and a decision on changes to the AIMS.";
    NC_2 = "NC-2" soft, "A major nonconformity is contained within 7 days and planned within 30; one that recurs within twelve months is reopened; three minor ones on one requirement propose a major.";
}
