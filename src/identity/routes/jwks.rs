//! The public halves of the signing keys (RFC 7517).

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpResponse, get, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::identity::Tokens;

/// How long others may keep the list; a new key signs later than that.
const CACHING: &str = "public, max-age=300";

/// A set of public keys.
#[derive(Serialize, ToSchema)]
struct KeySet {
    /// The keys, oldest first.
    keys: Vec<PublicKey>,
}

/// A public key (RFC 8037).
#[derive(Serialize, ToSchema)]
struct PublicKey {
    /// Key type.
    #[schema(example = "OKP")]
    kty: &'static str,
    /// Curve.
    #[schema(example = "Ed25519")]
    crv: &'static str,
    /// What it is for.
    #[schema(example = "sig")]
    r#use: &'static str,
    /// Algorithm.
    #[schema(example = "EdDSA")]
    alg: &'static str,
    /// Key id.
    #[schema(example = "20261125T083000Z-0a1b2c3d")]
    kid: String,
    /// Public key, base64url.
    #[schema(example = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")]
    x: String,
}

/// Keys that verify access tokens
///
/// The public keys as a JWK set (RFC 7517). Look a token's `kid` up here; a new key is listed
/// ten minutes before it signs.
#[utoipa::path(
    tag = "Sign-in",
    operation_id = "list_keys",
    responses((status = 200, description = "The keys", body = KeySet)),
    security(())
)]
#[get("/.well-known/jwks.json")]
pub(super) async fn jwks(tokens: web::Data<Tokens>) -> HttpResponse {
    let keys = tokens
        .keys()
        .all()
        .iter()
        .map(|key| PublicKey {
            kty: "OKP",
            crv: "Ed25519",
            r#use: "sig",
            alg: "EdDSA",
            kid: key.id.clone(),
            x: key.x.clone(),
        })
        .collect();
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, CACHING))
        .json(KeySet { keys })
}
