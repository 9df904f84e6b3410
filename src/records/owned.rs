//! What somebody owns and has not brought to an end: what needs another owner when they leave.

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use diesel_async::RunQueryDsl;
use futures_util::try_join;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::closed::RecordKind;
use super::registry::registry;
use super::session::Session;
use super::visibility::whole_ids;
use crate::problem::Result;
use crate::schema::records;
use crate::tenancy::TenantTx;

/// References told at most.
const MOST_TOLD: i64 = 100;

/// The open records that somebody owns, as far as the caller sees them.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Owned {
    /// How many there are.
    #[schema(example = 1)]
    pub count: i64,
    /// Which ones, by their references; the first hundred.
    pub items: Vec<OwnedRecord>,
}

/// A record that needs another owner.
#[derive(Clone, Debug, Serialize, ToSchema, Queryable, Selectable)]
#[diesel(table_name = records, check_for_backend(Pg))]
pub struct OwnedRecord {
    /// Its kind.
    #[schema(value_type = RecordKind, example = "risk")]
    pub kind: String,
    /// Its id.
    #[schema(example = "019abc12-0000-7000-8000-000000000014")]
    pub id: Uuid,
    /// What people call it.
    #[diesel(column_name = ref_)]
    #[schema(example = "RSK-014")]
    pub r#ref: String,
}

type Condition = Box<dyn BoxableExpression<records::table, Pg, SqlType = Bool>>;

/// Records that are neither archived nor in a state out of which nothing leads.
fn open() -> Condition {
    let start: Condition = Box::new(records::archived_at.is_null());
    let entries = registry().entries().iter();
    entries.fold(start, |open, entry| {
        let ends: Vec<&str> = entry
            .states
            .iter()
            .copied()
            .filter(|state| entry.is_end(state))
            .collect();
        if ends.is_empty() {
            return open;
        }
        let goes_on = records::kind
            .ne(entry.info.name)
            .or(records::status.ne_all(ends));
        Box::new(open.and(goes_on))
    })
}

/// The open records in the tenant of a transaction that a person owns and the actor sees.
pub async fn owned_by(tx: &mut TenantTx<'_>, person: Uuid) -> Result<Owned> {
    Session::settle(tx).await?;
    let tenant = tx.scope();
    let of_person = |seen| {
        records::table
            .filter(records::tenant_id.eq(tenant))
            .filter(records::owner_id.eq(person))
            .filter(open())
            .filter(records::id.eq_any(seen))
    };
    let count = of_person(whole_ids(tx)?).select(diesel::dsl::count_star());
    let items = of_person(whole_ids(tx)?)
        .order((records::kind, records::ref_no))
        .limit(MOST_TOLD)
        .select(OwnedRecord::as_select());
    let (count, items) = tx
        .run(async |db| {
            try_join!(
                count.first::<i64>(&mut &*db),
                items.load::<OwnedRecord>(&mut &*db),
            )
        })
        .await?;
    Ok(Owned { count, items })
}
