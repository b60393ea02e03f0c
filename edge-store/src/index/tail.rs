//! The newest entries, kept in memory until they are on disk and beyond.

use std::collections::VecDeque;
use std::sync::Arc;

use edge_core::Message;

/// One target with its names replaced by numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bound {
    pub(crate) queue: u32,
    pub(crate) route: u32,
    /// Milliseconds; [`crate::log::NEVER`] is never.
    pub(crate) time_to_live_ms: u64,
}

/// All targets of a message, shared by the messages that go the same way.
pub(crate) type BoundList = Arc<[Bound]>;

/// A queue's reference to a message of the tail.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TailRef {
    pub(crate) sequence: u64,
    pub(crate) expires: u64,
    pub(crate) route: u32,
    /// Bytes of the record.
    pub(crate) bytes: u32,
}

/// One message of the tail.
#[derive(Debug)]
pub(crate) struct TailMessage {
    /// `None` once all queues have passed it.
    message: Option<Message>,
    enqueued: u64,
    waiting_queues: u32,
}

/// Messages in the order in which they came, oldest first.
#[derive(Debug)]
pub(crate) struct Tail {
    messages: VecDeque<TailMessage>,
    /// For how many of them in a row which targets hold.
    runs: VecDeque<(usize, BoundList)>,
    /// The sequence number of the first message.
    base: u64,
    /// Messages below this are on disk.
    written: u64,
    bytes: usize,
    limit_bytes: usize,
}

/// What a message costs besides its bytes, for as long as one older than it is kept.
const OVERHEAD_BYTES: usize = 128;

impl Tail {
    pub(crate) fn new(limit_bytes: usize) -> Self {
        Self { messages: VecDeque::new(), runs: VecDeque::new(), base: 0, written: 0, bytes: 0, limit_bytes }
    }

    /// Returns the sequence number of the next message.
    pub(crate) fn next(&self) -> u64 {
        self.base + self.messages.len() as u64
    }

    /// Adds a message.
    #[inline]
    pub(crate) fn push(&mut self, message: Message, enqueued: u64, bound: &BoundList) {
        self.bytes += message.encoded().len() + OVERHEAD_BYTES;
        let waiting_queues = u32::try_from(bound.len()).unwrap_or(u32::MAX);
        self.messages.push_back(TailMessage { message: Some(message), enqueued, waiting_queues });
        match self.runs.back_mut() {
            Some((messages, last)) if Arc::ptr_eq(last, bound) => *messages += 1,
            _ => self.runs.push_back((1, bound.clone())),
        }
    }

    /// Returns a message and when it was enqueued.
    pub(crate) fn message(&self, sequence: u64) -> Option<(&Message, u64)> {
        let at = usize::try_from(sequence.checked_sub(self.base)?).ok()?;
        let found = self.messages.get(at)?;
        Some((found.message.as_ref()?, found.enqueued))
    }

    /// One queue has passed the message.
    pub(crate) fn release(&mut self, sequence: u64) {
        let at = sequence.checked_sub(self.base).and_then(|at| usize::try_from(at).ok());
        let Some(found) = at.and_then(|at| self.messages.get_mut(at)) else { return };
        found.waiting_queues = found.waiting_queues.saturating_sub(1);
        if found.waiting_queues == 0
            && let Some(message) = found.message.take()
        {
            self.bytes -= message.encoded().len();
        }
    }

    /// The next `count` messages are on disk now.
    pub(crate) fn written(&mut self, count: u64) {
        self.written += count;
    }

    /// Takes out the oldest message when it is on disk, and either nobody waits for it or the tail is too large;
    /// returns its sequence number and its targets.
    pub(crate) fn evict(&mut self) -> Option<(u64, &BoundList)> {
        let oldest = self.messages.front()?;
        if self.base >= self.written || (oldest.message.is_some() && self.bytes <= self.limit_bytes) {
            return None;
        }
        let oldest = self.messages.pop_front()?;
        if let Some(message) = oldest.message {
            self.bytes -= message.encoded().len();
        }
        self.bytes -= OVERHEAD_BYTES;
        if self.messages.is_empty() {
            self.messages.shrink_to(4096);
            self.runs.shrink_to(1024);
        }
        self.base += 1;
        self.runs.pop_front_if(|(left, _)| *left == 0);
        let (left, bound) = self.runs.front_mut()?;
        *left -= 1;
        Some((self.base - 1, bound))
    }
}
