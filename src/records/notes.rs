//! What people attach to a record: comments, and where its evidence is to be found.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::registry::Entry;
use super::store;
use crate::problem::{Problem, Result};
use crate::schema::{comments, evidence_refs};
use crate::tenancy::{Roles, TenantTx};

/// A remark.
#[derive(Clone, Debug, Serialize, Queryable, Selectable, Insertable, ToSchema)]
#[diesel(table_name = comments, check_for_backend(diesel::pg::Pg))]
pub struct Comment {
    /// Id.
    pub id: Uuid,
    /// What was said.
    pub text: String,
    /// UTC.
    pub created_at: DateTime<Utc>,
    /// Who said it.
    pub created_by: Uuid,
}

/// A remark to be made.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewComment {
    /// What to say.
    #[schema(
        min_length = 1,
        max_length = 5000,
        pattern = "\\S",
        example = "Please add the data source."
    )]
    pub text: String,
}

/// Where the proof for a record is to be found.
#[derive(Clone, Debug, Serialize, Queryable, Selectable, Insertable, ToSchema)]
#[diesel(table_name = evidence_refs, check_for_backend(diesel::pg::Pg))]
pub struct EvidenceRef {
    /// Id.
    pub id: Uuid,
    /// What it is.
    pub title: String,
    /// Where it is: an address, or a place in another system.
    pub location: Option<String>,
    /// Civil date it was collected.
    pub collected_on: NaiveDate,
    /// What it shows.
    pub note: Option<String>,
    /// UTC.
    pub created_at: DateTime<Utc>,
    /// Who attached it.
    pub created_by: Uuid,
}

/// Evidence to be attached.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewEvidenceRef {
    /// What it is.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "\\S",
        example = "Bias test of release 2.3"
    )]
    pub title: String,
    /// Where it is: an address, or a place in another system.
    #[schema(
        max_length = 2000,
        example = "https://files.example.org/bias-test-2.3.pdf"
    )]
    pub location: Option<String>,
    /// Civil date it was collected.
    #[schema(format = Date, value_type = String, example = "2027-03-10")]
    pub collected_on: NaiveDate,
    /// What it shows.
    #[schema(max_length = 2000, example = "Selection ratio 0.86")]
    pub note: Option<String>,
}

fn person(tx: &TenantTx<'_>) -> Result<Uuid> {
    tx.actor()
        .person()
        .ok_or_else(|| Problem::internal("the system attaches nothing"))
}

/// Comments of a record, oldest first.
pub(super) async fn comments_of(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    id: Uuid,
) -> Result<Vec<Comment>> {
    store::get(tx, entry, id).await?;
    let query = comments::table
        .filter(comments::tenant_id.eq(tx.scope()))
        .filter(comments::record_id.eq(id))
        .order(comments::id)
        .select(Comment::as_select());
    tx.run(async |db| query.load(&mut &*db).await).await
}

/// Makes a remark.
pub(super) async fn comment(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    id: Uuid,
    new: NewComment,
) -> Result<Comment> {
    store::get(tx, entry, id).await?;
    let comment = Comment {
        id: Uuid::now_v7(),
        text: new.text,
        created_at: tx.now(),
        created_by: person(tx)?,
    };
    let insert = diesel::insert_into(comments::table).values((
        comments::tenant_id.eq(tx.scope()),
        comments::record_id.eq(id),
        comment.clone(),
    ));
    tx.queue(|db| async move { insert.execute(&mut &*db).await });
    tx.event(
        "commented",
        entry.info.name,
        id,
        &json!({"comment": comment}),
    )?;
    Ok(comment)
}

/// Evidence of a record, oldest first.
pub(super) async fn evidence_of(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    id: Uuid,
) -> Result<Vec<EvidenceRef>> {
    store::get(tx, entry, id).await?;
    let query = evidence_refs::table
        .filter(evidence_refs::tenant_id.eq(tx.scope()))
        .filter(evidence_refs::record_id.eq(id))
        .order(evidence_refs::id)
        .select(EvidenceRef::as_select());
    tx.run(async |db| query.load(&mut &*db).await).await
}

/// Attaches evidence.
pub(super) async fn attach(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    id: Uuid,
    new: NewEvidenceRef,
) -> Result<EvidenceRef> {
    store::needs(tx, Roles::WRITERS, "attach evidence")?;
    store::get(tx, entry, id).await?;
    let evidence = EvidenceRef {
        id: Uuid::now_v7(),
        title: new.title,
        location: new.location,
        collected_on: new.collected_on,
        note: new.note,
        created_at: tx.now(),
        created_by: person(tx)?,
    };
    let insert = diesel::insert_into(evidence_refs::table).values((
        evidence_refs::tenant_id.eq(tx.scope()),
        evidence_refs::record_id.eq(id),
        evidence.clone(),
    ));
    tx.queue(|db| async move { insert.execute(&mut &*db).await });
    tx.event(
        "evidence_attached",
        entry.info.name,
        id,
        &json!({"evidence": evidence}),
    )?;
    Ok(evidence)
}
