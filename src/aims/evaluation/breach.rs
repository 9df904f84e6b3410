//! A breach of a metric's threshold opens a task for its owner, one at a time (MON-1). The task
//! tells what was measured and when, and how that compares to the limits; nothing that is only
//! true today.

use chrono::{DateTime, Days, Utc};

use super::measurement::Measurement;
use super::metric::{Latest, Metric};
use crate::aims::improvement::task::{Priority, Task, TaskState};
use crate::problem::Result;
use crate::records::{AnyRef, Cause, Kind, New, Record, find, spawn};
use crate::tenancy::TenantTx;

/// Days to find out what a breach means and what to do about it.
const TASK_DAYS: u64 = 14;

/// New measurements, late ones too, some of which may lie outside the threshold.
pub(super) async fn by_measurements(
    metric: &Record<Metric>,
    new: &[Measurement],
    tx: &mut TenantTx<'_>,
) -> Result<()> {
    let breaches = new
        .iter()
        .filter(|one| metric.body.threshold.excludes(one.value));
    let count = breaches.clone().count();
    let Some(newest) = breaches.max_by_key(|one| one.at) else {
        return Ok(());
    };
    let mut text = measured(metric, &newest.segment, newest.value, newest.at, tx)?;
    text.push_str(&format!(" Tolerated is {}.", metric.body.threshold.words()));
    if count > 1 {
        text.push_str(&format!(
            " It is the newest of {count} values outside these limits that were added together."
        ));
    }
    let latest = metric.body.latest.iter();
    let later = latest.filter(|one| one.segment == newest.segment && one.at > newest.at);
    for Latest {
        at,
        value,
        breached,
        segment,
    } in later
    {
        let side = if *breached { "outside" } else { "within" };
        let later = measured(metric, segment, *value, *at, tx)?;
        text.push_str(&format!(
            " When this was added, a later value was known, {side} the limits: {later}"
        ));
    }
    open_task(metric, text, "a value outside its limits was measured", tx).await
}

/// The limits have changed, and the newest measurements may lie outside them now.
pub(super) async fn by_limits(metric: &Record<Metric>, tx: &mut TenantTx<'_>) -> Result<()> {
    let breaches = metric.body.latest.iter().filter(|latest| latest.breached);
    let Some(newest) = breaches.max_by_key(|latest| latest.at) else {
        return Ok(());
    };
    let mut text = measured(metric, &newest.segment, newest.value, newest.at, tx)?;
    let (limits, today) = (metric.body.threshold.words(), tx.today()?);
    text.push_str(&format!(" Since {today}, tolerated is {limits}."));
    open_task(metric, text, "its limits were changed", tx).await
}

/// What was measured when, in the tenant's zone.
fn measured(
    metric: &Record<Metric>,
    segment: &Option<String>,
    value: f64,
    at: DateTime<Utc>,
    tx: &TenantTx<'_>,
) -> Result<String> {
    let zone = tx.tenant()?.zone;
    let at = at.with_timezone(&zone).format("%Y-%m-%d %H:%M");
    let unit = metric.body.unit.as_deref().map(|unit| format!(" {unit}"));
    let unit = unit.unwrap_or_default();
    let segment = segment.as_ref().map(|segment| format!(" for {segment}"));
    let segment = segment.unwrap_or_default();
    Ok(format!(
        "{value}{unit} was measured{segment} at {at} ({zone})."
    ))
}

/// Opens the task, unless one is open: a further breach adds nothing to it.
async fn open_task(
    metric: &Record<Metric>,
    text: String,
    because: &str,
    tx: &mut TenantTx<'_>,
) -> Result<()> {
    let tasks = find::<Task>()
        .whose("about", metric.id)
        .in_states(&[TaskState::Open, TaskState::Doing])
        .load(tx)
        .await?;
    // Those that people made about the metric are about something else.
    if tasks.iter().any(|task| task.created_by.is_none()) {
        return Ok(());
    }
    let reference = &metric.reference;
    // Others see the task than a metric that names its audience.
    let (title, text) = match metric.is_seen_by(Task::READERS) {
        true => (format!("Breach of {reference}: {}", metric.title), text),
        false => (
            format!("Breach of {reference}"),
            format!("See {reference}: {because}."),
        ),
    };
    let task = New {
        title,
        owner_id: metric.owner_id,
        body: Task {
            text: Some(text),
            about: Some(AnyRef {
                kind: Metric::INFO.name.to_owned(),
                id: metric.id,
            }),
            due_on: tx.today()? + Days::new(TASK_DAYS),
            priority: Priority::High,
            outcome: None,
        },
    };
    spawn(tx, task, &Cause::of(metric, because)).await.map(drop)
}
