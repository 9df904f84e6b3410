//! The catalogues and the crosswalk for clients: global, read-only, for signed-in callers.

use actix_web::http::header::{CACHE_CONTROL, ETAG, EntityTag, Header, IfNoneMatch};
use actix_web::{HttpRequest, HttpResponse, get, web};
use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{Catalog, CrosswalkLink, ISO_42001, Unit, catalog, catalogs, crosswalk, unit};
use crate::http::cursor::Cursors;
use crate::http::query::{Params, fault};
use crate::problem::{Problem, Result};
use crate::tenancy::Caller;

/// A catalogue changes with the program only; a client asks again after an hour.
const CACHE: &str = "private, max-age=3600";

/// Mounts the routes.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list_catalogs)
        .service(get_catalog)
        .service(get_catalog_unit)
        .service(list_crosswalk);
}

/// A catalogue without its units.
#[derive(Debug, Serialize, ToSchema)]
pub struct CatalogSummary {
    /// Its id.
    #[schema(example = "iso42001")]
    pub id: &'static str,
    /// Full name of the framework.
    pub title: &'static str,
    /// Edition of the framework.
    #[schema(example = "2023")]
    pub edition: &'static str,
    /// Version of this catalogue; it grows with every change.
    pub version: u32,
    /// What the catalogue is, and is not.
    pub note: &'static str,
    /// How many units it has.
    pub unit_count: usize,
}

impl From<&'static Catalog> for CatalogSummary {
    fn from(catalog: &'static Catalog) -> Self {
        Self {
            id: &catalog.id,
            title: &catalog.title,
            edition: &catalog.edition,
            version: catalog.version,
            note: &catalog.note,
            unit_count: catalog.units.len(),
        }
    }
}

/// A page of catalogues.
#[derive(Debug, Serialize, ToSchema)]
pub struct CatalogPage {
    /// Catalogues, that of the management system first.
    pub items: Vec<CatalogSummary>,
    /// Cursor of the next page, if there is one.
    pub next_cursor: Option<String>,
}

/// A page of the crosswalk.
#[derive(Debug, Serialize, ToSchema)]
pub struct CrosswalkPage {
    /// Links, in the order of ISO/IEC 42001.
    pub items: Vec<CrosswalkLink>,
    /// Cursor of the next page, if there is one.
    pub next_cursor: Option<String>,
}

/// List catalogues
///
/// The frameworks that records can be linked to, without their units.
#[utoipa::path(
    tag = "Catalogues",
    operation_id = "list_catalogs",
    params(
        ("limit" = Option<i64>, Query, description = "Items of a page", minimum = 1, maximum = 200),
        ("cursor" = Option<String>, Query, description = "Where the page begins, from `next_cursor`"),
        ("If-None-Match" = Option<String>, Header, description = "Answers 304 when nothing has changed since this ETag."),
    ),
    responses(
        (status = 200, description = "A page of catalogues.", body = CatalogPage, example = json!({
            "items": [{
                "id": "iso42001",
                "title": "ISO/IEC 42001:2023 - Information technology - Artificial intelligence - Management system",
                "edition": "2023",
                "version": 1,
                "note": "Numbers and short titles are facts of the standard.",
                "unit_count": 92
            }],
            "next_cursor": null
        })),
        (status = 304, description = "Nothing has changed."),
    ),
    security(("bearer" = [])),
    extensions(("x-etag" = json!(true)))
)]
#[get("/v1/catalogs")]
async fn list_catalogs(
    _caller: Caller,
    cursors: web::Data<Cursors>,
    mut params: Params,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let part = Part::take(&mut params, &cursors, "catalogs")?;
    params.finish()?;
    let (items, next_cursor) = part.of(&cursors, catalogs().iter().map(CatalogSummary::from));
    answer(&request, &CatalogPage { items, next_cursor })
}

/// Read a catalogue
///
/// All clauses, controls, subcategories, articles and duties of a framework, in its order.
#[utoipa::path(
    tag = "Catalogues",
    operation_id = "get_catalog",
    params(
        ("id" = String, Path, description = "Id of the catalogue", example = "iso42001"),
        ("If-None-Match" = Option<String>, Header, description = "Answers 304 when nothing has changed since this ETag."),
    ),
    responses(
        (status = 200, description = "The catalogue.", body = Catalog, example = json!({
            "id": "nist-ai-rmf",
            "title": "NIST AI Risk Management Framework (AI RMF 1.0), NIST AI 100-1",
            "edition": "1.0 (January 2023)",
            "version": 1,
            "note": "The framework is voluntary; no certification exists.",
            "units": [{
                "id": "GOVERN 1.1",
                "title": "Legal and regulatory requirements",
                "kind": "subcategory",
                "parent": "GOVERN 1",
                "group": null,
                "assessable": true,
                "summary": "Legal and regulatory requirements involving AI are understood, managed, and documented.",
                "note": null,
                "mandatory_document": false,
                "document_kind": null,
                "documents": [],
                "evidence": [],
                "freshness_months": null,
                "addressees": [],
                "risk_classes": [],
                "applies_from": {}
            }]
        })),
        (status = 304, description = "Nothing has changed."),
    ),
    security(("bearer" = [])),
    extensions(("x-etag" = json!(true)))
)]
#[get("/v1/catalogs/{id}")]
async fn get_catalog(
    _caller: Caller,
    id: web::Path<String>,
    params: Params,
    request: HttpRequest,
) -> Result<HttpResponse> {
    params.finish()?;
    answer(&request, catalog(&id).ok_or_else(Problem::not_found)?)
}

/// Read a unit of a catalogue
///
/// One clause, control, subcategory, article or duty.
#[utoipa::path(
    tag = "Catalogues",
    operation_id = "get_catalog_unit",
    params(
        ("id" = String, Path, description = "Id of the catalogue", example = "iso42001"),
        ("unit" = String, Path, description = "Id of the unit", example = "6.1.2"),
        ("If-None-Match" = Option<String>, Header, description = "Answers 304 when nothing has changed since this ETag."),
    ),
    responses(
        (status = 200, description = "The unit.", body = Unit, example = json!({
            "id": "A.2.2",
            "title": "AI policy",
            "kind": "control",
            "parent": "A.2",
            "group": "LEADERSHIP",
            "assessable": true,
            "summary": "Have a written policy covering how the organisation develops or uses AI.",
            "note": null,
            "mandatory_document": true,
            "document_kind": null,
            "documents": [],
            "evidence": ["policy", "policy_version"],
            "freshness_months": 12,
            "addressees": [],
            "risk_classes": [],
            "applies_from": {}
        })),
        (status = 304, description = "Nothing has changed."),
    ),
    security(("bearer" = [])),
    extensions(("x-etag" = json!(true)))
)]
#[get("/v1/catalogs/{id}/units/{unit}")]
async fn get_catalog_unit(
    _caller: Caller,
    path: web::Path<(String, String)>,
    params: Params,
    request: HttpRequest,
) -> Result<HttpResponse> {
    params.finish()?;
    let (catalog_id, unit_id) = path.into_inner();
    let unit = unit(&catalog_id, &unit_id).ok_or_else(Problem::not_found)?;
    answer(&request, unit)
}

/// List crosswalk links
///
/// Which units of one framework answer which units of another. The mapping is made from ISO/IEC
/// 42001; asked from another framework, it is read from its other end, and `subset` and `superset`
/// change places.
#[utoipa::path(
    tag = "Catalogues",
    operation_id = "list_crosswalk_links",
    params(
        ("from" = Option<String>, Query, description = "Catalogue the links come from; `iso42001` when not given", example = "iso42001"),
        ("to" = Option<String>, Query, description = "Catalogue the links go to; all when not given", example = "nist-ai-rmf"),
        ("limit" = Option<i64>, Query, description = "Items of a page", minimum = 1, maximum = 200),
        ("cursor" = Option<String>, Query, description = "Where the page begins, from `next_cursor`"),
        ("If-None-Match" = Option<String>, Header, description = "Answers 304 when nothing has changed since this ETag."),
    ),
    responses(
        (status = 200, description = "A page of links.", body = CrosswalkPage, example = json!({
            "items": [{
                "from_catalog": "iso42001",
                "from_unit": "4.1",
                "to_catalog": "nist-ai-rmf",
                "to_unit": "MAP 1.3",
                "relation": "intersects",
                "strength": 2,
                "note": null
            }],
            "next_cursor": null
        })),
        (status = 304, description = "Nothing has changed."),
    ),
    security(("bearer" = [])),
    extensions(("x-etag" = json!(true)))
)]
#[get("/v1/crosswalk")]
async fn list_crosswalk(
    _caller: Caller,
    cursors: web::Data<Cursors>,
    mut params: Params,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let from = framework(&mut params, "from")?.unwrap_or_else(|| ISO_42001.to_owned());
    let to = framework(&mut params, "to")?;
    let context = format!("crosswalk|{from}|{}", to.as_deref().unwrap_or_default());
    let part = Part::take(&mut params, &cursors, &context)?;
    params.finish()?;
    let (items, next_cursor) = part.of(&cursors, links(&from, to.as_deref()));
    answer(&request, &CrosswalkPage { items, next_cursor })
}

/// The links from one framework to another one, or to all.
pub(super) fn links(from: &str, to: Option<&str>) -> impl Iterator<Item = CrosswalkLink> {
    let links = crosswalk().links.iter().filter_map(move |link| {
        if link.from_catalog == from {
            Some(link.clone())
        } else {
            (link.to_catalog == from).then(|| link.reversed())
        }
    });
    links.filter(move |link| to.is_none_or(|to| link.to_catalog == to))
}

/// Takes the id of a catalogue out of the parameters.
fn framework(params: &mut Params, name: &str) -> Result<Option<String>> {
    match params.take(name) {
        Some(id) if catalog(&id).is_none() => Err(fault(name, "must be the id of a catalogue")),
        id => Ok(id),
    }
}

/// The part of a fixed list that a client asked for.
struct Part<'a> {
    context: &'a str,
    limit: usize,
    skip: usize,
}

impl<'a> Part<'a> {
    fn take(params: &mut Params, cursors: &Cursors, context: &'a str) -> Result<Self> {
        let limit = usize::try_from(params.limit()?).map_err(Problem::internal)?;
        let skip = match params.take("cursor") {
            Some(cursor) => serde_json::from_value(cursors.open(context, &cursor)?)
                .map_err(Problem::internal)?,
            None => 0,
        };
        Ok(Self {
            context,
            limit,
            skip,
        })
    }

    /// The items of the part, and the cursor of the next one.
    fn of<T>(&self, cursors: &Cursors, all: impl Iterator<Item = T>) -> (Vec<T>, Option<String>) {
        let mut rest = all.skip(self.skip);
        let items = rest.by_ref().take(self.limit).collect();
        let next = self.skip.saturating_add(self.limit);
        let cursor = rest
            .next()
            .map(|_| cursors.seal(self.context, &json!(next)));
        (items, cursor)
    }
}

/// The body with its ETag, or 304 when the client has it.
fn answer(request: &HttpRequest, body: &impl Serialize) -> Result<HttpResponse> {
    let body = serde_json::to_vec(body).map_err(Problem::internal)?;
    let hash = digest::digest(&digest::SHA256, &body);
    let tag = EntityTag::new_strong(URL_SAFE_NO_PAD.encode(hash));
    let known = match IfNoneMatch::parse(request) {
        Ok(IfNoneMatch::Any) => true,
        Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|other| other.weak_eq(&tag)),
        Err(_) => false,
    };
    let mut response = match known {
        true => HttpResponse::NotModified(),
        false => HttpResponse::Ok(),
    };
    response
        .insert_header((ETAG, tag))
        .insert_header((CACHE_CONTROL, CACHE));
    if known {
        return Ok(response.finish());
    }
    Ok(response.content_type("application/json").body(body))
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::IF_NONE_MATCH;
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn an_answer_carries_a_tag_that_spares_the_next_one() {
        let request = TestRequest::default().to_http_request();

        let first = answer(&request, unit(ISO_42001, "6.1.2").unwrap()).unwrap();

        assert_eq!(first.status(), 200);
        assert_eq!(first.headers().get(CACHE_CONTROL).unwrap(), CACHE);
        let tag = first.headers().get(ETAG).unwrap().to_str().unwrap();
        assert!(tag.starts_with('"'), "{tag} is strong");
        for (sent, status) in [
            (tag.to_owned(), 304),
            (format!("\"other\", W/{tag}"), 304),
            ("*".to_owned(), 304),
            ("\"other\"".to_owned(), 200),
            ("no tag at all".to_owned(), 200),
        ] {
            let request = TestRequest::default()
                .insert_header((IF_NONE_MATCH, sent.clone()))
                .to_http_request();
            let again = answer(&request, unit(ISO_42001, "6.1.2").unwrap()).unwrap();
            assert_eq!(again.status(), status, "{sent}");
            assert_eq!(again.headers().get(ETAG).unwrap(), tag);
        }
    }

    #[test]
    fn pages_of_a_fixed_list_join_to_the_whole() {
        let cursors = Cursors::new(b"secret");
        let mut seen = Vec::new();
        let mut query = "limit=200".to_owned();

        loop {
            let mut params = Params::parse(&query).unwrap();
            let part = Part::take(&mut params, &cursors, "crosswalk").unwrap();
            let (items, next) = part.of(&cursors, links(ISO_42001, None));
            seen.extend(items.into_iter().map(|link| (link.from_unit, link.to_unit)));
            let Some(next) = next else { break };
            query = format!("limit=200&cursor={next}");
        }

        let all = crosswalk().links.iter();
        let all: Vec<_> = all
            .map(|link| (link.from_unit.clone(), link.to_unit.clone()))
            .collect();
        assert_eq!(seen, all);
    }
}
