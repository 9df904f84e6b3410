//! Nonconformities (clause 10.2): a requirement that is not met, what was done about it at once,
//! why it happened, and whether what was done against the cause works.

use chrono::{Days, NaiveDate};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::closing::{
    decides_on_the_aims, has_an_action, has_done_an_action, has_handled_its_consequences, has_looked_for_similar_cases,
    is_closed_by_somebody_else, is_corrected, is_shown_to_be_over, knows_its_cause,
};
use super::corrective_action::CorrectiveAction;
use super::recurrence;
use crate::aims::RUNNERS;
use crate::aims::operation::ai_system::AiSystemId;
use crate::aims::rules::{NC_1, NC_2};
use crate::problem::Result;
use crate::records::{
    AnyRef, Cause, Deadline, Find, Happened, Hears, Kind, KindInfo, Record, Ref, RuleId, UnitRef, What, amend, find,
    follow, get, lifecycle,
};
use crate::tenancy::{Role, Roles, TenantTx};

/// Days in which a major one is contained.
const CONTAIN_DAYS: u64 = 7;
/// Days in which it is planned what is done against the cause of a major one.
const PLAN_DAYS: u64 = 30;
/// Days in which one is closed.
const CLOSE_DAYS: u64 = 90;

/// A nonconformity. Its owner sees to it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Nonconformity {
    /// How it was found.
    pub source: NonconformitySource,
    /// How grave it is.
    pub grade: Grade,
    /// The clause, control or duty that is not met.
    pub requirement: UnitRef,
    /// What was found, against what is required.
    #[serde(default)]
    #[schema(max_length = 4000)]
    pub statement: Option<String>,
    /// The record it comes from, such as a finding, an incident or a concern.
    #[serde(default)]
    pub found_in: Option<AnyRef>,
    /// The AI system it is about, if it is one.
    #[serde(default)]
    pub ai_system_id: Option<AiSystemId>,
    /// The earlier nonconformity that has come again; once said, it stays.
    #[serde(default)]
    pub recurs_of: Option<NonconformityId>,
    /// What was done at once to contain and correct it.
    #[serde(default)]
    #[schema(max_length = 4000)]
    pub correction: Option<String>,
    /// How its consequences were dealt with.
    #[serde(default)]
    #[schema(max_length = 4000)]
    pub consequences: Option<String>,
    /// Why it happened: a cause, not the same again in other words.
    #[serde(default)]
    #[schema(max_length = 4000)]
    pub root_cause: Option<String>,
    /// How the cause was found.
    #[serde(default)]
    pub root_cause_method: Option<CauseMethod>,
    /// Where similar cases were looked for, and what was found.
    #[serde(default)]
    #[schema(max_length = 4000)]
    pub similar_check: Option<String>,
    /// What was decided on changes to the AI management system.
    #[serde(default)]
    pub aims_change: Option<AimsChange>,
    /// Civil date it was recorded.
    #[serde(default)]
    #[schema(read_only, value_type = Option<String>, format = Date)]
    pub raised_on: Option<NaiveDate>,
    /// Civil date by which it is contained, if it is or was a major one.
    #[serde(default)]
    #[schema(read_only, value_type = Option<String>, format = Date)]
    pub contain_by: Option<NaiveDate>,
    /// Civil date by which it is planned what is done against its cause, if it is or was a major one.
    #[serde(default)]
    #[schema(read_only, value_type = Option<String>, format = Date)]
    pub plan_by: Option<NaiveDate>,
    /// Civil date by which it is closed.
    #[serde(default)]
    #[schema(read_only, value_type = Option<String>, format = Date)]
    pub close_by: Option<NaiveDate>,
    /// Civil date it was closed; null while it is open, and once it is open again.
    #[serde(default)]
    #[schema(read_only, value_type = Option<String>, format = Date)]
    pub closed_on: Option<NaiveDate>,
    /// Civil date on which, with others on the same requirement, it was proposed as a major one.
    #[serde(default)]
    #[schema(read_only, value_type = Option<String>, format = Date)]
    pub major_proposed_on: Option<NaiveDate>,
}

/// How a nonconformity was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NonconformitySource {
    /// An internal audit.
    InternalAudit,
    /// An audit by a customer or a certification body.
    ExternalAudit,
    /// An incident.
    Incident,
    /// A concern that somebody raised.
    Concern,
    /// Monitoring and measurement.
    Monitoring,
    /// Whoever does the work found it.
    #[serde(rename = "self")]
    Oneself,
}

/// How grave a nonconformity is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// A single lapse.
    Minor,
    /// Absence or breakdown that puts the AI management system in doubt.
    Major,
}

/// How the cause of a nonconformity was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CauseMethod {
    /// Asking why until a cause is reached.
    FiveWhys,
    /// Causes by families in a fishbone diagram.
    Fishbone,
    /// A tree of what had to come together.
    FaultTree,
    /// What changed, in the order it happened.
    Timeline,
    /// Another one, which the cause describes.
    Other,
}

/// The decision whether the AI management system changes.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AimsChange {
    /// Whether it changes.
    pub needed: bool,
    /// What changes, or why nothing does.
    #[schema(min_length = 1, max_length = 4000, pattern = "\\S")]
    pub because: String,
}

/// A reference to a nonconformity.
pub type NonconformityId = Ref<Nonconformity>;

lifecycle! {
    /// States of a nonconformity.
    NonconformityState of Nonconformity: Open, Contained, CauseFound, ActionPlanned, InProgress, EffectivenessReview, Closed;
    start Open; frozen [Closed];
    Open -> Contained by [ProcessOwner, AimsManager, Consultant, Lead] or [owner] if [NC_1: is_corrected];
    Contained -> CauseFound by [ProcessOwner, AimsManager, Consultant, Lead] or [owner] if [NC_1: knows_its_cause];
    CauseFound -> ActionPlanned by [ProcessOwner, AimsManager, Consultant, Lead] or [owner] if [NC_1: knows_its_cause, NC_1: has_an_action];
    ActionPlanned -> InProgress by [ProcessOwner, AimsManager, Consultant, Lead] or [owner];
    ActionPlanned -> CauseFound by [ProcessOwner, AimsManager, Consultant, Lead] or [owner] => asks_reason;
    InProgress -> EffectivenessReview by [ProcessOwner, AimsManager, Consultant, Lead] or [owner] if [NC_1: has_done_an_action];
    InProgress -> CauseFound by [ProcessOwner, AimsManager, Consultant, Lead] or [owner] => asks_reason;
    EffectivenessReview -> CauseFound by [ProcessOwner, AimsManager, InternalAuditor] or [owner] => asks_reason;
    EffectivenessReview -> Closed by [AimsManager, InternalAuditor] if [
        NC_1: is_corrected,
        NC_1: has_handled_its_consequences,
        NC_1: knows_its_cause,
        NC_1: has_looked_for_similar_cases,
        NC_1: has_done_an_action,
        NC_1: is_shown_to_be_over,
        NC_1: decides_on_the_aims,
        NC_1: is_closed_by_somebody_else
    ];
    Closed -> CauseFound by [];
}

impl Kind for Nonconformity {
    const INFO: KindInfo = KindInfo {
        name: "nonconformity",
        path: "nonconformities",
        prefix: "NCR",
        one: "nonconformity",
        many: "nonconformities",
        clauses: &["10.2"],
        about: "A requirement that is not met. It is closed once it is corrected, its cause is known, and a corrective action has been found effective by somebody else at least 30 days after it was done (NC-1). A major one has 7 days to be contained and 30 to be planned; one that recurs within twelve months is open again; three minor ones on one requirement are proposed as a major one (NC-2).",
    };
    const AUTHORS: Roles = RUNNERS;
    const OWNERS: Roles = Roles::of(&[
        Role::ProcessOwner,
        Role::SystemOwner,
        Role::RiskOwner,
        Role::Overseer,
        Role::InternalAuditor,
        Role::TopManagement,
    ]);
    const FILTERS: &'static [&'static str] = &["grade", "source"];
    const SORTS: &'static [&'static str] = &["grade", "raised_on", "close_by"];
    const RULES: &'static [&'static RuleId] = &[&NC_2];
    const HEARS: &'static [Hears] = &[
        Hears::Made("nonconformity"),
        Hears::Changed("nonconformity"),
        Hears::Archived("nonconformity"),
        Hears::Moved("corrective_action", "ineffective"),
    ];

    /// Dates run from the day they can be known, and nobody gets more time by changing a grade
    /// there and back.
    async fn compute(record: &mut Record<Self>, before: Option<&Record<Self>>, tx: &mut TenantTx<'_>) -> Result<()> {
        let today = tx.today()?;
        let body = &mut record.body;
        body.raised_on.get_or_insert(today);
        body.close_by.get_or_insert(today + Days::new(CLOSE_DAYS));
        if body.grade == Grade::Major {
            body.contain_by.get_or_insert(today + Days::new(CONTAIN_DAYS));
            body.plan_by.get_or_insert(today + Days::new(PLAN_DAYS));
        }
        if before.is_some_and(|before| before.body.requirement != body.requirement) {
            body.major_proposed_on = None;
        }
        let written = before.is_none_or(|before| before.status == record.status);
        if written && recurrence::is_one_too_many(record, tx).await? {
            record.body.major_proposed_on = Some(today);
        }
        Ok(())
    }

    /// NC-2: what recurs has led to something, which is not undone by saying otherwise.
    async fn judge(record: &Record<Self>, before: Option<&Record<Self>>, _tx: &mut TenantTx<'_>) -> Result<()> {
        let recurs_of = record.body.recurs_of;
        let said = before.and_then(|before| before.body.recurs_of);
        if said.is_some() && said != recurs_of {
            let detail = "What it recurs was said and has been acted upon; it stays.";
            return Err(NC_2.refuses("/recurs_of", detail));
        }
        Ok(())
    }

    async fn entering(record: &mut Record<Self>, from: NonconformityState, tx: &mut TenantTx<'_>) -> Result<()> {
        use NonconformityState::{CauseFound, Closed, Contained};
        let today = tx.today()?;
        let body = &mut record.body;
        body.closed_on = (record.status == Closed).then_some(today);
        if from == Closed {
            body.close_by = Some(today + Days::new(CLOSE_DAYS));
        }
        // Back at the cause, what is done against it is planned anew.
        if record.status == CauseFound && from != Contained && body.grade == Grade::Major {
            body.plan_by = Some(today + Days::new(PLAN_DAYS));
        }
        Ok(())
    }

    /// An action that turns out ineffective sends it back to its cause; NC-2 for the rest.
    async fn heard(happened: &Happened, tx: &mut TenantTx<'_>) -> Result<()> {
        if happened.kind != Self::INFO.name {
            let action = get::<CorrectiveAction>(tx, happened.id).await?;
            let cause = Cause::heard(happened, format!("{} turned out ineffective", happened.reference));
            return back_to_its_cause(action.body.nonconformity_id.id(), &cause, tx).await;
        }
        let says = |name: &str| match &happened.what {
            What::Made => true,
            What::Changed(fields) => fields.iter().any(|field| field == name),
            What::Moved(_) | What::Archived(_) => false,
        };
        if happened.what == What::Archived(false) {
            // It counts again, and may be one too many.
            let cause = Cause::heard(happened, format!("{} was brought back", happened.reference));
            amend::<Self>(tx, happened.id, &cause, |_| ()).await?;
        }
        let (recurs, proposed) = (says("recurs_of"), says("major_proposed_on") || says("requirement"));
        if !recurs && !proposed {
            return Ok(());
        }
        let record = get::<Self>(tx, happened.id).await?;
        if recurs {
            recurrence::reopen(&record, happened, tx).await?;
        }
        if proposed && record.body.major_proposed_on == Some(tx.today()?) {
            recurrence::propose(&record, tx).await?;
        }
        Ok(())
    }

    fn deadlines(record: &Record<Self>) -> Vec<Deadline> {
        use NonconformityState::{CauseFound, Closed, Contained, Open};
        let is = |states: &[NonconformityState]| states.contains(&record.status);
        let major = record.body.grade == Grade::Major;
        let due = |name: &'static str, on: Option<NaiveDate>, waits: bool| {
            let on = on.filter(|_| waits)?;
            Some(Deadline::on(name, on).for_person_or(record.owner_id, Roles::of(&[Role::AimsManager])))
        };
        [
            due("containment", record.body.contain_by, major && is(&[Open])),
            due("plan", record.body.plan_by, major && is(&[Open, Contained, CauseFound])),
            due("closing", record.body.close_by, !is(&[Closed])),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn example() -> Value {
        json!({
            "title": "Wrong advice on repayment in holidays",
            "source": "incident",
            "grade": "major",
            "requirement": {"catalog": "iso42001", "unit": "A.6.2.4"},
            "statement": "31 customers were told a wrong date of repayment; releases are to be verified before use",
        })
    }
}

/// Sends one on which something has been done back to its cause.
pub(super) async fn back_to_its_cause(id: Uuid, cause: &Cause, tx: &mut TenantTx<'_>) -> Result<()> {
    use NonconformityState::{ActionPlanned, CauseFound, Closed, EffectivenessReview, InProgress};
    let status = get::<Nonconformity>(tx, id).await?.status;
    match status {
        ActionPlanned | InProgress | EffectivenessReview | Closed => {
            follow::<Nonconformity>(tx, id, CauseFound, cause).await
        }
        _ => Ok(()),
    }
}

/// Live actions on the cause of a nonconformity, not those of its neighbours.
pub(super) fn actions_on(id: Uuid) -> Find<CorrectiveAction> {
    find::<CorrectiveAction>().whose("nonconformity_id", id)
}
