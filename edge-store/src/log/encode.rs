//! Records, written into one buffer that becomes one write.

use edge_core::{Overflow, QueueId, RouteName};

use super::index::put_index;
use super::record::RecordHeader;
use super::{
    AFTER_SYNC, ALIGN, HEADER_BYTES, Header, Kind, LAST, PACKED, RECORD_HEADER_BYTES, TARGET_BYTES,
    TargetEntry, seed,
};
use crate::index::Extent;
use crate::state::Tally;

/// Returns how many bytes the record of a message takes.
pub(crate) fn message_bytes(encoded: usize, targets: usize) -> u64 {
    (RECORD_HEADER_BYTES + 8 + targets * TARGET_BYTES + encoded).next_multiple_of(ALIGN) as u64
}

/// Collects records for one segment; its buffer is used again.
#[derive(Debug)]
pub(crate) struct Encoder {
    buffer: Vec<u8>,
    seed: u32,
    /// Flags for the next record only.
    flags: u8,
}

impl Encoder {
    pub(crate) fn new() -> Self {
        Self { buffer: Vec::new(), seed: 0, flags: 0 }
    }

    /// Starts a segment with its header.
    pub(crate) fn begin(&mut self, header: Header) {
        self.seed = seed(header.salt, header.number);
        self.buffer.extend_from_slice(&header.encode());
    }

    /// Goes on with a segment that has its header.
    pub(crate) fn resume(&mut self, salt: u64, number: u64) {
        self.seed = seed(salt, number);
    }

    /// Says of the next record that all bytes before it were synced.
    pub(crate) fn after_sync(&mut self) {
        self.flags |= AFTER_SYNC;
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer
    }

    /// Empties the buffer, and gives back what a burst left of it.
    pub(crate) fn clear(&mut self) {
        self.buffer.clear();
        self.buffer.shrink_to(1 << 20);
        self.flags = 0;
    }

    /// Says of the next record that its message is compressed.
    pub(crate) fn packed(&mut self) {
        self.flags |= PACKED;
    }

    /// Writes a message for the targets that `targets` returns.
    pub(crate) fn message(
        &mut self,
        kind: Kind,
        last: bool,
        enqueued: u64,
        targets: impl Iterator<Item = TargetEntry>,
        message: &[u8],
    ) {
        self.buffer.reserve(RECORD_HEADER_BYTES + 8 + TARGET_BYTES + message.len() + ALIGN);
        let start = self.open();
        self.buffer.extend_from_slice(&enqueued.to_le_bytes());
        let mut count = 0;
        for target in targets {
            self.buffer.extend_from_slice(&target.encode());
            count += 1;
        }
        self.seal_with(start, kind, last, count, message);
    }

    /// Writes the name of a queue; without one the number is free.
    pub(crate) fn queue(
        &mut self,
        last: bool,
        number: u32,
        generation: u16,
        id: Option<&QueueId>,
        head: u64,
        next: u64,
    ) {
        let start = self.open();
        self.buffer.extend_from_slice(&number.to_le_bytes());
        let [g0, g1] = generation.to_le_bytes();
        self.buffer.extend_from_slice(&[id.map_or(0, |id| id.priority().rank()), 0, g0, g1]);
        self.buffer.extend_from_slice(&head.to_le_bytes());
        self.buffer.extend_from_slice(&next.to_le_bytes());
        self.buffer.extend_from_slice(id.map_or("", |id| id.endpoint().as_str()).as_bytes());
        self.seal(start, Kind::Queue, last, 0);
    }

    pub(crate) fn route(&mut self, last: bool, number: u32, name: &RouteName) {
        let start = self.open();
        self.buffer.extend_from_slice(&number.to_le_bytes());
        self.buffer.extend_from_slice(name.as_str().as_bytes());
        self.seal(start, Kind::Route, last, 0);
    }

    pub(crate) fn trim(&mut self, last: bool, queue: u32, head: u64) {
        let start = self.open();
        self.buffer.extend_from_slice(&u64::from(queue).to_le_bytes());
        self.buffer.extend_from_slice(&head.to_le_bytes());
        self.seal(start, Kind::Trim, last, 0);
    }

    pub(crate) fn hole(&mut self, last: bool, queue: u32, from: u64, to: u64) {
        let start = self.open();
        self.buffer.extend_from_slice(&u64::from(queue).to_le_bytes());
        self.buffer.extend_from_slice(&from.to_le_bytes());
        self.buffer.extend_from_slice(&to.to_le_bytes());
        self.seal(start, Kind::Hole, last, 0);
    }

    pub(crate) fn account(&mut self, last: bool, queue: u32, route: u32, tally: &Tally) {
        let start = self.open();
        self.buffer.extend_from_slice(&queue.to_le_bytes());
        self.buffer.extend_from_slice(&route.to_le_bytes());
        self.buffer.extend_from_slice(&tally.delivered.to_le_bytes());
        for (cause, entries) in tally.dropped.iter() {
            self.buffer.extend_from_slice(&u64::from(cause.code()).to_le_bytes());
            self.buffer.extend_from_slice(&entries.to_le_bytes());
        }
        self.seal(start, Kind::Account, last, 0);
    }

    pub(crate) fn policy(&mut self, last: bool, queue: u32, route: u32, overflow: &Overflow) {
        let start = self.open();
        self.buffer.extend_from_slice(&queue.to_le_bytes());
        self.buffer.extend_from_slice(&route.to_le_bytes());
        self.buffer.extend_from_slice(overflow.to_string().as_bytes());
        self.seal(start, Kind::Policy, last, 0);
    }

    /// Writes the index of a segment in which the buffer starts at `position`, as its last record.
    pub(crate) fn index(&mut self, position: u64, extents: &[(u32, Extent)]) {
        let record = self.end(position);
        let start = self.open();
        put_index(&mut self.buffer, record, extents);
        self.seal(start, Kind::Index, true, 0);
    }

    /// Returns how far into the segment the buffer reaches when it starts at `position`.
    pub(crate) fn end(&self, position: u64) -> u64 {
        position + self.buffer.len() as u64
    }

    fn open(&mut self) -> usize {
        debug_assert!(
            self.buffer.len().is_multiple_of(ALIGN) && (HEADER_BYTES as usize).is_multiple_of(ALIGN)
        );
        let start = self.buffer.len();
        self.buffer.extend_from_slice(&[0; RECORD_HEADER_BYTES]);
        start
    }

    fn seal(&mut self, start: usize, kind: Kind, last: bool, targets: u32) {
        self.seal_with(start, kind, last, targets, &[]);
    }

    /// Ends a record with `rest`. Its checksum is taken where it comes from: that waits less for memory than copying does.
    fn seal_with(&mut self, start: usize, kind: Kind, last: bool, targets: u32, rest: &[u8]) {
        let flags = std::mem::take(&mut self.flags) | if last { LAST } else { 0 };
        let len = self.buffer.len() - start - RECORD_HEADER_BYTES + rest.len();
        let len = u32::try_from(len).expect("a batch is limited to 1 GiB");
        let mut header = RecordHeader { checksum: 0, len, kind, flags, targets };
        if let Some(head) = self.buffer.get_mut(start..).and_then(<[u8]>::first_chunk_mut) {
            *head = header.encode();
        }
        let mut hasher = crc32fast::Hasher::new_with_initial(self.seed);
        hasher.update(self.buffer.get(start + 4..).unwrap_or_default());
        hasher.update(rest);
        self.buffer.extend_from_slice(rest);
        header.checksum = hasher.finalize();
        if let Some(head) = self.buffer.get_mut(start..).and_then(<[u8]>::first_chunk_mut) {
            *head = header.checksum.to_le_bytes();
        }
        self.buffer.resize(self.buffer.len().next_multiple_of(ALIGN), 0);
    }
}
