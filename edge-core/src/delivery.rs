//! A message whose receiver owes an answer.

use std::fmt;
use std::sync::Arc;

use crate::{Message, PortName};

/// What became of a delivered message.
///
/// # Source
/// AMQP 1.0 §3.4: accepted, rejected, released. MQTT 3.1.1 knows only the first (PUBACK); a closed connection releases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Settlement {
    /// The receiver has taken the message and is responsible for it now.
    Accept,
    /// The receiver will never take the message.
    Reject,
    /// The receiver has not taken the message; it may be delivered again.
    Release,
}

/// Hears what became of the deliveries it made.
///
/// # Contract
/// - `settle` is called exactly once for each delivery.
/// - `settle` MUST NOT block: it is called from drivers and from destructors.
pub trait Settler: Send + Sync + 'static {
    /// Takes note of what became of the delivery with this tag.
    fn settle(&self, tag: u64, settlement: Settlement);
}

/// What a delivered message is to its receiver.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Channel {
    /// A message for a module's input.
    Input(PortName),
    /// A cloud-to-device message.
    CloudToDevice,
}

/// A message handed to a client, to be settled: settling consumes it, dropping it releases it to be sent again.
///
/// # Examples
/// ```
/// use std::sync::{Arc, Mutex};
/// use edge_core::{Channel, Delivery, Message, Settlement, Settler, Source};
///
/// #[derive(Default)]
/// struct Log(Mutex<Vec<(u64, Settlement)>>);
/// impl Settler for Log {
///     fn settle(&self, tag: u64, settlement: Settlement) {
///         self.0.lock().unwrap().push((tag, settlement));
///     }
/// }
///
/// let log = Arc::new(Log::default());
/// let message = Message::builder(&Source::telemetry()).build();
/// let delivery = Delivery::new(message.clone(), Channel::CloudToDevice, log.clone(), 1);
/// delivery.settle(Settlement::Accept);
/// drop(Delivery::new(message, Channel::CloudToDevice, log.clone(), 2));
/// assert_eq!(*log.0.lock().unwrap(), [(1, Settlement::Accept), (2, Settlement::Release)]);
/// ```
#[must_use = "a delivery that is dropped is released, and will be sent again"]
pub struct Delivery {
    message: Message,
    channel: Channel,
    redelivered: bool,
    settler: Option<Arc<dyn Settler>>,
    tag: u64,
}

impl Delivery {
    /// Returns a delivery of `message` that `settler` hears of under `tag`.
    pub fn new(message: Message, channel: Channel, settler: Arc<dyn Settler>, tag: u64) -> Self {
        Self { message, channel, redelivered: false, settler: Some(settler), tag }
    }

    /// Marks the delivery as one that may have been made before.
    pub fn redelivered(mut self) -> Self {
        self.redelivered = true;
        self
    }

    /// Returns the message.
    #[must_use]
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// Returns what the message is to its receiver.
    #[must_use]
    pub fn channel(&self) -> &Channel {
        &self.channel
    }

    /// Returns whether the message may have been delivered before.
    #[must_use]
    pub fn is_redelivered(&self) -> bool {
        self.redelivered
    }

    /// Says that the receiver has taken the message.
    pub fn accept(self) {
        self.settle(Settlement::Accept);
    }

    /// Says what became of the message.
    pub fn settle(mut self, settlement: Settlement) {
        if let Some(settler) = self.settler.take() {
            settler.settle(self.tag, settlement);
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if let Some(settler) = self.settler.take() {
            settler.settle(self.tag, Settlement::Release);
        }
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("channel", &self.channel)
            .field("tag", &self.tag)
            .field("redelivered", &self.redelivered)
            .field("message", &self.message)
            .finish_non_exhaustive()
    }
}
