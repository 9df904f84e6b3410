use super::*;
use crate::http::shared;
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::{App, HttpResponse, web};

async fn statuses(path: &'static str, token: bool, times: usize) -> Vec<u16> {
    let mut config = Config::read(|_| None).unwrap();
    config.rate_limit = 2;
    let app = init_service(
        App::new()
            .app_data(Data::new(config))
            .app_data(Data::new(shared::connect(None).await))
            .route("/livez", web::get().to(HttpResponse::Ok))
            .route("/ok", web::get().to(HttpResponse::Ok))
            .route("/refused", web::get().to(HttpResponse::Unauthorized))
            .wrap(limits()),
    )
    .await;
    let mut statuses = Vec::new();
    for _ in 0..times {
        let mut req = TestRequest::with_uri(path);
        if token {
            req = req.insert_header((AUTHORIZATION, "Bearer x"));
        }
        let response = call_service(&app, req.to_request()).await;
        let told = response.headers().get("ratelimit").is_some();
        assert_eq!(told, path != "/livez" && !(token && path == "/ok"));
        statuses.push(response.status().as_u16());
    }
    statuses
}

#[actix_web::test]
async fn an_address_is_limited_before_sign_in_and_for_bad_tokens() {
    assert_eq!(statuses("/ok", false, 3).await, [200, 200, 429]);
    assert_eq!(statuses("/refused", true, 3).await, [401, 401, 429]);
    assert_eq!(statuses("/ok", true, 3).await, [200, 200, 200]);
    assert_eq!(statuses("/livez", false, 3).await, [200, 200, 200]);
}

#[actix_web::test]
async fn a_tenant_has_ten_times_the_quota_of_an_account() {
    let shared = shared::connect(None).await;
    let id = Uuid::now_v7();

    assert!(account(&*shared, 1, id).await.is_ok());
    let problem = account(&*shared, 1, id).await.unwrap_err();
    assert_eq!((problem.status, problem.retry_after), (429, Some(60)));
    for _ in 0..10 {
        assert!(tenant(&*shared, 1, id).await.is_ok());
    }
    assert!(tenant(&*shared, 1, id).await.is_err());
}
