//! Takes what is due from the outbox, sends it, and notes what became of it.
//!
//! A mail is claimed by a lease counted by the database's clock, because the injected clock may
//! be set in tests. Sending happens outside of any transaction, and what became of a mail is noted
//! at once, so that a worker that dies leaves little unknown: its leases end, and the next one
//! sends those mails again under the same Message-ID.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use futures_util::{StreamExt, join, stream};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use super::notes;
use super::occasion::{Judgement, Occasion};
use super::queue::Turns;
use super::retry::TRIES;
use super::transport::{CONNECTIONS, Failure, Letter, Transport};
use crate::problem::Result;
use crate::schema::outbox;
use crate::tenancy::{Actor, Platform};

/// Age of a claim after which no further mail of it is begun; one that is begun ends in time.
const BEGIN_WITHIN: Duration = Duration::from_secs(30);
/// How long one delivery may take in all, below what the lease has left when it is begun.
const DELIVER_WITHIN: Duration = Duration::from_secs(25);
/// Mails handed to the mail server and not noted yet: some on the wire, some being noted. When a
/// process is killed, at most these are sent a second time.
const UNNOTED: usize = 16;
/// Transactions that note outcomes at once.
const NOTES_AT_ONCE: usize = 2;
/// Pauses before outcomes are noted again when the database is away.
const NOTE_AGAIN: [Duration; 4] = [
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(6),
];

/// Drains the outbox.
pub struct Postman {
    platform: Platform,
    transport: Transport,
    occasion: Option<Arc<dyn Occasion>>,
    turns: Turns,
    unnoted: Arc<Semaphore>,
}

/// A claimed mail.
#[derive(Clone, Queryable, Selectable)]
#[diesel(table_name = outbox, check_for_backend(diesel::pg::Pg))]
pub(super) struct Due {
    pub(super) id: Uuid,
    tenant_id: Option<Uuid>,
    pub(super) reminder_id: Option<Uuid>,
    message_id: String,
    recipient: String,
    recipient_name: Option<String>,
    subject: String,
    body_text: String,
    body_html: String,
    pub(super) attempts: i32,
    pub(super) created_at: DateTime<Utc>,
}

impl Due {
    /// Tenant and reminder, when it is about one.
    fn about(&self) -> Option<(Uuid, Uuid)> {
        self.tenant_id.zip(self.reminder_id)
    }
}

/// Mails claimed together.
struct Batch {
    claimed: Instant,
    mails: Vec<Due>,
}

/// An outcome, and the right to have one unnoted.
type Ended = (Outcome, OwnedSemaphorePermit);

/// What became of one claimed mail.
#[derive(Clone)]
pub(super) struct Outcome {
    pub(super) mail: Due,
    pub(super) end: End,
}

/// How a try ended.
#[derive(Clone)]
pub(super) enum End {
    /// The mail server has taken it.
    Sent,
    /// What it is about is no longer true.
    Cancelled(&'static str),
    /// It could not be delivered.
    Failed(Failure),
    /// Not begun; somebody may claim it at once.
    Released,
}

impl Postman {
    /// A worker; reminders are judged and written by `occasion` before they go.
    pub fn new(
        platform: Platform,
        transport: Transport,
        occasion: Option<Arc<dyn Occasion>>,
    ) -> Self {
        Self {
            platform,
            transport,
            occasion,
            turns: Turns::default(),
            unnoted: Arc::new(Semaphore::new(UNNOTED)),
        }
    }

    /// Sends everything that is due, until nothing is or `stopping` says so; finishes what has
    /// been begun. Any number of workers may do this at once.
    pub async fn drain(&self, stopping: impl Fn() -> bool) -> Result<()> {
        let (ended, endings) = channel(UNNOTED);
        let broken = Cell::new(false);
        let stopping = || broken.get() || stopping();
        let (sent, noted) = join!(
            self.send_all(ended, &stopping),
            self.note_all(endings, &broken)
        );
        noted.and(sent)
    }

    /// Sends batch after batch; the next one is claimed while one is on the wire.
    async fn send_all(&self, ended: Sender<Ended>, stopping: &impl Fn() -> bool) -> Result<()> {
        let mut batch = self.claim().await?;
        let mut all_begun = true;
        while !batch.mails.is_empty() {
            // What could not be begun waits for the next drain, or this one would not end.
            let more = all_begun && !stopping();
            let next = async {
                match more {
                    true => self.claim().await,
                    false => Ok(Batch::empty()),
                }
            };
            let (begun, next) = join!(self.send(batch, stopping, &ended), next);
            all_begun = begun;
            batch = next?;
        }
        Ok(())
    }

    /// Notes what has ended, as soon as it has: everything at hand together.
    async fn note_all(&self, mut endings: Receiver<Ended>, broken: &Cell<bool>) -> Result<()> {
        let mut outcome = Ok(());
        let mut some = Vec::new();
        while endings.recv_many(&mut some, UNNOTED).await > 0 {
            let (outcomes, permits): (Vec<_>, Vec<_>) = some.drain(..).unzip();
            let noted = self.note(outcomes).await;
            drop(permits);
            broken.set(broken.get() || noted.is_err());
            outcome = outcome.and(noted);
        }
        outcome
    }

    async fn claim(&self) -> Result<Batch> {
        let claimed = Instant::now();
        let mails = self.turns.claim(&self.platform).await?;
        Ok(Batch { claimed, mails })
    }

    /// Sends a batch, several mails at once, and says whether all of it could be begun.
    async fn send(
        &self,
        batch: Batch,
        stopping: &impl Fn() -> bool,
        ended: &Sender<Ended>,
    ) -> bool {
        let judged = match self.judge(&batch.mails).await {
            Ok(judged) => Some(judged),
            Err(problem) => {
                tracing::warn!(%problem, "Reminders could not be checked; they wait");
                None
            }
        };
        let (judged, claimed, all_begun) = (&judged, batch.claimed, Cell::new(true));
        stream::iter(batch.mails)
            .for_each_concurrent(usize::try_from(CONNECTIONS).ok(), |mail| async {
                // Never closed, so always granted.
                let Ok(permit) = Arc::clone(&self.unnoted).acquire_owned().await else {
                    return;
                };
                let late = stopping() || claimed.elapsed() > BEGIN_WITHIN;
                let end = match judged {
                    Some(judged) if !late => self.try_once(&mail, judged).await,
                    _ => {
                        all_begun.set(false);
                        End::Released
                    }
                };
                // The receiver goes when this sender does, not before.
                let _ = ended.send((Outcome { mail, end }, permit)).await;
            })
            .await;
        all_begun.get()
    }

    async fn try_once(&self, mail: &Due, judged: &HashMap<Uuid, Judgement>) -> End {
        let mut letter = Letter {
            message_id: mail.message_id.clone(),
            to: mail.recipient.clone(),
            to_name: mail.recipient_name.clone(),
            subject: mail.subject.clone(),
            text: mail.body_text.clone(),
            html: mail.body_html.clone(),
        };
        match mail.reminder_id.and_then(|id| judged.get(&id)) {
            Some(Judgement::Cancelled(reason)) => return End::Cancelled(reason),
            Some(Judgement::Goes {
                to,
                to_name,
                content,
            }) => {
                letter.to.clone_from(to);
                letter.to_name = Some(to_name.clone());
                letter.subject.clone_from(&content.subject);
                letter.text.clone_from(&content.text);
                letter.html.clone_from(&content.html);
            }
            None => {}
        }
        if mail.attempts > TRIES {
            let said = "every try ended without an answer".to_owned();
            return End::Failed(Failure::Permanent(said));
        }
        self.deliver(&letter).await
    }

    async fn judge(&self, mails: &[Due]) -> Result<HashMap<Uuid, Judgement>> {
        let about: Vec<_> = mails.iter().filter_map(Due::about).collect();
        match &self.occasion {
            Some(occasion) if !about.is_empty() => occasion.judge(&self.platform, &about).await,
            _ => Ok(HashMap::new()),
        }
    }

    async fn deliver(&self, letter: &Letter) -> End {
        let at = self.platform.clock().now();
        match tokio::time::timeout(DELIVER_WITHIN, self.transport.send(letter, at)).await {
            Ok(Ok(())) => End::Sent,
            Ok(Err(failure)) => End::Failed(failure),
            Err(late) => End::Failed(Failure::Temporary(format!("no answer in time: {late}"))),
        }
    }

    /// Notes outcomes: one transaction for each tenant with reminders, one for all the rest.
    async fn note(&self, outcomes: Vec<Outcome>) -> Result<()> {
        let mut groups: BTreeMap<Option<Uuid>, Vec<Outcome>> = BTreeMap::new();
        for outcome in outcomes {
            let group = outcome.mail.about().map(|(tenant, _)| tenant);
            groups.entry(group).or_default().push(outcome);
        }
        let noted: Vec<Result<()>> = stream::iter(&groups)
            .map(|(tenant, outcomes)| self.note_surely(*tenant, outcomes))
            .buffer_unordered(NOTES_AT_ONCE)
            .collect()
            .await;
        noted.into_iter().collect()
    }

    /// Notes outcomes, again and again while the database is away for a moment: a mail that was
    /// sent and not noted would be sent twice.
    async fn note_surely(&self, tenant: Option<Uuid>, outcomes: &[Outcome]) -> Result<()> {
        for pause in NOTE_AGAIN {
            match self.note_once(tenant, outcomes).await {
                Ok(()) => return Ok(()),
                Err(problem) => tracing::warn!(%problem, "Outcomes of mails are noted again"),
            }
            tokio::time::sleep(pause).await;
        }
        self.note_once(tenant, outcomes).await
    }

    async fn note_once(&self, tenant: Option<Uuid>, outcomes: &[Outcome]) -> Result<()> {
        self.platform
            .write(Actor::System, None, async |tx| {
                if let Some(tenant) = tenant {
                    tx.switch(tenant, None).await?;
                }
                let fates = notes::queue(tx, outcomes);
                match &self.occasion {
                    Some(occasion) if !fates.is_empty() => occasion.settle(tx, &fates),
                    _ => Ok(()),
                }
            })
            .await?;
        notes::count(outcomes);
        Ok(())
    }
}

impl Batch {
    fn empty() -> Self {
        Self {
            claimed: Instant::now(),
            mails: Vec::new(),
        }
    }
}
