//! The routes of all kinds: one handler for each operation, whatever the kind. What is attached
//! to a record (links, evidence, comments, history) has its handlers in `attached.rs`; which there
//! are says `table.rs`.

mod attached;
mod rows;
mod table;

use actix_web::body::MessageBody;
use actix_web::guard::fn_guard;
use actix_web::http::header::{ETAG, LINK};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use uuid::Uuid;

use self::table::is_declared;
pub(super) use self::table::{BASE, Declared, TABLE};
use super::batch::Batch;
use super::entry::Entry;
use super::list::Listing;
use super::registry::registry;
use super::row::Stored;
use super::shaping::{Shaping, write_all};
use super::transitions::{self, TransitionRequest};
use super::{archive as away, batch, parts, store, visibility};
use crate::config::Config;
use crate::http::cursor::Cursors;
use crate::http::etag::{self, IfMatch, IfNoneMatch};
use crate::http::json::{Json, Object};
use crate::http::query::Params;
use crate::problem::{Problem, Result};
use crate::tenancy::{Access, Answer, IdempotencyKey, Reads, Role, TakesPart, Writes};

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

/// What a list that hangs on a record was asked for: how many, after which place.
struct Paging<K> {
    context: String,
    limit: usize,
    after: Option<K>,
}

impl<K: Serialize + DeserializeOwned> Paging<K> {
    fn read(
        what: &str,
        tenant: Uuid,
        id: Uuid,
        mut params: Params,
        cursors: &Cursors,
    ) -> Result<Self> {
        let limit = usize::try_from(params.limit()?).map_err(Problem::internal)?;
        let cursor = params.take("cursor");
        params.finish()?;
        let context = format!("{what} {tenant} {id}");
        let after = match cursor {
            Some(cursor) => {
                let place = cursors.open(&context, &cursor)?;
                Some(serde_json::from_value(place).map_err(Problem::internal)?)
            }
            None => None,
        };
        Ok(Self {
            context,
            limit,
            after,
        })
    }

    /// Rows to ask for: one more than the page has tells whether there is another.
    fn rows(&self) -> i64 {
        i64::try_from(self.limit).map_or(i64::MAX, |limit| limit.saturating_add(1))
    }

    /// The page of what was found, with the cursor of the next.
    fn answer<T: Serialize>(
        &self,
        req: &HttpRequest,
        cursors: &Cursors,
        found: Vec<T>,
        place: impl Fn(&T) -> K,
    ) -> Result<HttpResponse> {
        self.answer_with_tally(req, cursors, found, Value::Null, place)
    }

    /// The same, with what was counted if anything was.
    fn answer_with_tally<T: Serialize>(
        &self,
        req: &HttpRequest,
        cursors: &Cursors,
        mut found: Vec<T>,
        tally: Value,
        place: impl Fn(&T) -> K,
    ) -> Result<HttpResponse> {
        let more = found.len() > self.limit;
        found.truncate(self.limit);
        let next = found
            .last()
            .filter(|_| more)
            .map(|last| cursors.seal(&self.context, &json!(place(last))));
        let shown = PageBody {
            items: &found,
            next_cursor: next.as_deref(),
            tally,
        };
        let body = serde_json::to_string(&shown).map_err(Problem::internal)?;
        Ok(page(req, body, next))
    }
}

/// A page of a list as clients read it.
#[derive(Serialize)]
struct PageBody<'a, T> {
    items: &'a [T],
    next_cursor: Option<&'a str>,
    #[serde(skip_serializing_if = "Value::is_null")]
    tally: Value,
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
    let is_plain = shaping.is_plain();
    let (version, body) = access
        .read(async |tx| {
            let roles = tx.actor().roles();
            let sees_whole = roles.meets(entry.readers) && !roles.has(Role::ExternalAuditor);
            if is_plain && sees_whole {
                tx.last();
            }
            let stored = store::fetch(tx, entry, id).await?;
            let stored = visibility::shown(tx, entry, stored).await?;
            let version = stored.version;
            let mut body = Vec::with_capacity(stored.json_size());
            write_all(tx, Some(entry), &[stored], &shaping, &mut body).await?;
            Ok((version, body))
        })
        .await?;
    // The tag names the version of the whole record; what `expand` shows changes without it.
    if !is_plain {
        let response = HttpResponse::Ok()
            .content_type("application/json")
            .body(body);
        return Ok(response);
    }
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
        .write(async |tx| away::archive(tx, entry, id, |version| if_match.require(version)).await)
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn list_transitions(req: HttpRequest, access: Access<Reads>) -> Result<HttpResponse> {
    let At { entry, id } = at(&req)?;
    let options = access
        .read(async |tx| transitions::options(tx, entry, id).await)
        .await?;
    Ok(HttpResponse::Ok().json(json!({"items": options})))
}

async fn make_transition(
    req: HttpRequest,
    access: Access<TakesPart>,
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
    let body = json!({"items": found});
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
