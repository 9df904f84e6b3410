//! Records that are approved together with another, such as the entries of a Statement of
//! Applicability: they are frozen while that one is, whichever way they would be changed.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use super::entry::Entry;
use super::registry::registry;
use super::row::Row;
use super::rules::GEN_2;
use super::session::Session;
use crate::problem::{FieldError, Problem, ProblemType, Result};
use crate::schema::records;
use crate::tenancy::TenantTx;

/// A record that others are approved together with.
struct Parent {
    entry: &'static Entry,
    /// The field of the others that refers to it.
    field: &'static str,
    reference: String,
    status: String,
    archived: bool,
}

/// Whether a new record may join what it is approved with.
pub(super) async fn takes_in(tx: &mut TenantTx<'_>, entry: &Entry, body: &Value) -> Result<()> {
    for parent in parents_of(tx, entry, body).await? {
        is_there(entry, &parent)?;
        if parent.entry.is_frozen(&parent.status) {
            return Err(frozen(entry, &parent, &[parent.field]));
        }
    }
    Ok(())
}

/// Whether what a record is approved with leaves these fields of it open (GEN-2), `links` and
/// `archived_at` among them. It stays with what it was made for.
pub(super) async fn leave_open(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    row: &Row,
    changed: &[String],
) -> Result<()> {
    for parent in parents_of(tx, entry, &row.body).await? {
        is_there(entry, &parent)?;
        let closed: Vec<&str> = changed
            .iter()
            .map(String::as_str)
            .filter(|name| entry.is_content(name))
            .collect();
        if parent.entry.is_frozen(&parent.status) && !closed.is_empty() {
            return Err(frozen(entry, &parent, &closed));
        }
        if closed.contains(&parent.field) {
            return Err(Problem::conflict(format!(
                "This {} belongs to {} and stays with it.",
                entry.info.one, parent.reference
            )));
        }
    }
    Ok(())
}

fn is_there(entry: &Entry, parent: &Parent) -> Result<()> {
    if !parent.archived {
        return Ok(());
    }
    let detail = format!(
        "{}, which this {} belongs to, is archived.",
        parent.reference, entry.info.one
    );
    Err(Problem::conflict(detail))
}

fn frozen(entry: &Entry, parent: &Parent, closed: &[&str]) -> Problem {
    let detail = format!(
        "{} is {}, and its {} are frozen with it. Move {} back first.",
        parent.reference, parent.status, entry.info.many, parent.reference
    );
    let mut problem = GEN_2
        .refuses("", detail)
        .with_status(ProblemType::Conflict.status());
    let faults = closed.iter().map(|name| FieldError {
        pointer: format!("/{name}"),
        detail: "is frozen".to_owned(),
    });
    problem.errors = faults.collect();
    problem
}

/// What a record with this body is approved together with. What is not there is nobody's parent.
async fn parents_of(tx: &mut TenantTx<'_>, entry: &Entry, body: &Value) -> Result<Vec<Parent>> {
    let mut found = Vec::new();
    for parent in registry().entries() {
        for (kind, pointer) in parent.children {
            let id = body.pointer(pointer).and_then(Value::as_str);
            let id: Option<Uuid> = id.and_then(|id| id.parse().ok());
            let Some(id) = id.filter(|_| *kind == entry.info.name) else {
                continue;
            };
            Session::settle(tx).await?;
            let query = records::table
                .find((tx.scope(), id))
                .filter(records::kind.eq(parent.info.name))
                .select((
                    records::ref_,
                    records::status,
                    records::archived_at.is_not_null(),
                ));
            let row: Option<(String, String, bool)> = tx
                .run(async |db| query.first(&mut &*db).await.optional())
                .await?;
            found.extend(row.map(|(reference, status, archived)| Parent {
                entry: parent,
                field: pointer.trim_start_matches('/'),
                reference,
                status,
                archived,
            }));
        }
    }
    Ok(found)
}
