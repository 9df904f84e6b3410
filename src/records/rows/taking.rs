//! What a client sends: one row, or `{"items": […]}` with up to 1,000.

use serde_json::{Map, Value};
use uuid::Uuid;

use super::super::entry::Entry;
use super::super::{rights, store, visibility};
use super::{AT_ONCE, RowEntry, RowsAdded};
use crate::problem::{FieldError, Problem, Result};
use crate::tenancy::TenantTx;

/// Faults told at once.
pub(super) const MOST_FAULTS: usize = 100;

/// Adds the rows of a request, all or none.
pub(in crate::records) async fn add(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    rows_entry: &RowEntry,
    id: Uuid,
    input: Map<String, Value>,
) -> Result<RowsAdded> {
    let stored = store::fetch(tx, entry, id).await?;
    visibility::is_whole(tx, entry, &stored.spine).await?;
    let row = stored.into_row()?;
    let admitted = match tx.actor().person() {
        Some(person) => rows_entry.own || rows_entry.behaviour.admits(&row, person)?,
        None => false,
    };
    if !admitted {
        rights::needs(tx, rows_entry.writers, &format!("add {}", rows_entry.list))?;
    }
    let (sent, places) = rows_of(input)?;
    well_formed(rows_entry, &sent, places)?;
    rights::is_live(entry, &row)?;
    rows_entry.behaviour.add(tx, &row, sent, places).await
}

/// Where the rows of a request stand in it.
#[derive(Clone, Copy)]
pub(super) enum Places {
    /// The request is the only row.
    Alone,
    /// They are its `items`.
    Items,
}

impl Places {
    /// JSON Pointer to something in a row.
    pub(super) fn pointer(self, at: usize, inside: &str) -> String {
        match self {
            Self::Alone => inside.to_owned(),
            Self::Items => format!("/items/{at}{inside}"),
        }
    }
}

/// The rows of a request.
fn rows_of(input: Map<String, Value>) -> Result<(Vec<Value>, Places)> {
    let (sent, places) = match input.get("items") {
        Some(Value::Array(items)) if input.len() == 1 => (items.clone(), Places::Items),
        Some(_) if input.len() == 1 => {
            return Err(Problem::invalid("/items", "must be a list"));
        }
        _ => (vec![Value::Object(input)], Places::Alone),
    };
    if sent.is_empty() || sent.len() > AT_ONCE {
        return Err(Problem::invalid(
            "/items",
            format!("must have 1 to {AT_ONCE} rows"),
        ));
    }
    Ok((sent, places))
}

fn well_formed(rows_entry: &RowEntry, sent: &[Value], places: Places) -> Result<()> {
    let mut faults = Vec::new();
    for (at, row) in sent.iter().enumerate() {
        for fault in rows_entry.input.check(row).err().into_iter().flatten() {
            faults.push(FieldError {
                pointer: places.pointer(at, &fault.pointer),
                detail: fault.detail,
            });
        }
        if faults.len() >= MOST_FAULTS {
            break;
        }
    }
    match faults.is_empty() {
        true => Ok(()),
        false => Err(Problem::invalid_all(faults)),
    }
}
