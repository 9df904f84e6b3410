//! Refresh tokens: opaque, rotated at each use (RFC 9700 section 4.14.2).
//!
//! A token names its session and carries 256 random bits; only their SHA-256 is kept. The next
//! token is derived from the presented one and a stored salt, so a client that lost the answer
//! and asks again gets the same successor, although no token is kept in the clear.

use aws_lc_rs::{digest, hmac, rand};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use crate::problem::{Problem, Result};

/// Bytes of the session's id in front.
const ID_BYTES: usize = 16;

/// A refresh token.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct RefreshToken {
    /// The session it belongs to.
    pub(super) session_id: Uuid,
    secret: [u8; 32],
}

impl RefreshToken {
    /// The first token of a session.
    pub(super) fn new(session_id: Uuid) -> Result<Self> {
        Ok(Self {
            session_id,
            secret: random()?,
        })
    }

    /// Reads a token as a client sent it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (id, secret) = bytes.split_at_checked(ID_BYTES)?;
        Some(Self {
            session_id: Uuid::from_slice(id).ok()?,
            secret: secret.try_into().ok()?,
        })
    }

    /// As the client keeps it.
    pub(super) fn text(&self) -> String {
        let mut bytes = self.session_id.as_bytes().to_vec();
        bytes.extend_from_slice(&self.secret);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// What the database keeps of it.
    pub(super) fn hash(&self) -> Vec<u8> {
        digest::digest(&digest::SHA256, &self.secret)
            .as_ref()
            .to_vec()
    }

    /// The token that follows it under `salt`.
    pub(super) fn successor(&self, salt: &[u8]) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.secret);
        let mut secret = [0; 32];
        secret.copy_from_slice(hmac::sign(&key, salt).as_ref());
        Self {
            session_id: self.session_id,
            secret,
        }
    }
}

/// 256 random bits.
pub(super) fn random() -> Result<[u8; 32]> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).map_err(Problem::internal)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_the_way_to_the_client_and_back() {
        let token = RefreshToken::new(Uuid::now_v7()).unwrap();

        let back = RefreshToken::parse(&token.text()).unwrap();

        assert!(back == token);
        assert_eq!(token.text().len(), 64);
        for bad in [
            "",
            "a",
            "Authorization",
            &"A".repeat(63),
            &"A".repeat(65),
            &"=".repeat(64),
        ] {
            assert!(RefreshToken::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn the_successor_follows_from_token_and_salt_alone() {
        let token = RefreshToken::new(Uuid::now_v7()).unwrap();
        let salt = random().unwrap();

        let next = token.successor(&salt);

        assert!(next == token.successor(&salt));
        assert!(next != token.successor(&random().unwrap()));
        assert_ne!(next.hash(), token.hash());
        assert_eq!(next.session_id, token.session_id);
    }
}
