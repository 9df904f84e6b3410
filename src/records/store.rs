//! Making and changing records. Each is a part of one transaction: the row, its links, its
//! deadlines and its event, and what others make of it.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use futures_util::try_join;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::deadlines::{self, Standing};
use super::entry::Entry;
use super::hearing::{self, What};
use super::links::{self, Mirror};
use super::references::{self, references_of};
use super::row::{Row, Spine, Stored};
use super::session::Session;
use super::spine::{self, Audience};
use super::{one_for, parents, rights, saving, visibility, waivers};
use crate::http::merge_patch;
use crate::problem::{Problem, Result};
use crate::schema::records;
use crate::tenancy::{Actor, TenantTx};

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
    if tx.actor() != Actor::System && !roles.meets(entry.authors) {
        rights::needs(tx, entry.owners, &format!("make {}", entry.info.many))?;
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

/// Makes a record; what it follows from, if from something else, is told.
pub(super) async fn insert(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    input: Value,
    cause: Option<Value>,
) -> Result<Stored> {
    let (written, body) = Written::split(input)?;
    let now = tx.now();
    let actor = tx.actor().person();
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
    rights::audience_is_somebody(&row)?;
    let found = references_of(entry, &row);
    let number = references::check(tx, &found, Some(entry.info.name)).await?;
    row.reference = format!("{}-{number:03}", entry.info.prefix);
    let due = entry.settle(&mut row, None, tx).await?;
    one_for::check(tx, entry, &row).await?;
    saving::insert(tx, entry, &row, number, due)?;
    let data = with_cause(json!({"after": row.told()}), cause);
    tx.event("created", entry.info.name, row.id, &data)?;
    entry.made(&row, tx).await?;
    hearing::tell(tx, entry, &row, What::Made).await?;
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
    rights::may_author(tx, entry, &loaded.row)?;
    edit(tx, entry, loaded, |content| {
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
    edit: impl FnOnce(&mut Value) -> Result<()>,
) -> Result<Stored> {
    let old = loaded.row.clone();
    rights::is_live(entry, &old)?;
    let mut before = old.content();
    entry.places.strip_read_only(&mut before);
    let mut content = before.clone();
    edit(&mut content)?;
    entry.check(&content)?;
    if content == before {
        return Ok(old.to_stored());
    }
    let changed = changed_fields(&before, &content);
    rights::stays_frozen(entry, &old, &changed)?;
    let (written, mut body) = Written::split(content)?;
    entry.places.keep_read_only(&old.body, &mut body);
    let mut loaded = loaded;
    let row = &mut loaded.row;
    row.title = written.title;
    row.owner_id = written.owner_id;
    row.next_review_on = written.next_review_on;
    row.audience = written.audience.audience;
    row.audience_roles = written.audience.audience_roles;
    row.audience_people = written.audience.audience_people;
    row.body = body;
    rights::audience_is_somebody(row)?;
    if changed.iter().any(|name| entry.is_content(name)) {
        rights::add_author(row, tx.actor());
    }
    let (known, named) = (references_of(entry, &old), references_of(entry, row));
    references::check_new(tx, row.id, &known, &named).await?;
    parents::leave_open(tx, entry, &old, &changed).await?;
    one_for::check(tx, entry, row).await?;
    change(tx, entry, loaded, &old, None).await
}

/// Settles a changed row, stores it, and tells what differs from the old one.
pub(super) async fn change(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    loaded: Loaded,
    old: &Row,
    cause: Option<Value>,
) -> Result<Stored> {
    let Loaded {
        mut row,
        mirrors,
        standing,
    } = loaded;
    let due = entry.settle(&mut row, Some(old), tx).await?;
    let changes = differences(&old.told(), &row.told());
    let fields = names(&changes);
    if fields.is_empty() {
        return Ok(old.to_stored());
    }
    saving::save(tx, entry, &mut row, mirrors, standing, due)?;
    let data = waivers::named(tx, json!({"changes": changes}));
    let data = with_cause(data, cause);
    tx.event("changed", entry.info.name, row.id, &data)?;
    hearing::tell(tx, entry, &row, What::Changed(fields)).await?;
    newest(tx, entry, row).await
}

/// The row as it is after what others made of the change.
pub(super) async fn newest(tx: &mut TenantTx<'_>, entry: &Entry, row: Row) -> Result<Stored> {
    if Session::is_saved_again(tx, row.id) {
        return fetch(tx, entry, row.id).await;
    }
    Ok(row.to_stored())
}

pub(super) fn with_cause(mut data: Value, cause: Option<Value>) -> Value {
    if let (Some(cause), Value::Object(fields)) = (cause, &mut data) {
        fields.insert("cause".to_owned(), cause);
    }
    data
}

pub(super) fn changed_fields(before: &Value, after: &Value) -> Vec<String> {
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
