//! Pages for people who click on a link in a mail: accept an invitation, look at a record.
//!
//! What a link is about stands behind its `#`, which browsers do not send: it reaches no server
//! log and no `Referer`. The pages are files; their scripts call the API like any other client
//! and keep what they are told in memory only.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY};
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, Resource};

use crate::http::edge::get_only;

/// Lets a page run its own script and style, call this server, and nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// One file: path, type, content.
type File = (&'static str, &'static str, &'static str);

const FILES: [File; 5] = [
    ("/invitation", HTML, include_str!("invitation.html")),
    ("/invitation.js", SCRIPT, include_str!("invitation.js")),
    ("/open", HTML, include_str!("open.html")),
    ("/open.js", SCRIPT, include_str!("open.js")),
    ("/page.css", STYLE, include_str!("page.css")),
];

/// Adds the pages.
pub fn configure(config: &mut ServiceConfig) {
    for (path, kind, content) in FILES {
        config.service(resource(path, kind, content));
    }
}

fn resource(path: &str, kind: &'static str, content: &'static str) -> Resource {
    let answer = move || async move {
        HttpResponse::Ok()
            .content_type(kind)
            .insert_header((CONTENT_SECURITY_POLICY, POLICY))
            .insert_header((CACHE_CONTROL, "no-store"))
            .body(content)
    };
    web::resource(path)
        .route(web::get().to(answer))
        .default_service(web::to(get_only))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::App;
    use actix_web::test::{TestRequest, call_service, init_service};

    #[actix_web::test]
    async fn pages_run_nothing_but_their_own_files() {
        let app = init_service(App::new().configure(configure)).await;
        for (path, kind, content) in FILES {
            let request = TestRequest::with_uri(path).to_request();
            let response = call_service(&app, request).await;

            assert_eq!(response.status(), 200, "{path}");
            let headers = response.headers();
            assert_eq!(headers.get("content-type").unwrap(), kind);
            assert_eq!(headers.get("cache-control").unwrap(), "no-store");
            assert_eq!(headers.get("content-security-policy").unwrap(), POLICY);
            for forbidden in [
                "style=",
                "onclick",
                "<script>",
                "<style",
                "innerHTML",
                "//cdn",
            ] {
                assert!(!content.contains(forbidden), "{path}: {forbidden}");
            }
        }
        let post = TestRequest::post().uri("/invitation").to_request();
        assert_eq!(call_service(&app, post).await.status(), 405);
    }
}
