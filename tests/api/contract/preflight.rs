//! What a page of another origin may send (CORS).

use reqwest::Method;

use super::problems::assert_problem;
use crate::support::{Answer, App, Setup};

const ORIGIN: &str = "https://app.example";

async fn preflight(app: &App, origin: &str, asked: &str) -> Answer {
    let headers = [
        ("Origin", origin),
        ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers", asked),
    ];
    let caller = app.anonymous();
    caller
        .send(Method::OPTIONS, "/v1/tenants", &headers, None)
        .await
}

#[actix_web::test]
async fn instrumented_pages_may_call_and_a_header_too_many_is_named() {
    let app = Setup::named("preflight")
        .env("CORS_ORIGINS", ORIGIN)
        .start();

    for asked in [
        "authorization,content-type,if-match",
        "traceparent, tracestate, baggage",
        "Last-Event-ID",
        "idempotency-key,x-request-id,accept",
    ] {
        let answer = preflight(&app, ORIGIN, asked).await.expect(200);
        assert_eq!(answer.header("access-control-allow-origin"), Some(ORIGIN));
    }

    let refused = preflight(&app, ORIGIN, "authorization, X-Odd").await;
    assert_problem("a header too many", &refused, 400);
    assert!(refused.json()["detail"].as_str().unwrap().contains("x-odd"));
    let elsewhere = preflight(&app, "https://other.example", "authorization").await;
    assert_eq!(elsewhere.header("access-control-allow-origin"), None);
}
