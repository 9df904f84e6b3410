//! What is asked of the server, and of its yardstick.

use serde_json::json;

use crate::driver::{self, Answer, Dice, Round, Script};
use crate::report::{Line, Measured, Target};
use crate::setup::{self, World};
use crate::{Outcome, pgbench, processes, wire};

/// Pages that are followed in a list.
const PAGES: u32 = 5;

/// One kind of request with what it is held against.
pub struct Work {
    /// Its name.
    pub name: &'static str,
    /// What it is held against.
    pub yardstick: Yardstick,
    /// What it should reach.
    pub target: Target,
    script: fn(&World, &str, usize) -> Script,
}

/// Something that does the same with less.
pub enum Yardstick {
    /// The bare server.
    Floor(fn(&World, usize) -> Script),
    /// SQL without HTTP.
    Pgbench(fn(&World) -> pgbench::Test),
}

impl Yardstick {
    fn about(&self) -> &'static str {
        match self {
            Self::Floor(_) => "bare actix and driver, no sign-in, no row-level security",
            Self::Pgbench(_) => "the same statements in pgbench -M prepared",
        }
    }
}

/// All of them but the portfolio.
pub fn all(world: &World) -> Vec<Work> {
    vec![
        Work {
            name: "get",
            yardstick: Yardstick::Floor(|world, seed| {
                let (size, mut dice) = (world.size.clone(), Dice::new(seed));
                Box::new(move |_| {
                    let (tenant, record) = a_risk(&size, &mut dice);
                    bare(&format!("/{tenant}/{record}"))
                })
            }),
            target: Target::of(0.45).cpu_ms(0.20).round_trips(1),
            script: |world, token, seed| {
                let (size, mut dice) = (world.size.clone(), Dice::new(seed));
                let token = token.to_owned();
                Box::new(move |_| {
                    let (tenant, record) = a_risk(&size, &mut dice);
                    request(
                        "GET",
                        &format!("/v1/tenants/{tenant}/risks/{record}"),
                        &token,
                        "",
                        "",
                    )
                })
            },
        },
        Work {
            name: "list",
            yardstick: Yardstick::Floor(|world, seed| {
                let paged = paged(world, seed, |tenant, _| format!("/{tenant}"));
                let mut paged = paged;
                Box::new(move |last| bare(&paged(last)))
            }),
            target: Target::of(0.70).cpu_ms(0.50).round_trips(1),
            script: |world, token, seed| {
                listed(world, token, seed, |tenant, _| {
                    format!("/v1/tenants/{tenant}/risks")
                })
            },
        },
        Work {
            name: "filter",
            yardstick: Yardstick::Pgbench(|world| pgbench::filter(&world.size)),
            target: Target::of(0.50).spread(5.0).round_trips(1),
            script: |world, token, seed| {
                single_pages(world, token, seed, |tenant, dice| {
                    let level = ["low", "medium", "high", "critical"];
                    let level = level.get(usize::try_from(dice.roll(4) - 1).unwrap_or_default());
                    let level = level.unwrap_or(&"high");
                    format!("/v1/tenants/{tenant}/risks?status=treating&level={level}")
                })
            },
        },
        Work {
            name: "search",
            yardstick: Yardstick::Pgbench(|world| pgbench::search(&world.size)),
            target: Target::of(0.50).spread(5.0).round_trips(1),
            script: |world, token, seed| {
                single_pages(world, token, seed, |tenant, dice| {
                    format!("/v1/tenants/{tenant}/risks?q=suppliers%20{}", dice.roll(9))
                })
            },
        },
        Work {
            name: "create",
            yardstick: Yardstick::Pgbench(pgbench::create),
            target: Target::of(0.50).round_trips(3),
            script: creating,
        },
        Work {
            name: "patch",
            yardstick: Yardstick::Pgbench(pgbench::patch),
            target: Target::of(0.50).round_trips(3),
            script: patching,
        },
    ]
    .into_iter()
    .filter(|work| world.wants(work.name))
    .collect()
}

/// Measures one work in rounds that alternate with its yardstick's.
pub fn measure(world: &World, work: &Work) -> Outcome<Line> {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let mut most_mb = 0_f64;
    for _ in 0..world.size.rounds {
        theirs.push(measure_yardstick(world, work)?);
        let token = world.token()?;
        ours.push(driver::run(
            world.system.address,
            driver::CONNECTIONS,
            world.size.round,
            |seed| (work.script)(world, &token, seed),
            || world.cpu_with_postgres(&world.system),
        )?);
        most_mb = most_mb.max(processes::memory(world.system.pid())?);
    }
    let ours = driver::median(&ours)?;
    theirs.sort_by(f64::total_cmp);
    let theirs = theirs.get(theirs.len() / 2).copied().unwrap_or_default();
    let token = world.token()?;
    let round_trips = wire::round_trips(world, (work.script)(world, &token, 0))?;
    Ok(Line::new(
        work.name,
        work.yardstick.about(),
        Measured {
            round: ours,
            yardstick_rate: theirs,
            round_trips: Some(round_trips),
            rss_mb: most_mb,
        },
        &work.target,
    ))
}

fn measure_yardstick(world: &World, work: &Work) -> Outcome<f64> {
    match work.yardstick {
        Yardstick::Pgbench(test) => pgbench::run(world, &test(world)),
        Yardstick::Floor(script) => {
            let Round { rate, cpu_ms, .. } = driver::run(
                world.floor.address,
                driver::CONNECTIONS,
                world.size.round,
                |seed| script(world, seed),
                || world.cpu_with_postgres(&world.floor),
            )?;
            println!(
                "  yardstick of {}: {rate:.0}/s, CPU {cpu_ms:.3} ms",
                work.name
            );
            Ok(rate)
        }
    }
}

fn a_risk(size: &setup::Size, dice: &mut Dice) -> (String, String) {
    let tenant = dice.roll(size.tenants);
    let number = size.systems() + dice.roll(size.records - size.systems());
    (World::tenant(tenant), World::record(tenant, number))
}

fn bare(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: bench\r\n\r\n")
}

/// A request; `headers` are whole lines.
pub fn request(method: &str, path: &str, token: &str, headers: &str, body: &str) -> String {
    let length = match body {
        "" => String::new(),
        body => format!(
            "content-type: application/json\r\ncontent-length: {}\r\n",
            body.len()
        ),
    };
    format!(
        "{method} {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\n{headers}{length}\r\n{body}"
    )
}

/// Paths of a list: the next page, or after some the first of another tenant.
fn paged(
    world: &World,
    seed: usize,
    first: fn(&str, &mut Dice) -> String,
) -> impl FnMut(Option<&Answer>) -> String + use<> {
    let (tenants, mut dice, mut page) = (world.size.tenants, Dice::new(seed), 0);
    move |last| {
        page += 1;
        match last.and_then(|last| last.next.clone()) {
            Some(next) if page < PAGES => next,
            _ => {
                page = 0;
                first(&World::tenant(dice.roll(tenants)), &mut dice)
            }
        }
    }
}

fn listed(world: &World, token: &str, seed: usize, first: fn(&str, &mut Dice) -> String) -> Script {
    let mut paged = paged(world, seed, first);
    let token = token.to_owned();
    Box::new(move |last| request("GET", &paged(last), &token, "", ""))
}

/// First pages only, as in the yardstick's SQL.
fn single_pages(
    world: &World,
    token: &str,
    seed: usize,
    first: fn(&str, &mut Dice) -> String,
) -> Script {
    let mut paged = paged(world, seed, first);
    let token = token.to_owned();
    Box::new(move |_| request("GET", &paged(None), &token, "", ""))
}

fn creating(world: &World, token: &str, seed: usize) -> Script {
    let (size, user, mut dice) = (world.size.clone(), world.user, Dice::new(seed));
    let token = token.to_owned();
    Box::new(move |_| {
        let tenant = dice.roll(size.tenants);
        let mut body = setup::risk();
        if let Some(fields) = body.as_object_mut() {
            let system = World::record(tenant, dice.roll(size.systems()));
            fields.insert(
                "title".to_owned(),
                json!("Proxy discrimination of applicants"),
            );
            fields.insert("owner_id".to_owned(), json!(user));
            fields.insert("next_review_on".to_owned(), json!("2027-09-01"));
            fields.insert("ai_system_id".to_owned(), json!(system));
        }
        let key = uuid::Uuid::now_v7();
        request(
            "POST",
            &format!("/v1/tenants/{}/risks", World::tenant(tenant)),
            &token,
            &format!("idempotency-key: {key}\r\n"),
            &body.to_string(),
        )
    })
}

/// Each connection changes one record of its own again and again.
fn patching(world: &World, token: &str, seed: usize) -> Script {
    let number = u64::try_from(seed).unwrap_or_default();
    let tenant = 1 + number % world.size.tenants;
    let record = World::record(tenant, world.size.systems() + 1 + number);
    let path = format!("/v1/tenants/{}/risks/{record}", World::tenant(tenant));
    let (token, mut count) = (token.to_owned(), 0);
    Box::new(
        move |last| match last.and_then(|last| last.etag.as_deref()) {
            None => request("GET", &path, &token, "", ""),
            Some(etag) => {
                count += 1;
                let body = json!({"cause": format!("Postcode stands in for origin, {count}")});
                let tag = format!("if-match: {etag}\r\n");
                request("PATCH", &path, &token, &tag, &body.to_string())
            }
        },
    )
}
