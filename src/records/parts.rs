//! Items of a list in a record that have an address of their own, such as
//! `management-reviews/{id}/inputs/{type}`. They are kept in the body; changing one changes the
//! record, with its version.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::entry::Entry;
use super::kind::Part;
use super::row::Stored;
use super::{rights, store};
use crate::problem::{Problem, Result};
use crate::tenancy::TenantTx;

/// The part of a kind at this address.
pub(super) fn part_of<'a>(entry: &'a Entry, field: &str) -> Option<&'a Part> {
    entry.parts.iter().find(|part| part.field == field)
}

fn items<'a>(body: &'a Value, part: &Part) -> &'a [Value] {
    body.get(part.field)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn is_named(item: &Value, part: &Part, key: &str) -> bool {
    item.get(part.key).and_then(Value::as_str) == Some(key)
}

/// All items, with the record's version.
pub(super) async fn list(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    id: Uuid,
    part: &Part,
) -> Result<(i32, Vec<Value>)> {
    let row = store::get(tx, entry, id).await?.into_row()?;
    Ok((row.version, items(&row.body, part).to_vec()))
}

/// One item, with the record's version.
pub(super) async fn get(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    id: Uuid,
    part: &Part,
    key: &str,
) -> Result<(i32, Value)> {
    let (version, items) = list(tx, entry, id, part).await?;
    let item = items.into_iter().find(|item| is_named(item, part, key));
    item.map(|item| (version, item))
        .ok_or_else(Problem::not_found)
}

/// Puts an item in its place: the one of this name, or a new one at the end. The item's own
/// person may write that item.
pub(super) async fn put(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    id: Uuid,
    part: &Part,
    key: &str,
    precondition: impl FnOnce(i32) -> Result<()>,
    mut item: Map<String, Value>,
) -> Result<Stored> {
    let loaded = store::load_for(tx, entry, id, precondition).await?;
    item.insert(part.key.to_owned(), Value::String(key.to_owned()));
    let known = items(&loaded.row.body, part)
        .iter()
        .find(|known| is_named(known, part, key));
    let own = part.person.is_some_and(|field| {
        let person = known.and_then(|known| known.get(field));
        person.is_some_and(|person| {
            *person == json!(tx.actor().person()) && item.get(field) == Some(person)
        })
    });
    if !own {
        rights::may_author(tx, entry, &loaded.row)?;
    }
    store::edit(tx, entry, loaded, |content| {
        let list = list_in(content, part)?;
        match list.iter_mut().find(|known| is_named(known, part, key)) {
            Some(known) => *known = Value::Object(item),
            None => list.push(Value::Object(item)),
        }
        Ok(())
    })
    .await
}

/// Takes an item out.
pub(super) async fn delete(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    id: Uuid,
    part: &Part,
    key: &str,
    precondition: impl FnOnce(i32) -> Result<()>,
) -> Result<Stored> {
    let loaded = store::load_for(tx, entry, id, precondition).await?;
    rights::may_author(tx, entry, &loaded.row)?;
    if !items(&loaded.row.body, part)
        .iter()
        .any(|item| is_named(item, part, key))
    {
        return Err(Problem::not_found());
    }
    store::edit(tx, entry, loaded, |content| {
        list_in(content, part)?.retain(|item| !is_named(item, part, key));
        Ok(())
    })
    .await
}

fn list_in<'a>(content: &'a mut Value, part: &Part) -> Result<&'a mut Vec<Value>> {
    content
        .get_mut(part.field)
        .and_then(Value::as_array_mut)
        .ok_or_else(|| Problem::internal(format!("{} is no list", part.field)))
}
