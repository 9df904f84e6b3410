//! Who reaches a tenant: its own people, and the consultants assigned to it.

use actix_web::http::header::ETAG;
use actix_web::{HttpResponse, delete, get, patch, web};
use chrono::NaiveDate;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::assignment_rows;
use super::tenant_invitations::check_roles;
use crate::http::etag::{self, IfMatch};
use crate::identity::grants;
use crate::identity::independence;
use crate::identity::listing::{Listing, Page};
use crate::identity::patch::{Patch, clearable};
use crate::problem::{Problem, Result};
use crate::schema::{memberships, users};
use crate::tenancy::{Access, Callers, Ends, Invites, Member, Permission, Role, Roles, TenantTx};

/// Somebody who reaches a tenant.
#[derive(Serialize, ToSchema)]
#[schema(as = Member)]
struct MemberView {
    /// Id of the membership.
    #[schema(example = "019abc12-0000-7000-8000-000000000006")]
    id: Uuid,
    /// Account.
    #[schema(example = "019abc12-0000-7000-8000-000000000001")]
    user_id: Uuid,
    /// Name.
    #[schema(example = "Ana Gómez")]
    name: String,
    /// E-mail address.
    #[schema(example = "ana@aurelia.example")]
    email: String,
    /// Roles.
    roles: Vec<Role>,
    /// The engagement they come from; null for the client's own people.
    #[schema(example = json!(null))]
    engagement_id: Option<Uuid>,
    /// First day, in the tenant's zone.
    #[schema(example = "2027-01-11")]
    valid_from: NaiveDate,
    /// Last day; null: open.
    #[schema(example = json!(null))]
    valid_until: Option<NaiveDate>,
    /// Optimistic lock; also the `ETag`.
    #[schema(example = 1)]
    version: i32,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = memberships, check_for_backend(diesel::pg::Pg))]
struct Row {
    id: Uuid,
    user_id: Uuid,
    roles: Vec<String>,
    engagement_id: Option<Uuid>,
    valid_from: NaiveDate,
    valid_until: Option<NaiveDate>,
    version: i32,
    #[diesel(select_expression = (users::name, users::email))]
    person: (String, String),
}

impl Row {
    fn roles(&self) -> Roles {
        Roles::parse(self.roles.iter().map(String::as_str))
    }

    fn view(self) -> MemberView {
        let roles = self.roles().iter().collect();
        let Self {
            id,
            user_id,
            roles: _,
            engagement_id,
            valid_from,
            valid_until,
            version,
            person: (name, email),
        } = self;
        MemberView {
            id,
            user_id,
            name,
            email,
            roles,
            engagement_id,
            valid_from,
            valid_until,
            version,
        }
    }
}

/// Changes to a membership.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MemberPatch {
    /// All roles from now on.
    #[schema(nullable = false, min_items = 1, max_items = 10, example = json!(["aims_manager"]))]
    roles: Option<Vec<Role>>,
    /// Last day, in the tenant's zone; null leaves it open.
    #[serde(default, deserialize_with = "clearable")]
    #[schema(value_type = Option<NaiveDate>, example = "2027-12-31")]
    valid_until: Option<Option<NaiveDate>>,
}

/// List the people of a tenant
///
/// The client's own people and the consultants assigned to it; for everybody who can see the
/// tenant. Ended memberships are not listed.
#[utoipa::path(
    tag = "Members",
    operation_id = "list_members",
    params(
        ("tenant_id" = Uuid, Path, description = "The tenant"),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "Items of a page, 50 unless told"),
        ("cursor" = Option<String>, Query, description = "Where the page begins, from `next_cursor`"),
    ),
    responses((status = 200, description = "The people", body = Listing<MemberView>)),
    security(("bearer" = []))
)]
#[get("/v1/tenants/{tenant_id}/members")]
pub(super) async fn list_members(access: Access<Member>, page: Page) -> Result<HttpResponse> {
    let query = memberships::table
        .inner_join(users::table.on(users::id.eq(memberships::user_id)))
        .filter(memberships::tenant_id.eq(access.tenant_id()))
        .filter(memberships::ended_at.is_null())
        .filter(memberships::id.gt(page.after()))
        .order(memberships::id)
        .limit(page.rows())
        .select(Row::as_select());
    let rows = access
        .read(async |tx| tx.run(async |db| query.load(&mut &*db).await).await)
        .await?;
    let items = rows.into_iter().map(Row::view).collect();
    Ok(page.answer(items, |item: &MemberView| item.id))
}

/// Change a membership
///
/// Roles may be given and taken by those who may invite with them. A consultant's membership
/// changes through the engagement only (409).
#[utoipa::path(
    tag = "Members",
    operation_id = "update_member",
    request_body(content = MemberPatch, content_type = "application/merge-patch+json"),
    params(
        ("tenant_id" = Uuid, Path, description = "The tenant"),
        ("membership_id" = Uuid, Path, description = "The membership"),
        ("If-Match" = String, Header, description = "Version you read"),
    ),
    responses((status = 200, description = "The membership", body = MemberView)),
    security(("bearer" = []))
)]
#[patch("/v1/tenants/{tenant_id}/members/{membership_id}")]
pub(super) async fn update_member(
    access: Access<Invites>,
    path: web::Path<(Uuid, Uuid)>,
    if_match: IfMatch,
    callers: web::Data<Callers>,
    changes: Patch<MemberPatch>,
) -> Result<HttpResponse> {
    let (_, id) = path.into_inner();
    let view = access
        .write(async |tx| change(tx, &access, id, &if_match, changes.0).await)
        .await?;
    callers.forget_all();
    Ok(HttpResponse::Ok()
        .insert_header((ETAG, etag::of(view.version)))
        .json(view))
}

/// A running membership of the tenant.
async fn read(tx: &mut TenantTx<'_>, id: Uuid) -> Result<Row> {
    let query = memberships::table
        .inner_join(users::table.on(users::id.eq(memberships::user_id)))
        .filter(memberships::id.eq(id))
        .filter(memberships::tenant_id.eq(tx.scope()))
        .filter(memberships::ended_at.is_null())
        .select(Row::as_select());
    tx.run(async |db| query.first(&mut &*db).await).await
}

async fn change(
    tx: &mut TenantTx<'_>,
    access: &Access<Invites>,
    id: Uuid,
    if_match: &IfMatch,
    changes: MemberPatch,
) -> Result<MemberView> {
    // The lock on the tenant's chain comes first, so the row cannot move under us.
    let mut row = read(tx, id).await?;
    if_match.require(row.version)?;
    if row.engagement_id.is_some() {
        return Err(Problem::conflict(
            "This person comes from an engagement; change the assignment there.",
        ));
    }
    let MemberPatch { roles, valid_until } = changes;
    let before = row.roles();
    let after = roles.map_or(before, |roles| Roles::of(&roles));
    let until = valid_until.unwrap_or(row.valid_until);
    let kept: Vec<Role> = after.iter().collect();
    check_roles(&kept, until, tx.today()?)?;
    check_start(&row, until)?;
    check_right(tx, access, before, after, until != row.valid_until).await?;
    independence::check_roles(tx, access.tenant_id(), row.user_id, after, until).await?;
    row.version += 1;
    row.roles = after.names();
    row.valid_until = until;
    store(tx, &row, before).await?;
    Ok(row.view())
}

/// Writes the changed row and its event.
async fn store(tx: &mut TenantTx<'_>, row: &Row, before: Roles) -> Result<()> {
    let update = diesel::update(memberships::table.find(row.id)).set((
        memberships::roles.eq(row.roles.clone()),
        memberships::valid_until.eq(row.valid_until),
        memberships::version.eq(row.version),
        memberships::updated_at.eq(tx.now()),
    ));
    tx.run(async |db| update.execute(&mut &*db).await).await?;
    let data = json!({
        "roles": row.roles, "roles_before": before.names(), "user_id": row.user_id,
        "valid_until": row.valid_until,
    });
    tx.event("member.updated", "membership", row.id, &data)
}

fn check_start(row: &Row, until: Option<NaiveDate>) -> Result<()> {
    match until {
        Some(last) if last < row.valid_from => Err(Problem::invalid(
            "/valid_until",
            "must not be before valid_from",
        )),
        _ => Ok(()),
    }
}

/// 403 unless the caller may give every role that comes and take every role that goes; moving the
/// last day gives or takes them all.
async fn check_right<P: Permission>(
    tx: &mut TenantTx<'_>,
    access: &Access<P>,
    before: Roles,
    after: Roles,
    moves_end: bool,
) -> Result<()> {
    let person = access.caller().user_id();
    let standing = grants::standing(tx, access.tenant_id(), person).await?;
    let touched: Vec<Role> = before
        .with(after)
        .iter()
        .filter(|role| moves_end || before.has(*role) != after.has(*role))
        .collect();
    standing.require(&touched)
}

/// Remove somebody from a tenant
///
/// For those who may invite with the roles the person holds; a consultant is removed by top
/// management here, and by the firm through the engagement.
#[utoipa::path(
    tag = "Members",
    operation_id = "delete_member",
    params(
        ("tenant_id" = Uuid, Path, description = "The tenant"),
        ("membership_id" = Uuid, Path, description = "The membership"),
        ("If-Match" = String, Header, description = "Version you read"),
    ),
    responses((status = 204, description = "Removed")),
    security(("bearer" = []))
)]
#[delete("/v1/tenants/{tenant_id}/members/{membership_id}")]
pub(super) async fn end_member(
    access: Access<Invites>,
    path: web::Path<(Uuid, Uuid)>,
    if_match: IfMatch,
    callers: web::Data<Callers>,
) -> Result<HttpResponse> {
    let (_, id) = path.into_inner();
    access
        .write(async |tx| {
            let row = read(tx, id).await?;
            if row.engagement_id.is_none() {
                check_right(tx, &access, row.roles(), Roles::default(), true).await?;
            } else if !access.place().roles.has(Role::TopManagement) {
                return Err(Problem::forbidden(format!("This needs {}.", Ends::NEEDS)));
            }
            if_match.require(row.version)?;
            assignment_rows::end(tx, id, "removed from the tenant").await
        })
        .await?;
    callers.forget_all();
    Ok(HttpResponse::NoContent().finish())
}
