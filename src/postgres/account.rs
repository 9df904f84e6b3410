//! The operating-system user that PostgreSQL runs as.
//!
//! PostgreSQL refuses to run as root. When the server was started as root, the
//! cluster runs as the user who owns its data, else as `postgres`, else as
//! `nobody`; in every other case as the user who started the server.

use std::fs;
use std::os::unix::fs::{MetadataExt, lchown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use super::error::StartError;
use super::folders::Folders;

/// Users to run PostgreSQL as when started as root, best first.
const CANDIDATES: [&str; 3] = ["postgres", "_postgres", "nobody"];

/// Who runs PostgreSQL.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) uid: u32,
    gid: u32,
    /// The process is root and steps down to this account for PostgreSQL.
    pub(super) steps_down: bool,
}

impl Account {
    /// Chooses the account for the cluster in `folders`.
    pub(super) fn choose(folders: &Folders) -> Result<Self, StartError> {
        let uid = rustix::process::geteuid().as_raw();
        if uid != 0 {
            return Ok(Self {
                uid,
                gid: rustix::process::getegid().as_raw(),
                steps_down: false,
            });
        }
        let (uid, gid) = match fs::metadata(&folders.data) {
            Ok(owner) if owner.uid() != 0 => (owner.uid(), owner.gid()),
            _ => {
                let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
                CANDIDATES
                    .iter()
                    .find_map(|name| ids_of(&users, name))
                    .ok_or(StartError::NoAccount)?
            }
        };
        Ok(Self {
            uid,
            gid,
            steps_down: true,
        })
    }

    /// Lets `command` run as this account. Supplementary groups are given up too.
    pub(super) fn apply(&self, command: &mut Command) {
        if self.steps_down {
            command.uid(self.uid).gid(self.gid);
        }
    }

    /// Gives a file or folder to this account, if it is not its own already.
    pub(super) fn give(&self, path: &Path) -> Result<(), StartError> {
        if self.steps_down {
            lchown(path, Some(self.uid), Some(self.gid))
                .map_err(StartError::io("change the owner of", path))?;
        }
        Ok(())
    }

    /// Whether this account may pass through a folder, going by its permission bits.
    pub(super) fn may_pass(&self, folder: &fs::Metadata) -> bool {
        let needed = if folder.uid() == self.uid {
            0o100
        } else if folder.gid() == self.gid {
            0o010
        } else {
            0o001
        };
        folder.mode() & needed != 0
    }

    /// The account's name for messages, or its number if it has none.
    pub(super) fn name(&self) -> String {
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        users
            .lines()
            .find_map(|line| {
                let mut fields = line.split(':');
                let (name, uid) = (fields.next()?, fields.nth(1)?);
                (uid.parse() == Ok(self.uid)).then(|| name.to_owned())
            })
            .unwrap_or_else(|| self.uid.to_string())
    }
}

/// User and group id of `name` in the text of `/etc/passwd`.
fn ids_of(users: &str, name: &str) -> Option<(u32, u32)> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next()? != name {
            return None;
        }
        let (uid, gid) = (fields.nth(1)?, fields.next()?);
        Some((uid.parse().ok()?, gid.parse().ok()?)).filter(|(uid, _)| *uid != 0)
    })
}

#[cfg(test)]
mod tests {
    use super::ids_of;

    #[test]
    fn users_are_found_by_their_whole_name_and_never_as_root() {
        let users = "root:x:0:0:root:/root:/bin/bash\npostgres2:x:9:9::/:/bin/sh\n\
                     postgres:x:101:104:PostgreSQL:/var/lib/postgresql:/bin/bash\nnobody:*:-2:-2::/:/bin/sh\n";

        assert_eq!(ids_of(users, "postgres"), Some((101, 104)));
        assert_eq!(ids_of(users, "nobody"), None);
        assert_eq!(ids_of(users, "root"), None);
    }
}
