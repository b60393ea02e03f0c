//! Taking a batch: refused as a whole, or in its queues, and what finds no room treated as its target asks.
//!
//! What makes room is looked for among all entries, and queues are copied so that a refused batch leaves nothing behind:
//! easy to see through, and slow with many entries.

use std::collections::BTreeMap;
use std::sync::Arc;

use edge_core::{DropCause, Enqueue, Gone, Message, Offset, Overflow, QueueId, StoreError, Target};

use crate::index::{Index, Slot};
use crate::state::{State, bounds};
use crate::work::{Row, Work};

/// The most bytes that may wait for the disk; more is refused, so that a slow disk costs no memory.
const MAX_WAITING_BYTES: u64 = 64 * 1024 * 1024;

/// What a waiting message costs besides its bytes.
const OVERHEAD_BYTES: u64 = 256;

/// What was there before a batch that may yet be refused.
struct Before {
    /// Whether the batch is sure to find room, so that nothing has to be remembered.
    is_sure: bool,
    queues: BTreeMap<QueueId, Option<Index>>,
    work: Work,
}

impl State {
    /// Gives every entry of a batch its offset, lets it wait for the disk, and returns what was dropped for want of room.
    pub(crate) fn take(&mut self, batch: Vec<Enqueue>) -> Result<Vec<Gone>, StoreError> {
        let waiting = self.work.bytes + OVERHEAD_BYTES * self.work.rows.len() as u64;
        if waiting > MAX_WAITING_BYTES {
            return Err(StoreError::Full { used_bytes: waiting, limit_bytes: MAX_WAITING_BYTES });
        }
        let is_sure = self.is_sure_of(&batch);
        let mut before = Before { is_sure, queues: BTreeMap::new(), work: std::mem::take(&mut self.work) };
        let mut gone = Vec::new();
        for enqueue in &batch {
            if let Err(error) = self.take_one(enqueue, &mut before, &mut gone) {
                self.undo(before);
                return Err(error);
            }
        }
        let added = std::mem::replace(&mut self.work, before.work);
        self.work.add(added);
        Ok(gone)
    }

    fn is_sure_of(&self, batch: &[Enqueue]) -> bool {
        let copies =
            |enqueue: &Enqueue| enqueue.message.encoded().len() as u64 * enqueue.targets.len() as u64;
        let bytes: u64 = batch.iter().map(copies).sum();
        let mut targets = batch.iter().flat_map(|enqueue| enqueue.targets.iter());
        self.limit_bytes.is_none_or(|limit| self.used_bytes() + bytes <= limit)
            && targets.all(|target| !target.is_limited())
    }

    fn undo(&mut self, before: Before) {
        for (queue, index) in before.queues {
            match index {
                Some(index) => self.queues.insert(queue, index),
                None => self.queues.remove(&queue),
            };
        }
        self.work = before.work;
    }

    fn take_one(
        &mut self,
        enqueue: &Enqueue,
        before: &mut Before,
        gone: &mut Vec<Gone>,
    ) -> Result<(), StoreError> {
        let Enqueue { message, targets, enqueued, .. } = enqueue;
        let bytes = message.encoded().len() as u64;
        let (mut kept, mut offsets) = (Vec::with_capacity(targets.len()), Vec::with_capacity(targets.len()));
        for target in targets.iter() {
            self.keep(&target.queue, before);
            let index = self.queues.entry(target.queue.clone()).or_default();
            if index.set_policy(&target.route, &target.overflow) {
                let place = (target.queue.clone(), target.route.clone());
                self.work.policies.insert(place, target.overflow.clone());
            }
            if !self.makes_room(message, bytes, target, before, gone)? {
                let cause = DropCause::OverflowNewest;
                self.count_dropped(&target.queue, &target.route, cause, 1);
                gone.push(Gone::new(target.queue.clone(), target.route.clone(), 1, cause));
                continue;
            }
            let index = self.queues.entry(target.queue.clone()).or_default();
            let expires = target.time_to_live.map(|life| *enqueued + life);
            let key = index.key(&target.route, message);
            offsets.push(index.push(Slot { expires, route: target.route.clone(), bytes, key }));
            self.work.queues.insert(target.queue.clone(), bounds(index));
            kept.push(target.clone());
        }
        if !offsets.is_empty() {
            let targets = if kept.len() == targets.len() { Arc::clone(targets) } else { kept.into() };
            self.work.bytes += bytes;
            self.work.rows.push(Row { message: message.clone(), enqueued: *enqueued, targets, offsets });
        }
        Ok(())
    }

    /// Lets others leave until there is room, and returns whether there is; where there is none the message is dropped.
    fn makes_room(
        &mut self,
        message: &Message,
        bytes: u64,
        target: &Target,
        before: &mut Before,
        gone: &mut Vec<Gone>,
    ) -> Result<bool, StoreError> {
        let limits = [target.max_queue_bytes, target.max_class_bytes, self.limit_bytes];
        while let Some(error) = self.lacks_room(target, bytes) {
            if target.overflow == Overflow::DropNewest {
                return Ok(false);
            }
            if let Some(limit_bytes) = limits.into_iter().flatten().find(|limit| bytes > *limit) {
                return Err(StoreError::TooLarge { bytes, limit_bytes });
            }
            let Some((queue, offset, cause)) = self.victim(message, target, &error) else {
                return Err(error);
            };
            self.keep(&queue, before);
            gone.extend(self.leave(&queue, offset..offset + 1, |_, _| Some(Some(cause))));
        }
        Ok(true)
    }

    /// Remembers what a queue was before the batch.
    fn keep(&self, queue: &QueueId, before: &mut Before) {
        if !before.is_sure && !before.queues.contains_key(queue) {
            before.queues.insert(queue.clone(), self.queues.get(queue).cloned());
        }
    }

    fn lacks_room(&self, target: &Target, bytes: u64) -> Option<StoreError> {
        let used_bytes = self.queues.get(&target.queue).map_or(0, |index| index.bytes);
        if let Some(limit_bytes) = target.max_queue_bytes.filter(|limit| used_bytes + bytes > *limit) {
            return Some(StoreError::QueueFull { queue: target.queue.clone(), used_bytes, limit_bytes });
        }
        let priority = target.queue.priority();
        let of_class = self.queues.iter().filter(|(queue, _)| queue.priority() == priority);
        let used_bytes = of_class.map(|(_, index)| index.bytes).sum();
        if let Some(limit_bytes) = target.max_class_bytes.filter(|limit| used_bytes + bytes > *limit) {
            return Some(StoreError::ClassFull { priority, used_bytes, limit_bytes });
        }
        let limit_bytes = self.limit_bytes?;
        let used_bytes = self.used_bytes();
        (used_bytes + bytes > limit_bytes).then_some(StoreError::Full { used_bytes, limit_bytes })
    }

    /// Returns the entry that leaves next, and what that is counted as.
    fn victim(
        &self,
        message: &Message,
        target: &Target,
        full: &StoreError,
    ) -> Option<(QueueId, Offset, DropCause)> {
        let own = self.queues.get(&target.queue)?;
        let class = target.queue.priority();
        let in_own_queue = matches!(full, StoreError::QueueFull { .. });
        let in_store = matches!(full, StoreError::Full { .. });
        let oldest = |is_wanted: &dyn Fn(&QueueId) -> bool, cause| {
            let queues = self.queues.iter().filter(|(queue, _)| is_wanted(queue));
            let found = queues.filter_map(|(queue, index)| Some((queue, index.oldest_evictable()?)));
            // The lowest class first, and of that the queue that needs the room last.
            let (queue, offset) =
                found.max_by_key(|(queue, _)| (queue.priority(), **queue != target.queue))?;
            Some((queue.clone(), offset, cause))
        };
        let lower =
            || oldest(&|queue| in_store && queue.priority() > class, DropCause::OverflowLowestPriority);
        let same = || oldest(&|queue| queue.priority() == class, DropCause::OverflowOldest);
        match &target.overflow {
            Overflow::DropOldest if in_own_queue => {
                own.oldest_evictable().map(|offset| (target.queue.clone(), offset, DropCause::OverflowOldest))
            }
            Overflow::DropOldest => lower().or_else(same),
            Overflow::DropLowestPriority => lower(),
            Overflow::KeepLatestPerKey(_) => {
                let offset = own.oldest_superseded(&target.route, message)?;
                Some((target.queue.clone(), offset, DropCause::Superseded))
            }
            _ => None,
        }
    }
}
