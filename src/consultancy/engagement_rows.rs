//! Engagements as they are kept, and who of the firm sees them.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::problem::{Problem, Result};
use crate::schema::{engagements, memberships};
use crate::tenancy::{Caller, FirmRole, Holding, Roles, TenantTx};

/// What a firm does for a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Service {
    /// Gap assessment.
    Gap,
    /// Building up the AIMS.
    Implementation,
    /// Internal audits.
    InternalAudit,
    /// Running the AIMS for the client.
    Managed,
}

impl Service {
    /// As in the database.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Gap => "gap",
            Self::Implementation => "implementation",
            Self::InternalAudit => "internal_audit",
            Self::Managed => "managed",
        }
    }
}

/// An engagement.
#[derive(Clone, Serialize, ToSchema, Queryable, Selectable)]
#[diesel(table_name = engagements, check_for_backend(diesel::pg::Pg))]
pub(super) struct Engagement {
    /// Its id.
    #[schema(example = "019abc12-0000-7000-8000-000000000004")]
    pub(super) id: Uuid,
    /// The firm.
    #[schema(example = "019abc12-0000-7000-8000-000000000002")]
    pub(super) consultancy_id: Uuid,
    /// The client.
    #[schema(example = "019abc12-3456-7890-abcd-ef0123456789")]
    pub(super) tenant_id: Uuid,
    /// gap, implementation, internal_audit or managed.
    #[schema(value_type = Service, example = "implementation")]
    pub(super) service: String,
    /// First day, in the tenant's zone.
    #[schema(example = "2027-01-11")]
    pub(super) starts_on: NaiveDate,
    /// Last day, in the tenant's zone; null: open.
    #[schema(example = "2028-01-10")]
    pub(super) ends_on: Option<NaiveDate>,
    /// When the client ended it.
    #[schema(example = json!(null))]
    pub(super) ended_at: Option<DateTime<Utc>>,
    /// Who of the client ended it.
    #[schema(example = json!(null))]
    pub(super) ended_by: Option<Uuid>,
    /// Optimistic lock; also the `ETag`.
    #[schema(example = 1)]
    pub(super) version: i32,
    /// When it was made.
    #[schema(example = "2027-01-11T08:00:00Z")]
    pub(super) created_at: DateTime<Utc>,
    /// When it was last changed.
    #[schema(example = "2027-01-11T08:00:00Z")]
    pub(super) updated_at: DateTime<Utc>,
}

/// An engagement to write.
pub(super) struct NewRow {
    pub(super) consultancy_id: Uuid,
    pub(super) tenant_id: Uuid,
    pub(super) service: Service,
    pub(super) starts_on: NaiveDate,
    pub(super) ends_on: Option<NaiveDate>,
}

/// Writes an engagement; the transaction must be in the tenant's scope.
pub(super) async fn insert(tx: &mut TenantTx<'_>, row: NewRow) -> Result<Uuid> {
    let NewRow {
        consultancy_id,
        tenant_id,
        service,
        starts_on,
        ends_on,
    } = row;
    let id = Uuid::now_v7();
    let insert = diesel::insert_into(engagements::table).values((
        engagements::id.eq(id),
        engagements::consultancy_id.eq(consultancy_id),
        engagements::tenant_id.eq(tenant_id),
        engagements::service.eq(service.as_str()),
        engagements::starts_on.eq(starts_on),
        engagements::ends_on.eq(ends_on),
        engagements::created_at.eq(tx.now()),
        engagements::updated_at.eq(tx.now()),
    ));
    tx.run(async |db| insert.execute(&mut &*db).await).await?;
    let data = json!({
        "consultancy_id": consultancy_id, "ends_on": ends_on, "service": service,
        "starts_on": starts_on,
    });
    tx.event("engagement.created", "engagement", id, &data)?;
    Ok(id)
}

/// An engagement of a firm.
pub(super) async fn read(tx: &mut TenantTx<'_>, firm: Uuid, id: Uuid) -> Result<Engagement> {
    let query = engagements::table
        .filter(engagements::id.eq(id))
        .filter(engagements::consultancy_id.eq(firm))
        .select(Engagement::as_select());
    tx.run(async |db| query.first(&mut &*db).await).await
}

/// An engagement of a firm, if the caller may see it: 404 otherwise.
pub(super) async fn visible(
    tx: &mut TenantTx<'_>,
    caller: &Caller,
    firm: Uuid,
    id: Uuid,
) -> Result<Engagement> {
    let role = caller.firm(firm)?;
    let engagement = read(tx, firm, id).await?;
    if role == FirmRole::Owner {
        return Ok(engagement);
    }
    let own = assigned_to(tx, caller).await?;
    if own.iter().any(|own| own.engagement_id == id) {
        return Ok(engagement);
    }
    Err(Problem::not_found())
}

/// An engagement under which somebody works today.
pub(super) struct Assigned {
    pub(super) engagement_id: Uuid,
    pub(super) roles: Roles,
}

/// The engagements under which the caller works today.
pub(super) async fn assigned_to(tx: &mut TenantTx<'_>, caller: &Caller) -> Result<Vec<Assigned>> {
    let query = Holding::open()
        .filter(memberships::user_id.eq(caller.user_id()))
        .filter(memberships::engagement_id.is_not_null())
        .select((
            memberships::engagement_id.assume_not_null(),
            Holding::as_select(),
        ));
    let open: Vec<(Uuid, Holding)> = tx.run(async |db| query.load(&mut &*db).await).await?;
    let running = open.into_iter().filter(|(_, held)| held.holds_at(tx.now()));
    Ok(running
        .map(|(engagement_id, held)| Assigned {
            engagement_id,
            roles: held.roles(),
        })
        .collect())
}
