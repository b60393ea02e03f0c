//! Clients inside the process: a Rust module or application with the rights of a connected one, without a socket.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use edge_core::{
    Delivery, Durability, Feed, FeedSet, Identity, Message, MessageBuilder, Origin, PortName, Session,
    StoreError, SystemKey,
};
use futures_core::Stream;
use tokio::sync::Semaphore;

use crate::client_session::ClientSession;
use crate::events::Events;
use crate::session::HubSession;
use crate::twins::TwinError;

/// A message on its way out of a client.
///
/// # Examples
/// ```
/// use edge_hub::Outgoing;
///
/// let reading = Outgoing::json(r#"{"temperature": 21.5}"#).property("line", "7").output("readings".parse()?);
/// # Ok::<(), edge_core::IdError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "it is sent by Client::send"]
pub struct Outgoing {
    builder: MessageBuilder,
    output: Option<PortName>,
}

impl Outgoing {
    /// Returns a message with this body.
    pub fn new(body: impl AsRef<[u8]>) -> Self {
        Self { builder: MessageBuilder::default().body(body.as_ref()), output: None }
    }

    /// Returns a message whose body is JSON text, marked so that routes can look into it.
    pub fn json(body: impl AsRef<[u8]>) -> Self {
        Self::new(body)
            .system(SystemKey::ContentType, "application/json")
            .system(SystemKey::ContentEncoding, "utf-8")
    }

    /// Sets the output by which a module's message leaves; a device has none, and it is left out there.
    pub fn output(mut self, output: PortName) -> Self {
        self.output = Some(output);
        self
    }

    /// Sets an application property.
    pub fn property(mut self, name: &str, value: &str) -> Self {
        self.builder.set_property(name, Some(value));
        self
    }

    /// Sets a system property; what says who sent the message is set by the hub, whatever is set here.
    pub fn system(mut self, key: SystemKey, value: &str) -> Self {
        self.builder.set_system(key, value);
        self
    }
}

/// Why a message was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The store did not take the message, or could not make it as durable as asked.
    #[error("the message was not taken")]
    Store(
        /// Why.
        #[from]
        StoreError,
    ),
}

pub(crate) struct Inner {
    session: Mutex<HubSession>,
    origin: Origin,
    inflight: Semaphore,
    streams: AtomicU64,
    durability: Durability,
}

impl Inner {
    pub(crate) fn session(&self) -> MutexGuard<'_, HubSession> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client inside the process; clones are the same client, and the session ends when the last one is dropped.
///
/// # Examples
/// See [`Hub::client`](crate::Hub::client).
#[derive(Clone)]
pub struct Client(pub(crate) Arc<Inner>);

impl Client {
    pub(crate) fn new(session: HubSession, durability: Durability, inflight: usize) -> Self {
        let origin = Origin::new(session.authenticated());
        Self(Arc::new(Inner {
            session: Mutex::new(session),
            origin,
            inflight: Semaphore::new(inflight),
            streams: AtomicU64::new(0),
            durability,
        }))
    }

    /// Returns who the client is.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        self.0.origin.identity()
    }

    /// Returns the client's session, for endpoints that send by it: it ends when the client and all of these are dropped.
    #[must_use]
    pub fn session(&self) -> Box<dyn Session> {
        Box::new(ClientSession::new(self.clone()))
    }

    /// Sends a message, and returns the durability reached, at least the hub's.
    ///
    /// It waits while as many messages as allowed wait for durability already
    /// ([`Limits::max_client_inflight_messages`](crate::Limits::max_client_inflight_messages)).
    ///
    /// # Errors
    /// [`SendError`] when the message was not taken; it may be sent again.
    ///
    /// # Cancel safety
    /// Dropped while it waits for its turn, nothing happened. Dropped later, the message has been taken, and nobody
    /// hears how durable it became.
    pub async fn send(&self, message: Outgoing) -> Result<Durability, SendError> {
        self.send_at(message, self.0.durability).await
    }

    /// Sends a message, and returns when it is as durable as `level`, or as its routes ask where they have a
    /// [`RoutePolicy`](crate::RoutePolicy) that says so.
    ///
    /// # Errors
    /// [`SendError`] when the message was not taken; it may be sent again.
    ///
    /// # Cancel safety
    /// As for [`Client::send`].
    pub async fn send_at(&self, message: Outgoing, level: Durability) -> Result<Durability, SendError> {
        let message = self.stamped(message);
        let _turn = self.0.inflight.acquire().await.map_err(|_| StoreError::Closed)?;
        let receipt = self.0.session().publish_at(vec![message], level);
        Ok(receipt.await?)
    }

    /// Returns the stream of messages for the client's inputs; while it is held, the client is subscribed to them.
    ///
    /// There is one such stream at a time: an older one ends.
    #[must_use = "messages for the inputs wait while nobody holds the stream"]
    pub fn inputs(&self) -> Inputs {
        let number = self.0.streams.fetch_add(1, Ordering::AcqRel) + 1;
        // The session of an in-process client is not kept, so there is nothing to wait for.
        drop(self.0.session().subscribe(Feed::Inputs.into()));
        Inputs { client: self.clone(), number, feed: Feed::Inputs }
    }

    /// Returns the stream of cloud-to-device messages for the client; it takes the place of [`Client::inputs`].
    #[must_use = "messages wait while nobody holds the stream"]
    pub fn messages(&self) -> Inputs {
        let number = self.0.streams.fetch_add(1, Ordering::AcqRel) + 1;
        drop(self.0.session().subscribe(Feed::CloudToDevice.into()));
        Inputs { client: self.clone(), number, feed: Feed::CloudToDevice }
    }

    /// Returns the stream of direct methods and of changes of the desired properties; while it is held, the client is
    /// subscribed to both. There is one such stream at a time: the older of two hears nothing more.
    #[must_use = "calls are refused while nobody holds the stream"]
    pub fn events(&self) -> Events {
        let feeds = FeedSet::from(Feed::Methods).with(Feed::Desired);
        drop(self.0.session().subscribe(feeds));
        Events { client: self.clone() }
    }

    /// Returns the client's twin: a JSON object with `desired` and `reported`, each with its `$version`.
    ///
    /// # Errors
    /// [`TwinError`] when the store of twins fails.
    ///
    /// # Cancel safety
    /// Cancel-safe: reading changes nothing.
    pub async fn twin(&self) -> Result<Bytes, TwinError> {
        let twins = self.0.session().twins();
        twins.device_view(self.identity()).await
    }

    /// Changes the client's reported properties by a JSON merge patch (RFC 7396), and returns their new version.
    ///
    /// # Errors
    /// [`TwinError`] when the patch is refused, and nothing was changed; or when the store of twins fails.
    ///
    /// # Cancel safety
    /// Not cancel-safe: dropped, the change may or may not be made.
    pub async fn report(&self, patch: impl AsRef<[u8]>) -> Result<u64, TwinError> {
        let twins = self.0.session().twins();
        twins.report(self.identity(), patch.as_ref()).await
    }

    fn stamped(&self, message: Outgoing) -> Message {
        let Outgoing { mut builder, output } = message;
        self.0.origin.stamp(&mut builder, output.as_ref());
        builder.build()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Client").field(self.identity()).finish()
    }
}

/// The messages for a client's inputs, each to be settled; dropping the stream lets them wait in the store.
///
/// The stream ends when the session does: the hub stops, or the same identity connects elsewhere.
#[derive(Debug)]
pub struct Inputs {
    client: Client,
    number: u64,
    feed: Feed,
}

impl Inputs {
    /// Returns the next message, or `None` when the session is over.
    ///
    /// # Cancel safety
    /// Cancel-safe: no message is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Delivery> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    fn is_current(&self) -> bool {
        self.client.0.streams.load(Ordering::Acquire) == self.number
    }
}

impl Stream for Inputs {
    type Item = Delivery;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Delivery>> {
        if !self.is_current() {
            return Poll::Ready(None);
        }
        self.client.0.session().poll_delivery(cx)
    }
}

impl Drop for Inputs {
    fn drop(&mut self) {
        if self.is_current() {
            let mut session = self.client.0.session();
            drop(session.unsubscribe(self.feed.into()));
            session.withdraw_all();
        }
    }
}
