//! The routes of all kinds: one handler for each operation, whatever the kind. What is attached
//! to a record (links, evidence, comments, history) has its handlers in `attached.rs`; which there
//! are says `table.rs`.

mod attached;
mod table;

use actix_web::body::MessageBody;
use actix_web::guard::fn_guard;
use actix_web::http::header::{ETAG, LINK};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use self::table::is_declared;
pub(super) use self::table::{BASE, Declared, TABLE};
use super::batch::Batch;
use super::list::Listing;
use super::registry::{Entry, registry};
use super::row::Stored;
use super::shaping::{Shaping, write_all};
use super::transitions::{self, TransitionRequest};
use super::{batch, parts, store};
use crate::config::Config;
use crate::http::cursor::Cursors;
use crate::http::etag::{self, IfMatch, IfNoneMatch};
use crate::http::json::{Json, Object};
use crate::http::query::Params;
use crate::problem::{Problem, Result};
use crate::tenancy::{Access, Answer, IdempotencyKey, Reads, Writes};

/// Registers the routes of the [table](TABLE). What is no kind below `/v1/tenants/{tenant_id}` is
/// left to other routes.
pub fn routes(cfg: &mut web::ServiceConfig) {
    for rows in TABLE.chunk_by(|one, next| one.path == next.path) {
        let Some(path) = rows.first().map(|row| row.path) else {
            continue;
        };
        let guard = fn_guard(move |context| is_declared(path, context));
        let at = web::resource(format!("{BASE}/{path}")).guard(guard);
        let routes = rows.iter().map(|row| (row.route)());
        cfg.service(routes.fold(at, |at, route| at.route(route)));
    }
}

/// The kind and the record of an address. What is no kind or no id is not there.
struct At {
    entry: &'static Entry,
    id: Uuid,
}

fn entry_at(req: &HttpRequest) -> Result<&'static Entry> {
    let path = req.match_info().get("kind").unwrap_or_default();
    registry()
        .by_path(path)
        .ok_or_else(|| crate::http::edge::unrouted(req))
}

fn at(req: &HttpRequest) -> Result<At> {
    Ok(At {
        entry: entry_at(req)?,
        id: id_at(req, "id")?,
    })
}

fn id_at(req: &HttpRequest, name: &str) -> Result<Uuid> {
    req.match_info()
        .get(name)
        .and_then(|id| id.parse().ok())
        .ok_or_else(Problem::not_found)
}

fn part_at(req: &HttpRequest, entry: &'static Entry) -> Result<&'static super::Part> {
    let field = req.match_info().get("part").unwrap_or_default();
    parts::part_of(entry, field).ok_or_else(|| crate::http::edge::unrouted(req))
}

fn resource(version: i32, body: impl MessageBody + 'static) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/json")
        .insert_header((ETAG, etag::of(version)))
        .body(body)
}

fn items(items: &impl Serialize) -> Result<HttpResponse> {
    Ok(HttpResponse::Ok().json(json!({"items": items, "next_cursor": null})))
}

fn created(
    req: &HttpRequest,
    id: Uuid,
    version: Option<i32>,
    body: &impl Serialize,
) -> Result<Answer> {
    let body = serde_json::to_string(body).map_err(Problem::internal)?;
    Ok(Answer::created(
        format!("{}/{id}", req.path()),
        version,
        body,
    ))
}

fn page(req: &HttpRequest, body: impl MessageBody + 'static, next: Option<String>) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response.content_type("application/json");
    if let Some(next) = next {
        let others = url::form_urlencoded::parse(req.query_string().as_bytes())
            .filter(|(name, _)| name != "cursor");
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(others)
            .append_pair("cursor", &next)
            .finish();
        response.insert_header((LINK, format!("<{}?{query}>; rel=\"next\"", req.path())));
    }
    response.body(body)
}

async fn search(
    req: HttpRequest,
    access: Access<Reads>,
    params: Params,
    cursors: web::Data<Cursors>,
) -> Result<HttpResponse> {
    let listing = Listing::of_all(params)?;
    let (body, next) = access
        .read(async |tx| listing.run(tx, &cursors).await)
        .await?;
    Ok(page(&req, body, next))
}

async fn list(
    req: HttpRequest,
    access: Access<Reads>,
    params: Params,
    cursors: web::Data<Cursors>,
) -> Result<HttpResponse> {
    let listing = Listing::of_kind(entry_at(&req)?, params)?;
    let (body, next) = access
        .read(async |tx| listing.run(tx, &cursors).await)
        .await?;
    Ok(page(&req, body, next))
}

async fn create(
    req: HttpRequest,
    access: Access<Writes>,
    key: IdempotencyKey,
    input: Object,
) -> Result<HttpResponse> {
    let entry = entry_at(&req)?;
    access
        .write_once(&key, input.sha256, async |tx| {
            let stored = store::create(tx, entry, input.fields).await?;
            let location = format!("{}/{}", req.path(), stored.id);
            Ok(Answer::created(
                location,
                Some(stored.version),
                stored.to_json()?,
            ))
        })
        .await
}

async fn run_batch(
    req: HttpRequest,
    access: Access<Writes>,
    key: IdempotencyKey,
    input: Json<Batch>,
    config: web::Data<Config>,
) -> Result<HttpResponse> {
    let entry = entry_at(&req)?;
    access
        .write_once(&key, input.sha256, async |tx| {
            batch::run(tx, entry, input.value, &config.public_url).await
        })
        .await
}

async fn get(
    req: HttpRequest,
    access: Access<Reads>,
    mut params: Params,
    known: IfNoneMatch,
) -> Result<HttpResponse> {
    let At { entry, id } = at(&req)?;
    let shaping = Shaping::read(Some(entry), &mut params)?;
    params.finish()?;
    let (version, body) = access
        .read(async |tx| {
            if shaping.is_plain() {
                tx.last();
            }
            let stored = store::get(tx, entry, id).await?;
            let version = stored.version;
            let mut body = Vec::with_capacity(stored.json_size());
            write_all(tx, Some(entry), &[stored], &shaping, &mut body).await?;
            Ok((version, body))
        })
        .await?;
    if known.matches(version) {
        return Ok(HttpResponse::NotModified()
            .insert_header((ETAG, etag::of(version)))
            .finish());
    }
    Ok(resource(version, body))
}

fn changed(stored: &Stored) -> Result<HttpResponse> {
    Ok(resource(stored.version, stored.to_json()?))
}

async fn update(
    req: HttpRequest,
    access: Access<Writes>,
    if_match: IfMatch,
    patch: Object,
) -> Result<HttpResponse> {
    let At { entry, id } = at(&req)?;
    let stored = access
        .write(async |tx| {
            store::update(
                tx,
                entry,
                id,
                |version| if_match.require(version),
                patch.fields,
            )
            .await
        })
        .await?;
    changed(&stored)
}

async fn archive(
    req: HttpRequest,
    access: Access<Writes>,
    if_match: IfMatch,
) -> Result<HttpResponse> {
    let At { entry, id } = at(&req)?;
    access
        .write(async |tx| store::archive(tx, entry, id, |version| if_match.require(version)).await)
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn list_transitions(req: HttpRequest, access: Access<Reads>) -> Result<HttpResponse> {
    let At { entry, id } = at(&req)?;
    let options = access
        .read(async |tx| transitions::options(tx, entry, id).await)
        .await?;
    items(&options)
}

async fn make_transition(
    req: HttpRequest,
    access: Access<Writes>,
    if_match: IfMatch,
    key: IdempotencyKey,
    input: Json<TransitionRequest>,
) -> Result<HttpResponse> {
    let At { entry, id } = at(&req)?;
    access
        .write_once(&key, input.sha256, async |tx| {
            let expected = |version| if_match.require(version);
            let stored = transitions::make(tx, entry, id, expected, &input.value).await?;
            Ok(Answer::ok(Some(stored.version), stored.to_json()?))
        })
        .await
}

async fn list_part(req: HttpRequest, access: Access<Reads>) -> Result<HttpResponse> {
    let At { entry, id } = at(&req)?;
    let part = part_at(&req, entry)?;
    let (version, found) = access
        .read(async |tx| parts::list(tx, entry, id, part).await)
        .await?;
    let body = json!({"items": found, "next_cursor": null});
    Ok(resource(version, body.to_string()))
}

async fn get_part(req: HttpRequest, access: Access<Reads>) -> Result<HttpResponse> {
    let At { entry, id } = at(&req)?;
    let part = part_at(&req, entry)?;
    let key = req.match_info().get("key").unwrap_or_default();
    let (version, item) = access
        .read(async |tx| parts::get(tx, entry, id, part, key).await)
        .await?;
    Ok(resource(version, item.to_string()))
}

async fn put_part(
    req: HttpRequest,
    access: Access<Writes>,
    if_match: IfMatch,
    input: Object,
) -> Result<HttpResponse> {
    let At { entry, id } = at(&req)?;
    let part = part_at(&req, entry)?;
    let key = req.match_info().get("key").unwrap_or_default();
    let stored = access
        .write(async |tx| {
            let expected = |version| if_match.require(version);
            parts::put(tx, entry, id, part, key, expected, input.fields).await
        })
        .await?;
    changed(&stored)
}

async fn delete_part(
    req: HttpRequest,
    access: Access<Writes>,
    if_match: IfMatch,
) -> Result<HttpResponse> {
    let At { entry, id } = at(&req)?;
    let part = part_at(&req, entry)?;
    let key = req.match_info().get("key").unwrap_or_default();
    let stored = access
        .write(async |tx| {
            let expected = |version| if_match.require(version);
            parts::delete(tx, entry, id, part, key, expected).await
        })
        .await?;
    changed(&stored)
}
