//! What NC-1 asks of a nonconformity on its way to being closed.

use super::corrective_action::{CorrectiveActionState, said};
use super::nonconformity::{Nonconformity, actions_on};
use crate::records::{Guarded, Record, Unmet};
use crate::tenancy::TenantTx;

pub(super) async fn is_corrected(record: &Record<Nonconformity>, _tx: &mut TenantTx<'_>) -> Guarded {
    let met = said(&record.body.correction);
    Unmet::unless(met, "/correction", "What was done at once to contain and correct it is missing.")
}

pub(super) async fn has_handled_its_consequences(record: &Record<Nonconformity>, _tx: &mut TenantTx<'_>) -> Guarded {
    let met = said(&record.body.consequences);
    Unmet::unless(met, "/consequences", "How its consequences were dealt with is missing.")
}

pub(super) async fn knows_its_cause(record: &Record<Nonconformity>, _tx: &mut TenantTx<'_>) -> Guarded {
    let body = &record.body;
    let same = |text: &str| {
        let cause = body.root_cause.as_deref().unwrap_or_default();
        text.trim().to_lowercase() == cause.trim().to_lowercase()
    };
    let restated = same(&record.title) || body.statement.as_deref().is_some_and(same);
    let mut unmet = match (said(&body.root_cause), restated) {
        (false, _) => vec![Unmet::new("/root_cause", "The root cause is missing.")],
        (true, true) => vec![Unmet::new("/root_cause", "The root cause says again what happened, not why.")],
        (true, false) => Vec::new(),
    };
    if body.root_cause_method.is_none() {
        unmet.push(Unmet::new("/root_cause_method", "The method by which the root cause was found is missing."));
    }
    Ok(unmet)
}

pub(super) async fn has_looked_for_similar_cases(record: &Record<Nonconformity>, _tx: &mut TenantTx<'_>) -> Guarded {
    let met = said(&record.body.similar_check);
    Unmet::unless(met, "/similar_check", "Where similar cases were looked for, and what was found, is missing.")
}

pub(super) async fn decides_on_the_aims(record: &Record<Nonconformity>, _tx: &mut TenantTx<'_>) -> Guarded {
    let met = record.body.aims_change.is_some();
    Unmet::unless(met, "/aims_change", "The decision on changes to the AI management system is missing.")
}

pub(super) async fn has_an_action(record: &Record<Nonconformity>, tx: &mut TenantTx<'_>) -> Guarded {
    use CorrectiveActionState::{Done, Effective, InProgress, Planned};
    let met = actions_on(record.id).in_states(&[Planned, InProgress, Done, Effective]).exists(tx).await?;
    Unmet::unless(met, "", "No corrective action is planned for it.")
}

pub(super) async fn has_done_an_action(record: &Record<Nonconformity>, tx: &mut TenantTx<'_>) -> Guarded {
    use CorrectiveActionState::{Done, Effective};
    let met = actions_on(record.id).in_states(&[Done, Effective]).exists(tx).await?;
    Unmet::unless(met, "", "None of its corrective actions has been done.")
}

/// The second of the two doors of the 30 days.
pub(super) async fn is_shown_to_be_over(record: &Record<Nonconformity>, tx: &mut TenantTx<'_>) -> Guarded {
    let effective = actions_on(record.id).in_states(&[CorrectiveActionState::Effective]).load(tx).await?;
    let met = effective.iter().any(|action| action.body.is_reviewed());
    let detail = "None of its corrective actions has been found effective, at least 30 days after it was done and by somebody else than who did it.";
    Unmet::unless(met, "", detail)
}

pub(super) async fn is_closed_by_somebody_else(record: &Record<Nonconformity>, tx: &mut TenantTx<'_>) -> Guarded {
    let Some(person) = tx.actor().person() else {
        return Ok(Vec::new());
    };
    let actions = actions_on(record.id).load(tx).await?;
    let own = actions.iter().any(|action| {
        let counts = action.status != CorrectiveActionState::Ineffective;
        counts && (action.owner_id == Some(person) || action.body.is_done_by(person))
    });
    let unmet = own.then(|| Unmet::by_person("It is closed by somebody else than who does its corrective actions."));
    Ok(unmet.into_iter().collect())
}
