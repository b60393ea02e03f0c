//! The usual batch: one message, for whom the one before it was for.

use std::sync::Arc;

use edge_core::{Durability, Enqueue, Receipt, Target};

use super::State;
use super::outbox::Batch;
use crate::index::BoundList;
use crate::log::{MAX_OFFSET, message_bytes};

/// Targets that a batch had, and what there is to know of them.
#[derive(Debug)]
pub(super) struct Known {
    targets: Arc<[Target]>,
    pub(super) bound: BoundList,
    /// Whether a queue or class of theirs has a limit.
    is_limited: bool,
    /// Whether one of them has no durability of its own.
    takes_level: bool,
    /// The highest durability that one of them asks for.
    durability: Option<Durability>,
}

impl Known {
    pub(super) fn new(targets: &Arc<[Target]>, bound: &BoundList) -> Self {
        Self {
            targets: targets.clone(),
            bound: bound.clone(),
            is_limited: targets.iter().any(Target::is_limited),
            takes_level: targets.iter().any(|target| target.durability.is_none()),
            durability: targets.iter().filter_map(|target| target.durability).max(),
        }
    }

    pub(super) fn is_of(&self, targets: &Arc<[Target]>) -> bool {
        Arc::ptr_eq(&self.targets, targets)
    }

    /// Returns how durable a batch is to be whose sender asks for `level`.
    fn wished(&self, level: Durability) -> Durability {
        self.durability.filter(|&own| !self.takes_level || own > level).unwrap_or(level)
    }
}

impl State {
    /// Returns how many bytes a batch takes, and how durable it is to be, when it has one message and nothing about it is
    /// unusual: so that it need not be looked at from all sides.
    pub(super) fn lone_bytes(&self, batch: &[Enqueue], level: Durability) -> Option<(u64, Durability)> {
        let [entry] = batch else { return None };
        let last = self.last_bound.as_ref().filter(|last| last.is_of(&entry.targets))?;
        let encoded = entry.message.encoded().len();
        let bytes = message_bytes(encoded, last.bound.len());
        let is_usual = !last.is_limited
            && !last.bound.is_empty()
            && self.refusal.is_none()
            && encoded as u64 <= self.options.max_message_bytes
            && self.mail.unwritten_bytes + bytes <= self.options.max_unwritten_bytes
            && self.options.room_for_drops().is_none_or(|room| self.used_bytes() + bytes <= room)
            && self.has_offsets(&last.bound);
        is_usual.then(|| (bytes, last.wished(level)))
    }

    /// Takes such a batch, emptying it.
    pub(super) fn append_lone(&mut self, batch: &mut Vec<Enqueue>, bytes: u64, level: Durability) -> Receipt {
        let bound = self.last_bound.as_ref().map(|last| last.bound.clone());
        for (entry, bound) in batch.drain(..).zip(bound) {
            self.push(entry, &bound);
        }
        self.mail.unwritten_bytes += bytes;
        let mut batch =
            Batch { definitions: Box::default(), messages: 1, bytes, level, receipt: None, cleared: None };
        if level == Durability::Memory {
            self.mail.outbox.put(batch);
            return Receipt::ready(Ok(level));
        }
        let (sender, receipt) = Receipt::pair();
        batch.receipt = Some(sender);
        self.mail.outbox.put(batch);
        receipt
    }

    /// Returns whether each of the queues has an offset left.
    fn has_offsets(&self, bound: &BoundList) -> bool {
        let mut queues = bound.iter().filter_map(|target| self.queues.get(target.queue as usize));
        queues.all(|queue| queue.next < MAX_OFFSET)
    }
}
