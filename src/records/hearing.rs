//! What kinds react to: a kind says what it hears, and does so in the same transaction. Groups of
//! the standard do not call each other; they listen.

use uuid::Uuid;

use super::entry::Entry;
use super::registry::registry;
use super::row::Row;
use super::session::Session;
use crate::problem::{Problem, Result};
use crate::tenancy::TenantTx;

/// Consequences of consequences deeper than this are a loop.
const DEPTH: u8 = 8;

/// Something a kind reacts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hears {
    /// A record of this kind was made.
    Made(&'static str),
    /// The content of one changed, or of the tenant's settings ([`SETTINGS`](super::SETTINGS)).
    Changed(&'static str),
    /// One of this kind moved to this state.
    Moved(&'static str, &'static str),
    /// One of this kind was archived, or brought back.
    Archived(&'static str),
}

/// Something that happened to a record.
#[derive(Clone, Debug)]
pub struct Happened {
    /// Kind of the record.
    pub kind: &'static str,
    /// The record.
    pub id: Uuid,
    /// Its human reference.
    pub reference: String,
    /// What happened.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// It was made.
    Made,
    /// Its content changed, in these fields.
    Changed(Vec<String>),
    /// It moved to this state.
    Moved(&'static str),
    /// It was archived: `true`, or brought back.
    Archived(bool),
}

impl Hears {
    /// The kind it is about.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Made(kind)
            | Self::Changed(kind)
            | Self::Moved(kind, _)
            | Self::Archived(kind) => kind,
        }
    }

    fn is(self, happened: &Happened) -> bool {
        self.kind() == happened.kind
            && match (self, &happened.what) {
                (Self::Made(_), What::Made)
                | (Self::Changed(_), What::Changed(_))
                | (Self::Archived(_), What::Archived(_)) => true,
                (Self::Moved(_, to), What::Moved(state)) => to == *state,
                _ => false,
            }
    }
}

/// Tells all who listen. They react as the system: what follows is nobody's own act.
pub(super) async fn tell(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    row: &Row,
    what: What,
) -> Result<()> {
    let happened = Happened {
        kind: entry.info.name,
        id: row.id,
        reference: row.reference.clone(),
        what,
    };
    tell_all(tx, &happened).await
}

/// Tells all who listen to what is no record of a kind: the settings of the tenant.
pub(super) async fn tell_all(tx: &mut TenantTx<'_>, happened: &Happened) -> Result<()> {
    for listener in registry().entries() {
        if !listener.hears.iter().any(|hears| hears.is(happened)) {
            continue;
        }
        if Session::deeper(tx) > DEPTH {
            return Err(Problem::internal(format!(
                "{} hears itself through others",
                listener.info.name
            )));
        }
        let heard = tx.as_system(async |tx| listener.heard(happened, tx).await);
        Box::pin(heard).await?;
        Session::shallower(tx);
    }
    Ok(())
}
