//! What a record hangs together with: references of its body, mirrored, and links made by hand
//! to other records and to units of a catalogue.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::entry::Entry;
use super::references::{AUDIENCE, OWNER};
use super::refs::{Found, Target};
use super::registry::registry;
use super::row::Row;
use super::settings::Settings;
use super::store::{self, Loaded};
use super::{parents, rights, saving, versions};
use crate::problem::{Problem, Result};
use crate::schema::{links, records};
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
    catalog: Option<String>,
    unit: Option<String>,
}

/// A link, as clients see it.
#[derive(Clone, Debug, Serialize, Queryable, Selectable, ToSchema)]
#[diesel(table_name = links, check_for_backend(diesel::pg::Pg))]
pub struct Link {
    /// Id of the link.
    pub id: Uuid,
    /// How the two hang together; `refers_to` for a field of the record.
    #[schema(example = "serves")]
    pub relation: String,
    /// The record's field that this link mirrors, as a JSON Pointer; null for a link made by hand.
    pub field: Option<String>,
    /// Record linked to.
    pub to_id: Option<Uuid>,
    /// Its kind.
    #[schema(value_type = Option<super::closed::RecordKind>)]
    pub to_kind: Option<String>,
    /// The version that the link meant when the record was approved (GEN-2).
    pub to_version: Option<i32>,
    /// Person referred to.
    pub person_id: Option<Uuid>,
    /// Catalogue linked to.
    pub catalog: Option<String>,
    /// Version of the catalogue.
    pub catalog_version: Option<i32>,
    /// Unit of the catalogue.
    pub unit: Option<String>,
    /// UTC.
    pub created_at: DateTime<Utc>,
    /// Who made it.
    pub created_by: Option<Uuid>,
}

/// How two things hang together.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[schema(as = LinkRelation)]
pub enum Relation {
    /// Serves a clause, control or duty.
    Serves,
    /// Makes a risk smaller.
    Mitigates,
    /// Brings something about.
    Causes,
    /// Proves it.
    Proves,
    /// Carries it out.
    Implements,
    /// Comes from it.
    DerivesFrom,
    /// Takes its place.
    Replaces,
    /// Depends on it.
    DependsOn,
    /// Speaks against it.
    ConflictsWith,
    /// Any other.
    RelatesTo,
}

/// A link to be made.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLink {
    /// How the two hang together.
    #[schema(example = "mitigates")]
    pub relation: Relation,
    /// What the record is linked to.
    pub to: LinkTarget,
}

/// The other end of a link: `{"kind", "id"}` or `{"catalog", "unit"}`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkTarget {
    /// Kind of the record.
    #[schema(value_type = Option<super::closed::RecordKind>, example = json!(null))]
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
        .select((
            links::id,
            links::field,
            links::to_id,
            links::person_id,
            links::catalog,
            links::unit,
        ))
        .load(&mut &*db)
        .await
}

impl Mirror {
    fn is_of(&self, found: &Found) -> bool {
        let same = match &found.target {
            Target::Person(id) => self.person_id == Some(*id),
            Target::Record { id, .. } => self.to_id == Some(*id),
            Target::Unit { catalog, unit } => {
                self.catalog.as_ref() == Some(catalog) && self.unit.as_ref() == Some(unit)
            }
        };
        same && self.field.as_deref() == Some(&found.pointer)
    }
}

/// Queues what makes the mirrored links equal to the references of the row.
pub(super) fn mirror(
    tx: &mut TenantTx<'_>,
    row: &Row,
    old: Vec<Mirror>,
    found: &[Found],
    actor: Option<Uuid>,
) {
    let tenant = tx.scope();
    // The owner and the audience have columns of their own.
    let wanted: Vec<_> = found
        .iter()
        .filter(|found| found.pointer != OWNER && !found.pointer.starts_with(AUDIENCE))
        .collect();
    let gone: Vec<Uuid> = old
        .iter()
        .filter(|mirror| !wanted.iter().any(|found| mirror.is_of(found)))
        .map(|mirror| mirror.id)
        .collect();
    if !gone.is_empty() {
        let delete = diesel::delete(
            links::table
                .filter(links::tenant_id.eq(tenant))
                .filter(links::id.eq_any(gone)),
        );
        tx.queue_fixed(delete);
    }
    for found in wanted {
        if old.iter().any(|mirror| mirror.is_of(found)) {
            continue;
        }
        let (mut to, mut person, mut place) = (None, None, None);
        match found.target.clone() {
            Target::Record { kind, id } => to = Some((kind, id)),
            Target::Person(id) => person = Some(id),
            Target::Unit { catalog, unit } => {
                let version = crate::catalog::catalog(&catalog).map(|catalog| catalog.version);
                place = Some((catalog, unit, version.and_then(|at| i32::try_from(at).ok())));
            }
        }
        let insert = diesel::insert_into(links::table).values((
            links::tenant_id.eq(tenant),
            links::id.eq(Uuid::now_v7()),
            links::from_id.eq(row.id),
            links::from_kind.eq(row.kind.clone()),
            links::relation.eq(REFERS_TO),
            links::field.eq(found.pointer.clone()),
            links::to_id.eq(to.as_ref().map(|(_, id)| *id)),
            links::to_kind.eq(to.map(|(kind, _)| kind)),
            links::person_id.eq(person),
            links::catalog.eq(place.as_ref().map(|(catalog, ..)| catalog.clone())),
            links::catalog_version.eq(place.as_ref().and_then(|(.., version)| *version)),
            links::unit.eq(place.map(|(_, unit, _)| unit)),
            links::created_at.eq(tx.now()),
            links::created_by.eq(actor),
        ));
        tx.queue_fixed(insert);
    }
}

/// Links of a record, oldest first, at most `limit` after the id `after`.
pub(super) async fn list(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    id: Uuid,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Link>> {
    store::get(tx, entry, id).await?;
    let query = links::table
        .filter(links::tenant_id.eq(tx.scope()))
        .filter(links::from_id.eq(id))
        .filter(links::id.gt(after.unwrap_or_default()))
        .order(links::id)
        .limit(limit)
        .select(Link::as_select());
    tx.run(async |db| query.load(&mut &*db).await).await
}

/// One link of a record.
pub(super) async fn get(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    from: Uuid,
    id: Uuid,
) -> Result<Link> {
    store::get(tx, entry, from).await?;
    one(tx, from, id).await
}

async fn one(tx: &mut TenantTx<'_>, from: Uuid, id: Uuid) -> Result<Link> {
    let query = links::table
        .find((tx.scope(), id))
        .filter(links::from_id.eq(from))
        .select(Link::as_select());
    tx.run(async |db| query.first(&mut &*db).await).await
}

/// Links a record by hand.
pub(super) async fn create(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    from: Uuid,
    new: NewLink,
) -> Result<Link> {
    let loaded = changeable(tx, entry, from).await?;
    let mut link = Link {
        id: Uuid::now_v7(),
        relation: <&str>::from(new.relation).to_owned(),
        field: None,
        to_id: None,
        to_kind: None,
        to_version: None,
        person_id: None,
        catalog: None,
        catalog_version: None,
        unit: None,
        created_at: tx.now(),
        created_by: tx.actor().person(),
    };
    match (new.to.kind, new.to.id, new.to.catalog, new.to.unit) {
        (Some(kind), Some(id), None, None) => {
            must_be_seen(tx, &kind, id).await?;
            link.to_kind = Some(kind);
            link.to_id = Some(id);
        }
        (None, None, Some(catalog), Some(unit)) => {
            let version = Settings::read(tx).await?.version_of(&catalog, &unit);
            let version = version.ok_or_else(|| {
                Problem::invalid("/to/unit", "There is no such unit in a catalogue.")
            })?;
            link.catalog_version = Some(i32::try_from(version).map_err(Problem::internal)?);
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
        links::from_kind.eq(entry.info.name),
        links::relation.eq(link.relation.clone()),
        links::to_id.eq(link.to_id),
        links::to_kind.eq(link.to_kind.clone()),
        links::catalog.eq(link.catalog.clone()),
        links::catalog_version.eq(link.catalog_version),
        links::unit.eq(link.unit.clone()),
        links::created_at.eq(link.created_at),
        links::created_by.eq(link.created_by),
    ));
    tx.queue_fixed(insert);
    relinked(tx, entry, loaded)?;
    tx.event("linked", entry.info.name, from, &json!({"link": link}))?;
    Ok(link)
}

/// A record whose links may be changed: links are approved with the content (GEN-2).
async fn changeable(tx: &mut TenantTx<'_>, entry: &Entry, from: Uuid) -> Result<Loaded> {
    let loaded = store::load_for(tx, entry, from, |_| Ok(())).await?;
    rights::may_author(tx, entry, &loaded.row)?;
    rights::is_live(entry, &loaded.row)?;
    rights::stays_frozen(entry, &loaded.row, &["links".to_owned()])?;
    parents::leave_open(tx, entry, &loaded.row, &["links".to_owned()]).await?;
    Ok(loaded)
}

/// Who changes the links has written on what will be approved.
fn relinked(tx: &mut TenantTx<'_>, entry: &Entry, loaded: Loaded) -> Result<()> {
    let Loaded {
        mut row,
        mirrors,
        standing,
    } = loaded;
    rights::add_author(&mut row, tx.actor());
    let due = entry.due(&row)?;
    saving::save(tx, entry, &mut row, mirrors, standing, due)
}

/// The same answer for what belongs to another tenant, is of another kind, is not seen, or never
/// was.
async fn must_be_seen(tx: &mut TenantTx<'_>, kind: &str, id: Uuid) -> Result<()> {
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
    let loaded = changeable(tx, entry, from).await?;
    let link = one(tx, from, id).await?;
    if link.field.is_some() {
        return Err(Problem::conflict(
            "This link mirrors a field; change the field instead.",
        ));
    }
    let delete = diesel::delete(links::table.find((tx.scope(), id)));
    tx.queue_fixed(delete);
    relinked(tx, entry, loaded)?;
    tx.event("unlinked", entry.info.name, from, &json!({"link": link}))
}

/// GEN-2: pins each link of records that are being approved to the version of its target that is
/// in force; answers the links of each, frozen.
pub(super) async fn pin(tx: &mut TenantTx<'_>, from: &[Uuid]) -> Result<HashMap<Uuid, Vec<Value>>> {
    tx.flush().await?;
    let tenant = tx.scope();
    let query = links::table
        .left_join(
            records::table.on(records::tenant_id
                .eq(links::tenant_id)
                .and(records::id.nullable().eq(links::to_id))),
        )
        .filter(links::tenant_id.eq(tenant))
        .filter(links::from_id.eq_any(from.to_vec()))
        .order(links::id)
        .select((
            links::from_id,
            Link::as_select(),
            records::in_force.nullable(),
        ));
    let found: Vec<(Uuid, Link, Option<i32>)> =
        tx.run(async |db| query.load(&mut &*db).await).await?;
    let mut frozen: HashMap<Uuid, Vec<Value>> = HashMap::new();
    for (from, mut link, holds) in found {
        if link.to_version.is_none() && holds.is_some() {
            link.to_version = holds;
            let pin = diesel::update(links::table.find((tenant, link.id)))
                .set(links::to_version.eq(holds));
            tx.queue_fixed(pin);
        }
        let of = frozen.entry(from).or_default();
        of.push(versions::frozen_link(&link)?);
    }
    Ok(frozen)
}

/// Records that are revised may mean other versions at their next approval; what the approved ones
/// meant stays frozen with them.
pub(super) fn unpin(tx: &mut TenantTx<'_>, from: Vec<Uuid>) {
    let pinned = links::table
        .filter(links::tenant_id.eq(tx.scope()))
        .filter(links::from_id.eq_any(from))
        .filter(links::to_version.is_not_null());
    tx.queue_fixed(diesel::update(pinned).set(links::to_version.eq(None::<i32>)));
}

/// Records of a kind whose field refers to a record.
#[diesel::dsl::auto_type]
pub(super) fn from_records<'a>(tenant: Uuid, kind: &'a str, to: Uuid, field: &'a str) -> _ {
    let ids = links::table
        .filter(links::tenant_id.eq(tenant))
        .filter(links::to_id.eq(to))
        .filter(links::from_kind.eq(kind))
        .filter(links::field.eq(field))
        .select(links::from_id);
    records::table
        .filter(records::tenant_id.eq(tenant))
        .filter(records::id.eq_any(ids))
}

/// Whether a link of this relation leads from one record to another.
pub(super) async fn is_linked(
    tx: &mut TenantTx<'_>,
    from: Uuid,
    to: Uuid,
    relation: &str,
) -> Result<bool> {
    tx.flush().await?;
    let link = links::table
        .filter(links::tenant_id.eq(tx.scope()))
        .filter(links::from_id.eq(from))
        .filter(links::to_id.eq(to))
        .filter(links::relation.eq(relation));
    tx.run(async |db| {
        diesel::select(diesel::dsl::exists(link))
            .get_result(&mut &*db)
            .await
    })
    .await
}
