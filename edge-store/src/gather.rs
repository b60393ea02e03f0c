//! What a group of appends waits for before it is written.

use std::num::NonZeroUsize;
use std::time::Duration;

use crate::state::Group;

/// What a group of appends waits for before it is written with one write and made durable with one sync: whatever is
/// reached first of a time, a size and a count.
///
/// Few large writes wear flash less than many small ones, and every sync costs the same however much it makes durable.
/// An append that comes to a quiet store is acknowledged after `at_most` and one write and sync at the latest; one that
/// comes during a write and sync waits for the end of that besides. Now and then a sync of the directory comes on top,
/// where a segment begins, and the copying of a megabyte, where an old one is emptied.
///
/// # Examples
/// ```
/// use edge_store::{Gather, StoreOptions};
/// use std::num::NonZeroUsize;
/// use std::time::Duration;
///
/// // A worn card: five syncs a second at most, unless a megabyte or a thousand messages come sooner.
/// let gather = Gather::new(Duration::from_millis(200)).with_messages(NonZeroUsize::new(1000)).with_bytes(1 << 20);
/// let options = StoreOptions::default().with_gather(gather);
/// assert_eq!(options.gather.at_most, Duration::from_millis(200));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gather {
    /// The longest that a group waits; zero never does.
    pub at_most: Duration,
    /// A group of so many bytes, on disk, waits no longer.
    pub bytes: u64,
    /// A group of so many messages waits no longer. `None` waits for those only who were in the group before: as many
    /// senders are expected again, and a lone sender does not wait at all.
    pub messages: Option<NonZeroUsize>,
}

impl Default for Gather {
    fn default() -> Self {
        Self::new(Duration::from_micros(100))
    }
}

impl Gather {
    /// Returns a group that waits for those who were in the group before, `at_most` so long, and for 8 MiB at most.
    #[must_use]
    pub fn new(at_most: Duration) -> Self {
        Self { at_most, bytes: 8 << 20, messages: None }
    }

    /// Sets after how many bytes a group waits no longer.
    #[must_use]
    pub fn with_bytes(mut self, bytes: u64) -> Self {
        self.bytes = bytes;
        self
    }

    /// Sets after how many messages a group waits no longer.
    #[must_use]
    pub fn with_messages(mut self, messages: Option<NonZeroUsize>) -> Self {
        self.messages = messages;
        self
    }

    /// Returns the group to wait for after one of `last` senders.
    pub(crate) fn group(&self, last: usize) -> Group {
        let (batches, messages) = match self.messages {
            None => (last, usize::MAX),
            Some(messages) => (usize::MAX, messages.get()),
        };
        let bytes = if self.at_most.is_zero() { 0 } else { self.bytes };
        Group { batches, messages, bytes }
    }
}
