//! Where messages leave the gateway.

use std::fmt;
use std::num::NonZeroUsize;
use std::time::Duration;

use async_trait::async_trait;

use crate::{BoxError, Disposition, EndpointId, Stored};

/// What became of one message of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The far side is responsible for the message now.
    Accepted,
    /// The far side will not take this message, for the reason given; others may pass.
    Rejected {
        /// What the far side said, for the log and the dead-letter queue.
        reason: String,
    },
    /// The far side has not taken the message and may do so later.
    Released,
}

/// Why a batch could not be sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// The far side cannot be reached.
    #[error("{to} cannot be reached")]
    Unreachable {
        /// The address tried.
        to: String,
        /// What went wrong.
        #[source]
        source: BoxError,
    },
    /// The far side refused the gateway's own credentials.
    #[error("{to} refused the gateway's credentials")]
    Unauthorized {
        /// The address tried.
        to: String,
        /// What it said.
        #[source]
        source: BoxError,
    },
    /// The far side asks for patience.
    #[error("the far side asks to wait {} s", after.as_secs_f64())]
    Throttled {
        /// How long to wait before the next try.
        after: Duration,
    },
    /// The connection was lost before the far side answered.
    #[error("the connection was lost before an answer came")]
    Interrupted {
        /// What went wrong.
        #[source]
        source: BoxError,
    },
    /// The far side did not answer in time.
    #[error("no answer came within {} s", after.as_secs_f64())]
    TimedOut {
        /// How long was waited.
        after: Duration,
    },
    /// Nobody is connected who could take the messages; they wait.
    #[error("nobody is connected to take messages")]
    Absent,
    /// A file or device of this machine failed.
    #[error("{what} failed")]
    Local {
        /// What was being done, for instance `writing /var/lib/edge/out.ndjson`.
        what: String,
        /// What went wrong.
        #[source]
        source: BoxError,
    },
    /// The endpoint is closed for good.
    #[error("the endpoint is closed")]
    Closed,
}

impl EndpointError {
    /// Returns what to do about the error.
    #[must_use]
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Throttled { after } => Disposition::RetryAfter(*after),
            Self::Closed => Disposition::Fatal,
            _ => Disposition::Retry,
        }
    }
}

/// How much an endpoint wants at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BatchLimit {
    /// The most messages in a batch.
    pub messages: NonZeroUsize,
    /// The most bytes in a batch, by [`Message::size`](crate::Message::size); a single larger message comes alone.
    pub bytes: usize,
}

impl BatchLimit {
    /// Returns the limit of `messages` messages and `bytes` bytes.
    #[must_use]
    pub const fn new(messages: NonZeroUsize, bytes: usize) -> Self {
        Self { messages, bytes }
    }
}

impl Default for BatchLimit {
    /// One message at a time.
    fn default() -> Self {
        Self { messages: NonZeroUsize::MIN, bytes: usize::MAX }
    }
}

/// Sends messages somewhere: a cloud, a broker, a module, a file, a model.
///
/// The hub runs one pump for each endpoint: it reads the endpoint's queues, most urgent first, and calls `send`.
///
/// # Contract
/// - `send` MUST return one outcome for each message, in the order of the batch.
/// - [`Outcome::Accepted`] MUST mean that the far side is responsible now; never report it before that.
///   Reported too early, a crash loses the message.
/// - `Err` MUST mean that no message is *known* to be accepted; some may have arrived.
/// - The messages MUST reach the far side in the order of the batch as far as the far side keeps any.
/// - The hub never calls `send` again before the call before has resolved.
/// - After `Err`, [`Outcome::Released`] or a dropped future the hub sends again what was not accepted: receivers see
///   duplicates. [`Stored::offset`] with the queue identifies a message across tries.
///
/// The conformance kit is `edge_core::testing::endpoint`, behind the feature `testing`.
///
/// # Examples
/// ```
/// use async_trait::async_trait;
/// use edge_core::{BatchLimit, Endpoint, EndpointError, EndpointId, Outcome, Stored};
///
/// #[derive(Debug)]
/// struct Printer(EndpointId);
///
/// #[async_trait]
/// impl Endpoint for Printer {
///     fn id(&self) -> &EndpointId {
///         &self.0
///     }
///
///     async fn send(&self, batch: &[Stored]) -> Result<Vec<Outcome>, EndpointError> {
///         for stored in batch {
///             println!("{} {} bytes", stored.message.source(), stored.message.size());
///         }
///         Ok(vec![Outcome::Accepted; batch.len()])
///     }
/// }
/// ```
#[async_trait]
pub trait Endpoint: fmt::Debug + Send + Sync + 'static {
    /// Returns the endpoint's id; it names the queues that feed it.
    fn id(&self) -> &EndpointId;

    /// Returns how much the endpoint wants at a time; one message unless said otherwise.
    fn batch_limit(&self) -> BatchLimit {
        BatchLimit::default()
    }

    /// Sends a batch, and returns one outcome for each message in its order.
    ///
    /// # Errors
    /// [`EndpointError`] when no message is known to be accepted.
    ///
    /// # Cancel safety
    /// Not cancel-safe: dropping the future leaves it unknown which messages arrived; the hub sends all of them again.
    async fn send(&self, batch: &[Stored]) -> Result<Vec<Outcome>, EndpointError>;

    /// Waits until it may be worth trying again after an error, at most until the hub's own backoff has run out.
    ///
    /// An endpoint that learns of it (a module connects, a link comes up) resolves early; the default never does.
    ///
    /// # Cancel safety
    /// Cancel-safe: nothing is lost when the future is dropped.
    async fn ready(&self) {
        std::future::pending().await
    }

    /// Closes what the endpoint holds open; called once, after the last `send`.
    ///
    /// # Cancel safety
    /// Not cancel-safe: what was open may stay open until the endpoint is dropped.
    async fn close(&self) {}
}

const _: Option<&dyn Endpoint> = None;
