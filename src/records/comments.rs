//! Remarks that people make on a record.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::entry::Entry;
use super::{rights, store};
use crate::problem::{Problem, Result};
use crate::schema::comments;
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

/// Comments of a record, oldest first, at most `limit` after the id `after`.
pub(super) async fn list(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    id: Uuid,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Comment>> {
    store::get(tx, entry, id).await?;
    let query = comments::table
        .filter(comments::tenant_id.eq(tx.scope()))
        .filter(comments::record_id.eq(id))
        .filter(comments::id.gt(after.unwrap_or_default()))
        .order(comments::id)
        .limit(limit)
        .select(Comment::as_select());
    tx.run(async |db| query.load(&mut &*db).await).await
}

/// One comment of a record.
pub(super) async fn get(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    record: Uuid,
    id: Uuid,
) -> Result<Comment> {
    store::get(tx, entry, record).await?;
    let query = comments::table
        .find((tx.scope(), id))
        .filter(comments::record_id.eq(record))
        .select(Comment::as_select());
    tx.run(async |db| query.first(&mut &*db).await).await
}

/// Makes a remark.
pub(super) async fn create(
    tx: &mut TenantTx<'_>,
    entry: &Entry,
    id: Uuid,
    new: NewComment,
) -> Result<Comment> {
    rights::needs(tx, Roles::WRITERS, "comment")?;
    let row = store::get(tx, entry, id).await?.into_row()?;
    rights::is_live(entry, &row)?;
    let person = tx.actor().person();
    let comment = Comment {
        id: Uuid::now_v7(),
        text: new.text,
        created_at: tx.now(),
        created_by: person.ok_or_else(|| Problem::internal("the system does not comment"))?,
    };
    let insert = diesel::insert_into(comments::table).values((
        comments::tenant_id.eq(tx.scope()),
        comments::record_id.eq(id),
        comment.clone(),
    ));
    tx.queue_fixed(insert);
    let data = json!({"comment": comment});
    tx.event("commented", entry.info.name, id, &data)?;
    Ok(comment)
}
