//! An organisation is never without top management by its own doing: the last person who holds the
//! role keeps it until somebody else does.

use chrono::NaiveDate;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::problem::{Problem, Result};
use crate::schema::{memberships, users};
use crate::tenancy::{Holding, Role, TenantTx};

/// Until when somebody goes on being top management; the later, the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Until {
    /// Not any more.
    Now,
    /// To the end of this day.
    Day(NaiveDate),
    /// For good.
    Open,
}

impl From<Option<NaiveDate>> for Until {
    fn from(last: Option<NaiveDate>) -> Self {
        last.map_or(Self::Open, Self::Day)
    }
}

/// 409 when a membership of the tenant of the transaction, which is top management today, is to be
/// so only `until` then, and nobody else is for as long as it was to be.
pub(super) async fn check(tx: &mut TenantTx<'_>, membership: Uuid, until: Until) -> Result<()> {
    let query = Holding::open()
        .inner_join(users::table.on(users::id.eq(memberships::user_id)))
        .filter(memberships::tenant_id.eq(tx.scope()))
        .filter(memberships::roles.contains(vec![Role::TopManagement.as_str()]))
        .filter(users::disabled_at.is_null())
        .select(Holding::as_select());
    let found: Vec<Holding> = tx.run(async |db| query.load(&mut &*db).await).await?;
    let now = tx.now();
    let held = found.iter().filter(|place| place.holds_at(now));
    let (mine, others): (Vec<&Holding>, Vec<&Holding>) =
        held.partition(|place| place.id == membership);
    let Some(mine) = mine.as_slice().first() else {
        return Ok(());
    };
    let before = Until::from(mine.valid_until);
    let covered = others
        .iter()
        .map(|place| Until::from(place.valid_until))
        .max();
    if until >= before || covered >= Some(before) {
        return Ok(());
    }
    Err(Problem::conflict(match covered {
        None | Some(Until::Now | Until::Open) => {
            "This is the last person of top management; let somebody else be top management first."
                .to_owned()
        }
        Some(Until::Day(last)) => format!(
            "After {last} nobody would be top management; let somebody else be top management for \
             longer first."
        ),
    }))
}
