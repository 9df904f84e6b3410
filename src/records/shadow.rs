//! What lists filter, sort and search by: declared fields of a body as plain columns, and all of
//! its text as words. Under row-level security only leakproof operators on plain columns can use
//! an index.

use chrono::NaiveDate;
use serde_json::Value;

use super::entry::Entry;
use super::row::Row;

/// Columns for filters.
pub(super) const FACETS: usize = 4;
/// Columns for orders.
pub(super) const SORTS: usize = 3;

/// The columns that follow from a body.
pub(super) struct Shadow {
    pub(super) facets: [Option<String>; FACETS],
    pub(super) sorts: [Option<i64>; SORTS],
    pub(super) words: String,
}

impl Shadow {
    pub(super) fn of(entry: &Entry, row: &Row) -> Self {
        let field = |name: Option<&&str>| name.and_then(|name| row.body.get(*name));
        Self {
            facets: std::array::from_fn(|at| field(entry.filters.get(at)).and_then(facet)),
            sorts: std::array::from_fn(|at| {
                let order = entry.orders.get(at)?;
                rank(row.body.get(order.field)?, &order.values)
            }),
            words: words_of(row),
        }
    }
}

/// A value as filters name it.
fn facet(value: &Value) -> Option<String> {
    match value {
        Value::Null | Value::Array(_) | Value::Object(_) => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// A value as a number that sorts as people read it: the place in a closed set, days, the number.
fn rank(value: &Value, closed: &[String]) -> Option<i64> {
    match value {
        Value::Bool(yes) => Some(i64::from(*yes)),
        Value::Number(number) => number.as_i64(),
        Value::String(text) => closed
            .iter()
            .position(|known| known == text)
            .and_then(|place| i64::try_from(place).ok())
            .or_else(|| {
                let date: NaiveDate = text.parse().ok()?;
                Some(date.signed_duration_since(NaiveDate::default()).num_days())
            }),
        _ => None,
    }
}

fn words_of(row: &Row) -> String {
    let mut words = String::new();
    add(&mut words, &row.reference);
    add(&mut words, &row.title);
    gather(&mut words, &row.body);
    words
}

fn gather(words: &mut String, value: &Value) {
    match value {
        Value::String(text) if uuid::Uuid::try_parse(text).is_err() => add(words, text),
        Value::Array(items) => items.iter().for_each(|item| gather(words, item)),
        Value::Object(fields) => fields.values().for_each(|field| gather(words, field)),
        _ => {}
    }
}

/// Appends the words of a text, each after a blank.
fn add(words: &mut String, text: &str) {
    for word in split(text) {
        words.push(' ');
        words.push_str(&word);
    }
}

/// The words of a text, in small letters.
pub(super) fn split(text: &str) -> impl Iterator<Item = String> {
    text.split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
}
