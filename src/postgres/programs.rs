//! The PostgreSQL programs of this machine: where they lie, which version they are.

use std::collections::HashSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::error::{OLDEST_MAJOR, StartError};

/// Folders whose children are one version each, with the path from the child
/// to its programs.
const VERSIONED: [(&str, &str, &str); 7] = [
    ("/usr/lib/postgresql", "", "bin"),         // Debian, Ubuntu
    ("/usr", "pgsql-", "bin"),                  // packages of the PostgreSQL project for Red Hat
    ("/usr/libexec", "postgresql", ""),         // Alpine
    ("/opt/homebrew/opt", "postgresql", "bin"), // macOS on Apple silicon
    ("/usr/local/opt", "postgresql", "bin"),    // macOS on Intel
    ("/home/linuxbrew/.linuxbrew/opt", "postgresql", "bin"),
    ("/Applications/Postgres.app/Contents/Versions", "", "bin"),
];

/// Folders that hold one version only.
const SINGLE: [&str; 3] = ["/usr/local/pgsql/bin", "/usr/local/bin", "/usr/bin"];

/// One installed PostgreSQL.
#[derive(Debug)]
pub(super) struct Programs {
    pub(super) major: u32,
    pub(super) folder: PathBuf,
}

impl Programs {
    /// Chooses the programs for a cluster `made_by` that major version, or the
    /// newest ones if the cluster has still to be made.
    pub(super) fn find(
        bindir: Option<&Path>,
        data: &Path,
        made_by: Option<u32>,
    ) -> Result<Self, StartError> {
        let folders = bindir.map_or_else(usual_folders, |folder| vec![folder.to_owned()]);
        let mut found: Vec<(u32, PathBuf)> = Vec::new();
        for folder in &folders {
            if let Some(major) = major_of(folder) {
                if made_by == Some(major) && major >= OLDEST_MAJOR {
                    return Ok(Self {
                        major,
                        folder: folder.clone(),
                    });
                }
                found.push((major, folder.clone()));
            }
        }
        let newest = found.iter().max_by_key(|(major, _)| *major).cloned();
        match (newest, made_by) {
            (None, _) => Err(StartError::NoPrograms { looked_in: folders }),
            (Some((newest, _)), _) if newest < OLDEST_MAJOR => {
                Err(StartError::ProgramsTooOld { found })
            }
            (Some(_), Some(made_by)) => Err(StartError::OtherMajor {
                data: data.to_owned(),
                made_by,
                found,
            }),
            (Some((major, folder)), None) => Ok(Self { major, folder }),
        }
    }

    pub(super) fn postgres(&self) -> PathBuf {
        self.folder.join("postgres")
    }

    pub(super) fn initdb(&self) -> PathBuf {
        self.folder.join("initdb")
    }
}

impl fmt::Display for Programs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgreSQL {} ({})", self.major, self.folder.display())
    }
}

/// Every folder where PostgreSQL is usually installed, and the one that
/// `pg_config` names.
fn usual_folders() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for (parent, prefix, programs) in VERSIONED {
        let children = fs::read_dir(parent).into_iter().flatten().flatten();
        for child in children {
            if child.file_name().to_string_lossy().starts_with(prefix) {
                folders.push(child.path().join(programs));
            }
        }
    }
    folders.extend(SINGLE.map(PathBuf::from));
    // One installation may be reachable through links from several folders.
    let mut seen = HashSet::new();
    folders.retain(|folder| {
        folder
            .join("postgres")
            .canonicalize()
            .is_ok_and(|program| seen.insert(program))
    });
    if folders.is_empty() {
        folders.extend(folder_by_pg_config());
    }
    if folders.is_empty() {
        // For the message: what was looked at in vain.
        folders.extend(VERSIONED.map(|(parent, prefix, programs)| {
            Path::new(parent).join(format!("{prefix}*")).join(programs)
        }));
        folders.extend(SINGLE.map(PathBuf::from));
    }
    folders
}

/// The folder that `pg_config` names, if there is such a program.
fn folder_by_pg_config() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    let folder = String::from_utf8(output.stdout).ok()?;
    Some(PathBuf::from(folder.trim())).filter(|folder| folder.is_absolute())
}

/// The major version of the programs in `folder`; `None` unless both
/// `postgres` and `initdb` are there.
fn major_of(folder: &Path) -> Option<u32> {
    if !folder.join("initdb").is_file() {
        return None;
    }
    let output = Command::new(folder.join("postgres"))
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .ok()?;
    parse_major(&String::from_utf8_lossy(&output.stdout))
}

/// `postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)` → 15.
fn parse_major(version: &str) -> Option<u32> {
    let (_, number) = version.split_once("(PostgreSQL) ")?;
    let digits = number.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::parse_major;

    #[test]
    fn the_major_version_is_read_from_releases_betas_and_distributions() {
        assert_eq!(
            parse_major("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n"),
            Some(15)
        );
        assert_eq!(parse_major("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(parse_major("postgres (PostgreSQL) 9.6.24\n"), Some(9));
        assert_eq!(parse_major("something else 15\n"), None);
    }
}
