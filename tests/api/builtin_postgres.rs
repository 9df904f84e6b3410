//! The built-in PostgreSQL cluster: starts, survives, refuses.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::time::{Duration, Instant};

use aims::postgres::{Cluster, Durability, Settings, StartError};
use rustix::process::{Pid, Signal, kill_process};
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::{Client, NoTls};

type Outcome = Result<(), Box<dyn Error>>;

/// How long a killed cluster may take to come back.
const RECOVERY: Duration = Duration::from_secs(30);

#[test]
fn data_is_still_there_after_a_restart() -> Outcome {
    let folder = Folder::new("restart");
    let runtime = runtime()?;

    let first = Cluster::start(&folder.settings())?;
    runtime.block_on(async {
        let owner = connect(&first.owner_url()).await?;
        owner
            .batch_execute("CREATE TABLE kept AS SELECT 42 AS answer")
            .await
    })?;
    let urls = (first.owner_url(), first.app_url());
    first.stop()?;
    let second = Cluster::start(&folder.settings())?;

    let answer = runtime.block_on(answer(&second.owner_url()))?;
    assert_eq!(answer, 42);
    assert_eq!((second.owner_url(), second.app_url()), urls);
    Ok(())
}

#[test]
fn a_killed_postmaster_is_started_again_and_keeps_its_data() -> Outcome {
    let folder = Folder::new("killed");
    let runtime = runtime()?;
    let cluster = Cluster::start(&folder.settings())?;
    runtime.block_on(async {
        let owner = connect(&cluster.owner_url()).await?;
        owner
            .batch_execute("CREATE TABLE kept AS SELECT 42 AS answer")
            .await
    })?;
    let killed = folder.postmaster()?;

    kill_process(killed, Signal::KILL)?;

    let answer = runtime.block_on(async {
        let deadline = Instant::now() + RECOVERY;
        loop {
            match answer(&cluster.owner_url()).await {
                Err(_) if Instant::now() < deadline => tokio::task::yield_now().await,
                outcome => return outcome,
            }
        }
    })?;
    assert_eq!(answer, 42);
    assert_ne!(folder.postmaster()?, killed);
    Ok(())
}

#[test]
fn a_second_start_on_the_same_folder_is_refused_while_the_first_runs() -> Outcome {
    let folder = Folder::new("second");
    let first = Cluster::start(&folder.settings())?;

    let refusal = Cluster::start(&folder.settings()).err();

    assert!(
        matches!(&refusal, Some(StartError::AlreadyRunning { pid: Some(pid), .. }) if *pid == process::id()),
        "{refusal:?}"
    );
    assert_eq!(runtime()?.block_on(one(&first.app_url()))?, 1);
    first.stop()?;
    Cluster::start(&folder.settings())?.stop()?;
    Ok(())
}

#[test]
fn data_of_another_major_version_is_refused_and_left_alone() -> Outcome {
    let folder = Folder::new("major");
    let data = folder.0.join("postgres/data");
    fs::create_dir_all(&data)?;
    fs::write(data.join("PG_VERSION"), "9.6\n")?;

    let refusal = Cluster::start(&folder.settings())
        .err()
        .ok_or("it started")?;

    assert!(
        matches!(&refusal, StartError::OtherMajor { made_by: 9, found, .. } if !found.is_empty()),
        "{refusal:?}"
    );
    let sentence = refusal.to_string();
    assert!(sentence.contains("made by PostgreSQL 9"), "{sentence}");
    assert!(
        sentence.contains("this machine has PostgreSQL"),
        "{sentence}"
    );
    assert!(sentence.contains("pg_upgrade"), "{sentence}");
    assert_eq!(names_in(&data)?, ["PG_VERSION"]);
    Ok(())
}

#[test]
fn a_folder_that_is_no_cluster_is_refused_and_left_alone() -> Outcome {
    let folder = Folder::new("foreign");
    let data = folder.0.join("postgres/data");
    fs::create_dir_all(&data)?;
    fs::write(data.join("diary.txt"), "dear diary")?;

    let refusal = Cluster::start(&folder.settings()).err();

    assert!(
        matches!(refusal, Some(StartError::NotACluster { .. })),
        "{refusal:?}"
    );
    assert_eq!(names_in(&data)?, ["diary.txt"]);
    Ok(())
}

#[test]
fn the_roles_have_no_right_they_do_not_need() -> Outcome {
    let folder = Folder::new("roles");
    let cluster = Cluster::start(&folder.settings())?;

    let found = runtime()?.block_on(async {
        let app = connect(&cluster.app_url()).await?;
        let facts = app
            .query_one(
                "SELECT format('super=%s bypassrls=%s createdb=%s createrole=%s replication=%s',
                               rolsuper, rolbypassrls, rolcreatedb, rolcreaterole, rolreplication),
                        array_to_string(ARRAY(SELECT unnest(rolconfig) ORDER BY 1), ' '),
                        (SELECT count(*) FROM pg_shdepend
                          WHERE refclassid = 'pg_authid'::regclass AND refobjid = r.oid AND deptype = 'o'),
                        (SELECT count(*) FROM pg_auth_members WHERE member = r.oid),
                        has_schema_privilege('public', 'CREATE'),
                        has_database_privilege('aims', 'CREATE')
                   FROM pg_roles r WHERE rolname = current_user",
                &[],
            )
            .await?;
        let owner = connect(&cluster.owner_url()).await?;
        let owner = owner
            .query_one(
                "SELECT format('super=%s bypassrls=%s createdb=%s createrole=%s', rolsuper, rolbypassrls,
                               rolcreatedb, rolcreaterole),
                        pg_get_userbyid(datdba)::text, current_setting('listen_addresses'), current_setting('jit')
                   FROM pg_roles, pg_database
                  WHERE rolname = current_user AND datname = current_database()",
                &[],
            )
            .await?;
        Ok::<_, tokio_postgres::Error>((facts, owner))
    })?;

    let (app, owner) = found;
    assert_eq!(
        app.try_get::<_, &str>(0)?,
        "super=f bypassrls=f createdb=f createrole=f replication=f"
    );
    assert_eq!(
        app.try_get::<_, &str>(1)?,
        "idle_in_transaction_session_timeout=10s plan_cache_mode=force_generic_plan statement_timeout=5s"
    );
    assert_eq!(app.try_get::<_, i64>(2)?, 0, "objects owned");
    assert_eq!(app.try_get::<_, i64>(3)?, 0, "memberships");
    assert!(!app.try_get::<_, bool>(4)?, "may create in public");
    assert!(!app.try_get::<_, bool>(5)?, "may create schemas");
    assert_eq!(
        owner.try_get::<_, &str>(0)?,
        "super=f bypassrls=f createdb=t createrole=f"
    );
    assert_eq!(owner.try_get::<_, &str>(1)?, "aims_owner");
    assert_eq!(owner.try_get::<_, &str>(2)?, "", "listens on the network");
    assert_eq!(owner.try_get::<_, &str>(3)?, "off");
    Ok(())
}

/// A data folder of one test, removed with everything in it at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("aims-builtin-{}-{name}", process::id())))
    }

    fn settings(&self) -> Settings {
        Settings {
            root: self.0.clone(),
            durability: Durability::Throwaway,
            bindir: None,
        }
    }

    /// The process that PostgreSQL itself names as its first.
    fn postmaster(&self) -> Result<Pid, Box<dyn Error>> {
        let text = fs::read_to_string(self.0.join("postgres/data/postmaster.pid"))?;
        let line = text.lines().next().ok_or("postmaster.pid is empty")?;
        Ok(Pid::from_raw(line.parse()?).ok_or("postmaster.pid names process 0")?)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder left behind in the temporary folder harms nobody.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn runtime() -> std::io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

async fn connect(url: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// What the restart tests left in the table.
async fn answer(url: &str) -> Result<i32, tokio_postgres::Error> {
    let row = connect(url)
        .await?
        .query_one("SELECT answer FROM kept", &[])
        .await?;
    row.try_get(0)
}

async fn one(url: &str) -> Result<i32, tokio_postgres::Error> {
    let row = connect(url).await?.query_one("SELECT 1", &[]).await?;
    row.try_get(0)
}

fn names_in(folder: &Path) -> std::io::Result<Vec<String>> {
    fs::read_dir(folder)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect()
}
