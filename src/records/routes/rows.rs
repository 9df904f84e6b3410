//! Rows under a record, what is shared of it, and the tenant's settings.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::super::rows::{self, Page, RowEntry, Wanted};
use super::super::settings::Settings;
use super::super::shares::{self, NewShare};
use super::super::{Entry, archive};
use super::{At, Paging, at, changed, id_at, resource};
use crate::http::cursor::Cursors;
use crate::http::etag::IfMatch;
use crate::http::json::{Json, Object};
use crate::http::query::Params;
use crate::problem::{Problem, Result};
use crate::tenancy::{Access, Answer, IdempotencyKey, Manages, Member, Reads, TakesPart, Writes};

fn rows_at(req: &HttpRequest, entry: &'static Entry) -> Result<&'static RowEntry> {
    let list = req.match_info().get("rows").unwrap_or_default();
    entry
        .rows_at(list)
        .ok_or_else(|| crate::http::edge::unrouted(req))
}

pub(super) async fn list_rows(
    req: HttpRequest,
    access: Access<Reads>,
    mut params: Params,
    cursors: web::Data<Cursors>,
) -> Result<HttpResponse> {
    let At { entry, id } = at(&req)?;
    let rows_entry = rows_at(&req, entry)?;
    let instant = "an instant such as 2027-01-11T08:00:00Z";
    let from: Option<DateTime<Utc>> = params.take_as("from", instant)?;
    let until: Option<DateTime<Utc>> = params.take_as("until", instant)?;
    let person: Option<Uuid> = params.take_as("person_id", "an id")?;
    let what = format!("rows {} {from:?} {until:?} {person:?}", rows_entry.list);
    let paging: Paging<(DateTime<Utc>, String)> =
        Paging::read(&what, access.tenant_id(), id, params, &cursors)?;
    let wanted = Wanted {
        from,
        until,
        person,
        after: paging.after.clone(),
        limit: paging.rows(),
    };
    let Page { items, tally } = access
        .read(async |tx| rows::list(tx, entry, rows_entry, id, wanted).await)
        .await?;
    paging.answer_with_tally(&req, &cursors, items, tally, |row| {
        (row.at, row.key.clone())
    })
}

pub(super) async fn add_rows(
    req: HttpRequest,
    access: Access<TakesPart>,
    key: IdempotencyKey,
    input: Object,
) -> Result<HttpResponse> {
    let At { entry, id } = at(&req)?;
    let rows_entry = rows_at(&req, entry)?;
    access
        .write_once(&key, input.sha256, async |tx| {
            let added = rows::add(tx, entry, rows_entry, id, input.fields).await?;
            let body = serde_json::to_string(&added).map_err(Problem::internal)?;
            Ok(Answer::ok(None, body))
        })
        .await
}

pub(super) async fn restore(
    req: HttpRequest,
    access: Access<Writes>,
    if_match: IfMatch,
) -> Result<HttpResponse> {
    let At { entry, id } = at(&req)?;
    let stored = access
        .write(async |tx| {
            archive::restore(tx, entry, id, |version| if_match.require(version)).await
        })
        .await?;
    changed(&stored)
}

pub(super) async fn list_shares(
    req: HttpRequest,
    access: Access<Reads>,
    params: Params,
    cursors: web::Data<Cursors>,
) -> Result<HttpResponse> {
    let At { entry, id } = at(&req)?;
    let paging: Paging<Uuid> = Paging::read("shares", access.tenant_id(), id, params, &cursors)?;
    let found = access
        .read(async |tx| shares::list(tx, entry, id, paging.after, paging.rows()).await)
        .await?;
    paging.answer(&req, &cursors, found, |share| share.person_id)
}

pub(super) async fn create_share(
    req: HttpRequest,
    access: Access<Writes>,
    key: IdempotencyKey,
    input: Json<NewShare>,
) -> Result<HttpResponse> {
    let At { entry, id } = at(&req)?;
    access
        .write_once(&key, input.sha256, async |tx| {
            let share = shares::create(tx, entry, id, input.value).await?;
            let body = serde_json::to_string(&share).map_err(Problem::internal)?;
            Ok(Answer::ok(None, body))
        })
        .await
}

pub(super) async fn delete_share(req: HttpRequest, access: Access<Writes>) -> Result<HttpResponse> {
    let At { entry, id } = at(&req)?;
    let person = id_at(&req, "person_id")?;
    access
        .write(async |tx| shares::delete(tx, entry, id, person).await)
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

pub(super) async fn get_settings(access: Access<Member>) -> Result<HttpResponse> {
    let (version, settings) = access
        .read(async |tx| Settings::read_version(tx).await)
        .await?;
    let body = serde_json::to_string(&settings).map_err(Problem::internal)?;
    Ok(resource(version, body))
}

pub(super) async fn update_settings(
    access: Access<Manages>,
    if_match: IfMatch,
    patch: Object,
) -> Result<HttpResponse> {
    let (version, settings) = access
        .write(async |tx| {
            Settings::change(tx, |version| if_match.require(version), patch.fields).await
        })
        .await?;
    let body = serde_json::to_string(&settings).map_err(Problem::internal)?;
    Ok(resource(version, body))
}
