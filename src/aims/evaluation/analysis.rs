//! Analyses of a metric (clause 9.1): the trend of its measurements and what is concluded from
//! it, at least every six months. Raw data alone is none.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::metric::{Metric, MetricState};
use crate::aims::RUNNERS;
use crate::problem::{Problem, Result};
use crate::records::{Known, PersonId, Record, Rows};
use crate::tenancy::{Actor, Roles, TenantTx};

/// What somebody concludes from the measurements of a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Analysis {
    /// First civil date of the measurements that were looked at.
    #[schema(value_type = String, format = Date)]
    pub from: NaiveDate,
    /// The last; not in the future.
    #[schema(value_type = String, format = Date)]
    pub until: NaiveDate,
    /// Where it is going.
    pub trend: Trend,
    /// What it means and what follows from it.
    #[schema(min_length = 20, max_length = 4000, pattern = "\\S")]
    pub conclusion: String,
    /// When it was concluded.
    #[serde(default)]
    #[schema(read_only)]
    pub concluded_at: Option<DateTime<Utc>>,
    /// By whom.
    #[serde(default)]
    #[schema(read_only)]
    pub concluded_by: Option<PersonId>,
}

/// Where measurements are going, judged by what is aimed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Trend {
    /// To the better.
    Improving,
    /// Nowhere.
    Steady,
    /// To the worse.
    Worsening,
    /// There is too little to tell.
    Unclear,
}

impl Rows for Analysis {
    type Of = Metric;
    const LIST: &'static str = "analyses";
    const ONE: &'static str = "analysis";
    const ABOUT: &'static str = "What is concluded from the measurements, by the metric's analyst or owner, the AIMS manager or consultants: one for each time looked at. It stays as it is.";
    const WRITERS: Roles = RUNNERS;
    const TELLS: bool = true;

    fn example() -> Value {
        json!({
            "from": "2026-01-01",
            "until": "2026-06-30",
            "trend": "steady",
            "conclusion": "Drift stays below 0.15; no retraining before the new data in autumn.",
        })
    }

    fn key(&self) -> String {
        format!("{} {}", self.from, self.until)
    }

    fn at(&self) -> DateTime<Utc> {
        self.concluded_at.unwrap_or_default()
    }

    fn person(&self) -> Option<Uuid> {
        self.concluded_by.map(|person| person.0)
    }

    fn admits(record: &Record<Metric>, person: Uuid) -> bool {
        record.owner_id == Some(person) || record.body.analyst_id == Some(PersonId(person))
    }

    fn sent_by(self, sender: Actor) -> Self {
        Self {
            concluded_by: sender.person().map(PersonId),
            ..self
        }
    }

    async fn complete(
        self,
        record: &Record<Metric>,
        known: &Known<'_, Self>,
        tx: &mut TenantTx<'_>,
    ) -> Result<Self> {
        if let Some(known) = known.get(&self.key()) {
            return Ok(Self {
                concluded_at: known.concluded_at,
                concluded_by: known.concluded_by,
                ..self
            });
        }
        if record.status == MetricState::Retired {
            return Err(Problem::conflict(
                "This metric is retired: it is analysed no more.",
            ));
        }
        if self.from > self.until {
            return Err(Problem::invalid("/until", "lies before from"));
        }
        if self.until > tx.today()? {
            return Err(Problem::invalid("/until", "lies in the future"));
        }
        Ok(Self {
            concluded_at: Some(tx.now()),
            ..self
        })
    }

    fn tell(record: &mut Record<Metric>, new: &[Self]) -> Result<()> {
        let newest = new.iter().map(|one| one.until).max();
        record.body.analysed_until = record.body.analysed_until.max(newest);
        Ok(())
    }
}
