//! The yardstick: actix and tokio-postgres with nothing between them. It asks for the same
//! columns, as a role that row-level security does not hold, and signs nobody in.

use std::cell::Cell;
use std::fmt::Write;

use actix_web::http::header::LINK;
use actix_web::{App, HttpResponse, HttpServer, web};
use chrono::{DateTime, Days, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use tokio_postgres::types::{FromSql, Type};
use tokio_postgres::{Client, NoTls, Row, Statement};
use uuid::Uuid;

use crate::{Outcome, processes, setup};

/// Connections of each worker.
const CONNECTIONS: usize = 8;
const WORKERS: usize = 2;
/// An id after all others.
const LAST: &str = "ffffffff-ffff-ffff-ffff-ffffffffffff";
/// Microseconds from 1970 to 2000, which PostgreSQL counts from.
const EPOCH: i64 = 946_684_800_000_000;

const GET: &str = "SELECT id, kind, ref, title, status, version, owner_id, next_review_on, created_at, created_by,
    updated_at, updated_by, approved_by, archived_at, body
    FROM records WHERE tenant_id = $1::text::uuid AND id = $2::text::uuid AND kind = 'risk' LIMIT 1";
/// The whole record as JSON text, put together by PostgreSQL in the cheapest way: the server only
/// passes it through.
const LIST: &str = r#"SELECT id, '{"id":"' || id || '","ref":"' || ref || '","title":' || to_json(title) || ',"status":"' || status
    || '","version":' || version || ',"owner_id":' || coalesce('"' || owner_id || '"', 'null')
    || ',"next_review_on":' || coalesce('"' || next_review_on || '"', 'null')
    || ',"created_at":"' || created_at || '","created_by":' || coalesce('"' || created_by || '"', 'null')
    || ',"updated_at":"' || updated_at || '","updated_by":' || coalesce('"' || updated_by || '"', 'null')
    || ',"archived_at":' || coalesce('"' || archived_at || '"', 'null') || ',' || substr(body::text, 2)
    FROM records WHERE tenant_id = $1::text::uuid AND kind = 'risk' AND archived_at IS NULL AND id < $2::text::uuid ORDER BY id DESC LIMIT 51"#;

struct Connection {
    client: Client,
    get: Statement,
    list: Statement,
}

struct Floor {
    connections: Vec<Connection>,
    next: Cell<usize>,
}

impl Floor {
    async fn open(url: String) -> Outcome<Self> {
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            let (client, connection) = tokio_postgres::connect(&url, NoTls).await?;
            actix_web::rt::spawn(connection);
            client
                .batch_execute("SET plan_cache_mode = force_generic_plan")
                .await?;
            connections.push(Connection {
                get: client.prepare(GET).await?,
                list: client.prepare(LIST).await?,
                client,
            });
        }
        Ok(Self {
            connections,
            next: Cell::new(0),
        })
    }

    fn connection(&self) -> Result<&Connection, Fault> {
        self.next.set(self.next.get() + 1);
        let place = self.next.get() % CONNECTIONS;
        self.connections.get(place).ok_or(Fault("no connection"))
    }
}

#[derive(Debug)]
struct Fault(&'static str);

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl actix_web::ResponseError for Fault {}

impl From<tokio_postgres::Error> for Fault {
    fn from(_: tokio_postgres::Error) -> Self {
        Self("the query failed")
    }
}

/// The bare server, in a process of its own.
pub fn serve() -> Outcome<()> {
    let url = setup::setting("DATABASE_URL").ok_or("no DATABASE_URL")?;
    actix_web::rt::System::new().block_on(async {
        let server = HttpServer::new(move || {
            let url = url.clone();
            App::new()
                .data_factory(move || Floor::open(url.clone()))
                .route("/{tenant}", web::get().to(list))
                .route("/{tenant}/{id}", web::get().to(get))
        })
        .workers(WORKERS)
        .bind("127.0.0.1:0")?;
        if let Some(address) = server.addrs().first() {
            println!("{address}");
        }
        processes::end_with_parent();
        Ok(server.run().await?)
    })
}

async fn get(
    floor: web::Data<Floor>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Fault> {
    let connection = floor.connection()?;
    let row = connection
        .client
        .query_one(&connection.get, &[&path.0, &path.1])
        .await?;
    Ok(json(record(&row).ok_or(Fault("an odd row"))?))
}

#[derive(Deserialize)]
struct After {
    after: Option<String>,
}

async fn list(
    floor: web::Data<Floor>,
    tenant: web::Path<String>,
    query: web::Query<After>,
) -> Result<HttpResponse, Fault> {
    let connection = floor.connection()?;
    let after = query.after.as_deref().unwrap_or(LAST);
    let rows = connection
        .client
        .query(&connection.list, &[&*tenant, &after])
        .await?;
    let mut body = String::with_capacity(64 * 1024);
    body.push_str("{\"items\":[");
    let mut last = None;
    for row in rows.iter().take(50) {
        if last.is_some() {
            body.push(',');
        }
        last = uuid(&row.get(0));
        body.push_str(row.get(1));
    }
    body.push_str("]}");
    let mut response = json(body);
    if let Some(last) = last.filter(|_| rows.len() > 50) {
        let mut link = String::new();
        let _ = write!(link, "</{tenant}?after={last}>; rel=\"next\"");
        if let Ok(link) = link.parse() {
            response.headers_mut().insert(LINK, link);
        }
    }
    Ok(response)
}

fn json(body: String) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/json")
        .body(body)
}

/// A value as it came; `None` for null.
struct Raw<'a>(Option<&'a [u8]>);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(Some(raw)))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(None))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

fn uuid(raw: &Raw<'_>) -> Option<Uuid> {
    Uuid::from_slice(raw.0?).ok()
}

fn instant(raw: &Raw<'_>) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_micros(EPOCH + i64::from_be_bytes(raw.0?.try_into().ok()?))
}

fn date(raw: &Raw<'_>) -> Option<NaiveDate> {
    let days = i32::from_be_bytes(raw.0?.try_into().ok()?);
    NaiveDate::from_ymd_opt(2000, 1, 1)?.checked_add_days(Days::new(days.try_into().ok()?))
}

#[derive(Serialize)]
struct Record<'a> {
    id: Option<Uuid>,
    r#ref: &'a str,
    title: &'a str,
    status: &'a str,
    version: i32,
    owner_id: Option<Uuid>,
    next_review_on: Option<NaiveDate>,
    created_at: Option<DateTime<Utc>>,
    created_by: Option<Uuid>,
    updated_at: Option<DateTime<Utc>>,
    updated_by: Option<Uuid>,
    archived_at: Option<DateTime<Utc>>,
}

fn record(row: &Row) -> Option<String> {
    let record = Record {
        id: uuid(&row.get(0)),
        r#ref: row.get(2),
        title: row.get(3),
        status: row.get(4),
        version: row.get(5),
        owner_id: uuid(&row.get(6)),
        next_review_on: date(&row.get(7)),
        created_at: instant(&row.get(8)),
        created_by: uuid(&row.get(9)),
        updated_at: instant(&row.get(10)),
        updated_by: uuid(&row.get(11)),
        archived_at: instant(&row.get(13)),
    };
    let mut text = serde_json::to_string(&record).ok()?;
    text.pop();
    text.push(',');
    // A version byte, then `{`.
    let body: Raw<'_> = row.get(14);
    text.push_str(std::str::from_utf8(body.0?.get(2..)?).ok()?);
    Some(text)
}
