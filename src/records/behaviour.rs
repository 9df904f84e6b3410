//! What differs from kind to kind, without the type of the kind.

use std::marker::PhantomData;

use chrono::NaiveDate;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use uuid::Uuid;

use super::find::find;
use super::hearing::Happened;
use super::kind::{Deadline, Kind, Record};
use super::lifecycle::{State, Transition};
use super::row::Row;
use super::rules::{RuleId, Unmet};
use super::waivers::{Waivers, Waives};
use crate::problem::{Problem, Result};
use crate::tenancy::TenantTx;

/// What differs from kind to kind.
pub(super) trait Behaviour: Send + Sync {
    fn settle<'a>(
        &'a self,
        row: &'a mut Row,
        before: Option<&'a Row>,
        judge: bool,
        tx: &'a mut TenantTx<'_>,
    ) -> LocalBoxFuture<'a, Result<Vec<Deadline>>>;
    fn due(&self, row: &Row) -> Result<Vec<Deadline>>;
    fn unmet<'a>(
        &'a self,
        index: usize,
        row: &'a Row,
        tx: &'a mut TenantTx<'_>,
    ) -> LocalBoxFuture<'a, Result<Vec<(&'static RuleId, Unmet)>>>;
    fn entering<'a>(
        &'a self,
        row: &'a mut Row,
        from: &'a str,
        tx: &'a mut TenantTx<'_>,
    ) -> LocalBoxFuture<'a, Result<()>>;
    fn made<'a>(&'a self, row: &'a Row, tx: &'a mut TenantTx<'_>)
    -> LocalBoxFuture<'a, Result<()>>;
    fn moved<'a>(
        &'a self,
        row: &'a Row,
        from: &'a str,
        tx: &'a mut TenantTx<'_>,
    ) -> LocalBoxFuture<'a, Result<()>>;
    fn heard<'a>(
        &'a self,
        happened: &'a Happened,
        tx: &'a mut TenantTx<'_>,
    ) -> LocalBoxFuture<'a, Result<()>>;
}

pub(super) struct Typed<K: Kind> {
    pub(super) transitions: Vec<Transition<K>>,
}

fn state<S: State>(name: &str) -> Result<S> {
    match name.parse() {
        Ok(state) => Ok(state),
        Err(_) => Err(Problem::internal(format!("{name} is not a state"))),
    }
}

impl<K: Kind> Behaviour for Typed<K> {
    fn settle<'a>(
        &'a self,
        row: &'a mut Row,
        before: Option<&'a Row>,
        judge: bool,
        tx: &'a mut TenantTx<'_>,
    ) -> LocalBoxFuture<'a, Result<Vec<Deadline>>> {
        async move {
            let mut record: Record<K> = typed(row)?;
            let before: Option<Record<K>> = before.map(typed).transpose()?;
            K::compute(&mut record, before.as_ref(), tx).await?;
            if judge {
                K::judge(&record, before.as_ref(), tx).await?;
            }
            let deadlines = K::deadlines(&record);
            untyped(record, row)?;
            Ok(deadlines)
        }
        .boxed_local()
    }

    fn due(&self, row: &Row) -> Result<Vec<Deadline>> {
        Ok(K::deadlines(&typed(row)?))
    }

    fn unmet<'a>(
        &'a self,
        index: usize,
        row: &'a Row,
        tx: &'a mut TenantTx<'_>,
    ) -> LocalBoxFuture<'a, Result<Vec<(&'static RuleId, Unmet)>>> {
        async move {
            let mut all = Vec::new();
            let Some(transition) = self
                .transitions
                .get(index)
                .filter(|one| !one.guards.is_empty())
            else {
                return Ok(all);
            };
            let record: Record<K> = typed(row)?;
            for guard in &transition.guards {
                let unmet = (guard.check)(&record, tx).await?;
                all.extend(unmet.into_iter().map(|one| (guard.rule, one)));
            }
            Ok(all)
        }
        .boxed_local()
    }

    fn entering<'a>(
        &'a self,
        row: &'a mut Row,
        from: &'a str,
        tx: &'a mut TenantTx<'_>,
    ) -> LocalBoxFuture<'a, Result<()>> {
        async move {
            let mut record: Record<K> = typed(row)?;
            K::entering(&mut record, state(from)?, tx).await?;
            untyped(record, row)
        }
        .boxed_local()
    }

    fn made<'a>(
        &'a self,
        row: &'a Row,
        tx: &'a mut TenantTx<'_>,
    ) -> LocalBoxFuture<'a, Result<()>> {
        async move { K::made(&typed(row)?, tx).await }.boxed_local()
    }

    fn moved<'a>(
        &'a self,
        row: &'a Row,
        from: &'a str,
        tx: &'a mut TenantTx<'_>,
    ) -> LocalBoxFuture<'a, Result<()>> {
        async move { K::moved(&typed(row)?, state(from)?, tx).await }.boxed_local()
    }

    fn heard<'a>(
        &'a self,
        happened: &'a Happened,
        tx: &'a mut TenantTx<'_>,
    ) -> LocalBoxFuture<'a, Result<()>> {
        K::heard(happened, tx).boxed_local()
    }
}

/// The record behind a row.
pub(super) fn typed<K: Kind>(row: &Row) -> Result<Record<K>> {
    let body = K::deserialize(&row.body).map_err(|error| {
        let mut problem = Problem::invalid("", "The fields do not fit together.");
        problem.cause = Some(format!("{} {}: {error}", K::INFO.name, row.id).into());
        problem
    })?;
    Ok(Record {
        id: row.id,
        reference: row.reference.clone(),
        title: row.title.clone(),
        status: state(&row.status)?,
        owner_id: row.owner_id,
        next_review_on: row.next_review_on,
        created_by: row.created_by,
        authors: row.authors.clone(),
        in_force: row.in_force,
        approved_by: row.approved_by,
        approved_on: row.approved_on,
        seen_by: row.seen_by(),
        body,
    })
}

/// Puts what a kind may set back into the row.
pub(super) fn untyped<K: Kind>(record: Record<K>, row: &mut Row) -> Result<()> {
    let Record {
        id: _,
        reference: _,
        title,
        status: _,
        owner_id,
        next_review_on,
        created_by: _,
        authors: _,
        in_force: _,
        approved_by: _,
        approved_on: _,
        seen_by: _,
        body,
    } = record;
    row.title = title;
    row.owner_id = owner_id;
    row.next_review_on = next_review_on;
    row.body = serde_json::to_value(body).map_err(Problem::internal)?;
    Ok(())
}

/// The waivers of a kind.
pub(super) struct WaiversOf<W>(PhantomData<fn() -> W>);

impl<W> Default for WaiversOf<W> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<W: Waives> Waivers for WaiversOf<W> {
    fn granted<'a>(
        &'a self,
        tx: &'a mut TenantTx<'_>,
        record: Uuid,
    ) -> LocalBoxFuture<'a, Result<Vec<(Uuid, String)>>> {
        async move {
            let today: NaiveDate = tx.today()?;
            let granted = find::<W>()
                .about(record)
                .in_states(&[W::GRANTED])
                .load(tx)
                .await?;
            Ok(granted
                .into_iter()
                .filter(|waiver| waiver.body.about() == record)
                .filter(|waiver| today <= waiver.body.valid_until())
                .map(|waiver| (waiver.id, waiver.body.rule().to_owned()))
                .collect())
        }
        .boxed_local()
    }
}
