//! Acceptance of what is left of a risk (clause 6.1.3): by whom, for how long, and why.

use chrono::{Months, NaiveDate};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::level::Level;
use super::risk::{Risk, RiskId, send_back};
use super::risk_criteria::RiskCriteria;
use crate::problem::{Problem, Result};
use crate::records::{
    Deadline, Filter, Find, Kind, KindInfo, Lifecycle, PersonId, Record, find, follow, get, lifecycle,
};
use crate::tenancy::{Role, Roles, TenantTx};

/// Longest validity of an acceptance, in months.
const LONGEST_MONTHS: u32 = 12;

/// An acceptance of residual risk.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResidualAcceptance {
    /// The risk.
    pub risk_id: RiskId,
    /// Why it can be lived with.
    #[schema(min_length = 20, max_length = 4000)]
    pub rationale: String,
    /// Last civil date it holds, at most twelve months ahead.
    #[schema(value_type = String, format = Date)]
    pub valid_until: NaiveDate,
    /// The level accepted: that of the risk when it was asked for.
    #[serde(default)]
    #[schema(read_only)]
    pub level: Option<Level>,
    /// Who accepted it.
    #[serde(default)]
    #[schema(read_only)]
    pub accepted_by: Option<PersonId>,
    /// Civil date of the acceptance.
    #[serde(default)]
    #[schema(read_only, value_type = Option<String>, format = Date)]
    pub accepted_on: Option<NaiveDate>,
}

impl Kind for ResidualAcceptance {
    const INFO: KindInfo = KindInfo {
        name: "residual_acceptance",
        path: "residual-acceptances",
        prefix: "ACC",
        one: "residual acceptance",
        many: "residual acceptances",
        clauses: &["6.1.3"],
        about: "The informed decision to live with what is left of a risk: the risk owner inside what the criteria let them accept, top management above it, for at most twelve months.",
    };
    const AUTHORS: Roles = Roles::of(&[Role::RiskOwner, Role::SystemOwner, Role::AimsManager, Role::Consultant, Role::Lead]);
    const FILTERS: &'static [Filter] = &[Filter::Risk, Filter::Level];

    fn lifecycle() -> Lifecycle<Self> {
        lifecycle! {
            start requested;
            frozen [accepted, refused, expired];
            requested -> accepted by [RiskOwner, TopManagement] if [still_the_level, entitled] => approves;
            requested -> refused by [RiskOwner, TopManagement] => asks_reason;
            accepted -> expired by [];
        }
    }

    async fn settle(record: &mut Record<Self>, before: Option<&Self>, tx: &mut TenantTx<'_>) -> Result<()> {
        if let Some(before) = before.filter(|_| record.status != "requested") {
            record.body.level = before.level;
            record.body.accepted_by = record.body.accepted_by.or(before.accepted_by);
            record.body.accepted_on = record.body.accepted_on.or(before.accepted_on);
            return Ok(());
        }
        let today = tx.today()?;
        let last = today.checked_add_months(Months::new(LONGEST_MONTHS)).unwrap_or(today);
        if !(today..=last).contains(&record.body.valid_until) {
            return Err(Problem::invalid(
                "/valid_until",
                format!("must be from {today} to {last}: an acceptance holds for at most twelve months"),
            ));
        }
        record.body.level = level_left(record, tx).await?;
        Ok(())
    }

    async fn moved(record: &mut Record<Self>, _from: &str, tx: &mut TenantTx<'_>) -> Result<()> {
        match record.status.as_str() {
            "accepted" => {
                record.body.accepted_by = tx.actor().person().map(PersonId);
                record.body.accepted_on = Some(tx.today()?);
                Ok(())
            }
            "expired" => {
                let reason = format!("acceptance {} has expired", record.reference);
                send_back(tx, record.body.risk_id, &reason).await
            }
            _ => Ok(()),
        }
    }

    fn deadlines(record: &Record<Self>) -> Vec<Deadline> {
        let expiry = Deadline::on("expiry", record.body.valid_until)
            .for_person(record.owner_id.or(record.body.accepted_by.map(|person| person.0)))
            .for_roles(Roles::of(&[Role::AimsManager]));
        if record.status == "accepted" { vec![expiry] } else { Vec::new() }
    }

    fn example() -> Value {
        json!({
            "title": "Residual risk of proxy discrimination",
            "risk_id": "019416c0-9b1c-7d2e-8f3a-5b6c7d8e9f01",
            "rationale": "The selection ratio is 0.86 after the constraint; a human decides all doubtful cases.",
            "valid_until": "2028-03-14",
        })
    }
}

/// The level of what is left of the risk.
async fn level_left(acceptance: &Record<ResidualAcceptance>, tx: &mut TenantTx<'_>) -> Result<Option<Level>> {
    let risk = get::<Risk>(tx, acceptance.body.risk_id.id()).await?;
    Ok(risk.body.left().and_then(|rating| rating.level))
}

/// Nobody accepts blindly: the level must still be the one that was asked for.
async fn still_the_level(acceptance: &Record<ResidualAcceptance>, tx: &mut TenantTx<'_>) -> Result<()> {
    let left = level_left(acceptance, tx).await?;
    match (left, acceptance.body.level) {
        (None, _) => Err(Problem::rule("RSK-2", "The risk has not been rated; there is no level to accept.")),
        (left, asked) if left == asked => Ok(()),
        _ => Err(Problem::rule("RSK-2", "The level of the risk has changed since this was asked for; ask again.")),
    }
}

/// The risk owner accepts inside what the criteria let them, top management above it, and what is
/// above both is not acceptable.
async fn entitled(acceptance: &Record<ResidualAcceptance>, tx: &mut TenantTx<'_>) -> Result<()> {
    let Some(level) = acceptance.body.level else { return Ok(()) };
    let criteria = RiskCriteria::in_force(tx).await?;
    let criteria = criteria.ok_or_else(|| Problem::rule("RSK-1", "No approved criteria are in force."))?.body;
    if level > criteria.top_management_accepts_up_to {
        return Err(Problem::rule("RSK-2", format!("A {level} risk cannot be accepted by anybody; treat it further.")));
    }
    let roles = tx.actor().roles();
    if level > criteria.risk_owner_accepts_up_to && !roles.has(Role::TopManagement) {
        let detail = format!("A {level} risk can be accepted by top management only.");
        return Err(Problem::rule("RSK-2", detail).with_status(403));
    }
    Ok(())
}

/// Lets acceptances expire whose last day is over; the risks go back to be analysed (RSK-3). Run
/// once a day for each tenant.
pub async fn expire(tx: &mut TenantTx<'_>) -> Result<()> {
    let today = tx.today()?;
    let accepted = Find { statuses: &["accepted"], ..Find::default() };
    for acceptance in find::<ResidualAcceptance>(tx, accepted).await? {
        if acceptance.body.valid_until < today {
            let reason = format!("valid until {}", acceptance.body.valid_until);
            follow::<ResidualAcceptance>(tx, acceptance.id, "expired", &reason).await?;
        }
    }
    Ok(())
}
