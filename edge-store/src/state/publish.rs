//! What the writer reports: entries that are on disk, segments that come and go.

use super::{Segment, State};
use crate::index::{Extent, Placed};

/// One entry that was written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Indexed {
    pub(crate) queue: u32,
    pub(crate) route: u32,
    pub(crate) offset: u64,
    pub(crate) expires: u64,
    pub(crate) position: u32,
    /// Bytes of the record.
    pub(crate) bytes: u32,
    /// How many bytes less these are than when the entry was taken, for it was compressed.
    pub(crate) saved: u32,
}

impl Indexed {
    pub(crate) fn placed(&self, segment: u64) -> Placed {
        let Self { route, offset, expires, position, bytes, .. } = *self;
        Placed { segment, position, bytes, offset, route, expires }
    }
}

impl State {
    /// `entries` of `messages` messages, `bytes` in all, have been written to the active segment, which ends at `end` now.
    pub(crate) fn publish(&mut self, entries: &[Indexed], messages: u64, bytes: u64, end: u64) {
        let active = self.active;
        let segment = self.segments.entry(active).or_default();
        let held_before = segment.held();
        let grown = end - segment.bytes;
        segment.bytes = end;
        self.file_bytes += grown;
        self.written_bytes += grown;
        self.mail.unwritten_bytes -= bytes.min(self.mail.unwritten_bytes);
        for entry in entries {
            let Some(queue) = self.queues.get_mut(entry.queue as usize) else { continue };
            queue.written = entry.offset + 1;
            if entry.offset < queue.head || queue.holes.end_of(entry.offset).is_some() {
                continue;
            }
            if queue.extents.add(&entry.placed(active)) {
                segment.extents += 1;
            }
            segment.live += u64::from(entry.bytes);
            if entry.saved > 0 {
                queue.held.take(entry.saved.into());
            }
        }
        self.held_bytes = (self.held_bytes + segment.held()).saturating_sub(held_before);
        self.tail.written(messages);
        self.evict();
    }

    /// The active segment is full, and `next` takes its place, in a file that has `reserved` bytes already.
    pub(crate) fn seal_active(&mut self, next: u64, reserved: u64) {
        self.reserved = reserved;
        let sealed = self.active;
        self.active = next;
        self.segments.insert(next, Segment::default());
        if let Some(segment) = self.segments.get_mut(&sealed) {
            segment.sealed = true;
            if segment.extents == 0 {
                self.mail.dead.push(sealed);
            }
        }
        for queue in &mut self.queues {
            queue.extents.shrink(sealed);
        }
    }

    /// Returns what is in a segment, by queue number.
    pub(crate) fn extents_of(&self, segment: u64) -> Vec<(u32, Extent)> {
        let numbered = (0..).zip(&self.queues);
        let extents =
            numbered.flat_map(|(number, queue)| queue.extents.iter().map(move |extent| (number, extent)));
        extents
            .filter(|(_, e)| e.segment == segment)
            .map(|(number, extent)| (number, extent.clone()))
            .collect()
    }

    /// Returns whether a dead segment is worth keeping to become the next one: it is large enough, and there is room.
    pub(crate) fn suits_as_spare(&self, number: u64) -> bool {
        let bytes = self.segments.get(&number).map_or(0, |segment| segment.bytes);
        let has_room = self.options.max_bytes.is_none_or(|max| self.used_bytes() < max / 2);
        has_room && bytes >= self.options.segment_bytes / 2 && bytes <= self.options.segment_bytes * 2
    }

    /// Returns the newest segment but the active one.
    pub(crate) fn last_sealed(&self) -> Option<u64> {
        self.segments.range(..self.active).next_back().map(|(&number, _)| number)
    }

    /// A segment file goes; returns what is to be said when it cannot.
    pub(crate) fn unlinked(&mut self, number: u64) -> Option<Segment> {
        let segment = self.segments.remove(&number)?;
        self.file_bytes -= segment.bytes;
        self.held_bytes = self.held_bytes.saturating_sub(segment.held());
        Some(segment)
    }

    /// A segment file that was to go is still there.
    pub(crate) fn not_unlinked(&mut self, number: u64, segment: Option<Segment>) {
        if let Some(segment) = segment {
            self.file_bytes += segment.bytes;
            self.held_bytes += segment.held();
            self.segments.insert(number, segment);
        }
    }

    /// Returns whether nobody waits for anything in the active segment, and how large it is.
    pub(crate) fn dead_active_bytes(&self) -> Option<u64> {
        let active = self.segments.get(&self.active)?;
        (active.extents == 0).then_some(active.bytes)
    }
}
