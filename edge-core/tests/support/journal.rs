//! A durable store over a simulated disk: a journal of operations in front of the store in memory.

use std::future::Future;
use std::ops::Range;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use edge_core::{
    Account, DropCause, Durability, Enqueue, Gone, MemoryStore, MessageStore, Offset, QueueId, QueueState,
    ReadBatch, ReadLimit, Receipt, RouteName, StoreError, Timestamp, Usage,
};

use super::tasks::later;

/// One change of a store.
#[derive(Clone, Debug)]
pub enum Op {
    Append(Vec<Enqueue>),
    Settle(QueueId, Range<Offset>, Vec<(Offset, DropCause)>),
    CountDropped(QueueId, RouteName, DropCause, u64),
    Expire(Timestamp),
    Remove(QueueId),
}

/// What the store stands on.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    pub ops: Vec<Op>,
    pub synced: usize,
    pub forbidden: bool,
    pub syncs_fail: bool,
    pub poisoned: bool,
}

impl Disk {
    pub fn write(&mut self, op: Op) {
        assert!(!self.forbidden, "the disk is touched by a call");
        self.ops.push(op);
    }

    pub fn sync(&mut self) -> Result<(), StoreError> {
        assert!(!self.forbidden, "the disk is touched by a call");
        if self.syncs_fail {
            self.poisoned = true;
        }
        self.check()?;
        self.synced = self.ops.len();
        Ok(())
    }

    pub fn check(&self) -> Result<(), StoreError> {
        if self.poisoned { Err(poisoned()) } else { Ok(()) }
    }
}

fn poisoned() -> StoreError {
    StoreError::Poisoned { source: Arc::new(std::io::Error::other("the disk is scripted to fail")) }
}

/// Returns what a receipt that has resolved already says.
pub fn now(receipt: Receipt) -> Result<Durability, StoreError> {
    match pin!(receipt).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("the store in memory answers at once"),
    }
}

#[derive(Debug, Default)]
pub struct JournalStore {
    pub memory: MemoryStore,
    pub disk: Arc<Mutex<Disk>>,
}

impl JournalStore {
    pub fn with_limit(limit_bytes: u64) -> Self {
        Self { memory: MemoryStore::with_limit(limit_bytes), ..Self::default() }
    }

    /// Returns the store that comes back from `ops`.
    pub fn replay(ops: Vec<Op>) -> Self {
        let store = Self::default();
        for op in &ops {
            match op.clone() {
                Op::Append(batch) => drop(now(store.memory.append(batch, Durability::Memory)).unwrap()),
                Op::Settle(queue, offsets, dropped) => {
                    store.memory.settle(&queue, offsets, &dropped).unwrap();
                }
                Op::CountDropped(queue, route, cause, entries) => {
                    store.memory.count_dropped(&queue, &route, cause, entries).unwrap();
                }
                Op::Expire(at) => drop(store.memory.expire(at).unwrap()),
                Op::Remove(queue) => drop(store.memory.remove(&queue).unwrap()),
            }
        }
        store.disk().synced = ops.len();
        store.disk().ops = ops;
        store
    }

    pub fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap()
    }

    /// Appends as durably as `does`, and says `says`.
    pub fn append_as(&self, batch: Vec<Enqueue>, does: Durability, says: Durability) -> Receipt {
        if let Err(error) = self.disk().check() {
            return Receipt::ready(Err(error));
        }
        let taken = self.memory.append(batch.clone(), does);
        let dropped = taken.dropped().to_vec();
        if let Err(error) = now(taken) {
            return Receipt::ready(Err(error)).with_dropped(dropped);
        }
        let disk = self.disk.clone();
        let (sender, receipt) = Receipt::pair();
        later(async move {
            let mut disk = disk.lock().unwrap();
            disk.write(Op::Append(batch));
            let result = if does == Durability::Synced { disk.sync() } else { disk.check() };
            sender.send(result.map(|()| says));
        });
        receipt.with_dropped(dropped)
    }

    pub fn log(&self, op: Op) {
        let disk = self.disk.clone();
        later(async move { disk.lock().unwrap().write(op) });
    }
}

#[async_trait]
impl MessageStore for JournalStore {
    fn append(&self, batch: Vec<Enqueue>, level: Durability) -> Receipt {
        let targets = batch.iter().flat_map(|entry| entry.targets.iter());
        let wished = targets.map(|target| target.durability.unwrap_or(level)).max().unwrap_or(level);
        self.append_as(batch, wished, wished)
    }

    async fn read(&self, queue: &QueueId, from: Offset, limit: ReadLimit) -> Result<ReadBatch, StoreError> {
        self.memory.read(queue, from, limit).await
    }

    fn settle(
        &self,
        queue: &QueueId,
        offsets: Range<Offset>,
        dropped: &[(Offset, DropCause)],
    ) -> Result<(), StoreError> {
        self.memory.settle(queue, offsets.clone(), dropped)?;
        self.log(Op::Settle(queue.clone(), offsets, dropped.to_vec()));
        Ok(())
    }

    fn count_dropped(
        &self,
        queue: &QueueId,
        route: &RouteName,
        cause: DropCause,
        entries: u64,
    ) -> Result<(), StoreError> {
        self.memory.count_dropped(queue, route, cause, entries)?;
        self.log(Op::CountDropped(queue.clone(), route.clone(), cause, entries));
        Ok(())
    }

    fn expire(&self, at: Timestamp) -> Result<Vec<Gone>, StoreError> {
        let gone = self.memory.expire(at)?;
        self.log(Op::Expire(at));
        Ok(gone)
    }

    fn remove(&self, queue: &QueueId) -> Result<Vec<Gone>, StoreError> {
        let gone = self.memory.remove(queue)?;
        self.log(Op::Remove(queue.clone()));
        Ok(gone)
    }

    fn queue(&self, queue: &QueueId) -> Option<QueueState> {
        self.memory.queue(queue)
    }

    fn queues(&self) -> Vec<QueueState> {
        self.memory.queues()
    }

    fn accounts(&self) -> Vec<Account> {
        self.memory.accounts()
    }

    fn usage(&self) -> Usage {
        self.memory.usage()
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.memory.close().await?;
        let (done, closed) = tokio::sync::oneshot::channel();
        let disk = self.disk.clone();
        later(async move { drop(done.send(disk.lock().unwrap().sync())) });
        closed.await.map_err(|_| StoreError::Closed)?
    }
}
