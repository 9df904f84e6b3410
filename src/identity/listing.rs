//! Pages of short lists, ordered by id, and how a client gets the next one.

use actix_web::dev::Payload;
use actix_web::http::header::LINK;
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::cursor::Cursors;
use crate::http::query::Params;
use crate::problem::{Problem, Result};

/// One page of a list.
#[derive(Serialize, ToSchema)]
pub struct Listing<T> {
    /// The items of this page.
    pub items: Vec<T>,
    /// Opaque cursor of the next page; null on the last.
    pub next_cursor: Option<String>,
}

/// Extractor: which page of the list at this path is wanted (`limit`, `cursor`).
pub struct Page {
    path: String,
    cursors: web::Data<Cursors>,
    limit: i64,
    after: Uuid,
}

impl Page {
    fn read(req: &HttpRequest) -> Result<Self> {
        let cursors = req
            .app_data::<web::Data<Cursors>>()
            .cloned()
            .ok_or_else(|| Problem::internal("Cursors are missing"))?;
        let mut params = Params::parse(req.query_string())?;
        let limit = params.limit()?;
        let cursor = params.take("cursor");
        params.finish()?;
        let path = req.path().to_owned();
        let after = match cursor {
            None => Uuid::nil(),
            Some(cursor) => {
                let position = cursors.open(&path, &cursor)?;
                serde_json::from_value(position).map_err(Problem::internal)?
            }
        };
        Ok(Self {
            path,
            cursors,
            limit,
            after,
        })
    }

    /// Only items with a greater id belong to the page.
    pub fn after(&self) -> Uuid {
        self.after
    }

    /// How many rows to read: one more than the page has, to see whether another follows.
    pub fn rows(&self) -> i64 {
        self.limit + 1
    }

    /// The page, made of at most [`Page::rows`] items in the order of their ids.
    pub fn answer<T: Serialize>(&self, mut items: Vec<T>, id: impl Fn(&T) -> Uuid) -> HttpResponse {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let has_more = items.len() > limit;
        items.truncate(limit);
        let next_cursor = items
            .last()
            .filter(|_| has_more)
            .map(|last| self.cursors.seal(&self.path, &json!(id(last))));
        let mut response = HttpResponse::Ok();
        if let Some(cursor) = &next_cursor {
            let next = format!(
                "<{}?limit={}&cursor={cursor}>; rel=\"next\"",
                self.path, self.limit
            );
            response.insert_header((LINK, next));
        }
        response.json(Listing { items, next_cursor })
    }
}

impl FromRequest for Page {
    type Error = Problem;
    type Future = std::future::Ready<Result<Self>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        std::future::ready(Self::read(req))
    }
}
