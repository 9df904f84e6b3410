//! What was measured, held against its targets.

use std::fmt;
use std::path::Path;

use serde_json::{Value, json};

use crate::driver::Round;
use crate::setup::World;
use crate::{Outcome, processes};

/// Where the report goes.
const FILE: &str = "target/bench/report.json";
/// Most memory before the first request, and under load, in megabytes.
const IDLE_MB: f64 = 40.0;
const LOADED_MB: f64 = 120.0;

/// What a work should reach; only what is set counts.
#[derive(Clone, Debug, Default)]
pub struct Target {
    ratio: Option<f64>,
    cpu_ms: Option<f64>,
    p99_ms: Option<f64>,
    spread: Option<f64>,
    round_trips: Option<u32>,
}

impl Target {
    /// At least this part of the yardstick's rate.
    pub fn of(ratio: f64) -> Self {
        Self {
            ratio: Some(ratio),
            ..Self::default()
        }
    }

    /// At most this much CPU time for a request.
    pub fn cpu_ms(mut self, most: f64) -> Self {
        self.cpu_ms = Some(most);
        self
    }

    /// The 99th percentile at most.
    pub fn p99_ms(mut self, most: f64) -> Self {
        self.p99_ms = Some(most);
        self
    }

    /// The 99th percentile at most so many times the median.
    pub fn spread(mut self, most: f64) -> Self {
        self.spread = Some(most);
        self
    }

    /// At most so many waits for PostgreSQL.
    pub fn round_trips(mut self, most: u32) -> Self {
        self.round_trips = Some(most);
        self
    }

    fn is_met(&self, ratio: f64, measured: &Measured) -> bool {
        let round = &measured.round;
        let (p50, p99) = (ms(round.p50), ms(round.p99));
        let trips = measured.round_trips.zip(self.round_trips);
        self.ratio.is_none_or(|least| ratio >= least)
            && self.cpu_ms.is_none_or(|most| round.cpu_ms <= most)
            && self.p99_ms.is_none_or(|most| p99 <= most)
            && self.spread.is_none_or(|most| p99 <= most * p50)
            && trips.is_none_or(|(trips, most)| trips <= most)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            self.ratio
                .map(|least| format!("at least {:.0} %", least * 100.0)),
            self.cpu_ms.map(|most| format!("CPU {most:.2} ms")),
            self.p99_ms.map(|most| format!("p99 {most:.0} ms")),
            self.spread.map(|most| format!("p99 {most:.0} x p50")),
            self.round_trips.map(|most| format!("{most} round trips")),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        f.write_str(&parts.join(", "))
    }
}

/// What was measured of a work.
pub struct Measured {
    /// Medians of its rounds.
    pub round: Round,
    /// Of the yardstick, a second.
    pub yardstick_rate: f64,
    /// Waits for PostgreSQL.
    pub round_trips: Option<u32>,
    /// The server's memory.
    pub rss_mb: f64,
}

fn ms(duration: std::time::Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// A line of the report.
pub struct Line {
    text: String,
    value: Value,
}

impl Line {
    /// Judges a work.
    pub fn new(work: &str, yardstick: &str, measured: Measured, target: &Target) -> Self {
        let ratio = measured.round.rate / measured.yardstick_rate;
        let met = target.is_met(ratio, &measured);
        let Measured {
            round,
            yardstick_rate,
            round_trips,
            rss_mb,
        } = measured;
        let (p50, p99) = (ms(round.p50), ms(round.p99));
        let verdict = if met { "met" } else { "MISSED" };
        let trips = round_trips.map_or("-".to_owned(), |trips| trips.to_string());
        Self {
            text: format!(
                "{work:<16} {:>7.0}/s of {yardstick_rate:>7.0}/s = {:>4.0} %  p50 {p50:>6.2}  p99 {p99:>6.2} ms  CPU {:>6.3} ms  {trips} round trips  {rss_mb:>4.0} MB  {verdict}: {target}",
                round.rate,
                ratio * 100.0,
                round.cpu_ms,
            ),
            value: json!({
                "work": work,
                "yardstick": yardstick,
                "yardstick_per_s": rounded(yardstick_rate),
                "ratio": rounded(ratio),
                "target": target.to_string(),
                "met": met,
                "req_per_s": rounded(round.rate),
                "p50_ms": rounded(p50),
                "p99_ms": rounded(p99),
                "cpu_ms_per_request": rounded(round.cpu_ms),
                "round_trips": round_trips,
                "rss_mb": rounded(rss_mb),
            }),
        }
    }
}

/// Three digits after the point.
fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The server's memory, idle and after all works.
pub fn memory(world: &World) -> Outcome<Line> {
    let (idle, loaded) = (world.idle_mb, processes::memory(world.system.pid())?);
    let met = idle <= IDLE_MB && loaded <= LOADED_MB;
    let verdict = if met { "met" } else { "MISSED" };
    let target = format!("idle {IDLE_MB:.0} MB, under load {LOADED_MB:.0} MB");
    let line = Line {
        text: format!(
            "{:<16} idle {idle:.0} MB, under load {loaded:.0} MB  {verdict}: {target}",
            "memory"
        ),
        value: json!({
            "work": "memory",
            "yardstick": Value::Null,
            "ratio": Value::Null,
            "target": target,
            "met": met,
            "rss_idle_mb": rounded(idle),
            "rss_mb": rounded(loaded),
        }),
    };
    println!("{line}");
    Ok(line)
}

/// Writes the report.
pub fn write(lines: &[Line]) -> Outcome<()> {
    let file = Path::new(FILE);
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let values: Vec<&Value> = lines.iter().map(|line| &line.value).collect();
    std::fs::write(file, serde_json::to_string_pretty(&values)?)?;
    println!("Written to {FILE}");
    Ok(())
}
