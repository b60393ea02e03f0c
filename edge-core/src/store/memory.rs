//! The reference store: in memory, naive, obviously right.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{
    Durability, Enqueue, Gone, MessageStore, Offset, QueueState, ReadBatch, ReadLimit, Receipt, StoreError,
    Stored, Usage,
};
use crate::{QueueId, RouteName, Timestamp};

/// A store in memory: what other stores are compared with, and what a test or a gateway without a disk uses.
///
/// It promises [`Durability::Memory`], whatever is asked for, and keeps a copy of the entry for each queue.
///
/// # Examples
/// ```
/// use edge_core::{MemoryStore, MessageStore};
///
/// let store = MemoryStore::with_limit(64 * 1024 * 1024);
/// assert_eq!(store.usage().used_bytes, 0);
/// ```
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<State>,
    limit_bytes: Option<u64>,
}

#[derive(Debug, Default)]
struct State {
    queues: BTreeMap<QueueId, Queue>,
    used_bytes: u64,
    closed: bool,
}

#[derive(Debug, Default)]
struct Queue {
    entries: BTreeMap<Offset, Stored>,
    head: Offset,
    next: Offset,
}

impl Queue {
    fn waiting(&self) -> Vec<(RouteName, u64)> {
        let mut counts = BTreeMap::new();
        for stored in self.entries.values() {
            *counts.entry(stored.route.clone()).or_default() += 1;
        }
        counts.into_iter().collect()
    }

    fn state(&self, queue: &QueueId) -> QueueState {
        QueueState::new(queue.clone(), self.head, self.next, self.waiting())
    }
}

fn gone(queue: &QueueId, entries: Vec<(RouteName, u64)>) -> impl Iterator<Item = Gone> {
    entries.into_iter().map(|(route, count)| Gone::new(queue.clone(), route, count))
}

impl MemoryStore {
    /// Returns an empty store without a limit.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns an empty store that holds at most `limit_bytes` bytes of messages, each counted once for each queue.
    #[must_use]
    pub fn with_limit(limit_bytes: u64) -> Self {
        Self { limit_bytes: Some(limit_bytes), ..Self::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open_state(&self) -> Result<MutexGuard<'_, State>, StoreError> {
        let state = self.state();
        if state.closed { Err(StoreError::Closed) } else { Ok(state) }
    }

    fn try_append(&self, batch: Vec<Enqueue>) -> Result<Durability, StoreError> {
        let mut state = self.open_state()?;
        let wanted: u64 = batch.iter().map(|e| cost(e) * e.targets.len() as u64).sum();
        if let Some(limit_bytes) = self.limit_bytes.filter(|limit| state.used_bytes + wanted > *limit) {
            return Err(StoreError::Full { used_bytes: state.used_bytes, limit_bytes });
        }
        state.used_bytes += wanted;
        for Enqueue { message, targets, enqueued } in batch {
            for target in targets.iter() {
                let queue = state.queues.entry(target.queue.clone()).or_default();
                let expires = target.time_to_live.map(|ttl| enqueued + ttl);
                let stored =
                    Stored::new(queue.next, enqueued, expires, target.route.clone(), message.clone());
                queue.entries.insert(queue.next, stored);
                queue.next += 1;
            }
        }
        Ok(Durability::Memory)
    }
}

fn cost(enqueue: &Enqueue) -> u64 {
    enqueue.message.encoded().len() as u64
}

impl State {
    /// Takes entries out of a queue, and gives their bytes back.
    fn take(&mut self, queue: &QueueId, leaves: impl Fn(&Stored) -> bool) -> Vec<(RouteName, u64)> {
        let Some(entry) = self.queues.get_mut(queue) else { return Vec::new() };
        let (out, kept) =
            std::mem::take(&mut entry.entries).into_iter().partition(|(_, stored)| leaves(stored));
        entry.entries = kept;
        let out = Queue { entries: out, ..Queue::default() };
        self.used_bytes -= out.entries.values().map(|s| s.message.encoded().len() as u64).sum::<u64>();
        out.waiting()
    }
}

#[async_trait]
impl MessageStore for MemoryStore {
    fn append(&self, batch: Vec<Enqueue>, _level: Durability) -> Receipt {
        Receipt::ready(self.try_append(batch))
    }

    async fn read(&self, queue: &QueueId, from: Offset, limit: ReadLimit) -> Result<ReadBatch, StoreError> {
        let state = self.open_state()?;
        let Some(queue) = state.queues.get(queue) else { return Ok(ReadBatch::new(Vec::new(), from, 0)) };
        let mut bytes = 0usize;
        let fits = |stored: &&Stored| {
            bytes = bytes.saturating_add(stored.message.size());
            bytes <= limit.bytes || bytes == stored.message.size()
        };
        let entries: Vec<_> = queue
            .entries
            .range(from..)
            .map(|(_, s)| s)
            .take(limit.entries.get())
            .take_while(fits)
            .cloned()
            .collect();
        let next = entries.last().map_or_else(|| queue.next.max(from), |last| last.offset + 1);
        Ok(ReadBatch::new(entries, next, 0))
    }

    fn trim(&self, queue: &QueueId, below: Offset) -> Result<(), StoreError> {
        let mut state = self.open_state()?;
        state.take(queue, |stored| stored.offset < below);
        if let Some(queue) = state.queues.get_mut(queue) {
            queue.head = queue.head.max(below.min(queue.next));
        }
        Ok(())
    }

    fn expire(&self, now: Timestamp) -> Result<Vec<Gone>, StoreError> {
        let mut state = self.open_state()?;
        let ids: Vec<_> = state.queues.keys().cloned().collect();
        Ok(ids.iter().flat_map(|id| gone(id, state.take(id, |stored| stored.is_expired(now)))).collect())
    }

    fn remove(&self, queue: &QueueId) -> Result<Vec<Gone>, StoreError> {
        let mut state = self.open_state()?;
        let taken = state.take(queue, |_| true);
        if let Some(queue) = state.queues.get_mut(queue) {
            queue.head = queue.next;
        }
        Ok(gone(queue, taken).collect())
    }

    fn queue(&self, queue: &QueueId) -> Option<QueueState> {
        self.state().queues.get(queue).map(|found| found.state(queue))
    }

    fn queues(&self) -> Vec<QueueState> {
        self.state().queues.iter().map(|(id, queue)| queue.state(id)).collect()
    }

    fn usage(&self) -> Usage {
        Usage::new(self.state().used_bytes, self.limit_bytes)
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.state().closed = true;
        Ok(())
    }
}
