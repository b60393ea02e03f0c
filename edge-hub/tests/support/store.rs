//! A store in memory that outlives its hub, and fails when told to.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use edge_core::{
    Account, DropCause, Durability, Enqueue, Gone, MemoryStore, MessageStore, Offset, QueueId, QueueState,
    ReadBatch, ReadLimit, Receipt, RouteName, StoreError, Timestamp, Usage,
};

/// What it does wrong on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// A count is left out.
    Accepted,
    Delivered,
    Stored,
    Dropped(DropCause),
    /// Everything that is settled counts as delivered.
    DropsAreDeliveries,
    /// What no route wants is not counted.
    NoRouteIsNothing,
}

#[derive(Debug, Default)]
pub struct Faulty {
    pub inner: Arc<MemoryStore>,
    pub refuses: AtomicBool,
    pub unreadable: AtomicBool,
    pub sabotage: Mutex<Option<Sabotage>>,
    pub levels: Mutex<Vec<(Durability, Vec<Option<Durability>>)>>,
}

impl Faulty {
    pub fn over(inner: MemoryStore) -> Arc<Self> {
        Arc::new(Self { inner: Arc::new(inner), ..Self::default() })
    }

    fn sabotage(&self) -> Option<Sabotage> {
        *self.sabotage.lock().unwrap()
    }
}

fn io(what: &str) -> StoreError {
    StoreError::Io { what: what.into(), source: Arc::new(std::io::Error::other("told to fail")) }
}

#[async_trait]
impl MessageStore for Faulty {
    fn append(&self, batch: Vec<Enqueue>, level: Durability) -> Receipt {
        if self.refuses.load(Ordering::Relaxed) {
            return Receipt::ready(Err(io("writing")));
        }
        let asked = batch.iter().flat_map(|e| e.targets.iter().map(|target| target.durability)).collect();
        self.levels.lock().unwrap().push((level, asked));
        self.inner.append(batch, level)
    }

    async fn read(&self, queue: &QueueId, from: Offset, limit: ReadLimit) -> Result<ReadBatch, StoreError> {
        if self.unreadable.load(Ordering::Relaxed) {
            return Err(io("reading"));
        }
        self.inner.read(queue, from, limit).await
    }

    fn settle(
        &self,
        queue: &QueueId,
        offsets: Range<Offset>,
        dropped: &[(Offset, DropCause)],
    ) -> Result<(), StoreError> {
        let honest = self.sabotage() != Some(Sabotage::DropsAreDeliveries);
        self.inner.settle(queue, offsets, if honest { dropped } else { &[] })
    }

    fn count_dropped(
        &self,
        queue: &QueueId,
        route: &RouteName,
        cause: DropCause,
        entries: u64,
    ) -> Result<(), StoreError> {
        if self.sabotage() == Some(Sabotage::NoRouteIsNothing) {
            return Ok(());
        }
        self.inner.count_dropped(queue, route, cause, entries)
    }

    fn expire(&self, now: Timestamp) -> Result<Vec<Gone>, StoreError> {
        self.inner.expire(now)
    }

    fn remove(&self, queue: &QueueId) -> Result<Vec<Gone>, StoreError> {
        self.inner.remove(queue)
    }

    fn queue(&self, queue: &QueueId) -> Option<QueueState> {
        self.inner.queue(queue)
    }

    fn queues(&self) -> Vec<QueueState> {
        self.inner.queues()
    }

    fn accounts(&self) -> Vec<Account> {
        let mut accounts = self.inner.accounts();
        for account in &mut accounts {
            match self.sabotage() {
                Some(Sabotage::Accepted) => account.accepted = 0,
                Some(Sabotage::Delivered) => account.delivered = 0,
                Some(Sabotage::Stored) => account.stored = 0,
                Some(Sabotage::Dropped(cause)) => {
                    let mut kept = edge_core::Drops::default();
                    for (other, copies) in account.dropped.iter().filter(|(other, _)| *other != cause) {
                        kept.add(other, copies);
                    }
                    account.dropped = kept;
                }
                _ => {}
            }
        }
        accounts
    }

    fn usage(&self) -> Usage {
        self.inner.usage()
    }

    async fn close(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
