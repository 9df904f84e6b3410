//! Who reaches a tenant: its own people, and the consultants assigned to it.

use actix_web::http::header::ETAG;
use actix_web::{HttpResponse, delete, get, patch, web};
use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::assignment_rows;
use super::last_top::{self, Until};
use super::tenant_invitations::check_roles;
use crate::http::etag::{self, IfMatch};
use crate::identity::accounts::Email;
use crate::identity::grants;
use crate::identity::independence;
use crate::identity::invitations::{self, PERSON_REMOVED, Place};
use crate::identity::listing::{Listing, Page};
use crate::identity::patch::{Patch, clearable};
use crate::problem::{Problem, Result};
use crate::records::{Owned, owned_by};
use crate::schema::{memberships, users};
use crate::tenancy::{
    Access, Callers, Ends, Holding, Invites, Member, Permission, PlaceState, Role, Roles, TenantTx,
};

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
    /// Whether the person reaches the tenant now.
    state: PlaceState,
    /// Optimistic lock; also the `ETag`.
    #[schema(example = 1)]
    version: i32,
}

#[derive(Clone, Queryable, Selectable)]
#[diesel(table_name = memberships, check_for_backend(diesel::pg::Pg))]
struct Row {
    #[diesel(embed)]
    holding: Holding,
    engagement_id: Option<Uuid>,
    version: i32,
    #[diesel(select_expression = (users::name, users::email))]
    person: (String, String),
}

impl Row {
    fn view(self, now: DateTime<Utc>) -> MemberView {
        let Self {
            holding,
            engagement_id,
            version,
            person: (name, email),
        } = self;
        MemberView {
            id: holding.id,
            user_id: holding.user_id,
            name,
            email,
            roles: holding.roles().iter().collect(),
            engagement_id,
            valid_from: holding.valid_from,
            valid_until: holding.valid_until,
            state: holding.state_at(now),
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
/// The client's own people and the consultants assigned to it, with who of them reaches the tenant
/// now; for everybody who can see the tenant. Memberships that somebody has ended are not listed.
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
    let query = Holding::open()
        .inner_join(users::table.on(users::id.eq(memberships::user_id)))
        .filter(memberships::tenant_id.eq(access.tenant_id()))
        .filter(memberships::id.gt(page.after()))
        .order(memberships::id)
        .limit(page.rows())
        .select(Row::as_select());
    let items = access
        .read(async |tx| {
            let rows: Vec<Row> = tx.run(async |db| query.load(&mut &*db).await).await?;
            let now = tx.now();
            Ok(rows.into_iter().map(|row| row.view(now)).collect())
        })
        .await?;
    Ok(page.answer(items, |item: &MemberView| item.id))
}

/// Change a membership
///
/// Roles may be given and taken by those who may invite with them. A consultant's membership
/// changes through the engagement only, and the last person of top management stays so (409).
/// Only top management lasts longer by their own hand; somebody of the consultancy gives
/// themselves no role, and their mandate as AIMS manager is changed by top management only. Fields
/// as they were read are no change.
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
        .write(async |tx| change(tx, &access, id, &if_match, changes).await)
        .await?;
    callers.forget_all();
    Ok(HttpResponse::Ok()
        .insert_header((ETAG, etag::of(view.version)))
        .json(view))
}

/// A running membership of the tenant.
async fn read(tx: &mut TenantTx<'_>, id: Uuid) -> Result<Row> {
    let query = Holding::open()
        .inner_join(users::table.on(users::id.eq(memberships::user_id)))
        .filter(memberships::id.eq(id))
        .filter(memberships::tenant_id.eq(tx.scope()))
        .select(Row::as_select());
    tx.run(async |db| query.first(&mut &*db).await).await
}

async fn change(
    tx: &mut TenantTx<'_>,
    access: &Access<Invites>,
    id: Uuid,
    if_match: &IfMatch,
    changes: Patch<MemberPatch>,
) -> Result<MemberView> {
    // The lock on the tenant's chain comes first, so the row cannot move under us.
    let row = read(tx, id).await?;
    if_match.require(row.version)?;
    let view = row.clone().view(tx.now());
    let Some(changes) = changes.to(&view)? else {
        return Ok(view);
    };
    if row.engagement_id.is_some() {
        return Err(Problem::conflict(
            "This person comes from an engagement; change the assignment there.",
        ));
    }
    let MemberPatch { roles, valid_until } = changes;
    let moves_end = valid_until.is_some();
    let next = Next {
        roles: roles.map_or(row.holding.roles(), |roles| Roles::of(&roles)),
        until: valid_until.unwrap_or(row.holding.valid_until),
    };
    let kept: Vec<Role> = next.roles.iter().collect();
    // A last day that stays may have passed.
    let today = tx.today()?;
    let from = if moves_end {
        today
    } else {
        row.holding.valid_from
    };
    check_roles(&kept, next.until, from)?;
    check_start(&row, next.until)?;
    check_right(tx, access, &row, Some(next)).await?;
    let (tenant, person) = (access.tenant_id(), row.holding.user_id);
    independence::check_roles(tx, tenant, person, next.roles, next.until).await?;
    let goes_on = match next.roles.has(Role::TopManagement) {
        true => Until::from(next.until),
        false => Until::Now,
    };
    last_top::check(tx, id, goes_on).await?;
    store(tx, &row, next).await?;
    Ok(read(tx, id).await?.view(tx.now()))
}

/// What a membership is to be.
#[derive(Clone, Copy)]
struct Next {
    roles: Roles,
    until: Option<NaiveDate>,
}

/// Writes the changed row and its event.
async fn store(tx: &mut TenantTx<'_>, row: &Row, next: Next) -> Result<()> {
    let Next { roles, until } = next;
    let id = row.holding.id;
    let update = diesel::update(memberships::table.find(id)).set((
        memberships::roles.eq(roles.names()),
        memberships::valid_until.eq(until),
        memberships::version.eq(row.version + 1),
        memberships::updated_at.eq(tx.now()),
    ));
    tx.run(async |db| update.execute(&mut &*db).await).await?;
    let data = json!({
        "roles": roles.names(), "roles_before": row.holding.roles().names(),
        "user_id": row.holding.user_id, "valid_until": until,
    });
    tx.event("member.updated", "membership", id, &data)
}

fn check_start(row: &Row, until: Option<NaiveDate>) -> Result<()> {
    match until {
        Some(last) if last < row.holding.valid_from => Err(Problem::invalid(
            "/valid_until",
            "must not be before valid_from",
        )),
        _ => Ok(()),
    }
}

/// 403 unless the caller may give every role that comes and take every role that goes; moving the
/// last day gives or takes them all, and so does an end (`next` is none).
async fn check_right<P: Permission>(
    tx: &mut TenantTx<'_>,
    access: &Access<P>,
    row: &Row,
    next: Option<Next>,
) -> Result<()> {
    let (tenant, caller) = (access.tenant_id(), access.caller().user_id());
    let Holding {
        user_id: person,
        valid_until,
        ..
    } = row.holding;
    let before = row.holding.roles();
    let after = next.map_or(Roles::default(), |next| next.roles);
    let moves_end = next.is_none_or(|next| next.until != valid_until);
    let touched: Vec<Role> = before
        .with(after)
        .iter()
        .filter(|role| moves_end || before.has(*role) != after.has(*role))
        .collect();
    let standing = grants::standing(tx, tenant, caller).await?;
    independence::check_mandate(tx, tenant, person, Roles::of(&touched), &standing).await?;
    standing.require(&touched)?;
    if person != caller || standing.roles.has(Role::TopManagement) {
        return Ok(());
    }
    let lasts_longer = next.is_some_and(|next| Until::from(next.until) > Until::from(valid_until));
    let gains = after.iter().any(|role| !before.has(role));
    match (lasts_longer, gains && standing.of_firm) {
        (true, _) => Err(Problem::forbidden(
            "Nobody but top management makes their own membership last longer.",
        )),
        (_, true) => Err(Problem::forbidden(
            "Somebody of the consultancy gives themselves no role of the client.",
        )),
        _ => Ok(()),
    }
}

/// A membership that was ended, and what it leaves behind.
#[derive(Serialize, ToSchema)]
struct EndedMember {
    /// The membership.
    #[schema(example = "019abc12-0000-7000-8000-000000000006")]
    id: Uuid,
    /// The account.
    #[schema(example = "019abc12-0000-7000-8000-000000000001")]
    user_id: Uuid,
    /// Open records that need another owner.
    owns: Owned,
}

/// Remove somebody from a tenant
///
/// For those who may invite with the roles the person holds; a consultant is removed by top
/// management here, and by the firm through the engagement. The last person of top management
/// stays (409). What is open for the person's address ends too: an older invitation does not lead
/// back. The answer lists the open records the person owns, as far as the caller sees them: they
/// need another owner.
#[utoipa::path(
    tag = "Members",
    operation_id = "delete_member",
    params(
        ("tenant_id" = Uuid, Path, description = "The tenant"),
        ("membership_id" = Uuid, Path, description = "The membership"),
        ("If-Match" = String, Header, description = "Version you read"),
    ),
    responses((status = 200, description = "Removed", body = EndedMember)),
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
    let ended = access
        .write(async |tx| {
            let row = read(tx, id).await?;
            if row.engagement_id.is_none() {
                check_right(tx, &access, &row, None).await?;
            } else if !access.place().roles.has(Role::TopManagement) {
                return Err(Problem::forbidden(format!("This needs {}.", Ends::NEEDS)));
            }
            if_match.require(row.version)?;
            end(tx, row).await
        })
        .await?;
    callers.forget_all();
    Ok(HttpResponse::Ok().json(ended))
}

async fn end(tx: &mut TenantTx<'_>, row: Row) -> Result<EndedMember> {
    let (id, user_id) = (row.holding.id, row.holding.user_id);
    last_top::check(tx, id, Until::Now).await?;
    let email = Email::parse(&row.person.1, "/email")?;
    let place = Place::Tenant(tx.scope());
    let revoked = invitations::revoke_all(tx, place, &email, PERSON_REMOVED).await?;
    let why = json!({"because": "removed from the tenant", "invitations_revoked": revoked});
    assignment_rows::end(tx, id, &why).await?;
    let owns = owned_by(tx, user_id).await?;
    Ok(EndedMember { id, user_id, owns })
}
