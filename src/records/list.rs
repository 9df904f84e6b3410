//! Lists: filters, sort, keyset cursors, `fields` and `expand`.

use chrono::{DateTime, Utc};
use diesel::pg::Pg;
use diesel_async::RunQueryDsl;
use serde_json::json;
use uuid::Uuid;

use super::entry::Entry;
use super::order::{self, Position};
use super::registry::registry;
use super::row::Stored;
use super::shadow;
use super::shaping::{Shaping, write_all};
use super::typed_refs::PERSON;
use super::visibility;
use crate::http::cursor::Cursors;
use crate::http::query::{Params, csv, fault};
use crate::problem::{Problem, Result};
use crate::schema::records;
use crate::tenancy::{Role, TenantTx};

/// Bytes around the items of a page.
const ENVELOPE_SIZE: usize = 256;
/// Longest search text, in characters.
const SEARCH_LIMIT: usize = 100;

/// What a list was asked for.
#[derive(Debug)]
pub struct Listing {
    pub(super) kinds: Vec<&'static Entry>,
    pub(super) limit: i64,
    pub(super) sort: String,
    pub(super) statuses: Option<Vec<String>>,
    pub(super) facets: Vec<(usize, Vec<String>)>,
    pub(super) references: Vec<Reference>,
    pub(super) owner: Option<Owner>,
    pub(super) in_force: Option<bool>,
    pub(super) updated_since: Option<DateTime<Utc>>,
    pub(super) search: Vec<String>,
    pub(super) archived: Option<bool>,
    everywhere: bool,
    cursor: Option<String>,
    shaping: Shaping,
    /// All filters and the sort, for the cursor.
    context: String,
}

/// Whose records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
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
pub(super) struct Reference {
    pub(super) pointer: String,
    pub(super) id: Uuid,
    pub(super) person: bool,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.info.name)
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
        let wanted = params.take_known("kind", &names)?;
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
            sort: order::read(entry, &mut params)?,
            statuses: params.take_known("status", &states)?,
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
}

/// Values of the fields that a kind declares as filters.
fn facets(entry: &Entry, params: &mut Params) -> Result<Vec<(usize, Vec<String>)>> {
    let mut found = Vec::new();
    for (column, field) in entry.filters.iter().enumerate() {
        let mut allowed = entry.values_of(field);
        if entry.is_boolean(field) {
            allowed = vec!["true".to_owned(), "false".to_owned()];
        }
        let allowed: Vec<&str> = allowed.iter().map(String::as_str).collect();
        let values = match allowed.is_empty() {
            true => params.take(field).map(|text| csv(&text)),
            false => params.take_known(field, &allowed)?,
        };
        let Some(values) = values else { continue };
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

/// The words of `q=`.
fn search(params: &mut Params) -> Result<Vec<String>> {
    let text = params.take("q").unwrap_or_default();
    if text.chars().count() > SEARCH_LIMIT {
        return Err(fault(
            "q",
            &format!("has at most {SEARCH_LIMIT} characters"),
        ));
    }
    Ok(shadow::split(&text).collect())
}

pub(super) type Boxed<'a> = diesel::dsl::IntoBoxed<
    'a,
    diesel::dsl::Select<
        diesel::dsl::Filter<records::table, diesel::dsl::Eq<records::tenant_id, Uuid>>,
        diesel::dsl::AsSelect<Stored, Pg>,
    >,
    Pg,
>;

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
