//! Refresh tokens: opaque, rotated at each use (RFC 9700 section 4.14.2).
//!
//! A token names its session and carries 128 random bits and a seal of the server over both; only
//! their SHA-256 is kept. The next token is derived from the presented one and a stored salt, so a
//! client that lost the answer and asks again gets the same successor, although no token is kept
//! in the clear. By the seal a token that was once given out is told from one that somebody made
//! up for a session they know of.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{digest, hmac, rand};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use crate::problem::{Problem, Result};

/// Bytes of the session's id in front.
const ID_BYTES: usize = 16;

/// Bytes of the random part, after which the seal follows.
const RANDOM_BYTES: usize = 16;

/// Seals refresh tokens.
pub(super) struct Seal(hmac::Key);

impl Seal {
    /// A seal with a key of the server.
    pub(super) fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// The token with this random part.
    fn put(&self, session_id: Uuid, random: &[u8]) -> RefreshToken {
        let mut signed = session_id.as_bytes().to_vec();
        signed.extend_from_slice(random);
        let tag = hmac::sign(&self.0, &signed);
        let mut secret = [0; 32];
        let bytes = random.iter().take(RANDOM_BYTES).chain(tag.as_ref());
        for (to, from) in secret.iter_mut().zip(bytes) {
            *to = *from;
        }
        RefreshToken { session_id, secret }
    }

    /// Whether this server has given the token out.
    pub(super) fn is_on(&self, token: &RefreshToken) -> bool {
        let (random, _) = token.secret.split_at(RANDOM_BYTES);
        let genuine = self.put(token.session_id, random);
        verify_slices_are_equal(&genuine.secret, &token.secret).is_ok()
    }
}

/// A refresh token.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct RefreshToken {
    /// The session it belongs to.
    pub(super) session_id: Uuid,
    secret: [u8; 32],
}

impl RefreshToken {
    /// The first token of a session.
    pub(super) fn new(session_id: Uuid, seal: &Seal) -> Result<Self> {
        let random = random()?;
        let (random, _) = random.split_at(RANDOM_BYTES);
        Ok(seal.put(session_id, random))
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
    pub(super) fn successor(&self, salt: &[u8], seal: &Seal) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.secret);
        let next = hmac::sign(&key, salt);
        let (random, _) = next.as_ref().split_at(RANDOM_BYTES);
        seal.put(self.session_id, random)
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

    fn seal() -> Seal {
        Seal::new(&[7; 32])
    }

    #[test]
    fn only_tokens_that_were_given_out_bear_the_seal() {
        let token = RefreshToken::new(Uuid::now_v7(), &seal()).unwrap();
        let next = token.successor(&random().unwrap(), &seal());
        let moved = RefreshToken {
            session_id: Uuid::now_v7(),
            secret: token.secret,
        };
        let made_up = RefreshToken {
            session_id: token.session_id,
            secret: random().unwrap(),
        };

        assert!(seal().is_on(&token) && seal().is_on(&next));
        assert!(!seal().is_on(&moved) && !seal().is_on(&made_up));
        assert!(!Seal::new(&[8; 32]).is_on(&token));
    }

    #[test]
    fn a_token_survives_the_way_to_the_client_and_back() {
        let token = RefreshToken::new(Uuid::now_v7(), &seal()).unwrap();

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
        let token = RefreshToken::new(Uuid::now_v7(), &seal()).unwrap();
        let salt = random().unwrap();

        let next = token.successor(&salt, &seal());

        assert!(next == token.successor(&salt, &seal()));
        assert!(next != token.successor(&random().unwrap(), &seal()));
        assert_ne!(next.hash(), token.hash());
        assert_eq!(next.session_id, token.session_id);
    }
}
