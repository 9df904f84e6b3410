//! What both clients do: approve criteria, record issues, identify risks, plan reviews.

use serde_json::{Value, json};

use super::client::{Fault, Record};
use super::crew::Office;

/// Criteria on the default scale: drafted by the consultant, approved by top management.
pub(super) async fn approved_criteria(
    office: &Office<'_>,
    author: &str,
    top: &str,
) -> Result<(), Fault> {
    let point = |name: &str, meaning: &str| json!({"name": name, "meaning": meaning});
    let criteria = json!({
        "title": "AI risk criteria",
        "likelihood_scale": [
            point("rare", "less than once in ten years"), point("unlikely", "once in some years"),
            point("possible", "once a year"), point("likely", "several times a year"),
            point("frequent", "monthly or more"),
        ],
        "consequence_scale": [
            point("negligible", "nobody notices"), point("minor", "inconvenience"),
            point("moderate", "reversible harm to some"), point("major", "lasting harm to some, or harm to many"),
            point("severe", "irreversible harm"),
        ],
        "levels": [
            {"level": "low", "from": 1, "to": 4}, {"level": "medium", "from": 5, "to": 9},
            {"level": "high", "from": 10, "to": 16}, {"level": "critical", "from": 17, "to": 25},
        ],
        "tolerance": "low",
        "risk_owner_accepts_up_to": "medium",
        "top_management_accepts_up_to": "high",
    });
    let mut criteria = office
        .make(office.crew.api(author)?, "risk-criteria", None, criteria)
        .await?;
    office
        .crew
        .api(top)?
        .walk(&mut criteria, &["approved"])
        .await
}

/// Title, inside or outside, theme, effect, relevance.
pub(super) type Issue = (&'static str, &'static str, &'static str, &'static str, u8);

/// Records issues in one request, all or nothing.
pub(super) async fn record_issues(
    office: &Office<'_>,
    by: &str,
    issues: &[Issue],
) -> Result<(), Fault> {
    let operations: Vec<Value> = issues
        .iter()
        .map(|(title, kind, theme, effect, relevance)| {
            json!({"op": "create", "body": {
                "title": title, "kind": kind, "theme": theme, "effect": effect, "relevance": relevance,
            }})
        })
        .collect();
    let path = format!("/v1/tenants/{}/context-issues/batch", office.tenant);
    let batch = json!({"atomic": true, "operations": operations});
    let answer = office.crew.api(by)?.post(&path, &batch).await?;
    match answer.get("committed").and_then(Value::as_bool) {
        Some(true) => Ok(()),
        _ => Err(Fault::new(format!(
            "The context issues were refused: {answer}."
        ))),
    }
}

/// A rated risk.
pub(super) struct Identified<'a> {
    pub(super) title: &'a str,
    pub(super) system: &'a Record,
    pub(super) source: &'a str,
    pub(super) category: &'a str,
    pub(super) cause: &'a str,
    pub(super) consequences: &'a str,
    pub(super) rating: (u8, u8),
    pub(super) option: &'a str,
    pub(super) owner: &'a str,
}

/// The consultant identifies and rates a risk, and takes it as far as `states` say.
pub(super) async fn identify(
    office: &Office<'_>,
    by: &str,
    risk: Identified<'_>,
    states: &[&str],
) -> Result<Record, Fault> {
    let (likelihood, consequence) = risk.rating;
    let body = json!({
        "title": risk.title, "ai_system_id": risk.system.id, "source": risk.source, "category": risk.category,
        "cause": risk.cause, "consequences": risk.consequences, "treatment_option": risk.option,
        "inherent": {"likelihood": likelihood, "consequence": consequence},
    });
    let by = office.crew.api(by)?;
    let mut made = office.make(by, "risks", Some(risk.owner), body).await?;
    by.walk(&mut made, states).await?;
    Ok(made)
}

/// Plans reviews in so many days; the manager answers for them.
pub(super) async fn planned_reviews(
    office: &Office<'_>,
    manager: &str,
    reviews: &[(&str, i64)],
) -> Result<(), Fault> {
    for (title, days) in reviews {
        let body = json!({"title": title, "planned_on": office.in_days(*days)});
        office
            .make(
                office.crew.api(manager)?,
                "management-reviews",
                Some(manager),
                body,
            )
            .await?;
    }
    Ok(())
}
