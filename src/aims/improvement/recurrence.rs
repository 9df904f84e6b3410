//! What comes again (NC-2): a closed nonconformity that recurs is open again, and several minor
//! ones on one requirement are together proposed as a major one.

use chrono::{Days, Months, NaiveDate};

use super::corrective_action::{CorrectiveAction, CorrectiveActionState};
use super::nonconformity::{Grade, Nonconformity, NonconformityState, actions_on, back_to_its_cause};
use super::task::{Priority, Task};
use crate::problem::Result;
use crate::records::{AnyRef, Cause, Happened, Kind, New, Record, find, follow, get, spawn};
use crate::tenancy::{Role, TenantTx, holders};

/// Months in which what comes again is the same nonconformity, and minor ones add up.
const MONTHS: u32 = 12;
/// So many minor ones on one requirement are proposed as a major one.
const MINORS: usize = 3;
/// Days for what people are asked to do about it.
const TASK_DAYS: u64 = 14;

/// What `again` recurs was not removed: what was found effective is not, and what was closed
/// within twelve months before is open again.
pub(super) async fn reopen(again: &Record<Nonconformity>, happened: &Happened, tx: &mut TenantTx<'_>) -> Result<()> {
    let Some(old) = again.body.recurs_of else {
        return Ok(());
    };
    let old = get::<Nonconformity>(tx, old.id()).await?;
    let last = old.body.closed_on.and_then(|on| on.checked_add_months(Months::new(MONTHS)));
    if last.is_some_and(|last| again.body.raised_on > Some(last)) {
        return Ok(());
    }
    let cause = Cause::heard(happened, format!("{} recurs as {}", old.reference, again.reference));
    let was_closed = old.status == NonconformityState::Closed;
    if was_closed {
        back_to_its_cause(old.id, &cause, tx).await?;
    }
    let effective = actions_on(old.id).in_states(&[CorrectiveActionState::Effective]).load(tx).await?;
    for action in effective {
        follow::<CorrectiveAction>(tx, action.id, CorrectiveActionState::Ineffective, &cause).await?;
    }
    if !was_closed {
        return Ok(());
    }
    let title = format!("{} is open again: find why it recurs as {}", old.reference, again.reference);
    let text = "What was done against its cause did not keep it from coming again within twelve months.";
    ask(tx, &old, old.owner_id, title, text.to_owned(), &cause).await
}

/// Whether this minor nonconformity is the one with which those on its requirement within twelve
/// months are to be proposed as a major one; that is done once.
pub(super) async fn is_one_too_many(record: &Record<Nonconformity>, tx: &mut TenantTx<'_>) -> Result<bool> {
    let since = since(tx)?;
    if !counts(record, since) || record.body.major_proposed_on.is_some() {
        return Ok(false);
    }
    let mut all = find::<Nonconformity>().on("requirement", &record.body.requirement).load(tx).await?;
    all.retain(|other| other.id != record.id);
    let proposed = all.iter().any(|other| other.body.major_proposed_on >= Some(since));
    let minors = all.iter().filter(|other| counts(other, since)).count();
    Ok(!proposed && minors + 1 >= MINORS)
}

/// Asks the AIMS manager whether the minor nonconformities on a requirement are a major one.
pub(super) async fn propose(record: &Record<Nonconformity>, tx: &mut TenantTx<'_>) -> Result<()> {
    let since = since(tx)?;
    let requirement = &record.body.requirement;
    let mut all = find::<Nonconformity>().on("requirement", requirement).load(tx).await?;
    all.retain(|one| counts(one, since));
    all.sort_by(|one, other| one.reference.cmp(&other.reference));
    let references: Vec<_> = all.iter().map(|one| one.reference.as_str()).collect();
    let title = format!("Decide whether {} minor nonconformities on {} are a major one", all.len(), requirement.unit);
    let text = format!("Within twelve months on the same requirement: {}.", references.join(", "));
    let because = format!("{} is one of {} minor nonconformities on {}", record.reference, all.len(), requirement.unit);
    let manager = match holders(tx, Role::AimsManager).await?.as_slice() {
        [only] => Some(*only),
        _ => None,
    };
    ask(tx, record, manager, title, text, &Cause::of(record, because)).await
}

fn since(tx: &TenantTx<'_>) -> Result<NaiveDate> {
    let today = tx.today()?;
    Ok(today.checked_sub_months(Months::new(MONTHS)).unwrap_or(today))
}

fn counts(record: &Record<Nonconformity>, since: NaiveDate) -> bool {
    record.body.grade == Grade::Minor && record.body.raised_on >= Some(since)
}

/// A task about a nonconformity. Others see it than a nonconformity that names its audience: it
/// tells references only.
async fn ask(
    tx: &mut TenantTx<'_>,
    about: &Record<Nonconformity>,
    owner_id: Option<uuid::Uuid>,
    title: String,
    text: String,
    cause: &Cause,
) -> Result<()> {
    let due_on = tx.today()? + Days::new(TASK_DAYS);
    let body = Task {
        text: Some(text),
        about: Some(AnyRef { kind: Nonconformity::INFO.name.to_owned(), id: about.id }),
        due_on,
        priority: Priority::High,
        outcome: None,
    };
    spawn(tx, New { title, owner_id, body }, cause).await.map(drop)
}
