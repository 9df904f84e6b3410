//! The ledger, and what it will hold, for reading.

use std::cmp::Reverse;
use std::collections::HashMap;

use actix_web::{get, web};
use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use futures_util::future::try_join_all;
use futures_util::try_join;
use serde::Serialize;
use serde_json::json;
use strum::VariantNames;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::deadlines;
use super::preview::{self, Position, PreviewItem, Span};
use crate::http::cursor::Cursors;
use crate::http::query::{Params, fault};
use crate::jobs::QUIET_STAGES;
use crate::problem::{Problem, Result};
use crate::records::{Called, RecordKind, Settings, called, whole_ids};
use crate::schema::{records, reminders, tenants};
use crate::tenancy::{Access, Oversees, TenantTx, members};

/// Where a reminder of the ledger stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema, strum::EnumString, strum::VariantNames)]
#[schema(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum ReminderState {
    /// It will go out.
    Planned,
    /// It went out.
    Sent,
    /// It will not go out.
    Cancelled,
}

/// Days ahead that a preview may look.
const PREVIEW_MOST: i64 = 400;
/// Days ahead that a preview looks when the client does not say.
const PREVIEW_DEFAULT: i64 = 90;

/// Steps looked at for a page of a preview beyond its size, as some reach nobody.
const SPARE: i64 = 50;

/// Mounts the routes.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list_reminders)
        .service(preview_reminders)
        .service(deadlines::list_deadlines);
}

/// A reminder of the ledger.
#[derive(Clone, Debug, Queryable, Selectable, Serialize, ToSchema)]
#[schema(as = Reminder)]
#[diesel(table_name = reminders, check_for_backend(diesel::pg::Pg))]
pub struct ReminderItem {
    /// Its id.
    pub id: Uuid,
    /// The record.
    pub record_id: Uuid,
    /// Kind of the record.
    #[diesel(select_expression = records::kind)]
    #[schema(value_type = RecordKind, example = "risk")]
    pub kind: String,
    /// Reference of the record.
    #[diesel(select_expression = records::ref_)]
    #[schema(example = "RSK-014")]
    pub r#ref: String,
    /// Title of the record; null where its recipient was told of it without seeing it.
    #[diesel(select_expression = records::title.nullable())]
    pub title: Option<String>,
    /// Name of the deadline within the record.
    #[schema(example = "review")]
    pub deadline: String,
    /// Due date it is about.
    pub due_on: NaiveDate,
    /// The instant it is about, where there is one.
    pub due_at: Option<DateTime<Utc>>,
    /// Days before the due date; negative when overdue.
    pub lead_days: i32,
    /// Hours besides, before what is due at an instant.
    pub lead_hours: i32,
    /// Who gets it.
    pub recipient_id: Uuid,
    /// `responsible`, `nobody_left` (stands in, because nobody responsible can be reached) or
    /// `escalated` (overdue for too long).
    #[schema(value_type = crate::reminders::recipients::Why, example = "responsible")]
    pub why: String,
    /// How: `mail`.
    #[schema(example = "mail")]
    pub channel: String,
    /// `planned`, `sent` or `cancelled`.
    #[schema(value_type = ReminderState, example = "sent")]
    pub state: String,
    /// Why it was cancelled.
    pub reason: Option<String>,
    /// When it was to go out.
    pub send_at: DateTime<Utc>,
    /// When it was sent or cancelled.
    pub finished_at: Option<DateTime<Utc>>,
    /// When it was written into the ledger.
    pub created_at: DateTime<Utc>,
}

/// A page of the ledger.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReminderPage {
    /// Reminders, newest first.
    pub items: Vec<ReminderItem>,
    /// Cursor of the next page, if there is one.
    pub next_cursor: Option<String>,
}

/// A page of a preview.
#[derive(Debug, Serialize, ToSchema)]
pub struct PreviewPage {
    /// Reminders that would be sent, the next one first.
    pub items: Vec<PreviewItem>,
    /// Cursor of the next page, if there is one.
    pub next_cursor: Option<String>,
}

/// Cuts a list that was read one longer than a page, and seals where the next page begins.
pub(super) fn page<T>(
    mut items: Vec<T>,
    limit: i64,
    seal: impl FnOnce(&T) -> String,
) -> (Vec<T>, Option<String>) {
    let size = usize::try_from(limit).unwrap_or_default();
    if items.len() <= size {
        return (items, None);
    }
    items.truncate(size);
    let next = items.last().map(seal);
    (items, next)
}

/// A date among the parameters, as strict as those of records.
pub(super) fn day(params: &mut Params, name: &str) -> Result<Option<NaiveDate>> {
    let wanted = "a date from 1900 to 2200, such as 2027-01-31";
    let Some(text) = params.take(name) else {
        return Ok(None);
    };
    let day = text.parse::<NaiveDate>().ok();
    day.filter(|day| day.to_string() == text && (1900..=2200).contains(&day.year()))
        .map(Some)
        .ok_or_else(|| fault(name, &format!("must be {wanted}")))
}

/// The position a client came back with.
pub(super) fn position<T: serde::de::DeserializeOwned>(
    params: &mut Params,
    cursors: &Cursors,
    context: &str,
) -> Result<Option<T>> {
    params
        .take("cursor")
        .map(|cursor| cursors.open(context, &cursor))
        .transpose()?
        .map(|value| serde_json::from_value(value).map_err(Problem::internal))
        .transpose()
}

fn states(params: &mut Params) -> Result<Vec<String>> {
    let Some(wanted) = params.take("state") else {
        let all = ReminderState::VARIANTS.iter();
        return Ok(all.map(|state| (*state).to_owned()).collect());
    };
    let mut wanted: Vec<String> = wanted.split(',').map(str::to_owned).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let known = |state: &String| state.parse::<ReminderState>().is_ok();
    match wanted.iter().all(known) {
        true => Ok(wanted),
        false => Err(fault("state", "must be planned, sent or cancelled")),
    }
}

/// The title of a record that the actor sees, as they see it.
fn title_seen(called: &HashMap<Uuid, Called>, record: Uuid) -> Option<String> {
    called.get(&record).map(|seen| seen.title.clone())
}

/// Of what would be sent, what the actor sees: all about a record that they see as a whole, else
/// what they would get themselves, with the title that their mail would tell.
async fn as_seen(tx: &mut TenantTx<'_>, items: &mut Vec<PreviewItem>) -> Result<()> {
    let ids: Vec<Uuid> = items.iter().map(|item| item.record_id).collect();
    let called = called(tx, &ids).await?;
    let query = whole_ids(tx)?.filter(records::id.eq_any(ids));
    let whole: Vec<Uuid> = tx.run(async |db| query.load(&mut &*db).await).await?;
    let me = tx.actor().person();
    items.retain_mut(|item| {
        item.title = title_seen(&called, item.record_id);
        whole.contains(&item.record_id) || me == Some(item.recipient_id)
    });
    Ok(())
}

/// List reminders
///
/// The ledger of reminders, newest first: what is planned, what was sent, and what was cancelled
/// and why. Of records that you do not see there are only those that went to yourself, without
/// the title, as the mail.
#[utoipa::path(
    tag = "Reminders",
    operation_id = "list_reminders",
    params(
        ("tenant_id" = Uuid, Path, description = "The tenant"),
        ("state" = Option<Vec<ReminderState>>, Query, style = Form, explode = false, description = "In any of these states; one or more, separated by commas"),
        ("limit" = Option<i64>, Query, description = "Items of a page", minimum = 1, maximum = 200),
        ("cursor" = Option<String>, Query, description = "Where the page begins, from `next_cursor`"),
    ),
    responses((status = 200, description = "A page of the ledger.", body = ReminderPage)),
    security(("bearer" = []))
)]
#[get("/v1/tenants/{tenant_id}/reminders")]
async fn list_reminders(
    access: Access<Oversees>,
    cursors: web::Data<Cursors>,
    mut params: Params,
) -> Result<web::Json<ReminderPage>> {
    let (tenant_id, limit, states) = (access.tenant_id(), params.limit()?, states(&mut params)?);
    let context = format!("reminders|{tenant_id}|{}", states.join(","));
    let before: Option<Uuid> = position(&mut params, &cursors, &context)?;
    params.finish()?;
    let of_state = |tx: &TenantTx<'_>, state: String| {
        let own = reminders::recipient_id.eq_any(tx.actor().person());
        let query = reminders::table
            .inner_join(
                records::table.on(records::tenant_id
                    .eq(reminders::tenant_id)
                    .and(records::id.eq(reminders::record_id))),
            )
            .filter(reminders::tenant_id.eq(tenant_id))
            .filter(reminders::record_id.eq_any(whole_ids(tx)?).or(own))
            .filter(reminders::state.eq(state))
            .filter(reminders::id.lt(before.unwrap_or(Uuid::max())))
            .order(reminders::id.desc())
            .limit(limit + 1)
            .select(ReminderItem::as_select());
        Ok(query)
    };
    let mut found: Vec<ReminderItem> = access
        .read(async |tx| {
            // One index for each state, so that a rare one is found among many others.
            let queries = states
                .into_iter()
                .map(|state| of_state(tx, state))
                .collect::<Result<Vec<_>>>()?;
            let found = tx
                .run(async |db| {
                    let loads = queries
                        .into_iter()
                        .map(async |query| query.load(&mut &*db).await);
                    try_join_all(loads).await
                })
                .await?;
            let mut found: Vec<ReminderItem> = found.into_iter().flatten().collect();
            let ids: Vec<Uuid> = found.iter().map(|item| item.record_id).collect();
            let called = called(tx, &ids).await?;
            for item in &mut found {
                item.title = title_seen(&called, item.record_id);
            }
            Ok(found)
        })
        .await?;
    found.sort_unstable_by_key(|item| Reverse(item.id));
    let (items, next_cursor) = page(found, limit, |last: &ReminderItem| {
        cursors.seal(&context, &json!(last.id))
    });
    Ok(web::Json(ReminderPage { items, next_cursor }))
}

/// Preview reminders
///
/// What would be sent from now until a day, at most 400 days ahead, if everything stayed as it
/// is: nothing is met, nobody joins or leaves. A page may hold fewer reminders than asked for
/// while there are more.
#[utoipa::path(
    tag = "Reminders",
    operation_id = "preview_reminders",
    params(
        ("tenant_id" = Uuid, Path, description = "The tenant"),
        ("until" = Option<NaiveDate>, Query, description = "Last day, in the tenant's zone; 90 days ahead when left out", example = "2027-01-31"),
        ("limit" = Option<i64>, Query, description = "Items of a page", minimum = 1, maximum = 200),
        ("cursor" = Option<String>, Query, description = "Where the page begins, from `next_cursor`"),
    ),
    responses((status = 200, description = "A page of what would be sent.", body = PreviewPage)),
    security(("bearer" = []))
)]
#[get("/v1/tenants/{tenant_id}/reminders/preview")]
async fn preview_reminders(
    access: Access<Oversees>,
    cursors: web::Data<Cursors>,
    mut params: Params,
) -> Result<web::Json<PreviewPage>> {
    let (tenant_id, limit) = (access.tenant_id(), params.limit()?);
    let until = day(&mut params, "until")?;
    let context = format!("preview|{tenant_id}|{until:?}");
    let after: Option<Position> = position(&mut params, &cursors, &context)?;
    params.finish()?;
    let most = usize::try_from(limit).unwrap_or_default();
    let looked_at = limit + SPARE;
    let (items, next) = access
        .read(async |tx| {
            let (now, today, zone) = (tx.now(), tx.today()?, tx.tenant()?.zone);
            let until = until.unwrap_or(today + TimeDelta::days(PREVIEW_DEFAULT));
            if (until - today).num_days() > PREVIEW_MOST {
                let most = format!("must be at most {PREVIEW_MOST} days ahead");
                return Err(fault("until", &most));
            }
            let stage = tenants::table.find(tenant_id).select(tenants::stage);
            let (profiles, members, warn, stage) = tx
                .run(async |db| {
                    try_join!(
                        preview::profiles(db, tenant_id),
                        members(db, tenant_id),
                        Settings::warning_days(db, tenant_id),
                        stage.first::<String>(&mut &*db),
                    )
                })
                .await?;
            if QUIET_STAGES.contains(&stage.as_str()) {
                return Ok((Vec::new(), None));
            }
            let span = Span {
                warn,
                zone,
                now,
                until,
                after,
            };
            let found = tx
                .run(async |db| {
                    preview::streams(db, tenant_id, &profiles, &span, looked_at + 1).await
                })
                .await?;
            let looked_at = usize::try_from(looked_at).unwrap_or_default();
            let (mut items, next) = preview::merge(found, &members, &span, looked_at, most);
            as_seen(tx, &mut items).await?;
            Ok((items, next))
        })
        .await?;
    let next_cursor = next.map(|next| cursors.seal(&context, &json!(next)));
    Ok(web::Json(PreviewPage { items, next_cursor }))
}
