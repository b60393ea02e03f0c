//! Which segment to empty, and what is still wanted of it.

use std::collections::BTreeMap;
use std::ops::Range;

use edge_core::{DropCause, Gone, Offset, StoreError};

use super::queue::Exits;
use super::{Indexed, State};
use crate::index::Placed;
use crate::log::TargetEntry;

impl State {
    /// Returns the segment that is best emptied by moving what is left in it, when that is worth it.
    ///
    /// Dead bytes may be as many as live ones, and four segments besides, as long as there is room; then a segment is
    /// emptied of which at most a quarter is live: for each byte moved at least three come back. Without room, the one
    /// of which least is live, at most seven eighths: one that good there is as long as an eighth of the quota is dead.
    /// What is moved is there twice for a while, and must fit into the one segment above the quota. A segment begins with
    /// `overhead` bytes that are not gained by moving. Those that are `unmovable` cannot be read.
    pub(crate) fn worth_emptying(&self, pressed: bool, overhead: u64, unmovable: &[u64]) -> Option<u64> {
        let sealed = self.segments.iter().filter(|(_, segment)| segment.sealed && segment.extents > 0);
        let live: BTreeMap<u64, u64> = sealed.map(|(&number, segment)| (number, segment.live)).collect();
        let size = |number: &u64| self.segments.get(number).map_or(0, |segment| segment.bytes);
        let all_live: u64 = live.values().sum();
        let dead: u64 = live.iter().map(|(number, &live)| size(number).saturating_sub(live)).sum();
        let segment_bytes = self.options.segment_bytes;
        let narrow =
            self.options.max_bytes.is_some_and(|max| self.used_bytes() > max / 2 && dead > segment_bytes);
        if !pressed && !narrow && dead <= all_live.saturating_add(4 * segment_bytes) {
            return None;
        }
        let used_bytes = self.used_bytes();
        let fits = |live: u64| {
            let ceiling = self.options.max_bytes.map(|max| max.saturating_add(segment_bytes));
            ceiling.is_none_or(|ceiling| used_bytes + live + segment_bytes / 16 <= ceiling)
        };
        let share = if pressed { 7 } else { 2 };
        let worth = |number: &u64, live: u64| {
            (live + overhead).saturating_mul(8) <= size(number).saturating_mul(share)
        };
        let candidates = live.into_iter().filter(|(number, _)| !unmovable.contains(number));
        let candidates = candidates.filter(|(number, live)| worth(number, *live) && fits(*live));
        candidates.min_by_key(|(_, live)| *live).map(|(number, _)| number)
    }

    /// Returns whether room is so scarce that dead bytes should be given back at once.
    pub(crate) fn is_narrow(&self) -> bool {
        let narrow = |max: u64| self.used_bytes() > max.saturating_sub(2 * self.options.segment_bytes);
        self.options.max_bytes.is_some_and(narrow)
    }

    /// Returns why the active segment may not grow to `end` bytes: the files would take more than a segment above the
    /// quota.
    ///
    /// # Errors
    /// [`StoreError::Full`].
    pub(crate) fn check_quota(&self, end: u64) -> Result<(), StoreError> {
        let Some(limit_bytes) = self.options.max_bytes else { return Ok(()) };
        let active = self.segments.get(&self.active).map_or(0, |segment| segment.bytes);
        let used_bytes = self.file_bytes.saturating_sub(active) + self.reserved.max(end);
        let ceiling = limit_bytes.saturating_add(self.options.segment_bytes);
        if end > active.max(self.reserved) && used_bytes > ceiling {
            return Err(StoreError::Full { used_bytes, limit_bytes });
        }
        Ok(())
    }

    /// Returns those targets of a message in `segment` that somebody still waits for.
    pub(crate) fn wanted(
        &self,
        segment: u64,
        targets: impl Iterator<Item = TargetEntry>,
    ) -> Vec<TargetEntry> {
        let is_wanted = |target: &TargetEntry| {
            self.queues.get(target.queue as usize).is_some_and(|queue| {
                let extent = queue.extents.reaching_above(target.offset);
                target.offset >= queue.head
                    && queue.holes.end_of(target.offset).is_none()
                    && extent.is_some_and(|e| e.segment == segment && e.contains(target.offset))
            })
        };
        targets.filter(is_wanted).collect()
    }

    /// Entries of the segment `from` have been written to the active one too: that is where they are read from now on.
    ///
    /// What waits before them there and was not moved with them could not be read: it counts as lost to damage, and is
    /// returned.
    pub(crate) fn moved(&mut self, from: u64, entries: &mut [Indexed]) -> Vec<Gone> {
        let active = self.active;
        let mut all = Vec::new();
        entries.sort_unstable_by_key(|entry| (entry.queue, entry.offset));
        for run in entries.chunk_by(|a, b| a.queue == b.queue) {
            let number = run.first().map_or(u32::MAX, |entry| entry.queue);
            for range in self.passed_over(number, from, run) {
                all.extend(self.give_up(number, range));
            }
            let Some(queue) = self.queues.get_mut(number as usize) else { continue };
            let (head, holes) = (queue.head, &queue.holes);
            let live =
                run.iter().filter(|entry| entry.offset >= head && holes.end_of(entry.offset).is_none());
            let placed: Vec<Placed> = live.map(|entry| entry.placed(active)).collect();
            let replaced = queue.extents.replace(from, &placed);
            queue.held.add(replaced.made_bytes);
            queue.held.take(replaced.fewer_bytes);
            if let Some(segment) = self.segments.get_mut(&active) {
                let held_before = segment.held();
                segment.extents += replaced.made;
                segment.live += replaced.made_bytes;
                self.held_bytes = (self.held_bytes + segment.held()).saturating_sub(held_before);
            }
            self.release_segment(from, replaced.fewer_bytes, false);
            for _ in 0..replaced.fewer {
                self.release_segment(from, 0, true);
            }
        }
        all
    }

    /// Returns what the extents of a segment have before and between the entries of a queue that were moved out of it.
    ///
    /// Within an extent positions rise with the offsets, so whoever has moved an entry has passed those before it.
    fn passed_over(&self, number: u32, segment: u64, moved: &[Indexed]) -> Vec<Range<Offset>> {
        let Some(queue) = self.queues.get(number as usize) else { return Vec::new() };
        let mut ranges = Vec::new();
        let mut at = 0;
        for entry in moved {
            let extent = queue.extents.reaching_above(entry.offset);
            let extent = extent.filter(|e| e.segment == segment && e.contains(entry.offset));
            if let Some(extent) = extent {
                let from = extent.first.max(at);
                if from < entry.offset {
                    ranges.push(from..entry.offset);
                }
                at = entry.offset + 1;
            }
        }
        ranges
    }

    /// What is left in a segment cannot be read: it is given up, and counts as lost to damage.
    ///
    /// Returns what was lost.
    pub(crate) fn abandon(&mut self, segment: u64) -> Vec<Gone> {
        let mut all = Vec::new();
        for number in 0.. {
            let Some(queue) = self.queues.get(number as usize) else { break };
            let extents = queue.extents.iter().filter(|extent| extent.segment == segment);
            let ranges: Vec<_> = extents.map(|extent| extent.first..extent.end()).collect();
            for range in ranges {
                all.extend(self.give_up(number, range));
            }
        }
        all
    }

    /// What waits of a range is lost to damage: it is counted, and readers are told of it.
    fn give_up(&mut self, number: u32, range: Range<Offset>) -> Vec<Gone> {
        let Some(queue) = self.queues.get_mut(number as usize) else { return Vec::new() };
        for (from, to) in queue.holes.outside(range.start.max(queue.head), range.end) {
            queue.lost.insert(from, to);
        }
        let freed = self.leave(number, range, Exits::all(DropCause::Damaged));
        self.gone(number, &freed.gone, DropCause::Damaged)
    }
}
