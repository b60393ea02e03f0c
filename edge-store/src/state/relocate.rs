//! Which segment to empty, and what is still wanted of it.

use std::collections::BTreeMap;

use edge_core::{DropCause, Gone};

use super::queue::Exits;
use super::{Indexed, State};
use crate::index::Placed;
use crate::log::TargetEntry;

impl State {
    /// Returns the segment that is best emptied by moving what is left in it, when that is worth it.
    ///
    /// Dead bytes may be as many as live ones, and four segments besides, as long as there is room; then a segment is
    /// emptied of which at most a quarter is live: for each byte moved at least three come back. Without room, half.
    pub(crate) fn worth_emptying(&self, pressed: bool) -> Option<u64> {
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
        let share = if pressed { 2 } else { 4 };
        let candidates = live.into_iter().filter(|(number, live)| live.saturating_mul(share) <= size(number));
        candidates.min_by_key(|(_, live)| *live).map(|(number, _)| number)
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
    pub(crate) fn moved(&mut self, from: u64, entries: &mut [Indexed]) {
        let active = self.active;
        entries.sort_unstable_by_key(|entry| (entry.queue, entry.offset));
        for run in entries.chunk_by(|a, b| a.queue == b.queue) {
            let number = run.first().map_or(u32::MAX, |entry| entry.queue);
            let Some(queue) = self.queues.get_mut(number as usize) else { continue };
            let (head, holes) = (queue.head, &queue.holes);
            let live =
                run.iter().filter(|entry| entry.offset >= head && holes.end_of(entry.offset).is_none());
            let placed: Vec<Placed> = live.map(|entry| entry.placed(active)).collect();
            let replaced = queue.extents.replace(from, &placed);
            queue.bytes = (queue.bytes + replaced.made_bytes).saturating_sub(replaced.fewer_bytes);
            if let Some(segment) = self.segments.get_mut(&active) {
                segment.extents += replaced.made;
                segment.live += replaced.made_bytes;
            }
            self.release_segment(from, replaced.fewer_bytes, false);
            for _ in 0..replaced.fewer {
                self.release_segment(from, 0, true);
            }
        }
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
                let freed = self.leave(number, range, Exits::all(DropCause::Damaged));
                all.extend(self.gone(number, &freed.gone, DropCause::Damaged));
            }
        }
        all
    }
}
