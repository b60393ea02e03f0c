//! Finding entries: in memory, or where on the disk.

use edge_core::{Message, Offset, ReadBatch, ReadLimit, Stored, Timestamp};

use super::{Cursor, State};
use crate::log::NEVER;

/// A read in progress.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) batch: ReadBatch,
    /// Of the queue; its number may be another's while it is read from the disk.
    generation: Option<u16>,
    limit: ReadLimit,
    /// Entries that have their room.
    entries: usize,
    /// Their bytes, by [`Message::size`].
    bytes: usize,
}

/// What [`Message::size`] does not count of a message's stored form.
const MESSAGE_HEADER_BYTES: usize = 16;

/// The counters of a read.
#[derive(Debug)]
pub(crate) struct Mark {
    entries: usize,
    bytes: usize,
    damaged: u64,
}

/// Where to read on.
#[derive(Debug)]
pub(crate) enum Place {
    /// The read is complete.
    Done,
    /// Entries of a segment.
    Disk(OnDisk),
}

/// Entries that stand in a segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OnDisk {
    pub(crate) segment: u64,
    /// A record at or before the entry wanted.
    pub(crate) position: u64,
    /// How long the segment is.
    pub(crate) bytes: u64,
    /// The first offset wanted.
    pub(crate) from: Offset,
    /// The offset behind the last one that stands there.
    pub(crate) to: Offset,
}

impl Found {
    pub(crate) fn new(from: Offset, limit: ReadLimit) -> Self {
        Self { batch: ReadBatch::new(Vec::new(), from, 0), generation: None, limit, entries: 0, bytes: 0 }
    }

    /// Makes room for a message of `encoded_bytes` in its stored form, when there is some.
    pub(crate) fn reserve(&mut self, encoded_bytes: usize) -> bool {
        let bytes = self.bytes.saturating_add(encoded_bytes.saturating_sub(MESSAGE_HEADER_BYTES));
        let fits =
            self.entries == 0 || (self.entries < self.limit.entries.get() && bytes <= self.limit.bytes);
        if fits {
            self.bytes = bytes;
            self.entries += 1;
        }
        fits
    }

    /// Returns the counters, to go back to when what was read turns out to be nothing.
    pub(crate) fn mark(&self) -> Mark {
        Mark { entries: self.entries, bytes: self.bytes, damaged: self.batch.damaged }
    }

    pub(crate) fn go_back(&mut self, mark: &Mark) {
        (self.entries, self.bytes, self.batch.damaged) = (mark.entries, mark.bytes, mark.damaged);
    }

    fn is_full(&self) -> bool {
        self.entries >= self.limit.entries.get() || (self.entries > 0 && self.bytes >= self.limit.bytes)
    }
}

impl State {
    /// Goes on with a read as far as memory allows, and returns where the rest of it stands.
    pub(crate) fn read_on(&self, number: u32, found: &mut Found) -> Place {
        let Some(queue) = self.queues.get(number as usize) else { return Place::Done };
        if *found.generation.get_or_insert(queue.generation) != queue.generation {
            return Place::Done;
        }
        let tail_first = queue.tail_first();
        found.batch.next = found.batch.next.max(queue.head);
        while found.batch.next < queue.next && !found.is_full() {
            let at = found.batch.next;
            if let Some(end) = queue.holes.end_of(at) {
                found.batch.damaged += queue.lost.overlap(at, end);
                found.batch.next = end;
            } else if at >= tail_first {
                let index = usize::try_from(at - tail_first).unwrap_or(usize::MAX);
                let entry = queue.tail.get(index).copied();
                let message = entry.and_then(|entry| Some((entry, self.tail.message(entry.sequence)?)));
                let Some((entry, (message, enqueued))) = message else { return Place::Done };
                if !found.reserve(message.encoded().len()) {
                    return Place::Done;
                }
                let route = self.route_name(entry.route);
                found.batch.entries.push(stored(at, enqueued, entry.expires, route, message.clone()));
                found.batch.next = at + 1;
            } else {
                let next_extent = queue.extents.reaching_above(at);
                if let Some(extent) = next_extent.filter(|extent| extent.contains(at)) {
                    let (point, mut position) = extent.place(at);
                    if let Some(cursor) = queue.cursor
                        && cursor.segment == extent.segment
                        && (point..=at).contains(&cursor.offset)
                    {
                        position = cursor.position;
                    }
                    return Place::Disk(OnDisk {
                        segment: extent.segment,
                        position: position.into(),
                        bytes: self.segments.get(&extent.segment).map_or(0, |segment| segment.bytes),
                        from: at,
                        to: queue.holes.start_after(at).unwrap_or(u64::MAX).min(extent.end()).min(tail_first),
                    });
                }
                let end = next_extent.map_or(tail_first, |extent| extent.first).min(tail_first);
                let end = queue.holes.start_after(at).map_or(end, |hole| hole.min(end));
                // What is lost is a hole, and was counted when it became one: nothing else stands nowhere.
                tracing::error!(queue = %queue.id, from = at, to = end, "entries stand nowhere");
                found.batch.damaged += end - at;
                found.batch.next = end;
            }
        }
        Place::Done
    }

    /// Returns whether some of the entries that stood in a segment were moved to another one.
    pub(crate) fn has_moved(&self, number: u32, segment: u64, from: Offset, to: Offset) -> bool {
        let queue = self.queues.get(number as usize);
        queue.is_some_and(|queue| queue.extents.within(from, to).any(|extent| extent.segment != segment))
    }

    /// Remembers where a reader stopped within a run of entries.
    pub(crate) fn set_cursor(&mut self, number: u32, cursor: Option<Cursor>) {
        if let Some(queue) = self.queues.get_mut(number as usize) {
            queue.cursor = cursor;
        }
    }
}

/// Returns an entry in the vocabulary of the contract.
pub(crate) fn stored(
    offset: Offset,
    enqueued: u64,
    expires: u64,
    route: edge_core::RouteName,
    message: Message,
) -> Stored {
    let expires = (expires != NEVER).then(|| Timestamp::from_unix_ms(expires));
    Stored::new(offset, Timestamp::from_unix_ms(enqueued), expires, route, message)
}
