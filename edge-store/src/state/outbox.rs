//! What was taken and is not written yet.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use edge_core::{Durability, Overflow, QueueId, ReceiptSender, RouteName};

use super::Tally;
use crate::index::{BoundList, Counts};

/// Batches on their way to the disk, in the order in which they came.
///
/// The messages of all of them stand in one list, and so do their targets: a batch of one message needs no memory of its
/// own, and what its sender has made is given back by the sender's thread, where that costs least.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    batches: VecDeque<Batch>,
    messages: VecDeque<Fresh>,
    /// For how many messages in a row which targets hold.
    runs: VecDeque<(usize, BoundList)>,
}

/// A batch, but for its messages.
#[derive(Debug)]
pub(crate) struct Batch {
    /// Names that the batch is the first to use.
    pub(crate) definitions: Box<[Definition]>,
    /// How many messages it has that go anywhere.
    pub(crate) messages: usize,
    /// Bytes of its message records.
    pub(crate) bytes: u64,
    pub(crate) level: Durability,
    pub(crate) receipt: Option<ReceiptSender>,
    /// What left for it: to make room, or because it answers that.
    pub(crate) cleared: Option<Box<Cleared>>,
}

/// The segments out of which entries have left for a batch: until it is on disk they must stay.
#[derive(Debug, Default)]
pub(crate) struct Cleared {
    segments: Vec<u64>,
    /// Some of them were not on disk: these come to stand in this segment or a later one.
    pub(super) newest: Option<u64>,
    /// What the batch answers; the log says it with the batch.
    pub(crate) leaving: Vec<Leaving>,
}

/// Entries of one queue that a batch answers.
#[derive(Debug)]
pub(crate) struct Leaving {
    pub(crate) queue: u32,
    pub(crate) ranges: Vec<(u64, u64)>,
    /// How many of each route; all of them are delivered.
    pub(crate) delivered: Counts,
}

impl Leaving {
    /// Returns how many records of the log say it.
    pub(crate) fn records(&self) -> usize {
        self.ranges.len() + self.delivered.iter().count()
    }
}

impl Cleared {
    pub(crate) fn contains(&self, segment: u64) -> bool {
        self.newest.is_some_and(|newest| segment >= newest) || self.segments.contains(&segment)
    }

    pub(crate) fn append(&mut self, mut other: Self) {
        self.segments.append(&mut other.segments);
        self.newest = self.newest.into_iter().chain(other.newest).min();
    }

    pub(super) fn add(&mut self, segment: u64) {
        if !self.segments.contains(&segment) {
            self.segments.push(segment);
        }
    }
}

/// A message that is not written yet.
#[derive(Debug)]
pub(crate) struct Fresh {
    /// In its stored form.
    pub(crate) encoded: Bytes,
    /// Milliseconds since 1970.
    pub(crate) enqueued: u64,
}

/// A name that gets a number, and what goes with it.
#[derive(Clone, Debug)]
pub(crate) enum Definition {
    /// Number, generation, name, and the first offset.
    Queue(u32, u16, QueueId, u64),
    /// Number, generation, and the first offset that whoever has the number next may use.
    Vacant(u32, u16, u64),
    /// What has left a queue, by its route.
    Account(u32, u32, Tally),
    Route(u32, RouteName),
    /// What a route wants to happen at overflow of a queue.
    Policy(u32, u32, Overflow),
}

impl Outbox {
    /// Adds a message, in its stored form, of the batch that is put next.
    #[inline]
    pub(crate) fn push(&mut self, encoded: Bytes, enqueued: u64, bound: &BoundList) {
        self.messages.push_back(Fresh { encoded, enqueued });
        match self.runs.back_mut() {
            Some((messages, last)) if Arc::ptr_eq(last, bound) => *messages += 1,
            _ => self.runs.push_back((1, bound.clone())),
        }
    }

    /// Adds a batch, whose messages have been pushed.
    #[inline]
    pub(crate) fn put(&mut self, batch: Batch) {
        self.batches.push_back(batch);
    }

    /// Takes everything out of another one, to come behind what is here.
    pub(crate) fn take(&mut self, other: &mut Self) {
        self.pass_ended_run();
        if self.batches.is_empty() {
            std::mem::swap(self, other);
        }
        self.batches.append(&mut other.batches);
        self.messages.append(&mut other.messages);
        self.runs.append(&mut other.runs);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Returns how many batches there are.
    pub(crate) fn len(&self) -> usize {
        self.batches.len()
    }

    /// Returns how many messages there are.
    pub(crate) fn messages(&self) -> usize {
        self.messages.len()
    }

    pub(crate) fn first(&self) -> Option<&Batch> {
        self.batches.front()
    }

    /// Returns the batch that was put last.
    pub(super) fn last_mut(&mut self) -> Option<&mut Batch> {
        self.batches.back_mut()
    }

    /// Takes out the first batch; its messages are the next that [`Self::pop_message`] returns.
    pub(crate) fn pop(&mut self) -> Option<Batch> {
        self.batches.pop_front()
    }

    /// Takes out the first message, and returns it with its targets.
    pub(crate) fn pop_message(&mut self) -> Option<(Fresh, &BoundList)> {
        self.pass_ended_run();
        let fresh = self.messages.pop_front()?;
        let (left, bound) = self.runs.front_mut()?;
        *left -= 1;
        Some((fresh, bound))
    }

    /// Takes out the first run when all its messages have been: it was kept for the last of them.
    fn pass_ended_run(&mut self) {
        self.runs.pop_front_if(|(left, _)| *left == 0);
    }

    /// Returns where those stood that left to make room for the batches.
    pub(crate) fn cleared(&self) -> impl Iterator<Item = &Cleared> {
        self.batches.iter().filter_map(|batch| batch.cleared.as_deref())
    }

    /// Takes out the receipts of all batches: nobody waits for these any more.
    pub(crate) fn take_receipts(&mut self) -> impl Iterator<Item = ReceiptSender> {
        self.batches.iter_mut().filter_map(|batch| batch.receipt.take())
    }

    /// Returns the receipts of all batches, which are given up.
    pub(crate) fn into_receipts(self) -> impl Iterator<Item = ReceiptSender> {
        self.batches.into_iter().filter_map(|batch| batch.receipt)
    }

    /// Gives back what a burst left.
    pub(crate) fn shrink(&mut self) {
        self.batches.shrink_to(8 * 1024);
        self.messages.shrink_to(8 * 1024);
        self.runs.shrink_to(1024);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::Bound;

    fn batch(outbox: &mut Outbox, bound: &BoundList, messages: &[u64]) {
        for &number in messages {
            outbox.push(Bytes::new(), number, bound);
        }
        let (level, definitions) = (Durability::Memory, Box::default());
        outbox.put(Batch {
            definitions,
            messages: messages.len(),
            bytes: 0,
            level,
            receipt: None,
            cleared: None,
        });
    }

    #[test]
    fn messages_come_out_with_their_targets_however_they_are_passed_on() {
        let [one, two] = [1, 2].map(|queue| BoundList::from([Bound { queue, route: 0, time_to_live_ms: 0 }]));
        let (mut from, mut to) = (Outbox::default(), Outbox::default());
        let (mut sent, mut seen) = (Vec::new(), Vec::new());
        for round in 0..40u64 {
            for number in round * 10..round * 10 + round % 4 {
                let bound = if (number / 3).is_multiple_of(2) { &one } else { &two };
                batch(&mut from, bound, &[number, number + 1000]);
                sent.extend([(number, bound[0].queue), (number + 1000, bound[0].queue)]);
            }
            to.take(&mut from);
            assert!(from.is_empty());
            // Some rounds leave a batch behind.
            while to.len() > usize::from(round % 3 == 1) {
                for _ in 0..to.pop().unwrap().messages {
                    let (fresh, bound) = to.pop_message().unwrap();
                    seen.push((fresh.enqueued, bound[0].queue));
                }
            }
        }
        assert_eq!(seen, sent);
        assert!(to.is_empty() && to.pop_message().is_none());
    }
}
