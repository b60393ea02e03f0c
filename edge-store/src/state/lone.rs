//! The usual batch: one message, for whom the one before it was for.

use std::sync::Arc;

use edge_core::{Durability, Enqueue, Receipt};

use super::State;
use super::append::wished;
use super::outbox::Batch;
use crate::index::BoundList;
use crate::log::MAX_OFFSET;

impl State {
    /// Takes a batch of one message when nothing about it is unusual, so that it need not be looked at from all sides;
    /// otherwise it leaves the batch as it is.
    pub(super) fn append_lone(&mut self, batch: &mut Vec<Enqueue>, level: Durability) -> Option<Receipt> {
        let [entry] = batch.as_slice() else { return None };
        let is_known = self.last_bound.as_ref().is_some_and(|(last, _)| Arc::ptr_eq(last, &entry.targets));
        if !is_known || self.refusal.is_some() {
            return None;
        }
        let bytes = self.check_size(batch).ok().filter(|&bytes| bytes > 0)?;
        if !self.has_room_for(batch, bytes) {
            return None;
        }
        let last = self.last_bound.take()?;
        let level = wished(batch, level);
        let taken = if self.has_offsets(&last.1) { batch.pop() } else { None };
        let is_taken = taken.is_some();
        if let Some(entry) = taken {
            self.push(entry, &last.1);
        }
        self.last_bound = Some(last);
        if !is_taken {
            return None;
        }
        self.mail.unwritten_bytes += bytes;
        let (receipt, answer) = match level {
            Durability::Memory => (None, Receipt::ready(Ok(level))),
            _ => {
                let (sender, receipt) = Receipt::pair();
                (Some(sender), receipt)
            }
        };
        let definitions = Box::default();
        self.mail.outbox.put(Batch { definitions, messages: 1, bytes, level, receipt, cleared: None });
        Some(answer)
    }

    /// Returns whether each of the queues has an offset left.
    fn has_offsets(&self, bound: &BoundList) -> bool {
        let mut queues = bound.iter().filter_map(|target| self.queues.get(target.queue as usize));
        queues.all(|queue| queue.next < MAX_OFFSET)
    }
}
