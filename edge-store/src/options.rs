//! What can be set about a store.

use crate::Gather;
use crate::log::MAX_NUMBERS;

/// How a [`SegmentStore`](crate::SegmentStore) behaves; the defaults suit a gateway.
///
/// # Examples
/// ```
/// use edge_store::StoreOptions;
///
/// let options = StoreOptions::default().with_max_bytes(1 << 30);
/// assert_eq!(options.max_bytes, Some(1 << 30));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreOptions {
    /// The most bytes on disk; an append beyond it is refused, or others leave for it, as its targets ask. The files may
    /// take one segment more while dead space is given back. `None` is as much as the disk has.
    pub max_bytes: Option<u64>,
    /// The size at which a new segment is begun: space comes back by whole segments. With a small `max_bytes` segments
    /// are smaller, a sixteenth of it, so that one segment is never most of the store.
    pub segment_bytes: u64,
    /// How many bytes of fresh entries are kept in memory, for readers that keep up.
    pub tail_bytes: usize,
    /// How many bytes may wait for the disk; an append beyond it is refused.
    pub max_unwritten_bytes: u64,
    /// The largest message that is taken, in its stored form.
    pub max_message_bytes: u64,
    /// What a group of appends waits for before it is written and synced as one.
    pub gather: Gather,
    /// Whether messages are compressed (LZ4, each by itself) where that makes them smaller by an eighth or more: less is
    /// written, for some time of the processor. What is there can be read either way.
    pub compress: bool,
    /// The most queues, 65,536 at most. When a new one is used beyond it, queues that are empty and were not used lately
    /// are forgotten, if their names have a slash: their accounts go to one queue for each beginning of a name, such as
    /// `$c2d/forgotten queues`. Offsets of a queue that comes back go on above those that it had.
    pub max_queues: u32,
}

const DEFAULT_SEGMENT_BYTES: u64 = 16 << 20;
/// The smallest segment; smaller wishes are raised to it.
const MIN_SEGMENT_BYTES: u64 = 16 * 1024;
/// The largest segment; positions within a segment are kept in 32 bits.
const MAX_SEGMENT_BYTES: u64 = 1 << 30;
/// The most bytes that may be set to wait for the disk, so that a segment which is a batch too large stays addressable.
const MAX_UNWRITTEN_BYTES: u64 = 1 << 30;

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            max_bytes: None,
            segment_bytes: DEFAULT_SEGMENT_BYTES,
            tail_bytes: 4 << 20,
            max_unwritten_bytes: 32 << 20,
            max_message_bytes: 1 << 20,
            gather: Gather::default(),
            compress: false,
            max_queues: MAX_NUMBERS,
        }
    }
}

impl StoreOptions {
    /// Sets the most bytes on disk.
    #[must_use]
    pub fn with_max_bytes(mut self, max_bytes: u64) -> Self {
        self.max_bytes = Some(max_bytes);
        self
    }

    /// Sets the size at which a new segment is begun.
    #[must_use]
    pub fn with_segment_bytes(mut self, segment_bytes: u64) -> Self {
        self.segment_bytes = segment_bytes;
        self
    }

    /// Sets how many bytes of fresh entries are kept in memory.
    #[must_use]
    pub fn with_tail_bytes(mut self, tail_bytes: usize) -> Self {
        self.tail_bytes = tail_bytes;
        self
    }

    /// Sets how many bytes may wait for the disk.
    #[must_use]
    pub fn with_max_unwritten_bytes(mut self, max_unwritten_bytes: u64) -> Self {
        self.max_unwritten_bytes = max_unwritten_bytes;
        self
    }

    /// Sets the largest message that is taken.
    #[must_use]
    pub fn with_max_message_bytes(mut self, max_message_bytes: u64) -> Self {
        self.max_message_bytes = max_message_bytes;
        self
    }

    /// Sets what a group of appends waits for.
    #[must_use]
    pub fn with_gather(mut self, gather: Gather) -> Self {
        self.gather = gather;
        self
    }

    /// Returns how many bytes may wait of what is dropped rather than refused when there is no more room: with the rest
    /// of the quota, dead space among what is wanted can be given back at a bounded cost.
    pub(crate) fn room_for_drops(&self) -> Option<u64> {
        let spare = |max: u64| (self.segment_bytes * 4).max(max / 8).min(max / 2);
        self.max_bytes.map(|max| max - spare(max))
    }

    /// Sets whether messages are compressed.
    #[must_use]
    pub fn with_compression(mut self, compress: bool) -> Self {
        self.compress = compress;
        self
    }

    /// Sets the most queues.
    #[must_use]
    pub fn with_max_queues(mut self, max_queues: u32) -> Self {
        self.max_queues = max_queues;
        self
    }

    /// Returns how large a segment may be when names and heads are a large part of it.
    pub(crate) fn largest_segment(&self) -> u64 {
        self.max_bytes.map_or(u64::MAX, |max| max / 8).min(4 * DEFAULT_SEGMENT_BYTES).max(self.segment_bytes)
    }

    /// Returns the options with every value in the range that the format can hold.
    pub(crate) fn checked(mut self) -> Self {
        let share = self.max_bytes.map_or(u64::MAX, |max| max / 16);
        self.segment_bytes = self.segment_bytes.min(share).clamp(MIN_SEGMENT_BYTES, MAX_SEGMENT_BYTES);
        self.max_unwritten_bytes = self.max_unwritten_bytes.min(MAX_UNWRITTEN_BYTES);
        self.max_message_bytes = self.max_message_bytes.min(self.max_unwritten_bytes);
        self.max_queues = self.max_queues.min(MAX_NUMBERS);
        self
    }
}
