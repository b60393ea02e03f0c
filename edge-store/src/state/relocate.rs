//! Which segment to empty, and what is still wanted of it.

use std::collections::BTreeMap;

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
        let mut live: BTreeMap<u64, u64> = sealed.map(|(&number, _)| (number, 0)).collect();
        for queue in &self.queues {
            for extent in queue.extents.iter() {
                if let Some(bytes) = live.get_mut(&extent.segment) {
                    *bytes += extent.bytes_from(queue.head);
                }
            }
        }
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
            let head = queue.head;
            let live = run.iter().filter(|entry| entry.offset >= head);
            let placed: Vec<Placed> = live.map(|entry| entry.placed(active)).collect();
            let (fewer, made) = queue.extents.replace(from, &placed);
            if let Some(segment) = self.segments.get_mut(&active) {
                segment.extents += made;
            }
            for _ in 0..fewer {
                self.release_segment(from);
            }
        }
    }

    /// What is left in a segment cannot be read: it is given up, and readers will count it as lost to damage.
    ///
    /// Returns how many entries that are.
    pub(crate) fn abandon(&mut self, number: u64) -> u64 {
        let (mut lost, mut extents) = (0, 0);
        for queue in &mut self.queues {
            for extent in queue.extents.take(|extent| extent.segment == number) {
                extents += 1;
                for (route, entries) in extent.count_routes(extent.first.max(queue.head), extent.end()).iter()
                {
                    queue.waiting.subtract(route, entries);
                    lost += entries;
                }
            }
        }
        for _ in 0..extents {
            self.release_segment(number);
        }
        lost
    }
}
