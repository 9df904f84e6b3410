//! [`Shared`] in Redis, with a budget for every call and the process as a stand-in.

use std::future::Future;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, RedisResult, Script};
use uuid::Uuid;

use super::{LocalShared, Quota, Shared, Verdict, allowed, micros, refused};

/// What one call may take before the process answers itself.
const BUDGET: Duration = Duration::from_millis(50);
/// Milliseconds of the first pause after a failure.
const PAUSE_FIRST: u64 = 1_000;
/// Milliseconds of the longest pause; healing takes two, one to notice and one to reconnect.
const PAUSE_LONGEST: u64 = 2_000;

/// GCRA as in [`super::gcra`], on Redis' own clock. Keys: bucket. Arguments: microseconds of a
/// step, burst, 1 to take or 0 to peek. Answers allowed, remaining, reset.
const GCRA: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local step, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local window = step * burst
local tat = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now)
local ahead = tat + step - now
if ahead > window then return {0, 0, ahead - window} end
if ARGV[3] == '1' then
  redis.call('SET', KEYS[1], string.format('%.0f', tat + step), 'PX', math.ceil(ahead / 1000))
end
return {1, math.floor((window - ahead) / step), ahead}
";

/// Counts in Redis; when it fails or is slow, in the process until it is back.
pub struct RedisShared {
    connection: ConnectionManager,
    local: LocalShared,
    breaker: Breaker,
}

impl RedisShared {
    /// Does not connect yet; fails only for an address that cannot be used.
    pub fn connect(url: &str) -> RedisResult<Self> {
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(1)
            .set_min_delay(Duration::from_millis(50))
            .set_max_delay(Duration::from_secs(1))
            .set_connection_timeout(Some(Duration::from_secs(1)))
            .set_response_timeout(Some(Duration::from_millis(500)));
        Ok(Self {
            connection: ConnectionManager::new_lazy_with_config(Client::open(url)?, config)?,
            local: LocalShared::default(),
            breaker: Breaker::default(),
        })
    }

    /// The answer of Redis within the budget, if the breaker lets us ask.
    async fn ask<T, F>(&self, call: impl FnOnce(ConnectionManager) -> F) -> Option<T>
    where
        F: Future<Output = RedisResult<T>>,
    {
        if !self.breaker.may_try() {
            return None;
        }
        match tokio::time::timeout(BUDGET, call(self.connection.clone())).await {
            Ok(Ok(answer)) => {
                self.breaker.succeeded();
                Some(answer)
            }
            Ok(Err(error)) => {
                // The kind only: a message may carry the address with its password.
                self.breaker.failed(&format!("{:?}", error.kind()));
                None
            }
            Err(_) => {
                self.breaker.failed("no answer in time");
                None
            }
        }
    }

    async fn limit(&self, bucket: &str, quota: Quota, take: bool) -> Option<Verdict> {
        static SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(GCRA));
        let burst = u64::from(quota.burst.max(1));
        let step = (micros(quota.per) / burst).max(1);
        let mut call = SCRIPT.key(key("bucket", bucket));
        call.arg(step).arg(burst).arg(u8::from(take));
        let (may, remaining, reset): (u8, u64, u64) = self
            .ask(async |mut connection| call.invoke_async(&mut connection).await)
            .await?;
        Some(if may == 1 {
            allowed(quota, remaining, reset)
        } else {
            refused(quota, reset)
        })
    }
}

fn key(space: &str, name: &str) -> String {
    format!("aims:{space}:{name}")
}

impl Shared for RedisShared {
    fn take<'a>(&'a self, bucket: &'a str, quota: Quota) -> BoxFuture<'a, Verdict> {
        Box::pin(async move {
            match self.limit(bucket, quota, true).await {
                Some(verdict) => verdict,
                None => self.local.take(bucket, quota).await,
            }
        })
    }

    fn peek<'a>(&'a self, bucket: &'a str, quota: Quota) -> BoxFuture<'a, Verdict> {
        Box::pin(async move {
            match self.limit(bucket, quota, false).await {
                Some(verdict) => verdict,
                None => self.local.peek(bucket, quota).await,
            }
        })
    }

    fn forget<'a>(&'a self, bucket: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            self.local.forget(bucket).await;
            let mut command = redis::cmd("DEL");
            command.arg(key("bucket", bucket));
            self.ask(async |mut connection| command.query_async::<()>(&mut connection).await)
                .await;
        })
    }

    fn revoke<'a>(&'a self, session: Uuid, r#for: Duration) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            self.local.revoke(session, r#for).await;
            let mut command = redis::cmd("SET");
            command
                .arg(key("revoked", &session.to_string()))
                .arg(1)
                .arg("PX")
                .arg((micros(r#for) / 1000).max(1));
            self.ask(async |mut connection| command.query_async::<()>(&mut connection).await)
                .await;
        })
    }

    fn is_revoked<'a>(&'a self, session: Uuid) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            if self.local.is_revoked(session).await {
                return true;
            }
            let mut command = redis::cmd("EXISTS");
            command.arg(key("revoked", &session.to_string()));
            self.ask(async |mut connection| command.query_async::<bool>(&mut connection).await)
                .await
                .unwrap_or(false)
        })
    }
}

/// Stops asking for a while after a failure; then lets one call try.
struct Breaker {
    start: Instant,
    down: AtomicBool,
    /// Milliseconds since `start` until which nobody asks.
    closed_until: AtomicU64,
    failures: AtomicU32,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            down: AtomicBool::new(false),
            closed_until: AtomicU64::new(0),
            failures: AtomicU32::new(0),
        }
    }
}

impl Breaker {
    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn may_try(&self) -> bool {
        let until = self.closed_until.load(Ordering::Acquire);
        let now = self.now();
        if until > now {
            return false;
        }
        if !self.down.load(Ordering::Acquire) {
            return true;
        }
        // While it is down, one call tries and the others wait for what it finds.
        self.closed_until
            .compare_exchange(
                until,
                now + PAUSE_FIRST,
                Ordering::AcqRel,
                Ordering::Acquire,
            )
            .is_ok()
    }

    fn succeeded(&self) {
        if self.down.load(Ordering::Acquire) && self.down.swap(false, Ordering::AcqRel) {
            self.closed_until.store(0, Ordering::Release);
            self.failures.store(0, Ordering::Release);
            tracing::info!("Redis answers again; limits are shared by all replicas");
        }
    }

    fn failed(&self, reason: &str) {
        let failures = self.failures.fetch_add(1, Ordering::AcqRel).min(3);
        let pause = (PAUSE_FIRST << failures).min(PAUSE_LONGEST);
        self.closed_until
            .store(self.now() + pause, Ordering::Release);
        if !self.down.swap(true, Ordering::AcqRel) {
            tracing::warn!(
                reason,
                "Redis does not answer; limits are counted in this process"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_pauses_and_success_heals() {
        let breaker = Breaker::default();
        assert!(breaker.may_try());

        breaker.failed("test");
        assert!(!breaker.may_try());

        breaker.closed_until.store(0, Ordering::Release);
        assert!(breaker.may_try(), "one call tries");
        assert!(!breaker.may_try(), "the others do not");

        breaker.succeeded();
        assert!(breaker.may_try() && breaker.may_try());
    }
}
