//! Logs to standard error and the recorder of metrics.

use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::config::Config;

/// Upper bounds of the buckets of durations, in seconds.
const SECONDS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// Sends logs to standard error, as text or JSON lines. Only the first call of a process counts.
pub fn init(config: &Config) {
    let filter = EnvFilter::try_new(&config.log).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let result = if config.log_json {
        builder.json().flatten_event(true).try_init()
    } else {
        builder.with_ansi(false).try_init()
    };
    if result.is_err() {
        tracing::debug!("logging had been set up before");
    }
}

/// How often the recorder sums up what it was told, which it keeps one by one until then.
const UPKEEP: Duration = Duration::from_secs(5);

/// Installs the recorder of metrics once; every call answers the same handle.
pub fn prometheus() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE
        .get_or_init(|| {
            let builder = PrometheusBuilder::new()
                .set_buckets(SECONDS)
                .unwrap_or_else(|_| PrometheusBuilder::new());
            let recorder = builder.build_recorder();
            let handle = recorder.handle();
            if metrics::set_global_recorder(recorder).is_err() {
                tracing::warn!("another recorder of metrics had been installed before");
            }
            handle
        })
        .clone()
}

/// Keeps the memory of the recorder bounded; never ends.
pub async fn upkeep(handle: PrometheusHandle) {
    let mut interval = tokio::time::interval(UPKEEP);
    loop {
        interval.tick().await;
        handle.run_upkeep();
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_recorder_may_be_asked_for_twice() {
        super::prometheus();
        metrics::counter!("telemetry_test_total").increment(1);
        assert!(
            super::prometheus()
                .render()
                .contains("telemetry_test_total")
        );
    }
}
