//! Who sees what. One place decides, in Rust for a record that is at hand and in SQL for many;
//! all ways to a record go through it.
//!
//! The readers of a kind see all its records, save those that name their audience. What is meant
//! for everybody is seen by others as it is in force. Owners see what they own. An external
//! auditor sees what is shared with them, until a date.

use diesel::dsl::{exists, select};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Nullable};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::entry::Entry;
use super::kind::SeenBy;
use super::registry::registry;
use super::row::{RawJson, Spine, Stored};
use super::spine::{EVERYBODY, NAMED};
use crate::problem::{Problem, Result};
use crate::schema::{records, shares, versions};
use crate::tenancy::{Actor, Role, Roles, TenantTx};

/// How much of a record somebody sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// Everything.
    Whole,
    /// The version in force.
    InForce,
    /// Nothing, unless it is shared with them.
    Nothing,
}

/// How much of a record the actor sees, shares aside.
fn sight(actor: Actor, entry: &Entry, spine: &Spine) -> Sight {
    let Actor::Person { id, roles, .. } = actor else {
        return Sight::Whole;
    };
    let is_named = spine.audience_people.contains(&id);
    let opened = Opened {
        owner: spine.owner_id == Some(id),
        seen_by: spine.seen_by(),
        is_named,
        in_force: spine.in_force.is_some(),
    };
    opened.to(roles, entry)
}

/// How a record stands to a person.
pub(super) struct Opened {
    pub(super) owner: bool,
    pub(super) seen_by: SeenBy,
    pub(super) is_named: bool,
    pub(super) in_force: bool,
}

impl Opened {
    pub(super) fn to(&self, roles: Roles, entry: &Entry) -> Sight {
        let reads = match self.seen_by {
            SeenBy::Named(named) => self.is_named || named.meets(roles),
            _ => roles.meets(entry.readers),
        };
        if self.owner || reads {
            Sight::Whole
        } else if self.seen_by == SeenBy::Everybody && self.in_force {
            Sight::InForce
        } else {
            Sight::Nothing
        }
    }
}

/// As [`sight`], with what is shared; 404 when nothing is seen.
async fn sight_of(tx: &mut TenantTx<'_>, entry: &Entry, spine: &Spine) -> Result<Sight> {
    let sight = sight(tx.actor(), entry, spine);
    if sight != Sight::Whole && is_shared(tx, spine.id).await? {
        return Ok(Sight::Whole);
    }
    match sight {
        Sight::Nothing => Err(Problem::not_found()),
        seen => Ok(seen),
    }
}

/// The actor sees everything of the record; else 404, or 403 when they see what is in force.
pub(super) async fn whole(tx: &mut TenantTx<'_>, entry: &Entry, spine: &Spine) -> Result<()> {
    match sight_of(tx, entry, spine).await? {
        Sight::Whole => Ok(()),
        _ => Err(Problem::forbidden(format!(
            "You see what is in force of this {}, not what is behind it.",
            entry.info.one
        ))),
    }
}

/// Whether the actor sees all of the record, and not just what is in force; 404 when nothing.
pub(super) async fn is_whole(tx: &mut TenantTx<'_>, entry: &Entry, spine: &Spine) -> Result<bool> {
    Ok(sight_of(tx, entry, spine).await? == Sight::Whole)
}

/// A record as the actor sees it: itself, or its version in force.
pub(super) async fn shown(tx: &mut TenantTx<'_>, entry: &Entry, stored: Stored) -> Result<Stored> {
    match sight_of(tx, entry, &stored.spine).await? {
        Sight::Whole => Ok(stored),
        _ => {
            let mut page = vec![stored];
            in_force(tx, entry, &mut page).await?;
            page.pop().ok_or_else(Problem::not_found)
        }
    }
}

/// Of a page of one kind, those that the actor does not see as a whole become what is in force.
pub(super) async fn show(tx: &mut TenantTx<'_>, page: &mut Vec<Stored>) -> Result<()> {
    let partly = partly(tx, page.iter().map(|stored| &stored.spine)).await?;
    let is_whole = |stored: &Stored| !partly.contains(&stored.id);
    if partly.is_empty() {
        return Ok(());
    }
    let (mut whole, mut rest) = (Vec::new(), Vec::new());
    let order: Vec<Uuid> = page.iter().map(|stored| stored.id).collect();
    for stored in page.drain(..) {
        if is_whole(&stored) {
            &mut whole
        } else {
            &mut rest
        }
        .push(stored);
    }
    for entry in registry().entries() {
        let (mut of_kind, others) = rest
            .into_iter()
            .partition(|stored: &Stored| stored.kind == entry.info.name);
        in_force(tx, entry, &mut of_kind).await?;
        whole.extend(of_kind);
        rest = others;
    }
    whole.sort_by_key(|stored| order.iter().position(|id| *id == stored.id));
    *page = whole;
    Ok(())
}

/// Of these records, those that the actor does not see as a whole.
pub(super) async fn partly<'a>(
    tx: &mut TenantTx<'_>,
    spines: impl Iterator<Item = &'a Spine>,
) -> Result<Vec<Uuid>> {
    let actor = tx.actor();
    let is_whole = |spine: &Spine| {
        registry()
            .by_name(&spine.kind)
            .is_some_and(|entry| sight(actor, entry, spine) == Sight::Whole)
    };
    let mut partly: Vec<Uuid> = spines
        .filter(|spine| !is_whole(spine))
        .map(|spine| spine.id)
        .collect();
    if let Some(person) = auditor(actor).filter(|_| !partly.is_empty()) {
        let today = tx.today()?;
        let query = shares::table
            .filter(shares::tenant_id.eq(tx.scope()))
            .filter(shares::person_id.eq(person))
            .filter(shares::until.ge(today))
            .filter(shares::record_id.eq_any(partly.clone()))
            .select(shares::record_id);
        let shared: Vec<Uuid> = tx.run(async |db| query.load(&mut &*db).await).await?;
        partly.retain(|id| !shared.contains(id));
    }
    Ok(partly)
}

/// Puts title and body of the version in force in the place of those of the draft.
async fn in_force(tx: &mut TenantTx<'_>, entry: &Entry, page: &mut Vec<Stored>) -> Result<()> {
    if page.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = page.iter().map(|stored| stored.id).collect();
    let query = versions::table
        .inner_join(
            records::table.on(records::tenant_id
                .eq(versions::tenant_id)
                .and(records::id.eq(versions::record_id))
                .and(records::in_force.eq(versions::number.nullable()))),
        )
        .filter(versions::tenant_id.eq(tx.scope()))
        .filter(versions::record_id.eq_any(ids))
        .select((versions::record_id, versions::title, versions::body));
    let found: Vec<(Uuid, String, RawJson)> =
        tx.run(async |db| query.load(&mut &*db).await).await?;
    page.retain_mut(|stored| {
        let version = found.iter().find(|(id, ..)| *id == stored.id);
        let Some((_, title, body)) = version else {
            return false;
        };
        stored.spine.title.clone_from(title);
        entry.in_force_state.clone_into(&mut stored.spine.status);
        stored.body = body.clone();
        true
    });
    Ok(())
}

async fn is_shared(tx: &mut TenantTx<'_>, record: Uuid) -> Result<bool> {
    let Some(person) = auditor(tx.actor()) else {
        return Ok(false);
    };
    let today = tx.today()?;
    let share = shares::table
        .find((tx.scope(), record, person))
        .filter(shares::until.ge(today));
    tx.run(async |db| select(exists(share)).get_result(&mut &*db).await)
        .await
}

/// Only external auditors have anything shared with them.
fn auditor(actor: Actor) -> Option<Uuid> {
    actor
        .person()
        .filter(|_| actor.roles().has(Role::ExternalAuditor))
}

/// A condition on records.
pub type Visible = Box<dyn BoxableExpression<records::table, Pg, SqlType = Nullable<Bool>>>;

/// Which records an actor sees.
pub(super) enum Seen {
    /// All, whatever they are.
    All,
    /// These, as a whole.
    Whole(Visible),
    /// Some as a whole; of others, the version in force.
    Partly { whole: Visible, in_force: Visible },
}

/// Which records of these kinds the actor of a transaction sees, as a condition.
pub fn visible(tx: &TenantTx<'_>, kinds: &[&'static Entry]) -> Result<Option<Visible>> {
    Ok(match seen(tx, kinds)? {
        Seen::All => None,
        Seen::Whole(whole) => Some(whole),
        Seen::Partly { whole, in_force } => Some(Box::new(whole.or(in_force))),
    })
}

/// Which records of these kinds the actor of a transaction sees.
pub(super) fn seen(tx: &TenantTx<'_>, kinds: &[&'static Entry]) -> Result<Seen> {
    let actor = tx.actor();
    let Actor::Person { id, roles, .. } = actor else {
        return Ok(Seen::All);
    };
    let readable: Vec<&str> = kinds
        .iter()
        .filter(|entry| roles.meets(entry.readers))
        .map(|entry| entry.info.name)
        .collect();
    let named = records::audience.eq(NAMED).and(
        records::audience_people
            .contains(vec![id])
            .or(records::audience_roles.overlaps_with(roles.names())),
    );
    let own = records::owner_id.eq(id).or(named);
    let open = records::audience.ne(NAMED);
    if readable.len() == kinds.len() {
        return Ok(Seen::Whole(Box::new(own.or(open))));
    }
    let whole = own.or(open.and(records::kind.eq_any(readable)));
    let whole: Visible = match auditor(actor) {
        None => Box::new(whole),
        Some(person) => {
            let today = tx.today()?;
            let shared = shares::table
                .filter(shares::tenant_id.eq(tx.scope()))
                .filter(shares::person_id.eq(person))
                .filter(shares::until.ge(today))
                .select(shares::record_id);
            Box::new(whole.or(records::id.eq_any(shared)))
        }
    };
    let published = records::audience
        .eq(EVERYBODY)
        .and(records::in_force.is_not_null());
    Ok(Seen::Partly {
        whole,
        in_force: Box::new(published.nullable()),
    })
}

/// Ids of the records that the actor sees, for queries of what hangs on records.
pub fn visible_ids(tx: &TenantTx<'_>) -> Result<VisibleIds> {
    let condition = visible(tx, &all_kinds())?;
    Ok(ids(tx, condition))
}

/// Ids of the records of which the actor sees everything, and not just what is in force.
pub fn whole_ids(tx: &TenantTx<'_>) -> Result<VisibleIds> {
    Ok(match seen(tx, &all_kinds())? {
        Seen::All => ids(tx, None),
        Seen::Whole(whole) | Seen::Partly { whole, .. } => ids(tx, Some(whole)),
    })
}

fn all_kinds() -> Vec<&'static Entry> {
    registry().entries().iter().collect()
}

/// Ids of the records of which the actor does not see everything.
pub(super) fn hidden_ids(tx: &TenantTx<'_>) -> Result<VisibleIds> {
    let hidden: Visible = match seen(tx, &all_kinds())? {
        Seen::All => Box::new(records::id.is_null().nullable()),
        Seen::Whole(whole) | Seen::Partly { whole, .. } => {
            Box::new(whole.is_distinct_from(true).nullable())
        }
    };
    Ok(ids(tx, Some(hidden)))
}

fn ids(tx: &TenantTx<'_>, condition: Option<Visible>) -> VisibleIds {
    let query = records::table
        .filter(records::tenant_id.eq(tx.scope()))
        .select(records::id)
        .into_boxed();
    match condition {
        Some(condition) => query.filter(condition),
        None => query,
    }
}

/// A query of ids.
pub type VisibleIds = diesel::dsl::IntoBoxed<
    'static,
    diesel::dsl::Select<
        diesel::dsl::Filter<records::table, diesel::dsl::Eq<records::tenant_id, Uuid>>,
        records::id,
    >,
    Pg,
>;
