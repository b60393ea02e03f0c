//! What a transport needs of the gateway: open a session, publish into it, deliver out of it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::service::{LockOutcome, Service, ServiceError};
use crate::{
    Answered, AuthError, Authenticated, Credentials, Delivery, FeedSet, Identity, Message, MethodAnswer,
    MethodCall, Receipt, TwinAnswer, TwinRequest,
};

/// What a client says when it connects.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Hello {
    /// Who the client claims to be.
    pub claimed: Identity,
    /// What it shows to prove it.
    pub credentials: Credentials,
    /// Whether to throw away what is kept of an earlier session, and keep nothing of this one.
    pub clean: bool,
    /// The protocol, as logs and metrics show it, for instance `mqtt`.
    pub protocol: &'static str,
    /// Where the client connects from; `None` inside the process.
    pub peer: Option<SocketAddr>,
}

impl Hello {
    /// Returns a hello for a session that is kept.
    #[must_use]
    pub fn new(
        claimed: Identity,
        credentials: Credentials,
        protocol: &'static str,
        peer: Option<SocketAddr>,
    ) -> Self {
        Self { claimed, credentials, clean: false, protocol, peer }
    }
}

/// Why a session is not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The client is not let in.
    #[error("the client is not let in")]
    Auth(
        /// Why.
        #[from]
        AuthError,
    ),
    /// The gateway has as many clients as it may have.
    #[error("{limit} clients are connected, and no more are allowed")]
    TooManyClients {
        /// The most clients allowed.
        limit: usize,
    },
    /// The gateway is starting, stopping, or cannot read what it keeps of sessions; the client may try again.
    #[error("the gateway does not take sessions now: {reason}")]
    NotReady {
        /// Why, for the log.
        reason: String,
    },
}

/// Why a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// The same identity has connected again: the newer connection wins.
    TakenOver,
    /// The credentials have run out.
    Expired,
    /// The identity was removed, disabled, or given other keys.
    Revoked,
    /// The gateway is stopping.
    Stopping,
}

impl CloseReason {
    /// Returns the reason's name, as metrics label it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TakenOver => "taken_over",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Stopping => "stopping",
        }
    }
}

/// What a session has for its client.
#[derive(Debug)]
#[non_exhaustive]
pub enum SessionEvent {
    /// A message to hand on; the client's answer settles it.
    Deliver(Delivery),
    /// The answer to [`Session::twin`].
    Twin {
        /// The tag that the request came with.
        tag: Bytes,
        /// The answer.
        answer: TwinAnswer,
    },
    /// The desired properties have changed.
    Desired {
        /// Their version from now on.
        version: u64,
        /// The change, a JSON object with `$version`; deleted properties are null.
        patch: Bytes,
    },
    /// A direct method to carry out; the answer goes to [`Session::answer_method`].
    Method(MethodCall),
    /// The session is over; the transport closes the connection.
    Closed(CloseReason),
}

/// Something that a client did wrong; the gateway counts it, and logs it at a bounded rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IncidentKind {
    /// Bytes that are not the protocol.
    Malformed,
    /// The TLS handshake failed.
    Tls,
    /// No, or only part of a, CONNECT (or a packet) in the time given.
    Timeout,
    /// Nothing was heard for one and a half keep-alive times.
    KeepAlive,
    /// A message larger than allowed.
    Oversize,
    /// A topic, link or path that the gateway does not have, or that is someone else's.
    ForeignTopic,
    /// A part of the protocol that the gateway does not offer, such as MQTT QoS 2.
    Unsupported,
    /// A hello that is no hello: a wrong client id, user name or host.
    BadHello,
    /// More connections than allowed.
    TooManyConnections,
    /// The client did not read what it asked for.
    Stalled,
    /// A request that is refused: without the right credentials, or not one that can be carried out.
    Refused,
}

impl IncidentKind {
    /// All kinds.
    pub const ALL: &'static [Self] = &[
        Self::Malformed,
        Self::Tls,
        Self::Timeout,
        Self::KeepAlive,
        Self::Oversize,
        Self::ForeignTopic,
        Self::Unsupported,
        Self::BadHello,
        Self::TooManyConnections,
        Self::Stalled,
        Self::Refused,
    ];

    /// Returns the kind's name, as metrics label it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::KeepAlive => "keep_alive",
            Self::Oversize => "oversize",
            Self::ForeignTopic => "foreign_topic",
            Self::Unsupported => "unsupported",
            Self::BadHello => "bad_hello",
            Self::TooManyConnections => "too_many_connections",
            Self::Stalled => "stalled",
            Self::Refused => "refused",
        }
    }
}

/// One thing that a client did wrong.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Incident<'a> {
    /// What kind of thing.
    pub kind: IncidentKind,
    /// The protocol.
    pub protocol: &'static str,
    /// Who did it, where that is known.
    pub identity: Option<&'a Identity>,
    /// Where from.
    pub peer: Option<SocketAddr>,
    /// What exactly, for the log.
    pub detail: fmt::Arguments<'a>,
}

impl<'a> Incident<'a> {
    /// Returns an incident of nobody in particular.
    #[must_use]
    pub fn new(kind: IncidentKind, protocol: &'static str, detail: fmt::Arguments<'a>) -> Self {
        Incident { kind, protocol, identity: None, peer: None, detail }
    }
}

impl fmt::Debug for dyn Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gateway")
    }
}

/// The gateway, as a transport sees it.
///
/// A transport accepts a connection, reads the client's hello, and opens a session with it. It then decodes what
/// the client sends and publishes it in batches, one for each read of the socket, and hands on what
/// [`Session::poll_event`] has.
///
/// # Contract
/// For the transport:
/// - It MUST stamp every message with the session's [`Origin`](crate::Origin), and MUST refuse what the client sends in
///   another identity's name.
/// - It MUST acknowledge a message only when its batch's [`Receipt`] has resolved to `Ok`, and when it resolves to
///   `Err` it MUST let the client know that the message was not taken (in MQTT 3.1.1: by closing the connection).
/// - It MUST NOT read on from a client whose messages wait in more receipts than its limits allow: not reading is the
///   flow control.
/// - It MUST drop the session when the connection ends.
///
/// For the gateway:
/// - `open` MUST end an earlier session of the same identity with [`CloseReason::TakenOver`].
/// - `open` and `visit` MUST have authenticated the client.
#[async_trait]
pub trait Gateway: Send + Sync + 'static {
    /// Lets a client in, and opens its session.
    ///
    /// # Errors
    /// [`Refusal`] when it is not let in.
    ///
    /// # Cancel safety
    /// Cancel-safe: a session that nobody takes is closed again.
    async fn open(&self, hello: Hello) -> Result<Box<dyn Session>, Refusal>;

    /// Lets a client in for one request of a protocol without connections of its own, such as HTTP. A session that the
    /// same identity has stays as it is.
    ///
    /// A gateway that has none of it refuses everybody.
    ///
    /// # Errors
    /// [`Refusal`] when it is not let in.
    ///
    /// # Cancel safety
    /// Cancel-safe: nothing is changed.
    async fn visit(&self, _hello: Hello) -> Result<Box<dyn Visit>, Refusal> {
        Err(Refusal::NotReady { reason: "this gateway takes no requests without a session".to_owned() })
    }

    /// Returns the gateway's service API, for listeners that speak it; `None` when the gateway has none.
    fn service(&self) -> Option<Arc<dyn Service>> {
        None
    }

    /// Takes note of something that a client did wrong.
    fn report(&self, incident: &Incident<'_>);
}

/// One client's session with the gateway; dropping it ends it, and releases what was delivered and not settled.
///
/// # Contract
/// - `publish` MUST take the messages in order, and MUST NOT block.
/// - After [`SessionEvent::Closed`] the session MUST take nothing more: receipts resolve to an error.
pub trait Session: fmt::Debug + Send + 'static {
    /// Returns who the client is, as authenticated, and until when.
    fn authenticated(&self) -> &Authenticated;

    /// Returns whether subscriptions were kept from an earlier session.
    fn resumed(&self) -> bool;

    /// Returns what the client is subscribed to.
    fn feeds(&self) -> FeedSet;

    /// Takes messages that the client sent, in their order, and returns the receipt for all of them.
    fn publish(&mut self, batch: Vec<Message>) -> Receipt;

    /// Takes messages as [`publish`](Self::publish) does, of a client that answers with them what was sent to its endpoint:
    /// once they are taken, what they answer is done with, in one step where the store can do that.
    ///
    /// What is answered must be the client's own: it is taken out of its queue. A session that leaves it at this default
    /// takes the messages alone, and whoever sent what they answer settles that as ever.
    fn publish_answers(&mut self, batch: Vec<Message>, answered: &[Answered]) -> Receipt {
        let _settled_by_whoever_sent_it = answered;
        self.publish(batch)
    }

    /// Subscribes the client to these feeds; the receipt resolves when the subscription would survive a restart.
    fn subscribe(&mut self, feeds: FeedSet) -> Receipt;

    /// Ends subscriptions; the receipt resolves when that would survive a restart.
    fn unsubscribe(&mut self, feeds: FeedSet) -> Receipt;

    /// Returns the next thing that the session has for its client.
    ///
    /// The transport polls only while it has room for one more delivery: what it does not take waits in the store.
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<SessionEvent>;

    /// Returns the next thing that is no delivery: what [`Session::poll_event`] has, without what waits for room.
    ///
    /// The transport polls it instead of [`Session::poll_event`] while it has no room for a delivery, so that a client
    /// that settles nothing is ended all the same, and hears of its twin.
    fn poll_urgent(&mut self, cx: &mut Context<'_>) -> Poll<SessionEvent>;

    /// Asks something of the client's twin; the answer comes as [`SessionEvent::Twin`] with the same `tag`.
    ///
    /// What asks for more than the gateway's limit allows at a time is answered with status 429.
    fn twin(&mut self, tag: Bytes, request: TwinRequest);

    /// Takes the client's answer to [`SessionEvent::Method`] `id`; an answer that nobody waits for is dropped.
    fn answer_method(&mut self, id: u64, answer: MethodAnswer);
}

/// What a client that was let in may do by single requests, without a session.
///
/// # Contract
/// - `publish` MUST take the messages in order, and MUST NOT block.
/// - `receive` MUST return messages of the client that was let in, and `settle` MUST settle no other's.
#[async_trait]
pub trait Visit: fmt::Debug + Send + 'static {
    /// Returns who the client is, as authenticated.
    fn authenticated(&self) -> &Authenticated;

    /// Takes messages that the client sent, in their order, and returns the receipt for all of them.
    fn publish(&mut self, batch: Vec<Message>) -> Receipt;

    /// Locks the next cloud-to-device message of the client, for `lock` or the default time, and returns it; `None`
    /// when none waits. Its system properties say the lock token, sequence number, delivery count and enqueued time.
    ///
    /// # Errors
    /// [`ServiceError::Unavailable`](crate::service::ServiceError::Unavailable).
    ///
    /// # Cancel safety
    /// Dropped, what was locked becomes free again when the lock's time is up.
    async fn receive(&mut self, lock: Option<Duration>) -> Result<Option<Message>, ServiceError>;

    /// Says what becomes of the message that is locked with this token.
    ///
    /// # Errors
    /// [`ServiceError::LockLost`](crate::service::ServiceError::LockLost) when none of this client is.
    ///
    /// # Cancel safety
    /// Dropped, the change is made as a whole or not at all.
    async fn settle(&mut self, lock_token: &str, outcome: LockOutcome) -> Result<(), ServiceError>;
}

const _: Option<&dyn Gateway> = None;
const _: Option<&dyn Visit> = None;
const _: Option<&dyn Session> = None;
