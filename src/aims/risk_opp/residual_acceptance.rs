//! Acceptance of what is left of a risk (clause 6.1.3): by whom, for how long, and why.

use chrono::{Months, NaiveDate};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::level::Level;
use super::risk::{Risk, RiskId};
use super::risk_criteria::RiskCriteria;
use crate::aims::RUNNERS;
use crate::aims::rules::RSK_2;
use crate::problem::{Problem, Result};
use crate::records::{
    Deadline, Guarded, Kind, KindInfo, PersonId, Record, Unmet, get, lifecycle, only_in_force,
};
use crate::tenancy::{Role, Roles, TenantTx};

/// Longest validity of an acceptance, in months.
const LONGEST_MONTHS: u32 = 12;

/// The deadline with which an acceptance ends.
const EXPIRY: &str = "expiry";

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

lifecycle! {
    /// States of an acceptance.
    AcceptanceState of ResidualAcceptance: Requested, Accepted, Refused, Expired;
    start Requested; frozen [Accepted, Refused, Expired];
    Requested -> Accepted by [RiskOwner, TopManagement] if [RSK_2: still_the_level, RSK_2: entitled, RSK_2: in_time] => approves;
    Requested -> Refused by [RiskOwner, TopManagement] => asks_reason;
    Accepted -> Expired by [] => after(EXPIRY), withdraws;
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
    const AUTHORS: Roles = RUNNERS;
    const OWNERS: Roles = Roles::of(&[Role::RiskOwner, Role::SystemOwner]);
    const FILTERS: &'static [&'static str] = &["level"];
    const SORTS: &'static [&'static str] = &["level", "valid_until"];

    /// The level asked for is the one the risk has while it is asked for.
    async fn compute(record: &mut Record<Self>, _before: Option<&Record<Self>>, tx: &mut TenantTx<'_>) -> Result<()> {
        if record.status == AcceptanceState::Requested {
            record.body.level = level_left(record, tx).await?;
        }
        Ok(())
    }

    async fn judge(record: &Record<Self>, _before: Option<&Record<Self>>, tx: &mut TenantTx<'_>) -> Result<()> {
        let today = tx.today()?;
        let last = today.checked_add_months(Months::new(LONGEST_MONTHS)).unwrap_or(today);
        if record.status != AcceptanceState::Requested || (today..=last).contains(&record.body.valid_until) {
            return Ok(());
        }
        Err(Problem::invalid(
            "/valid_until",
            format!("must be from {today} to {last}: an acceptance holds for at most twelve months"),
        ))
    }

    async fn entering(record: &mut Record<Self>, _from: AcceptanceState, tx: &mut TenantTx<'_>) -> Result<()> {
        if record.status == AcceptanceState::Accepted {
            record.body.accepted_by = tx.actor().person().map(PersonId);
            record.body.accepted_on = Some(tx.today()?);
        }
        Ok(())
    }

    fn deadlines(record: &Record<Self>) -> Vec<Deadline> {
        let expiry = Deadline::on(EXPIRY, record.body.valid_until)
            .for_person(record.owner_id.or(record.body.accepted_by.map(|person| person.0)))
            .for_roles(Roles::of(&[Role::AimsManager]));
        if record.status == AcceptanceState::Accepted { vec![expiry] } else { Vec::new() }
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
async fn still_the_level(acceptance: &Record<ResidualAcceptance>, tx: &mut TenantTx<'_>) -> Guarded {
    let left = level_left(acceptance, tx).await?;
    match left {
        None => Unmet::unless(false, "/risk_id", "The risk has not been rated; there is no level to accept."),
        left => Unmet::unless(
            left == acceptance.body.level,
            "/level",
            "The level of the risk has changed since this was asked for; ask again.",
        ),
    }
}

/// An acceptance that is over cannot be given any more.
async fn in_time(acceptance: &Record<ResidualAcceptance>, tx: &mut TenantTx<'_>) -> Guarded {
    let today = tx.today()?;
    Unmet::unless(acceptance.body.valid_until >= today, "/valid_until", "Its last day is over; ask for a later one.")
}

/// The risk owner accepts inside what the criteria let them, top management above it, and what is
/// above both is not acceptable.
async fn entitled(acceptance: &Record<ResidualAcceptance>, tx: &mut TenantTx<'_>) -> Guarded {
    let Some(level) = acceptance.body.level else { return Ok(Vec::new()) };
    let Some(criteria) = only_in_force::<RiskCriteria>(tx).await? else {
        return Unmet::unless(false, "", "No approved criteria are in force.");
    };
    let criteria = criteria.body;
    if level > criteria.top_management_accepts_up_to {
        let detail = format!("A {level} risk cannot be accepted by anybody; treat it further.");
        return Ok(vec![Unmet::new("/level", detail)]);
    }
    if level > criteria.risk_owner_accepts_up_to && !tx.actor().roles().has(Role::TopManagement) {
        let detail = format!("A {level} risk can be accepted by top management only.");
        return Ok(vec![Unmet::by_person(detail)]);
    }
    Ok(Vec::new())
}
