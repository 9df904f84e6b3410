//! [`Shared`] in the memory of one process.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use uuid::Uuid;

use super::{Quota, Shared, Verdict, gcra, micros};

/// Entries of each table; beyond, the half that expires soonest is dropped.
const MOST: usize = 200_000;
/// Entries from which a table is swept.
const SWEEP_FROM: usize = 1024;

/// Counts in the process; expired entries are swept, so that memory stays bounded.
pub struct LocalShared {
    start: Instant,
    tables: Mutex<Tables>,
}

#[derive(Default)]
struct Tables {
    /// Bucket to its theoretical arrival time.
    buckets: Table<String>,
    /// Session to the end of its revocation.
    revoked: Table<Uuid>,
}

/// Keys to the time, in microseconds, at which they mean nothing any more.
struct Table<K> {
    entries: HashMap<K, u64>,
    sweep_at: usize,
}

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self {
            entries: HashMap::new(),
            sweep_at: SWEEP_FROM,
        }
    }
}

impl<K: Eq + Hash> Table<K> {
    fn set(&mut self, key: K, expires: u64, now: u64) {
        if self.entries.len() >= self.sweep_at {
            self.entries.retain(|_, expires| *expires > now);
            if self.entries.len() > MOST {
                let mut times: Vec<u64> = self.entries.values().copied().collect();
                let middle = *times.select_nth_unstable(MOST / 2).1;
                self.entries.retain(|_, expires| *expires > middle);
            }
            self.sweep_at = (self.entries.len() * 2).clamp(SWEEP_FROM, MOST + 1);
            self.entries.shrink_to(self.sweep_at);
        }
        self.entries.insert(key, expires);
    }
}

impl Default for LocalShared {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            tables: Mutex::default(),
        }
    }
}

impl LocalShared {
    fn now(&self) -> u64 {
        micros(self.start.elapsed())
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared for LocalShared {
    fn take<'a>(&'a self, bucket: &'a str, quota: Quota) -> BoxFuture<'a, Verdict> {
        let mut tables = self.tables();
        // Read under the lock, so that time never runs backwards for a bucket.
        let now = self.now();
        let table = &mut tables.buckets;
        let (verdict, tat) = gcra(table.entries.get(bucket).copied(), now, quota);
        if verdict.allowed {
            match table.entries.get_mut(bucket) {
                Some(entry) => *entry = tat,
                None => table.set(bucket.to_owned(), tat, now),
            }
        }
        ready(verdict).boxed()
    }

    fn peek<'a>(&'a self, bucket: &'a str, quota: Quota) -> BoxFuture<'a, Verdict> {
        let tat = self.tables().buckets.entries.get(bucket).copied();
        ready(gcra(tat, self.now(), quota).0).boxed()
    }

    fn forget<'a>(&'a self, bucket: &'a str) -> BoxFuture<'a, ()> {
        self.tables().buckets.entries.remove(bucket);
        ready(()).boxed()
    }

    fn revoke<'a>(&'a self, session: Uuid, r#for: Duration) -> BoxFuture<'a, ()> {
        let now = self.now();
        let until = now.saturating_add(micros(r#for));
        self.tables().revoked.set(session, until, now);
        ready(()).boxed()
    }

    fn is_revoked<'a>(&'a self, session: Uuid) -> BoxFuture<'a, bool> {
        let until = self.tables().revoked.entries.get(&session).copied();
        ready(until.is_some_and(|until| until > self.now())).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_stays_bounded() {
        let mut table = Table::default();
        for key in 0..100_000_u64 {
            table.set(key, key + 10, key);
        }
        assert!(table.entries.len() <= 2 * SWEEP_FROM);

        let mut table = Table::default();
        for key in 0..500_000_u64 {
            table.set(key, 1_000_000 + key, 0);
        }
        assert!(table.entries.len() <= MOST + 1);
        assert!(table.entries.contains_key(&499_999));
    }
}
