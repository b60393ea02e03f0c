//! The server's side of an MQTT 3.1.1 connection in the IoT Hub dialect, without a socket, a task or a clock.
//!
//! Methods of [`ServerSession`] are of three kinds:
//! - **inputs**, which say what has happened: [`ServerSession::handle_input`], [`ServerSession::handle_timeout`],
//!   [`ServerSession::handle_written`]. Times MUST NOT go backwards;
//! - **outputs**, which say what to do: [`ServerSession::poll_output`], [`ServerSession::outbound`],
//!   [`ServerSession::poll_timeout`];
//! - **questions**, which say what would be welcome: [`ServerSession::wants_bytes`], [`ServerSession::wants_event`].
//!
//! After every input, [`ServerSession::poll_output`] must be drained.
//!
//! # Source
//! MQTT 3.1.1; Azure IoT Hub, "Communicate with IoT Hub using the MQTT protocol".

mod acks;
mod deliveries;
mod greeting;
mod inbound;
mod outbound;
mod partial;
mod requests;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use edge_core::{
    Authenticated, CloseReason, FeedSet, Hello, IncidentKind, Message, MessageBuilder, MethodAnswer, Origin,
    PortName, Refusal, SessionEvent, TwinRequest,
};

use self::acks::Unacknowledged;
use self::deliveries::Deliveries;
use self::greeting::Greeted;
use self::partial::Partial;
use self::requests::Requests;
use crate::wire::Outbound;
use crate::{Resources, TransportLimits};

/// The protocol, as hellos and incidents name it.
pub(crate) const PROTOCOL: &str = "mqtt";
/// How long the last bytes of a connection may take to leave.
const LAST_WRITE_TIMEOUT: Duration = Duration::from_secs(5);

/// What has happened to a connection.
#[derive(Debug)]
#[non_exhaustive]
pub enum Input<'a> {
    /// The client sent bytes.
    Bytes(
        /// The bytes.
        &'a [u8],
    ),
    /// The client will send no more.
    End,
    /// The gateway answered [`Output::Open`].
    Opened(
        /// The answer.
        Result<Opened, Refusal>,
    ),
    /// The receipt of the oldest [`Output::Publish`], [`Output::Subscribe`] or [`Output::Unsubscribe`] has resolved.
    Resolved {
        /// Whether to `Ok`.
        ok: bool,
    },
    /// The gateway's session has something for the client.
    Event(
        /// What it has.
        SessionEvent,
    ),
}

/// What the gateway says of a session that it opened.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "it is what edge_core::Session says, taken apart")]
pub struct Opened {
    /// Who the client is.
    pub authenticated: Authenticated,
    /// Whether subscriptions were kept from an earlier session.
    pub resumed: bool,
    /// What the client is subscribed to.
    pub feeds: FeedSet,
}

/// What is to be done for a connection.
#[derive(Debug)]
#[non_exhaustive]
pub enum Output {
    /// Ask the gateway for a session; the answer is [`Input::Opened`].
    Open(
        /// What the client said.
        Box<Hello>,
    ),
    /// Publish messages; the receipt's answer is [`Input::Resolved`].
    Publish(
        /// The messages, in their order.
        Vec<Message>,
    ),
    /// Publish the client's last word, without an answer.
    LastWord(
        /// The message.
        Message,
    ),
    /// Subscribe; the receipt's answer is [`Input::Resolved`].
    Subscribe(
        /// To what.
        FeedSet,
    ),
    /// End subscriptions; the receipt's answer is [`Input::Resolved`].
    Unsubscribe(
        /// To what.
        FeedSet,
    ),
    /// Ask something of the client's twin; the answer is [`SessionEvent::Twin`] with the same tag.
    Twin {
        /// The request's id, as the client sent it.
        tag: Bytes,
        /// What the client asks.
        request: TwinRequest,
    },
    /// Hand on the client's answer to a direct method.
    AnswerMethod {
        /// The number of the call that the client says it answers.
        id: u64,
        /// The answer.
        answer: MethodAnswer,
    },
    /// Report what the client did wrong.
    Report(
        /// The kind of mistake.
        IncidentKind,
        /// What exactly.
        String,
    ),
    /// Drop the gateway's session, write what is left of [`ServerSession::outbound`], and close the connection.
    Close,
}

/// Buffers for [`ServerSession::handle_input`], which nothing stays in between two calls.
#[derive(Debug, Default)]
pub struct Scratch {
    builder: MessageBuilder,
    arena: BytesMut,
    text: String,
    batch: Vec<Message>,
    batch_bytes: usize,
    batch_acks: usize,
}

/// The server's side of one connection.
///
/// # Examples
/// A client is let in:
/// ```
/// use edge_core::{Authenticated, Clock, FeedSet, SystemClock};
/// use edge_transport::mqtt::packet::{Connect, Packet, v4};
/// use edge_transport::mqtt::session::{Input, Opened, Output, Scratch, ServerSession};
/// use edge_transport::{Resources, TransportLimits};
///
/// let now = SystemClock.now();
/// let resources = Resources::new(TransportLimits::default());
/// let mut session = ServerSession::new(now, &resources, None, Vec::new());
/// let mut scratch = Scratch::default();
///
/// let connect = Connect {
///     client_id: "press-7",
///     clean_session: false,
///     keep_alive_secs: 60,
///     will: None,
///     user_name: Some("hub.local/press-7/?api-version=2021-04-12"),
///     password: Some(b"SharedAccessSignature ..."),
/// };
/// let mut bytes = Vec::new();
/// v4::encode(&Packet::Connect(connect), &mut bytes)?;
/// session.handle_input(now, Input::Bytes(&bytes), &mut scratch);
/// let Some(Output::Open(hello)) = session.poll_output() else { panic!("a CONNECT asks for a session") };
///
/// let authenticated = Authenticated::new(hello.claimed, "sas", None);
/// let opened = Opened { authenticated, resumed: false, feeds: FeedSet::EMPTY };
/// session.handle_input(now, Input::Opened(Ok(opened)), &mut scratch);
/// assert_eq!(session.outbound(), b"\x20\x02\x00\x00");
/// # Ok::<(), edge_transport::mqtt::packet::EncodeError>(())
/// ```
#[derive(Debug)]
pub struct ServerSession {
    resources: Resources,
    peer: Option<SocketAddr>,
    phase: Phase,
    partial: Partial,
    out: Outbound,
    outputs: VecDeque<Output>,
    /// Since when the client is silent, or the server does not listen.
    heard: Instant,
    /// Whether bytes were welcome after the last input.
    wanted_bytes: bool,
}

#[derive(Debug)]
enum Phase {
    /// Waits for a CONNECT.
    Greeting { chain: Vec<Vec<u8>>, until: Instant },
    /// Waits for the gateway's decision.
    Opening { greeted: Box<Greeted>, until: Instant },
    /// Talks.
    Open(Box<Open>),
    /// Writes its last bytes.
    Closing { until: Instant },
}

#[derive(Debug)]
struct Open {
    origin: Origin,
    feeds: FeedSet,
    /// Feeds that this connection asked for with QoS 0.
    at_most_once: FeedSet,
    unacknowledged: Unacknowledged,
    deliveries: Deliveries,
    requests: Requests,
    max_silence: Duration,
    last_word: Option<Message>,
    last_output: Option<PortName>,
    /// The bytes that the last message had on top of its packet, to size the next arena.
    overhead: usize,
}

/// What a client did wrong, so that the connection ends.
#[derive(Debug)]
struct Violation {
    kind: IncidentKind,
    detail: String,
}

impl Violation {
    fn new(kind: IncidentKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }
}

impl ServerSession {
    /// Returns a session that waits for a CONNECT from now on.
    ///
    /// `chain` is the TLS client's certificate chain, leaf first; it is empty where there is none.
    #[must_use]
    pub fn new(now: Instant, resources: &Resources, peer: Option<SocketAddr>, chain: Vec<Vec<u8>>) -> Self {
        Self {
            peer,
            phase: Phase::Greeting { chain, until: now + resources.limits().connect_timeout },
            partial: Partial::new(resources.partial_before_connect(), now),
            out: Outbound::default(),
            outputs: VecDeque::new(),
            heard: now,
            wanted_bytes: true,
            resources: resources.clone(),
        }
    }

    /// Takes note of what has happened.
    pub fn handle_input(&mut self, now: Instant, input: Input<'_>, scratch: &mut Scratch) {
        match input {
            Input::Bytes(bytes) => self.feed(now, bytes, scratch),
            Input::End => self.end(now, false),
            Input::Opened(answer) => self.opened(now, answer, scratch),
            Input::Resolved { ok } => self.resolved(now, ok),
            Input::Event(SessionEvent::Deliver(delivery)) => self.deliver(delivery, scratch),
            Input::Event(SessionEvent::Closed(reason)) => self.closed(now, reason),
            Input::Event(event) => self.urgent(now, event, scratch),
        }
        self.listen_again(now);
    }

    /// Takes note of the time; to be called when [`ServerSession::poll_timeout`] has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.answer_held_twins(now);
        let limits = self.resources.limits();
        let late = |kind, detail: String| Some(Violation { kind, detail });
        let violation = match &mut self.phase {
            Phase::Greeting { until, .. } if *until <= now => {
                late(IncidentKind::Timeout, format!("no CONNECT within {:?}", limits.connect_timeout))
            }
            Phase::Opening { until, .. } if *until <= now => {
                self.refuse_unavailable(now);
                return;
            }
            Phase::Closing { until } => {
                if *until <= now {
                    self.out.discard();
                }
                return;
            }
            _ => match self.silence_ends() {
                Some(end) if end <= now => {
                    late(IncidentKind::KeepAlive, "nothing was heard for too long".to_owned())
                }
                _ => None,
            },
        };
        let violation = violation
            .or_else(|| {
                let since = self.partial.incomplete_since().filter(|_| self.wants_bytes())?;
                let timeout = limits.packet_timeout;
                let detail = || format!("a packet did not arrive whole within {timeout:?}");
                if since + timeout <= now { late(IncidentKind::Timeout, detail()) } else { None }
            })
            .or_else(|| {
                let timeout = limits.stall_timeout;
                let detail = || format!("the client read nothing for {timeout:?}");
                let blocked = self.out.blocked_since()?;
                if blocked + timeout <= now { late(IncidentKind::Stalled, detail()) } else { None }
            });
        if let Some(violation) = violation {
            self.violated(now, violation);
        }
        self.listen_again(now);
    }

    /// Takes note of how many of the outbound bytes were written, 0 when the socket takes none now.
    pub fn handle_written(&mut self, now: Instant, bytes: usize) {
        self.out.written(now, bytes);
        self.listen_again(now);
    }

    /// Returns what to do next; `None` when all is said.
    pub fn poll_output(&mut self) -> Option<Output> {
        let output = self.outputs.pop_front();
        if output.is_none() && self.outputs.capacity() > 0 {
            self.outputs = VecDeque::new();
        }
        output
    }

    /// Returns when [`ServerSession::handle_timeout`] is to be called; any input may change it.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let limits = self.resources.limits();
        let phase = match &self.phase {
            Phase::Closing { until } => return Some(*until),
            Phase::Greeting { until, .. } | Phase::Opening { until, .. } => Some(*until),
            Phase::Open(open) => open.requests.next_answer().into_iter().chain(self.silence_ends()).min(),
        };
        let partial = if self.wants_bytes() { self.partial.incomplete_since() } else { None };
        let partial = partial.map(|since| since + limits.packet_timeout);
        let stalled = self.out.blocked_since().map(|since| since + limits.stall_timeout);
        [phase, partial, stalled].into_iter().flatten().min()
    }

    /// Returns the bytes to write to the client.
    #[must_use]
    pub fn outbound(&self) -> &[u8] {
        self.out.pending()
    }

    /// Lends the session a buffer to write into, or takes it back when nothing is in it.
    pub(crate) fn swap_buffer(&mut self, buffer: &mut Vec<u8>) {
        self.out.swap_buffer(buffer);
    }

    /// Forgets the bytes to write: the socket takes no more.
    pub(crate) fn discard_outbound(&mut self) {
        self.out.discard();
    }

    /// Returns whether bytes of the client are welcome; not reading is the flow control.
    #[must_use]
    pub fn wants_bytes(&self) -> bool {
        match &self.phase {
            Phase::Greeting { .. } => true,
            Phase::Open(open) => {
                let limits = self.resources.limits();
                open.requests.waiting() < limits.max_twin_requests
                    && open.unacknowledged.messages() < limits.max_unacknowledged_messages
                    && open.unacknowledged.bytes() < limits.max_unacknowledged_bytes
                    && self.out.pending().len() < limits.max_outbound_bytes
            }
            Phase::Opening { .. } | Phase::Closing { .. } => false,
        }
    }

    /// Returns how many bytes of the client may be read at once.
    #[must_use]
    pub fn max_read_bytes(&self) -> usize {
        match &self.phase {
            Phase::Greeting { .. } => self.resources.limits().max_connect_bytes,
            _ => usize::MAX,
        }
    }

    /// Returns whether an event of the gateway's session is welcome.
    #[must_use]
    pub fn wants_event(&self) -> bool {
        let Phase::Open(open) = &self.phase else { return false };
        let limits = self.resources.limits();
        open.deliveries.len() < limits.max_deliveries
            && open.deliveries.bytes() < limits.max_delivery_bytes
            && !self.is_outbound_full()
    }

    /// Returns whether so much waits for the socket that it is to be written before anything is added.
    pub(crate) fn is_outbound_full(&self) -> bool {
        self.out.pending().len() >= self.limits().max_outbound_bytes
    }

    /// Returns whether all is over and written.
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(self.phase, Phase::Closing { .. }) && self.out.pending().is_empty()
    }

    /// When the client has been silent for too long; `None` while the server does not listen.
    fn silence_ends(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Open(open) if self.wants_bytes() => Some(self.heard + open.max_silence),
            _ => None,
        }
    }

    /// Starts the client's times anew when the server did not listen and does again.
    fn listen_again(&mut self, now: Instant) {
        let wants = self.wants_bytes();
        if wants && !self.wanted_bytes {
            self.heard = now;
            self.partial.restart(now);
        }
        self.wanted_bytes = wants;
    }

    fn limits(&self) -> &TransportLimits {
        self.resources.limits()
    }

    /// Decodes what has arrived and was left alone while too many twin requests waited.
    fn go_on(&mut self, now: Instant, scratch: &mut Scratch) {
        if matches!(self.phase, Phase::Open(_)) && !self.partial.is_empty() {
            self.feed(now, &[], scratch);
        }
    }

    fn resolved(&mut self, now: Instant, ok: bool) {
        let Phase::Open(open) = &mut self.phase else { return };
        if ok {
            open.unacknowledged.resolve(&mut self.out);
        } else {
            // MQTT 3.1.1 knows no refusal of a message: the client learns of it by losing the connection.
            self.end(now, false);
        }
    }

    fn closed(&mut self, now: Instant, _reason: CloseReason) {
        if let Phase::Open(open) = &mut self.phase {
            open.last_word = None;
        }
        self.end(now, true);
    }

    fn violated(&mut self, now: Instant, violation: Violation) {
        self.outputs.push_back(Output::Report(violation.kind, violation.detail));
        self.end(now, false);
    }

    /// Ends the connection, with the client's last word unless it said good-bye.
    fn end(&mut self, now: Instant, in_order: bool) {
        if matches!(self.phase, Phase::Closing { .. }) {
            return;
        }
        let phase = std::mem::replace(&mut self.phase, Phase::Closing { until: now + LAST_WRITE_TIMEOUT });
        if let Phase::Open(open) = phase
            && let Some(message) = open.last_word
            && !in_order
        {
            self.outputs.push_back(Output::LastWord(message));
        }
        self.partial.discard();
        self.outputs.push_back(Output::Close);
    }
}
