//! Rows of a kind, without their type.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use serde_json::Value;
use uuid::Uuid;

use super::super::behaviour::typed;
use super::super::row::Row;
use super::taking::Places;
use super::{Rows, RowsAdded, storing};
use crate::http::schema::{self, Shape};
use crate::problem::{Problem, Result};
use crate::tenancy::{Roles, TenantTx};

/// Rows of a kind, without their type.
pub struct RowEntry {
    /// Place in the address.
    pub list: &'static str,
    /// One of them.
    pub one: &'static str,
    /// What they are.
    pub about: &'static str,
    /// Name of the schema.
    pub schema_name: String,
    /// Schema of one row.
    pub schema: Value,
    /// What the schema refers to.
    pub components: BTreeMap<String, Value>,
    /// A valid row.
    pub example: Value,
    /// Who adds rows for anybody.
    pub writers: Roles,
    /// Whether everybody adds their own.
    pub own: bool,
    /// Name of what rows have due.
    pub deadline: Option<&'static str>,
    /// Schema of what is counted of them.
    pub tally: Option<Value>,
    pub(super) input: Shape,
    pub(super) behaviour: Box<dyn RowBehaviour>,
}

impl fmt::Debug for RowEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.list)
    }
}

impl RowEntry {
    pub(in crate::records) fn new<R: Rows>() -> Self {
        let (mut schema, components) = schema::of::<R>();
        if let Some(of_row) = components.get(R::name().as_ref())
            && schema.get("$ref").is_some()
        {
            schema = of_row.clone();
        }
        Self {
            list: R::LIST,
            one: R::ONE,
            about: R::ABOUT,
            schema_name: R::name().into_owned(),
            schema,
            components,
            example: R::example(),
            writers: R::WRITERS,
            own: R::OWN,
            deadline: R::DEADLINE,
            tally: R::tally_schema(),
            input: Shape::input::<R>(),
            behaviour: Box::new(TypedRows::<R>(PhantomData)),
        }
    }
}

/// What differs from one kind of row to the next.
pub(super) trait RowBehaviour: Send + Sync {
    fn admits(&self, row: &Row, person: Uuid) -> Result<bool>;
    fn add<'a>(
        &'a self,
        tx: &'a mut TenantTx<'_>,
        row: &'a Row,
        sent: Vec<Value>,
        places: Places,
    ) -> LocalBoxFuture<'a, Result<RowsAdded>>;
    fn tally<'a>(&'a self, tx: &'a mut TenantTx<'_>, row: Row)
    -> LocalBoxFuture<'a, Result<Value>>;
}

struct TypedRows<R>(PhantomData<fn() -> R>);

impl<R: Rows> RowBehaviour for TypedRows<R> {
    fn admits(&self, row: &Row, person: Uuid) -> Result<bool> {
        Ok(R::admits(&typed(row)?, person))
    }

    fn add<'a>(
        &'a self,
        tx: &'a mut TenantTx<'_>,
        row: &'a Row,
        sent: Vec<Value>,
        places: Places,
    ) -> LocalBoxFuture<'a, Result<RowsAdded>> {
        async move {
            let sender = tx.actor();
            let sent = sent
                .into_iter()
                .map(|row| serde_json::from_value(row).map_err(Problem::internal))
                .map(|row| row.map(|row: R| row.sent_by(sender)))
                .collect::<Result<_>>()?;
            storing::add_rows(tx, &typed(row)?, sent, places, None).await
        }
        .boxed_local()
    }

    fn tally<'a>(
        &'a self,
        tx: &'a mut TenantTx<'_>,
        row: Row,
    ) -> LocalBoxFuture<'a, Result<Value>> {
        async move { R::tally(&typed(&row)?, tx).await }.boxed_local()
    }
}
