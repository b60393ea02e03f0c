//! How entries leave: settled, expired, removed.

use std::ops::Range;

use edge_core::{DropCause, Gone, Offset, QueueId, RouteName, StoreError, Timestamp};

use super::State;
use super::queue::{Exits, Freed};

impl State {
    pub(crate) fn settle(
        &mut self,
        id: &QueueId,
        offsets: Range<Offset>,
        dropped: &[(Offset, DropCause)],
    ) -> Result<(), StoreError> {
        self.check_open()?;
        let Some(&number) = self.queue_numbers.get(id) else { return Ok(()) };
        if dropped.is_sorted_by(|(a, _), (b, _)| a < b) {
            self.leave(number, offsets, Exits { most: None, dropped });
        } else {
            let mut sorted = dropped.to_vec();
            sorted.sort_by_key(|&(offset, _)| offset);
            sorted.dedup_by_key(|&mut (offset, _)| offset);
            self.leave(number, offsets, Exits { most: None, dropped: &sorted });
        }
        Ok(())
    }

    pub(crate) fn expire(&mut self, now: Timestamp) -> Result<Vec<Gone>, StoreError> {
        self.check_open()?;
        self.mail.retry = true;
        let mut all = Vec::new();
        for number in 0.. {
            let Some(queue) = self.queues.get(number as usize) else { break };
            for (from, to) in queue.expired(now.as_unix_ms()) {
                let freed = self.leave(number, from..to, Exits::all(DropCause::Expired));
                all.extend(self.gone(number, &freed.gone, DropCause::Expired));
            }
        }
        all.sort_by(|a, b| (&a.queue, &a.route).cmp(&(&b.queue, &b.route)));
        all.dedup_by(|later, first| {
            let same = (&later.queue, &later.route) == (&first.queue, &first.route);
            if same {
                first.entries += later.entries;
            }
            same
        });
        Ok(all)
    }

    pub(crate) fn remove(&mut self, id: &QueueId) -> Result<Vec<Gone>, StoreError> {
        self.check_open()?;
        let Some(&number) = self.queue_numbers.get(id) else { return Ok(Vec::new()) };
        let freed = self.leave(number, 0..Offset::MAX, Exits::all(DropCause::Removed));
        Ok(self.gone(number, &freed.gone, DropCause::Removed))
    }

    pub(crate) fn count_dropped(
        &mut self,
        id: &QueueId,
        route: &RouteName,
        cause: DropCause,
        entries: u64,
    ) -> Result<(), StoreError> {
        self.check_open()?;
        let mut definitions = Vec::new();
        self.make_numbers_for(&[id].into());
        let queue = self.queue_number(id, &mut definitions)?;
        let route = self.route_number(route, &mut definitions)?;
        if !definitions.is_empty() {
            self.define(definitions);
        }
        if let Some(queue) = self.queues.get_mut(queue as usize) {
            queue.tallies.of(route).add(Some(cause), entries);
            queue.is_used = true;
        }
        self.tell(queue);
        Ok(())
    }

    /// What stands of a range in a segment is lost to damage; returns how many entries were still there.
    ///
    /// What was moved meanwhile stands elsewhere, and is not lost.
    pub(crate) fn lose(&mut self, number: u32, segment: u64, from: Offset, to: Offset) -> u64 {
        let Some(queue) = self.queues.get(number as usize) else { return 0 };
        let there = queue.extents.within(from, to).filter(|extent| extent.segment == segment);
        let ranges: Vec<_> = there.map(|extent| from.max(extent.first)..to.min(extent.end())).collect();
        let mut lost = 0;
        for range in ranges {
            let freed = self.leave(number, range, Exits::all(DropCause::Damaged));
            lost += freed.gone.iter().map(|(_, entries)| entries).sum::<u64>();
        }
        lost
    }

    /// Takes entries out of a queue, and gives back what they held.
    pub(super) fn leave(&mut self, number: u32, offsets: Range<Offset>, exits: Exits<'_>) -> Freed {
        let Some(queue) = self.queues.get_mut(number as usize) else { return Freed::default() };
        let before = queue.head;
        let freed = queue.leave(offsets.start, offsets.end, exits);
        if queue.head > before || !freed.gone.is_empty() {
            self.tell(number);
            self.release(&freed);
        } else if !freed.segments.is_empty() {
            // The rest of an extent, whose other entries were moved, and of which all had left before.
            self.release(&freed);
        }
        freed
    }

    /// Tells the writer that something has left a queue.
    pub(super) fn tell(&mut self, number: u32) {
        if let Some(queue) = self.queues.get_mut(number as usize)
            && !queue.is_told
        {
            queue.is_told = true;
            self.mail.changed.push(number);
        }
    }

    fn release(&mut self, freed: &Freed) {
        for &sequence in &freed.sequences {
            self.tail.release(sequence);
        }
        for &(segment, bytes, is_gone) in &freed.segments {
            self.release_segment(segment, bytes, is_gone);
        }
        self.evict();
    }

    /// Nobody waits for `bytes` of a segment any more, and there may be one extent less in it.
    pub(super) fn release_segment(&mut self, number: u64, bytes: u64, extent: bool) {
        let Some(segment) = self.segments.get_mut(&number) else { return };
        let held_before = segment.held();
        segment.live = segment.live.saturating_sub(bytes);
        if extent {
            segment.extents = segment.extents.saturating_sub(1);
            if segment.extents == 0 && segment.sealed {
                self.mail.dead.push(number);
            }
        }
        self.held_bytes = (self.held_bytes + segment.held()).saturating_sub(held_before);
    }

    /// Takes out of the tail what needs not be there.
    pub(crate) fn evict(&mut self) {
        let Self { tail, queues, .. } = self;
        while let Some((sequence, bound)) = tail.evict() {
            for target in bound.iter() {
                let Some(queue) = queues.get_mut(target.queue as usize) else { continue };
                queue.tail.pop_front_if(|oldest| oldest.sequence == sequence);
            }
        }
    }
}
