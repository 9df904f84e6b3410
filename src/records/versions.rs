//! Approved versions: frozen with what the record was linked to and what was approved with it,
//! under one hash; one of them in force.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::behaviour::typed;
use super::closed::{RecordKind, RecordState};
use super::entry::Entry;
use super::kind::Kind;
use super::links::{self, Link};
use super::one_for;
use super::registry::{entry_of, registry};
use super::row::{RawJson, Row, Stored};
use super::session::Session;
use super::store::Loaded;
use super::{Record, store};
use crate::problem::{Problem, Result};
use crate::schema::{records, versions};
use crate::tenancy::TenantTx;

/// Where an approved version stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum VersionState {
    /// It is approved and not in force yet.
    Approved,
    /// It holds now.
    InForce,
    /// A later one has taken its place.
    Superseded,
    /// It was ended, and none has taken its place.
    Withdrawn,
}

/// An approved version of a record.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = RecordVersionSummary)]
pub struct VersionSummary {
    /// Counted for each record, from 1.
    pub number: i32,
    /// Where it stands.
    pub state: VersionState,
    /// Title as approved.
    pub title: String,
    /// SHA-256 over the canonical JSON of title, content, links and children.
    pub sha256: String,
    /// Who approved it.
    pub approved_by: Uuid,
    /// UTC.
    pub approved_at: DateTime<Utc>,
}

/// An approved version with its content, which never changes (GEN-2).
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = RecordVersion)]
pub struct Version {
    /// What the list shows.
    #[serde(flatten)]
    pub summary: VersionSummary,
    /// The frozen fields of the kind.
    #[schema(value_type = HashMap<String, Value>)]
    pub content: Value,
    /// What it was linked to, each with the version that was meant.
    #[schema(value_type = Vec<FrozenLink>)]
    pub links: Value,
    /// Records approved with it, such as the entries of a Statement of Applicability.
    #[schema(value_type = Vec<FrozenChild>)]
    pub children: Value,
}

/// What a record was linked to when it was approved.
#[derive(Serialize, ToSchema)]
struct FrozenLink {
    /// How the two hang together; `refers_to` for a field of the record.
    relation: String,
    /// The record's field that the link mirrored; null for one made by hand.
    field: Option<String>,
    /// Record linked to.
    to_id: Option<Uuid>,
    /// Its kind.
    #[schema(value_type = Option<RecordKind>)]
    to_kind: Option<String>,
    /// The version that was meant.
    to_version: Option<i32>,
    /// Person referred to.
    person_id: Option<Uuid>,
    /// Catalogue linked to.
    catalog: Option<String>,
    /// Version of the catalogue.
    catalog_version: Option<i32>,
    /// Unit of the catalogue.
    unit: Option<String>,
}

/// A record that was approved with another one.
#[derive(Serialize, ToSchema)]
struct FrozenChild {
    /// Its kind.
    #[schema(value_type = RecordKind)]
    kind: String,
    /// Its id.
    id: Uuid,
    /// Its human reference.
    r#ref: String,
    /// Its title.
    title: String,
    /// Its state.
    #[schema(value_type = RecordState)]
    status: String,
    /// The person responsible.
    owner_id: Option<Uuid>,
    /// Its fields.
    #[schema(value_type = HashMap<String, Value>)]
    content: Value,
    /// What it was linked to, each with the version that was meant.
    #[schema(value_type = Vec<FrozenLink>)]
    links: Vec<Value>,
}

/// The columns of a summary.
type SummaryRow = (i32, String, Vec<u8>, Uuid, DateTime<Utc>);

fn summary_of(
    (number, title, hash, approved_by, approved_at): SummaryRow,
    record: &Stored,
    entry: &Entry,
) -> VersionSummary {
    let state = match record.in_force {
        Some(holds) if number == holds => VersionState::InForce,
        Some(holds) if number < holds => VersionState::Superseded,
        None if entry.has_ended_force(&record.status) => VersionState::Withdrawn,
        _ => VersionState::Approved,
    };
    VersionSummary {
        number,
        state,
        title,
        sha256: hash.iter().map(|byte| format!("{byte:02x}")).collect(),
        approved_by,
        approved_at,
    }
}

/// Approved versions of a record, newest first, at most `limit` before the number `before`.
pub(super) async fn list(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    id: Uuid,
    before: Option<i32>,
    limit: i64,
) -> Result<Vec<VersionSummary>> {
    let record = store::get(tx, entry, id).await?;
    let query = versions::table
        .filter(versions::tenant_id.eq(tx.scope()))
        .filter(versions::record_id.eq(id))
        .filter(versions::number.lt(before.unwrap_or(i32::MAX)))
        .order(versions::number.desc())
        .limit(limit)
        .select((
            versions::number,
            versions::title,
            versions::hash,
            versions::approved_by,
            versions::approved_at,
        ));
    let rows: Vec<SummaryRow> = tx.run(async |db| query.load(&mut &*db).await).await?;
    let newest = rows.as_slice().first().map(|row| row.0);
    let list = rows.into_iter().map(|row| {
        let is_newest = before.is_none() && Some(row.0) == newest;
        let mut summary = summary_of(row, &record, entry);
        if summary.state == VersionState::Withdrawn && !is_newest {
            summary.state = VersionState::Superseded;
        }
        summary
    });
    Ok(list.collect())
}

/// One approved version with its content.
pub(super) async fn get(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    id: Uuid,
    number: i32,
) -> Result<Version> {
    let record = store::get(tx, entry, id).await?;
    let query = versions::table.find((tx.scope(), id, number)).select((
        (
            versions::number,
            versions::title,
            versions::hash,
            versions::approved_by,
            versions::approved_at,
        ),
        versions::body,
        versions::links,
        versions::children,
    ));
    let (row, body, links, children): (SummaryRow, RawJson, RawJson, RawJson) =
        tx.run(async |db| query.first(&mut &*db).await).await?;
    let mut summary = summary_of(row, &record, entry);
    if summary.state == VersionState::Withdrawn && newest(tx, id).await? != Some(number) {
        summary.state = VersionState::Superseded;
    }
    let parsed = |json: &RawJson| serde_json::from_str(&json.0).map_err(Problem::internal);
    Ok(Version {
        summary,
        content: parsed(&body)?,
        links: parsed(&links)?,
        children: parsed(&children)?,
    })
}

/// Number of the newest version.
pub(super) async fn newest(tx: &mut TenantTx<'_>, id: Uuid) -> Result<Option<i32>> {
    let last = versions::table
        .filter(versions::tenant_id.eq(tx.scope()))
        .filter(versions::record_id.eq(id))
        .select(diesel::dsl::max(versions::number));
    tx.run(async |db| last.first(&mut &*db).await).await
}

/// Freezes what is approved as the next numbered version, pins its links, and answers the number.
pub(super) async fn freeze(tx: &mut TenantTx<'_>, entry: &Entry, row: &Row) -> Result<i32> {
    let Some(approver) = tx.actor().person() else {
        return Err(Problem::internal("the system never approves"));
    };
    let number = newest(tx, row.id).await?.unwrap_or(0) + 1;
    let children = children_of(tx, entry, row.id).await?;
    let with_it: Vec<Uuid> = children.iter().map(|child| child.id).collect();
    let all = [&[row.id], with_it.as_slice()].concat();
    let mut pinned = links::pin(tx, &all).await?;
    let links = Value::Array(pinned.remove(&row.id).unwrap_or_default());
    let children = frozen_children(&children, &mut pinned)?;
    if !with_it.is_empty() {
        // What they wrote is approved: it keeps nobody from approving what comes later.
        let approved = records::table
            .filter(records::tenant_id.eq(tx.scope()))
            .filter(records::id.eq_any(with_it));
        let nobody = records::authors.eq(Vec::<Uuid>::new());
        tx.queue_fixed(diesel::update(approved).set(nobody));
    }
    let hash = content_hash(&row.title, &row.body, &links, &children);
    let insert = diesel::insert_into(versions::table).values((
        versions::tenant_id.eq(tx.scope()),
        versions::record_id.eq(row.id),
        versions::number.eq(number),
        versions::title.eq(row.title.clone()),
        versions::body.eq(row.body.clone()),
        versions::links.eq(links),
        versions::children.eq(children),
        versions::hash.eq(hash),
        versions::record_version.eq(row.version + 1),
        versions::approved_by.eq(approver),
        versions::approved_at.eq(tx.now()),
    ));
    tx.queue_fixed(insert);
    Ok(number)
}

/// What a frozen link tells.
pub(super) fn frozen_link(link: &Link) -> Result<Value> {
    let frozen = FrozenLink {
        relation: link.relation.clone(),
        field: link.field.clone(),
        to_id: link.to_id,
        to_kind: link.to_kind.clone(),
        to_version: link.to_version,
        person_id: link.person_id,
        catalog: link.catalog.clone(),
        catalog_version: link.catalog_version,
        unit: link.unit.clone(),
    };
    serde_json::to_value(frozen).map_err(Problem::internal)
}

/// Records that are approved together with another, as they are now, with their links.
fn frozen_children(children: &[Stored], pinned: &mut HashMap<Uuid, Vec<Value>>) -> Result<Value> {
    let frozen = children.iter().map(|child| {
        let frozen = FrozenChild {
            kind: child.kind.clone(),
            id: child.id,
            r#ref: child.reference.clone(),
            title: child.title.clone(),
            status: child.status.clone(),
            owner_id: child.owner_id,
            content: serde_json::from_str(&child.body.0).map_err(Problem::internal)?,
            links: pinned.remove(&child.id).unwrap_or_default(),
        };
        serde_json::to_value(frozen).map_err(Problem::internal)
    });
    frozen.collect()
}

/// A record is revised: it and what is approved together with it may mean other versions.
pub(super) async fn thaw(tx: &mut TenantTx<'_>, entry: &Entry, id: Uuid) -> Result<()> {
    let children = children_of(tx, entry, id).await?;
    let all = children.iter().map(|child| child.id).chain([id]);
    links::unpin(tx, all.collect());
    Ok(())
}

/// Records that are approved together with this one, to be put away or brought back with it:
/// live ones, or those that were put away at an instant.
pub(super) async fn children_with(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    id: Uuid,
    archived: Option<DateTime<Utc>>,
) -> Result<Vec<(&'static Entry, Loaded)>> {
    let mut all = Vec::new();
    for child in children_at(tx, entry, id, archived).await? {
        if let Some(of) = registry().by_name(&child.kind) {
            all.push((of, store::load(tx, of, child.id).await?));
        }
    }
    Ok(all)
}

/// Live records that are approved together with this one, in the order of their references.
pub(super) async fn children_of(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    id: Uuid,
) -> Result<Vec<Stored>> {
    children_at(tx, entry, id, None).await
}

async fn children_at(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    id: Uuid,
    archived: Option<DateTime<Utc>>,
) -> Result<Vec<Stored>> {
    let mut all = Vec::new();
    if !entry.children.is_empty() {
        Session::settle(tx).await?;
    }
    for (kind, field) in entry.children {
        let query = links::from_records(tx.scope(), kind, id, field)
            .filter(records::archived_at.is_not_distinct_from(archived))
            .order(records::ref_no)
            .select(Stored::as_select());
        let found: Vec<Stored> = tx.run(async |db| query.load(&mut &*db).await).await?;
        all.extend(found);
    }
    Ok(all)
}

/// SHA-256 over the canonical JSON of all that a version freezes.
pub fn content_hash(title: &str, body: &Value, links: &Value, children: &Value) -> Vec<u8> {
    let canonical =
        json!({"body": body, "children": children, "links": links, "title": title}).to_string();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, canonical.as_bytes());
    digest.as_ref().to_vec()
}

/// The version in force of a record, as a typed record; none when none is.
pub async fn in_force<K: Kind>(tx: &mut TenantTx<'_>, id: Uuid) -> Result<Option<Record<K>>> {
    let entry = entry_of::<K>()?;
    Session::settle(tx).await?;
    let query = records::table
        .inner_join(
            versions::table.on(versions::tenant_id
                .eq(records::tenant_id)
                .and(versions::record_id.eq(records::id))
                .and(versions::number.nullable().eq(records::in_force))),
        )
        .filter(records::tenant_id.eq(tx.scope()))
        .filter(records::id.eq(id))
        .filter(records::kind.eq(entry.info.name))
        .filter(records::archived_at.is_null())
        .select((Stored::as_select(), versions::title, versions::body));
    let found: Option<(Stored, String, RawJson)> = tx
        .run(async |db| query.first(&mut &*db).await.optional())
        .await?;
    let Some((mut stored, title, body)) = found else {
        return Ok(None);
    };
    stored.spine.title = title;
    entry.in_force_state.clone_into(&mut stored.spine.status);
    stored.body = body;
    typed(&stored.into_row()?).map(Some)
}

/// What is in force of the kind of which a tenant has one.
pub async fn only_in_force<K: Kind>(tx: &mut TenantTx<'_>) -> Result<Option<Record<K>>> {
    Session::settle(tx).await?;
    match one_for::only(tx, entry_of::<K>()?).await? {
        Some(id) => in_force(tx, id).await,
        None => Ok(None),
    }
}

/// Content of a numbered version, typed: what a link or a certificate means that names it.
pub async fn version_of<K: Kind>(tx: &mut TenantTx<'_>, id: Uuid, number: i32) -> Result<K> {
    let query = versions::table
        .find((tx.scope(), id, number))
        .select(versions::body);
    let body: RawJson = tx.run(async |db| query.first(&mut &*db).await).await?;
    serde_json::from_str(&body.0).map_err(Problem::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// If this changes, hashes of all versions that were ever approved are worthless.
    #[test]
    fn the_hash_of_a_version_never_changes() {
        let hash = content_hash(
            "Ä title",
            &json!({"b": [1, {"y": null, "x": "ü"}], "a": true}),
            &json!([{"to_version": 2, "relation": "serves"}]),
            &json!([]),
        );
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        let literal = "0bf2465e138d7d4ad6c2a149acdbd33ec797a6523816cf1031237c129513cb4e";
        assert_eq!(hex, literal);
    }
}
