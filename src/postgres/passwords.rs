//! The passwords of the cluster's roles: random, one file each, readable only
//! by the account that runs PostgreSQL (and root).

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::account::Account;
use super::error::StartError;
use super::folders::Folders;

/// Random bytes in a password; the file has them in hexadecimal.
const PASSWORD_BYTES: usize = 32;

/// One password for each role.
pub(super) struct Passwords {
    pub(super) superuser: String,
    /// For `initdb --pwfile`.
    pub(super) superuser_file: PathBuf,
    pub(super) owner: String,
    pub(super) app: String,
}

impl Passwords {
    /// Reads the passwords and makes those that are missing. Those of owner
    /// and app are set anew at each start, so a lost file heals itself; that
    /// of the superuser of an existing cluster cannot be replaced.
    pub(super) fn open(
        folders: &Folders,
        account: &Account,
        cluster_exists: bool,
    ) -> Result<Self, StartError> {
        let superuser_file = folders.passwords.join("superuser");
        let superuser = match read(&superuser_file)? {
            Some(password) => password,
            None if cluster_exists => {
                return Err(StartError::NoPassword {
                    file: superuser_file,
                });
            }
            None => make(&superuser_file, account)?,
        };
        let read_or_make = |name: &str| {
            let file = folders.passwords.join(name);
            match read(&file)? {
                Some(password) => Ok(password),
                None => make(&file, account),
            }
        };
        Ok(Self {
            superuser,
            superuser_file,
            owner: read_or_make("owner")?,
            app: read_or_make("app")?,
        })
    }
}

/// The password in `file`; `None` if the file is missing or damaged.
fn read(file: &Path) -> Result<Option<String>, StartError> {
    match fs::read_to_string(file) {
        Ok(text) => {
            let password = text.trim();
            let complete = password.len() == 2 * PASSWORD_BYTES
                && password.bytes().all(|byte| byte.is_ascii_hexdigit());
            Ok(complete.then(|| password.to_owned()))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StartError::io("read the password file", file)(error)),
    }
}

/// Makes a password and keeps it in `file`, complete or not at all.
fn make(file: &Path, account: &Account) -> Result<String, StartError> {
    let random = Path::new("/dev/urandom");
    let mut bytes = [0_u8; PASSWORD_BYTES];
    File::open(random)
        .and_then(|mut source| source.read_exact(&mut bytes))
        .map_err(StartError::io("read", random))?;
    let password: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();

    let unfinished = file.with_extension("new");
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)
        .and_then(|mut new| {
            writeln!(new, "{password}")?;
            new.sync_all()
        })
        .map_err(StartError::io("write the password file", &unfinished))?;
    account.give(&unfinished)?;
    fs::rename(&unfinished, file).map_err(StartError::io("write the password file", file))?;
    Ok(password)
}
