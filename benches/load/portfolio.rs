//! The view of a firm over all its tenants: cold, when something has happened in each of them
//! since it was last asked for, and warm.

use std::time::{Duration, Instant};

use tokio_postgres::Client;

use crate::driver::{self, Connection, Round, Script, summary};
use crate::report::{Line, Measured, Target};
use crate::setup::{World, wait};
use crate::works::request;
use crate::{Outcome, processes, wire};

/// CPU milliseconds that one tenant may cost when it is counted anew.
const COLD_MS: f64 = 0.15;
/// Views of a cold round.
const VIEWS: usize = 15;

/// What is asked of one tenant.
const STATEMENTS: [&str; 6] = [
    "SELECT seq, last_act_at FROM chains WHERE tenant_id = $1::text::uuid",
    "SELECT facet_1, count(*) FROM records WHERE tenant_id = $1::text::uuid AND kind = 'risk' AND status <> 'closed'
       AND archived_at IS NULL GROUP BY facet_1",
    "SELECT count(*) FROM records r WHERE tenant_id = $1::text::uuid AND kind = 'risk' AND status <> 'closed'
       AND archived_at IS NULL AND facet_2 = 'true' AND NOT EXISTS (SELECT FROM records a
         JOIN links l ON l.tenant_id = a.tenant_id AND l.from_id = a.id AND l.field = '/risk_id'
         WHERE a.tenant_id = $1::text::uuid AND a.kind = 'residual_acceptance' AND a.status = 'accepted'
           AND a.archived_at IS NULL AND a.sort_1 >= r.sort_1 AND l.to_id = r.id)",
    "SELECT count(*) FROM deadlines WHERE tenant_id = $1::text::uuid AND due_on < current_date",
    "SELECT d.record_id, r.kind, r.ref, d.name, d.due_on FROM deadlines d
       JOIN records r ON r.tenant_id = d.tenant_id AND r.id = d.record_id
       WHERE d.tenant_id = $1::text::uuid AND d.due_on >= current_date ORDER BY d.due_on, d.record_id, d.name LIMIT 1",
    "SELECT due_on FROM deadlines WHERE tenant_id = $1::text::uuid AND name = 'management_review' ORDER BY due_on LIMIT 1",
];

/// Cold and warm.
pub fn measure(world: &World) -> Outcome<[Line; 2]> {
    let tenants = f64::from(u32::try_from(world.size.tenants)?);
    let (mut cold, mut warm, mut plain) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..world.size.rounds {
        let token = world.token()?;
        plain.push(wait(one_after_the_other(world))?);
        cold.push(wait(cold_round(world, &token))?);
        warm.push(driver::run(
            world.system.address,
            1,
            world.size.round,
            |_| asking(world, &token),
            || world.cpu_with_postgres(&world.system),
        )?);
    }
    plain.sort_by(f64::total_cmp);
    let plain = plain.get(plain.len() / 2).copied().unwrap_or_default();
    let rss_mb = processes::memory(world.system.pid())?;
    let round_trips = Some(wire::round_trips(world, asking(world, &world.token()?))?);
    let line = |name, rounds: &[Round], round_trips, target: Target| {
        let measured = Measured {
            round: driver::median(rounds)?,
            yardstick_rate: plain,
            round_trips,
            rss_mb,
        };
        let yardstick = "the statements of one tenant after the other's, plain tokio-postgres";
        Outcome::Ok(Line::new(name, yardstick, measured, &target))
    };
    Ok([
        line(
            "portfolio, cold",
            &cold,
            None,
            Target::default().cpu_ms(tenants * COLD_MS),
        )?,
        line(
            "portfolio, warm",
            &warm,
            round_trips,
            Target::default().p99_ms(20.0),
        )?,
    ])
}

fn asking(world: &World, token: &str) -> Script {
    let path = format!("/v1/consultancies/{}/portfolio?limit=200", world.firm);
    let request = request("GET", &path, token, "", "");
    Box::new(move |_| request.clone())
}

/// Views a second.
async fn one_after_the_other(world: &World) -> Outcome<f64> {
    let db = world.superuser().await?;
    db.batch_execute("SET plan_cache_mode = force_generic_plan")
        .await?;
    let mut statements = Vec::new();
    for sql in STATEMENTS {
        statements.push(db.prepare(sql).await?);
    }
    let start = Instant::now();
    let mut views = 0_u32;
    while views < 3 || start.elapsed() < world.size.round {
        for number in 1..=world.size.tenants {
            let tenant = World::tenant(number);
            for statement in &statements {
                db.query(statement, &[&tenant]).await?;
            }
        }
        views += 1;
    }
    Ok(f64::from(views) / start.elapsed().as_secs_f64())
}

/// Something happens in every tenant before each view.
async fn cold_round(world: &World, token: &str) -> Outcome<Round> {
    let db: Client = world.superuser().await?;
    let request = asking(world, token)(None);
    let mut connection = Connection::open(world.system.address).await?;
    let (mut times, mut used) = (Vec::new(), Duration::ZERO);
    for _ in 0..VIEWS {
        db.batch_execute("UPDATE chains SET seq = seq + 1").await?;
        let (before, start) = (world.cpu_with_postgres(&world.system), Instant::now());
        connection.ask(&request).await?;
        times.push(start.elapsed());
        used += world
            .cpu_with_postgres(&world.system)
            .saturating_sub(before);
    }
    let length = times.iter().sum();
    summary(times, length, used)
}
