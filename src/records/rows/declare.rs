//! What a kind of row says of itself.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::super::kind::{Deadline, Kind, Record};
use crate::problem::Result;
use crate::tenancy::{Actor, Roles, TenantTx};

/// A kind of row.
#[expect(
    async_fn_in_trait,
    reason = "everything runs on the thread of its worker"
)]
pub trait Rows: Serialize + DeserializeOwned + ToSchema + Clone + 'static {
    /// The kind whose records it hangs under.
    type Of: Kind;
    /// Its place in the address, such as `measurements`.
    const LIST: &'static str;
    /// One of them, in a sentence.
    const ONE: &'static str;
    /// What they are, for the documentation.
    const ABOUT: &'static str;
    /// Who adds rows for anybody, besides those whom [`Rows::admits`].
    const WRITERS: Roles;
    /// Whether everybody adds the rows of their own person.
    const OWN: bool = false;
    /// Name of what a row has due for its person (see [`Rows::due`]).
    const DEADLINE: Option<&'static str> = None;
    /// Whether a row takes the place of the one with its key; else other content is refused.
    const REPLACES: bool = false;
    /// Whether rows change computed fields of their record (see [`Rows::tell`]).
    const TELLS: bool = false;

    /// A valid row for the documentation.
    fn example() -> Value;

    /// What makes a row the same when it is sent twice.
    fn key(&self) -> String;

    /// Its instant, by which rows are ordered.
    fn at(&self) -> DateTime<Utc>;

    /// The person it is about.
    fn person(&self) -> Option<Uuid> {
        None
    }

    /// Whether a person adds rows to a record whatever their role: its owner, unless it says more.
    fn admits(record: &Record<Self::Of>, person: Uuid) -> bool {
        record.owner_id == Some(person)
    }

    /// Says for whom a row is that somebody sends, so that its key is known.
    #[must_use]
    fn sent_by(self, _sender: Actor) -> Self {
        self
    }

    /// When it is due for its person, of whom a record has one such deadline at a time; none once
    /// it is met. The deadline's name is [`Rows::DEADLINE`] with the person behind a slash.
    fn due(&self) -> Option<Deadline> {
        None
    }

    /// Schema of what is counted of the rows of a record, if anything is.
    fn tally_schema() -> Option<Value> {
        None
    }

    /// What is counted, for those who see the whole record; shown with every page of rows.
    async fn tally(_record: &Record<Self::Of>, _tx: &mut TenantTx<'_>) -> Result<Value> {
        Ok(Value::Null)
    }

    /// Completes a row that somebody sends, before it is stored: when it was, until when.
    /// `known` is the row of the same key. Refuses what does not fit the record.
    async fn complete(
        self,
        _record: &Record<Self::Of>,
        _known: &Known<'_, Self>,
        _tx: &mut TenantTx<'_>,
    ) -> Result<Self> {
        Ok(self)
    }

    /// Sets computed fields of the record by its new rows; the event of the rows tells the change.
    /// Only asked with [`Rows::TELLS`].
    fn tell(_record: &mut Record<Self::Of>, _new: &[Self]) -> Result<()> {
        Ok(())
    }

    /// What follows for others once rows have been added; the record is as they have left it.
    async fn added(
        _record: &Record<Self::Of>,
        _new: &[Self],
        _tx: &mut TenantTx<'_>,
    ) -> Result<()> {
        Ok(())
    }
}

/// Rows that are there already, by key.
pub struct Known<'a, R>(pub(super) &'a HashMap<String, R>);

impl<R> Known<'_, R> {
    /// The row of a key.
    pub fn get(&self, key: &str) -> Option<&R> {
        self.0.get(key)
    }
}
