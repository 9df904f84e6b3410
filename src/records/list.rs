//! Lists: filters, sort, keyset cursors, `fields` and `expand`.

use chrono::{DateTime, Utc};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::{Value, json};
use uuid::Uuid;

use super::kind::Filter;
use super::registry::{Entry, registry};
use super::row::Stored;
use super::shaping::{Shaping, write_all};
use crate::http::cursor::Cursors;
use crate::http::query::Params;
use crate::problem::{FieldError, Problem, Result};
use crate::schema::records;
use crate::tenancy::TenantTx;

/// Orders a list can have; `-` before the name turns it round.
pub(super) const SORTS: &[&str] = &["created_at", "updated_at", "ref", "title"];
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
    levels: Option<Vec<String>>,
    owner_id: Option<Uuid>,
    ai_system_id: Option<Uuid>,
    risk_id: Option<Uuid>,
    above_tolerance: Option<bool>,
    updated_since: Option<DateTime<Utc>>,
    search: Option<String>,
    archived: bool,
    everywhere: bool,
    cursor: Option<String>,
    shaping: Shaping,
    /// All filters and the sort, for the cursor.
    context: String,
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
        let offers = |filter: Filter| entry.is_some_and(|entry| entry.filters.contains(&filter));
        let states: Vec<_> = kinds
            .iter()
            .flat_map(|kind| kind.states.iter().copied())
            .collect();
        let sort = params
            .take("sort")
            .unwrap_or_else(|| DEFAULT_SORT.to_owned());
        if !SORTS.contains(&sort.strip_prefix('-').unwrap_or(&sort)) {
            return Err(bad(
                "sort",
                format!(
                    "is one of {}, with - before it to turn it round",
                    SORTS.join(", ")
                ),
            ));
        }
        let search = params
            .take("q")
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty());
        if search
            .as_ref()
            .is_some_and(|text| text.chars().count() > SEARCH_LIMIT)
        {
            return Err(bad("q", format!("has at most {SEARCH_LIMIT} characters")));
        }
        let uuid = "an id";
        let filtered = |filter: Filter, params: &mut Params| -> Result<Option<Uuid>> {
            if offers(filter) {
                params.take_as(filter.parameter(), uuid)
            } else {
                Ok(None)
            }
        };
        let ai_system_id = filtered(Filter::AiSystem, &mut params)?;
        let risk_id = filtered(Filter::Risk, &mut params)?;
        let levels = if offers(Filter::Level) {
            params.take("level")
        } else {
            None
        };
        let above_tolerance = if offers(Filter::AboveTolerance) {
            params.take_as("above_tolerance", "true or false")?
        } else {
            None
        };
        let mut listing = Self {
            limit: params.limit()?,
            statuses: known("status", params.take("status"), &states)?,
            levels: known("level", levels, &["low", "medium", "high", "critical"])?,
            owner_id: params.take_as("owner_id", uuid)?,
            updated_since: params
                .take_as("updated_since", "an instant such as 2027-01-11T08:00:00Z")?,
            archived: params
                .take_as("archived", "true or false")?
                .unwrap_or(false),
            everywhere: entry.is_none(),
            cursor: params.take("cursor"),
            shaping: Shaping::read(entry, &mut params)?,
            kinds,
            sort,
            ai_system_id,
            risk_id,
            above_tolerance,
            search,
            context: String::new(),
        };
        params.finish()?;
        listing.context = format!(
            "{:?}",
            (
                &listing.kinds,
                &listing.sort,
                &listing.statuses,
                &listing.levels,
                (listing.owner_id, listing.ai_system_id, listing.risk_id),
                (
                    listing.above_tolerance,
                    listing.updated_since,
                    listing.archived
                ),
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
        let query = self.query(tx.scope(), after)?;
        if self.everywhere || self.shaping.is_plain() {
            tx.last();
        }
        let mut page: Vec<Stored> = tx.run(async |db| query.load(&mut &*db).await).await?;
        let limit = usize::try_from(self.limit).map_err(Problem::internal)?;
        let more = page.len() > limit;
        page.truncate(limit);
        let next = match page.last() {
            Some(last) if more => {
                Some(cursors.seal(&context, &Position::of(last, &self.sort).to_json()))
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

    fn query(&self, tenant: Uuid, after: Option<Position>) -> Result<Boxed<'_>> {
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
        query = if self.archived {
            query.filter(records::archived_at.is_not_null())
        } else {
            query.filter(records::archived_at.is_null())
        };
        query = match self.statuses.as_deref() {
            None => query,
            // One value keeps the order of the index.
            Some([one]) => query.filter(records::status.eq(one)),
            Some(many) => query.filter(records::status.eq_any(many)),
        };
        query = match self.levels.as_deref() {
            None => query,
            Some([one]) => query.filter(records::level.eq(one)),
            Some(many) => query.filter(records::level.eq_any(many)),
        };
        if let Some(owner) = self.owner_id {
            query = query.filter(records::owner_id.eq(owner));
        }
        if let Some(system) = self.ai_system_id {
            query = query.filter(records::ai_system_id.eq(system));
        }
        if let Some(risk) = self.risk_id {
            query = query.filter(records::risk_id.eq(risk));
        }
        if let Some(above) = self.above_tolerance {
            query = query.filter(records::above_tolerance.eq(above));
        }
        if let Some(since) = self.updated_since {
            query = query.filter(records::updated_at.ge(since));
        }
        if let Some(text) = &self.search {
            let pattern = format!(
                "%{}%",
                text.replace('\\', "\\\\")
                    .replace('%', "\\%")
                    .replace('_', "\\_")
            );
            query = query.filter(
                records::title
                    .ilike(pattern.clone())
                    .or(records::ref_.ilike(pattern)),
            );
        }
        Ok(sorted(query, &self.sort, after))
    }
}

type Boxed<'a> = diesel::dsl::IntoBoxed<
    'a,
    diesel::dsl::Select<records::table, diesel::dsl::AsSelect<Stored, Pg>>,
    Pg,
>;

/// Where a page ended.
struct Position {
    key: Value,
    id: Uuid,
}

impl Position {
    fn of(last: &Stored, sort: &str) -> Self {
        let key = match sort.trim_start_matches('-') {
            "updated_at" => json!(last.updated_at),
            "ref" => json!(last.reference),
            "title" => json!(last.title),
            _ => Value::Null,
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
/// alone in front, so that an index on it is used.
fn sorted<'a>(query: Boxed<'a>, sort: &str, after: Option<Position>) -> Boxed<'a> {
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
    match sort.trim_start_matches('-') {
        "updated_at" => by!(records::updated_at, DateTime<Utc>),
        "ref" => by!(records::ref_, String),
        "title" => by!(records::title, String),
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
