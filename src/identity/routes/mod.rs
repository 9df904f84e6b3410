//! The operations of identity over HTTP.

mod accept;
mod auth;
mod jwks;
mod me;
mod sessions;

use utoipa_actix_web::service_config::ServiceConfig;

/// Registers every operation of identity.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(auth::login)
        .service(auth::refresh)
        .service(auth::logout)
        .service(jwks::jwks)
        .service(me::get_me)
        .service(me::update_me)
        .service(me::update_password)
        .service(sessions::list)
        .service(sessions::delete)
        .service(accept::accept);
}
