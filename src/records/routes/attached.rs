//! What hangs on a record: links, evidence, comments, history, versions, deadlines.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use super::super::comments::NewComment;
use super::super::links::NewLink;
use super::super::registry::registry;
use super::super::{attached, comments, deadlines, history, links, store, versions};
use super::{At, at, created, id_at, items, page};
use crate::http::cursor::Cursors;
use crate::http::json::{Json, Object};
use crate::http::query::Params;
use crate::problem::{Problem, Result};
use crate::tenancy::{Access, Answer, IdempotencyKey, Reads, Writes};

pub(super) async fn list_links(req: HttpRequest, access: Access<Reads>) -> Result<HttpResponse> {
    let At { entry, id } = at(&req)?;
    items(
        &access
            .read(async |tx| links::list(tx, entry, id, None, 200).await)
            .await?,
    )
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

fn hanging(req: &HttpRequest) -> Result<&'static super::super::Entry> {
    let name = req.match_info().get("attached").unwrap_or("evidence");
    registry()
        .attached_as(name)
        .ok_or_else(|| crate::http::edge::unrouted(req))
}

pub(super) async fn list_evidence(req: HttpRequest, access: Access<Reads>) -> Result<HttpResponse> {
    let At { entry, id } = at(&req)?;
    let hanging = hanging(&req)?;
    let body = access
        .read(async |tx| {
            let page = attached::list(tx, entry, id, hanging, None, 200).await?;
            let items: Vec<String> = page
                .iter()
                .map(|one| one.to_json())
                .collect::<Result<_>>()?;
            Ok(format!(
                "{{\"items\":[{}],\"next_cursor\":null}}",
                items.join(",")
            ))
        })
        .await?;
    Ok(page(&req, body, None))
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

pub(super) async fn list_comments(req: HttpRequest, access: Access<Reads>) -> Result<HttpResponse> {
    let At { entry, id } = at(&req)?;
    items(
        &access
            .read(async |tx| comments::list(tx, entry, id, None, 200).await)
            .await?,
    )
}

pub(super) async fn create_comment(
    req: HttpRequest,
    access: Access<Reads>,
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
    mut params: Params,
    cursors: web::Data<Cursors>,
) -> Result<HttpResponse> {
    let At { entry, id } = at(&req)?;
    let limit = params.limit()?;
    let cursor = params.take("cursor");
    params.finish()?;
    let context = format!("history {} {id}", access.tenant_id());
    let before = match cursor {
        Some(cursor) => cursors.open(&context, &cursor)?.as_i64(),
        None => None,
    };
    let mut found = access
        .read(async |tx| history::events_of(tx, entry, id, before, limit + 1).await)
        .await?;
    let limit = usize::try_from(limit).map_err(Problem::internal)?;
    let more = found.len() > limit;
    found.truncate(limit);
    let last = found
        .last()
        .and_then(|event| event.get("seq"))
        .filter(|_| more);
    let next = last.map(|seq| cursors.seal(&context, seq));
    let body = json!({"items": found, "next_cursor": next}).to_string();
    Ok(page(&req, body, next))
}

pub(super) async fn list_versions(req: HttpRequest, access: Access<Reads>) -> Result<HttpResponse> {
    let At { entry, id } = at(&req)?;
    items(
        &access
            .read(async |tx| versions::list(tx, entry, id, None, 200).await)
            .await?,
    )
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
) -> Result<HttpResponse> {
    let At { entry, id } = at(&req)?;
    let found = access
        .read(async |tx| {
            store::get(tx, entry, id).await?;
            let tenant = tx.scope();
            tx.run(async |db| deadlines::of_record(db, tenant, id).await)
                .await
        })
        .await?;
    items(&found)
}
