//! What is known without the disk, and what waits for it: changed under one lock, so that every call is quick.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use edge_core::{Account, DropCause, Gone, Offset, QueueId, RouteName, Timestamp};

use crate::index::{Index, Slot};
use crate::work::{Bounds, Work};

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) queues: BTreeMap<QueueId, Index>,
    pub(crate) work: Work,
    pub(crate) busy: bool,
    pub(crate) closed: bool,
    pub(crate) dropped: bool,
    pub(crate) failed: Option<Arc<io::Error>>,
    pub(crate) limit_bytes: Option<u64>,
    pub(crate) written_bytes: u64,
    pub(crate) syncs: u64,
}

impl State {
    pub(crate) fn is_idle(&self) -> bool {
        self.failed.is_some() || (self.work.is_empty() && !self.busy)
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
    pub(crate) fn leave(
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

    /// Returns the bytes of all that waits.
    pub(crate) fn used_bytes(&self) -> u64 {
        self.queues.values().map(|index| index.bytes).sum()
    }

    pub(crate) fn accounts(&self) -> Vec<Account> {
        self.queues.iter().flat_map(|(queue, index)| index.accounts(queue)).collect()
    }
}

pub(crate) fn bounds(index: &Index) -> Bounds {
    Bounds { head: index.head(), next: index.next() }
}
