//! Client organisations: what is known of them.

use actix_web::http::header::ETAG;
use actix_web::{HttpResponse, get, patch, web};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::zone_change;
use crate::http::etag::{self, IfMatch, IfNoneMatch};
use crate::identity::listing::{Listing, Page};
use crate::identity::names::check_name;
use crate::identity::patch::{Patch, clearable};
use crate::problem::{Problem, Result};
use crate::schema::tenants;
use crate::tenancy::{Access, Caller, Callers, Manages, Member, Role, Roles, TenantTx};

/// How far the work with a client has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Stage {
    /// Not a client yet.
    Prospect,
    /// Work goes on.
    Active,
    /// Work rests.
    Paused,
    /// The relation comes to its end.
    Offboarding,
    /// Kept for the record.
    Archived,
}

impl Stage {
    /// As in the database.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Prospect => "prospect",
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Offboarding => "offboarding",
            Self::Archived => "archived",
        }
    }
}

/// A client organisation as the caller sees it.
#[derive(Serialize, ToSchema)]
#[schema(as = Tenant)]
pub(super) struct TenantView {
    /// Its id.
    #[schema(example = "019abc12-3456-7890-abcd-ef0123456789")]
    pub(super) id: Uuid,
    /// The firm that runs it; null for a self-managed organisation.
    #[schema(example = "019abc12-0000-7000-8000-000000000002")]
    pub(super) consultancy_id: Option<Uuid>,
    /// Name.
    #[schema(example = "Aurelia Lending B.V.")]
    pub(super) name: String,
    /// Line of business.
    #[schema(example = "consumer credit")]
    pub(super) sector: Option<String>,
    /// Number of staff.
    #[schema(example = 240)]
    pub(super) size: Option<i32>,
    /// Country, ISO 3166-1 alpha-2.
    #[schema(example = "NL")]
    pub(super) country: Option<String>,
    /// IANA zone of its civil dates.
    #[schema(example = "Europe/Amsterdam")]
    pub(super) time_zone: String,
    /// Language of its documents (BCP 47).
    #[schema(example = "en")]
    pub(super) locale: String,
    /// prospect, active, paused, offboarding or archived.
    #[schema(value_type = Stage, example = "active")]
    pub(super) stage: String,
    /// Roles of the caller there; none for the owner of the firm, who manages it only.
    pub(super) roles: Vec<Role>,
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

/// A tenant in the database.
#[derive(Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = tenants, check_for_backend(diesel::pg::Pg))]
pub(super) struct TenantRow {
    pub(super) id: Uuid,
    pub(super) consultancy_id: Option<Uuid>,
    pub(super) name: String,
    pub(super) sector: Option<String>,
    pub(super) size: Option<i32>,
    pub(super) country: Option<String>,
    pub(super) time_zone: String,
    pub(super) locale: String,
    pub(super) stage: String,
    pub(super) version: i32,
    pub(super) created_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
}

impl TenantRow {
    /// As somebody with these roles sees it.
    pub(super) fn seen_with(self, roles: Roles) -> TenantView {
        let Self {
            id,
            consultancy_id,
            name,
            sector,
            size,
            country,
            time_zone,
            locale,
            stage,
            version,
            created_at,
            updated_at,
        } = self;
        TenantView {
            id,
            consultancy_id,
            name,
            sector,
            size,
            country,
            time_zone,
            locale,
            stage,
            roles: roles.iter().collect(),
            version,
            created_at,
            updated_at,
        }
    }
}

/// Changes to a tenant.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TenantPatch {
    /// Name; it holds no address of the web or of mail.
    #[schema(
        nullable = false,
        min_length = 1,
        max_length = 200,
        example = "Aurelia Lending B.V."
    )]
    name: Option<String>,
    /// Line of business; null clears it.
    #[serde(default, deserialize_with = "clearable")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200, example = "consumer credit")]
    sector: Option<Option<String>>,
    /// Number of staff; null clears it.
    #[serde(default, deserialize_with = "clearable")]
    #[schema(value_type = Option<i32>, minimum = 1, maximum = 10_000_000, example = 240)]
    size: Option<Option<i32>>,
    /// Country, ISO 3166-1 alpha-2; null clears it.
    #[serde(default, deserialize_with = "clearable")]
    #[schema(value_type = Option<String>, max_length = 2, pattern = "^[A-Z]{2}$", example = "NL")]
    country: Option<Option<String>>,
    /// IANA zone of its civil dates. What has begun stays begun when it is corrected.
    #[schema(nullable = false, max_length = 64, example = "Europe/Amsterdam")]
    time_zone: Option<String>,
    /// Language of its documents (BCP 47).
    #[schema(
        nullable = false,
        max_length = 35,
        pattern = "^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$",
        example = "nl"
    )]
    locale: Option<String>,
    /// How far the work has come.
    #[schema(nullable = false)]
    stage: Option<Stage>,
}

/// List tenants
///
/// The client organisations visible to the caller now: through a membership, an assignment to a
/// running engagement, or as owner of the firm that runs them.
#[utoipa::path(
    tag = "Tenants",
    operation_id = "list_tenants",
    params(
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "Items of a page, 50 unless told"),
        ("cursor" = Option<String>, Query, description = "Where the page begins, from `next_cursor`"),
    ),
    responses((status = 200, description = "Visible tenants", body = Listing<TenantView>)),
    security(("bearer" = []))
)]
#[get("/v1/tenants")]
pub(super) async fn list_tenants(caller: Caller, page: Page) -> Result<HttpResponse> {
    let visible: Vec<Uuid> = caller.tenants.iter().map(|place| place.tenant.id).collect();
    let query = tenants::table
        .filter(tenants::id.eq_any(visible))
        .filter(tenants::id.gt(page.after()))
        .order(tenants::id)
        .limit(page.rows())
        .select(TenantRow::as_select());
    let rows = caller
        .read(async |tx| tx.run(async |db| query.load(&mut &*db).await).await)
        .await?;
    let items = rows
        .into_iter()
        .map(|row| {
            let roles = caller.tenant(row.id)?.roles;
            Ok(row.seen_with(roles))
        })
        .collect::<Result<_>>()?;
    Ok(page.answer(items, |item: &TenantView| item.id))
}

/// Read a tenant
///
/// For everybody who can see it.
#[utoipa::path(
    tag = "Tenants",
    operation_id = "get_tenant",
    params(("tenant_id" = Uuid, Path, description = "The tenant")),
    responses((status = 200, description = "The tenant", body = TenantView)),
    security(("bearer" = []))
)]
#[get("/v1/tenants/{tenant_id}")]
pub(super) async fn get_tenant(
    access: Access<Member>,
    if_none_match: IfNoneMatch,
) -> Result<HttpResponse> {
    let row = access
        .read(async |tx| read(tx, access.tenant_id()).await)
        .await?;
    if if_none_match.matches(row.version) {
        return Ok(HttpResponse::NotModified()
            .insert_header((ETAG, etag::of(row.version)))
            .finish());
    }
    Ok(respond(row.seen_with(access.place().roles)))
}

/// Change a tenant
///
/// For its top management and AIMS manager, and the owner of the firm that runs it.
#[utoipa::path(
    tag = "Tenants",
    operation_id = "update_tenant",
    request_body(content = TenantPatch, content_type = "application/merge-patch+json"),
    params(
        ("tenant_id" = Uuid, Path, description = "The tenant"),
        ("If-Match" = String, Header, description = "Version you read"),
    ),
    responses((status = 200, description = "The tenant", body = TenantView)),
    security(("bearer" = []))
)]
#[patch("/v1/tenants/{tenant_id}")]
pub(super) async fn update_tenant(
    access: Access<Manages>,
    if_match: IfMatch,
    callers: web::Data<Callers>,
    changes: Patch<TenantPatch>,
) -> Result<HttpResponse> {
    let (id, roles) = (access.tenant_id(), access.place().roles);
    let row = access
        .write(async |tx| {
            // The lock on the tenant's chain comes first, so the version cannot move under us.
            let row = read(tx, id).await?;
            if_match.require(row.version)?;
            match changes.to(&row.clone().seen_with(roles))? {
                None => Ok(row),
                Some(changes) => change(tx, &row, changes).await,
            }
        })
        .await?;
    callers.forget_all();
    Ok(respond(row.seen_with(roles)))
}

fn respond(view: TenantView) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((ETAG, etag::of(view.version)))
        .json(view)
}

async fn read(tx: &mut TenantTx<'_>, id: Uuid) -> Result<TenantRow> {
    let query = tenants::table.find(id).select(TenantRow::as_select());
    tx.run(async |db| query.first(&mut &*db).await).await
}

/// 422 unless it names an IANA zone.
pub(super) fn check_zone(zone: &str) -> Result<Tz> {
    zone.parse().map_err(|error: chrono_tz::ParseError| {
        let mut problem = Problem::invalid(
            "/time_zone",
            "must be an IANA time zone such as Europe/Amsterdam",
        );
        problem.cause = Some(error.to_string().into());
        problem
    })
}

fn check_patch(changes: &TenantPatch) -> Result<()> {
    if let Some(name) = &changes.name {
        check_name(name, "/name")?;
    }
    if let Some(zone) = &changes.time_zone {
        check_zone(zone)?;
    }
    Ok(())
}

#[derive(AsChangeset)]
#[diesel(table_name = tenants)]
struct Changes {
    name: Option<String>,
    sector: Option<Option<String>>,
    size: Option<Option<i32>>,
    country: Option<Option<String>>,
    time_zone: Option<String>,
    locale: Option<String>,
    stage: Option<&'static str>,
    version: i32,
    updated_at: DateTime<Utc>,
}

async fn change(
    tx: &mut TenantTx<'_>,
    before: &TenantRow,
    patch: TenantPatch,
) -> Result<TenantRow> {
    check_patch(&patch)?;
    let id = before.id;
    let data = told(&patch);
    if let Some(zone) = &patch.time_zone {
        zone_change::keep_what_has_begun(tx, &before.time_zone, zone).await?;
    }
    let TenantPatch {
        name,
        sector,
        size,
        country,
        time_zone,
        locale,
        stage,
    } = patch;
    let changes = Changes {
        name,
        sector,
        size,
        country,
        time_zone,
        locale,
        stage: stage.map(Stage::as_str),
        version: before.version + 1,
        updated_at: tx.now(),
    };
    let row = diesel::update(tenants::table.find(id))
        .set(changes)
        .returning(TenantRow::as_returning());
    let row = tx.run(async |db| row.get_result(&mut &*db).await).await?;
    tx.event("tenant.updated", "tenant", id, &data)?;
    Ok(row)
}

/// The new values, for the event; fields that stay are left out.
fn told(patch: &TenantPatch) -> Value {
    let TenantPatch {
        name,
        sector,
        size,
        country,
        time_zone,
        locale,
        stage,
    } = patch;
    let told = [
        ("name", name.as_ref().map(|value| json!(value))),
        ("sector", sector.as_ref().map(|value| json!(value))),
        ("size", size.map(|value| json!(value))),
        ("country", country.as_ref().map(|value| json!(value))),
        ("time_zone", time_zone.as_ref().map(|value| json!(value))),
        ("locale", locale.as_ref().map(|value| json!(value))),
        ("stage", stage.map(|value| json!(value))),
    ];
    told.into_iter()
        .filter_map(|(field, value)| Some((field.to_owned(), value?)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}
