//! What readers of the API see: the OpenAPI document, Swagger UI (offline) and a page for every
//! type of problem.

use std::fmt::Write;
use std::sync::{Arc, LazyLock};

use actix_web::http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, LOCATION,
};
use actix_web::web::{self, Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Resource};
use serde_json::{Value, json};

use super::edge::get_only;
use super::openapi::Document;
use crate::problem::{Problem, ProblemType, Result};

/// Lets Swagger UI run from this server and reach nothing else.
const DOCS_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' \
    'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// Lets a page have its style and nothing else.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";

/// Adds all routes of this module; they need `Data<Document>` in the app.
pub fn configure(config: &mut ServiceConfig) {
    let get = |path: &str| -> Resource { web::resource(path).default_service(web::to(get_only)) };
    config
        .service(get("/openapi.json").route(web::get().to(openapi)))
        .service(get("/openapi-3.0.json").route(web::get().to(openapi_3_0)))
        .service(get("/docs").route(web::get().to(to_docs)))
        .service(get("/docs/{tail:.*}").route(web::get().to(swagger)))
        .service(get("/problems").route(web::get().to(problems)))
        .service(get("/problems/{slug}").route(web::get().to(problem)));
}

async fn openapi(document: Data<Document>) -> HttpResponse {
    json_text(document.json())
}

async fn openapi_3_0(document: Data<Document>) -> HttpResponse {
    json_text(document.json_3_0())
}

fn json_text(text: &str) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/json")
        .insert_header((CACHE_CONTROL, "no-cache"))
        .body(text.to_owned())
}

async fn to_docs() -> HttpResponse {
    HttpResponse::PermanentRedirect()
        .insert_header((LOCATION, "/docs/"))
        .finish()
}

async fn swagger(tail: Path<String>) -> Result<HttpResponse> {
    static CONFIG: LazyLock<Arc<utoipa_swagger_ui::Config<'static>>> = LazyLock::new(|| {
        let config = utoipa_swagger_ui::Config::from("/openapi.json");
        // Without this the page asks a validator on another host.
        Arc::new(config.validator_url("none").try_it_out_enabled(true))
    });
    let file = utoipa_swagger_ui::serve(&tail, Arc::clone(&CONFIG))
        .map_err(|error| Problem::internal(error.to_string()))?
        .ok_or_else(Problem::not_found)?;
    let mut response = HttpResponse::Ok();
    response
        .content_type(file.content_type)
        .insert_header((CONTENT_SECURITY_POLICY, DOCS_POLICY))
        .insert_header((CACHE_CONTROL, "no-cache"));
    if file.gzpipped {
        response.insert_header((CONTENT_ENCODING, "gzip"));
    }
    Ok(response.body(file.bytes.into_owned()))
}

async fn problems(req: HttpRequest) -> HttpResponse {
    if wants_json(&req) {
        let items: Vec<Value> = ProblemType::ALL.iter().map(|kind| to_json(*kind)).collect();
        return HttpResponse::Ok().json(json!({ "items": items }));
    }
    let mut rows = String::new();
    for kind in ProblemType::ALL {
        let (slug, status, title) = (kind.slug(), kind.status(), kind.title());
        let _ = write!(
            rows,
            "<tr><td>{status}<td><a href=\"/problems/{slug}\">{slug}</a><td>{title}"
        );
    }
    page("Problems", &format!("<table>{rows}</table>"))
}

async fn problem(req: HttpRequest, slug: Path<String>) -> Result<HttpResponse> {
    let known = ProblemType::ALL
        .iter()
        .find(|kind| kind.slug() == slug.as_str());
    let kind = *known.ok_or_else(Problem::not_found)?;
    if wants_json(&req) {
        return Ok(HttpResponse::Ok().json(to_json(kind)));
    }
    let body = format!(
        "<p><strong>{} {}</strong></p><p>{}</p><p><a href=\"/problems\">All problems</a></p>",
        kind.status(),
        kind.slug(),
        advice(kind),
    );
    Ok(page(kind.title(), &body))
}

fn to_json(kind: ProblemType) -> Value {
    json!({
        "type": format!("/problems/{}", kind.slug()),
        "status": kind.status(),
        "title": kind.title(),
        "description": advice(kind),
    })
}

fn wants_json(req: &HttpRequest) -> bool {
    let accept = req
        .headers()
        .get(ACCEPT)
        .and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("json") && !accept.contains("text/html"))
}

fn page(title: &str, body: &str) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((CONTENT_SECURITY_POLICY, PAGE_POLICY))
        .insert_header((CACHE_CONTROL, "no-cache"))
        .body(format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title>\
             <style>body{{font:1rem/1.5 system-ui;max-width:44rem;margin:3rem auto;padding:0 1rem}}\
             td{{padding:.2rem 1rem .2rem 0}}</style><h1>{title}</h1>{body}</html>\n"
        ))
}

/// What happened and what to do about it.
fn advice(kind: ProblemType) -> &'static str {
    match kind {
        ProblemType::Malformed => {
            "The syntax is wrong: broken JSON, a key given twice, a query parameter that is unknown or cannot be read, a cursor that this list did not give. The detail says what; correct it and send again."
        }
        ProblemType::Unauthenticated => {
            "There is no access token, or it is not valid any more. Sign in, or renew the token, and send again."
        }
        ProblemType::Forbidden => {
            "You may see this, but none of your roles allows what you asked for. Ask somebody who may grant the role."
        }
        ProblemType::NotFound => {
            "Nothing is at this address, or you may not see it. The two look the same on purpose."
        }
        ProblemType::MethodNotAllowed => {
            "The address exists, the method does not. The header Allow lists the methods."
        }
        ProblemType::RequestTimeout => "The request did not arrive in time. Send it again.",
        ProblemType::Conflict => {
            "The state of the resource does not allow this now. Where it is a transition, allowed lists what is possible instead."
        }
        ProblemType::PreconditionFailed => {
            "If-Match names a version that is not the present one. Read the resource again, look at what has changed, and send with the new ETag."
        }
        ProblemType::TooLarge => {
            "The body is larger than this operation takes. JSON may have at most 1 MiB."
        }
        ProblemType::UriTooLong => "The address is longer than allowed. Shorten the query.",
        ProblemType::UnsupportedMediaType => {
            "Content-Type or Content-Encoding is not one that this operation takes. Send application/json (for PATCH also application/merge-patch+json) without an encoding."
        }
        ProblemType::Invalid => {
            "The body can be read, but some fields are not valid. errors lists all of them: a JSON Pointer and a sentence for each."
        }
        ProblemType::RuleRefused => {
            "A rule of the management system refuses this; rule names it and detail says what is missing."
        }
        ProblemType::PreconditionRequired => {
            "A change needs the header If-Match with the ETag of the version you read."
        }
        ProblemType::TooManyRequests => {
            "The quota of requests is spent. Wait as many seconds as Retry-After says."
        }
        ProblemType::HeadersTooLarge => {
            "The headers of the request are larger than allowed. Send fewer or shorter ones."
        }
        ProblemType::Internal => {
            "Something broke on our side. It has been logged; quote request_id when you ask for help."
        }
        ProblemType::Unavailable => {
            "A part that is needed is not available now. Try again after as many seconds as Retry-After says."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::{TestRequest, call_service, init_service};
    use actix_web::{App, body::to_bytes};

    async fn get(path: &str) -> (u16, String) {
        let document = Data::new(Document::new(json!({ "paths": {} })));
        let app = init_service(App::new().app_data(document).configure(configure)).await;
        let response = call_service(&app, TestRequest::with_uri(path).to_request()).await;
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body()).await.unwrap();
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    #[actix_web::test]
    async fn swagger_ui_is_served_from_here() {
        assert_eq!(get("/docs").await.0, 308);
        let (status, page) = get("/docs/").await;
        assert_eq!(status, 200);
        assert!(
            !page.contains("//cdn") && !page.contains("<script>"),
            "{page}"
        );
        let (status, script) = get("/docs/swagger-initializer.js").await;
        assert_eq!(status, 200);
        assert!(script.contains("/openapi.json"), "{script}");
        assert_eq!(get("/docs/nothing.js").await.0, 404);
    }

    #[actix_web::test]
    async fn every_problem_has_a_page() {
        for kind in ProblemType::ALL {
            let (status, page) = get(&format!("/problems/{}", kind.slug())).await;
            assert_eq!(status, 200);
            assert!(page.contains(kind.title()));
        }
        assert_eq!(get("/problems").await.0, 200);
        assert_eq!(get("/problems/none").await.0, 404);
        assert_eq!(get("/openapi-3.0.json").await.0, 200);
    }
}
