//! What hangs on a record: links, evidence, comments, history, versions, deadlines.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::super::comments::NewComment;
use super::super::links::NewLink;
use super::super::registry::registry;
use super::super::{Entry, attached, comments, deadlines, history, links, store, trail, versions};
use super::{At, Paging, at, created, id_at};
use crate::http::cursor::Cursors;
use crate::http::json::{Json, Object};
use crate::http::query::Params;
use crate::problem::{Problem, Result};
use crate::tenancy::{Access, Answer, IdempotencyKey, Oversees, Reads, Writes};

pub(super) async fn list_links(
    req: HttpRequest,
    access: Access<Reads>,
    params: Params,
    cursors: web::Data<Cursors>,
) -> Result<HttpResponse> {
    let At { entry, id } = at(&req)?;
    let paging: Paging<Uuid> = Paging::read("links", access.tenant_id(), id, params, &cursors)?;
    let found = access
        .read(async |tx| links::list(tx, entry, id, paging.after, paging.rows()).await)
        .await?;
    paging.answer(&req, &cursors, found, |link| link.id)
}

pub(super) async fn get_link(req: HttpRequest, access: Access<Reads>) -> Result<HttpResponse> {
    let At { entry, id } = at(&req)?;
    let link = id_at(&req, "link_id")?;
    let link = access
        .read(async |tx| links::get(tx, entry, id, link).await)
        .await?;
    Ok(HttpResponse::Ok().json(link))
}

pub(super) async fn create_link(
    req: HttpRequest,
    access: Access<Writes>,
    key: IdempotencyKey,
    input: Json<NewLink>,
) -> Result<HttpResponse> {
    let At { entry, id } = at(&req)?;
    access
        .write_once(&key, input.sha256, async |tx| {
            let link = links::create(tx, entry, id, input.value).await?;
            created(&req, link.id, None, &link)
        })
        .await
}

pub(super) async fn delete_link(req: HttpRequest, access: Access<Writes>) -> Result<HttpResponse> {
    let At { entry, id } = at(&req)?;
    let link = id_at(&req, "link_id")?;
    access
        .write(async |tx| links::delete(tx, entry, id, link).await)
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The kind that hangs on records under the last name of the address.
fn hanging(req: &HttpRequest) -> Result<&'static Entry> {
    let name = req.path().rsplit('/').next().unwrap_or_default();
    registry()
        .attached_as(name)
        .ok_or_else(|| crate::http::edge::unrouted(req))
}

pub(super) async fn list_evidence(
    req: HttpRequest,
    access: Access<Reads>,
    params: Params,
    cursors: web::Data<Cursors>,
) -> Result<HttpResponse> {
    let At { entry, id } = at(&req)?;
    let hanging = hanging(&req)?;
    let paging: Paging<Uuid> = Paging::read("attached", access.tenant_id(), id, params, &cursors)?;
    let found = access
        .read(async |tx| attached::list(tx, entry, id, hanging, paging.after, paging.rows()).await)
        .await?;
    let found: Vec<(Uuid, Box<RawValue>)> = found
        .iter()
        .map(|one| {
            let shown = RawValue::from_string(one.to_json()?).map_err(Problem::internal)?;
            Ok((one.id, shown))
        })
        .collect::<Result<_>>()?;
    let place = found.get(paging.limit.saturating_sub(1)).map(|(id, _)| *id);
    let found = found.into_iter().map(|(_, shown)| shown).collect();
    paging.answer(&req, &cursors, found, |_| place.unwrap_or_default())
}

pub(super) async fn attach_evidence(
    req: HttpRequest,
    access: Access<Writes>,
    key: IdempotencyKey,
    input: Object,
) -> Result<HttpResponse> {
    let At { entry, id } = at(&req)?;
    let hanging = hanging(&req)?;
    access
        .write_once(&key, input.sha256, async |tx| {
            let stored = attached::attach(tx, entry, id, hanging, input.fields).await?;
            let location = format!(
                "/v1/tenants/{}/{}/{}",
                tx.scope(),
                hanging.info.path,
                stored.id
            );
            Ok(Answer::created(
                location,
                Some(stored.version),
                stored.to_json()?,
            ))
        })
        .await
}

pub(super) async fn list_comments(
    req: HttpRequest,
    access: Access<Reads>,
    params: Params,
    cursors: web::Data<Cursors>,
) -> Result<HttpResponse> {
    let At { entry, id } = at(&req)?;
    let paging: Paging<Uuid> = Paging::read("comments", access.tenant_id(), id, params, &cursors)?;
    let found = access
        .read(async |tx| comments::list(tx, entry, id, paging.after, paging.rows()).await)
        .await?;
    paging.answer(&req, &cursors, found, |comment| comment.id)
}

pub(super) async fn get_comment(req: HttpRequest, access: Access<Reads>) -> Result<HttpResponse> {
    let At { entry, id } = at(&req)?;
    let comment = id_at(&req, "comment_id")?;
    let comment = access
        .read(async |tx| comments::get(tx, entry, id, comment).await)
        .await?;
    Ok(HttpResponse::Ok().json(comment))
}

pub(super) async fn create_comment(
    req: HttpRequest,
    access: Access<Writes>,
    key: IdempotencyKey,
    input: Json<NewComment>,
) -> Result<HttpResponse> {
    let At { entry, id } = at(&req)?;
    access
        .write_once(&key, input.sha256, async |tx| {
            let comment = comments::create(tx, entry, id, input.value).await?;
            created(&req, comment.id, None, &comment)
        })
        .await
}

pub(super) async fn list_history(
    req: HttpRequest,
    access: Access<Reads>,
    params: Params,
    cursors: web::Data<Cursors>,
) -> Result<HttpResponse> {
    let At { entry, id } = at(&req)?;
    let paging: Paging<i64> = Paging::read("history", access.tenant_id(), id, params, &cursors)?;
    let found = access
        .read(async |tx| history::events_of(tx, entry, id, paging.after, paging.rows()).await)
        .await?;
    paging.answer(&req, &cursors, found, |event| {
        let seq = event.get("seq").and_then(serde_json::Value::as_i64);
        seq.unwrap_or_default()
    })
}

pub(super) async fn list_events(
    req: HttpRequest,
    access: Access<Oversees>,
    mut params: Params,
    cursors: web::Data<Cursors>,
) -> Result<HttpResponse> {
    let filter = trail::Filter::read(&mut params)?;
    let what = format!("events {filter:?}");
    let tenant = access.tenant_id();
    let paging: Paging<i64> = Paging::read(&what, tenant, tenant, params, &cursors)?;
    let found = access
        .read(async |tx| trail::list(tx, &filter, paging.after, paging.rows()).await)
        .await?;
    paging.answer(&req, &cursors, found, |event| event.seq)
}

pub(super) async fn list_versions(
    req: HttpRequest,
    access: Access<Reads>,
    params: Params,
    cursors: web::Data<Cursors>,
) -> Result<HttpResponse> {
    let At { entry, id } = at(&req)?;
    let paging: Paging<i32> = Paging::read("versions", access.tenant_id(), id, params, &cursors)?;
    let found = access
        .read(async |tx| versions::list(tx, entry, id, paging.after, paging.rows()).await)
        .await?;
    paging.answer(&req, &cursors, found, |version| version.number)
}

pub(super) async fn get_version(req: HttpRequest, access: Access<Reads>) -> Result<HttpResponse> {
    let At { entry, id } = at(&req)?;
    let number = req
        .match_info()
        .get("number")
        .and_then(|number| number.parse().ok());
    let number = number.ok_or_else(Problem::not_found)?;
    let version = access
        .read(async |tx| versions::get(tx, entry, id, number).await)
        .await?;
    Ok(HttpResponse::Ok().json(version))
}

pub(super) async fn list_deadlines(
    req: HttpRequest,
    access: Access<Reads>,
    params: Params,
    cursors: web::Data<Cursors>,
) -> Result<HttpResponse> {
    let At { entry, id } = at(&req)?;
    let paging: Paging<String> =
        Paging::read("deadlines", access.tenant_id(), id, params, &cursors)?;
    let mut found = access
        .read(async |tx| {
            store::get(tx, entry, id).await?;
            let tenant = tx.scope();
            tx.run(async |db| deadlines::of_record(db, tenant, id).await)
                .await
        })
        .await?;
    // First things first; a page begins after the deadline that the last one ended with.
    let seen = paging.after.as_ref().map_or(0, |name| {
        let place = found.iter().position(|deadline| deadline.name == *name);
        place.map_or(0, |place| place + 1)
    });
    found.drain(..seen);
    paging.answer(&req, &cursors, found, |deadline| deadline.name.clone())
}
