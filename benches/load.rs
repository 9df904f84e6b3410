//! How fast the server is, against yardsticks measured in the same run: `make bench`.
//!
//! The server runs as in production, in a process of its own, on a built-in PostgreSQL filled with
//! [`setup::Size::tenants`] tenants. Each work is measured in rounds that alternate with those of
//! its yardstick, and medians are compared. Prints a table and writes `target/bench/report.json`.
//!
//! | file | question |
//! |---|---|
//! | `setup.rs` | what is measured on, and how large is it? |
//! | `processes.rs` | what do the server and PostgreSQL cost? |
//! | `driver.rs` | who sends the requests, and how long do the answers take? |
//! | `works.rs` | which requests? |
//! | `floor.rs` | how fast is a bare actix on a bare driver? |
//! | `pgbench.rs` | how fast is the same SQL without HTTP? |
//! | `wire.rs` | how often does a request wait for PostgreSQL? |
//! | `portfolio.rs` | what does a view over all tenants cost? |
//! | `report.rs` | what reaches its target? |
//!
//! `BENCH_TENANTS`, `BENCH_RECORDS`, `BENCH_SECONDS` and `BENCH_ROUNDS` change the size;
//! `BENCH_ONLY=get,list` measures only some of the works.

#[path = "load/driver.rs"]
mod driver;
#[path = "load/floor.rs"]
mod floor;
#[path = "load/pgbench.rs"]
mod pgbench;
#[path = "load/portfolio.rs"]
mod portfolio;
#[path = "load/processes.rs"]
mod processes;
#[path = "load/report.rs"]
mod report;
#[path = "load/setup.rs"]
mod setup;
#[path = "load/wire.rs"]
mod wire;
#[path = "load/works.rs"]
mod works;

use std::error::Error;

/// What every part of the bench answers.
pub type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    // The servers are this program again, so that their costs can be told apart from the driver's.
    match std::env::args().nth(1).as_deref() {
        Some(setup::SERVE_SYSTEM) => return setup::serve_system(),
        Some(setup::SERVE_FLOOR) => return floor::serve(),
        _ => {}
    }
    let size = setup::Size::of_environment();
    let world = setup::World::start(size)?;
    let mut lines = Vec::new();
    for work in works::all(&world) {
        if world.wants(work.name) {
            let line = works::measure(&world, &work)?;
            println!("{line}");
            lines.push(line);
        }
    }
    if world.wants("portfolio") {
        for line in portfolio::measure(&world)? {
            println!("{line}");
            lines.push(line);
        }
    }
    lines.push(report::memory(&world)?);
    report::write(&lines)
}
