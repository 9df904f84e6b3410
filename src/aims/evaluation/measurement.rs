//! Measurements of a metric (clause 9.1 and A.6.2.6): one row for each instant and segment.

use chrono::{DateTime, SubsecRound, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::breach;
use super::metric::{Latest, Metric, MetricState};
use crate::aims::RUNNERS;
use crate::problem::{Problem, Result};
use crate::records::{Known, Record, Rows, instant_key};
use crate::tenancy::{Roles, TenantTx};

/// Segments of one metric.
const SEGMENTS: usize = 50;

/// A measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Measurement {
    /// The value, in the metric's unit.
    pub value: f64,
    /// When it was so; not in the future. Kept to the microsecond.
    pub at: DateTime<Utc>,
    /// The part of the whole it is about, such as a group of people; a metric has at most 50.
    #[serde(default)]
    #[schema(
        min_length = 1,
        max_length = 100,
        pattern = "\\S",
        example = "applicants under 25"
    )]
    pub segment: Option<String>,
    /// What has to be known to read it.
    #[serde(default)]
    #[schema(max_length = 2000)]
    pub note: Option<String>,
    /// Where it comes from: a run, a report, another system.
    #[serde(default)]
    #[schema(max_length = 500)]
    pub source: Option<String>,
}

impl Rows for Measurement {
    type Of = Metric;
    const LIST: &'static str = "measurements";
    const ONE: &'static str = "measurement";
    const ABOUT: &'static str = "What was measured: one value for each instant and segment, added by the metric's owner, the AIMS manager and consultants. It stays as it is. One outside the threshold opens a task for the owner, if none is open (MON-1).";
    const WRITERS: Roles = RUNNERS;
    const TELLS: bool = true;

    fn example() -> Value {
        json!({"value": 0.14, "at": "2026-06-30T22:00:00Z", "source": "Score log, run 2026-06"})
    }

    fn key(&self) -> String {
        let at = instant_key(self.at);
        match &self.segment {
            Some(segment) => format!("{at} {segment}"),
            None => at,
        }
    }

    fn at(&self) -> DateTime<Utc> {
        self.at
    }

    async fn complete(
        self,
        record: &Record<Metric>,
        known: &Known<'_, Self>,
        tx: &mut TenantTx<'_>,
    ) -> Result<Self> {
        // What is there already was right when it was added.
        if known.get(&self.key()).is_none() {
            if record.status == MetricState::Retired {
                return Err(Problem::conflict(
                    "This metric is retired: it is measured no more.",
                ));
            }
            if self.at > tx.now() {
                return Err(Problem::invalid("/at", "lies in the future"));
            }
        }
        Ok(Self {
            at: self.at.trunc_subsecs(6),
            ..self
        })
    }

    fn tell(record: &mut Record<Metric>, new: &[Self]) -> Result<()> {
        let metric = &mut record.body;
        for one in new {
            metric.last_measured_at = metric.last_measured_at.max(Some(one.at));
            let latest = Latest {
                segment: one.segment.clone(),
                at: one.at,
                value: one.value,
                // Judged, as all are, once it is in its place.
                breached: false,
            };
            let segments = metric.latest.len();
            match metric
                .latest
                .iter_mut()
                .find(|known| known.segment == one.segment)
            {
                Some(known) if known.at < latest.at => *known = latest,
                Some(_) => {}
                None if segments < SEGMENTS => metric.latest.push(latest),
                None => {
                    let fault = format!("A metric has at most {SEGMENTS} segments.");
                    return Err(Problem::conflict(fault));
                }
            }
        }
        Ok(())
    }

    async fn added(record: &Record<Metric>, new: &[Self], tx: &mut TenantTx<'_>) -> Result<()> {
        breach::by_measurements(record, new, tx).await
    }
}
