//! Engagements seen from the client: who works for it, and how it ends that.

use actix_web::{HttpResponse, get, post, web};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::json;
use uuid::Uuid;

use super::engagement_rows::Engagement;
use super::engagements::respond;
use crate::http::etag::IfMatch;
use crate::identity::listing::{Listing, Page};
use crate::problem::{Problem, Result};
use crate::schema::engagements;
use crate::tenancy::{Access, Callers, Ends, Member, TenantTx};

/// List engagements of a tenant
///
/// Who works for the organisation, running and ended; for everybody who can see the tenant.
#[utoipa::path(
    tag = "Engagements",
    operation_id = "list_tenant_engagements",
    params(
        ("tenant_id" = Uuid, Path, description = "The tenant"),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "Items of a page, 50 unless told"),
        ("cursor" = Option<String>, Query, description = "Where the page begins, from `next_cursor`"),
    ),
    responses((status = 200, description = "Engagements", body = Listing<Engagement>)),
    security(("bearer" = []))
)]
#[get("/v1/tenants/{tenant_id}/engagements")]
pub(super) async fn list_engagements(access: Access<Member>, page: Page) -> Result<HttpResponse> {
    let query = engagements::table
        .filter(engagements::tenant_id.eq(access.tenant_id()))
        .filter(engagements::id.gt(page.after()))
        .order(engagements::id)
        .limit(page.rows())
        .select(Engagement::as_select());
    let items = access
        .read(async |tx| tx.run(async |db| query.load(&mut &*db).await).await)
        .await?;
    Ok(page.answer(items, |item: &Engagement| item.id))
}

/// End an engagement
///
/// For the client's top management. The consultants assigned to it lose their access at once.
#[utoipa::path(
    tag = "Engagements",
    operation_id = "end_tenant_engagement",
    params(
        ("tenant_id" = Uuid, Path, description = "The tenant"),
        ("engagement_id" = Uuid, Path, description = "The engagement"),
        ("If-Match" = String, Header, description = "Version you read"),
    ),
    responses((status = 200, description = "Ended", body = Engagement)),
    security(("bearer" = []))
)]
#[post("/v1/tenants/{tenant_id}/engagements/{engagement_id}/end")]
pub(super) async fn end_engagement(
    access: Access<Ends>,
    path: web::Path<(Uuid, Uuid)>,
    if_match: IfMatch,
    callers: web::Data<Callers>,
) -> Result<HttpResponse> {
    let (tenant, id) = path.into_inner();
    let engagement = access
        .write(async |tx| end(tx, tenant, id, &if_match).await)
        .await?;
    callers.forget_all();
    Ok(respond(&engagement))
}

async fn end(
    tx: &mut TenantTx<'_>,
    tenant: Uuid,
    id: Uuid,
    if_match: &IfMatch,
) -> Result<Engagement> {
    let query = engagements::table
        .filter(engagements::id.eq(id))
        .filter(engagements::tenant_id.eq(tenant))
        .select(Engagement::as_select());
    let engagement = tx.run(async |db| query.first(&mut &*db).await).await?;
    if_match.require(engagement.version)?;
    if engagement.ended_at.is_some() {
        return Err(Problem::conflict("This engagement has ended already."));
    }
    let row = diesel::update(engagements::table.find(id))
        .set((
            engagements::ended_at.eq(tx.now()),
            engagements::ended_by.eq(tx.actor().person()),
            engagements::version.eq(engagement.version + 1),
            engagements::updated_at.eq(tx.now()),
        ))
        .returning(Engagement::as_returning());
    let row = tx.run(async |db| row.get_result(&mut &*db).await).await?;
    let data = json!({"consultancy_id": row.consultancy_id});
    tx.event("engagement.ended", "engagement", id, &data)?;
    Ok(row)
}
