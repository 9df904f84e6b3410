//! Demo data: a consultancy and two of its clients, loaded through the API by a client like any
//! other. Invitations are really mailed, read and accepted.
//!
//! | file | question |
//! |---|---|
//! | `people.rs` | who is there, and what may they do? |
//! | `client.rs` | how is the API called? |
//! | `mailbox.rs` | which token did an invitation bring? |
//! | `load.rs` | in which order does everything come about? |
//! | `crew.rs` | who is signed in and acts? |
//! | `steps.rs` | what do both clients do? |
//! | `aurelia.rs`, `kestrel.rs` | what do the two clients keep? |
//! | `welcome.rs` | what does the reader need to begin? |

mod aurelia;
mod client;
mod crew;
mod kestrel;
mod load;
mod mailbox;
mod people;
mod steps;
mod welcome;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::config::Config;

/// Whether a server answers at this address.
pub fn is_alive(bind: SocketAddr) -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let url = format!("http://{}/livez", reachable(bind));
    runtime.block_on(async { reqwest::get(url).await?.error_for_status() })?;
    Ok(())
}

/// An address to reach a server at that listens on all addresses.
fn reachable(bind: SocketAddr) -> SocketAddr {
    match bind.ip() {
        ip if ip.is_unspecified() => SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), bind.port()),
        _ => bind,
    }
}

/// Loads the demo data into the running server, unless it is there, and prints where to go. What
/// goes wrong is told in a sentence; the server goes on.
pub async fn run(config: Config, address: SocketAddr) {
    let base = format!("http://{}", reachable(address));
    match load::load(&config, &base).await {
        Ok(loaded) => println!("{}", welcome::text(&config, &base, &loaded)),
        Err(fault) => eprintln!("The demo data could not be loaded. {fault} The server goes on."),
    }
}
