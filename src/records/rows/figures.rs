//! How many rows there are.

use diesel::dsl::exists;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::Rows;
use crate::problem::Result;
use crate::schema::rows;
use crate::tenancy::TenantTx;

/// How many rows of a record there are whose key begins so and which have all of these fields.
pub async fn count_rows<R: Rows>(
    tx: &mut TenantTx<'_>,
    record: Uuid,
    key: &str,
    fields: &[&str],
) -> Result<i64> {
    let mut query = rows::table
        .filter(rows::tenant_id.eq(tx.scope()))
        .filter(rows::record_id.eq(record))
        .filter(rows::list.eq(R::LIST))
        .filter(rows::key.like(format!("{key}%")))
        .count()
        .into_boxed::<Pg>();
    for field in fields {
        query = query.filter(rows::body.retrieve_as_text(*field).is_not_null());
    }
    tx.run(async |db| query.get_result(&mut &*db).await).await
}

/// Whether a record has rows, of whatever list.
pub(in crate::records) async fn are_there(tx: &mut TenantTx<'_>, record: Uuid) -> Result<bool> {
    let of_record = rows::table
        .filter(rows::tenant_id.eq(tx.scope()))
        .filter(rows::record_id.eq(record));
    let query = diesel::select(exists(of_record));
    tx.run(async |db| query.get_result(&mut &*db).await).await
}
