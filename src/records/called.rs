//! What records are called, to whoever names them beside something else: deadlines, reminders and
//! their mails, expanded references. Each reader is told the title they see, or nothing.

use std::collections::HashMap;

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::kind::SeenBy;
use super::registry::registry;
use super::row::Spine;
use super::visibility::{Opened, Sight, partly, visible_ids};
use crate::problem::Result;
use crate::schema::{records, versions};
use crate::tenancy::{Roles, TenantTx};

/// What a record is called.
#[derive(Clone, Debug)]
pub struct Called {
    /// Reference, such as RSK-014.
    pub reference: String,
    /// Title.
    pub title: String,
    /// State.
    pub status: String,
}

/// What these records are called, as the actor sees them; those they do not see are left out.
pub async fn called(tx: &mut TenantTx<'_>, ids: &[Uuid]) -> Result<HashMap<Uuid, Called>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let query = records::table
        .filter(records::tenant_id.eq(tx.scope()))
        .filter(records::id.eq_any(ids.to_vec()))
        .filter(records::id.eq_any(visible_ids(tx)?))
        .select(Spine::as_select());
    let mut spines: Vec<Spine> = tx.run(async |db| query.load(&mut &*db).await).await?;
    let partly = partly(tx, spines.iter()).await?;
    if !partly.is_empty() {
        let query = records::table
            .filter(records::tenant_id.eq(tx.scope()))
            .filter(records::id.eq_any(partly.clone()))
            .select((records::id, title_in_force()));
        let titles: Vec<(Uuid, Option<String>)> =
            tx.run(async |db| query.load(&mut &*db).await).await?;
        spines.retain_mut(|spine| {
            if !partly.contains(&spine.id) {
                return true;
            }
            let title = titles.iter().find(|(id, _)| *id == spine.id);
            let (Some((_, Some(title))), Some(entry)) = (title, registry().by_name(&spine.kind))
            else {
                return false;
            };
            spine.title.clone_from(title);
            entry.in_force_state.clone_into(&mut spine.status);
            true
        });
    }
    let called = spines.into_iter().map(|spine| {
        let Spine {
            id,
            reference,
            title,
            status,
            ..
        } = spine;
        let called = Called {
            reference,
            title,
            status,
        };
        (id, called)
    });
    Ok(called.collect())
}

/// What decides who is told the title of a record, outside of a transaction of theirs.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = records, check_for_backend(Pg))]
pub struct Titled {
    kind: String,
    title: String,
    #[diesel(select_expression = title_in_force(), select_expression_type = title_in_force)]
    title_in_force: Option<String>,
    owner_id: Option<Uuid>,
    audience: String,
    audience_roles: Vec<String>,
    audience_people: Vec<Uuid>,
}

/// The title of the version in force.
#[diesel::dsl::auto_type]
fn title_in_force() -> _ {
    versions::table
        .filter(versions::tenant_id.eq(records::tenant_id))
        .filter(versions::record_id.eq(records::id))
        .filter(versions::number.nullable().eq(records::in_force))
        .select(versions::title)
        .single_value()
}

impl Titled {
    /// The title as somebody with these roles sees it; none when they do not see the record.
    pub fn title_for(&self, person: Uuid, roles: Roles) -> Option<&str> {
        let entry = registry().by_name(&self.kind)?;
        let opened = Opened {
            owner: self.owner_id == Some(person),
            seen_by: SeenBy::read(&self.audience, &self.audience_roles),
            is_named: self.audience_people.contains(&person),
            in_force: self.title_in_force.is_some(),
        };
        match opened.to(roles, entry) {
            Sight::Whole => Some(&self.title),
            Sight::InForce => self.title_in_force.as_deref(),
            Sight::Nothing => None,
        }
    }
}

#[cfg(test)]
impl Titled {
    /// A risk that its readers see.
    pub(crate) fn example() -> Self {
        Self {
            kind: "risk".to_owned(),
            title: String::new(),
            title_in_force: None,
            owner_id: None,
            audience: "readers".to_owned(),
            audience_roles: Vec::new(),
            audience_people: Vec::new(),
        }
    }
}
