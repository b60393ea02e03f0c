//! What the store and its thread share.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use edge_core::{Offset, QueueId, ReadLimit, StoreError};
use redb::Database;
use tokio::sync::watch;

use crate::index::Index;
use crate::state::State;
use crate::work::Work;

/// The most entries of one read; the reader reads on from where it ended.
const MAX_READ_ENTRIES: usize = 4096;

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) database: Database,
    state: Mutex<State>,
    wake: Condvar,
    /// Changes after every transaction, and when there is nothing more to do.
    pub(crate) turns: watch::Sender<()>,
}

pub(crate) fn poisoned(source: Arc<io::Error>) -> StoreError {
    StoreError::Poisoned { source }
}

impl Shared {
    pub(crate) fn new(
        database: Database,
        queues: BTreeMap<QueueId, Index>,
        limit_bytes: Option<u64>,
    ) -> Self {
        let state = State { queues, limit_bytes, ..State::default() };
        Self { database, state: Mutex::new(state), wake: Condvar::new(), turns: watch::Sender::new(()) }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the state, unless the store is closed or its disk has failed.
    pub(crate) fn open(&self) -> Result<MutexGuard<'_, State>, StoreError> {
        let state = self.lock();
        match &state.failed {
            Some(source) => Err(poisoned(source.clone())),
            None if state.closed => Err(StoreError::Closed),
            None => Ok(state),
        }
    }

    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    pub(crate) fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.wake.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of a transaction that is on the disk.
    pub(crate) fn committed(&self, work: &Work) {
        let mut state = self.lock();
        for (queue, bounds) in &work.queues {
            if let Some(index) = state.queues.get_mut(queue) {
                index.committed = bounds.next;
            }
        }
        state.written_bytes += work.bytes;
        state.syncs += 1;
        drop(state);
        self.turns.send_replace(());
    }

    /// Takes note that the disk has failed: nothing is taken any more.
    pub(crate) fn fail(&self, error: io::Error) -> StoreError {
        let source = Arc::new(error);
        self.lock().failed = Some(source.clone());
        self.turns.send_replace(());
        poisoned(source)
    }

    /// Waits until nothing waits for the disk.
    pub(crate) async fn idle(&self) {
        let mut turns = self.turns.subscribe();
        while !self.lock().is_idle() && turns.changed().await.is_ok() {}
    }

    /// Returns which entries at and above `from` are on the disk, and where to read on when there are none.
    ///
    /// Entries that were appended before are waited for, so that nobody has to ask again when they are on the disk.
    pub(crate) async fn readable(
        &self,
        queue: &QueueId,
        from: Offset,
        limit: ReadLimit,
    ) -> Result<(Vec<Offset>, Offset), StoreError> {
        let most = limit.entries.get().min(MAX_READ_ENTRIES);
        let mut turns = self.turns.subscribe();
        loop {
            if let Some(index) = self.open()?.queues.get(queue) {
                let offsets = index.readable(from, most);
                if !offsets.is_empty() || from >= index.next() || index.is_committed() {
                    return Ok((offsets, index.next().max(from)));
                }
            } else {
                return Ok((Vec::new(), from));
            }
            turns.changed().await.map_err(|_| StoreError::Closed)?;
        }
    }
}
