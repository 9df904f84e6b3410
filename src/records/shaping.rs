//! How records are shown: `fields=` and `expand=`, or plainly, as they are stored.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::called::{Called, called};
use super::entry::Entry;
use super::row::Stored;
use super::spine;
use super::typed_refs::PERSON;
use crate::http::query::Params;
use crate::problem::{Problem, Result};
use crate::schema::{people, users};
use crate::tenancy::TenantTx;

/// How each record is shown.
#[derive(Debug, Default)]
pub struct Shaping {
    fields: Option<Vec<String>>,
    expand: Vec<String>,
}

impl Shaping {
    /// Reads `fields=` and `expand=`.
    pub(super) fn read(entry: Option<&Entry>, params: &mut Params) -> Result<Self> {
        let Some(entry) = entry else {
            return Ok(Self::default());
        };
        let fields = all_fields(entry);
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        let expandable = expandable(entry);
        let expandable: Vec<&str> = expandable.iter().map(|(name, _)| name.as_str()).collect();
        Ok(Self {
            fields: params.take_known("fields", &fields)?,
            expand: params
                .take_known("expand", &expandable)?
                .unwrap_or_default(),
        })
    }

    /// Whether records are shown as they are stored, which needs no further query.
    pub(super) fn is_plain(&self) -> bool {
        self.fields.is_none() && self.expand.is_empty()
    }
}

/// Every field of the flat record.
pub(super) fn all_fields(entry: &Entry) -> Vec<String> {
    let body = entry
        .body_schema
        .get("properties")
        .and_then(Value::as_object);
    let spine = spine::WRITABLE
        .iter()
        .chain(spine::READ_ONLY)
        .map(|name| (*name).to_owned());
    spine
        .chain(body.into_iter().flat_map(Map::keys).cloned())
        .collect()
}

/// What `expand=` can name: references at the top of the record, without `_id`.
pub(super) fn expandable(entry: &Entry) -> Vec<(String, String)> {
    let owner = ("owner".to_owned(), PERSON.to_owned());
    let of_body = entry
        .places
        .top_level()
        .filter_map(|(field, kind)| Some((field.strip_suffix("_id")?.to_owned(), kind.to_owned())));
    std::iter::once(owner).chain(of_body).collect()
}

/// Appends the records as JSON text, shaped as asked, with commas between them.
pub(super) async fn write_all(
    tx: &mut TenantTx<'_>,
    entry: Option<&Entry>,
    page: &[Stored],
    shaping: &Shaping,
    out: &mut Vec<u8>,
) -> Result<()> {
    let Some(entry) = entry.filter(|_| !shaping.is_plain()) else {
        for (index, stored) in page.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            stored.write_json(out)?;
        }
        return Ok(());
    };
    let mut items: Vec<Map<String, Value>> = page
        .iter()
        .map(|stored| serde_json::from_str(&stored.to_json()?).map_err(Problem::internal))
        .collect::<Result<_>>()?;
    for (name, kind) in expandable(entry) {
        if shaping.expand.contains(&name) {
            expand(tx, &mut items, &name, &kind).await?;
        }
    }
    if let Some(fields) = &shaping.fields {
        for item in &mut items {
            item.retain(|name, _| fields.contains(name) || shaping.expand.contains(name));
        }
    }
    let items: Vec<_> = items
        .into_iter()
        .map(|item| Value::Object(item).to_string())
        .collect();
    out.extend_from_slice(items.join(",").as_bytes());
    Ok(())
}

async fn expand(
    tx: &mut TenantTx<'_>,
    items: &mut [Map<String, Value>],
    name: &str,
    kind: &str,
) -> Result<()> {
    let field = format!("{name}_id");
    let id_in =
        |item: &Map<String, Value>| -> Option<Uuid> { item.get(&field)?.as_str()?.parse().ok() };
    let ids: Vec<Uuid> = items.iter().filter_map(id_in).collect();
    let tenant = tx.scope();
    let found: Vec<(Uuid, Value)> = if kind == PERSON {
        let query = people::table
            .inner_join(users::table.on(users::id.eq(people::user_id)))
            .filter(people::tenant_id.eq(tenant))
            .filter(people::user_id.eq_any(ids))
            .select((users::id, users::name));
        let rows: Vec<(Uuid, String)> = tx.run(async |db| query.load(&mut &*db).await).await?;
        rows.into_iter()
            .map(|(id, name)| (id, json!({"id": id, "name": name})))
            .collect()
    } else {
        let found = called(tx, &ids).await?;
        let shown = |(
            id,
            Called {
                reference,
                title,
                status,
            },
        )| {
            (
                id,
                json!({"id": id, "kind": kind, "ref": reference, "title": title, "status": status}),
            )
        };
        found.into_iter().map(shown).collect()
    };
    for item in items {
        let id = id_in(item);
        let value = found
            .iter()
            .find(|(known, _)| Some(*known) == id)
            .map(|(_, value)| value.clone());
        item.insert(name.to_owned(), value.unwrap_or(Value::Null));
    }
    Ok(())
}
