//! Moving a record through its lifecycle.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::closed::RecordState;
use super::entry::{Entry, Move};
use super::hearing::{self, What};
use super::row::{Row, Stored};
use super::rules::{self, GEN_1};
use super::store::{self, Loaded};
use super::{rights, saving, versions, waivers};
use crate::problem::{FieldError, Problem, Result};
use crate::tenancy::{Actor, Role, Roles, TenantTx};

/// Where a record shall go.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TransitionRequest {
    /// The state to reach; see `GET …/transitions`.
    #[schema(value_type = RecordState, example = "analysed")]
    pub to: String,
    /// Why; some transitions need it.
    #[schema(max_length = 2000, example = json!(null))]
    pub reason: Option<String>,
}

/// A state that can be reached from the present one, and what stands in the way.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TransitionOption {
    /// The state.
    #[schema(value_type = RecordState, example = "analysed")]
    pub to: String,
    /// Whether you can make the transition now.
    pub allowed: bool,
    /// Why not, in sentences.
    pub why_not: Option<String>,
    /// The first rule that stands in the way.
    pub rule: Option<String>,
    /// Everything that stands in the way, each with its place.
    pub unmet: Vec<FieldError>,
    /// Whether it is an approval, which needs another person than the authors.
    pub approves: bool,
    /// Whether a reason is needed.
    pub asks_reason: bool,
    /// Roles that make it.
    pub by: Vec<Role>,
    /// Fields of the record whose person makes it too.
    pub or_person_of: Vec<String>,
    /// Who may not make it: `author`, `owner`, or the person of a field.
    pub except: Vec<String>,
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
        let refusal = match rights::is_live(entry, &row) {
            Ok(()) => judge(tx, entry, &row, index, known).await.err(),
            Err(refusal) => Some(refusal),
        };
        let refusal = match refusal {
            Some(refusal) if refusal.status >= 500 => return Err(refusal),
            other => other,
        };
        let strings = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        options.push(TransitionOption {
            to: known.to.to_owned(),
            allowed: refusal.is_none(),
            rule: refusal.as_ref().and_then(|refusal| refusal.rule.clone()),
            unmet: refusal
                .as_ref()
                .map(|refusal| refusal.errors.clone())
                .unwrap_or_default(),
            why_not: refusal.map(|refusal| refusal.detail),
            approves: known.flags.approves,
            asks_reason: known.flags.asks_reason,
            by: known.by.iter().collect(),
            or_person_of: strings(known.or),
            except: strings(known.except),
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
    let loaded = store::load_for(tx, entry, id, precondition).await?;
    let row = &loaded.row;
    rights::is_live(entry, row)?;
    let Some((index, known)) = entry.find_move(&row.status, &request.to) else {
        return Err(not_from_here(entry, row, &request.to));
    };
    let reason = request
        .reason
        .as_deref()
        .map(str::trim)
        .filter(|reason| !reason.is_empty());
    let attempt = json!({"from": known.from, "to": known.to, "reason": reason});
    let waivers = judge(tx, entry, row, index, known)
        .await
        .map_err(|problem| problem.refused_on(entry.info.name, id, attempt))?;
    if known.flags.asks_reason && reason.is_none() {
        return Err(Problem::invalid(
            "/reason",
            "This transition needs a reason.",
        ));
    }
    enter(tx, entry, loaded, known, reason, waivers, None).await
}

/// Whether the actor may make this transition and all its guards are met, save those that are
/// waived; answers the waivers that were needed.
async fn judge(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    row: &Row,
    index: usize,
    known: &Move,
) -> Result<Vec<Uuid>> {
    permitted(tx, entry, row, known)?;
    if known.flags.approves {
        for child in versions::children_of(tx, entry, row.id).await? {
            if tx
                .actor()
                .person()
                .is_some_and(|id| child.authors.contains(&id))
            {
                return Err(gen_1(
                    entry,
                    known,
                    &format!("you wrote {}, which is approved with it.", child.reference),
                ));
            }
        }
    }
    let mut unmet = entry.unmet(index, row, tx).await?;
    let mut waivers = rules::waive(tx, row.id, &mut unmet).await?;
    waivers.extend(waivers::used(tx));
    match rules::refusal(&unmet) {
        None => Ok(waivers),
        Some(refusal) => Err(refusal),
    }
}

/// Makes a transition that has been judged, or follows from something else.
pub(super) async fn enter(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    loaded: Loaded,
    known: &Move,
    reason: Option<&str>,
    waivers: Vec<Uuid>,
    cause: Option<Value>,
) -> Result<Stored> {
    let Loaded {
        mut row,
        mirrors,
        standing,
    } = loaded;
    let old = row.clone();
    known.to.clone_into(&mut row.status);
    entry.entering(&mut row, known.from, tx).await?;
    let due = entry.settle_move(&mut row, &old, tx).await?;
    let flags = known.flags;
    if flags.approves {
        let number = versions::freeze(tx, entry, &row).await?;
        row.authors.clear();
        row.approved_by = tx.actor().person();
        row.approved_on = Some(tx.today()?);
        if !entry.publishes {
            row.in_force = Some(number);
        }
    }
    if flags.puts_in_force {
        row.in_force = versions::newest(tx, row.id).await?;
    }
    if flags.withdraws {
        row.in_force = None;
    }
    if flags.revises {
        versions::thaw(tx, entry, row.id).await?;
    }
    saving::save(tx, entry, &mut row, mirrors, standing, due)?;
    let mut data = json!({"from": known.from, "to": known.to, "reason": reason});
    let changes = store::differences(&old.told(), &row.told());
    if let Value::Object(fields) = &mut data {
        if changes
            .as_object()
            .is_some_and(|changes| !changes.is_empty())
        {
            fields.insert("changes".to_owned(), changes);
        }
        if !waivers.is_empty() {
            fields.insert("waivers".to_owned(), json!(waivers));
        }
    }
    let data = store::with_cause(data, cause);
    tx.event("moved", entry.info.name, row.id, &data)?;
    entry.moved(&row, known.from, tx).await?;
    hearing::tell(tx, entry, &row, What::Moved(known.to)).await?;
    store::newest(tx, entry, row).await
}

/// Whether the actor may make this transition at all.
fn permitted(tx: &TenantTx<'_>, entry: &Entry, row: &Row, known: &Move) -> Result<()> {
    let what = format!(
        "move {} {} from {} to {}",
        entry.info.article(),
        entry.info.one,
        known.from,
        known.to
    );
    let (id, roles, of_firm) = match tx.actor() {
        Actor::System if known.flags.approves => {
            return Err(gen_1(entry, known, "the system never approves."));
        }
        Actor::System => return Ok(()),
        Actor::Person { id, roles, of_firm } => (id, roles, of_firm),
    };
    let mut roles = roles;
    if known.flags.approves && of_firm {
        // A dated mandate lets a consultant be AIMS manager; it reaches no further.
        roles = match roles.has(Role::AimsManager) && known.by.has(Role::AimsManager) {
            true => Roles::of(&[Role::AimsManager]),
            false => {
                return Err(gen_1(
                    entry,
                    known,
                    "a consultancy never approves on behalf of the client.",
                ));
            }
        };
    }
    if known.flags.approves && row.authors.contains(&id) {
        return Err(gen_1(entry, known, "who wrote it does not approve it."));
    }
    for person in known.except {
        let why = match *person {
            "author" if row.authors.contains(&id) => "who wrote it does not.",
            "owner" if row.owner_id == Some(id) => "who owns it does not.",
            field if is_person_of(&row.body, field, id) => "the person it names does not.",
            _ => continue,
        };
        return Err(gen_1(entry, known, why));
    }
    let is_named = known.or.iter().any(|field| match *field {
        "owner" => row.owner_id == Some(id),
        field => is_person_of(&row.body, field, id),
    });
    if is_named || roles.meets(known.by) {
        return Ok(());
    }
    rights::needs(tx, known.by, &what)
}

/// Whether a field of the body names the person, alone or in a list.
fn is_person_of(body: &Value, field: &str, person: Uuid) -> bool {
    let person = Value::String(person.to_string());
    match body.get(field) {
        Some(Value::Array(many)) => many.contains(&person),
        Some(one) => *one == person,
        None => false,
    }
}

fn gen_1(entry: &Entry, known: &Move, why: &str) -> Problem {
    let detail = format!(
        "You cannot move {} {} from {} to {}: {why}",
        entry.info.article(),
        entry.info.one,
        known.from,
        known.to
    );
    GEN_1.refuses("", detail).with_status(403)
}

pub(super) fn not_from_here(entry: &Entry, row: &Row, to: &str) -> Problem {
    let allowed: Vec<_> = entry
        .moves
        .iter()
        .filter(|known| known.from == row.status && known.is_for_people())
        .map(|known| known.to.to_owned())
        .collect();
    let to = if entry.states.contains(&to) {
        to
    } else {
        "that state"
    };
    Problem::conflict(format!(
        "{} {} that is {} cannot become {to}.",
        entry.info.article_first(),
        entry.info.one,
        row.status
    ))
    .with_allowed(allowed)
}
