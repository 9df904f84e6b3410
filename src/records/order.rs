//! Orders of lists, and where a page of them ended (keyset paging).

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

use super::entry::Entry;
use super::list::Boxed;
use super::row::Stored;
use super::shadow::Shadow;
use crate::http::query::{Params, fault};
use crate::problem::{Problem, Result};
use crate::schema::records;

/// Orders that every list can have; `-` before the name turns it round.
pub(super) const SORTS: &[&str] = &["created_at", "updated_at", "ref", "title", "next_review_on"];
/// The order when none is asked for: newest first.
const DEFAULT_SORT: &str = "-created_at";

/// Reads `sort=`.
pub(super) fn read(entry: Option<&Entry>, params: &mut Params) -> Result<String> {
    let sort = params
        .take("sort")
        .unwrap_or_else(|| DEFAULT_SORT.to_owned());
    let names = sorts_of(entry);
    match names.contains(&sort.strip_prefix('-').unwrap_or(&sort)) {
        true => Ok(sort),
        false => Err(fault(
            "sort",
            &format!(
                "is one of {}, with - before it to turn it round",
                names.join(", ")
            ),
        )),
    }
}

/// Orders that the lists of a kind can have.
pub(super) fn sorts_of(entry: Option<&Entry>) -> Vec<&'static str> {
    let own = entry.into_iter().flat_map(|entry| &entry.orders);
    SORTS
        .iter()
        .copied()
        .chain(own.map(|order| order.field))
        .collect()
}

/// Where a page ended.
pub(super) struct Position {
    key: Value,
    id: Uuid,
}

impl Position {
    pub(super) fn of(last: &Stored, sort: &str, entry: Option<&Entry>) -> Self {
        let key = match sort.trim_start_matches('-') {
            "created_at" => Value::Null,
            "updated_at" => json!(last.updated_at),
            "ref" => json!(last.reference),
            "title" => json!(last.title),
            "next_review_on" => json!(last.next_review_on),
            field => {
                let row = last.clone().into_row().ok();
                let shadow = entry.zip(row).map(|(entry, row)| Shadow::of(entry, &row));
                let column = entry.and_then(|entry| entry.order(field));
                json!(
                    shadow.zip(column).and_then(|(shadow, column)| shadow
                        .sorts
                        .get(column)
                        .copied()
                        .flatten())
                )
            }
        };
        Self { key, id: last.id }
    }

    pub(super) fn to_json(&self) -> Value {
        json!([self.key, self.id])
    }

    pub(super) fn parse(value: &Value) -> Result<Self> {
        let (key, id) = serde_json::from_value(value.clone())
            .map_err(|error| Problem::malformed(format!("The cursor is not valid: {error}")))?;
        Ok(Self { key, id })
    }
}

/// Adds order and keyset. `(column, id)` pairs are written out, with the range of the column
/// alone in front, so that an index on it is used. What has no value comes last.
pub(super) fn sorted<'a>(
    query: Boxed<'a>,
    sort: &str,
    entry: Option<&Entry>,
    after: Option<Position>,
) -> Boxed<'a> {
    let down = sort.starts_with('-');
    macro_rules! by {
        ($column:expr, $key:ty) => {{
            let key = after
                .as_ref()
                .and_then(|after| serde_json::from_value::<$key>(after.key.clone()).ok());
            let query = match (key, after.as_ref().map(|after| after.id)) {
                (Some(key), Some(id)) if down => query.filter($column.le(key.clone())).filter(
                    $column
                        .lt(key.clone())
                        .or($column.eq(key).and(records::id.lt(id))),
                ),
                (Some(key), Some(id)) => query.filter($column.ge(key.clone())).filter(
                    $column
                        .gt(key.clone())
                        .or($column.eq(key).and(records::id.gt(id))),
                ),
                _ => query,
            };
            if down {
                query.order(($column.desc(), records::id.desc()))
            } else {
                query.order(($column.asc(), records::id.asc()))
            }
        }};
    }
    macro_rules! by_known {
        ($column:expr, $key:ty) => {{
            let key = after
                .as_ref()
                .and_then(|after| serde_json::from_value::<$key>(after.key.clone()).ok());
            let query = match (key, after.as_ref().map(|after| after.id)) {
                (Some(key), Some(id)) if down => query.filter(
                    $column
                        .lt(key)
                        .or($column.eq(key).and(records::id.lt(id)))
                        .or($column.is_null()),
                ),
                (Some(key), Some(id)) => query.filter(
                    $column
                        .gt(key)
                        .or($column.eq(key).and(records::id.gt(id)))
                        .or($column.is_null()),
                ),
                (None, Some(id)) if down => {
                    query.filter($column.is_null()).filter(records::id.lt(id))
                }
                (None, Some(id)) => query.filter($column.is_null()).filter(records::id.gt(id)),
                _ => query,
            };
            if down {
                query.order(($column.desc().nulls_last(), records::id.desc()))
            } else {
                query.order(($column.asc().nulls_last(), records::id.asc()))
            }
        }};
    }
    let name = sort.trim_start_matches('-');
    match (name, entry.and_then(|entry| entry.order(name))) {
        ("updated_at", _) => by!(records::updated_at, DateTime<Utc>),
        ("ref", _) => by!(records::ref_, String),
        ("title", _) => by!(records::title, String),
        ("next_review_on", _) => by_known!(records::next_review_on, NaiveDate),
        (_, Some(0)) => by_known!(records::sort_1, i64),
        (_, Some(1)) => by_known!(records::sort_2, i64),
        (_, Some(_)) => by_known!(records::sort_3, i64),
        // Ids are made in the order of time.
        _ => {
            let query = match after {
                Some(after) if down => query.filter(records::id.lt(after.id)),
                Some(after) => query.filter(records::id.gt(after.id)),
                None => query,
            };
            if down {
                query.order(records::id.desc())
            } else {
                query.order(records::id.asc())
            }
        }
    }
}
