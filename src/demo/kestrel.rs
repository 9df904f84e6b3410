//! Kestrel Clinics: two bought AI systems, used and not built.

use serde_json::json;

use super::client::Fault;
use super::crew::Office;
use super::steps::{Identified, approved_criteria, identify, planned_reviews, record_issues};

const CONSULTANT: &str = "jonas@fjordlys.example";
const TOP: &str = "aroha@kestrel.example";
const MANAGER: &str = "tom@kestrel.example";
const SYSTEM_OWNER: &str = "priya@kestrel.example";
const RISK_OWNER: &str = "helen@kestrel.example";

/// Makes the records of Kestrel.
pub(super) async fn load(office: Office<'_>) -> Result<(), Fault> {
    let by = office.crew.api(CONSULTANT)?;
    let retina = json!({
        "title": "RetinaCheck", "purpose": "Finds signs of diabetic eye disease in photographs",
        "intended_use": "Second reader; an ophthalmologist confirms every finding",
        "foreseeable_misuse": ["Taken as the only reader"], "technique": "deep_learning", "autonomy": 2,
        "origin": "bought", "supplier_name": "Ocula Diagnostics", "users": "Ophthalmologists", "used_by": ["staff"],
        "affected_groups": ["patients"], "decision_effect": "decide_with_human", "personal_data": true,
        "regions": ["NZ"], "criticality": 5, "legacy": true,
    });
    let triage = json!({
        "title": "TriageNote", "purpose": "Summaries of referral letters",
        "intended_use": "Shortens letters for the nurse who plans appointments", "technique": "generative",
        "autonomy": 1, "origin": "bought", "supplier_name": "Clarion Health", "users": "Triage nurses", "used_by": ["staff"],
        "affected_groups": ["patients"], "decision_effect": "assist", "personal_data": true,
        "regions": ["NZ"], "criticality": 3,
    });
    let mut retina = office
        .make(by, "ai-systems", Some(SYSTEM_OWNER), retina)
        .await?;
    let triage = office
        .make(by, "ai-systems", Some(SYSTEM_OWNER), triage)
        .await?;
    office
        .crew
        .api(MANAGER)?
        .walk(&mut retina, &["operation_monitoring"])
        .await?;
    approved_criteria(&office, CONSULTANT, TOP).await?;
    let issues = [
        (
            "Health information rules bind every supplier",
            "external",
            "legal",
            "threat",
            5,
        ),
        (
            "Fewer nurses than referrals",
            "internal",
            "resources",
            "threat",
            4,
        ),
        (
            "Screening reaches remote patients",
            "external",
            "market",
            "opportunity",
            4,
        ),
    ];
    record_issues(&office, CONSULTANT, &issues).await?;
    let missed = Identified {
        title: "Missed eye disease in under-represented groups",
        system: &retina,
        source: "machine_learning",
        category: "people",
        cause: "Few photographs of Pacific patients in the training data",
        consequences: "Late treatment, loss of sight",
        rating: (2, 5),
        option: "reduce",
        owner: RISK_OWNER,
    };
    let dropped = Identified {
        title: "A warning sign is dropped from a summary",
        system: &triage,
        source: "automation",
        category: "people",
        cause: "Summaries leave out what is rare",
        consequences: "An urgent patient waits",
        rating: (2, 4),
        option: "reduce",
        owner: RISK_OWNER,
    };
    identify(
        &office,
        CONSULTANT,
        missed,
        &["analysed", "evaluated", "treating"],
    )
    .await?;
    identify(&office, CONSULTANT, dropped, &["analysed", "evaluated"]).await?;
    let reviews = [
        ("Management review: first half-year", 0),
        ("Management review: first year", 30),
    ];
    planned_reviews(&office, MANAGER, &reviews).await
}
