//! What is known without the disk, and what waits for it: changed under one lock, so that every call is quick.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use edge_core::{Account, DropCause, Enqueue, Gone, Offset, QueueId, RouteName, StoreError, Timestamp};

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

    /// Takes entries out of a queue: those listed count as dropped, the others as delivered.
    pub(crate) fn settle(
        &mut self,
        queue: &QueueId,
        offsets: Range<Offset>,
        dropped: &[(Offset, DropCause)],
    ) {
        let cause = |offset, _: &Slot| {
            let listed = dropped.iter().find(|(listed, _)| *listed == offset);
            Some(listed.map(|&(_, cause)| cause))
        };
        self.leave(queue, offsets, cause);
    }

    /// Counts messages that were dropped without being stored.
    pub(crate) fn count_dropped(&mut self, queue: &QueueId, route: &RouteName, cause: DropCause, count: u64) {
        let index = self.queues.entry(queue.clone()).or_default();
        let total = index.count_left(route, Some(cause), count);
        self.work.queues.insert(queue.clone(), bounds(index));
        self.work.tallies.insert((queue.clone(), route.clone(), Some(cause)), total);
    }

    /// Forgets what has expired at `now`: what no reader sees from here on is what is reported, and only once.
    pub(crate) fn expire(&mut self, now: Timestamp) -> Vec<Gone> {
        let queues: Vec<_> = self.queues.keys().cloned().collect();
        let is_expired = |slot: &Slot| slot.expires.is_some_and(|expires| expires <= now);
        let cause = |_, slot: &Slot| is_expired(slot).then_some(Some(DropCause::Expired));
        queues.iter().flat_map(|queue| self.leave(queue, 0..Offset::MAX, cause)).collect()
    }

    /// Empties a queue. Its name and its next offset stay: a reader in the middle of it misses nothing that comes later.
    pub(crate) fn remove(&mut self, queue: &QueueId) -> Vec<Gone> {
        self.leave(queue, 0..Offset::MAX, |_, _| Some(Some(DropCause::Removed)))
    }

    /// Takes the entries of a range out of a queue for which `exit` names how they leave, and returns the dropped ones.
    fn leave(
        &mut self,
        queue: &QueueId,
        offsets: Range<Offset>,
        exit: impl Fn(Offset, &Slot) -> Option<Option<DropCause>>,
    ) -> Vec<Gone> {
        let Some(index) = self.queues.get_mut(queue) else { return Vec::new() };
        let mut gone = Vec::new();
        let before = index.head();
        for ((route, cause), count) in
            index.leave(offsets, exit, |offset| self.work.left.push((queue.clone(), offset)))
        {
            let total = index.count_left(&route, cause, count);
            self.work.tallies.insert((queue.clone(), route.clone(), cause), total);
            gone.extend(cause.map(|cause| Gone::new(queue.clone(), route, count, cause)));
        }
        if index.head() > before {
            self.work.queues.insert(queue.clone(), bounds(index));
        }
        gone
    }

    pub(crate) fn accounts(&self) -> Vec<Account> {
        self.queues.iter().flat_map(|(queue, index)| index.accounts(queue)).collect()
    }
}

fn bounds(index: &Index) -> Bounds {
    Bounds { head: index.head(), next: index.next() }
}
