//! Rows under a record, what is shared of it, and the tenant's settings.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::super::rows::{self, Page, RowEntry, Wanted};
use super::super::settings::Settings;
use super::super::shares::{self, NewShare};
use super::super::{Entry, archive};
use super::{At, at, changed, id_at, page, resource};
use crate::http::cursor::Cursors;
use crate::http::etag::IfMatch;
use crate::http::json::{Json, Object};
use crate::http::query::Params;
use crate::problem::{Problem, Result};
use crate::tenancy::{Access, Answer, IdempotencyKey, Manages, Reads, TakesPart, Writes};

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
    let limit = params.limit()?;
    let from: Option<DateTime<Utc>> = params.take_as("from", instant)?;
    let until: Option<DateTime<Utc>> = params.take_as("until", instant)?;
    let person: Option<uuid::Uuid> = params.take_as("person_id", "an id")?;
    let cursor = params.take("cursor");
    params.finish()?;
    let context = format!(
        "rows {} {id} {} {from:?} {until:?} {person:?}",
        access.tenant_id(),
        rows_entry.list
    );
    let after = match cursor {
        Some(cursor) => {
            let opened = cursors.open(&context, &cursor)?;
            Some(serde_json::from_value(opened).map_err(Problem::internal)?)
        }
        None => None,
    };
    let wanted = Wanted {
        from,
        until,
        person,
        after,
        limit: limit + 1,
    };
    let Page {
        items: mut found,
        tally,
    } = access
        .read(async |tx| rows::list(tx, entry, rows_entry, id, wanted).await)
        .await?;
    let limit = usize::try_from(limit).map_err(Problem::internal)?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found
        .last()
        .filter(|_| more)
        .map(|(at, key, _)| cursors.seal(&context, &json!((at, key))));
    let items: Vec<String> = found.into_iter().map(|(.., body)| body).collect();
    let counted = match tally {
        Value::Null => String::new(),
        tally => format!(",\"tally\":{tally}"),
    };
    let body = format!(
        "{{\"items\":[{}],\"next_cursor\":{}{counted}}}",
        items.join(","),
        json!(next)
    );
    Ok(page(&req, body, next))
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
    mut params: Params,
    cursors: web::Data<Cursors>,
) -> Result<HttpResponse> {
    let At { entry, id } = at(&req)?;
    let limit = params.limit()?;
    let cursor = params.take("cursor");
    params.finish()?;
    let context = format!("shares {} {id}", access.tenant_id());
    let after = match cursor {
        Some(cursor) => {
            let opened = cursors.open(&context, &cursor)?;
            Some(serde_json::from_value(opened).map_err(Problem::internal)?)
        }
        None => None,
    };
    let mut found = access
        .read(async |tx| shares::list(tx, entry, id, after, limit + 1).await)
        .await?;
    let limit = usize::try_from(limit).map_err(Problem::internal)?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found
        .last()
        .filter(|_| more)
        .map(|share| cursors.seal(&context, &json!(share.person_id)));
    let body = json!({"items": found, "next_cursor": next}).to_string();
    Ok(page(&req, body, next))
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

pub(super) async fn get_settings(access: Access<Reads>) -> Result<HttpResponse> {
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
