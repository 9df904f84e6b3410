//! Opaque, signed cursors of lists.
//!
//! A cursor is base64url(mac ‖ JSON). The mac covers the context too (tenant, filter, sort), so
//! a cursor works only for the list it came from.

use aws_lc_rs::{constant_time, hmac};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::problem::{Problem, Result};

/// Bytes of the truncated HMAC-SHA256.
const MAC: usize = 16;
/// Characters of the longest cursor that is looked at.
const LONGEST: usize = 4096;

/// Makes and opens cursors with one key.
#[derive(Clone, Debug)]
pub struct Cursors {
    key: hmac::Key,
}

impl Cursors {
    /// Cursors under a key drawn from `secret`; all replicas need the same one.
    pub fn new(secret: &[u8]) -> Self {
        let master = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let derived = hmac::sign(&master, b"aims list cursors v1");
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()),
        }
    }

    /// The cursor for `position` in the list named by `context`.
    pub fn seal(&self, context: &str, position: &Value) -> String {
        let payload = position.to_string();
        let mut bytes = self.mac(context, payload.as_bytes());
        bytes.extend_from_slice(payload.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The position in `cursor`; 400 when it was altered or comes from another list.
    pub fn open(&self, context: &str, cursor: &str) -> Result<Value> {
        self.opened(context, cursor).ok_or_else(|| {
            Problem::malformed("The cursor is not one that this list gave; begin without one.")
        })
    }

    fn opened(&self, context: &str, cursor: &str) -> Option<Value> {
        if cursor.len() > LONGEST {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (mac, payload) = bytes.split_at_checked(MAC)?;
        constant_time::verify_slices_are_equal(mac, &self.mac(context, payload)).ok()?;
        serde_json::from_slice(payload).ok()
    }

    fn mac(&self, context: &str, payload: &[u8]) -> Vec<u8> {
        let mut signing = hmac::Context::with_key(&self.key);
        // The length keeps context and payload apart.
        signing.update(context.len().to_string().as_bytes());
        signing.update(b":");
        signing.update(context.as_bytes());
        signing.update(payload);
        signing.sign().as_ref().iter().copied().take(MAC).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn opens_what_it_sealed() {
        let cursors = Cursors::new(b"secret");
        let position = json!(["2026-01-01T00:00:00Z", "0190"]);

        let cursor = cursors.seal("tenant|risks|-updated_at", &position);

        let opened = cursors.open("tenant|risks|-updated_at", &cursor).unwrap();
        assert_eq!(opened, position);
    }

    #[test]
    fn refuses_anything_altered() {
        let cursors = Cursors::new(b"secret");
        let cursor = cursors.seal("a", &json!([1, "x"]));

        for index in 0..cursor.len() {
            let mut altered = cursor.clone().into_bytes();
            altered[index] = if altered[index] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8(altered).unwrap();
            assert_eq!(cursors.open("a", &altered).unwrap_err().status, 400);
        }
        let short = &cursor[..cursor.len() - 1];
        for bad in ["", "AAAA", "é", short, &format!("{cursor}A")] {
            assert_eq!(cursors.open("a", bad).unwrap_err().status, 400);
        }
        assert!(cursors.open("b", &cursor).is_err());
        assert!(Cursors::new(b"other").open("a", &cursor).is_err());
    }
}
