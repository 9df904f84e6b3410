//! Notes in the outbox what became of claimed mails.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::occasion::Fate;
use super::retry;
use super::transport::Failure;
use super::worker::{End, Outcome};
use crate::schema::outbox;
use crate::tenancy::TenantTx;

/// What the ledger says of a reminder whose mail was given up.
pub const UNDELIVERABLE: &str = "the mail could not be delivered";
/// No lease.
const NOBODY: Option<DateTime<Utc>> = None;

/// Queues what the outbox has to learn and returns what the ledger has to learn.
pub(super) fn queue(tx: &mut TenantTx<'_>, outcomes: &[Outcome]) -> Vec<(Uuid, Fate)> {
    let (mut sent, mut fates) = (Vec::new(), Vec::new());
    for outcome in outcomes {
        let id = outcome.mail.id;
        let fate = match &outcome.end {
            End::Sent => {
                sent.push(id);
                Some(Fate::Sent)
            }
            End::Cancelled(reason) => {
                close(tx, id, "cancelled", reason);
                Some(Fate::Cancelled((*reason).to_owned()))
            }
            End::Released => {
                release(tx, id);
                None
            }
            End::Failed(Failure::Ours(said)) => {
                let next = retry::pause(id, tx.now());
                wait(tx, id, said, next);
                None
            }
            End::Failed(failure) => {
                let (said, next) = after(failure, outcome, tx.now());
                match next {
                    Some(next) => {
                        postpone(tx, id, said, next);
                        None
                    }
                    None => {
                        close(tx, id, "failed", said);
                        Some(Fate::Cancelled(UNDELIVERABLE.to_owned()))
                    }
                }
            }
        };
        fates.extend(outcome.mail.reminder_id.zip(fate));
    }
    sent_all(tx, sent);
    fates
}

/// What was said, and when to try again, if at all.
fn after<'a>(
    failure: &'a Failure,
    outcome: &Outcome,
    now: DateTime<Utc>,
) -> (&'a str, Option<DateTime<Utc>>) {
    let mail = &outcome.mail;
    match failure {
        Failure::Permanent(said) | Failure::Ours(said) => (said, None),
        Failure::Temporary(said) => (
            said,
            retry::next_try(mail.id, mail.attempts, mail.created_at, now),
        ),
    }
}

/// Sent: the bodies have done their work and are emptied.
fn sent_all(tx: &mut TenantTx<'_>, ids: Vec<Uuid>) {
    if ids.is_empty() {
        return;
    }
    let open = outbox::table
        .filter(outbox::id.eq_any(ids))
        .filter(outbox::state.eq("queued"));
    let update = diesel::update(open).set((
        outbox::state.eq("sent"),
        outbox::finished_at.eq(tx.now()),
        outbox::leased_until.eq(NOBODY),
        outbox::last_error.eq(None::<String>),
        outbox::body_text.eq(""),
        outbox::body_html.eq(""),
    ));
    tx.queue(|db| async move { update.execute(&mut &*db).await });
}

/// Cancelled or failed for good, for this reason.
fn close(tx: &mut TenantTx<'_>, id: Uuid, state: &'static str, reason: &str) {
    let open = outbox::table.find(id).filter(outbox::state.eq("queued"));
    let update = diesel::update(open).set((
        outbox::state.eq(state),
        outbox::finished_at.eq(tx.now()),
        outbox::leased_until.eq(NOBODY),
        outbox::last_error.eq(reason.to_owned()),
        outbox::body_text.eq(""),
        outbox::body_html.eq(""),
    ));
    tx.queue(|db| async move { update.execute(&mut &*db).await });
}

/// To be tried again at `next`.
fn postpone(tx: &mut TenantTx<'_>, id: Uuid, said: &str, next: DateTime<Utc>) {
    let open = outbox::table.find(id).filter(outbox::state.eq("queued"));
    let update = diesel::update(open).set((
        outbox::send_after.eq(next),
        outbox::leased_until.eq(NOBODY),
        outbox::last_error.eq(said.to_owned()),
    ));
    tx.queue(|db| async move { update.execute(&mut &*db).await });
}

/// To be tried again at `next`; the fault is ours, so this was no try.
fn wait(tx: &mut TenantTx<'_>, id: Uuid, said: &str, next: DateTime<Utc>) {
    let open = outbox::table.find(id).filter(outbox::state.eq("queued"));
    let update = diesel::update(open).set((
        outbox::attempts.eq(outbox::attempts - 1),
        outbox::send_after.eq(next),
        outbox::leased_until.eq(NOBODY),
        outbox::last_error.eq(said.to_owned()),
    ));
    tx.queue(|db| async move { update.execute(&mut &*db).await });
}

/// Not begun: this was no try.
fn release(tx: &mut TenantTx<'_>, id: Uuid) {
    let open = outbox::table.find(id).filter(outbox::state.eq("queued"));
    let update = diesel::update(open).set((
        outbox::attempts.eq(outbox::attempts - 1),
        outbox::leased_until.eq(NOBODY),
    ));
    tx.queue(|db| async move { update.execute(&mut &*db).await });
}

/// Counts what has been noted.
pub(super) fn count(outcomes: &[Outcome]) {
    for outcome in outcomes {
        match &outcome.end {
            End::Sent => metrics::counter!("aims_mails_sent_total").increment(1),
            End::Cancelled(_) => metrics::counter!("aims_mails_cancelled_total").increment(1),
            End::Failed(Failure::Permanent(_)) => {
                metrics::counter!("aims_mails_refused_total").increment(1);
            }
            End::Failed(Failure::Temporary(_) | Failure::Ours(_)) => {
                metrics::counter!("aims_mails_deferred_total").increment(1);
            }
            End::Released => {}
        }
    }
}
