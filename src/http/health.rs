//! Liveness and metrics; readiness needs the database and is made elsewhere.

use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpResponse, Responder};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::json;

use super::edge::get_only;

/// `GET /livez`: the process answers. Does not touch the database.
pub async fn livez() -> impl Responder {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

/// Adds `/livez`.
pub fn configure(config: &mut ServiceConfig) {
    let resource = web::resource("/livez").default_service(web::to(get_only));
    config.service(resource.route(web::get().to(livez)));
}

/// The app of the metrics port: `GET /metrics` in Prometheus text and nothing else.
pub fn metrics_app(handle: PrometheusHandle) -> impl FnOnce(&mut ServiceConfig) + Clone {
    move |config| {
        config
            .app_data(Data::new(handle))
            .route("/metrics", web::get().to(metrics));
    }
}

async fn metrics(handle: Data<PrometheusHandle>) -> impl Responder {
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(handle.render())
}
