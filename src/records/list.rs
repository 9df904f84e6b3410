//! Lists: filters, sort, keyset cursors, `fields` and `expand`.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::{Value, json};
use uuid::Uuid;

use super::kind::PERSON;
use super::registry::{Entry, registry};
use super::row::Stored;
use super::shadow::{self, Shadow};
use super::shaping::{Shaping, write_all};
use super::visibility;
use crate::http::cursor::Cursors;
use crate::http::query::Params;
use crate::problem::{FieldError, Problem, Result};
use crate::schema::{links, records, versions};
use crate::tenancy::{Role, TenantTx};

/// Orders that every list can have; `-` before the name turns it round.
pub(super) const SORTS: &[&str] = &["created_at", "updated_at", "ref", "title", "next_review_on"];
/// The order when none is asked for: newest first.
const DEFAULT_SORT: &str = "-created_at";
/// Bytes around the items of a page.
const ENVELOPE_SIZE: usize = 256;
/// Longest search text, in characters.
const SEARCH_LIMIT: usize = 100;

/// What a list was asked for.
#[derive(Debug)]
pub struct Listing {
    kinds: Vec<&'static Entry>,
    limit: i64,
    sort: String,
    statuses: Option<Vec<String>>,
    facets: Vec<(usize, Vec<String>)>,
    references: Vec<Reference>,
    owner: Option<Owner>,
    in_force: Option<bool>,
    updated_since: Option<DateTime<Utc>>,
    search: Vec<String>,
    archived: Option<bool>,
    everywhere: bool,
    cursor: Option<String>,
    shaping: Shaping,
    /// All filters and the sort, for the cursor.
    context: String,
}

/// Whose records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// This person's.
    Person(Uuid),
    /// The caller's.
    Me,
    /// Nobody's.
    None,
}

impl std::str::FromStr for Owner {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "me" => Ok(Self::Me),
            "none" => Ok(Self::None),
            id => id.parse().map(Self::Person).map_err(drop),
        }
    }
}

/// What a record refers to in a field.
#[derive(Clone, Debug)]
struct Reference {
    pointer: String,
    id: Uuid,
    person: bool,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.info.name)
    }
}

fn bad(parameter: &str, detail: String) -> Problem {
    let mut problem = Problem::malformed(format!("{parameter}: {detail}"));
    problem.errors = vec![FieldError {
        pointer: parameter.to_owned(),
        detail,
    }];
    problem
}

fn csv(text: &str) -> Vec<String> {
    text.split(',').map(|part| part.trim().to_owned()).collect()
}

/// Values that must all be known ones.
pub(super) fn known(
    parameter: &str,
    text: Option<String>,
    allowed: &[&str],
) -> Result<Option<Vec<String>>> {
    let Some(text) = text else { return Ok(None) };
    let values = csv(&text);
    match values.iter().all(|value| allowed.contains(&value.as_str())) {
        true => Ok(Some(values)),
        false => Err(bad(
            parameter,
            format!("is one or more of {}", allowed.join(", ")),
        )),
    }
}

impl Listing {
    /// Reads the query of a list of one kind.
    pub fn of_kind(entry: &'static Entry, params: Params) -> Result<Self> {
        Self::read(vec![entry], Some(entry), params)
    }

    /// Reads the query of a search over kinds (`kind=`).
    pub fn of_all(mut params: Params) -> Result<Self> {
        let names: Vec<_> = registry()
            .entries()
            .iter()
            .map(|entry| entry.info.name)
            .collect();
        let wanted = known("kind", params.take("kind"), &names)?;
        let kinds = registry()
            .entries()
            .iter()
            .filter(|entry| {
                wanted
                    .as_ref()
                    .is_none_or(|wanted| wanted.iter().any(|name| name == entry.info.name))
            })
            .collect();
        Self::read(kinds, None, params)
    }

    fn read(
        kinds: Vec<&'static Entry>,
        entry: Option<&'static Entry>,
        mut params: Params,
    ) -> Result<Self> {
        let states: Vec<_> = kinds
            .iter()
            .flat_map(|kind| kind.states.iter().copied())
            .collect();
        let (facets, references) = match entry {
            Some(entry) => (facets(entry, &mut params)?, references(entry, &mut params)?),
            None => (Vec::new(), Vec::new()),
        };
        let mut listing = Self {
            limit: params.limit()?,
            sort: sort(entry, &mut params)?,
            statuses: known("status", params.take("status"), &states)?,
            facets,
            references,
            owner: params.take_as("owner_id", "an id, me or none")?,
            in_force: params.take_as("in_force", "true or false")?,
            updated_since: params
                .take_as("updated_since", "an instant such as 2027-01-11T08:00:00Z")?,
            search: search(&mut params)?,
            archived: params.take_as("archived", "true or false")?,
            everywhere: entry.is_none(),
            cursor: params.take("cursor"),
            shaping: Shaping::read(entry, &mut params)?,
            kinds,
            context: String::new(),
        };
        params.finish()?;
        listing.context = format!(
            "{:?}",
            (
                &listing.kinds,
                &listing.sort,
                &listing.statuses,
                (&listing.facets, &listing.references),
                (listing.owner, listing.in_force),
                (listing.updated_since, listing.archived),
                &listing.search,
            )
        );
        Ok(listing)
    }

    /// Runs the list and answers the JSON text of the page and the cursor of the next one.
    pub async fn run(
        &self,
        tx: &mut TenantTx<'_>,
        cursors: &Cursors,
    ) -> Result<(Vec<u8>, Option<String>)> {
        let context = format!("{} {}", tx.scope(), self.context);
        let after = match &self.cursor {
            Some(cursor) => Some(Position::parse(&cursors.open(&context, cursor)?)?),
            None => None,
        };
        let query = self.query(tx, after)?;
        let roles = tx.actor().roles();
        let reads_all = !roles.has(Role::ExternalAuditor)
            && self.kinds.iter().all(|entry| roles.meets(entry.readers));
        if reads_all && (self.everywhere || self.shaping.is_plain()) {
            tx.last();
        }
        let mut page: Vec<Stored> = tx.run(async |db| query.load(&mut &*db).await).await?;
        let limit = usize::try_from(self.limit).map_err(Problem::internal)?;
        let more = page.len() > limit;
        page.truncate(limit);
        let last = page.last().cloned();
        visibility::show(tx, &mut page).await?;
        let next = match last {
            Some(last) if more => {
                let position =
                    Position::of(&last, &self.sort, self.kinds.as_slice().first().copied());
                Some(cursors.seal(&context, &position.to_json()))
            }
            _ => None,
        };
        let size: usize = page.iter().map(Stored::json_size).sum();
        let mut body = Vec::with_capacity(size + ENVELOPE_SIZE);
        body.extend_from_slice(b"{\"items\":[");
        if self.everywhere {
            body.extend_from_slice(found_anywhere(&page).join(",").as_bytes());
        } else {
            let entry = self.kinds.iter().copied().next();
            write_all(tx, entry, &page, &self.shaping, &mut body).await?;
        }
        body.extend_from_slice(b"],\"next_cursor\":");
        body.extend_from_slice(json!(next).to_string().as_bytes());
        body.push(b'}');
        Ok((body, next))
    }

    fn query(&self, tx: &TenantTx<'_>, after: Option<Position>) -> Result<Boxed<'_>> {
        let tenant = tx.scope();
        let mut query: Boxed<'_> = records::table
            .filter(records::tenant_id.eq(tenant))
            .select(Stored::as_select())
            .limit(self.limit + 1)
            .into_boxed();
        query = match self.kinds.as_slice() {
            [one] => query.filter(records::kind.eq(one.info.name)),
            many => query.filter(
                records::kind.eq_any(many.iter().map(|kind| kind.info.name).collect::<Vec<_>>()),
            ),
        };
        if let Some(seen) = visibility::visible(tx, &self.kinds)? {
            query = query.filter(seen);
        }
        query = match (self.archived, self.updated_since) {
            (Some(true), _) => query.filter(records::archived_at.is_not_null()),
            // What has changed since includes what has been put away.
            (None, Some(_)) => query,
            _ => query.filter(records::archived_at.is_null()),
        };
        query = match self.statuses.as_deref() {
            None => query,
            // One value keeps the order of the index.
            Some([one]) => query.filter(records::status.eq(one)),
            Some(many) => query.filter(records::status.eq_any(many)),
        };
        for (column, values) in &self.facets {
            macro_rules! narrow {
                ($facet:expr) => {
                    match values.as_slice() {
                        [one] => query.filter($facet.eq(one)),
                        many => query.filter($facet.eq_any(many)),
                    }
                };
            }
            query = match column {
                0 => narrow!(records::facet_1),
                1 => narrow!(records::facet_2),
                2 => narrow!(records::facet_3),
                _ => narrow!(records::facet_4),
            };
        }
        for reference in &self.references {
            let from = links::table
                .filter(links::tenant_id.eq(tenant))
                .filter(links::field.eq(reference.pointer.clone()))
                .select(links::from_id)
                .into_boxed::<Pg>();
            let from = match reference.person {
                true => from.filter(links::person_id.eq(reference.id)),
                false => from.filter(links::to_id.eq(reference.id)),
            };
            let from = match self.kinds.as_slice() {
                [one] => from.filter(links::from_kind.eq(one.info.name)),
                _ => from,
            };
            query = query.filter(records::id.eq_any(from));
        }
        query = match self.owner {
            None => query,
            Some(Owner::None) => query.filter(records::owner_id.is_null()),
            Some(Owner::Me) => query.filter(records::owner_id.eq(tx.actor().person())),
            Some(Owner::Person(id)) => query.filter(records::owner_id.eq(id)),
        };
        query = match self.in_force {
            None => query,
            Some(true) => query.filter(records::in_force.is_not_null()),
            Some(false) => query.filter(records::in_force.is_null()),
        };
        if let Some(since) = self.updated_since {
            query = query.filter(records::updated_at.ge(since));
        }
        if !self.search.is_empty() {
            query = query.filter(self.has_words(tx));
        }
        Ok(sorted(
            query,
            &self.sort,
            self.kinds.as_slice().first().copied(),
            after,
        ))
    }

    /// All words, in any order, at the beginning of words: of a record's text for its readers,
    /// for others of the title that is in force.
    fn has_words(&self, tx: &TenantTx<'_>) -> visibility::Visible {
        let roles = tx.actor().roles();
        let is_reader =
            |entry: &&&'static Entry| tx.actor().person().is_none() || roles.meets(entry.readers);
        let readable: Vec<&&'static Entry> = self.kinds.iter().filter(is_reader).collect();
        let mut in_text: visibility::Visible = match readable.len() == self.kinds.len() {
            true => Box::new(records::tenant_id.eq(tx.scope()).nullable()),
            false => {
                let names: Vec<_> = readable.iter().map(|entry| entry.info.name).collect();
                Box::new(records::kind.eq_any(names).nullable())
            }
        };
        for word in &self.search {
            in_text = Box::new(in_text.and(records::words.like(format!("% {word}%"))));
        }
        if readable.len() == self.kinds.len() {
            return in_text;
        }
        let mut titled = versions::table
            .inner_join(
                records::table.on(records::tenant_id
                    .eq(versions::tenant_id)
                    .and(records::id.eq(versions::record_id))
                    .and(records::in_force.eq(versions::number.nullable()))),
            )
            .filter(versions::tenant_id.eq(tx.scope()))
            .select(versions::record_id)
            .into_boxed::<Pg>();
        for word in &self.search {
            titled = titled.filter(versions::title.ilike(format!("%{word}%")));
        }
        Box::new(in_text.or(records::id.eq_any(titled)))
    }
}

/// Values of the fields that a kind declares as filters.
fn facets(entry: &Entry, params: &mut Params) -> Result<Vec<(usize, Vec<String>)>> {
    let mut found = Vec::new();
    for (column, field) in entry.filters.iter().enumerate() {
        let Some(text) = params.take(field) else {
            continue;
        };
        let mut allowed = entry.values_of(field);
        if entry.is_boolean(field) {
            allowed = vec!["true".to_owned(), "false".to_owned()];
        }
        let allowed: Vec<&str> = allowed.iter().map(String::as_str).collect();
        let values = match allowed.is_empty() {
            true => csv(&text),
            false => known(field, Some(text), &allowed)?.unwrap_or_default(),
        };
        found.push((column, values));
    }
    Ok(found)
}

/// Ids of what a record shall refer to: each reference of the kind is a filter.
fn references(entry: &Entry, params: &mut Params) -> Result<Vec<Reference>> {
    let mut found = Vec::new();
    for (field, to) in entry.reference_filters() {
        let Some(id) = params.take_as(field, "an id")? else {
            continue;
        };
        found.push(Reference {
            pointer: format!("/{field}"),
            id,
            person: to == PERSON,
        });
    }
    Ok(found)
}

fn sort(entry: Option<&Entry>, params: &mut Params) -> Result<String> {
    let sort = params
        .take("sort")
        .unwrap_or_else(|| DEFAULT_SORT.to_owned());
    let names = sorts_of(entry);
    match names.contains(&sort.strip_prefix('-').unwrap_or(&sort)) {
        true => Ok(sort),
        false => Err(bad(
            "sort",
            format!(
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

/// The words of `q=`.
fn search(params: &mut Params) -> Result<Vec<String>> {
    let text = params.take("q").unwrap_or_default();
    if text.chars().count() > SEARCH_LIMIT {
        return Err(bad("q", format!("has at most {SEARCH_LIMIT} characters")));
    }
    Ok(shadow::split(&text).collect())
}

type Boxed<'a> = diesel::dsl::IntoBoxed<
    'a,
    diesel::dsl::Select<
        diesel::dsl::Filter<records::table, diesel::dsl::Eq<records::tenant_id, Uuid>>,
        diesel::dsl::AsSelect<Stored, Pg>,
    >,
    Pg,
>;

/// Where a page ended.
struct Position {
    key: Value,
    id: Uuid,
}

impl Position {
    fn of(last: &Stored, sort: &str, entry: Option<&Entry>) -> Self {
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

    fn to_json(&self) -> Value {
        json!([self.key, self.id])
    }

    fn parse(value: &Value) -> Result<Self> {
        let (key, id) = serde_json::from_value(value.clone())
            .map_err(|error| Problem::malformed(format!("The cursor is not valid: {error}")))?;
        Ok(Self { key, id })
    }
}

/// Adds order and keyset. `(column, id)` pairs are written out, with the range of the column
/// alone in front, so that an index on it is used. What has no value comes last.
fn sorted<'a>(
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

/// Records of several kinds: enough to show and to open them.
fn found_anywhere(page: &[Stored]) -> Vec<String> {
    page.iter()
        .map(|found| {
            json!({
                "id": found.id,
                "kind": found.kind,
                "ref": found.reference,
                "title": found.title,
                "status": found.status,
                "owner_id": found.owner_id,
                "updated_at": found.updated_at,
            })
            .to_string()
        })
        .collect()
}
