//! Where a message goes, and what is asked of the store for it.

use std::sync::Arc;
use std::time::Duration;

use super::{Durability, Overflow};
use crate::{Message, QueueId, RouteName, Timestamp};

/// One queue that a message goes to, on behalf of one route.
///
/// # Examples
/// ```
/// use edge_core::{Durability, EndpointId, Overflow, Priority, QueueId, Target};
///
/// let queue = QueueId::new(EndpointId::upstream(), Priority::DEFAULT);
/// let target = Target::new(queue, "telemetry".parse()?, None)
///     .with_overflow(Overflow::DropOldest)
///     .with_max_queue_bytes(10 << 20)
///     .with_durability(Durability::Written);
/// assert_eq!(target.max_queue_bytes, Some(10 << 20));
/// # Ok::<(), edge_core::IdError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Target {
    /// The queue.
    pub queue: QueueId,
    /// The route that sends the message there; kept with the entry for the accounts.
    pub route: RouteName,
    /// How long after [`Enqueue::enqueued`] the entry expires; `None` is never.
    pub time_to_live: Option<Duration>,
    /// What happens when there is no more room; a store that cannot do it refuses, see its documentation.
    pub overflow: Overflow,
    /// The most bytes that the queue may hold when this entry is added, for stores that limit queues; `None` is as much as
    /// the store has.
    pub max_queue_bytes: Option<u64>,
    /// The most bytes that all queues of the queue's class may hold together when this entry is added, for stores that limit
    /// classes; `None` is as much as the store has. A class is all queues of a priority.
    pub max_class_bytes: Option<u64>,
    /// How durable the route wants its messages, whatever the sender asks for; `None` is what the sender asks for. A batch
    /// is as durable as the highest of its targets asks.
    pub durability: Option<Durability>,
}

impl Target {
    /// Returns a target without a limit of its own.
    #[must_use]
    pub fn new(queue: QueueId, route: RouteName, time_to_live: Option<Duration>) -> Self {
        Self {
            queue,
            route,
            time_to_live,
            overflow: Overflow::Refuse,
            max_queue_bytes: None,
            max_class_bytes: None,
            durability: None,
        }
    }

    /// Sets what happens when there is no more room.
    #[must_use]
    pub fn with_overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }

    /// Sets the most bytes that the queue may hold.
    #[must_use]
    pub fn with_max_queue_bytes(mut self, max_queue_bytes: u64) -> Self {
        self.max_queue_bytes = Some(max_queue_bytes);
        self
    }

    /// Sets the most bytes that all queues of the class may hold together.
    #[must_use]
    pub fn with_max_class_bytes(mut self, max_class_bytes: u64) -> Self {
        self.max_class_bytes = Some(max_class_bytes);
        self
    }

    /// Returns whether there is a limit besides that of the store.
    #[must_use]
    pub const fn is_limited(&self) -> bool {
        self.max_queue_bytes.is_some() || self.max_class_bytes.is_some()
    }

    /// Sets how durable the route wants its messages.
    #[must_use]
    pub fn with_durability(mut self, durability: Durability) -> Self {
        self.durability = Some(durability);
        self
    }
}

/// One message for one or more queues: stored once.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Enqueue {
    /// The message.
    pub message: Message,
    /// Where it goes; shared by all messages that go the same way. Each queue at most once.
    pub targets: Arc<[Target]>,
    /// When the gateway took the message; expiry counts from here.
    pub enqueued: Timestamp,
}

impl Enqueue {
    /// Returns a message for `targets`, taken at `enqueued`.
    #[must_use]
    pub fn new(message: Message, targets: Arc<[Target]>, enqueued: Timestamp) -> Self {
        Self { message, targets, enqueued }
    }
}
