//! Ed25519 keys that sign access tokens (RFC 8037), kept as PKCS#8 PEM files.
//!
//! The file name is the key id: a UTC time and eight hex digits, so names sort by age. A new key
//! is published at once and signs once it is [`SETTLED`] old; by then every replica has read it.
//! The folder is read anew when what is known is older than [`REREAD`], so keys are rotated
//! without a restart: `aims keys rotate`, and later delete the old file.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use aws_lc_rs::{hmac, rand};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use jsonwebtoken::{DecodingKey, EncodingKey};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;

use crate::clock::Clock;

/// Age from which a key signs.
const SETTLED: TimeDelta = TimeDelta::minutes(10);
/// How long the folder's content is believed.
const REREAD: Duration = Duration::from_secs(60);
/// Time in a key's name.
const NAME_TIME: &str = "%Y%m%dT%H%M%SZ";

/// Why the keys cannot be used, as a sentence.
#[derive(Debug)]
pub struct KeyError(String);

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for KeyError {}

fn fail(path: &Path, error: impl fmt::Display) -> KeyError {
    KeyError(format!("{}: {error}", path.display()))
}

/// One key pair.
pub struct SigningKey {
    /// Its id, `kid` in tokens.
    pub id: String,
    /// When it was made.
    pub made_at: DateTime<Utc>,
    /// Its public half, base64url, as in a JWK.
    pub x: String,
    /// What signs.
    pub encoding: EncodingKey,
    /// What verifies.
    pub decoding: DecodingKey,
    /// PKCS#8, for [`Keys::derive`].
    secret: Vec<u8>,
}

/// The keys of one read of the folder, by id, so oldest first.
type Ring = Arc<BTreeMap<String, Arc<SigningKey>>>;

/// The keys in a folder.
pub struct Keys {
    folder: PathBuf,
    clock: Clock,
    known: RwLock<(Instant, Ring)>,
}

impl Keys {
    /// Reads the folder; makes it and a first key where there is none.
    pub fn open(folder: &Path, clock: Clock) -> Result<Self, KeyError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|error| fail(folder, error))?;
        let mut ring = read(folder)?;
        if ring.is_empty() {
            rotate(folder, &clock)?;
            ring = read(folder)?;
        }
        Ok(Self {
            folder: folder.to_owned(),
            clock,
            known: RwLock::new((Instant::now(), Arc::new(ring))),
        })
    }

    /// The key that signs now: the newest that is settled, else the oldest.
    pub fn signing(&self) -> Option<Arc<SigningKey>> {
        let settled_before = self.clock.now() - SETTLED;
        let ring = self.ring();
        ring.values()
            .rev()
            .find(|key| key.made_at <= settled_before)
            .or_else(|| ring.values().next())
            .map(Arc::clone)
    }

    /// The key with this id.
    pub fn find(&self, id: &str) -> Option<Arc<SigningKey>> {
        self.ring().get(id).map(Arc::clone)
    }

    /// All keys, oldest first.
    pub fn all(&self) -> Vec<Arc<SigningKey>> {
        self.ring().values().map(Arc::clone).collect()
    }

    /// A secret for another purpose, the same in all replicas as long as the oldest key lives.
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        let ring = self.ring();
        let secret = ring.values().next().map_or(&[][..], |key| &key.secret);
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let tag = hmac::sign(&key, purpose.as_bytes());
        let mut out = [0; 32];
        out.copy_from_slice(tag.as_ref());
        out
    }

    /// What is known, read anew when it is old. A folder that cannot be read, or is empty, leaves
    /// what was known.
    fn ring(&self) -> Ring {
        {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            if known.0.elapsed() < REREAD {
                return Arc::clone(&known.1);
            }
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.0.elapsed() >= REREAD {
            known.0 = Instant::now();
            match read(&self.folder) {
                Ok(ring) if !ring.is_empty() => known.1 = Arc::new(ring),
                Ok(_) => {
                    tracing::error!("the folder of signing keys is empty; the known keys stay")
                }
                Err(error) => tracing::error!(%error, "the signing keys cannot be read again"),
            }
        }
        Arc::clone(&known.1)
    }
}

/// Makes a new key in `folder` and returns its id. It signs after ten minutes.
pub fn rotate(folder: &Path, clock: &Clock) -> Result<String, KeyError> {
    let mut random = [0; 4];
    rand::fill(&mut random).map_err(|error| fail(folder, error))?;
    let id = format!(
        "{}-{:08x}",
        clock.now().format(NAME_TIME),
        u32::from_be_bytes(random)
    );
    let pair = Ed25519KeyPair::generate().map_err(|error| fail(folder, error))?;
    let der = pair.to_pkcs8v1().map_err(|error| fail(folder, error))?;
    // 48 bytes are one line of 64 characters.
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        STANDARD.encode(der.as_ref())
    );
    let hidden = folder.join(format!(".{id}.tmp"));
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&hidden)
        .and_then(|mut file| {
            file.write_all(pem.as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&hidden, folder.join(format!("{id}.pem"))))
        .map_err(|error| fail(&hidden, error))?;
    Ok(id)
}

/// Reads every key of a folder; files with other names are not keys.
fn read(folder: &Path) -> Result<BTreeMap<String, Arc<SigningKey>>, KeyError> {
    let mut ring = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(|error| fail(folder, error))? {
        let path = entry.map_err(|error| fail(folder, error))?.path();
        let Some((id, made_at)) = name_of(&path) else {
            continue;
        };
        let key = load(&path, &id, made_at)?;
        ring.insert(id, Arc::new(key));
    }
    Ok(ring)
}

/// Id and age of a key from its file's name.
fn name_of(path: &Path) -> Option<(String, DateTime<Utc>)> {
    let id = path.file_name()?.to_str()?.strip_suffix(".pem")?;
    let (time, random) = id.split_once('-')?;
    let made_at = NaiveDateTime::parse_from_str(time, NAME_TIME).ok()?;
    let is_random = random.len() == 8 && random.bytes().all(|b| b.is_ascii_hexdigit());
    is_random.then(|| (id.to_owned(), made_at.and_utc()))
}

fn load(path: &Path, id: &str, made_at: DateTime<Utc>) -> Result<SigningKey, KeyError> {
    let der = PrivatePkcs8KeyDer::from_pem_file(path).map_err(|error| fail(path, error))?;
    let secret = der.secret_pkcs8_der().to_vec();
    let pair = Ed25519KeyPair::from_pkcs8(&secret).map_err(|error| fail(path, error))?;
    let public = pair.public_key().as_ref();
    Ok(SigningKey {
        id: id.to_owned(),
        made_at,
        x: URL_SAFE_NO_PAD.encode(public),
        encoding: EncodingKey::from_ed_der(&secret),
        decoding: DecodingKey::from_ed_der(public),
        secret,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn folder(name: &str) -> PathBuf {
        let folder =
            std::env::temp_dir().join(format!("aims-keys-{name}-{}", uuid::Uuid::now_v7()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn first_start_makes_one_key_that_only_its_owner_reads() {
        let folder = folder("first");

        let keys = Keys::open(&folder, Clock::machine()).unwrap();

        let key = keys.signing().unwrap();
        let file = folder.join(format!("{}.pem", key.id));
        let mode = fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(keys.all().len(), 1);
        let again = Keys::open(&folder, Clock::machine()).unwrap();
        assert_eq!(again.signing().unwrap().id, key.id);
        assert_eq!(again.derive("cursors"), keys.derive("cursors"));
        assert_ne!(again.derive("cursors"), keys.derive("other"));
    }

    #[test]
    fn a_new_key_is_published_at_once_and_signs_after_ten_minutes() {
        let folder = folder("rotate");
        let clock = Clock::settable();
        let first = Keys::open(&folder, clock.clone())
            .unwrap()
            .signing()
            .unwrap();
        clock.set(clock.now() + TimeDelta::minutes(30));

        let second = rotate(&folder, &clock).unwrap();

        let keys = Keys::open(&folder, clock.clone()).unwrap();
        assert!(keys.find(&second).is_some());
        assert_eq!(keys.signing().unwrap().id, first.id);
        clock.set(clock.now() + TimeDelta::minutes(11));
        assert_eq!(keys.signing().unwrap().id, second);
    }

    #[test]
    fn other_files_are_no_keys_and_a_broken_key_stops_the_start() {
        let folder = folder("broken");
        fs::write(folder.join("README.pem"), "x").unwrap();
        assert_eq!(
            Keys::open(&folder, Clock::machine()).unwrap().all().len(),
            1
        );

        fs::write(folder.join("20250101T000000Z-0011aabb.pem"), "x").unwrap();

        assert!(Keys::open(&folder, Clock::machine()).is_err());
    }
}
