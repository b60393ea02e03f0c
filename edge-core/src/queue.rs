//! Queues: one for each endpoint and priority.

use std::fmt;
use std::str::FromStr;

use crate::EndpointId;

/// How urgent a route's messages are: 0 (most urgent) to 9, or the default, which comes after 9.
///
/// # Examples
/// ```
/// use edge_core::Priority;
///
/// let urgent = Priority::new(0).ok_or("out of range")?;
/// assert!(urgent < Priority::DEFAULT, "smaller is served first");
/// assert_eq!(Priority::new(10), None);
/// # Ok::<(), &str>(())
/// ```
///
/// # Source
/// Azure IoT Edge, "Declare routes", priority and time-to-live.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(u8);

impl Priority {
    /// The priority of a route that states none: served after 0 to 9.
    pub const DEFAULT: Self = Self(10);

    /// Returns the priority `level`, or `None` when it is not within 0 to 9.
    #[must_use]
    pub const fn new(level: u8) -> Option<Self> {
        if level <= 9 { Some(Self(level)) } else { None }
    }

    /// Returns 0 to 9, or `None` for the default priority.
    #[must_use]
    pub const fn level(self) -> Option<u8> {
        if self.0 <= 9 { Some(self.0) } else { None }
    }

    /// Returns a small number that orders priorities as they are served: 0 to 9, and 10 for the default.
    #[must_use]
    pub const fn rank(self) -> u8 {
        self.0
    }
}

impl Default for Priority {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.level() {
            Some(level) => level.fmt(f),
            None => f.write_str("default"),
        }
    }
}

impl fmt::Debug for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Priority({self})")
    }
}

/// Why a text is not a priority.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a priority: write 0 to 9, or `default`")]
#[non_exhaustive]
pub struct PriorityError {
    /// The refused text.
    pub text: String,
}

impl FromStr for Priority {
    type Err = PriorityError;

    fn from_str(text: &str) -> Result<Self, PriorityError> {
        let parsed = match text {
            "default" => Some(Self::DEFAULT),
            digits => digits.parse().ok().and_then(Self::new),
        };
        parsed.ok_or_else(|| PriorityError { text: text.into() })
    }
}

/// The name of one durable queue: an endpoint and a priority.
///
/// # Examples
/// ```
/// use edge_core::{EndpointId, Priority, QueueId};
///
/// let queue = QueueId::new(EndpointId::upstream(), Priority::DEFAULT);
/// assert_eq!(queue.to_string(), "$upstream@default");
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueId {
    endpoint: EndpointId,
    priority: Priority,
}

impl QueueId {
    /// Returns the queue of `endpoint` for messages of `priority`.
    #[must_use]
    pub fn new(endpoint: EndpointId, priority: Priority) -> Self {
        Self { endpoint, priority }
    }

    /// Returns the endpoint that the queue feeds.
    #[must_use]
    pub fn endpoint(&self) -> &EndpointId {
        &self.endpoint
    }

    /// Returns the priority of the queue's messages.
    #[must_use]
    pub fn priority(&self) -> Priority {
        self.priority
    }
}

impl fmt::Display for QueueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.endpoint, self.priority)
    }
}

impl fmt::Debug for QueueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
