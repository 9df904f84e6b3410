//! Metrics (clause 9.1): what is measured, how, how often, and within which limits; who concludes
//! what from it. One that nobody measures for two periods is blind (MON-1).

use chrono::{DateTime, Days, Months, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::breach;
use super::threshold::Threshold;
use crate::aims::RUNNERS;
use crate::aims::operation::ai_system::AiSystemId;
use crate::aims::rules::MON_1;
use crate::problem::{Problem, Result};
use crate::records::{
    AnyRef, Cause, Deadline, Happened, Hears, Kind, KindInfo, PersonId, Record, RuleId, UnitRef,
    What, follow, get, lifecycle,
};
use crate::tenancy::{Role, Roles, TenantTx};

/// The deadline after which a metric is blind.
const MEASUREMENT_DUE: &str = "measurement";
/// The deadline of the next conclusion.
const ANALYSIS_DUE: &str = "analysis";
/// Longest time from one analysis to the next, in months.
const ANALYSIS_MONTHS: u32 = 6;

/// A metric. Its owner sees to it that it is measured.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Metric {
    /// What is measured, and what it tells.
    #[schema(min_length = 1, max_length = 2000, pattern = "\\S")]
    pub measures: String,
    /// How a value comes about: from which data, by whom or what.
    #[schema(min_length = 1, max_length = 4000, pattern = "\\S")]
    pub method: String,
    /// The formula, if there is one.
    #[serde(default)]
    #[schema(max_length = 2000)]
    pub formula: Option<String>,
    /// Unit of the values, such as `days` or `%`; none for a bare number.
    #[serde(default)]
    #[schema(max_length = 60)]
    pub unit: Option<String>,
    /// How often it is measured.
    pub frequency: Frequency,
    /// What is tolerated, set before the data is seen.
    pub threshold: Threshold,
    /// The value that is aimed at.
    #[serde(default)]
    pub target: Option<f64>,
    /// Who concludes what from it; the owner where nobody is named.
    #[serde(default)]
    pub analyst_id: Option<PersonId>,
    /// Months from one analysis to the next.
    #[serde(default = "analysis_months")]
    #[schema(minimum = 1, maximum = 6, default = 6)]
    pub analysis_months: u32,
    /// The AI system that is measured; none for a metric of the management system itself.
    #[serde(default)]
    pub ai_system_id: Option<AiSystemId>,
    /// Other records it tells something of: risks, treatments, objectives.
    #[serde(default)]
    #[schema(max_items = 50)]
    pub about: Vec<AnyRef>,
    /// Clauses and controls it serves.
    #[serde(default)]
    #[schema(max_items = 50)]
    pub serves: Vec<UnitRef>,
    /// Civil date it was set up.
    #[serde(default)]
    #[schema(read_only, value_type = Option<String>, format = Date)]
    pub watched_since: Option<NaiveDate>,
    /// Instant of the newest measurement.
    #[serde(default)]
    #[schema(read_only)]
    pub last_measured_at: Option<DateTime<Utc>>,
    /// Last civil date before it is blind: two periods after the newest measurement, or after it
    /// was set up where that is later.
    #[serde(default)]
    #[schema(read_only, value_type = Option<String>, format = Date)]
    pub measure_by: Option<NaiveDate>,
    /// The newest measurement of each segment.
    #[serde(default)]
    #[schema(read_only, max_items = 50)]
    pub latest: Vec<Latest>,
    /// Whether the newest measurement of a segment lies outside the threshold as it is set now.
    #[serde(default)]
    #[schema(read_only)]
    pub breached: bool,
    /// Last civil date that an analysis covers.
    #[serde(default)]
    #[schema(read_only, value_type = Option<String>, format = Date)]
    pub analysed_until: Option<NaiveDate>,
    /// Civil date by which the next analysis is due.
    #[serde(default)]
    #[schema(read_only, value_type = Option<String>, format = Date)]
    pub analyse_by: Option<NaiveDate>,
}

/// How often something is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Frequency {
    /// Every day.
    Daily,
    /// Every week.
    Weekly,
    /// Every month.
    Monthly,
    /// Every three months.
    Quarterly,
    /// Every six months.
    HalfYearly,
    /// Every year.
    Yearly,
}

/// The newest measurement of a segment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Latest {
    /// The segment; none for the whole.
    pub segment: Option<String>,
    /// Its instant.
    pub at: DateTime<Utc>,
    /// Its value.
    pub value: f64,
    /// Whether it lies outside the threshold as it is set now.
    pub breached: bool,
}

const fn analysis_months() -> u32 {
    ANALYSIS_MONTHS
}

impl Frequency {
    /// The civil date two periods later.
    fn twice_after(self, date: NaiveDate) -> Option<NaiveDate> {
        match self {
            Self::Daily => date.checked_add_days(Days::new(2)),
            Self::Weekly => date.checked_add_days(Days::new(14)),
            Self::Monthly => date.checked_add_months(Months::new(2)),
            Self::Quarterly => date.checked_add_months(Months::new(6)),
            Self::HalfYearly => date.checked_add_months(Months::new(12)),
            Self::Yearly => date.checked_add_months(Months::new(24)),
        }
    }

    /// Days before it is blind on which people are reminded: none of them comes while it is
    /// measured in time, that is about one period after the last.
    const fn warning_days(self) -> &'static [i32] {
        match self {
            Self::Daily => &[0],
            Self::Weekly => &[3, 1, 0],
            Self::Monthly => &[25, 14, 7, 1, 0],
            Self::Quarterly => &[80, 30, 7, 1, 0],
            Self::HalfYearly => &[170, 90, 30, 7, 1, 0],
            Self::Yearly => &[350, 180, 90, 30, 7, 1, 0],
        }
    }
}

impl Metric {
    /// By which date it is measured and analysed next, and what is outside the limits.
    fn reckon(&mut self, zone: chrono_tz::Tz) {
        let since = self.watched_since;
        let measured = self
            .last_measured_at
            .map(|at| at.with_timezone(&zone).date_naive());
        self.measure_by = measured
            .max(since)
            .and_then(|last| self.frequency.twice_after(last));
        let months = Months::new(self.analysis_months);
        let analysed = self.analysed_until.max(since);
        self.analyse_by = analysed.and_then(|last| last.checked_add_months(months));
        for latest in &mut self.latest {
            latest.breached = self.threshold.excludes(latest.value);
        }
        self.breached = self.latest.iter().any(|latest| latest.breached);
    }
}

lifecycle! {
    /// States of a metric.
    MetricState of Metric: Active, Blind, Retired;
    start Active; frozen [Retired];
    Active -> Blind by [] => after(MEASUREMENT_DUE);
    Blind -> Active by [];
    any -> Retired by [AimsManager] or [owner] => asks_reason;
}

impl Kind for Metric {
    const INFO: KindInfo = KindInfo {
        name: "metric",
        path: "metrics",
        prefix: "MET",
        one: "metric",
        many: "metrics",
        clauses: &["9.1", "A.6.2.6"],
        about: "What is measured, how, how often, and within which limits. A breach opens a task; without a measurement for two periods the metric is blind, until it is measured again (MON-1). At least every six months somebody concludes what the measurements mean.",
    };
    const AUTHORS: Roles = RUNNERS;
    const OWNERS: Roles = Roles::of(&[
        Role::SystemOwner,
        Role::RiskOwner,
        Role::ProcessOwner,
        Role::Overseer,
    ]);
    const FILTERS: &'static [&'static str] = &["frequency", "breached"];
    const SORTS: &'static [&'static str] = &["measure_by", "analyse_by"];
    const RULES: &'static [&'static RuleId] = &[&MON_1];
    const HEARS: &'static [Hears] = &[Hears::Changed("metric"), Hears::Archived("metric")];

    async fn compute(
        record: &mut Record<Self>,
        before: Option<&Record<Self>>,
        tx: &mut TenantTx<'_>,
    ) -> Result<()> {
        if before.is_none() {
            record.body.watched_since = Some(tx.today()?);
        }
        record.body.reckon(tx.tenant()?.zone);
        Ok(())
    }

    async fn judge(
        record: &Record<Self>,
        before: Option<&Record<Self>>,
        _tx: &mut TenantTx<'_>,
    ) -> Result<()> {
        let metric = &record.body;
        metric.threshold.judge()?;
        if metric
            .target
            .is_some_and(|target| metric.threshold.excludes(target))
        {
            return Err(Problem::invalid("/target", "lies outside the threshold"));
        }
        let other_unit = before.is_some_and(|before| before.body.unit != metric.unit);
        if other_unit && metric.last_measured_at.is_some() {
            let fault = "is that of the measurements: set up another metric";
            return Err(Problem::invalid("/unit", fault));
        }
        Ok(())
    }

    /// MON-1 whatever changed: new measurements, another frequency, other limits, or time while
    /// it was archived.
    async fn heard(happened: &Happened, tx: &mut TenantTx<'_>) -> Result<()> {
        let metric = get::<Self>(tx, happened.id).await?;
        let by_limits = matches!(&happened.what, What::Changed(fields) if fields.iter().any(|field| field == "threshold"));
        if by_limits && metric.status != MetricState::Retired {
            breach::by_limits(&metric, tx).await?;
        }
        look(&metric, tx).await
    }

    fn deadlines(record: &Record<Self>) -> Vec<Deadline> {
        let metric = &record.body;
        let due = |name, on, person: Option<uuid::Uuid>| {
            Deadline::on(name, on).for_person_or(person, Roles::of(&[Role::AimsManager]))
        };
        let analyst = metric.analyst_id.map(|person| person.0);
        let measurement = metric.measure_by.map(|on| {
            due(MEASUREMENT_DUE, on, record.owner_id).warn(metric.frequency.warning_days())
        });
        let analysis = metric.analyse_by;
        let analysis = analysis.map(|on| due(ANALYSIS_DUE, on, analyst.or(record.owner_id)));
        measurement.into_iter().chain(analysis).collect()
    }

    fn example() -> Value {
        json!({
            "title": "Drift of the credit model",
            "measures": "Population stability index of the scores against those of the validation",
            "method": "Monthly from the score log, by the model team",
            "formula": "Σ (pᵢ − qᵢ) · ln (pᵢ ÷ qᵢ) over ten bands of the score",
            "frequency": "monthly",
            "threshold": {"at_most": 0.2},
            "target": 0.1,
            "serves": [{"catalog": "iso42001", "unit": "A.6.2.6"}],
        })
    }
}

/// MON-1: a metric is blind once two periods have passed without measurement, and no longer.
async fn look(metric: &Record<Metric>, tx: &mut TenantTx<'_>) -> Result<()> {
    let Some(by) = metric.body.measure_by else {
        return Ok(());
    };
    let sees = tx.today()? <= by;
    let (to, because) = match metric.status {
        MetricState::Active if !sees => (
            MetricState::Blind,
            format!("its measurement was due on {by}"),
        ),
        MetricState::Blind if sees => (
            MetricState::Active,
            format!("its next measurement is due on {by}"),
        ),
        _ => return Ok(()),
    };
    follow::<Metric>(tx, metric.id, to, &Cause::of(metric, because)).await
}
