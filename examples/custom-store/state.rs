//! What is known without the disk, and what waits for it: changed under one lock, so that every call is quick.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use edge_core::{Enqueue, Gone, Offset, QueueId, StoreError, Timestamp};

use crate::index::{Index, Slot};
use crate::work::{Bounds, Row, Work};

/// The most bytes that may wait for the disk; more is refused, so that a slow disk costs no memory.
const MAX_WAITING_BYTES: u64 = 64 * 1024 * 1024;

/// What a waiting message costs besides its bytes.
const OVERHEAD_BYTES: u64 = 256;

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) queues: BTreeMap<QueueId, Index>,
    pub(crate) work: Work,
    pub(crate) busy: bool,
    pub(crate) closed: bool,
    pub(crate) dropped: bool,
    pub(crate) failed: Option<Arc<io::Error>>,
    pub(crate) used_bytes: u64,
    pub(crate) limit_bytes: Option<u64>,
    pub(crate) written_bytes: u64,
    pub(crate) syncs: u64,
}

impl State {
    pub(crate) fn is_idle(&self) -> bool {
        self.failed.is_some() || (self.work.is_empty() && !self.busy)
    }

    /// Says why a batch cannot be taken, before anything of it is.
    pub(crate) fn admit(&self, batch: &[Enqueue]) -> Result<(), StoreError> {
        let sizes = || batch.iter().map(|enqueue| enqueue.message.encoded().len() as u64);
        if let Some(limit_bytes) = self.limit_bytes {
            if let Some(bytes) = sizes().max().filter(|bytes| *bytes > limit_bytes) {
                return Err(StoreError::TooLarge { bytes, limit_bytes });
            }
            if self.used_bytes + sizes().sum::<u64>() > limit_bytes {
                return Err(StoreError::Full { used_bytes: self.used_bytes, limit_bytes });
            }
        }
        let waiting = self.work.bytes + OVERHEAD_BYTES * self.work.rows.len() as u64;
        if waiting > MAX_WAITING_BYTES {
            return Err(StoreError::Full { used_bytes: waiting, limit_bytes: MAX_WAITING_BYTES });
        }
        Ok(())
    }

    /// Gives every entry of a batch its offset, and lets it wait for the disk.
    pub(crate) fn take(&mut self, batch: Vec<Enqueue>) {
        for Enqueue { message, targets, enqueued, .. } in batch {
            let mut offsets = Vec::with_capacity(targets.len());
            for target in targets.iter() {
                let expires = target.time_to_live.map(|life| enqueued + life);
                let index = self.queues.entry(target.queue.clone()).or_default();
                offsets.push(index.push(Slot { expires, route: target.route.clone() }));
                self.work.queues.insert(target.queue.clone(), bounds(index));
            }
            if !offsets.is_empty() {
                let bytes = message.encoded().len() as u64;
                self.used_bytes += bytes;
                self.work.bytes += bytes;
                self.work.rows.push(Row { message, enqueued, targets, offsets });
            }
        }
    }

    /// Forgets the entries of a queue below `below`.
    pub(crate) fn trim(&mut self, queue: &QueueId, below: Offset) {
        let Some(index) = self.queues.get_mut(queue) else { return };
        if below > index.head() {
            index.trim(below);
            self.work.queues.insert(queue.clone(), bounds(index));
        }
    }

    /// Forgets what has expired at `now`: what no reader sees from here on is what is reported, and only once.
    pub(crate) fn expire(&mut self, now: Timestamp) -> Vec<Gone> {
        let mut all = Vec::new();
        for (queue, index) in &mut self.queues {
            let (offsets, gone) = index.expire(now);
            self.work.expired.extend(offsets.into_iter().map(|offset| (queue.clone(), offset)));
            all.extend(gone.into_iter().map(|(route, count)| Gone::new(queue.clone(), route, count)));
        }
        all
    }

    /// Empties a queue. Its name and its next offset stay: a reader in the middle of it misses nothing that comes later.
    pub(crate) fn remove(&mut self, queue: &QueueId) -> Vec<Gone> {
        let Some(index) = self.queues.get(queue) else { return Vec::new() };
        let gone = index.waiting().map(|(route, count)| Gone::new(queue.clone(), route, count)).collect();
        self.trim(queue, index.next());
        gone
    }
}

fn bounds(index: &Index) -> Bounds {
    Bounds { head: index.head(), next: index.next() }
}
