//! From an empty folder to a cluster with its roles and database.

use std::fmt::Write;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls};

use super::error::StartError;
use super::folders::Folders;
use super::launch::Launch;
use super::passwords::Passwords;
use super::{APP, DATABASE, OWNER, SUPERUSER};

/// How long a connection to the own socket may take.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

/// Makes the cluster. `initdb` works in a folder of another name, so that one
/// that was interrupted never looks finished.
pub(super) fn make(
    launch: &Launch,
    folders: &Folders,
    passwords: &Passwords,
) -> Result<(), StartError> {
    let unfinished = &folders.unfinished;
    match fs::remove_dir_all(unfinished) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(StartError::io("remove the unfinished cluster", unfinished)(
                error,
            ));
        }
        _ => {}
    }
    let output = launch
        .initdb(unfinished, &passwords.superuser_file)
        .output()
        .map_err(StartError::io("run", &launch.programs.initdb()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(StartError::Initdb {
            output: said.trim().to_owned(),
        });
    }
    fs::rename(unfinished, &folders.data)
        .and_then(|()| File::open(&folders.home)?.sync_all())
        .map_err(StartError::io("put in place the cluster", &folders.data))
}

/// Puts roles and database in place. Runs at every start: each statement says
/// how things shall be, whatever they were.
pub(super) fn furnish(socket: &Path, passwords: &Passwords) -> Result<(), StartError> {
    // On a thread of its own, because the caller may be inside a runtime, in
    // which another one cannot be driven.
    let furnished = thread::scope(|scope| {
        scope
            .spawn(|| -> Result<(), StartError> {
                tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .map_err(StartError::io("start a runtime for", socket))?
                    .block_on(furnish_through(socket, passwords))
                    .map_err(|source| StartError::Furnish { source })
            })
            .join()
    });
    furnished.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

async fn furnish_through(
    socket: &Path,
    passwords: &Passwords,
) -> Result<(), tokio_postgres::Error> {
    let roles = roles(passwords);
    let session = match Session::open(socket, &passwords.superuser, DATABASE).await {
        Err(error) if error.code() == Some(&SqlState::INVALID_CATALOG_NAME) => {
            let session = Session::open(socket, &passwords.superuser, "postgres").await?;
            session.client.batch_execute(&roles).await?;
            let create = format!("CREATE DATABASE {DATABASE} OWNER {OWNER}");
            session.client.batch_execute(&create).await?;
            session.close().await;
            Session::open(socket, &passwords.superuser, DATABASE).await?
        }
        other => other?,
    };
    session.client.batch_execute(&roles).await?;
    let rights = format!(
        "ALTER DATABASE {DATABASE} OWNER TO {OWNER};
         GRANT CONNECT ON DATABASE {DATABASE} TO {APP};
         REVOKE CREATE ON SCHEMA public FROM PUBLIC;"
    );
    session.client.batch_execute(&rights).await?;
    session.close().await;
    Ok(())
}

/// Makes the two roles if they are missing and sets all that matters about them.
fn roles(passwords: &Passwords) -> String {
    let mut sql = String::from(
        // A failing statement would put its text, and so a password, into the log.
        "SET log_min_error_statement = panic;",
    );
    for role in [OWNER, APP] {
        sql += &format!(
            "DO $$ BEGIN
               IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = '{role}') THEN
                 CREATE ROLE {role};
               END IF;
             END $$;"
        );
    }
    // Passwords are hexadecimal digits: nothing in them needs quoting.
    let (owner, app) = (&passwords.owner, &passwords.app);
    sql += &format!(
        "ALTER ROLE {OWNER} LOGIN NOSUPERUSER NOBYPASSRLS NOREPLICATION CREATEDB NOCREATEROLE
           PASSWORD '{owner}';
         ALTER ROLE {APP} LOGIN NOSUPERUSER NOBYPASSRLS NOREPLICATION NOCREATEDB NOCREATEROLE
           PASSWORD '{app}';
         ALTER ROLE {APP} SET plan_cache_mode = 'force_generic_plan';
         ALTER ROLE {APP} SET statement_timeout = '5s';
         ALTER ROLE {APP} SET idle_in_transaction_session_timeout = '10s';"
    );
    sql
}

/// A connection of the superuser.
struct Session {
    client: Client,
    connection: tokio::task::JoinHandle<()>,
}

impl Session {
    async fn open(
        socket: &Path,
        password: &str,
        database: &str,
    ) -> Result<Self, tokio_postgres::Error> {
        let (client, connection) = Config::new()
            .host_path(socket)
            .user(SUPERUSER)
            .password(password)
            .dbname(database)
            .application_name("aims start")
            .connect_timeout(CONNECT_PATIENCE)
            .connect(NoTls)
            .await?;
        let connection = tokio::spawn(async move {
            // What fails here fails the query too, which reports it.
            let _ = connection.await;
        });
        Ok(Self { client, connection })
    }

    /// Says goodbye and waits until it is sent.
    async fn close(self) {
        drop(self.client);
        let _ = self.connection.await;
    }
}

/// The address of [`DATABASE`] for a role, as `tokio_postgres` and libpq read it.
pub(super) fn url(socket: &Path, role: &str, password: &str) -> String {
    let mut url = format!("postgresql://{role}:{password}@");
    for &byte in socket.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            url.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(url, "%{byte:02X}");
        }
    }
    url.push('/');
    url.push_str(DATABASE);
    url
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use tokio_postgres::Config;
    use tokio_postgres::config::Host;

    #[test]
    fn a_url_carries_any_socket_folder() {
        let folder = Path::new("/tmp/a b,c%é/run");

        let url = super::url(folder, "aims_app", "00ff");

        let config: Config = url.parse().unwrap();
        assert_eq!(config.get_hosts(), [Host::Unix(PathBuf::from(folder))]);
        assert_eq!(config.get_user(), Some("aims_app"));
        assert_eq!(config.get_password(), Some(b"00ff".as_slice()));
        assert_eq!(config.get_dbname(), Some("aims"));
    }
}
