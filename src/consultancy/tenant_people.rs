//! The names behind the ids in a tenant: everybody who ever had a place there, or acted.

use actix_web::{HttpResponse, get};
use diesel::dsl::exists;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::identity::listing::{Listing, Page};
use crate::problem::Result;
use crate::schema::{consultancy_members, engagements, events, people, tenants, users};
use crate::tenancy::{Access, Reads, TenantTx, holders_among};

/// Somebody whose id stands in the tenant's records and history.
#[derive(Serialize, ToSchema)]
struct PersonView {
    /// The account: what `actor_id`, `created_by` and the like tell.
    #[schema(example = "019abc12-0000-7000-8000-000000000001")]
    id: Uuid,
    /// Name.
    #[schema(example = "Ana Gómez")]
    name: String,
    /// Whether the person reaches the records of the tenant now.
    #[schema(example = true)]
    is_member: bool,
}

/// List all people of a tenant, former ones too
///
/// Everybody who ever was a member of the tenant or assigned to it, and whoever of a consultancy
/// acted there: the names for the ids in histories, comments and records. For everybody with a
/// role in the tenant.
#[utoipa::path(
    tag = "Members",
    operation_id = "list_people",
    params(
        ("tenant_id" = Uuid, Path, description = "The tenant"),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "Items of a page, 50 unless told"),
        ("cursor" = Option<String>, Query, description = "Where the page begins, from `next_cursor`"),
    ),
    responses((status = 200, description = "The people", body = Listing<PersonView>)),
    security(("bearer" = []))
)]
#[get("/v1/tenants/{tenant_id}/people")]
pub(super) async fn list_people(access: Access<Reads>, page: Page) -> Result<HttpResponse> {
    let items = access
        .read(async |tx| {
            let found = find(tx, page.after(), page.rows()).await?;
            let ids: Vec<Uuid> = found.iter().map(|(id, _)| *id).collect();
            let here = holders_among(tx, &ids).await?;
            let view = |(id, name)| PersonView {
                id,
                name,
                is_member: here.contains(&id),
            };
            Ok(found.into_iter().map(view).collect())
        })
        .await?;
    Ok(page.answer(items, |item: &PersonView| item.id))
}

/// Ids and names after the id `after`, at most `rows`. Those without a place who can act are
/// people of firms: they are looked for among these, not in all events.
async fn find(tx: &mut TenantTx<'_>, after: Uuid, rows: i64) -> Result<Vec<(Uuid, String)>> {
    let tenant = tx.scope();
    let once = people::table
        .filter(people::tenant_id.eq(tenant))
        .select(people::user_id);
    let runs = tenants::table
        .filter(tenants::id.eq(tenant))
        .filter(tenants::consultancy_id.is_not_null())
        .select(tenants::consultancy_id.assume_not_null());
    let engaged = engagements::table
        .filter(engagements::tenant_id.eq(tenant))
        .select(engagements::consultancy_id);
    let acted = exists(
        events::table
            .filter(events::tenant_id.eq(tenant))
            .filter(events::actor_id.eq(consultancy_members::user_id.nullable())),
    );
    let of_firms = consultancy_members::table
        .filter(
            consultancy_members::consultancy_id
                .eq_any(runs)
                .or(consultancy_members::consultancy_id.eq_any(engaged)),
        )
        .filter(acted)
        .select(consultancy_members::user_id);
    let query = users::table
        .filter(users::id.eq_any(once).or(users::id.eq_any(of_firms)))
        .filter(users::id.gt(after))
        .order(users::id)
        .limit(rows)
        .select((users::id, users::name));
    tx.run(async |db| query.load(&mut &*db).await).await
}
