//! Waivers: a soft rule is let pass for one record, for a time, with a reason (domain rules).

use chrono::{Months, NaiveDate};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::aims::RUNNERS;
use crate::problem::{Problem, Result};
use crate::records::{AnyRef, Deadline, Kind, KindInfo, Record, Waives, lifecycle, registry};
use crate::tenancy::{Role, Roles, TenantTx};

/// Longest validity of a waiver, in months.
const LONGEST_MONTHS: u32 = 6;
/// The deadline with which a waiver ends.
const EXPIRY: &str = "expiry";

/// A waiver.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Waiver {
    /// The record for which the rule is let pass.
    pub about: AnyRef,
    /// The rule, such as `SOA-3`; hard rules accept no waiver.
    #[schema(min_length = 3, max_length = 20)]
    pub rule: String,
    /// Why.
    #[schema(min_length = 20, max_length = 4000)]
    pub reason: String,
    /// Last civil date it holds, at most six months ahead.
    #[schema(value_type = String, format = Date)]
    pub valid_until: NaiveDate,
}

lifecycle! {
    /// States of a waiver.
    WaiverState of Waiver: Requested, Granted, Refused, Expired;
    start Requested; frozen [Granted, Refused, Expired];
    Requested -> Granted by [AimsManager, TopManagement] => approves;
    Requested -> Refused by [AimsManager, TopManagement] => asks_reason;
    Granted -> Expired by [] => after(EXPIRY), withdraws;
    Granted -> Refused by [AimsManager, TopManagement] => asks_reason, withdraws;
}

impl Kind for Waiver {
    const INFO: KindInfo = KindInfo {
        name: "waiver",
        path: "waivers",
        prefix: "WVR",
        one: "waiver",
        many: "waivers",
        clauses: &["10.1"],
        about: "Lets a soft rule pass for one record until a date. The event of a transition that needed it names it; hard rules accept none.",
    };
    const AUTHORS: Roles = RUNNERS;
    const OWNERS: Roles = Roles::of(&[Role::SystemOwner, Role::RiskOwner, Role::ProcessOwner]);
    const FILTERS: &'static [&'static str] = &["rule"];
    const SORTS: &'static [&'static str] = &["valid_until"];

    async fn judge(record: &Record<Self>, before: Option<&Record<Self>>, tx: &mut TenantTx<'_>) -> Result<()> {
        let waiver = &record.body;
        match registry().rules().find(|rule| rule.id == waiver.rule) {
            None => return Err(Problem::invalid("/rule", "There is no such rule.")),
            Some(rule) if rule.hard => {
                return Err(Problem::invalid("/rule", format!("{} is hard: it accepts no waiver.", rule.id)));
            }
            Some(_) => {}
        }
        let today = tx.today()?;
        let last = today.checked_add_months(Months::new(LONGEST_MONTHS)).unwrap_or(today);
        let changed = before.is_none_or(|before| before.body.valid_until != waiver.valid_until);
        if changed && !(today..=last).contains(&waiver.valid_until) {
            let detail = format!("must be from {today} to {last}: a waiver holds for at most six months");
            return Err(Problem::invalid("/valid_until", detail));
        }
        Ok(())
    }

    fn deadlines(record: &Record<Self>) -> Vec<Deadline> {
        let expiry = Deadline::on(EXPIRY, record.body.valid_until)
            .for_person(record.owner_id)
            .for_roles(Roles::of(&[Role::AimsManager]));
        if record.status == WaiverState::Granted { vec![expiry] } else { Vec::new() }
    }

    fn example() -> Value {
        json!({
            "title": "Exclusion of A.10.4 while the last customers move",
            "about": {"kind": "ai_system", "id": "019416c0-9b1c-7d2e-8f3a-5b6c7d8e9f01"},
            "rule": "SOA-3",
            "reason": "The last two outside users leave in March; nobody new is taken on.",
            "valid_until": "2027-03-31",
        })
    }
}

impl Waives for Waiver {
    const GRANTED: WaiverState = WaiverState::Granted;

    fn about(&self) -> Uuid {
        self.about.id
    }

    fn rule(&self) -> &str {
        &self.rule
    }

    fn valid_until(&self) -> NaiveDate {
        self.valid_until
    }
}
