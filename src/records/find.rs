//! Typed look-ups for rules: the records of a kind that are about something.

use std::marker::PhantomData;

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::behaviour::typed;
use super::entry::Entry;
use super::kind::{Kind, Record};
use super::registry::entry_of;
use super::row::Stored;
use super::session::Session;
use super::typed_refs::UnitRef;
use super::{Lives, State, store};
use crate::problem::{Problem, Result};
use crate::schema::{links, records};
use crate::tenancy::TenantTx;

/// Live records of a kind. `find::<RiskTreatment>().whose("risk_id", risk.id).in_states(&[Effective])`.
#[derive(Clone, Debug)]
pub struct Find<K> {
    about: Vec<(Option<&'static str>, Uuid)>,
    on: Vec<(&'static str, UnitRef)>,
    states: Vec<&'static str>,
    facets: Vec<(&'static str, String)>,
    owner: Option<Uuid>,
    in_force: bool,
    kind: PhantomData<fn() -> K>,
}

/// Looks for live records of a kind.
pub fn find<K: Kind>() -> Find<K> {
    Find {
        about: Vec::new(),
        on: Vec::new(),
        states: Vec::new(),
        facets: Vec::new(),
        owner: None,
        in_force: false,
        kind: PhantomData,
    }
}

type Query = diesel::helper_types::IntoBoxed<'static, records::table, Pg>;

impl<K: Kind> Find<K> {
    /// Those that refer to this record, in whatever field or link.
    #[must_use]
    pub fn about(mut self, id: Uuid) -> Self {
        self.about.push((None, id));
        self
    }

    /// Those that refer to this record in a field: what somebody linked to it by hand, or names
    /// it elsewhere, does not count.
    #[must_use]
    pub fn whose(mut self, field: &'static str, id: Uuid) -> Self {
        self.about.push((Some(field), id));
        self
    }

    /// Those that name this unit of a catalogue in a field.
    #[must_use]
    pub fn on(mut self, field: &'static str, unit: &UnitRef) -> Self {
        self.on.push((field, unit.clone()));
        self
    }

    /// Those in one of these states.
    #[must_use]
    pub fn in_states(mut self, states: &[<K as Lives>::State]) -> Self {
        self.states.extend(states.iter().map(|state| state.name()));
        self
    }

    /// Those with this value in a field that the kind declares as a filter.
    #[must_use]
    pub fn with(mut self, field: &'static str, value: impl ToString) -> Self {
        self.facets.push((field, value.to_string()));
        self
    }

    /// Those owned by a person.
    #[must_use]
    pub fn owned_by(mut self, person: Uuid) -> Self {
        self.owner = Some(person);
        self
    }

    /// Those with a version in force.
    #[must_use]
    pub fn in_force(mut self) -> Self {
        self.in_force = true;
        self
    }

    fn query(&self, tenant: Uuid, entry: &'static Entry) -> Result<Query> {
        let mut query = records::table
            .into_boxed::<Pg>()
            .filter(records::tenant_id.eq(tenant))
            .filter(records::kind.eq(entry.info.name))
            .filter(records::archived_at.is_null());
        for (field, id) in &self.about {
            let about = links::table
                .filter(links::tenant_id.eq(tenant))
                .filter(links::to_id.eq(*id))
                .filter(links::from_kind.eq(entry.info.name));
            query = match field {
                None => query.filter(records::id.eq_any(about.select(links::from_id))),
                Some(field) => {
                    let about = about.filter(links::field.eq(format!("/{field}")));
                    query.filter(records::id.eq_any(about.select(links::from_id)))
                }
            };
        }
        for (field, UnitRef { catalog, unit }) in &self.on {
            let on = links::table
                .filter(links::tenant_id.eq(tenant))
                .filter(links::catalog.eq(catalog.clone()))
                .filter(links::unit.eq(unit.clone()))
                .filter(links::from_kind.eq(entry.info.name))
                .filter(links::field.eq(format!("/{field}")))
                .select(links::from_id);
            query = query.filter(records::id.eq_any(on));
        }
        if !self.states.is_empty() {
            query = query.filter(records::status.eq_any(self.states.clone()));
        }
        for (field, value) in &self.facets {
            query = match entry.facet(field) {
                Some(0) => query.filter(records::facet_1.eq(value.clone())),
                Some(1) => query.filter(records::facet_2.eq(value.clone())),
                Some(2) => query.filter(records::facet_3.eq(value.clone())),
                Some(_) => query.filter(records::facet_4.eq(value.clone())),
                None => {
                    return Err(Problem::internal(format!(
                        "{} does not filter by {field}",
                        entry.info.name
                    )));
                }
            };
        }
        if let Some(owner) = self.owner {
            query = query.filter(records::owner_id.eq(owner));
        }
        if self.in_force {
            query = query.filter(records::in_force.is_not_null());
        }
        Ok(query)
    }

    /// The records, newest first.
    pub async fn load(self, tx: &mut TenantTx<'_>) -> Result<Vec<Record<K>>> {
        Session::settle(tx).await?;
        let query = self
            .query(tx.scope(), entry_of::<K>()?)?
            .order(records::id.desc())
            .select(Stored::as_select());
        let stored: Vec<Stored> = tx.run(async |db| query.load(&mut &*db).await).await?;
        stored
            .into_iter()
            .map(|stored| typed(&stored.into_row()?))
            .collect()
    }

    /// How many there are.
    pub async fn count(self, tx: &mut TenantTx<'_>) -> Result<i64> {
        Session::settle(tx).await?;
        let query = self
            .query(tx.scope(), entry_of::<K>()?)?
            .select(diesel::dsl::count_star());
        tx.run(async |db| query.first(&mut &*db).await).await
    }

    /// Whether there is one.
    pub async fn exists(self, tx: &mut TenantTx<'_>) -> Result<bool> {
        Ok(self.count(tx).await? > 0)
    }
}

/// One record of a kind, archived or not.
pub async fn get<K: Kind>(tx: &mut TenantTx<'_>, id: Uuid) -> Result<Record<K>> {
    let stored = store::fetch(tx, entry_of::<K>()?, id).await?;
    typed(&stored.into_row()?)
}

/// How many live records there are, by kind and state.
pub async fn counts(tx: &mut TenantTx<'_>) -> Result<serde_json::Value> {
    let query = records::table
        .filter(records::tenant_id.eq(tx.scope()))
        .filter(records::archived_at.is_null())
        .group_by((records::kind, records::status))
        .select((records::kind, records::status, diesel::dsl::count_star()));
    let rows: Vec<(String, String, i64)> = tx.run(async |db| query.load(&mut &*db).await).await?;
    let mut counts =
        std::collections::BTreeMap::<String, std::collections::BTreeMap<String, i64>>::new();
    for (kind, status, count) in rows {
        counts.entry(kind).or_default().insert(status, count);
    }
    serde_json::to_value(counts).map_err(Problem::internal)
}
