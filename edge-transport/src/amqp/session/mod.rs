//! The server's side of an AMQP 1.0 connection in the IoT Hub dialect, without a socket, a task or a clock.
//!
//! One connection carries several identities, each with a session of its own, which the driver knows by a number, `who`.
//!
//! | file | what is in it |
//! |---|---|
//! | `hello` | protocol headers, SASL, OPEN |
//! | `authority` | who may do what: tokens, user names, certificates |
//! | `frames` | which performative goes where; BEGIN, END, FLOW |
//! | `attach` | links come and go |
//! | `inbound` | transfers to the gateway, and their dispositions |
//! | `outbound` | transfers to the client, credit and windows |
//! | `events` | what the gateway has for the client |
//! | `requests` | twins and methods |
//! | `feedback` | what became of cloud-to-device messages |
//! | `times` | what is too late |
//! | `ending` | how a connection ends |
//!
//! # Source
//! OASIS AMQP 1.0; Azure IoT Hub, "Communicate with your IoT hub by using the AMQP Protocol"; AMQP Claims-based Security 1.0.

mod attach;
mod authority;
mod ending;
mod events;
mod feedback;
mod frames;
mod hello;
mod inbound;
mod link;
mod out;
mod outbound;
mod requests;
#[cfg(test)]
mod tests;
mod times;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use edge_core::service::LockOutcome;
use edge_core::{
    Authenticated, FeedSet, Hello, Identity, IncidentKind, Message, MessageBuilder, MethodAnswer, Origin,
    Refusal, SessionEvent, TwinRequest,
};

use self::authority::Opening;
use self::feedback::Feedback;
pub(crate) use self::feedback::FeedbackAnswer;
use self::link::{Channel, Link, LinkKey};
use super::wire::condition;
use crate::limits::Share;
use crate::wire::Outbound;
use crate::{Resources, TransportLimits};

/// The protocol, as hellos and incidents name it.
pub(crate) const PROTOCOL: &str = "amqp";
/// The largest frame that is taken.
pub(crate) const MAX_FRAME_BYTES: u32 = 64 << 10;
/// The highest number of a channel: of a session within the connection.
const CHANNEL_MAX: u16 = 255;
/// The highest number of a link within a session.
const HANDLE_MAX: u32 = 8191;
/// The most links of one connection.
const MAX_LINKS: usize = 8192;
/// The most identities of one connection.
const MAX_IDENTITIES: usize = 1024;
/// How long the client may be silent, as it is told; twice as long is waited.
const IDLE_TIME_OUT: Duration = Duration::from_secs(240);
/// How long the last bytes of a connection may take to leave.
const LAST_WRITE_TIMEOUT: Duration = Duration::from_secs(5);

/// What has happened to a connection.
#[derive(Debug)]
pub(crate) enum Input<'a> {
    /// The client sent bytes.
    Bytes(&'a [u8]),
    /// The client will send no more.
    End,
    /// It is time to stop: whoever has a session is ended by the gateway, and nobody else is waited for.
    Stop,
    /// The gateway answered [`Output::Open`].
    Opened(Result<Authenticated, Refusal>),
    /// The service API answered [`Output::Authorize`]: for how long, or not at all.
    Authorized(Option<Duration>),
    /// The service API answered [`Output::ReceiveFeedback`] or [`Output::SettleFeedback`].
    Feedback(FeedbackAnswer),
    /// The service API answered the oldest [`Output::SendToDevice`]: nothing, or a condition and a description.
    Sent(Result<(), (&'static str, String)>),
    /// The receipt of the oldest [`Output::Publish`], [`Output::Subscribe`] or [`Output::Unsubscribe`] has resolved.
    Resolved { who: u32, ok: bool },
    /// A session of the gateway has something for the client.
    Event { who: u32, event: SessionEvent },
}

/// What is to be done for a connection.
#[derive(Debug)]
pub(crate) enum Output {
    /// Ask the gateway for a session, in the place of the one that `who` may have; the answer is [`Input::Opened`].
    Open { who: u32, hello: Box<Hello> },
    /// Ask whether a policy's token allows sending to devices; the answer is [`Input::Authorized`].
    Authorize { token: String },
    /// Forget what [`Output::Open`] or [`Output::Authorize`] asked: it took too long.
    GiveUp,
    /// Publish messages; the receipt's answer is [`Input::Resolved`].
    Publish { who: u32, batch: Vec<Message> },
    /// Subscribe; the receipt's answer is [`Input::Resolved`].
    Subscribe { who: u32, feeds: FeedSet },
    /// End subscriptions; the receipt's answer is [`Input::Resolved`].
    Unsubscribe { who: u32, feeds: FeedSet },
    /// Ask something of a twin; the answer is an event with the same tag.
    Twin { who: u32, tag: Bytes, request: TwinRequest },
    /// Hand on the answer to a direct method.
    AnswerMethod { who: u32, id: u64, answer: MethodAnswer },
    /// Put a message into somebody's queue; the answer is [`Input::Sent`].
    SendToDevice { identity: Identity, message: Message },
    /// Ask for feedback; the answer is [`Input::Feedback`].
    ReceiveFeedback,
    /// Settle feedback; the answer is [`Input::Feedback`].
    SettleFeedback { token: String, outcome: LockOutcome },
    /// Drop the gateway's session of `who`, and what waits for it.
    Drop { who: u32 },
    /// Report what the client did wrong.
    Report { who: Option<u32>, kind: IncidentKind, detail: String },
    /// Drop all sessions, write what is left to write, and close the connection.
    Close,
}

/// Buffers for [`ServerConnection::handle_input`], which nothing stays in between two calls.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    builder: MessageBuilder,
    arena: BytesMut,
    body: Vec<u8>,
    batches: Vec<Batch>,
    /// How many messages, and how many bytes of them, are in the batches.
    messages: usize,
    bytes: usize,
}

/// The messages of one identity in one read.
#[derive(Debug)]
struct Batch {
    who: u32,
    messages: Vec<Message>,
    awaited: Awaited,
}

/// What a receipt is waited for.
#[derive(Debug)]
enum Awaited {
    /// Messages: which deliveries are to be answered, and how much waits.
    Messages { ranges: Vec<Range>, count: usize, bytes: usize },
    /// A change of subscriptions.
    Feeds,
}

/// Deliveries of one link with consecutive ids that wait for the same receipt.
#[derive(Clone, Copy, Debug)]
struct Range {
    link: LinkKey,
    first: u32,
    count: u32,
}

/// One identity of the connection.
#[derive(Debug)]
struct Client {
    identity: Identity,
    origin: Origin,
    /// Receipts that have not resolved, oldest first.
    awaited: VecDeque<Awaited>,
    /// The links by which it receives.
    cloud: Option<LinkKey>,
    inputs: Option<LinkKey>,
    twin: Option<LinkKey>,
    methods: Option<LinkKey>,
    /// What it is subscribed to.
    feeds: FeedSet,
    /// Deliveries that it has not settled, with those that wait for credit.
    deliveries: usize,
    delivery_bytes: usize,
    /// The ids of its twin requests that wait for an answer.
    twins: Vec<Bytes>,
    /// Whether its session was taken over while a new one was being opened in its place.
    superseded: bool,
}

#[derive(Debug)]
enum Phase {
    /// Waits for a protocol header; after SASL only for that of AMQP.
    Header { after_sasl: bool },
    /// Waits for the client's choice of a mechanism.
    Sasl,
    /// Waits for the gateway's decision on a user name and password.
    SaslOpening,
    /// Waits for OPEN.
    Greeting,
    /// Talks.
    Open,
    /// Writes its last bytes.
    Closing { until: Instant },
}

/// What a client did wrong, so that the connection ends.
#[derive(Debug)]
struct Violation {
    kind: IncidentKind,
    condition: &'static str,
    detail: String,
}

impl Violation {
    fn new(kind: IncidentKind, condition: &'static str, detail: impl Into<String>) -> Self {
        Self { kind, condition, detail: detail.into() }
    }

    fn malformed(detail: impl std::fmt::Display) -> Self {
        Self::new(IncidentKind::Malformed, condition::FRAMING, detail.to_string())
    }
}

/// The server's side of one connection.
#[derive(Debug)]
pub(crate) struct ServerConnection {
    resources: Resources,
    peer: Option<SocketAddr>,
    /// The TLS client's certificate chain.
    chain: Vec<Vec<u8>>,
    phase: Phase,
    /// What has arrived and is no whole frame, or is not to be looked at yet.
    partial: Vec<u8>,
    share: Share,
    partial_since: Instant,
    out: Outbound,
    /// When something was last written.
    wrote: Instant,
    outputs: VecDeque<Output>,
    /// Until when somebody must have been let in.
    until: Option<Instant>,
    heard: Instant,
    peer_max_frame: usize,
    /// How long the client may hear nothing.
    heartbeat: Option<Duration>,
    opening: Option<Opening>,
    clients: BTreeMap<u32, Client>,
    next_who: u32,
    channels: BTreeMap<u16, Channel>,
    links: BTreeMap<LinkKey, Link>,
    /// The links with something to send.
    backlog: BTreeSet<LinkKey>,
    /// The links by which a message has arrived in part.
    gathering: BTreeSet<LinkKey>,
    /// The bytes of what has arrived of them.
    gathered_bytes: usize,
    /// Whether a policy's token allows sending to devices.
    is_service: bool,
    /// Until when.
    service_until: Option<Instant>,
    feedback: Feedback,
    /// The cloud-to-device messages that the service API has not answered, oldest first.
    sending: VecDeque<(LinkKey, u32, usize)>,
    /// Messages and changes of subscriptions, and the bytes of the messages, that wait for receipts.
    waiting_messages: usize,
    waiting_bytes: usize,
    /// Twin requests that wait for an answer.
    waiting_twins: usize,
    /// Bytes in the queues of links that are no deliveries.
    urgent_bytes: usize,
    next_tag: u64,
    stopping: bool,
    wanted_bytes: bool,
}

impl ServerConnection {
    /// Returns a connection that waits for its first bytes from now on.
    pub(crate) fn new(
        now: Instant,
        resources: &Resources,
        peer: Option<SocketAddr>,
        chain: Vec<Vec<u8>>,
    ) -> Self {
        Self {
            peer,
            chain,
            phase: Phase::Header { after_sasl: false },
            partial: Vec::new(),
            share: resources.partial_before_connect(),
            partial_since: now,
            out: Outbound::default(),
            wrote: now,
            outputs: VecDeque::new(),
            until: Some(now + resources.limits().connect_timeout),
            heard: now,
            peer_max_frame: 512,
            heartbeat: None,
            opening: None,
            clients: BTreeMap::new(),
            next_who: 0,
            channels: BTreeMap::new(),
            links: BTreeMap::new(),
            backlog: BTreeSet::new(),
            gathering: BTreeSet::new(),
            gathered_bytes: 0,
            is_service: false,
            service_until: None,
            feedback: Feedback::default(),
            sending: VecDeque::new(),
            waiting_messages: 0,
            waiting_bytes: 0,
            waiting_twins: 0,
            urgent_bytes: 0,
            next_tag: 0,
            stopping: false,
            wanted_bytes: true,
            resources: resources.clone(),
        }
    }

    /// Takes note of what has happened.
    pub(crate) fn handle_input(&mut self, now: Instant, input: Input<'_>, scratch: &mut Scratch) {
        let was_busy = self.is_busy();
        match input {
            Input::Bytes(bytes) => self.feed(now, bytes, scratch),
            Input::End => self.end(now),
            Input::Stop => {
                self.stopping = true;
                if self.clients.is_empty() {
                    self.close(now, condition::FORCED, "the gateway is stopping");
                }
            }
            Input::Opened(answer) => {
                self.opened(now, answer);
                self.close_if_nobody_is_left(now);
                self.feed(now, &[], scratch);
            }
            Input::Authorized(allowed) => {
                self.authorized(now, allowed);
                self.close_if_nobody_is_left(now);
                self.feed(now, &[], scratch);
            }
            Input::Sent(answer) => self.sent(answer),
            Input::Feedback(answer) => self.feedback(now, answer),
            Input::Resolved { who, ok } => self.resolved(now, who, ok),
            Input::Event { who, event } => self.event(now, who, event),
        }
        if was_busy && !self.is_busy() {
            self.feed(now, &[], scratch);
        }
        self.flush(now);
        self.ask_for_feedback(now);
        self.listen_again(now);
    }

    /// Takes note of how many of the outbound bytes were written, 0 when the socket takes none now.
    pub(crate) fn handle_written(&mut self, now: Instant, bytes: usize) {
        self.out.written(now, bytes);
        if bytes > 0 {
            self.wrote = now;
        }
        if self.out.pending().is_empty() {
            self.flush(now);
        }
        self.listen_again(now);
    }

    /// Returns what to do next; `None` when all is said.
    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        let output = self.outputs.pop_front();
        if output.is_none() && self.outputs.capacity() > 0 {
            self.outputs = VecDeque::new();
        }
        output
    }

    /// Returns the bytes to write to the client.
    pub(crate) fn outbound(&self) -> &[u8] {
        self.out.pending()
    }

    /// Lends the connection a buffer to write into, or takes it back when nothing is in it.
    pub(crate) fn swap_buffer(&mut self, buffer: &mut Vec<u8>) {
        self.out.swap_buffer(buffer);
    }

    /// Forgets the bytes to write: the socket takes no more.
    pub(crate) fn discard_outbound(&mut self) {
        self.out.discard();
    }

    /// Returns whether bytes of the client are welcome; not reading is the last flow control, behind credit.
    pub(crate) fn wants_bytes(&self) -> bool {
        let limits = self.limits();
        match self.phase {
            Phase::Closing { .. } | Phase::SaslOpening => false,
            _ => {
                self.opening.is_none()
                    && !self.is_busy()
                    && self.out.pending().len() < limits.max_outbound_bytes
            }
        }
    }

    /// Whether so much waits for the gateway that nothing more is decoded.
    fn is_busy(&self) -> bool {
        self.is_busy_with(0, 0)
    }

    /// The same, with messages that wait to be handed to it.
    fn is_busy_with(&self, messages: usize, bytes: usize) -> bool {
        let limits = self.limits();
        self.waiting_messages + messages >= limits.max_unacknowledged_messages
            || self.waiting_bytes + bytes >= limits.max_unacknowledged_bytes
            || self.waiting_twins >= limits.max_twin_requests
    }

    /// Returns how many bytes of the client may be read at once.
    pub(crate) fn max_read_bytes(&self) -> usize {
        if self.clients.is_empty() && !self.is_service { self.limits().max_connect_bytes } else { usize::MAX }
    }

    /// Returns whether a delivery of `who` is welcome.
    pub(crate) fn wants_event(&self, who: u32) -> bool {
        let Some(client) = self.clients.get(&who) else { return false };
        let limits = self.limits();
        let has_credit = |key: Option<LinkKey>| {
            key.and_then(|key| self.links.get(&key)).is_some_and(Link::has_credit_to_spare)
        };
        client.deliveries < limits.max_deliveries
            && client.delivery_bytes < limits.max_delivery_bytes
            && (has_credit(client.cloud) || has_credit(client.inputs))
            && !self.is_outbound_full()
    }

    /// Returns whether so much waits for the socket that it is to be written before anything is added.
    pub(crate) fn is_outbound_full(&self) -> bool {
        self.out.pending().len() >= self.limits().max_outbound_bytes
    }

    /// Returns whether all is over and written.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self.phase, Phase::Closing { .. }) && self.out.pending().is_empty()
    }

    /// Starts the client's times anew when the server did not listen and does again.
    fn listen_again(&mut self, now: Instant) {
        let wants = self.wants_bytes();
        if wants && !self.wanted_bytes {
            self.heard = now;
            self.partial_since = now;
            self.restart_transfers(now);
        }
        self.wanted_bytes = wants;
    }

    fn limits(&self) -> &TransportLimits {
        self.resources.limits()
    }

    fn report(&mut self, who: Option<u32>, kind: IncidentKind, detail: impl Into<String>) {
        self.outputs.push_back(Output::Report { who, kind, detail: detail.into() });
    }
}
