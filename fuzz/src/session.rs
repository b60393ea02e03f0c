//! A whole MQTT connection: a stream of bytes through the session core, in virtual time.
//!
//! The first eight bytes of an input decide how the bytes arrive, when the gateway answers, and what it delivers; the
//! rest is what the client sends.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use edge_core::testing::clock::ManualClock;
use edge_core::{
    Authenticated, Channel, Clock, CloseReason, Delivery, Feed, FeedSet, Identity, Message, MethodCall,
    SessionEvent, Settlement, Settler, Source, SystemKey, Timestamp, TwinAnswer, TwinRequest,
};
use edge_transport::mqtt::packet::{Packet, v4};
use edge_transport::mqtt::session::{Input, Opened, Output, Scratch, ServerSession};
use edge_transport::{Resources, TransportLimits};

use crate::Random;

/// How often the time may come without anything happening before it counts as spinning.
const MAX_IDLE_TURNS: usize = 64;

/// Plays the gateway, the socket and the clock for a client that sends the input.
///
/// # Panics
/// Panics when something does not hold.
pub fn mqtt_session(data: &[u8]) {
    let (seed, stream) = data.split_first_chunk::<8>().unwrap_or((&[0; 8], data));
    let mut connection = Connection::new(u64::from_le_bytes(*seed));
    let mut stream = stream;
    while !stream.is_empty() && !connection.session.is_done() {
        connection.something_else();
        if connection.session.wants_bytes() {
            let most = connection.session.max_read_bytes().min(stream.len());
            let (bytes, rest) = stream.split_at(connection.random.below(most) + 1);
            connection.input(Input::Bytes(bytes));
            stream = rest;
        } else if !connection.make_room() {
            break;
        }
    }
    connection.finish();
}

/// Everything around a session.
struct Connection {
    session: ServerSession,
    scratch: Scratch,
    clock: ManualClock,
    random: Random,
    limits: TransportLimits,
    who: Option<Identity>,
    opening: bool,
    receipts: usize,
    /// The tags of twin requests that wait for an answer.
    twins: Vec<Bytes>,
    closed: bool,
    delivered: u64,
    settled: Arc<Settled>,
    /// What the client has received and not taken apart yet.
    received: Vec<u8>,
}

/// Counts what deliveries came to.
#[derive(Debug, Default)]
struct Settled(AtomicU64);

impl Settler for Settled {
    fn settle(&self, _tag: u64, _settlement: Settlement) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Connection {
    fn new(seed: u64) -> Self {
        let limits = TransportLimits {
            max_message_bytes: 4096,
            max_unacknowledged_messages: 16,
            max_outbound_bytes: 4096,
            max_urgent_bytes: 16 << 10,
            max_twin_requests: 4,
            max_twin_patch_bytes: 64,
            max_method_answer_bytes: 64,
            max_deliveries: 4,
            ..TransportLimits::default()
        };
        let clock = ManualClock::new(Timestamp::from_unix_ms(1_767_225_600_000));
        let resources = Resources::new(limits.clone());
        Self {
            session: ServerSession::new(clock.now(), &resources, None, Vec::new()),
            scratch: Scratch::default(),
            clock,
            random: Random::new(seed),
            limits,
            who: None,
            opening: false,
            receipts: 0,
            twins: Vec::new(),
            closed: false,
            delivered: 0,
            settled: Arc::default(),
            received: Vec::new(),
        }
    }

    fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Tells the session something, and does everything that it asks for.
    fn input(&mut self, input: Input<'_>) {
        let now = self.now();
        self.session.handle_input(now, input, &mut self.scratch);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.session.poll_output() {
            assert!(!self.closed || matches!(output, Output::Report(..)), "{output:?} after the end");
            match output {
                Output::Open(hello) => {
                    assert!(self.who.is_none(), "a client says hello once");
                    self.who = Some(hello.claimed);
                    self.opening = true;
                }
                Output::Publish(batch) => {
                    assert!(!batch.is_empty());
                    batch.iter().for_each(|message| self.check_message(message));
                    self.receipts += 1;
                }
                Output::LastWord(message) => self.check_message(&message),
                Output::Subscribe(feeds) | Output::Unsubscribe(feeds) => {
                    assert!(self.who.is_some(), "subscribed to {feeds:?} for a stranger");
                    self.receipts += 1;
                }
                Output::Twin { tag, request } => {
                    assert!(
                        self.who.is_some() && !self.opening,
                        "nothing is asked before the client is let in"
                    );
                    if let TwinRequest::Report(patch) = request {
                        assert!(patch.len() <= self.limits.max_twin_patch_bytes);
                    }
                    self.twins.push(tag);
                    assert!(self.twins.len() <= self.limits.max_twin_requests);
                }
                Output::AnswerMethod { answer, .. } => {
                    assert!(answer.payload.len() <= self.limits.max_method_answer_bytes);
                }
                Output::Report(_, detail) => assert!(detail.len() < 4096, "a report is a line"),
                Output::Close => self.closed = true,
                _ => {}
            }
        }
        let most = self.limits.max_urgent_bytes + 4 * self.limits.max_message_bytes;
        assert!(self.session.outbound().len() <= most, "what waits for the socket is bounded");
    }

    /// A client speaks in its own name only.
    fn check_message(&self, message: &Message) {
        let who = self.who.as_ref().expect("nothing is taken of a stranger");
        assert!(!self.opening, "nothing is taken before the gateway has let the client in");
        let system = message.system();
        assert_eq!(system.value(SystemKey::ConnectionDeviceId), Some(who.device().as_str()));
        assert_eq!(system.value(SystemKey::ConnectionModuleId), who.module().map(|module| module.as_str()));
        assert!(message.body().len() <= self.limits.max_message_bytes);
    }

    /// Something other than bytes happens, or nothing.
    fn something_else(&mut self) {
        match self.random.below(16) {
            0 => self.pass_time(),
            1 | 2 => {
                self.answer();
            }
            3 | 4 => {
                self.write();
            }
            5 => self.deliver(),
            6 => {
                self.answer_twin();
            }
            7 => self.tell(),
            8 if self.random.one_in(64) => self.event(SessionEvent::Closed(CloseReason::TakenOver)),
            _ => {}
        }
    }

    /// The gateway answers the oldest thing that it was asked; returns whether there was one.
    fn answer(&mut self) -> bool {
        if self.closed {
            return false;
        }
        if std::mem::take(&mut self.opening) {
            let identity = self.who.clone().expect("it said hello");
            let authenticated = Authenticated::new(identity, "sas", None);
            let resumed = self.random.one_in(2);
            let feeds = if resumed { FeedSet::EMPTY.with(Feed::TwinResponses) } else { FeedSet::EMPTY };
            self.input(Input::Opened(Ok(Opened { authenticated, resumed, feeds })));
            true
        } else if self.receipts > 0 {
            self.receipts -= 1;
            let ok = !self.random.one_in(256);
            self.input(Input::Resolved { ok });
            true
        } else {
            false
        }
    }

    /// The gateway answers one of the twin requests; returns whether there was one.
    fn answer_twin(&mut self) -> bool {
        if self.closed || self.twins.is_empty() {
            return false;
        }
        let at = self.random.below(self.twins.len());
        let tag = self.twins.swap_remove(at);
        let answer = match self.random.below(3) {
            0 => TwinAnswer::new(204, "").with_version(self.random.next()),
            1 => TwinAnswer::new(200, "{}"),
            _ => TwinAnswer::new(503, "{}"),
        };
        self.input(Input::Event(SessionEvent::Twin { tag, answer }));
        true
    }

    /// The gateway calls a method, or says that the desired properties have changed.
    fn tell(&mut self) {
        let event = if self.random.one_in(2) {
            SessionEvent::Desired { version: self.random.next(), patch: Bytes::from_static(b"{}") }
        } else {
            let name = "a/b#".repeat(self.random.below(25));
            SessionEvent::Method(MethodCall::new(self.random.next(), name, Bytes::new()))
        };
        if !self.closed {
            self.input(Input::Event(event));
        }
    }

    /// The socket takes some of what waits; returns whether there was something.
    fn write(&mut self) -> bool {
        let waiting = self.session.outbound();
        let taken = if waiting.is_empty() { 0 } else { self.random.below(waiting.len()) + 1 };
        self.received.extend_from_slice(waiting.get(..taken).unwrap_or_default());
        self.session.handle_written(self.clock.now(), taken);
        self.drain();
        self.check_received();
        taken > 0
    }

    /// What a client receives are packets that a server may send.
    fn check_received(&mut self) {
        while let Some(frame) = v4::frame(&self.received, 1 << 20).expect("a server sends packets") {
            let Some(bytes) = self.received.get(..frame.total_bytes) else { return };
            let packet = v4::decode(bytes).expect("a server sends whole packets");
            let clients = matches!(
                packet,
                Packet::Connect(_) | Packet::Subscribe { .. } | Packet::Unsubscribe { .. } | Packet::PingReq
            );
            assert!(!clients, "a server sends {packet:?}");
            self.received.drain(..frame.total_bytes);
        }
    }

    fn deliver(&mut self) {
        if self.closed || !self.session.wants_event() {
            return;
        }
        let body = self.random.next().to_le_bytes();
        let message = Message::builder(&Source::telemetry()).property("a/b", "#+").body(&body).build();
        let channel = match self.who.as_ref().and_then(Identity::module) {
            Some(_) => Channel::Input("in".parse().expect("it is a name")),
            None => Channel::CloudToDevice,
        };
        let delivery = Delivery::new(message, channel, self.settled.clone(), self.delivered);
        self.delivered += 1;
        self.event(SessionEvent::Deliver(delivery));
    }

    fn event(&mut self, event: SessionEvent) {
        if !self.closed && self.session.wants_event() {
            self.input(Input::Event(event));
        }
    }

    fn pass_time(&mut self) {
        self.clock.advance(Duration::from_millis(self.random.next() % 40_000));
        let due = |session: &ServerSession, now| session.poll_timeout().is_some_and(|due| due <= now);
        let mut turns = 0;
        while !self.session.is_done() && due(&self.session, self.now()) {
            turns += 1;
            assert!(turns < MAX_IDLE_TURNS, "the session wants to be woken again and again");
            self.session.handle_timeout(self.clock.now());
            self.drain();
        }
    }

    /// Does what lets a session go on that does not want bytes; returns whether there was anything.
    fn make_room(&mut self) -> bool {
        self.answer() || self.answer_twin() || self.write()
    }

    /// The client goes away, and everything must come to its end by itself.
    fn finish(mut self) {
        if !self.closed {
            self.input(Input::End);
        }
        for _turn in 0..MAX_IDLE_TURNS {
            while self.make_room() {}
            if self.session.is_done() {
                break;
            }
            self.pass_time();
        }
        assert!(self.session.is_done() && self.closed, "a connection whose client is gone does not end");
        drop(self.session);
        assert_eq!(self.settled.0.load(Ordering::Relaxed), self.delivered, "each delivery is settled once");
    }
}
