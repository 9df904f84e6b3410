//! What a record hangs together with: references of its body, mirrored, and links made by hand
//! to other records and to units of a catalogue.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::kind::PERSON;
use super::refs::Found;
use super::registry::{Entry, registry};
use super::row::Row;
use super::store;
use crate::problem::{Problem, Result};
use crate::schema::{links, records, versions};
use crate::tenancy::TenantTx;

/// Relation of a link that mirrors a field of the body.
const REFERS_TO: &str = "refers_to";

/// A link that mirrors a reference of the body.
#[derive(Clone, Debug, Queryable)]
pub struct Mirror {
    id: Uuid,
    field: Option<String>,
    to_id: Option<Uuid>,
    person_id: Option<Uuid>,
}

/// A link, as clients see it.
#[derive(Clone, Debug, Serialize, Queryable, Selectable, ToSchema)]
#[diesel(table_name = links, check_for_backend(diesel::pg::Pg))]
pub struct Link {
    /// Id of the link.
    pub id: Uuid,
    /// How the two hang together; `refers_to` for a field of the record.
    pub relation: String,
    /// The record's field that this link mirrors, as a JSON Pointer; null for a link made by hand.
    pub field: Option<String>,
    /// Record linked to.
    pub to_id: Option<Uuid>,
    /// Its kind.
    pub to_kind: Option<String>,
    /// The approved version that the link pins (GEN-2).
    pub to_version: Option<i32>,
    /// Person referred to.
    pub person_id: Option<Uuid>,
    /// Catalogue linked to.
    pub catalog: Option<String>,
    /// Unit of the catalogue.
    pub unit: Option<String>,
    /// UTC.
    pub created_at: DateTime<Utc>,
    /// Who made it.
    pub created_by: Option<Uuid>,
}

/// A link to be made.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLink {
    /// How the two hang together.
    #[schema(
        min_length = 1,
        max_length = 60,
        pattern = "^[a-z][a-z_]*$",
        example = "mitigates"
    )]
    pub relation: String,
    /// What the record is linked to.
    pub to: Target,
}

/// The other end of a link: `{"kind", "id"}` or `{"catalog", "unit"}`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Kind of the record.
    #[schema(max_length = 60, example = json!(null))]
    pub kind: Option<String>,
    /// Id of the record.
    #[schema(example = json!(null))]
    pub id: Option<Uuid>,
    /// Catalogue, such as `iso42001`.
    #[schema(max_length = 60, example = "iso42001")]
    pub catalog: Option<String>,
    /// Unit of the catalogue, such as `6.1.2` or `A.5.2`.
    #[schema(max_length = 60, example = "6.1.2")]
    pub unit: Option<String>,
}

pub(super) async fn mirrors_of(
    db: &AsyncPgConnection,
    tenant: Uuid,
    record: Uuid,
) -> QueryResult<Vec<Mirror>> {
    links::table
        .filter(links::tenant_id.eq(tenant))
        .filter(links::from_id.eq(record))
        .filter(links::field.is_not_null())
        .select((links::id, links::field, links::to_id, links::person_id))
        .load(&mut &*db)
        .await
}

/// Queues what makes the mirrored links equal to the references of the row.
pub(super) fn mirror(tx: &mut TenantTx<'_>, row: &Row, old: Vec<Mirror>, found: &[Found]) {
    let tenant = tx.scope();
    let is_of = |mirror: &Mirror, found: &Found| {
        let target = if found.kind == PERSON {
            mirror.person_id
        } else {
            mirror.to_id
        };
        mirror.field.as_deref() == Some(&found.pointer) && target == Some(found.id)
    };
    // The owner has a column, and a foreign key, of its own.
    let wanted: Vec<_> = found
        .iter()
        .filter(|found| found.pointer != "/owner_id")
        .collect();
    let gone: Vec<Uuid> = old
        .iter()
        .filter(|mirror| !wanted.iter().any(|found| is_of(mirror, found)))
        .map(|mirror| mirror.id)
        .collect();
    let new: Vec<_> = wanted
        .into_iter()
        .filter(|found| !old.iter().any(|mirror| is_of(mirror, found)))
        .map(|found| {
            let is_person = found.kind == PERSON;
            (
                links::tenant_id.eq(tenant),
                links::id.eq(Uuid::now_v7()),
                links::from_id.eq(row.id),
                links::relation.eq(REFERS_TO),
                links::field.eq(found.pointer.clone()),
                links::to_id.eq((!is_person).then_some(found.id)),
                links::to_kind.eq((!is_person).then(|| found.kind.clone())),
                links::person_id.eq(is_person.then_some(found.id)),
                links::created_at.eq(tx.now()),
                links::created_by.eq(tx.actor().person()),
            )
        })
        .collect();
    if !gone.is_empty() {
        let delete = diesel::delete(
            links::table
                .filter(links::tenant_id.eq(tenant))
                .filter(links::id.eq_any(gone)),
        );
        tx.queue_fixed(delete);
    }
    for link in new {
        let insert = diesel::insert_into(links::table).values(link);
        tx.queue_fixed(insert);
    }
}

/// All links of a record.
pub(super) async fn list(tx: &mut TenantTx<'_>, entry: &Entry, id: Uuid) -> Result<Vec<Link>> {
    store::get(tx, entry, id).await?;
    let query = links::table
        .filter(links::tenant_id.eq(tx.scope()))
        .filter(links::from_id.eq(id))
        .order(links::id)
        .select(Link::as_select());
    tx.run(async |db| query.load(&mut &*db).await).await
}

/// Links a record by hand.
pub(super) async fn create(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    from: Uuid,
    new: NewLink,
) -> Result<Link> {
    store::may_author(tx, entry)?;
    let row = store::get(tx, entry, from).await?.into_row()?;
    store::is_live(entry, &row)?;
    let mut link = Link {
        id: Uuid::now_v7(),
        relation: new.relation,
        field: None,
        to_id: None,
        to_kind: None,
        to_version: None,
        person_id: None,
        catalog: None,
        unit: None,
        created_at: tx.now(),
        created_by: tx.actor().person(),
    };
    match (new.to.kind, new.to.id, new.to.catalog, new.to.unit) {
        (Some(kind), Some(id), None, None) => {
            must_exist(tx, &kind, id).await?;
            link.to_kind = Some(kind);
            link.to_id = Some(id);
        }
        (None, None, Some(catalog), Some(unit)) => {
            if !crate::catalog::has(&catalog, &unit) {
                return Err(Problem::invalid(
                    "/to/unit",
                    "There is no such unit in a catalogue.",
                ));
            }
            link.catalog = Some(catalog);
            link.unit = Some(unit);
        }
        _ => {
            return Err(Problem::invalid(
                "/to",
                "Give either kind and id, or catalog and unit.",
            ));
        }
    }
    let insert = diesel::insert_into(links::table).values((
        links::tenant_id.eq(tx.scope()),
        links::id.eq(link.id),
        links::from_id.eq(from),
        links::relation.eq(link.relation.clone()),
        links::to_id.eq(link.to_id),
        links::to_kind.eq(link.to_kind.clone()),
        links::catalog.eq(link.catalog.clone()),
        links::unit.eq(link.unit.clone()),
        links::created_at.eq(link.created_at),
        links::created_by.eq(link.created_by),
    ));
    tx.queue(|db| async move { insert.execute(&mut &*db).await });
    tx.event("linked", entry.info.name, from, &json!({"link": link}))?;
    Ok(link)
}

/// The same answer for what belongs to another tenant, is of another kind, or never was.
async fn must_exist(tx: &mut TenantTx<'_>, kind: &str, id: Uuid) -> Result<()> {
    let missing = || Problem::invalid("/to/id", "There is no record of this kind with this id.");
    let other = registry().by_name(kind).ok_or_else(missing)?;
    match store::get(tx, other, id).await {
        Err(problem) if problem.status == 404 => Err(missing()),
        outcome => outcome.map(drop),
    }
}

/// Takes away a link made by hand.
pub(super) async fn delete(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    from: Uuid,
    id: Uuid,
) -> Result<()> {
    store::may_author(tx, entry)?;
    store::get(tx, entry, from).await?;
    let query = links::table
        .find((tx.scope(), id))
        .filter(links::from_id.eq(from))
        .select(Link::as_select());
    let link = tx.run(async |db| query.first(&mut &*db).await).await?;
    if link.field.is_some() {
        return Err(Problem::conflict(
            "This link mirrors a field; change the field instead.",
        ));
    }
    let delete = diesel::delete(links::table.find((tx.scope(), id)));
    tx.queue(|db| async move { delete.execute(&mut &*db).await });
    tx.event("unlinked", entry.info.name, from, &json!({"link": link}))
}

/// GEN-2: pins each link of an approved record to the newest approved version of its target.
pub(super) async fn pin(tx: &mut TenantTx<'_>, from: Uuid) -> Result<()> {
    let tenant = tx.scope();
    let newest = links::table
        .inner_join(
            versions::table.on(versions::tenant_id
                .eq(links::tenant_id)
                .and(versions::record_id.nullable().eq(links::to_id))),
        )
        .filter(links::tenant_id.eq(tenant))
        .filter(links::from_id.eq(from))
        .group_by(links::id)
        .select((links::id, diesel::dsl::max(versions::number)));
    let pins: Vec<(Uuid, Option<i32>)> = tx.run(async |db| newest.load(&mut &*db).await).await?;
    for (id, version) in pins {
        let pin =
            diesel::update(links::table.find((tenant, id))).set(links::to_version.eq(version));
        tx.queue(|db| async move { pin.execute(&mut &*db).await });
    }
    Ok(())
}

/// Ids of live records of a kind that refer to a record, with their states.
pub async fn referring(tx: &mut TenantTx<'_>, kind: &str, to: Uuid) -> Result<Vec<Uuid>> {
    let query = links::table
        .inner_join(
            records::table.on(records::tenant_id
                .eq(links::tenant_id)
                .and(records::id.eq(links::from_id))),
        )
        .filter(links::tenant_id.eq(tx.scope()))
        .filter(links::to_id.eq(to))
        .filter(records::kind.eq(kind))
        .filter(records::archived_at.is_null())
        .select(links::from_id);
    tx.run(async |db| query.load(&mut &*db).await).await
}
