//! Which records a list wants, as conditions: on what is there for whoever sees it as a whole, on
//! the version in force for whoever sees only that.

use diesel::pg::Pg;
use diesel::prelude::*;
use serde_json::{Value, json};

use super::list::{Boxed, Listing, Owner, Reference};
use super::order::{self, Position};
use super::row::Stored;
use super::visibility::{self, Seen, Visible};
use crate::problem::Result;
use crate::schema::{links, records, versions};
use crate::tenancy::TenantTx;

impl Listing {
    /// The query of a page.
    pub(super) fn query(&self, tx: &TenantTx<'_>, after: Option<Position>) -> Result<Boxed<'_>> {
        let mut query: Boxed<'_> = records::table
            .filter(records::tenant_id.eq(tx.scope()))
            .select(Stored::as_select())
            .limit(self.limit + 1)
            .into_boxed();
        query = match self.kinds.as_slice() {
            [one] => query.filter(records::kind.eq(one.info.name)),
            many => query.filter(
                records::kind.eq_any(many.iter().map(|kind| kind.info.name).collect::<Vec<_>>()),
            ),
        };
        query = match (self.archived, self.updated_since) {
            (Some(true), _) => query.filter(records::archived_at.is_not_null()),
            // What has changed since includes what has been put away.
            (None, Some(_)) => query,
            _ => query.filter(records::archived_at.is_null()),
        };
        query = match self.owner {
            None => query,
            Some(Owner::None) => query.filter(records::owner_id.is_null()),
            Some(Owner::Me) => query.filter(records::owner_id.eq(tx.actor().person())),
            Some(Owner::Person(id)) => query.filter(records::owner_id.eq(id)),
        };
        query = match self.in_force {
            None => query,
            Some(true) => query.filter(records::in_force.is_not_null()),
            Some(false) => query.filter(records::in_force.is_null()),
        };
        let seen = visibility::seen(tx, &self.kinds)?;
        query = match seen {
            Seen::All => self.of_content(tx).into_iter().fold(query, Boxed::filter),
            Seen::Whole(whole) => self
                .of_content(tx)
                .into_iter()
                .fold(query.filter(whole), Boxed::filter),
            Seen::Partly { whole, in_force } => {
                let as_whole = self.of_content(tx).into_iter().fold(whole, and);
                let Seen::Partly { whole, .. } = visibility::seen(tx, &self.kinds)? else {
                    return Ok(query.filter(as_whole));
                };
                let partly = in_force
                    .and(whole.is_distinct_from(true))
                    .and(self.of_version(tx));
                query.filter(as_whole.or(partly))
            }
        };
        Ok(order::sorted(
            query,
            &self.sort,
            self.kinds.as_slice().first().copied(),
            after,
        ))
    }

    /// Conditions on content as it is now.
    fn of_content(&self, tx: &TenantTx<'_>) -> Vec<Visible> {
        let mut all: Vec<Visible> = Vec::new();
        // One value keeps the order of the index.
        match self.statuses.as_deref() {
            None => {}
            Some([one]) => all.push(Box::new(records::status.eq(one.clone()).nullable())),
            Some(many) => all.push(Box::new(records::status.eq_any(many.to_vec()).nullable())),
        }
        for (column, values) in &self.facets {
            macro_rules! narrow {
                ($facet:expr) => {
                    match values.as_slice() {
                        [one] => all.push(Box::new($facet.eq(one.clone()))),
                        many => all.push(Box::new($facet.eq_any(many.to_vec()))),
                    }
                };
            }
            match column {
                0 => narrow!(records::facet_1),
                1 => narrow!(records::facet_2),
                2 => narrow!(records::facet_3),
                _ => narrow!(records::facet_4),
            }
        }
        for reference in &self.references {
            let from = links::table
                .filter(links::tenant_id.eq(tx.scope()))
                .filter(links::field.eq(reference.pointer.clone()))
                .select(links::from_id)
                .into_boxed::<Pg>();
            let from = match reference.person {
                true => from.filter(links::person_id.eq(reference.id)),
                false => from.filter(links::to_id.eq(reference.id)),
            };
            let from = match self.kinds.as_slice() {
                [one] => from.filter(links::from_kind.eq(one.info.name)),
                _ => from,
            };
            all.push(Box::new(records::id.eq_any(from).nullable()));
        }
        if let Some(since) = self.updated_since {
            all.push(Box::new(records::updated_at.ge(since).nullable()));
        }
        for word in &self.search {
            let has = records::words.like(format!("% {word}%"));
            all.push(Box::new(has.nullable()));
        }
        all
    }

    /// The same conditions on the version in force.
    fn of_version(&self, tx: &TenantTx<'_>) -> Visible {
        let mut wanted = versions::table
            .inner_join(
                records::table.on(records::tenant_id
                    .eq(versions::tenant_id)
                    .and(records::id.eq(versions::record_id))
                    .and(records::in_force.eq(versions::number.nullable()))),
            )
            .filter(versions::tenant_id.eq(tx.scope()))
            .select(versions::record_id)
            .into_boxed::<Pg>();
        if let Some(statuses) = &self.statuses {
            let shown = self
                .kinds
                .iter()
                .filter(|kind| statuses.iter().any(|status| status == kind.in_force_state))
                .map(|kind| kind.info.name);
            wanted = wanted.filter(records::kind.eq_any(shown.collect::<Vec<_>>()));
        }
        for (column, values) in &self.facets {
            let field = self
                .kinds
                .as_slice()
                .first()
                .and_then(|kind| kind.filters.get(*column).copied())
                .unwrap_or_default();
            let has = versions::body
                .retrieve_as_text(field)
                .eq_any(values.clone());
            wanted = wanted.filter(has);
        }
        for reference in &self.references {
            wanted = wanted.filter(versions::links.contains(link_to(reference)));
        }
        if let Some(since) = self.updated_since {
            wanted = wanted.filter(versions::approved_at.ge(since));
        }
        for word in &self.search {
            wanted = wanted.filter(versions::title.ilike(format!("%{word}%")));
        }
        Box::new(records::id.eq_any(wanted).nullable())
    }
}

fn and(one: Visible, other: Visible) -> Visible {
    Box::new(one.and(other))
}

/// What the frozen links of a version contain that refers to this.
fn link_to(reference: &Reference) -> Value {
    let to = match reference.person {
        true => "person_id",
        false => "to_id",
    };
    json!([{"field": reference.pointer, to: reference.id}])
}
