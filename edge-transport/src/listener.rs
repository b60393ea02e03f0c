//! What the gateway asks of whoever accepts clients.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use edge_core::Gateway;

use crate::Stop;

/// Why a listener could not start, or had to give up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenerError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address.
        address: String,
        /// What the operating system says.
        #[source]
        source: io::Error,
    },
    /// The listening socket broke.
    #[error("cannot accept connections on {address}")]
    Accept {
        /// The address.
        address: String,
        /// What the operating system says.
        #[source]
        source: io::Error,
    },
}

/// Accepts clients of one protocol at one place, and joins them to the gateway.
///
/// # Contract
/// - `serve` MUST open a session for a client before it takes anything else from it, and MUST NOT take anything from
///   a client that the gateway refuses.
/// - A message MUST be acknowledged only after the receipt of its batch has resolved to `Ok`; when it resolves to
///   `Err`, the client MUST learn that the message was not taken, if only by losing the connection.
/// - What a client sends in another identity's name MUST NOT be published, and MUST be reported.
/// - A listener MUST stop reading from a client whose messages wait in more receipts than its limits allow.
/// - A delivery MUST be settled when the client takes it, and dropped when the connection ends before that.
/// - The session MUST be dropped when the connection ends, whichever side ends it.
/// - After [`SessionEvent::Closed`](edge_core::SessionEvent::Closed) the connection MUST be closed.
/// - When `stop` resolves, `serve` MUST accept nothing more, MUST return within a bounded time, and MUST leave no
///   connection open.
/// - A client MUST NOT be able to end `serve`, nor another client's connection other than by connecting as the same
///   identity.
///
/// The conformance kit is `edge_transport::testing::listener`, behind the feature `testing`.
///
/// # Examples
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// use edge_transport::{Listener, MqttListener, TransportLimits, Resources};
///
/// let resources = Resources::new(TransportLimits::default());
/// let listener = MqttListener::bind("127.0.0.1:0", &resources).await?;
/// assert!(listener.local_addr().is_some_and(|address| address.port() != 0));
/// # Ok::<(), edge_transport::ListenerError>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
#[async_trait]
pub trait Listener: fmt::Debug + Send + 'static {
    /// Returns where the listener listens; `None` when it does not listen on an IP address.
    fn local_addr(&self) -> Option<SocketAddr>;

    /// Accepts clients until `stop` resolves, then ends their connections in order.
    ///
    /// # Errors
    /// [`ListenerError::Accept`] when the listening socket broke; a client's mistake is never an error.
    ///
    /// # Cancel safety
    /// Cancel-safe: dropping it closes the listening socket and all connections at once.
    async fn serve(self: Box<Self>, gateway: Arc<dyn Gateway>, stop: Stop) -> Result<(), ListenerError>;
}

const _: Option<&dyn Listener> = None;
