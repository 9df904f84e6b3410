//! Access tokens: JWTs of type `at+jwt` (RFC 9068), signed with EdDSA, good for ten minutes,
//! verified as strictly as RFC 8725 asks.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::keys::Keys;
use crate::problem::{Problem, Result};
use crate::tenancy::{SignedIn, VerifyToken};

/// How long an access token is good.
pub const LIFETIME: TimeDelta = TimeDelta::minutes(10);
/// How far the clocks of two replicas may be apart; for `iat` only.
const LEEWAY: TimeDelta = TimeDelta::seconds(30);
/// The type of our tokens.
const TYPE: &str = "at+jwt";
/// Whom they are for.
const AUDIENCE: &str = "aims";
/// Bytes of the longest token that is looked at.
const LONGEST: usize = 2048;

/// What a token says. Every claim is required and has exactly this type.
#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: Uuid,
    sid: Uuid,
    jti: Uuid,
    iat: i64,
    exp: i64,
}

/// The header, and nothing else in it: no key or address may come with a token.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StrictHeader {
    alg: String,
    typ: String,
    kid: String,
}

/// Issues and verifies access tokens.
pub struct Tokens {
    keys: Arc<Keys>,
    issuer: String,
    validation: Validation,
}

impl Tokens {
    /// Tokens of `issuer` (the public address), signed with `keys`.
    pub fn new(keys: Arc<Keys>, issuer: &str) -> Self {
        let mut validation = Validation::new(Algorithm::EdDSA);
        // The library would ask the machine's clock; `verify` judges times by the injected one.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[AUDIENCE]);
        Self {
            keys,
            issuer: issuer.to_owned(),
            validation,
        }
    }

    /// The keys.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// A token for a session of an account.
    pub fn issue(&self, user_id: Uuid, session_id: Uuid, now: DateTime<Utc>) -> Result<String> {
        let key = self
            .keys
            .signing()
            .ok_or_else(|| Problem::internal("there is no signing key"))?;
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(TYPE.to_owned());
        header.kid = Some(key.id.clone());
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: AUDIENCE.to_owned(),
            sub: user_id,
            sid: session_id,
            jti: Uuid::now_v7(),
            iat: now.timestamp(),
            exp: (now + LIFETIME).timestamp(),
        };
        encode(&header, &claims, &key.encoding).map_err(Problem::internal)
    }

    fn claims(&self, token: &str) -> Option<Claims> {
        if token.len() > LONGEST {
            return None;
        }
        let (header, _) = token.split_once('.')?;
        let header: StrictHeader =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
        if header.alg != "EdDSA" || header.typ != TYPE {
            return None;
        }
        let key = self.keys.find(&header.kid)?;
        let data = decode::<Claims>(token, &key.decoding, &self.validation).ok()?;
        Some(data.claims)
    }
}

impl VerifyToken for Tokens {
    fn verify(&self, token: &str, now: DateTime<Utc>) -> Option<SignedIn> {
        let claims = self.claims(token)?;
        let issued_at = DateTime::from_timestamp(claims.iat, 0)?;
        let expires_at = DateTime::from_timestamp(claims.exp, 0)?;
        let good = claims.iss == self.issuer
            && claims.aud == AUDIENCE
            && issued_at <= now + LEEWAY
            && now < expires_at
            && issued_at < expires_at
            && expires_at - issued_at <= LIFETIME;
        good.then_some(SignedIn {
            user_id: claims.sub,
            session_id: claims.sid,
            expires_at,
        })
    }
}

#[cfg(test)]
#[path = "tokens_tests.rs"]
mod tests;
