//! Corrective actions (clause 10.2): what is done against the cause of a nonconformity, and
//! whether it works. Somebody else than who did it finds out, once it has had time to work.

use chrono::{Days, NaiveDate};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::nonconformity::{Nonconformity, NonconformityId, NonconformityState};
use crate::aims::RUNNERS;
use crate::aims::rules::NC_1;
use crate::problem::Result;
use crate::records::{
    Deadline, Guarded, Kind, KindInfo, PersonId, Record, RuleId, Unmet, get, lifecycle,
};
use crate::tenancy::{Role, Roles, TenantTx};

/// Days an action works before its effect is reviewed.
const WORKS_DAYS: u64 = 30;
/// Days after which its effect has been reviewed.
const REVIEWED_DAYS: u64 = 90;
/// Days before the end of the review on which people are told; the first is the day it may begin.
const REVIEW_WARNINGS: &[i32] = &[60, 30, 7, 1, 0];

/// A corrective action. Its owner does it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CorrectiveAction {
    /// The nonconformity whose cause it removes.
    pub nonconformity_id: NonconformityId,
    /// What is done against the cause.
    #[schema(min_length = 1, max_length = 4000, pattern = "\\S")]
    pub action: String,
    /// Civil date by which it is done.
    #[schema(value_type = String, format = Date)]
    pub due_on: NaiveDate,
    /// How it will show that the action works, said before it is done.
    #[serde(default)]
    #[schema(max_length = 2000)]
    pub effectiveness_criterion: Option<String>,
    /// What the review of its effect showed.
    #[serde(default)]
    #[schema(max_length = 4000)]
    pub effectiveness_result: Option<String>,
    /// Civil date it was reported done.
    #[serde(default)]
    #[schema(read_only, value_type = Option<String>, format = Date)]
    pub done_on: Option<NaiveDate>,
    /// Who did it: everybody who owned it while it was under way, and who reported it done.
    #[serde(default)]
    #[schema(read_only)]
    pub done_by: Vec<PersonId>,
    /// Civil date its effect was reviewed.
    #[serde(default)]
    #[schema(read_only, value_type = Option<String>, format = Date)]
    pub checked_on: Option<NaiveDate>,
    /// Who reviewed it.
    #[serde(default)]
    #[schema(read_only)]
    pub checked_by: Option<PersonId>,
}

lifecycle! {
    /// States of a corrective action.
    CorrectiveActionState of CorrectiveAction: Planned, InProgress, Done, Effective, Ineffective;
    start Planned; frozen [Done, Effective, Ineffective];
    Planned -> InProgress by [ProcessOwner, AimsManager, Consultant, Lead] or [owner] if [NC_1: has_an_owner];
    InProgress -> Done by [ProcessOwner, AimsManager, Consultant, Lead] or [owner] if [NC_1: has_an_owner, NC_1: says_how_it_will_show];
    Done -> Effective by [ProcessOwner, AimsManager, InternalAuditor] if [NC_1: shows_effect, NC_1: has_had_time_to_work, NC_1: is_reviewed_by_somebody_else];
    Done -> Ineffective by [ProcessOwner, AimsManager, InternalAuditor] or [owner] => asks_reason;
    Effective -> Ineffective by [AimsManager, InternalAuditor] => asks_reason;
}

impl Kind for CorrectiveAction {
    const INFO: KindInfo = KindInfo {
        name: "corrective_action",
        path: "corrective-actions",
        prefix: "CAR",
        one: "corrective action",
        many: "corrective actions",
        clauses: &["10.2"],
        about: "What is done against the cause of a nonconformity. Its effect is reviewed at the earliest 30 days after it was done, by somebody else than who did it (NC-1); one that turns out ineffective sends the nonconformity back to its cause.",
    };
    const AUTHORS: Roles = RUNNERS;
    const OWNERS: Roles = Roles::of(&[
        Role::ProcessOwner,
        Role::SystemOwner,
        Role::RiskOwner,
        Role::Overseer,
        Role::TopManagement,
    ]);
    const SORTS: &'static [&'static str] = &["due_on", "done_on"];
    const STAYS_OPEN: &'static [&'static str] = &["effectiveness_result"];
    const RULES: &'static [&'static RuleId] = &[&NC_1];

    /// Who owns it while it is under way has had a hand in it, whoever owns it later.
    async fn compute(record: &mut Record<Self>, before: Option<&Record<Self>>, _tx: &mut TenantTx<'_>) -> Result<()> {
        let under_way = |record: &Record<Self>| {
            record.owner_id.filter(|_| record.status == CorrectiveActionState::InProgress)
        };
        for owner in [before.and_then(under_way), under_way(record)] {
            record.body.add_doer(owner);
        }
        Ok(())
    }

    /// What is closed takes no new action; what has come again is a new nonconformity.
    async fn judge(record: &Record<Self>, before: Option<&Record<Self>>, tx: &mut TenantTx<'_>) -> Result<()> {
        let of = record.body.nonconformity_id;
        if before.is_some_and(|before| before.body.nonconformity_id == of) {
            return Ok(());
        }
        let nonconformity = get::<Nonconformity>(tx, of.id()).await?;
        if nonconformity.status != NonconformityState::Closed {
            return Ok(());
        }
        let detail = format!(
            "{} is closed. What has come again is a new nonconformity that recurs.",
            nonconformity.reference
        );
        Err(NC_1.refuses("/nonconformity_id", detail))
    }

    async fn entering(record: &mut Record<Self>, from: CorrectiveActionState, tx: &mut TenantTx<'_>) -> Result<()> {
        use CorrectiveActionState::{Done, Effective, Ineffective};
        let (today, person) = (tx.today()?, tx.actor().person());
        match (from, record.status) {
            (_, Done) => {
                record.body.done_on = Some(today);
                record.body.add_doer(person);
            }
            // What was found effective keeps who found it so; the event says why it is no more.
            (Done, Effective | Ineffective) => {
                record.body.checked_on = Some(today);
                record.body.checked_by = person.map(PersonId);
            }
            _ => {}
        }
        Ok(())
    }

    fn deadlines(record: &Record<Self>) -> Vec<Deadline> {
        use CorrectiveActionState::{Done, InProgress, Planned};
        let reviewed_by = record.body.done_on.and_then(|done| done.checked_add_days(Days::new(REVIEWED_DAYS)));
        match (record.status, reviewed_by) {
            (Planned | InProgress, _) => vec![
                Deadline::on("action", record.body.due_on).for_person_or(record.owner_id, Roles::of(&[Role::AimsManager])),
            ],
            (Done, Some(by)) => vec![
                Deadline::on("effectiveness_review", by)
                    .for_roles(Roles::of(&[Role::AimsManager, Role::InternalAuditor]))
                    .warn(REVIEW_WARNINGS),
            ],
            _ => Vec::new(),
        }
    }

    fn example() -> Value {
        json!({
            "title": "Tests for holiday terms",
            "nonconformity_id": "019416c0-9b1c-7d2e-8f3a-5b6c7d8e9f01",
            "action": "Every release is tested with the terms of all holidays of the year",
            "due_on": "2027-05-20",
            "effectiveness_criterion": "No wrong advice on repayment in holidays for 30 days",
        })
    }
}

impl CorrectiveAction {
    /// Whether this person did it.
    pub fn is_done_by(&self, person: Uuid) -> bool {
        self.done_by.contains(&PersonId(person))
    }

    /// First civil date on which its effect can be reviewed; none before it is done.
    pub fn reviewed_from(&self) -> Option<NaiveDate> {
        self.done_on?.checked_add_days(Days::new(WORKS_DAYS))
    }

    /// Whether its effect was reviewed when it had had time to work, by somebody else.
    pub fn is_reviewed(&self) -> bool {
        let in_time = self.checked_on.zip(self.reviewed_from()).is_some_and(|(on, from)| on >= from);
        in_time && self.checked_by.is_some_and(|PersonId(by)| !self.is_done_by(by))
    }

    fn add_doer(&mut self, person: Option<Uuid>) {
        self.done_by.extend(person.filter(|id| !self.is_done_by(*id)).map(PersonId));
    }
}

/// Whether something was said.
pub(super) fn said(text: &Option<String>) -> bool {
    text.as_deref().is_some_and(|text| !text.trim().is_empty())
}

async fn has_an_owner(action: &Record<CorrectiveAction>, _tx: &mut TenantTx<'_>) -> Guarded {
    Unmet::unless(action.owner_id.is_some(), "/owner_id", "A corrective action needs an owner who does it.")
}

async fn says_how_it_will_show(action: &Record<CorrectiveAction>, _tx: &mut TenantTx<'_>) -> Guarded {
    let detail = "How it will show that the action works is said before the action is done.";
    Unmet::unless(said(&action.body.effectiveness_criterion), "/effectiveness_criterion", detail)
}

async fn shows_effect(action: &Record<CorrectiveAction>, _tx: &mut TenantTx<'_>) -> Guarded {
    let shown = said(&action.body.effectiveness_result);
    Unmet::unless(shown, "/effectiveness_result", "effectiveness_result must say what the review showed.")
}

/// The first of the two doors of the 30 days; the other is the closing of the nonconformity.
async fn has_had_time_to_work(action: &Record<CorrectiveAction>, tx: &mut TenantTx<'_>) -> Guarded {
    let today = tx.today()?;
    let (met, detail) = match action.body.reviewed_from() {
        Some(from) => (
            today >= from,
            format!("The effect of an action is reviewed at the earliest {WORKS_DAYS} days after it was done: from {from}."),
        ),
        None => (false, "The action has not been done.".to_owned()),
    };
    Unmet::unless(met, "/done_on", &detail)
}

async fn is_reviewed_by_somebody_else(action: &Record<CorrectiveAction>, tx: &mut TenantTx<'_>) -> Guarded {
    let person = tx.actor().person();
    let own = person.is_some_and(|id| action.body.is_done_by(id) || action.owner_id == Some(id));
    let unmet = own.then(|| Unmet::by_person("The effect of an action is reviewed by somebody else than who did it."));
    Ok(unmet.into_iter().collect())
}
