use super::*;
use actix_web::test::{TestRequest, init_service, try_call_service};
use actix_web::{App, web};
use serde_json::{Value, json};

fn document() -> Document {
    let operation = json!({ "operationId": "x" });
    Document::new(json!({
        "openapi": "3.1.0",
        "paths": {
            "/v1/risks": { "get": operation, "post": operation },
            "/v1/risks/{id}": { "get": operation, "patch": operation },
        },
    }))
}

async fn call(method: Method, path: &str) -> (u16, HeaderMap, Value) {
    let app = init_service(
        App::new()
            .app_data(Data::new(document()))
            .app_data(web::JsonConfig::default().limit(8))
            .route("/v1/risks", web::get().to(async || HttpResponse::Ok()))
            .route("/json", web::get().to(async |_: web::Json<Value>| "x"))
            .route("/id/{id}", web::get().to(async |_: web::Path<Uuid>| "x"))
            .route("/panic", web::get().to(panics))
            .route("/fails", web::get().to(fails))
            .default_service(web::to(not_routed))
            .wrap(edge()),
    )
    .await;
    let req = TestRequest::with_uri(path)
        .method(method)
        .insert_header((REQUEST_ID, "test-1234"))
        .to_request();
    let response: HttpResponse = match try_call_service(&app, req).await {
        Ok(response) => response.into_parts().1,
        Err(error) => error.error_response(),
    };
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = actix_web::body::to_bytes(response.into_body())
        .await
        .unwrap();
    (
        status,
        headers,
        serde_json::from_slice(&body).unwrap_or_default(),
    )
}

async fn panics() -> HttpResponse {
    panic!("secret")
}

async fn fails() -> Result<HttpResponse> {
    Err(Problem::unavailable(7, "secret"))
}

#[actix_web::test]
async fn every_error_is_a_problem() {
    for (method, path, status, slug) in [
        (Method::GET, "/nowhere?x=1", 404, "not-found"),
        (Method::DELETE, "/v1/risks", 405, "method-not-allowed"),
        (Method::GET, "/json", 415, "unsupported-media-type"),
        (Method::GET, "/id/7", 404, "not-found"),
        (Method::GET, "/panic", 500, "internal"),
        (Method::GET, "/fails", 503, "unavailable"),
    ] {
        let (got, headers, body) = call(method, path).await;

        assert_eq!(got, status, "{path}");
        assert_eq!(
            headers.get(CONTENT_TYPE).unwrap(),
            "application/problem+json"
        );
        assert_eq!(headers.get(REQUEST_ID).unwrap(), "test-1234");
        assert_eq!(body["type"], format!("/problems/{slug}"));
        assert_eq!(body["instance"], path.split('?').next().unwrap());
        assert_eq!(body["request_id"], "test-1234");
        assert!(!body.to_string().contains("secret"));
    }
}

#[actix_web::test]
async fn good_answers_get_the_headers() {
    let (status, headers, _) = call(Method::GET, "/v1/risks").await;

    assert_eq!(status, 200);
    assert_eq!(headers.get(X_CONTENT_TYPE_OPTIONS).unwrap(), "nosniff");
    assert_eq!(headers.get(CACHE_CONTROL).unwrap(), "no-store");
    assert!(headers.get(STRICT_TRANSPORT_SECURITY).is_none());
}

#[actix_web::test]
async fn wrong_methods_are_told_the_right_ones() {
    let (_, headers, body) = call(Method::DELETE, "/v1/risks/7").await;

    assert_eq!(headers.get(ALLOW).unwrap(), "GET, PATCH");
    assert!(body.get("allowed").is_none());
    assert_eq!(
        call(Method::GET, "/fails")
            .await
            .1
            .get(RETRY_AFTER)
            .unwrap(),
        "7"
    );
}

#[test]
fn odd_request_ids_are_replaced() {
    for bad in ["short", "has space in it", "<script>alert", &"x".repeat(65)] {
        let req = TestRequest::default()
            .insert_header((REQUEST_ID, bad))
            .to_http_request();
        assert_ne!(&*request_id(req.headers()), bad);
    }
}
