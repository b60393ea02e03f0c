//! One queue, as it is known in memory.

use std::collections::VecDeque;

use edge_core::QueueId;

use crate::index::{Counts, Extents, Ranges, TailRef};
use crate::log::NEVER;

/// Where a reader stopped, so that it goes on without searching.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor {
    pub(crate) segment: u64,
    pub(crate) offset: u64,
    pub(crate) position: u32,
}

/// The state of one queue.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) id: QueueId,
    pub(crate) head: u64,
    pub(crate) next: u64,
    pub(crate) waiting: Counts,
    /// Offsets that were given up unread.
    pub(crate) holes: Ranges,
    /// What is on disk, by rising offset.
    pub(crate) extents: Extents,
    /// What is in memory: the newest entries, up to `next`.
    pub(crate) tail: VecDeque<TailRef>,
    pub(crate) cursor: Option<Cursor>,
    /// Whether the writer has been told that the head moved.
    pub(crate) trim_told: bool,
}

/// What forgetting entries sets free.
#[derive(Debug, Default)]
pub(crate) struct Freed {
    pub(crate) gone: Counts,
    /// Segments that hold one extent less.
    pub(crate) segments: Vec<u64>,
    /// Messages of the tail that one queue less waits for.
    pub(crate) sequences: Vec<u64>,
}

impl Freed {
    pub(crate) fn count(&mut self, counts: &Counts) {
        for (route, entries) in counts.iter() {
            self.gone.add(route, entries);
        }
    }
}

impl Queue {
    pub(crate) fn new(id: QueueId) -> Self {
        Self {
            id,
            head: 0,
            next: 0,
            waiting: Counts::default(),
            holes: Ranges::default(),
            extents: Extents::default(),
            tail: VecDeque::new(),
            cursor: None,
            trim_told: false,
        }
    }

    /// Returns the offset of the oldest entry in memory.
    pub(crate) fn tail_first(&self) -> u64 {
        self.next - self.tail.len() as u64
    }

    /// Moves the head up to `below`, and returns what that sets free.
    pub(crate) fn trim(&mut self, below: u64) -> Freed {
        let mut freed = Freed::default();
        let below = below.min(self.next);
        if below <= self.head {
            return freed;
        }
        let tail_first = self.tail_first();
        while let Some(extent) = self.extents.first().filter(|extent| extent.first < below) {
            let from = extent.first.max(self.head);
            freed.count(&extent.count_routes(from, below.min(tail_first)));
            if extent.end() > below {
                break;
            }
            freed.segments.push(extent.segment);
            self.extents.pop_first();
        }
        for offset in tail_first..below.max(tail_first) {
            let Some(entry) = self.tail.pop_front() else { break };
            if self.holes.end_of(offset).is_none() {
                freed.gone.add(entry.route, 1);
            }
            freed.sequences.push(entry.sequence);
        }
        self.head = below;
        self.holes.drop_below(below);
        if self.tail.is_empty() {
            self.tail.shrink_to(4096);
        }
        for (route, entries) in freed.gone.iter() {
            self.waiting.subtract(route, entries);
        }
        freed
    }

    /// Gives up the extents in which everything has expired, and the oldest entries of those that are not on disk yet;
    /// returns what that sets free and the holes it makes.
    pub(crate) fn expire(&mut self, now: u64) -> (Freed, Vec<(u64, u64)>) {
        let (mut freed, mut holes) = (Freed::default(), Vec::new());
        let head = self.head;
        for extent in self.extents.take(|extent| extent.is_expired(now)) {
            let from = extent.first.max(head);
            freed.count(&extent.count_routes(from, extent.end()));
            freed.segments.push(extent.segment);
            holes.push((from, extent.end()));
        }
        let unwritten = self.extents.end().max(self.tail_first()).max(head);
        let unwritten = holes.last().map_or(unwritten, |&(_, end)| end.max(unwritten));
        let unwritten = self.holes.end_of(unwritten).unwrap_or(unwritten);
        let skipped = usize::try_from(unwritten - self.tail_first()).unwrap_or(usize::MAX);
        let expired =
            self.tail.iter().skip(skipped).take_while(|entry| entry.expires <= now && entry.expires != NEVER);
        let mut to = unwritten;
        for entry in expired {
            freed.gone.add(entry.route, 1);
            to += 1;
        }
        if to > unwritten {
            holes.push((unwritten, to));
        }
        for &(from, to) in &holes {
            self.holes.insert(from, to);
        }
        for (route, entries) in freed.gone.iter() {
            self.waiting.subtract(route, entries);
        }
        (freed, holes)
    }
}
