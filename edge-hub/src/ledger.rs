//! The ledger: what came in equals what went out, what is stored, and what was dropped and why.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};

pub use edge_core::DropCause;
use edge_core::{Gone, QueueState, RouteName};

use crate::pump::is_dead_letter;

/// One line of the ledger, in copies: a message that goes to two endpoints counts twice.
///
/// At every moment at which nothing is on its way, `accepted = delivered + stored + dropped`.
///
/// # Examples
/// ```
/// use edge_hub::LedgerLine;
///
/// let line = LedgerLine::default();
/// assert_eq!(line.residual(), 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LedgerLine {
    /// Copies taken since the hub was built, and those that it found in the store.
    pub accepted: u64,
    /// Copies that their endpoint has accepted.
    pub delivered: u64,
    /// Copies that wait in the store.
    pub stored: u64,
    /// Copies dropped, by [`DropCause`] in the order of [`DropCause::ALL`].
    pub dropped: [u64; DropCause::COUNT],
}

impl LedgerLine {
    /// Returns how many copies were dropped for one cause.
    #[must_use]
    pub fn dropped_for(&self, cause: DropCause) -> u64 {
        self.dropped.get(cause as usize).copied().unwrap_or_default()
    }

    /// Returns how many copies were dropped for any cause.
    #[must_use]
    pub fn dropped_total(&self) -> u64 {
        self.dropped.iter().sum()
    }

    /// Returns accepted − delivered − stored − dropped: zero whenever nothing is on its way.
    #[must_use]
    pub fn residual(&self) -> i128 {
        i128::from(self.accepted)
            - i128::from(self.delivered)
            - i128::from(self.stored)
            - i128::from(self.dropped_total())
    }

    fn add(&mut self, other: &Self) {
        self.accepted += other.accepted;
        self.delivered += other.delivered;
        self.stored += other.stored;
        for (sum, n) in self.dropped.iter_mut().zip(other.dropped) {
            *sum += n;
        }
    }
}

impl fmt::Display for LedgerLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "accepted {} = delivered {} + stored {} + dropped {}",
            self.accepted,
            self.delivered,
            self.stored,
            self.dropped_total()
        )
    }
}

/// The ledger at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ledger {
    /// All routes together, and the messages that no route wanted.
    pub total: LedgerLine,
    /// Each route that has, or had, messages.
    pub routes: BTreeMap<RouteName, LedgerLine>,
    /// Batches that were not taken, because the store was full or failing: their senders were not acknowledged.
    pub refused_batches: u64,
}

#[derive(Debug, Default)]
pub(crate) struct RouteCounts {
    pub(crate) accepted: AtomicU64,
    delivered: AtomicU64,
    dropped: [AtomicU64; DropCause::COUNT],
}

impl RouteCounts {
    pub(crate) fn delivered(&self, n: u64) {
        self.delivered.fetch_add(n, Relaxed);
    }

    pub(crate) fn dropped(&self, cause: DropCause, n: u64) {
        if let Some(count) = self.dropped.get(cause as usize) {
            count.fetch_add(n, Relaxed);
        }
    }

    fn line(&self) -> LedgerLine {
        let mut dropped = [0; DropCause::COUNT];
        for (n, count) in dropped.iter_mut().zip(&self.dropped) {
            *n = count.load(Relaxed);
        }
        LedgerLine {
            accepted: self.accepted.load(Relaxed),
            delivered: self.delivered.load(Relaxed),
            stored: 0,
            dropped,
        }
    }
}

/// Returns what waits in queues that feed endpoints; dead letters have left the ledger as dropped.
fn waiting(queues: &[QueueState]) -> impl Iterator<Item = &(RouteName, u64)> {
    queues.iter().filter(|state| !is_dead_letter(state.queue.endpoint())).flat_map(|state| &state.waiting)
}

/// Where the hub counts.
#[derive(Debug, Default)]
pub(crate) struct Books {
    routes: RwLock<BTreeMap<RouteName, Arc<RouteCounts>>>,
    no_route: AtomicU64,
    damaged: AtomicU64,
    refused_batches: AtomicU64,
}

impl Books {
    /// Returns the counts of a route, made when they are not there.
    pub(crate) fn route(&self, name: &RouteName) -> Arc<RouteCounts> {
        if let Some(counts) = self.routes.read().unwrap_or_else(PoisonError::into_inner).get(name) {
            return counts.clone();
        }
        self.routes.write().unwrap_or_else(PoisonError::into_inner).entry(name.clone()).or_default().clone()
    }

    /// Takes over what the store held when the hub was built.
    pub(crate) fn recovered(&self, queues: &[QueueState]) {
        for (route, n) in waiting(queues) {
            self.route(route).accepted.fetch_add(*n, Relaxed);
        }
    }

    pub(crate) fn no_route(&self, n: u64) {
        self.no_route.fetch_add(n, Relaxed);
    }

    /// Counts entries that were lost before the hub was built: whose they were, nobody can say any more.
    pub(crate) fn damaged(&self, n: u64) {
        self.damaged.fetch_add(n, Relaxed);
    }

    pub(crate) fn refused_batch(&self) {
        self.refused_batches.fetch_add(1, Relaxed);
    }

    pub(crate) fn gone(&self, gone: &[Gone], cause: DropCause) {
        for gone in gone.iter().filter(|gone| !is_dead_letter(gone.queue.endpoint())) {
            self.route(&gone.route).dropped(cause, gone.entries);
        }
    }

    /// Returns the ledger; `queues` says what is stored.
    pub(crate) fn ledger(&self, queues: &[QueueState]) -> Ledger {
        let mut routes: BTreeMap<_, _> = {
            let counts = self.routes.read().unwrap_or_else(PoisonError::into_inner);
            counts.iter().map(|(name, counts)| (name.clone(), counts.line())).collect()
        };
        for (route, n) in waiting(queues) {
            routes.entry(route.clone()).or_default().stored += n;
        }
        let (no_route, damaged) = (self.no_route.load(Relaxed), self.damaged.load(Relaxed));
        let mut total = LedgerLine { accepted: no_route + damaged, ..LedgerLine::default() };
        total.dropped[DropCause::NoRoute as usize] = no_route;
        total.dropped[DropCause::Damaged as usize] = damaged;
        for line in routes.values() {
            total.add(line);
        }
        Ledger { total, routes, refused_batches: self.refused_batches.load(Relaxed) }
    }
}
