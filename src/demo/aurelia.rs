//! Aurelia Lending: three AI systems, six risks, one of them treated to the end.

use futures_util::try_join;
use serde_json::json;

use super::client::{Fault, Record};
use super::crew::Office;
use super::steps::{Identified, approved_criteria, identify, planned_reviews, record_issues};

const CONSULTANT: &str = "ida@fjordlys.example";
const TOP: &str = "willem@aurelia.example";
const MANAGER: &str = "mara@aurelia.example";
const LOANLENS_OWNER: &str = "joost@aurelia.example";
const TALENTSIFT_OWNER: &str = "femke@aurelia.example";
const ASKAURELIA_OWNER: &str = "daan@aurelia.example";
const RISK_OWNER: &str = "ana@aurelia.example";

/// The systems, in the order they are entered.
struct Systems {
    loanlens: Record,
    talentsift: Record,
    askaurelia: Record,
}

/// Makes the records of Aurelia.
pub(super) async fn load(office: Office<'_>) -> Result<(), Fault> {
    let systems = systems(&office).await?;
    approved_criteria(&office, CONSULTANT, TOP).await?;
    issues(&office).await?;
    risks(&office, &systems).await?;
    let reviews = [
        ("Management review: first year", 0),
        ("Management review: readiness", 30),
    ];
    planned_reviews(&office, MANAGER, &reviews).await
}

async fn systems(office: &Office<'_>) -> Result<Systems, Fault> {
    let by = office.crew.api(CONSULTANT)?;
    let loanlens = json!({
        "title": "LoanLens", "purpose": "Credit score of consumers",
        "intended_use": "Ranks loan applications; a human decides below the cut-off",
        "foreseeable_misuse": ["Declining by score alone"], "technique": "classical_ml", "autonomy": 3,
        "origin": "built", "users": "Credit officers", "used_by": ["staff"],
        "affected_groups": ["applicants", "applicants with thin credit file"],
        "decision_effect": "decide_with_human", "personal_data": true, "regions": ["NL"],
        "criticality": 5, "model_version": "2.3", "legacy": true,
    });
    let talentsift = json!({
        "title": "TalentSift", "purpose": "Ranking of CVs",
        "intended_use": "Orders applications for a recruiter, who reads all of them",
        "foreseeable_misuse": ["Reading the first page only"], "technique": "deep_learning", "autonomy": 2,
        "origin": "bought", "supplier_name": "Hirewell Oy", "users": "Recruiters", "used_by": ["staff"],
        "affected_groups": ["job applicants"], "decision_effect": "assist", "personal_data": true,
        "regions": ["NL"], "criticality": 3, "legacy": true,
    });
    let askaurelia = json!({
        "title": "AskAurelia", "purpose": "Chat that answers customers' questions on their loan",
        "intended_use": "First answers; hands over to staff on request",
        "foreseeable_misuse": ["Taken for binding advice", "Asked to reveal data of others"],
        "technique": "generative", "autonomy": 3, "origin": "bought", "supplier_name": "Polyglot Models",
        "users": "Customers", "used_by": ["customers"], "affected_groups": ["customers"], "decision_effect": "none",
        "personal_data": true, "regions": ["NL"], "criticality": 3,
    });
    let mut loanlens = office
        .make(by, "ai-systems", Some(LOANLENS_OWNER), loanlens)
        .await?;
    let mut talentsift = office
        .make(by, "ai-systems", Some(TALENTSIFT_OWNER), talentsift)
        .await?;
    let mut askaurelia = office
        .make(by, "ai-systems", Some(ASKAURELIA_OWNER), askaurelia)
        .await?;
    let manager = office.crew.api(MANAGER)?;
    manager
        .walk(&mut loanlens, &["operation_monitoring"])
        .await?;
    manager
        .walk(&mut talentsift, &["operation_monitoring"])
        .await?;
    manager
        .walk(
            &mut askaurelia,
            &["design_development", "verification_validation"],
        )
        .await?;
    Ok(Systems {
        loanlens,
        talentsift,
        askaurelia,
    })
}

async fn issues(office: &Office<'_>) -> Result<(), Fault> {
    let issues = [
        (
            "Duties of the EU AI Act for high-risk systems begin",
            "external",
            "legal",
            "threat",
            5,
        ),
        (
            "Supervisors ask how credit models treat thin files",
            "external",
            "legal",
            "threat",
            4,
        ),
        (
            "Competitors decide on loans within minutes",
            "external",
            "market",
            "threat",
            4,
        ),
        (
            "Customers expect answers at any hour",
            "external",
            "market",
            "opportunity",
            3,
        ),
        (
            "Language models change under our feet",
            "external",
            "technology",
            "threat",
            4,
        ),
        (
            "Fairness of automated decisions is a public debate",
            "external",
            "ethics",
            "threat",
            4,
        ),
        (
            "Heat and floods move credit risk between regions",
            "external",
            "climate",
            "neutral",
            2,
        ),
        (
            "Energy use of model training is small and known",
            "internal",
            "climate",
            "neutral",
            1,
        ),
        (
            "Information security is certified to ISO/IEC 27001",
            "internal",
            "resources",
            "opportunity",
            4,
        ),
        (
            "Two people know how LoanLens was built",
            "internal",
            "resources",
            "threat",
            4,
        ),
        (
            "Credit officers trust the score too much",
            "internal",
            "culture",
            "threat",
            5,
        ),
        (
            "The board wants decisions it can explain",
            "internal",
            "culture",
            "opportunity",
            3,
        ),
    ];
    record_issues(office, CONSULTANT, &issues).await
}

/// The six risks; the first is treated, the second waits for what its treatment does.
async fn risks(office: &Office<'_>, systems: &Systems) -> Result<(), Fault> {
    let Systems {
        loanlens,
        talentsift,
        askaurelia,
    } = systems;
    let treating: &[&str] = &["analysed", "evaluated", "treating"];
    let evaluated: &[&str] = &["analysed", "evaluated"];
    let risk = |title, system, source, category, cause, consequences, rating| Identified {
        title,
        system,
        source,
        category,
        cause,
        consequences,
        rating,
        option: "reduce",
        owner: RISK_OWNER,
    };
    let proxy = risk(
        "Proxy discrimination of applicants",
        loanlens,
        "machine_learning",
        "people",
        "Postcode and employer stand in for origin",
        "People are denied credit unfairly; supervisory measures",
        (3, 5),
    );
    let drift = risk(
        "Drift of the credit model",
        loanlens,
        "life_cycle",
        "financial",
        "Incomes and prices move away from the training data",
        "Wrong scores in both directions",
        (3, 3),
    );
    let opaque = risk(
        "Opaque ranking of job applicants",
        talentsift,
        "transparency",
        "people",
        "The supplier does not say what the ranking rests on",
        "Good applicants are overlooked and cannot object",
        (3, 4),
    );
    let silent = risk(
        "Silent change by the supplier",
        talentsift,
        "technology_readiness",
        "legal",
        "The contract knows no notice of changes",
        "The system in use is not the one assessed",
        (3, 3),
    );
    let wrong = risk(
        "Wrong advice to customers",
        askaurelia,
        "automation",
        "reputation",
        "Answers are made up where terms are rare",
        "Customers pay late or too much",
        (4, 3),
    );
    let injection = risk(
        "Prompt injection",
        askaurelia,
        "environment",
        "security",
        "Text from customers is read as instructions",
        "Data of other customers is revealed",
        (2, 4),
    );
    let mut proxy = identify(office, CONSULTANT, proxy, treating).await?;
    identify(office, CONSULTANT, drift, evaluated).await?;
    let opaque = identify(office, CONSULTANT, opaque, treating).await?;
    identify(office, CONSULTANT, silent, &["analysed"]).await?;
    let wrong = identify(office, CONSULTANT, wrong, treating).await?;
    let injection = Identified {
        option: "retain",
        ..injection
    };
    let injection = identify(office, CONSULTANT, injection, evaluated).await?;
    treat(office, &mut proxy).await?;
    try_join!(
        propose(
            office,
            &opaque,
            TALENTSIFT_OWNER,
            "Factors of the ranking in the contract",
            "Hirewell names the factors and their weights; recruiters get them with each ranking",
            14
        ),
        propose(
            office,
            &wrong,
            ASKAURELIA_OWNER,
            "Answers from approved text only",
            "Answers quote the product terms; without a source the chat hands over to staff",
            7
        ),
    )?;
    ask_to_accept(
        office,
        &injection,
        "Residual risk of prompt injection",
        "The chat sees the data of the signed-in customer only; tests found no way around it.",
    )
    .await?;
    Ok(())
}

/// Treatment of the LoanLens risk, from the plan to the accepted residual risk.
async fn treat(office: &Office<'_>, risk: &mut Record) -> Result<(), Fault> {
    let crew = office.crew;
    let (consultant, system_owner) = (crew.api(CONSULTANT)?, crew.api(LOANLENS_OWNER)?);
    let risk_owner = crew.api(RISK_OWNER)?;
    let plan = json!({
        "title": "Bias constraint in training", "risk_id": risk.id, "option": "reduce",
        "controls": ["A.7.4", "A.6.2.4"],
        "action": "Train with a fairness constraint and test the selection ratio of every release",
        "due_on": office.in_days(28), "resources": "Two weeks of the data team", "expected_residual": "2 x 4",
        "effectiveness_measure": "Selection ratio of at least 0.8 on the test set",
    });
    let mut plan = office
        .make(consultant, "risk-treatments", Some(LOANLENS_OWNER), plan)
        .await?;
    risk_owner.walk(&mut plan, &["approved"]).await?;
    system_owner
        .walk(&mut plan, &["in_progress", "implemented"])
        .await?;
    let result = json!({"effectiveness_result": "Selection ratio 0.71 before, 0.86 after"});
    system_owner.change(&mut plan, &result).await?;
    risk_owner.walk(&mut plan, &["effective"]).await?;
    let residual = json!({"residual": {"likelihood": 2, "consequence": 4}});
    consultant.change(risk, &residual).await?;
    let mut acceptance = ask_to_accept(
        office,
        risk,
        "Residual risk of proxy discrimination",
        "The selection ratio is 0.86 after the constraint; a human decides all doubtful cases.",
    )
    .await?;
    risk_owner.walk(&mut acceptance, &["accepted"]).await?;
    risk_owner.walk(risk, &["treated"]).await
}

async fn propose(
    office: &Office<'_>,
    risk: &Record,
    owner: &str,
    title: &str,
    action: &str,
    days: i64,
) -> Result<(), Fault> {
    let body = json!({
        "title": title, "risk_id": risk.id, "option": "reduce", "action": action, "due_on": office.in_days(days),
    });
    let mut plan = office
        .make(
            office.crew.api(CONSULTANT)?,
            "risk-treatments",
            Some(owner),
            body,
        )
        .await?;
    office
        .crew
        .api(RISK_OWNER)?
        .walk(&mut plan, &["approved"])
        .await
}

/// The manager asks the risk owner to live with what is left, for almost a year.
async fn ask_to_accept(
    office: &Office<'_>,
    risk: &Record,
    title: &str,
    why: &str,
) -> Result<Record, Fault> {
    let body = json!({
        "title": title, "risk_id": risk.id, "rationale": why, "valid_until": office.in_days(360),
    });
    office
        .make(
            office.crew.api(MANAGER)?,
            "residual-acceptances",
            Some(RISK_OWNER),
            body,
        )
        .await
}
