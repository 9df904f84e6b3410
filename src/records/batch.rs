//! Many operations in one request, each with its own outcome, or all or nothing.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::entry::Entry;
use super::row::Stored;
use super::transitions::{self, TransitionRequest};
use super::{archive, store};
use crate::problem::{Problem, Result};
use crate::tenancy::{Answer, TenantTx};

/// Operations on records of one kind.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// All or nothing.
    #[serde(default)]
    pub atomic: bool,
    /// At most 100, done in this order.
    #[schema(min_items = 1, max_items = 100)]
    pub operations: Vec<Operation>,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Make a record from `body`.
    Create,
    /// Change the record `id` by the merge patch `body`.
    Update,
    /// Move the record `id` to the state `to`.
    Transition,
    /// Archive the record `id`.
    Archive,
}

/// One operation.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// What to do.
    pub op: Verb,
    /// The record; for all but `create`.
    #[schema(example = json!(null))]
    pub id: Option<Uuid>,
    /// The version you read; for all but `create`.
    #[schema(example = json!(null))]
    pub version: Option<i32>,
    /// The new record, or the merge patch.
    #[schema(value_type = Option<Object>)]
    pub body: Option<Map<String, Value>>,
    /// The state to reach; for `transition`.
    #[schema(max_length = 60, example = json!(null))]
    pub to: Option<String>,
    /// Why; for `transition`.
    #[schema(max_length = 2000, example = json!(null))]
    pub reason: Option<String>,
}

/// Runs the operations. The answer has `committed` and for each operation its `status`, and
/// `record` or `problem`.
pub(super) async fn run(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    batch: Batch,
    public_url: &str,
) -> Result<Answer> {
    let mut items = Vec::with_capacity(batch.operations.len());
    let mut failed = false;
    let mut refused = Vec::new();
    let mark = tx.mark().await?;
    for operation in batch.operations {
        if failed && batch.atomic {
            items.push(json!({"status": 424, "record": null, "problem": null}));
            continue;
        }
        match tx.nested(async |tx| one(tx, entry, operation).await).await {
            Ok((status, record)) => {
                items.push(json!({"status": status, "record": record, "problem": null}))
            }
            Err(problem) if problem.status >= 500 => return Err(problem),
            Err(problem) => {
                failed = true;
                refused.extend(problem.refused.clone());
                let body =
                    serde_json::to_value(problem.body(public_url)).map_err(Problem::internal)?;
                items.push(json!({"status": problem.status, "record": null, "problem": body}));
            }
        }
    }
    let committed = !(failed && batch.atomic);
    if !committed {
        tx.undo(mark).await?;
        // What came before the failure was taken back with it.
        for item in &mut items {
            if item.get("problem") == Some(&Value::Null)
                && let Value::Object(fields) = item
            {
                fields.insert("status".to_owned(), json!(424));
                fields.insert("record".to_owned(), Value::Null);
            }
        }
    }
    // A refusal by a rule is an event, whatever became of the rest.
    for refused in refused {
        tx.event("refused", refused.kind, refused.id, &refused.data)?;
    }
    let body = json!({"committed": committed, "items": items});
    Ok(Answer::ok(None, body.to_string()))
}

async fn one(tx: &mut TenantTx<'_>, entry: &Entry, operation: Operation) -> Result<(u16, Value)> {
    let Operation {
        op,
        id,
        version,
        body,
        to,
        reason,
    } = operation;
    let id = || id.ok_or_else(|| Problem::invalid("/id", "is required"));
    let expected = |actual: i32| match version {
        Some(version) if version == actual => Ok(()),
        Some(_) => Err(stale()),
        None => Err(Problem::invalid("/version", "is required")),
    };
    let stored = match op {
        Verb::Create => {
            let body = body.ok_or_else(|| Problem::invalid("/body", "is required"))?;
            let stored = store::create(tx, entry, body).await?;
            return Ok((201, parsed(&stored)?));
        }
        Verb::Update => {
            let body = body.ok_or_else(|| Problem::invalid("/body", "is required"))?;
            store::update(tx, entry, id()?, expected, body).await?
        }
        Verb::Transition => {
            let to = to.ok_or_else(|| Problem::invalid("/to", "is required"))?;
            transitions::make(
                tx,
                entry,
                id()?,
                expected,
                &TransitionRequest { to, reason },
            )
            .await?
        }
        Verb::Archive => {
            archive::archive(tx, entry, id()?, expected).await?;
            return Ok((204, Value::Null));
        }
    };
    Ok((200, parsed(&stored)?))
}

fn stale() -> Problem {
    Problem::new(
        crate::problem::ProblemType::PreconditionFailed,
        "The record has changed since you read it.",
    )
}

fn parsed(stored: &Stored) -> Result<Value> {
    serde_json::from_str(&stored.to_json()?).map_err(Problem::internal)
}
