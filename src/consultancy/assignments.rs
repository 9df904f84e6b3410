//! Assignments: which consultants work under an engagement, from when until when.

use actix_web::http::header::ETAG;
use actix_web::{HttpResponse, delete, get, post, web};
use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::assignment_rows::{NewMembership, check_belongs, end, end_expired, insert};
use super::engagement_rows::{self, Assigned, Engagement};
use crate::http::etag::{self, IfMatch};
use crate::http::json::Json;
use crate::identity::desk::json_of;
use crate::identity::grants;
use crate::identity::independence;
use crate::identity::listing::{Listing, Page};
use crate::problem::{Problem, Result};
use crate::records::{Owned, owned_by};
use crate::schema::{memberships, users};
use crate::tenancy::{
    Answer, Caller, Callers, FirmRole, Holding, IdempotencyKey, PlaceState, Role, Tenant, TenantTx,
};

/// What a consultant may be under an engagement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum AssignmentRole {
    /// Leads the engagement.
    Lead,
    /// Works under it.
    Consultant,
}

/// Somebody to assign.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewAssignment {
    /// Account of somebody who belongs to the firm.
    #[schema(example = "019abc12-0000-7000-8000-000000000005")]
    user_id: Uuid,
    /// Role in the tenant.
    role: AssignmentRole,
    /// First day, in the tenant's zone; today unless told.
    #[serde(default)]
    #[schema(example = "2027-01-11")]
    valid_from: Option<NaiveDate>,
    /// Last day; open unless told.
    #[serde(default)]
    #[schema(example = "2027-12-31")]
    valid_until: Option<NaiveDate>,
}

/// Somebody who works under an engagement.
#[derive(Serialize, ToSchema)]
struct Assignment {
    /// Id of the membership in the tenant.
    #[schema(example = "019abc12-0000-7000-8000-000000000006")]
    id: Uuid,
    /// The engagement.
    #[schema(example = "019abc12-0000-7000-8000-000000000004")]
    engagement_id: Uuid,
    /// The client.
    #[schema(example = "019abc12-3456-7890-abcd-ef0123456789")]
    tenant_id: Uuid,
    /// Account.
    #[schema(example = "019abc12-0000-7000-8000-000000000005")]
    user_id: Uuid,
    /// Name.
    #[schema(example = "Lars Holm")]
    name: String,
    /// E-mail address.
    #[schema(example = "lars@fjordlys.example")]
    email: String,
    /// lead or consultant.
    #[schema(value_type = AssignmentRole, example = "consultant")]
    role: String,
    /// First day.
    #[schema(example = "2027-01-11")]
    valid_from: NaiveDate,
    /// Last day; null: open.
    #[schema(example = "2027-12-31")]
    valid_until: Option<NaiveDate>,
    /// Whether the person reaches the client now.
    state: PlaceState,
    /// Optimistic lock; also the `ETag`.
    #[schema(example = 1)]
    version: i32,
}

/// An assignment that was ended, and what it leaves behind.
#[derive(Serialize, ToSchema)]
struct EndedAssignment {
    /// Id of the membership in the tenant.
    #[schema(example = "019abc12-0000-7000-8000-000000000006")]
    id: Uuid,
    /// Account.
    #[schema(example = "019abc12-0000-7000-8000-000000000005")]
    user_id: Uuid,
    /// Open records of the client that need another owner.
    owns: Owned,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = memberships, check_for_backend(diesel::pg::Pg))]
struct Row {
    #[diesel(embed)]
    holding: Holding,
    version: i32,
    #[diesel(select_expression = (users::name, users::email))]
    person: (String, String),
}

impl Row {
    fn under(self, engagement_id: Uuid, now: DateTime<Utc>) -> Assignment {
        let Self {
            holding,
            version,
            person: (name, email),
        } = self;
        let role = holding.roles().iter().next();
        Assignment {
            id: holding.id,
            engagement_id,
            tenant_id: holding.tenant_id,
            user_id: holding.user_id,
            name,
            email,
            role: role.map(|role| role.to_string()).unwrap_or_default(),
            valid_from: holding.valid_from,
            valid_until: holding.valid_until,
            state: holding.state_at(now),
            version,
        }
    }
}

/// List assignments of an engagement
///
/// For owners of the firm and those assigned. Ended ones are not listed.
#[utoipa::path(
    tag = "Engagements",
    operation_id = "list_assignments",
    params(
        ("consultancy_id" = Uuid, Path, description = "The consultancy"),
        ("engagement_id" = Uuid, Path, description = "The engagement"),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "Items of a page, 50 unless told"),
        ("cursor" = Option<String>, Query, description = "Where the page begins, from `next_cursor`"),
    ),
    responses((status = 200, description = "Assignments", body = Listing<Assignment>)),
    security(("bearer" = []))
)]
#[get("/v1/consultancies/{consultancy_id}/engagements/{engagement_id}/assignments")]
pub(super) async fn list_assignments(
    caller: Caller,
    path: web::Path<(Uuid, Uuid)>,
    page: Page,
) -> Result<HttpResponse> {
    let (firm, id) = path.into_inner();
    let items = caller
        .read(async |tx| {
            engagement_rows::visible(tx, &caller, firm, id).await?;
            let query = Holding::open()
                .inner_join(users::table.on(users::id.eq(memberships::user_id)))
                .filter(memberships::engagement_id.eq(id))
                .filter(memberships::id.gt(page.after()))
                .order(memberships::id)
                .limit(page.rows())
                .select(Row::as_select());
            let rows: Vec<Row> = tx.run(async |db| query.load(&mut &*db).await).await?;
            let now = tx.now();
            Ok(rows.into_iter().map(|row| row.under(id, now)).collect())
        })
        .await?;
    Ok(page.answer(items, |item: &Assignment| item.id))
}

/// Read an assignment
///
/// For owners of the firm and those assigned, until it is ended.
#[utoipa::path(
    tag = "Engagements",
    operation_id = "get_assignment",
    params(
        ("consultancy_id" = Uuid, Path, description = "The consultancy"),
        ("engagement_id" = Uuid, Path, description = "The engagement"),
        ("membership_id" = Uuid, Path, description = "The assignment"),
    ),
    responses((status = 200, description = "The assignment", body = Assignment)),
    security(("bearer" = []))
)]
#[get("/v1/consultancies/{consultancy_id}/engagements/{engagement_id}/assignments/{membership_id}")]
pub(super) async fn get_assignment(
    caller: Caller,
    path: web::Path<(Uuid, Uuid, Uuid)>,
) -> Result<HttpResponse> {
    let (firm, id, membership) = path.into_inner();
    let assignment = caller
        .read(async |tx| {
            engagement_rows::visible(tx, &caller, firm, id).await?;
            let query = Holding::open()
                .inner_join(users::table.on(users::id.eq(memberships::user_id)))
                .filter(memberships::id.eq(membership))
                .filter(memberships::engagement_id.eq(id))
                .select(Row::as_select());
            let row: Option<Row> = tx
                .run(async |db| query.first(&mut &*db).await.optional())
                .await?;
            let row = row.ok_or_else(Problem::not_found)?;
            Ok(row.under(id, tx.now()))
        })
        .await?;
    Ok(HttpResponse::Ok()
        .insert_header((ETAG, etag::of(assignment.version)))
        .json(assignment))
}

/// Assign a consultant
///
/// For owners of the firm and leads of this engagement. The person must belong to the firm; the
/// tenant becomes visible to them, for as long as the engagement runs.
#[utoipa::path(
    tag = "Engagements",
    operation_id = "create_assignment",
    request_body = NewAssignment,
    params(
        ("consultancy_id" = Uuid, Path, description = "The consultancy"),
        ("engagement_id" = Uuid, Path, description = "The engagement"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a repeated request harmless"),
    ),
    responses((status = 201, description = "Assigned", body = Assignment)),
    security(("bearer" = []))
)]
#[post("/v1/consultancies/{consultancy_id}/engagements/{engagement_id}/assignments")]
pub(super) async fn create_assignment(
    caller: Caller,
    path: web::Path<(Uuid, Uuid)>,
    key: IdempotencyKey,
    callers: web::Data<Callers>,
    body: Json<NewAssignment>,
) -> Result<HttpResponse> {
    let (firm, id) = path.into_inner();
    caller.firm(firm)?;
    let response = caller
        .write_once(firm, &key, body.sha256, async |tx| {
            let engagement = engagement_rows::visible(tx, &caller, firm, id).await?;
            check_may_assign(tx, &caller, &engagement).await?;
            let assignment = assign(tx, &engagement, body.value).await?;
            tx.switch(firm, None).await?;
            let location = format!(
                "/v1/consultancies/{firm}/engagements/{id}/assignments/{}",
                assignment.id
            );
            let version = Some(assignment.version);
            Ok(Answer::created(location, version, json_of(&assignment)?))
        })
        .await?;
    callers.forget_all();
    Ok(response)
}

/// 403 unless the caller owns the firm or leads this very engagement now.
async fn check_may_assign(
    tx: &mut TenantTx<'_>,
    caller: &Caller,
    engagement: &Engagement,
) -> Result<()> {
    if caller.firm(engagement.consultancy_id)? == FirmRole::Owner {
        return Ok(());
    }
    let own = engagement_rows::assigned_to(tx, caller).await?;
    let leads = |own: &Assigned| own.engagement_id == engagement.id && own.roles.has(Role::Lead);
    if own.iter().any(leads) {
        return Ok(());
    }
    Err(Problem::forbidden(
        "This needs owner of the consultancy or lead of the engagement.",
    ))
}

fn today(tx: &TenantTx<'_>, tenant: &Tenant) -> NaiveDate {
    tx.now().with_timezone(&tenant.zone).date_naive()
}

async fn assign(
    tx: &mut TenantTx<'_>,
    engagement: &Engagement,
    new: NewAssignment,
) -> Result<Assignment> {
    let NewAssignment {
        user_id,
        role,
        valid_from,
        valid_until,
    } = new;
    check_belongs(tx, engagement.consultancy_id, user_id).await?;
    let tenant = grants::tenant(tx, engagement.tenant_id).await?;
    let today = today(tx, &tenant);
    tx.switch(tenant.id, Some(tenant)).await?;
    let running = engagement_rows::read(tx, engagement.consultancy_id, engagement.id).await?;
    if running.ended_at.is_some() || running.ends_on.is_some_and(|last| last < today) {
        return Err(Problem::conflict("This engagement has ended."));
    }
    let valid_from = valid_from.unwrap_or(today);
    check_end(valid_from.max(today), valid_until)?;
    let (firm, tenant) = (engagement.consultancy_id, engagement.tenant_id);
    independence::check_engagement(tx, firm, tenant, Some(user_id)).await?;
    end_expired(tx, engagement.id, user_id, today).await?;
    let membership = NewMembership {
        tenant_id: engagement.tenant_id,
        engagement_id: engagement.id,
        user_id,
        role: match role {
            AssignmentRole::Lead => FirmRole::Lead,
            AssignmentRole::Consultant => FirmRole::Consultant,
        },
        valid_from,
        valid_until,
    };
    let id = insert(tx, membership).await?;
    let row = read(tx, id).await?;
    Ok(row.under(engagement.id, tx.now()))
}

fn check_end(first: NaiveDate, valid_until: Option<NaiveDate>) -> Result<()> {
    match valid_until {
        Some(last) if last < first => Err(Problem::invalid(
            "/valid_until",
            "must not be in the past or before valid_from",
        )),
        _ => Ok(()),
    }
}

async fn read(tx: &mut TenantTx<'_>, id: Uuid) -> Result<Row> {
    let query = Holding::open()
        .inner_join(users::table.on(users::id.eq(memberships::user_id)))
        .filter(memberships::id.eq(id))
        .select(Row::as_select());
    tx.run(async |db| query.first(&mut &*db).await).await
}

/// End an assignment
///
/// For owners of the firm, leads of this engagement, and the person assigned. Access to the
/// tenant ends at once. The answer lists the open records of the client that the person owns, as
/// far as the caller sees them: they need another owner.
#[utoipa::path(
    tag = "Engagements",
    operation_id = "delete_assignment",
    params(
        ("consultancy_id" = Uuid, Path, description = "The consultancy"),
        ("engagement_id" = Uuid, Path, description = "The engagement"),
        ("membership_id" = Uuid, Path, description = "The assignment"),
        ("If-Match" = String, Header, description = "Version you read"),
    ),
    responses((status = 200, description = "Ended", body = EndedAssignment)),
    security(("bearer" = []))
)]
#[delete(
    "/v1/consultancies/{consultancy_id}/engagements/{engagement_id}/assignments/{membership_id}"
)]
pub(super) async fn end_assignment(
    caller: Caller,
    path: web::Path<(Uuid, Uuid, Uuid)>,
    if_match: IfMatch,
    callers: web::Data<Callers>,
) -> Result<HttpResponse> {
    let (firm, id, membership) = path.into_inner();
    caller.firm(firm)?;
    let ended = caller
        .write(firm, async |tx| {
            let engagement = engagement_rows::visible(tx, &caller, firm, id).await?;
            let query = memberships::table
                .filter(memberships::id.eq(membership))
                .filter(memberships::engagement_id.eq(id))
                .filter(memberships::ended_at.is_null())
                .select((memberships::user_id, memberships::version));
            let (person, version): (Uuid, i32) =
                tx.run(async |db| query.first(&mut &*db).await).await?;
            if person != caller.user_id() {
                check_may_assign(tx, &caller, &engagement).await?;
            }
            if_match.require(version)?;
            tx.enter(caller.tenant(engagement.tenant_id)?).await?;
            end(
                tx,
                membership,
                &json!({"because": "ended by the consultancy"}),
            )
            .await?;
            let owns = owned_by(tx, person).await?;
            Ok(EndedAssignment {
                id: membership,
                user_id: person,
                owns,
            })
        })
        .await?;
    callers.forget_all();
    Ok(HttpResponse::Ok().json(ended))
}
