//! Moving a record through its lifecycle.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::kind::Kind;
use super::links;
use super::registry::{Entry, Move, entry_of};
use super::row::{Row, Stored};
use super::store::{self, Loaded};
use crate::problem::{Problem, Result};
use crate::schema::versions;
use crate::tenancy::{Actor, TenantTx};

/// Where a record shall go.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TransitionRequest {
    /// The state to reach; see `GET …/transitions`.
    #[schema(min_length = 1, max_length = 60, example = "analysed")]
    pub to: String,
    /// Why; some transitions need it.
    #[schema(max_length = 2000, example = json!(null))]
    pub reason: Option<String>,
}

/// A state that can be reached from the present one, and what stands in the way.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TransitionOption {
    /// The state.
    #[schema(example = "analysed")]
    pub to: String,
    /// Whether you can make the transition now.
    pub allowed: bool,
    /// Why not, as a sentence.
    pub why_not: Option<String>,
    /// The rule that stands in the way.
    pub rule: Option<String>,
    /// Whether it is an approval, which needs another person than the author.
    pub approves: bool,
    /// Whether a reason is needed.
    pub asks_reason: bool,
    /// Roles that make it.
    pub by: Vec<String>,
}

/// All transitions from the present state, with what stands in the way.
pub async fn options(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    id: Uuid,
) -> Result<Vec<TransitionOption>> {
    let row = store::get(tx, entry, id).await?.into_row()?;
    let mut options = Vec::new();
    for (index, known) in entry.moves.iter().enumerate() {
        if known.from != row.status {
            continue;
        }
        let refusal = match permitted(tx, entry, &row, known) {
            Ok(()) => entry.check_rules(index, &row, tx).await.err(),
            Err(refusal) => Some(refusal),
        };
        let refusal = match refusal {
            Some(refusal) if refusal.status >= 500 => return Err(refusal),
            other => other,
        };
        options.push(TransitionOption {
            to: known.to.to_owned(),
            allowed: refusal.is_none(),
            rule: refusal.as_ref().and_then(|refusal| refusal.rule.clone()),
            why_not: refusal.map(|refusal| refusal.detail),
            approves: known.approves,
            asks_reason: known.asks_reason,
            by: known.by.names(),
        });
    }
    Ok(options)
}

/// Moves a record.
pub async fn make(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    id: Uuid,
    precondition: impl FnOnce(i32) -> Result<()>,
    request: &TransitionRequest,
) -> Result<Stored> {
    let loaded = store::load(tx, entry, id).await?;
    precondition(loaded.row.version)?;
    let row = &loaded.row;
    store::is_live(entry, row)?;
    let Some((index, known)) = entry.find_move(&row.status, &request.to) else {
        return Err(not_from_here(entry, row, &request.to));
    };
    permitted(tx, entry, row, known)?;
    let reason = request
        .reason
        .as_deref()
        .map(str::trim)
        .filter(|reason| !reason.is_empty());
    if known.asks_reason && reason.is_none() {
        return Err(Problem::invalid(
            "/reason",
            "This transition needs a reason.",
        ));
    }
    entry.check_rules(index, row, tx).await?;
    enter(tx, entry, loaded, known, reason).await
}

/// Moves a record as a consequence of something else: the rules of the transition are not asked.
pub async fn follow<K: Kind>(
    tx: &mut TenantTx<'_>,
    id: Uuid,
    to: &str,
    reason: &str,
) -> Result<()> {
    let entry = entry_of::<K>()?;
    let loaded = store::load(tx, entry, id).await?;
    let Some((_, known)) = entry.find_move(&loaded.row.status, to) else {
        return Err(not_from_here(entry, &loaded.row, to));
    };
    Box::pin(enter(tx, entry, loaded, known, Some(reason)))
        .await
        .map(drop)
}

async fn enter(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    loaded: Loaded,
    known: &Move,
    reason: Option<&str>,
) -> Result<Stored> {
    let Loaded {
        mut row,
        mirrors,
        standing,
    } = loaded;
    known.to.clone_into(&mut row.status);
    let before = row.body.clone();
    entry.moved(&mut row, known.from, tx).await?;
    let due = entry.settle(&mut row, Some(&before), tx).await?;
    if known.approves {
        freeze(tx, &row).await?;
        links::pin(tx, row.id).await?;
    }
    store::save(tx, entry, &mut row, mirrors, standing, due)?;
    let data = json!({"from": known.from, "to": known.to, "reason": reason});
    tx.event("moved", entry.info.name, row.id, &data)?;
    Ok(row.to_stored())
}

/// Whether the actor may make this transition at all.
fn permitted(tx: &TenantTx<'_>, entry: &Entry, row: &Row, known: &Move) -> Result<()> {
    let what = format!(
        "move a {} from {} to {}",
        entry.info.one, known.from, known.to
    );
    if known.approves {
        gen_1(tx.actor(), row, &what)?;
    }
    store::needs(tx, known.by, &what)
}

/// GEN-1: author ≠ approver; a consultancy user never approves for the client; the system never
/// approves.
fn gen_1(actor: Actor, row: &Row, what: &str) -> Result<()> {
    let refuse = |why: &str| {
        Err(Problem::rule("GEN-1", format!("You cannot {what}: {why}")).with_status(403))
    };
    match actor {
        Actor::System => refuse("the system never approves."),
        Actor::Person { .. } if actor.is_of_firm() => {
            refuse("a consultancy never approves on behalf of the client.")
        }
        Actor::Person { id, .. } if row.authored_by == Some(id) => {
            refuse("who wrote it does not approve it.")
        }
        Actor::Person { .. } => Ok(()),
    }
}

fn not_from_here(entry: &Entry, row: &Row, to: &str) -> Problem {
    let allowed: Vec<_> = entry
        .moves
        .iter()
        .filter(|known| known.from == row.status && known.by != crate::tenancy::Roles::default())
        .map(|known| known.to.to_owned())
        .collect();
    let to = if entry.states.contains(&to) {
        to
    } else {
        "that state"
    };
    Problem::conflict(format!(
        "A {} that is {} cannot become {to}.",
        entry.info.one, row.status
    ))
    .with_allowed(allowed)
}

/// Freezes what is approved as the next numbered version.
async fn freeze(tx: &mut TenantTx<'_>, row: &Row) -> Result<()> {
    let tenant = tx.scope();
    let last = versions::table
        .filter(versions::tenant_id.eq(tenant))
        .filter(versions::record_id.eq(row.id))
        .select(diesel::dsl::max(versions::number));
    let last: Option<i32> = tx.run(async |db| last.first(&mut &*db).await).await?;
    let Some(approver) = tx.actor().person() else {
        return Err(Problem::internal("the system never approves"));
    };
    let hash = content_hash(&row.title, &row.body);
    let insert = diesel::insert_into(versions::table).values((
        versions::tenant_id.eq(tenant),
        versions::record_id.eq(row.id),
        versions::number.eq(last.unwrap_or(0) + 1),
        versions::title.eq(row.title.clone()),
        versions::body.eq(row.body.clone()),
        versions::hash.eq(hash),
        versions::record_version.eq(row.version + 1),
        versions::approved_by.eq(approver),
        versions::approved_at.eq(tx.now()),
    ));
    tx.queue(|db| async move { insert.execute(&mut &*db).await });
    Ok(())
}

/// SHA-256 over the canonical JSON of title and body.
pub(super) fn content_hash(title: &str, body: &serde_json::Value) -> Vec<u8> {
    let canonical = json!({"body": body, "title": title}).to_string();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, canonical.as_bytes());
    digest.as_ref().to_vec()
}
