//! Making and changing records. Each is a part of one transaction: the row, its links, its
//! deadlines and its event, and what others make of it.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use futures_util::try_join;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::deadlines::{self, Standing};
use super::hearing::{self, What};
use super::links::{self, Mirror};
use super::references::{self, references_of};
use super::registry::Entry;
use super::row::{Row, Spine, Stored};
use super::rules::GEN_2;
use super::session::Session;
use super::shadow::Shadow;
use super::spine::{self, Audience};
use super::{one_for, parents, visibility, waivers};
use crate::http::merge_patch;
use crate::problem::{FieldError, Problem, ProblemType, Result};
use crate::schema::records;
use crate::tenancy::{Actor, Roles, TenantTx};

/// A record with what hangs on it, loaded to be changed.
pub(super) struct Loaded {
    pub(super) row: Row,
    pub(super) mirrors: Vec<Mirror>,
    pub(super) standing: Vec<Standing>,
}

/// One record that the actor sees with everything on it; 404 when there is none of this kind.
pub async fn get(tx: &mut TenantTx<'_>, entry: &Entry, id: Uuid) -> Result<Stored> {
    let stored = fetch(tx, entry, id).await?;
    visibility::whole(tx, entry, &stored.spine).await?;
    Ok(stored)
}

/// One record, whoever acts: for rules.
pub(super) async fn fetch(tx: &mut TenantTx<'_>, entry: &Entry, id: Uuid) -> Result<Stored> {
    Session::settle(tx).await?;
    let query = records::table
        .find((tx.scope(), id))
        .filter(records::kind.eq(entry.info.name))
        .select(Stored::as_select());
    tx.run(async |db| query.first(&mut &*db).await).await
}

/// Loads a record to change it, in one round trip.
pub(super) async fn load(tx: &mut TenantTx<'_>, entry: &Entry, id: Uuid) -> Result<Loaded> {
    Session::settle(tx).await?;
    let tenant = tx.scope();
    let record = records::table
        .find((tenant, id))
        .filter(records::kind.eq(entry.info.name))
        .select(Stored::as_select());
    let (stored, mirrors, standing) = tx
        .run(async |db| {
            try_join!(
                record.first(&mut &*db),
                links::mirrors_of(db, tenant, id),
                deadlines::of_record(db, tenant, id),
            )
        })
        .await?;
    Ok(Loaded {
        row: stored.into_row()?,
        mirrors,
        standing,
    })
}

/// Loads a record that a person wants to change: they see it, and it is the version they read.
pub(super) async fn load_for(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    id: Uuid,
    precondition: impl FnOnce(i32) -> Result<()>,
) -> Result<Loaded> {
    let loaded = load(tx, entry, id).await?;
    visibility::whole(tx, entry, &loaded.row.spine).await?;
    precondition(loaded.row.version)?;
    Ok(loaded)
}

/// What clients write of a record.
#[derive(Deserialize)]
struct Written {
    title: String,
    #[serde(default)]
    owner_id: Option<Uuid>,
    #[serde(default)]
    next_review_on: Option<chrono::NaiveDate>,
    #[serde(flatten)]
    audience: Audience,
}

impl Written {
    /// Takes the spine's fields out of checked input; the rest is the body.
    fn split(input: Value) -> Result<(Self, Value)> {
        let Value::Object(mut body) = input else {
            return Err(Problem::invalid("", "A JSON object is needed."));
        };
        let spine: Map<String, Value> = spine::WRITABLE
            .iter()
            .filter_map(|name| body.remove_entry(*name))
            .collect();
        let spine = serde_json::from_value(spine.into()).map_err(Problem::internal)?;
        Ok((spine, Value::Object(body)))
    }
}

/// Makes a record from a client's input.
pub async fn create(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    mut input: Map<String, Value>,
) -> Result<Stored> {
    let roles = tx.actor().roles();
    if !is_system(tx) && !roles.meets(entry.authors) {
        needs(tx, entry.owners, &format!("make {}", entry.info.many))?;
        // Who writes only what they own, owns what they make.
        let owner = input.entry("owner_id").or_insert(Value::Null);
        if owner.is_null() {
            *owner = json!(tx.actor().person());
        }
        if *owner != json!(tx.actor().person()) {
            return Err(Problem::forbidden(format!(
                "With your roles you make {} that you own.",
                entry.info.many
            )));
        }
    }
    let input = Value::Object(input);
    entry.check(&input)?;
    parents::takes_in(tx, entry, &input).await?;
    insert(tx, entry, input, None)
        .await
        .map_err(|problem| problem.refused_on(entry.info.name, Uuid::nil(), json!("create")))
}

/// Makes a record; as the system when it follows from something else.
pub(super) async fn insert(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    input: Value,
    cause: Option<Value>,
) -> Result<Stored> {
    let (written, body) = Written::split(input)?;
    let now = tx.now();
    let doer = doer(tx, cause.as_ref());
    let actor = doer.person();
    let audience = written.audience;
    let spine = Spine {
        id: Uuid::now_v7(),
        kind: entry.info.name.to_owned(),
        reference: String::new(),
        title: written.title,
        status: entry.start.to_owned(),
        version: 1,
        owner_id: written.owner_id,
        next_review_on: written.next_review_on,
        created_at: now,
        created_by: actor,
        updated_at: now,
        updated_by: actor,
        authors: actor.into_iter().collect(),
        in_force: None,
        approved_by: None,
        approved_on: None,
        audience: audience.audience,
        audience_roles: audience.audience_roles,
        audience_people: audience.audience_people,
        archived_at: None,
    };
    let mut row = Row { spine, body };
    audience_is_somebody(&row)?;
    let found = references_of(entry, &row);
    let number = references::check(tx, &found, Some(entry.info.name)).await?;
    row.reference = format!("{}-{number:03}", entry.info.prefix);
    let due = entry.settle(&mut row, None, tx).await?;
    one_for::check(tx, entry, &row).await?;
    let Shadow {
        facets: [facet_1, facet_2, facet_3, facet_4],
        sorts: [sort_1, sort_2, sort_3],
        words,
    } = Shadow::of(entry, &row);
    let insert = diesel::insert_into(records::table).values((
        (
            records::tenant_id.eq(tx.scope()),
            records::id.eq(row.id),
            records::kind.eq(entry.info.name),
            records::ref_no.eq(number),
            records::ref_.eq(row.reference.clone()),
            records::title.eq(row.title.clone()),
            records::status.eq(row.status.clone()),
            records::version.eq(row.version),
            records::owner_id.eq(row.owner_id),
            records::next_review_on.eq(row.next_review_on),
            records::created_at.eq(now),
            records::created_by.eq(actor),
            records::updated_at.eq(now),
            records::updated_by.eq(actor),
            records::authors.eq(row.authors.clone()),
        ),
        (
            records::audience.eq(row.audience.clone()),
            records::audience_roles.eq(row.audience_roles.clone()),
            records::audience_people.eq(row.audience_people.clone()),
            records::body.eq(row.body.clone()),
            records::facet_1.eq(facet_1),
            records::facet_2.eq(facet_2),
            records::facet_3.eq(facet_3),
            records::facet_4.eq(facet_4),
            records::sort_1.eq(sort_1),
            records::sort_2.eq(sort_2),
            records::sort_3.eq(sort_3),
            records::words.eq(words),
        ),
    ));
    tx.queue_fixed(insert);
    Session::saved(tx, row.id);
    links::mirror(tx, &row, Vec::new(), &references_of(entry, &row), actor);
    deadlines::renew(tx, entry, &row, Vec::new(), due)?;
    let data = with_cause(json!({"after": row.told()}), cause);
    tx.event_by(doer, "created", entry.info.name, row.id, &data)?;
    let row = entry.made(row, tx).await?;
    let (id, reference) = (row.id, row.reference.clone());
    hearing::tell(tx, entry, id, &reference, What::Made).await?;
    newest(tx, entry, row).await
}

/// Changes a record by a merge patch (RFC 7396).
pub async fn update(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    id: Uuid,
    precondition: impl FnOnce(i32) -> Result<()>,
    patch: Map<String, Value>,
) -> Result<Stored> {
    let loaded = load_for(tx, entry, id, precondition).await?;
    may_author(tx, entry, &loaded.row)?;
    edit(tx, entry, loaded, None, |content| {
        merge_patch::apply(content, &Value::Object(patch));
        Ok(())
    })
    .await
    .map_err(|problem| problem.refused_on(entry.info.name, id, json!("change")))
}

/// Changes what people may change of a loaded record, and stores it.
pub(super) async fn edit(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    loaded: Loaded,
    cause: Option<Value>,
    edit: impl FnOnce(&mut Value) -> Result<()>,
) -> Result<Stored> {
    let Loaded {
        mut row,
        mirrors,
        standing,
    } = loaded;
    is_live(entry, &row)?;
    let old = row.clone();
    let mut before = row.content();
    entry.places.strip_read_only(&mut before);
    let mut content = before.clone();
    edit(&mut content)?;
    entry.check(&content)?;
    if content == before {
        return Ok(row.to_stored());
    }
    let changed = changed_fields(&before, &content);
    if cause.is_none() {
        stays_frozen(entry, &row, &changed)?;
    }
    let (written, mut body) = Written::split(content)?;
    entry.places.keep_read_only(&row.body, &mut body);
    row.title = written.title;
    row.owner_id = written.owner_id;
    row.next_review_on = written.next_review_on;
    row.audience = written.audience.audience;
    row.audience_roles = written.audience.audience_roles;
    row.audience_people = written.audience.audience_people;
    row.body = body;
    audience_is_somebody(&row)?;
    let doer = doer(tx, cause.as_ref());
    let is_content = |name: &String| {
        !spine::NO_CONTENT.contains(&name.as_str()) && !entry.stays_open.contains(&name.as_str())
    };
    if changed.iter().any(is_content) {
        add_author(&mut row, doer);
    }
    references::check_new(tx, &references_of(entry, &old), &references_of(entry, &row)).await?;
    parents::leave_open(tx, entry, &old, &changed).await?;
    let due = entry.settle(&mut row, Some(&old), tx).await?;
    one_for::check(tx, entry, &row).await?;
    let changes = differences(&old.told(), &row.told());
    let fields = names(&changes);
    if fields.is_empty() {
        return Ok(old.to_stored());
    }
    save(tx, entry, &mut row, mirrors, standing, due, doer)?;
    let data = waivers::named(tx, json!({"changes": changes}));
    let data = with_cause(data, cause);
    tx.event_by(doer, "changed", entry.info.name, row.id, &data)?;
    hearing::tell(tx, entry, row.id, &row.reference, What::Changed(fields)).await?;
    newest(tx, entry, row).await
}

/// The row as it is after what others made of the change.
pub(super) async fn newest(tx: &mut TenantTx<'_>, entry: &Entry, row: Row) -> Result<Stored> {
    if Session::is_saved_again(tx, row.id) {
        return fetch(tx, entry, row.id).await;
    }
    Ok(row.to_stored())
}

/// Queues the statements that store a changed row with its links and deadlines.
pub(super) fn save(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    row: &mut Row,
    mirrors: Vec<Mirror>,
    standing: Vec<Standing>,
    due: Vec<super::Deadline>,
    doer: Actor,
) -> Result<()> {
    let version = row.version;
    row.version += 1;
    row.updated_at = tx.now();
    row.updated_by = doer.person();
    let Shadow {
        facets: [facet_1, facet_2, facet_3, facet_4],
        sorts: [sort_1, sort_2, sort_3],
        words,
    } = Shadow::of(entry, row);
    let target = records::table
        .find((tx.scope(), row.id))
        .filter(records::version.eq(version));
    let statement = diesel::update(target).set((
        (
            records::title.eq(row.title.clone()),
            records::status.eq(row.status.clone()),
            records::version.eq(row.version),
            records::owner_id.eq(row.owner_id),
            records::next_review_on.eq(row.next_review_on),
            records::updated_at.eq(row.updated_at),
            records::updated_by.eq(row.updated_by),
            records::authors.eq(row.authors.clone()),
            records::in_force.eq(row.in_force),
            records::approved_by.eq(row.approved_by),
            records::approved_on.eq(row.approved_on),
            records::archived_at.eq(row.archived_at),
        ),
        (
            records::audience.eq(row.audience.clone()),
            records::audience_roles.eq(row.audience_roles.clone()),
            records::audience_people.eq(row.audience_people.clone()),
            records::body.eq(row.body.clone()),
            records::facet_1.eq(facet_1),
            records::facet_2.eq(facet_2),
            records::facet_3.eq(facet_3),
            records::facet_4.eq(facet_4),
            records::sort_1.eq(sort_1),
            records::sort_2.eq(sort_2),
            records::sort_3.eq(sort_3),
            records::words.eq(words),
        ),
    ));
    tx.queue_fixed_one(statement);
    Session::saved(tx, row.id);
    links::mirror(tx, row, mirrors, &references_of(entry, row), doer.person());
    deadlines::renew(tx, entry, row, standing, due)
}

/// Who is named in events and rows: the system, for what follows from something else.
pub(super) fn doer(tx: &TenantTx<'_>, cause: Option<&Value>) -> Actor {
    match cause {
        Some(_) => Actor::System,
        None => tx.actor(),
    }
}

pub(super) fn with_cause(mut data: Value, cause: Option<Value>) -> Value {
    if let (Some(cause), Value::Object(fields)) = (cause, &mut data) {
        fields.insert("cause".to_owned(), cause);
    }
    data
}

pub(super) fn add_author(row: &mut Row, doer: Actor) {
    if let Some(person) = doer.person()
        && !row.authors.contains(&person)
    {
        row.authors.push(person);
    }
}

fn is_system(tx: &TenantTx<'_>) -> bool {
    tx.actor() == Actor::System
}

/// Whether the caller may change this record: authors all of them, owners theirs.
pub(super) fn may_author(tx: &TenantTx<'_>, entry: &Entry, row: &Row) -> Result<()> {
    let actor = tx.actor();
    let owns = row.owner_id.is_some() && row.owner_id == actor.person();
    if owns && actor.roles().meets(entry.owners) {
        return Ok(());
    }
    if !actor.roles().meets(entry.authors) && actor.roles().meets(entry.owners) {
        return Err(Problem::forbidden(format!(
            "With your roles you change {} that you own.",
            entry.info.many
        )));
    }
    needs(
        tx,
        entry.authors.with(entry.owners),
        &format!("change {}", entry.info.many),
    )
}

/// Whether the actor holds one of `roles`; the system may do everything but approve.
pub(super) fn needs(tx: &TenantTx<'_>, roles: Roles, what: &str) -> Result<()> {
    if is_system(tx) || tx.actor().roles().meets(roles) {
        return Ok(());
    }
    Err(Problem::forbidden(match roles.names() {
        names if names.is_empty() => format!("Nobody can {what}; it happens by itself."),
        names => format!(
            "To {what}, one of these roles is needed: {}.",
            names.join(", ")
        ),
    }))
}

/// Whether the record can still change.
pub(super) fn is_live(entry: &Entry, row: &Row) -> Result<()> {
    match row.archived_at {
        None => Ok(()),
        Some(_) => Err(Problem::conflict(format!(
            "This {} is archived and cannot change.",
            entry.info.one
        ))),
    }
}

/// Whoever names an audience names somebody, or nobody could read it any more.
fn audience_is_somebody(row: &Row) -> Result<()> {
    let nobody = row.audience_roles.is_empty() && row.audience_people.is_empty();
    if row.audience == spine::NAMED && nobody && row.owner_id.is_none() {
        return Err(Problem::invalid(
            "/audience",
            "names nobody: give audience_roles, audience_people or an owner",
        ));
    }
    Ok(())
}

/// GEN-2: approved content is immutable, save for the fields that stay open.
pub(super) fn stays_frozen(entry: &Entry, row: &Row, changed: &[String]) -> Result<()> {
    if !entry.is_frozen(&row.status) {
        return Ok(());
    }
    let closed: Vec<_> = changed
        .iter()
        .filter(|name| {
            !entry.stays_open.contains(&name.as_str())
                && !spine::NO_CONTENT.contains(&name.as_str())
        })
        .map(|name| FieldError {
            pointer: format!("/{name}"),
            detail: "is frozen".to_owned(),
        })
        .collect();
    if closed.is_empty() {
        return Ok(());
    }
    let back = match entry.moves.iter().any(|known| {
        known.from == row.status && (known.flags.revises || !entry.is_frozen(known.to))
    }) {
        true => "Move it back first.",
        false => "Make a new one.",
    };
    let mut problem = GEN_2
        .refuses(
            "",
            format!(
                "This {} is {}: its content is frozen. {back}",
                entry.info.one, row.status
            ),
        )
        .with_status(ProblemType::Conflict.status());
    problem.errors = closed;
    Err(problem)
}

fn changed_fields(before: &Value, after: &Value) -> Vec<String> {
    names(&differences(before, after))
}

pub(super) fn names(fields: &Value) -> Vec<String> {
    match fields {
        Value::Object(fields) => fields.keys().cloned().collect(),
        _ => Vec::new(),
    }
}

/// Field by field, before and after.
pub(super) fn differences(before: &Value, after: &Value) -> Value {
    let empty = Map::new();
    let before = before.as_object().unwrap_or(&empty);
    let after = after.as_object().unwrap_or(&empty);
    let names = before
        .keys()
        .chain(after.keys().filter(|name| !before.contains_key(*name)));
    let null = Value::Null;
    names
        .filter_map(|name| {
            let pair = (
                before.get(name).unwrap_or(&null),
                after.get(name).unwrap_or(&null),
            );
            (pair.0 != pair.1).then(|| (name.clone(), json!([pair.0, pair.1])))
        })
        .collect::<Map<_, _>>()
        .into()
}
