//! One queue, as it is known in memory.

use std::collections::VecDeque;

use edge_core::{DropCause, Overflow, QueueId};

use super::Held;
use super::keys::Keys;
use super::tally::{Exit, Tallies};
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
    /// Entries below it have left.
    pub(crate) head: u64,
    pub(crate) next: u64,
    pub(crate) waiting: Counts,
    pub(crate) tallies: Tallies,
    /// Offsets above the head whose entries have left.
    pub(crate) holes: Ranges,
    /// Those of them that the log does not know yet.
    pub(crate) fresh_holes: Ranges,
    /// Those of them that were found to be lost when the store was opened, or a segment was emptied.
    pub(crate) lost: Ranges,
    /// What is on disk, by rising offset; entries that have left may be among it.
    pub(crate) extents: Extents,
    /// What is in memory: the newest entries, up to `next`.
    pub(crate) tail: VecDeque<TailRef>,
    /// Entries below it are on disk.
    pub(crate) written: u64,
    /// Bytes of the records of what waits; those on disk are taken to be alike within an extent.
    pub(crate) held: Held,
    pub(crate) cursor: Option<Cursor>,
    /// What routes want to happen at overflow, by rising number; no refusals.
    pub(crate) policies: Vec<(u32, Overflow)>,
    /// Below it no entry may leave for others.
    pub(crate) victims_from: u64,
    /// The oldest segment that a victim may stand in, when there may be one.
    pub(crate) ranked: Option<u64>,
    /// The keys of entries, where only the latest is wanted.
    pub(crate) keys: Option<Box<Keys>>,
    /// Whether the writer has been told that something has left.
    pub(crate) is_told: bool,
    /// How often its number was taken from a queue.
    pub(crate) generation: u16,
    /// Whether no queue has the number.
    pub(crate) is_vacant: bool,
    /// Whether it was used since it was last asked whether it can be forgotten.
    pub(crate) is_used: bool,
}

/// How the entries of a range leave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exits<'a> {
    /// Those that are not listed.
    pub(crate) most: Exit,
    /// By rising offset.
    pub(crate) dropped: &'a [(u64, DropCause)],
}

impl Exits<'_> {
    pub(crate) const fn all(cause: DropCause) -> Self {
        Self { most: Some(cause), dropped: &[] }
    }

    /// Returns those listed from `from` up to, not including, `to`.
    fn within(&self, from: u64, to: u64) -> &[(u64, DropCause)] {
        let start = self.dropped.partition_point(|&(offset, _)| offset < from);
        let end = self.dropped.partition_point(|&(offset, _)| offset < to);
        self.dropped.get(start..end).unwrap_or_default()
    }
}

/// What entries that have left set free.
#[derive(Debug, Default)]
pub(crate) struct Freed {
    /// All of them.
    pub(crate) gone: Counts,
    /// Segment, bytes in it that nobody waits for any more, and whether it holds one extent less.
    pub(crate) segments: Vec<(u64, u64, bool)>,
    /// Messages of the tail that one queue less waits for.
    pub(crate) sequences: Vec<u64>,
}

impl Queue {
    pub(crate) fn new(id: QueueId, held: Held) -> Self {
        Self {
            id,
            head: 0,
            next: 0,
            waiting: Counts::default(),
            tallies: Tallies::default(),
            holes: Ranges::default(),
            fresh_holes: Ranges::default(),
            lost: Ranges::default(),
            extents: Extents::default(),
            tail: VecDeque::new(),
            written: 0,
            held,
            cursor: None,
            policies: Vec::new(),
            victims_from: 0,
            ranked: None,
            keys: None,
            is_told: false,
            generation: 0,
            is_vacant: false,
            is_used: true,
        }
    }

    /// Returns the offset of the oldest entry in memory.
    pub(crate) fn tail_first(&self) -> u64 {
        self.next - self.tail.len() as u64
    }

    /// Takes the entries from `from` up to, not including, `to` out of the queue, as far as they are still there; counts
    /// them, and returns what that sets free.
    pub(crate) fn leave(&mut self, from: u64, to: u64, exits: Exits<'_>) -> Freed {
        let mut freed = Freed::default();
        let (from, to) = (from.max(self.head), to.min(self.next));
        if from >= to {
            return freed;
        }
        if self.holes.is_empty() {
            self.leave_run(from, to, exits, &mut freed);
        } else {
            let runs: Vec<_> = self.holes.outside(from, to).collect();
            for (from, to) in runs {
                self.leave_run(from, to, exits, &mut freed);
            }
        }
        if let Some(keys) = &mut self.keys {
            keys.superseded.remove(from, to);
        }
        if from == self.head {
            self.move_head(to, &mut freed);
        } else {
            self.holes.insert(from, to);
            self.fresh_holes.insert(from, to);
            let (holes, head) = (&self.holes, self.head);
            for extent in self.extents.take_within(from, to, |extent| {
                holes.outside(extent.first.max(head), extent.end()).next().is_none()
            }) {
                self.held.take(extent.left);
                freed.segments.push((extent.segment, extent.left, true));
            }
        }
        for (route, entries) in freed.gone.iter() {
            self.waiting.subtract(route, entries);
        }
        freed
    }

    /// Counts entries that are there and leave, in memory and on disk.
    fn leave_run(&mut self, from: u64, to: u64, exits: Exits<'_>, freed: &mut Freed) {
        let tail_first = self.tail_first();
        let mut counts = Counts::default();
        for extent in self.extents.within_mut(from, to) {
            let (from, to) = (from.max(extent.first), to.min(extent.end()));
            if from < tail_first {
                for (route, entries) in extent.count_routes(from, to.min(tail_first)).iter() {
                    counts.add(route, entries);
                }
            }
            let bytes = extent.leave(to - from);
            self.held.take(bytes);
            freed.segments.push((extent.segment, bytes, false));
        }
        let first = from.max(tail_first);
        let skipped = usize::try_from(first - tail_first).unwrap_or(usize::MAX);
        let written = self.written;
        let mut run: Option<(u32, u64)> = None;
        for (at, entry) in (first..to).zip(self.tail.iter().skip(skipped)) {
            match &mut run {
                Some((route, entries)) if *route == entry.route => *entries += 1,
                other => {
                    if let Some((route, entries)) = other.replace((entry.route, 1)) {
                        counts.add(route, entries);
                    }
                }
            }
            if at >= written {
                self.held.take(entry.bytes.into());
            }
            freed.sequences.push(entry.sequence);
        }
        if let Some((route, entries)) = run {
            counts.add(route, entries);
        }
        for (route, entries) in counts.iter() {
            freed.gone.add(route, entries);
        }
        for &(offset, cause) in exits.within(from, to) {
            if let Some(route) = self.route_at(offset) {
                counts.subtract(route, 1);
                self.tallies.of(route).add(Some(cause), 1);
            }
        }
        for (route, entries) in counts.iter() {
            self.tallies.of(route).add(exits.most, entries);
        }
    }

    /// Returns the route of an entry that is there.
    fn route_at(&self, offset: u64) -> Option<u32> {
        if let Some(at) = offset.checked_sub(self.tail_first()) {
            return self.tail.get(usize::try_from(at).ok()?).map(|entry| entry.route);
        }
        self.extents.reaching_above(offset).filter(|extent| extent.contains(offset))?.route_at(offset)
    }

    /// Moves the head to `to` and over what is gone behind it.
    fn move_head(&mut self, to: u64, freed: &mut Freed) {
        let tail_first = self.tail_first();
        let mut head = to;
        while let Some(end) = self.holes.end_of(head) {
            head = end;
        }
        self.head = head;
        for ranges in [&mut self.holes, &mut self.fresh_holes, &mut self.lost] {
            ranges.drop_below(head);
        }
        while let Some(extent) = self.extents.first().filter(|extent| extent.end() <= head) {
            self.held.take(extent.left);
            freed.segments.push((extent.segment, extent.left, true));
            self.extents.pop_first();
        }
        let passed = usize::try_from(head.saturating_sub(tail_first)).unwrap_or(usize::MAX);
        self.tail.drain(..passed.min(self.tail.len()));
        if self.tail.is_empty() {
            self.tail.shrink_to(4096);
        }
    }

    /// Returns the ranges in which everything has expired: whole extents, and the oldest entries of those that are not
    /// on disk yet.
    pub(crate) fn expired(&self, now: u64) -> Vec<(u64, u64)> {
        let expired = self.extents.iter().filter(|extent| extent.is_expired(now));
        let mut ranges: Vec<_> = expired.map(|extent| (extent.first.max(self.head), extent.end())).collect();
        let unwritten = self.written.max(self.tail_first()).max(self.head);
        let unwritten = self.holes.end_of(unwritten).unwrap_or(unwritten);
        let skipped = usize::try_from(unwritten - self.tail_first()).unwrap_or(usize::MAX);
        let is_expired = |entry: &&TailRef| entry.expires <= now && entry.expires != NEVER;
        let entries = self.tail.iter().skip(skipped).take_while(is_expired).count() as u64;
        if entries > 0 {
            ranges.push((unwritten, unwritten + entries));
        }
        ranges
    }
}
