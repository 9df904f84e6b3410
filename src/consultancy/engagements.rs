//! Engagements: contracts under which a firm works for a tenant, seen from the firm.
//!
//! Every change is an event of the tenant; the firm's chain is locked before the tenant's.

use actix_web::http::header::ETAG;
use actix_web::{HttpResponse, get, patch, post, web};
use chrono::NaiveDate;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::engagement_rows::{Engagement, NewRow, Service, assigned_to, insert, read, visible};
use super::owner_of;
use crate::http::etag::{self, IfMatch, IfNoneMatch};
use crate::http::json::Json;
use crate::identity::desk::json_of;
use crate::identity::independence;
use crate::identity::listing::{Listing, Page};
use crate::identity::patch::{Patch, clearable};
use crate::problem::{Problem, Result};
use crate::schema::{engagements, tenants};
use crate::tenancy::{Answer, Caller, Callers, FirmRole, IdempotencyKey, TenantTx};

/// An engagement to begin.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewEngagement {
    /// The client; one that this firm runs.
    #[schema(example = "019abc12-3456-7890-abcd-ef0123456789")]
    tenant_id: Uuid,
    /// What the firm does.
    service: Service,
    /// First day, in the tenant's zone.
    #[schema(example = "2027-01-11")]
    starts_on: NaiveDate,
    /// Last day; open unless told.
    #[serde(default)]
    #[schema(example = "2028-01-10")]
    ends_on: Option<NaiveDate>,
}

/// Changes to an engagement.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct EngagementPatch {
    /// What the firm does.
    #[schema(nullable = false)]
    service: Option<Service>,
    /// First day, in the tenant's zone.
    #[schema(nullable = false, example = "2027-01-11")]
    starts_on: Option<NaiveDate>,
    /// Last day; null leaves it open.
    #[serde(default, deserialize_with = "clearable")]
    #[schema(value_type = Option<NaiveDate>, example = "2028-01-10")]
    ends_on: Option<Option<NaiveDate>>,
}

/// List engagements of a consultancy
///
/// Owners see all of them, others those under which they work today.
#[utoipa::path(
    tag = "Engagements",
    operation_id = "list_engagements",
    params(
        ("consultancy_id" = Uuid, Path, description = "The consultancy"),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "Items of a page, 50 unless told"),
        ("cursor" = Option<String>, Query, description = "Where the page begins, from `next_cursor`"),
    ),
    responses((status = 200, description = "Engagements", body = Listing<Engagement>)),
    security(("bearer" = []))
)]
#[get("/v1/consultancies/{consultancy_id}/engagements")]
pub(super) async fn list_engagements(
    caller: Caller,
    path: web::Path<Uuid>,
    page: Page,
) -> Result<HttpResponse> {
    let firm = path.into_inner();
    let role = caller.firm(firm)?;
    let mut query = engagements::table
        .filter(engagements::consultancy_id.eq(firm))
        .filter(engagements::id.gt(page.after()))
        .order(engagements::id)
        .limit(page.rows())
        .select(Engagement::as_select())
        .into_boxed();
    let items = caller
        .read(async |tx| {
            if role != FirmRole::Owner {
                let own = assigned_to(tx, &caller).await?;
                let own: Vec<Uuid> = own.into_iter().map(|own| own.engagement_id).collect();
                query = query.filter(engagements::id.eq_any(own));
            }
            tx.run(async |db| query.load(&mut &*db).await).await
        })
        .await?;
    Ok(page.answer(items, |item: &Engagement| item.id))
}

/// Begin an engagement
///
/// For owners of the firm that runs the tenant. The client sees it and can end it. Engagements of
/// different services may run side by side; of the same service there is one at a time: where the
/// days overlap, 409.
#[utoipa::path(
    tag = "Engagements",
    operation_id = "create_engagement",
    request_body = NewEngagement,
    params(
        ("consultancy_id" = Uuid, Path, description = "The consultancy"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a repeated request harmless"),
    ),
    responses((status = 201, description = "Begun", body = Engagement)),
    security(("bearer" = []))
)]
#[post("/v1/consultancies/{consultancy_id}/engagements")]
pub(super) async fn create_engagement(
    caller: Caller,
    path: web::Path<Uuid>,
    key: IdempotencyKey,
    body: Json<NewEngagement>,
) -> Result<HttpResponse> {
    let firm = path.into_inner();
    owner_of(&caller, firm)?;
    let new = body.value;
    check_window(new.starts_on, new.ends_on)?;
    caller
        .write_once(firm, &key, body.sha256, async |tx| {
            let engagement = begin(tx, firm, new).await?;
            tx.switch(firm, None).await?;
            let location = format!("/v1/consultancies/{firm}/engagements/{}", engagement.id);
            let version = Some(engagement.version);
            Ok(Answer::created(location, version, json_of(&engagement)?))
        })
        .await
}

fn check_window(starts_on: NaiveDate, ends_on: Option<NaiveDate>) -> Result<()> {
    match ends_on {
        Some(last) if last < starts_on => {
            Err(Problem::invalid("/ends_on", "must not be before starts_on"))
        }
        _ => Ok(()),
    }
}

async fn begin(tx: &mut TenantTx<'_>, firm: Uuid, new: NewEngagement) -> Result<Engagement> {
    let NewEngagement {
        tenant_id,
        service,
        starts_on,
        ends_on,
    } = new;
    let run_by_firm = tenants::table
        .filter(tenants::id.eq(tenant_id))
        .filter(tenants::consultancy_id.eq(firm))
        .select(tenants::id);
    let known: Option<Uuid> = tx
        .run(async |db| run_by_firm.first(&mut &*db).await.optional())
        .await?;
    known.ok_or_else(|| Problem::invalid("/tenant_id", "is not a tenant of this consultancy"))?;
    tx.switch(tenant_id, None).await?;
    independence::check_engagement(tx, firm, tenant_id, None).await?;
    let days = (starts_on, ends_on);
    check_overlap(tx, firm, tenant_id, service.as_str(), None, days).await?;
    let row = NewRow {
        consultancy_id: firm,
        tenant_id,
        service,
        starts_on,
        ends_on,
    };
    let id = insert(tx, row).await?;
    read(tx, firm, id).await
}

/// 409 when another engagement of the firm for the same service covers some of these days:
/// assignments and endings would not know which of the two is meant.
async fn check_overlap(
    tx: &mut TenantTx<'_>,
    firm: Uuid,
    tenant: Uuid,
    service: &str,
    but: Option<Uuid>,
    (first, last): (NaiveDate, Option<NaiveDate>),
) -> Result<()> {
    let mut others = engagements::table
        .filter(engagements::consultancy_id.eq(firm))
        .filter(engagements::tenant_id.eq(tenant))
        .filter(engagements::service.eq(service.to_owned()))
        .filter(engagements::id.ne(but.unwrap_or_default()))
        .filter(engagements::ended_at.is_null())
        .filter(
            engagements::ends_on
                .is_null()
                .or(engagements::ends_on.ge(first)),
        )
        .select(engagements::starts_on)
        .into_boxed();
    if let Some(last) = last {
        others = others.filter(engagements::starts_on.le(last));
    }
    let other: Option<NaiveDate> = tx
        .run(async |db| others.first(&mut &*db).await.optional())
        .await?;
    match other {
        None => Ok(()),
        Some(since) => Err(Problem::conflict(format!(
            "An engagement of this service for this client runs in these days already, from {since} on; change \
             that one, or begin after its last day."
        ))),
    }
}

/// Read an engagement
///
/// For owners of the firm and those assigned to it.
#[utoipa::path(
    tag = "Engagements",
    operation_id = "get_engagement",
    params(
        ("consultancy_id" = Uuid, Path, description = "The consultancy"),
        ("engagement_id" = Uuid, Path, description = "The engagement"),
    ),
    responses((status = 200, description = "The engagement", body = Engagement)),
    security(("bearer" = []))
)]
#[get("/v1/consultancies/{consultancy_id}/engagements/{engagement_id}")]
pub(super) async fn get_engagement(
    caller: Caller,
    path: web::Path<(Uuid, Uuid)>,
    if_none_match: IfNoneMatch,
) -> Result<HttpResponse> {
    let (firm, id) = path.into_inner();
    let engagement = caller
        .read(async |tx| visible(tx, &caller, firm, id).await)
        .await?;
    if if_none_match.matches(engagement.version) {
        return Ok(HttpResponse::NotModified()
            .insert_header((ETAG, etag::of(engagement.version)))
            .finish());
    }
    Ok(respond(&engagement))
}

/// As an answer.
pub(super) fn respond(engagement: &Engagement) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((ETAG, etag::of(engagement.version)))
        .json(engagement)
}

/// Change an engagement
///
/// For owners of the firm. One that the client has ended cannot be changed, and it cannot be
/// moved over another one of the same service (409). Fields as they were read are no change.
#[utoipa::path(
    tag = "Engagements",
    operation_id = "update_engagement",
    request_body(content = EngagementPatch, content_type = "application/merge-patch+json"),
    params(
        ("consultancy_id" = Uuid, Path, description = "The consultancy"),
        ("engagement_id" = Uuid, Path, description = "The engagement"),
        ("If-Match" = String, Header, description = "Version you read"),
    ),
    responses((status = 200, description = "The engagement", body = Engagement)),
    security(("bearer" = []))
)]
#[patch("/v1/consultancies/{consultancy_id}/engagements/{engagement_id}")]
pub(super) async fn update_engagement(
    caller: Caller,
    path: web::Path<(Uuid, Uuid)>,
    if_match: IfMatch,
    callers: web::Data<Callers>,
    changes: Patch<EngagementPatch>,
) -> Result<HttpResponse> {
    let (firm, id) = path.into_inner();
    let engagement = caller
        .write(firm, async |tx| {
            visible(tx, &caller, firm, id).await?;
            owner_of(&caller, firm)?;
            change(tx, firm, id, &if_match, changes).await
        })
        .await?;
    callers.forget_all();
    Ok(respond(&engagement))
}

async fn change(
    tx: &mut TenantTx<'_>,
    firm: Uuid,
    id: Uuid,
    if_match: &IfMatch,
    changes: Patch<EngagementPatch>,
) -> Result<Engagement> {
    let tenant = read(tx, firm, id).await?.tenant_id;
    tx.switch(tenant, None).await?;
    // Read again behind the tenant's lock, so that it cannot be ended under us.
    let now = read(tx, firm, id).await?;
    if_match.require(now.version)?;
    if now.ended_at.is_some() {
        return Err(Problem::conflict("The client has ended this engagement."));
    }
    let Some(changes) = changes.to(&now)? else {
        return Ok(now);
    };
    let EngagementPatch {
        service,
        starts_on,
        ends_on,
    } = changes;
    let starts_on = starts_on.unwrap_or(now.starts_on);
    let ends_on = ends_on.unwrap_or(now.ends_on);
    let service = service.map_or(now.service, |service| service.as_str().to_owned());
    check_window(starts_on, ends_on)?;
    let days = (starts_on, ends_on);
    check_overlap(tx, firm, tenant, &service, Some(id), days).await?;
    independence::check_engagement(tx, firm, tenant, None).await?;
    let data = json!({"ends_on": ends_on, "service": service, "starts_on": starts_on});
    let row = diesel::update(engagements::table.find(id))
        .set((
            engagements::service.eq(service),
            engagements::starts_on.eq(starts_on),
            engagements::ends_on.eq(ends_on),
            engagements::version.eq(now.version + 1),
            engagements::updated_at.eq(tx.now()),
        ))
        .returning(Engagement::as_returning());
    let row = tx.run(async |db| row.get_result(&mut &*db).await).await?;
    tx.event("engagement.updated", "engagement", id, &data)?;
    Ok(row)
}
