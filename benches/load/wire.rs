//! How often a request waits for PostgreSQL: a server with one connection reaches it through a
//! socket that holds back each answer for [`DELAY`], so the time of a request tells how many
//! answers it has waited for.

use std::path::Path;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use crate::Outcome;
use crate::driver::{Connection, Script};
use crate::setup::{World, wait};

/// Longer than any of the measured requests takes by itself.
const DELAY: Duration = Duration::from_millis(60);
/// Requests; the first ones prepare statements and look up the caller, the fastest counts.
const TRIES: usize = 12;

/// Round trips of the cheapest of some requests.
pub fn round_trips(world: &World, mut script: Script) -> Outcome<u32> {
    let folder = world.socket().with_file_name("slow");
    std::fs::create_dir_all(&folder)?;
    let (from, to) = (folder.join(SOCKET), world.socket().join(SOCKET));
    let _ = std::fs::remove_file(&from);
    let listener = std::os::unix::net::UnixListener::bind(&from)?;
    listener.set_nonblocking(true)?;
    std::thread::spawn(move || wait(relay(listener, &to)).map_err(|error| error.to_string()));
    let server = world.serve_through(&folder.display().to_string())?;
    let fastest = wait(async {
        let mut connection = Connection::open(server.address).await?;
        let (mut last, mut fastest) = (None, Duration::MAX);
        for attempt in 0..TRIES {
            let request = script(last.as_ref());
            let start = Instant::now();
            last = Some(connection.ask(&request).await?);
            // The first of a script may be another request.
            if attempt > 0 {
                fastest = fastest.min(start.elapsed());
            }
            // What is sent after the answer is not waited for by the next request.
            tokio::time::sleep(2 * DELAY).await;
        }
        Ok(fastest)
    })?;
    Ok(u32::try_from(fastest.as_millis() / DELAY.as_millis())?)
}

/// Name of the socket in its folder.
const SOCKET: &str = ".s.PGSQL.5432";

async fn relay(listener: std::os::unix::net::UnixListener, to: &Path) -> Outcome<()> {
    let listener = UnixListener::from_std(listener)?;
    loop {
        let (client, _) = listener.accept().await?;
        let server = UnixStream::connect(to).await?;
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
        tokio::spawn(async move {
            let mut buffer = vec![0; 1024 * 1024];
            loop {
                from_server.readable().await?;
                tokio::time::sleep(DELAY).await;
                // All that has come meanwhile is one answer.
                let length = from_server.read(&mut buffer).await?;
                if length == 0 {
                    return std::io::Result::Ok(());
                }
                to_client
                    .write_all(buffer.get(..length).unwrap_or_default())
                    .await?;
            }
        });
    }
}
