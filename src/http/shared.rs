//! State that replicas share: request quotas and revoked sessions.
//!
//! Redis is optional and never the truth: without it, or while it is down, the process keeps
//! its own count.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use uuid::Uuid;

#[path = "shared_local.rs"]
mod local;
#[path = "shared_redis.rs"]
mod redis;

pub use local::LocalShared;
pub use redis::RedisShared;

/// How often something may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// That many times at once, and on average in each `per`.
    pub burst: u32,
    /// The time after which a spent quota is whole again.
    pub per: Duration,
}

/// What a quota says to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it may go on.
    pub allowed: bool,
    /// The quota's burst.
    pub limit: u32,
    /// How many more may follow at once.
    pub remaining: u32,
    /// Allowed: until the quota is whole again. Refused: until one more may follow.
    pub reset: Duration,
}

/// Quotas and revocations, shared by all replicas where Redis is there.
pub trait Shared: Send + Sync {
    /// Takes one from the bucket (GCRA).
    fn take<'a>(&'a self, bucket: &'a str, quota: Quota) -> BoxFuture<'a, Verdict>;
    /// What [`Shared::take`] would say, without taking.
    fn peek<'a>(&'a self, bucket: &'a str, quota: Quota) -> BoxFuture<'a, Verdict>;
    /// Makes the bucket whole.
    fn forget<'a>(&'a self, bucket: &'a str) -> BoxFuture<'a, ()>;
    /// Remembers for a while that a session is revoked.
    fn revoke<'a>(&'a self, session: Uuid, r#for: Duration) -> BoxFuture<'a, ()>;
    /// Whether a session is known to be revoked; `false` means "ask PostgreSQL".
    fn is_revoked<'a>(&'a self, session: Uuid) -> BoxFuture<'a, bool>;
}

/// The shared state: in Redis when an address is given, else in the process. Never waits for
/// Redis, so that the service starts without it.
pub async fn connect(redis_url: Option<&str>) -> Arc<dyn Shared> {
    let Some(url) = redis_url else {
        return Arc::new(LocalShared::default());
    };
    match RedisShared::connect(url) {
        Ok(shared) => Arc::new(shared),
        Err(error) => {
            let kind = error.kind();
            tracing::error!(
                ?kind,
                "REDIS_URL cannot be used; limits stay in the process"
            );
            Arc::new(LocalShared::default())
        }
    }
}

/// Microseconds, as the arithmetic and Redis count them.
fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// The generic cell rate algorithm: `tat` is the theoretical arrival time of the next request,
/// all in microseconds. Answers the verdict and the new `tat` when one is taken.
/// (<https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm>)
fn gcra(tat: Option<u64>, now: u64, quota: Quota) -> (Verdict, u64) {
    let per = micros(quota.per).max(1);
    let burst = u64::from(quota.burst.max(1));
    let step = (per / burst).max(1);
    let tat = tat.unwrap_or(now).max(now);
    let next = tat.saturating_add(step);
    let ahead = next - now;
    // Rounding down the step may leave a rest smaller than `burst` microseconds.
    let window = step * burst;
    if ahead > window {
        let verdict = refused(quota, ahead - window);
        return (verdict, tat);
    }
    (allowed(quota, (window - ahead) / step, ahead), next)
}

fn allowed(quota: Quota, remaining: u64, reset: u64) -> Verdict {
    Verdict {
        allowed: true,
        limit: quota.burst,
        remaining: u32::try_from(remaining).unwrap_or(u32::MAX),
        reset: Duration::from_micros(reset),
    }
}

fn refused(quota: Quota, reset: u64) -> Verdict {
    Verdict {
        allowed: false,
        limit: quota.burst,
        remaining: 0,
        reset: Duration::from_micros(reset),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUOTA: Quota = Quota {
        burst: 3,
        per: Duration::from_secs(3),
    };
    const SECOND: u64 = 1_000_000;

    #[test]
    fn a_burst_passes_and_then_one_a_step() {
        let (mut tat, mut left) = (None, Vec::new());
        for _ in 0..3 {
            let (verdict, next) = gcra(tat, 100, QUOTA);
            assert!(verdict.allowed);
            left.push(verdict.remaining);
            tat = Some(next);
        }
        assert_eq!(left, [2, 1, 0]);

        let (verdict, same) = gcra(tat, 100, QUOTA);
        assert!(!verdict.allowed);
        assert_eq!(verdict.reset, Duration::from_secs(1));
        assert_eq!(Some(same), tat, "a refusal costs nothing");

        assert!(!gcra(tat, 99 + SECOND, QUOTA).0.allowed);
        assert!(gcra(tat, 100 + SECOND, QUOTA).0.allowed);
        assert_eq!(gcra(tat, 100 + 3 * SECOND, QUOTA).0.remaining, 2);
    }

    #[test]
    fn odd_quotas_do_not_break() {
        let zero = Quota {
            burst: 0,
            per: Duration::ZERO,
        };
        assert!(gcra(None, 0, zero).0.allowed);
        let huge = Quota {
            burst: u32::MAX,
            per: Duration::from_secs(60),
        };
        assert!(gcra(Some(u64::MAX - 5), 7, huge).1 > 0);
        let sevenths = Quota {
            burst: 7,
            per: Duration::from_secs(60),
        };
        assert_eq!(gcra(None, 1, sevenths).0.remaining, 6);
    }

    #[tokio::test]
    async fn the_process_counts_alone() {
        let shared = connect(None).await;
        for _ in 0..3 {
            assert!(shared.peek("a", QUOTA).await.allowed);
            assert!(shared.take("a", QUOTA).await.allowed);
        }
        assert!(!shared.peek("a", QUOTA).await.allowed);
        assert!(!shared.take("a", QUOTA).await.allowed);
        assert!(shared.take("b", QUOTA).await.allowed);

        shared.forget("a").await;
        assert!(shared.take("a", QUOTA).await.allowed);
    }

    #[tokio::test]
    async fn revocations_last_as_long_as_told() {
        let shared = LocalShared::default();
        let (long, short) = (Uuid::now_v7(), Uuid::now_v7());

        shared.revoke(long, Duration::from_secs(60)).await;
        shared.revoke(short, Duration::ZERO).await;

        assert!(shared.is_revoked(long).await);
        assert!(!shared.is_revoked(short).await);
    }

    #[tokio::test]
    async fn redis_that_is_down_does_not_stop_the_start() {
        let shared = connect(Some("redis://127.0.0.1:1/")).await;
        let session = Uuid::now_v7();

        assert!(shared.take("a", QUOTA).await.allowed);
        shared.revoke(session, Duration::from_secs(60)).await;

        assert!(shared.is_revoked(session).await);
    }
}
