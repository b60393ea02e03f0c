//! How an endpoint wants its queues delivered.

use std::fmt;
use std::num::{NonZeroU64, NonZeroUsize};
use std::str::FromStr;
use std::sync::Arc;

use edge_core::{Message, Priority, SystemKey};

/// How the queues of one endpoint are delivered: in which order, how much at a time, and how much per second and day.
///
/// The default is strict order, as much at a time as the endpoint takes, and no budget.
///
/// # Examples
/// ```
/// use std::num::NonZeroU64;
/// use edge_core::Priority;
/// use edge_hub::{Budget, DeliveryKey, DeliveryPolicy, Hub, InFlight, Order};
///
/// let metered = DeliveryPolicy::new()
///     .order(Order::PerKey(DeliveryKey::Device))
///     .in_flight(InFlight::messages(100))
///     .budget(Budget::per_day(NonZeroU64::MIN.saturating_add(50_000_000)).free_up_to(Priority::new(1)));
/// let hub = Hub::builder("edge1".parse()?).delivery(edge_core::EndpointId::upstream(), metered).build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "a policy holds once it is given to a hub"]
pub struct DeliveryPolicy {
    /// In which order.
    pub order: Order,
    /// How much is given to one [`Endpoint::send`](edge_core::Endpoint::send).
    pub in_flight: InFlight,
    /// How much may be sent.
    pub budget: Budget,
}

impl DeliveryPolicy {
    /// Returns the default: strict order, no window, no budget.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the order.
    pub fn order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    /// Sets the window.
    pub fn in_flight(mut self, in_flight: InFlight) -> Self {
        self.in_flight = in_flight;
        self
    }

    /// Sets the budget.
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }
}

/// In which order the entries of a queue are delivered.
///
/// | order | what is kept | when something is released or rejected |
/// |---|---|---|
/// | `Strict` | the order of the queue | it is sent again first, and what was sent with it is settled |
/// | `PerKey` | the order of the entries with one key | its key waits, with a backoff of its own; other keys go on |
/// | `NewestFirst` | the order within a batch | its batch is tried again, after newer messages |
///
/// The order of a queue is the order in which its messages were taken. Entries without the key of `PerKey` have an
/// order among themselves.
///
/// # Source
/// Our choice, because a consumer that fails for one device must not hold up all others, and because after a long outage
/// the present is worth more than the past.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Order {
    /// The order of the queue.
    #[default]
    Strict,
    /// An order for each key.
    PerKey(DeliveryKey),
    /// Live messages first, and then what waits, from its newest end down, in batches.
    NewestFirst {
        /// How many messages a queue holds before it counts as a backlog. Up to here the order is strict.
        above: u64,
    },
}

/// What has an order of its own, see [`Order::PerKey`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeliveryKey {
    /// The device that sent the message.
    Device,
    /// The value of an application property.
    Property(Arc<str>),
}

impl DeliveryKey {
    /// Returns the key of a message.
    #[must_use]
    pub fn of<'m>(&self, message: &'m Message) -> Option<&'m str> {
        match self {
            Self::Device => message.system().value(SystemKey::ConnectionDeviceId),
            Self::Property(name) => message.properties().value(name).flatten(),
        }
    }
}

/// How much may be on its way to an endpoint at a time; what the endpoint itself wants is a limit too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "a window holds once it is given to a policy"]
pub struct InFlight {
    /// The most messages; `None` is as many as the endpoint takes.
    pub messages: Option<NonZeroUsize>,
    /// The most bytes, by [`Message::size`]; a single larger message goes alone.
    pub bytes: Option<NonZeroUsize>,
}

impl InFlight {
    /// Returns a window of so many messages; zero is one.
    pub fn messages(messages: usize) -> Self {
        Self { messages: Some(NonZeroUsize::new(messages).unwrap_or(NonZeroUsize::MIN)), bytes: None }
    }

    /// Sets the most bytes as well; zero lets every message go alone.
    pub fn bytes(mut self, bytes: usize) -> Self {
        self.bytes = Some(NonZeroUsize::new(bytes).unwrap_or(NonZeroUsize::MIN));
        self
    }
}

/// How many bytes may go to an endpoint, for links that are metered.
///
/// Counted are the bytes of messages ([`Message::size`]) given to the endpoint, each try again; not what the transport
/// adds, and not what an endpoint says it did not even start to send. Per second, a second's worth may go at once, and a
/// message larger than what is left goes when anything is left, and is paid back. A day is a day in UTC and is never
/// exceeded, except by a single message larger than the whole budget of a day, which goes alone. What was used of a day
/// is kept in the store: after a crash, up to a 64th of the day's budget more than was sent counts as used.
///
/// # Source
/// Our choice: the meter of the provider is not ours to read, so a share should be left for what a transport adds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "a budget holds once it is given to a policy"]
pub struct Budget {
    /// The most bytes per second.
    pub bytes_per_second: Option<NonZeroU64>,
    /// The most bytes per day.
    pub bytes_per_day: Option<NonZeroU64>,
    /// Messages of this priority and more urgent ones are counted, and never held back.
    pub free_up_to: Option<Priority>,
}

impl Budget {
    /// Returns a budget per second.
    pub fn per_second(bytes: NonZeroU64) -> Self {
        Self { bytes_per_second: Some(bytes), ..Self::default() }
    }

    /// Returns a budget per day.
    pub fn per_day(bytes: NonZeroU64) -> Self {
        Self { bytes_per_day: Some(bytes), ..Self::default() }
    }

    /// Sets the most bytes per second as well.
    pub fn and_per_second(mut self, bytes: NonZeroU64) -> Self {
        self.bytes_per_second = Some(bytes);
        self
    }

    /// Sets up to which priority messages are not held back; `None` is none of them.
    pub fn free_up_to(mut self, priority: Option<Priority>) -> Self {
        self.free_up_to = priority;
        self
    }
}

/// Why a text is not an order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not an order: write strict, per-key:device, per-key:property=NAME or newest-first:COUNT"
)]
#[non_exhaustive]
pub struct OrderError {
    /// The refused text.
    pub text: String,
}

const STRICT: &str = "strict";
const PER_DEVICE: &str = "per-key:device";
const PER_PROPERTY: &str = "per-key:property=";
const NEWEST_FIRST: &str = "newest-first:";

impl FromStr for Order {
    type Err = OrderError;

    fn from_str(text: &str) -> Result<Self, OrderError> {
        let property = text.strip_prefix(PER_PROPERTY).filter(|name| !name.is_empty());
        let above = text.strip_prefix(NEWEST_FIRST).and_then(|count| count.parse().ok());
        match (text, property, above) {
            (STRICT, ..) => Ok(Self::Strict),
            (PER_DEVICE, ..) => Ok(Self::PerKey(DeliveryKey::Device)),
            (_, Some(name), _) => Ok(Self::PerKey(DeliveryKey::Property(name.into()))),
            (_, _, Some(above)) => Ok(Self::NewestFirst { above }),
            _ => Err(OrderError { text: text.into() }),
        }
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Strict => f.write_str(STRICT),
            Self::PerKey(DeliveryKey::Device) => f.write_str(PER_DEVICE),
            Self::PerKey(DeliveryKey::Property(name)) => write!(f, "{PER_PROPERTY}{name}"),
            Self::NewestFirst { above } => write!(f, "{NEWEST_FIRST}{above}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_read_and_written() {
        for text in ["strict", "per-key:device", "per-key:property=line=7", "newest-first:1000"] {
            assert_eq!(text.parse::<Order>().unwrap().to_string(), text);
        }
        for text in ["", "Strict", "per-key", "per-key:property=", "newest-first", "newest-first:-1"] {
            assert!(text.parse::<Order>().is_err(), "{text:?}");
        }
    }
}
