//! How a tenant begins: with the engagement under which its consultancy works for it.

use actix_web::{HttpResponse, post, web};
use diesel_async::RunQueryDsl;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::assignment_rows::{self, NewMembership};
use super::engagement_rows::{self, NewRow, Service};
use super::tenants::{Stage, TenantRow, TenantView, check_zone};
use crate::http::json::Json;
use crate::identity::desk::json_of;
use crate::identity::names::check_name;
use crate::problem::{Problem, Result};
use crate::schema::tenants;
use crate::tenancy::{
    Answer, Caller, Callers, FirmRole, IdempotencyKey, Role, Roles, Tenant, TenantTx,
};

/// A client organisation to take on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewTenant {
    /// The firm that will run it.
    #[schema(example = "019abc12-0000-7000-8000-000000000002")]
    consultancy_id: Uuid,
    /// Name; it holds no address of the web or of mail.
    #[schema(min_length = 1, max_length = 200, example = "Aurelia Lending B.V.")]
    name: String,
    /// Line of business.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 200, example = "consumer credit")]
    sector: Option<String>,
    /// Number of staff.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 10_000_000, example = 240)]
    size: Option<i32>,
    /// Country, ISO 3166-1 alpha-2.
    #[serde(default)]
    #[schema(max_length = 2, pattern = "^[A-Z]{2}$", example = "NL")]
    country: Option<String>,
    /// IANA zone of its civil dates.
    #[schema(max_length = 64, example = "Europe/Amsterdam")]
    time_zone: String,
    /// Language of its documents (BCP 47); en unless told.
    #[serde(default)]
    #[schema(
        max_length = 35,
        pattern = "^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$",
        example = "en"
    )]
    locale: Option<String>,
    /// How far the work has come; active unless told.
    #[serde(default)]
    stage: Option<Stage>,
}

/// A tenant that has just begun.
#[derive(Serialize, ToSchema)]
struct BegunTenant {
    /// The tenant.
    #[serde(flatten)]
    tenant: TenantView,
    /// The engagement under which the firm works for it.
    #[schema(example = "019abc12-0000-7000-8000-000000000004")]
    engagement_id: Uuid,
}

/// Begin a tenant
///
/// For owners and leads of the firm. An engagement of the service `implementation` begins today;
/// a lead is assigned to it as lead, an owner is not, and assigns whom they like.
#[utoipa::path(
    tag = "Tenants",
    operation_id = "create_tenant",
    request_body = NewTenant,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a repeated request harmless")),
    responses((status = 201, description = "Begun", body = BegunTenant)),
    security(("bearer" = []))
)]
#[post("/v1/tenants")]
pub(super) async fn create_tenant(
    caller: Caller,
    key: IdempotencyKey,
    callers: web::Data<Callers>,
    body: Json<NewTenant>,
) -> Result<HttpResponse> {
    let firm = body.value.consultancy_id;
    let Ok(role) = caller.firm(firm) else {
        let detail = "There is no consultancy of yours with this id.";
        return Err(Problem::invalid("/consultancy_id", detail));
    };
    if role == FirmRole::Consultant {
        return Err(Problem::forbidden(
            "This needs owner or lead of the consultancy.",
        ));
    }
    check_name(&body.value.name, "/name")?;
    let response = caller
        .write_once(firm, &key, body.sha256, async |tx| {
            let begun = begin(tx, body.value, role).await?;
            tx.switch(firm, None).await?;
            let location = format!("/v1/tenants/{}", begun.tenant.id);
            let version = begun.tenant.version;
            Ok(Answer::created(location, Some(version), json_of(&begun)?))
        })
        .await?;
    callers.forget_all();
    Ok(response)
}

async fn begin(tx: &mut TenantTx<'_>, new: NewTenant, role: FirmRole) -> Result<BegunTenant> {
    let firm = new.consultancy_id;
    let tenant = Tenant {
        id: Uuid::now_v7(),
        name: new.name.clone(),
        zone: check_zone(&new.time_zone)?,
    };
    let row = row_of(new, tenant.id, tx);
    let data = json!({"consultancy_id": firm, "name": row.name, "stage": row.stage});
    tx.event("tenant.created", "tenant", tenant.id, &data)?;
    let id = tenant.id;
    tx.switch(id, Some(tenant)).await?;
    let insert = diesel::insert_into(tenants::table).values(row.clone());
    tx.run(async |db| insert.execute(&mut &*db).await).await?;
    tx.event("tenant.created", "tenant", id, &data)?;
    let today = tx.today()?;
    let engagement = NewRow {
        consultancy_id: firm,
        tenant_id: id,
        service: Service::Implementation,
        starts_on: today,
        ends_on: None,
    };
    let engagement_id = engagement_rows::insert(tx, engagement).await?;
    let mut roles = Roles::default();
    if role == FirmRole::Lead {
        roles = Roles::of(&[Role::Lead]);
        assign_lead(tx, id, engagement_id).await?;
    }
    Ok(BegunTenant {
        tenant: row.seen_with(roles),
        engagement_id,
    })
}

/// Assigns whoever acts as lead, from today on.
async fn assign_lead(tx: &mut TenantTx<'_>, tenant_id: Uuid, engagement_id: Uuid) -> Result<()> {
    let membership = NewMembership {
        tenant_id,
        engagement_id,
        user_id: tx.actor().person().unwrap_or_default(),
        role: FirmRole::Lead,
        valid_from: tx.today()?,
        valid_until: None,
    };
    assignment_rows::insert(tx, membership).await?;
    Ok(())
}

fn row_of(new: NewTenant, id: Uuid, tx: &TenantTx<'_>) -> TenantRow {
    let NewTenant {
        consultancy_id,
        name,
        sector,
        size,
        country,
        time_zone,
        locale,
        stage,
    } = new;
    TenantRow {
        id,
        consultancy_id: Some(consultancy_id),
        name,
        sector,
        size,
        country,
        time_zone,
        locale: locale.unwrap_or_else(|| "en".to_owned()),
        stage: stage.unwrap_or(Stage::Active).as_str().to_owned(),
        version: 1,
        created_at: tx.now(),
        updated_at: tx.now(),
    }
}
