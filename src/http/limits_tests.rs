use super::*;
use crate::http::shared;
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::{App, HttpResponse, web};

/// Answers to so many requests of one address that has twelve requests a minute.
async fn statuses(path: &'static str, token: Option<&'static str>, times: usize) -> Vec<u16> {
    let mut config = Config::read(|_| None).unwrap();
    config.rate_limit = 12;
    let app = init_service(
        App::new()
            .app_data(Data::new(config))
            .app_data(Data::new(shared::connect(None).await))
            .route("/livez", web::get().to(HttpResponse::Ok))
            .route("/ok", web::get().to(HttpResponse::Ok))
            .wrap(limits())
            .wrap(from_fn(meet)),
    )
    .await;
    let mut statuses = Vec::new();
    for _ in 0..times {
        let mut req = TestRequest::with_uri(path);
        if let Some(token) = token {
            req = req.insert_header((AUTHORIZATION, token));
        }
        let response = call_service(&app, req.to_request()).await;
        let told = response.headers().get("ratelimit").is_some();
        assert_eq!(told, path != "/livez");
        statuses.push(response.status().as_u16());
    }
    statuses
}

/// Knows one token.
async fn meet(req: ServiceRequest, next: Next<BoxBody>) -> Result<ServiceResponse<BoxBody>, Error> {
    let token = req.headers().get(AUTHORIZATION).cloned();
    if token.is_some_and(|token| token == "Bearer good") {
        let shared = shared::connect(None).await;
        let verdict = account(&*shared, 12, Uuid::now_v7()).await;
        req.extensions_mut().insert(verdict);
    }
    next.call(req).await
}

fn passed(statuses: &[u16]) -> usize {
    statuses.iter().filter(|status| **status == 200).count()
}

#[actix_web::test]
async fn an_address_pays_unless_the_token_is_good() {
    assert_eq!(passed(&statuses("/ok", None, 14).await), 12);
    assert_eq!(passed(&statuses("/ok", Some("Bearer good"), 14).await), 14);
    assert_eq!(passed(&statuses("/livez", None, 14).await), 14);
}

#[actix_web::test]
async fn tokens_that_are_not_good_are_tried_less_often_still() {
    assert_eq!(passed(&statuses("/ok", Some("Bearer x"), 14).await), 2);
}

fn address_behind_proxy(forwarded: &str) -> String {
    let proxies = Some("10.0.0.1, 10.0.0.2".to_owned());
    let config = Config::read(|name| proxies.clone().filter(|_| name == "TRUSTED_PROXIES"));
    let req = TestRequest::default()
        .app_data(Data::new(config.unwrap()))
        .peer_addr("10.0.0.1:4711".parse().unwrap())
        .insert_header(("x-forwarded-for", forwarded))
        .to_http_request();
    address(&req)
}

#[test]
fn forwarded_addresses_may_have_ports() {
    for (forwarded, address) in [
        ("1.2.3.4", "1.2.3.4"),
        ("1.2.3.4:5678", "1.2.3.4"),
        ("9.9.9.9, 1.2.3.4:5678, 10.0.0.2:80", "1.2.3.4"),
        ("[2001:db8::1]:99", "2001:db8:0:0::/64"),
        ("[2001:db8::1]", "2001:db8:0:0::/64"),
        ("2001:db8::1", "2001:db8:0:0::/64"),
        ("9.9.9.9, unknown", "10.0.0.1"),
        ("9.9.9.9, unknown, 1.2.3.4", "1.2.3.4"),
    ] {
        assert_eq!(address_behind_proxy(forwarded), address, "{forwarded}");
    }
}

#[actix_web::test]
async fn a_tenant_has_ten_times_the_quota_of_an_account() {
    let shared = shared::connect(None).await;
    let id = Uuid::now_v7();

    assert!(account(&*shared, 1, id).await.allowed);
    let verdict = account(&*shared, 1, id).await;
    assert!(!verdict.allowed);
    let problem = too_many(&verdict);
    assert_eq!((problem.status, problem.retry_after), (429, Some(60)));
    for _ in 0..10 {
        assert!(tenant(&*shared, 1, id).await.is_ok());
    }
    assert!(tenant(&*shared, 1, id).await.is_err());
}
