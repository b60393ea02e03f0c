//! The store: each call of [`MessageStore`] is short, and none but `read` and `close` waits for the disk.

use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use async_trait::async_trait;
use edge_core::{
    Account, DropCause, Durability, Enqueue, Gone, MessageStore, Offset, QueueId, QueueState, ReadBatch,
    ReadLimit, Receipt, RouteName, StoreError, Timestamp, Usage,
};
use redb::Database;
use tokio::sync::oneshot;

use crate::shared::Shared;
use crate::{tables, worker};

/// A durable store in one file of redb.
///
/// It survives the loss of power whatever level is asked for: there is one transaction, with one sync, for everything
/// that waits when the one before is done. Its limit is of bytes of messages, each counted once for each queue that it
/// waits in.
#[derive(Debug)]
pub(crate) struct RedbStore {
    shared: Arc<Shared>,
    worker: Mutex<Option<JoinHandle<()>>>,
}

impl RedbStore {
    /// Opens the file, or makes it; one process can have it open at a time.
    pub(crate) fn open(path: &Path, limit_bytes: Option<u64>) -> Result<Self, redb::Error> {
        Self::over(Database::create(path)?, limit_bytes)
    }

    /// Makes a store of a database.
    pub(crate) fn over(database: Database, limit_bytes: Option<u64>) -> Result<Self, redb::Error> {
        let found = tables::load(&database)?;
        let shared = Arc::new(Shared::new(database, found.queues, limit_bytes));
        let worker = worker::start(shared.clone(), found.next_message)?;
        Ok(Self { shared, worker: Mutex::new(Some(worker)) })
    }

    /// Waits until nothing waits for the disk.
    pub(crate) async fn idle(&self) {
        self.shared.idle().await;
    }
}

#[async_trait]
impl MessageStore for RedbStore {
    fn append(&self, batch: Vec<Enqueue>, level: Durability) -> Receipt {
        let mut state = match self.shared.open() {
            Ok(state) => state,
            Err(error) => return Receipt::ready(Err(error)),
        };
        // Refused here and now, or not at all: from here on the batch is in its queues.
        if batch.iter().all(|enqueue| enqueue.targets.is_empty()) {
            return Receipt::ready(Ok(level));
        }
        let dropped = match state.take(batch) {
            Ok(dropped) => dropped,
            Err(error) => return Receipt::ready(Err(error)),
        };
        let (sender, receipt) = Receipt::pair();
        state.work.receipts.push(sender);
        self.shared.wake();
        receipt.with_dropped(dropped)
    }

    async fn read(&self, queue: &QueueId, from: Offset, limit: ReadLimit) -> Result<ReadBatch, StoreError> {
        let (offsets, end) = self.shared.readable(queue, from, limit).await?;
        let Some(last) = offsets.last().copied() else { return Ok(ReadBatch::new(Vec::new(), end, 0)) };
        let (shared, name) = (self.shared.clone(), queue.clone());
        let read = move || tables::read(&shared.database, &name, &offsets, limit.bytes);
        let (entries, next, damaged) = tokio::task::spawn_blocking(read)
            .await
            .map_err(|error| io(queue, std::io::Error::other(error)))?
            .map_err(|error| io(queue, std::io::Error::other(error)))?;
        Ok(ReadBatch::new(entries, next.unwrap_or(last + 1), damaged))
    }

    fn settle(
        &self,
        queue: &QueueId,
        offsets: Range<Offset>,
        dropped: &[(Offset, DropCause)],
    ) -> Result<(), StoreError> {
        self.shared.open()?.settle(queue, offsets, dropped);
        self.shared.wake();
        Ok(())
    }

    fn count_dropped(
        &self,
        queue: &QueueId,
        route: &RouteName,
        cause: DropCause,
        entries: u64,
    ) -> Result<(), StoreError> {
        self.shared.open()?.count_dropped(queue, route, cause, entries);
        self.shared.wake();
        Ok(())
    }

    fn expire(&self, now: Timestamp) -> Result<Vec<Gone>, StoreError> {
        let gone = self.shared.open()?.expire(now);
        self.shared.wake();
        Ok(gone)
    }

    fn remove(&self, queue: &QueueId) -> Result<Vec<Gone>, StoreError> {
        let gone = self.shared.open()?.remove(queue);
        self.shared.wake();
        Ok(gone)
    }

    fn queue(&self, queue: &QueueId) -> Option<QueueState> {
        self.shared.lock().queues.get(queue).map(|index| index.state(queue))
    }

    fn queues(&self) -> Vec<QueueState> {
        self.shared.lock().queues.iter().map(|(queue, index)| index.state(queue)).collect()
    }

    fn accounts(&self) -> Vec<Account> {
        self.shared.lock().accounts()
    }

    fn usage(&self) -> Usage {
        let state = self.shared.lock();
        let mut usage = Usage::new(state.used_bytes(), state.limit_bytes);
        (usage.written_bytes, usage.syncs) = (state.written_bytes, state.syncs);
        usage
    }

    async fn close(&self) -> Result<(), StoreError> {
        let (sender, closed) = oneshot::channel();
        {
            let mut state = self.shared.open()?;
            state.closed = true;
            state.work.closing = Some(sender);
            self.shared.wake();
        }
        closed.await.map_err(|_| StoreError::Closed)?
    }
}

fn io(queue: &QueueId, error: std::io::Error) -> StoreError {
    StoreError::Io { what: format!("reading {queue}"), source: Arc::new(error) }
}

impl Drop for RedbStore {
    /// Leaves what waits undone, as a crash would, and waits for the transaction under way, so that the file is free.
    fn drop(&mut self) {
        self.shared.lock().dropped = true;
        self.shared.wake();
        let worker = self.worker.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        // A panic of the thread was printed when it happened.
        drop(worker.map(JoinHandle::join));
    }
}
