//! What the kernel remembers while a transaction lasts.

use std::collections::HashMap;

use uuid::Uuid;

use crate::problem::Result;
use crate::tenancy::TenantTx;

/// Records that were saved, and how deep consequences have led.
#[derive(Debug, Default)]
pub(super) struct Session {
    unseen: bool,
    saves: HashMap<Uuid, u32>,
    depth: u8,
}

impl Session {
    /// Notes that a record was saved.
    pub(super) fn saved(tx: &mut TenantTx<'_>, id: Uuid) {
        let mut session: Session = tx.take_memo();
        session.unseen = true;
        *session.saves.entry(id).or_default() += 1;
        tx.keep_memo(session);
    }

    /// Makes sure that what was saved before is seen by the next query.
    pub(super) async fn settle(tx: &mut TenantTx<'_>) -> Result<()> {
        let mut session: Session = tx.take_memo();
        let unseen = std::mem::take(&mut session.unseen);
        tx.keep_memo(session);
        if unseen { tx.flush().await } else { Ok(()) }
    }

    /// Whether a record was saved more than once: others have changed what one holds of it.
    pub(super) fn is_saved_again(tx: &mut TenantTx<'_>, id: Uuid) -> bool {
        let session: Session = tx.take_memo();
        let again = session.saves.get(&id).is_some_and(|saves| *saves > 1);
        tx.keep_memo(session);
        again
    }

    /// One consequence deeper; answers how deep.
    pub(super) fn deeper(tx: &mut TenantTx<'_>) -> u8 {
        let mut session: Session = tx.take_memo();
        session.depth = session.depth.saturating_add(1);
        let depth = session.depth;
        tx.keep_memo(session);
        depth
    }

    /// Back from a consequence.
    pub(super) fn shallower(tx: &mut TenantTx<'_>) {
        let mut session: Session = tx.take_memo();
        session.depth = session.depth.saturating_sub(1);
        tx.keep_memo(session);
    }
}
