//! Entries of queues, and those that a batch answers.

use std::ops::Range;

use super::Offset;
use crate::{Message, Priority, QueueId, RouteName, Timestamp};

/// One entry of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stored {
    /// The entry's place in its queue.
    pub offset: Offset,
    /// When the gateway took the message.
    pub enqueued: Timestamp,
    /// When the entry expires; `None` is never.
    pub expires: Option<Timestamp>,
    /// The route that sent the message here.
    pub route: RouteName,
    /// The message.
    pub message: Message,
    /// The priority of the entry's queue; the gateway says it when it sends the entry to an endpoint.
    pub priority: Priority,
}

impl Stored {
    /// Returns an entry, of the default priority.
    #[must_use]
    pub fn new(
        offset: Offset,
        enqueued: Timestamp,
        expires: Option<Timestamp>,
        route: RouteName,
        message: Message,
    ) -> Self {
        Self { offset, enqueued, expires, route, message, priority: Priority::DEFAULT }
    }

    /// Returns whether the entry has expired at `now`: its expiry has come.
    ///
    /// # Source
    /// Azure IoT Edge: an entry has expired when now − enqueued ≥ time to live.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

/// Entries of one queue that a batch answers: they are done with once it is taken.
///
/// # Examples
/// ```
/// use edge_core::{Answered, EndpointId, Priority, QueueId};
///
/// let queue = QueueId::new(EndpointId::upstream(), Priority::DEFAULT);
/// assert_eq!(Answered::new(queue, 3..5).offsets, 3..5);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answered {
    /// The queue.
    pub queue: QueueId,
    /// The entries.
    pub offsets: Range<Offset>,
}

impl Answered {
    /// Returns the entries of `queue` in the range `offsets`.
    #[must_use]
    pub const fn new(queue: QueueId, offsets: Range<Offset>) -> Self {
        Self { queue, offsets }
    }
}
