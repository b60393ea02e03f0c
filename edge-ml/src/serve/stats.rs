//! What a pool has counted.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::model::RunError;

/// Counters of a pool since it was made.
///
/// # Units
/// Durations are sums over requests (`waited`) and over runs (`running`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStats {
    /// Requests answered, with or without an error.
    pub requests: u64,
    /// Runs of the model; one run answers many requests when they are batched.
    pub runs: u64,
    /// The most requests that one run has answered.
    pub largest_batch: u64,
    /// Requests refused since their inputs do not fit.
    pub misfits: u64,
    /// Requests that the model had no answer for.
    pub failed: u64,
    /// Requests lost to a panic or to the time limit.
    pub broken: u64,
    /// How long requests waited for a thread.
    pub waited: Duration,
    /// How long the model ran.
    pub running: Duration,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    requests: AtomicU64,
    runs: AtomicU64,
    largest_batch: AtomicU64,
    misfits: AtomicU64,
    failed: AtomicU64,
    broken: AtomicU64,
    waited_ns: AtomicU64,
    running_ns: AtomicU64,
}

fn ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Counters {
    pub(super) fn run(&self, batch: usize, running: Duration) {
        self.runs.fetch_add(1, Relaxed);
        self.largest_batch.fetch_max(batch as u64, Relaxed);
        self.running_ns.fetch_add(ns(running), Relaxed);
    }

    pub(super) fn waited(&self, waited: Duration) {
        self.waited_ns.fetch_add(ns(waited), Relaxed);
    }

    pub(super) fn answered<T>(&self, answer: &Result<T, RunError>) {
        self.requests.fetch_add(1, Relaxed);
        let counter = match answer {
            Ok(_) => return,
            Err(RunError::Input(_)) => &self.misfits,
            Err(error) if error.is_bad() => &self.broken,
            Err(_) => &self.failed,
        };
        counter.fetch_add(1, Relaxed);
    }

    pub(super) fn read(&self) -> PoolStats {
        PoolStats {
            requests: self.requests.load(Relaxed),
            runs: self.runs.load(Relaxed),
            largest_batch: self.largest_batch.load(Relaxed),
            misfits: self.misfits.load(Relaxed),
            failed: self.failed.load(Relaxed),
            broken: self.broken.load(Relaxed),
            waited: Duration::from_nanos(self.waited_ns.load(Relaxed)),
            running: Duration::from_nanos(self.running_ns.load(Relaxed)),
        }
    }
}
