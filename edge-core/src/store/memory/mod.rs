//! The reference store: in memory, naive, obviously right.

mod state;

use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{
    Account, DropCause, Durability, Enqueue, Gone, MessageStore, Offset, QueueState, ReadBatch, ReadLimit,
    Receipt, StoreError, Stored, Usage,
};
use crate::{QueueId, RouteName, Timestamp};
use state::{Exit, State};

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

    /// Puts the batch into a copy of what there is when it may not fit, so that a refused one leaves nothing behind.
    fn try_append(&self, batch: &[Enqueue]) -> (Result<(), StoreError>, Vec<Gone>) {
        let mut state = match self.open_state() {
            Ok(state) => state,
            Err(error) => return (Err(error), Vec::new()),
        };
        let wanted: u64 =
            batch.iter().map(|e| e.message.encoded().len() as u64 * e.targets.len() as u64).sum();
        let fits = self.limit_bytes.is_none_or(|limit| state.used_bytes + wanted <= limit)
            && batch.iter().flat_map(|e| e.targets.iter()).all(|target| !target.is_limited());
        let mut copy = if fits { std::mem::take(&mut *state) } else { state.clone() };
        let mut gone = Vec::new();
        for enqueue in batch {
            for target in enqueue.targets.iter() {
                if let Err(error) = copy.place(enqueue, target, self.limit_bytes, &mut gone) {
                    return (Err(error), Vec::new());
                }
            }
        }
        *state = copy;
        (Ok(()), gone)
    }
}

#[async_trait]
impl MessageStore for MemoryStore {
    fn append(&self, batch: Vec<Enqueue>, _level: Durability) -> Receipt {
        let (result, dropped) = self.try_append(&batch);
        Receipt::ready(result.map(|()| Durability::Memory)).with_dropped(dropped)
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
            .map(|(_, stored)| stored)
            .take(limit.entries.get())
            .take_while(fits)
            .cloned()
            .collect();
        let next = entries.last().map_or_else(|| queue.next.max(from), |last| last.offset + 1);
        Ok(ReadBatch::new(entries, next, 0))
    }

    fn settle(
        &self,
        queue: &QueueId,
        offsets: Range<Offset>,
        dropped: &[(Offset, DropCause)],
    ) -> Result<(), StoreError> {
        self.open_state()?.settle(queue, offsets, dropped);
        Ok(())
    }

    fn count_dropped(
        &self,
        queue: &QueueId,
        route: &RouteName,
        cause: DropCause,
        entries: u64,
    ) -> Result<(), StoreError> {
        self.open_state()?.count_dropped(queue, route, cause, entries);
        Ok(())
    }

    fn expire(&self, now: Timestamp) -> Result<Vec<Gone>, StoreError> {
        let mut state = self.open_state()?;
        let ids: Vec<_> = state.queues.keys().cloned().collect();
        let mut expire =
            |id| state.take(id, |stored| stored.is_expired(now).then_some(Exit::Dropped(DropCause::Expired)));
        Ok(ids.iter().flat_map(&mut expire).collect())
    }

    fn remove(&self, queue: &QueueId) -> Result<Vec<Gone>, StoreError> {
        let mut state = self.open_state()?;
        let gone = state.take(queue, |_| Some(Exit::Dropped(DropCause::Removed)));
        if let Some(queue) = state.queues.get_mut(queue) {
            queue.head = queue.next;
        }
        Ok(gone)
    }

    fn queue(&self, queue: &QueueId) -> Option<QueueState> {
        self.state().queues.get(queue).map(|found| found.state(queue))
    }

    fn queues(&self) -> Vec<QueueState> {
        self.state().queues.iter().map(|(id, queue)| queue.state(id)).collect()
    }

    fn accounts(&self) -> Vec<Account> {
        self.state().queues.iter().flat_map(|(id, queue)| queue.accounts(id)).collect()
    }

    fn usage(&self) -> Usage {
        Usage::new(self.state().used_bytes, self.limit_bytes)
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.state().closed = true;
        Ok(())
    }
}
