//! What a run leaves behind: the databases of all tests are looked through for what must never be
//! there, whatever a test was about. A server with a database of its own is looked through when it
//! has stopped, so that the fault is the test's; the others by the test below, which is the last.

mod questions;
mod recomputed;
mod teeth;

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::thread;

use tokio_postgres::{Client, Config, NoTls};

use crate::support::owner_url;
use crate::support::server::folder;

/// Topics of what tests do to their databases behind the program's back, by database.
static EXCUSES: Mutex<Option<HashMap<String, Vec<&'static str>>>> = Mutex::new(None);
/// Databases that have been looked through.
static DONE: Mutex<Option<HashSet<String>>> = Mutex::new(None);
/// Faults told of one database.
const MOST: usize = 20;

/// A test breaks this rule itself, behind the program's back; see [`questions`] for the topics.
pub fn excuse(database: &str, topic: &'static str) {
    let mut excuses = EXCUSES.lock().unwrap_or_else(PoisonError::into_inner);
    let excuses = excuses.get_or_insert_default();
    excuses.entry(database.to_owned()).or_default().push(topic);
}

/// A connection that sees the rows of all tenants. Only the tests of this module have one.
async fn superuser(database: &str) -> Client {
    let passwords = folder("").join("../postgres/passwords/superuser");
    let password = std::fs::read_to_string(&passwords)
        .unwrap_or_else(|error| panic!("{}: {error}", passwords.display()));
    let mut config: Config = owner_url(database).parse().unwrap();
    config.user("aims_superuser").password(password.trim());
    let (client, connection) = config.connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// What is wrong in a database as it is now: topic, table, row and what.
async fn faults(db: &Client) -> Vec<String> {
    let mut faults = questions::ask(db).await;
    faults.extend(recomputed::links(db).await);
    faults.extend(recomputed::versions(db).await);
    faults.extend(recomputed::chains(db).await);
    faults
}

fn is_done(database: &str) -> bool {
    let done = DONE.lock().unwrap_or_else(PoisonError::into_inner);
    done.as_ref().is_some_and(|done| done.contains(database))
}

async fn look_through(database: &str) -> Vec<String> {
    let db = superuser(database).await;
    // One picture, whoever writes meanwhile.
    db.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .await
        .unwrap();
    let mut faults = faults(&db).await;
    db.batch_execute("COMMIT").await.unwrap();
    let excuses = EXCUSES.lock().unwrap_or_else(PoisonError::into_inner);
    let excused = excuses.as_ref().and_then(|all| all.get(database));
    for topic in excused.into_iter().flatten() {
        faults.retain(|fault| !fault.starts_with(&format!("{topic}: ")));
    }
    faults.truncate(MOST);
    faults
}

/// Looks through the database of a server that has stopped; fails the test whose it was.
pub fn look_through_now(database: &str) {
    let mut done = DONE.lock().unwrap_or_else(PoisonError::into_inner);
    done.get_or_insert_default().insert(database.to_owned());
    drop(done);
    let faults = thread::scope(|scope| {
        let looking = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(look_through(database))
        });
        looking.join().unwrap()
    });
    let test = thread::current().name().unwrap_or_default().to_owned();
    assert!(
        faults.is_empty(),
        "{test} leaves behind in {database}:\n{}",
        faults.join("\n")
    );
}

#[actix_web::test]
async fn nothing_wrong_in_any_database_of_the_run() {
    crate::support::app();
    let db = superuser("postgres").await;
    let sql = "SELECT datname::text FROM pg_database WHERE datname LIKE 'aims\\_%' AND datname <> 'aims_template'";
    let databases = db.query(sql, &[]).await.unwrap();
    let mut found = Vec::new();
    for row in databases {
        let database: String = row.get(0);
        if !is_done(&database) {
            let faults = look_through(&database).await;
            found.extend(faults.iter().map(|fault| format!("{database}: {fault}")));
        }
    }
    assert!(found.is_empty(), "left behind:\n{}", found.join("\n"));
}
