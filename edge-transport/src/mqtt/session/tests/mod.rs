//! Scenarios in virtual time.

mod greeting;
mod inbound;
mod outbound;
mod requests;
mod times;

use edge_core::{Clock as _, Identity, SystemClock};

use super::*;
use crate::mqtt::packet::{Connect, ConnectCode, FiltersBuf, Packet, Publish, QoS, Quality, v4};

/// A session core, a clock that only the test moves, and all that the core has said.
struct Bench {
    core: ServerSession,
    now: Instant,
    scratch: Scratch,
    hello: Option<Hello>,
    published: Vec<Message>,
    batches: usize,
    subscribed: Vec<FeedSet>,
    unsubscribed: Vec<FeedSet>,
    twins: Vec<(Bytes, TwinRequest)>,
    method_answers: Vec<(u64, MethodAnswer)>,
    reports: Vec<IncidentKind>,
    last_words: Vec<Message>,
    closed: bool,
}

impl Bench {
    fn new(limits: TransportLimits) -> Self {
        let now = SystemClock.now();
        let core = ServerSession::new(now, &Resources::new(limits), None, Vec::new());
        Self {
            core,
            now,
            scratch: Scratch::default(),
            hello: None,
            published: Vec::new(),
            batches: 0,
            subscribed: Vec::new(),
            unsubscribed: Vec::new(),
            twins: Vec::new(),
            method_answers: Vec::new(),
            reports: Vec::new(),
            last_words: Vec::new(),
            closed: false,
        }
    }

    /// A session that has been let in as `id`, with its CONNACK read.
    fn open(id: &str) -> Self {
        Self::open_with(id, TransportLimits::default())
    }

    fn open_with(id: &str, limits: TransportLimits) -> Self {
        let mut bench = Self::new(limits);
        bench.send(&Packet::Connect(connect(id, &user_name(id))));
        bench.accept(false, FeedSet::EMPTY);
        assert_eq!(bench.received().len(), 1);
        bench
    }

    fn accept(&mut self, resumed: bool, feeds: FeedSet) {
        let identity: Identity = self.hello.as_ref().unwrap().claimed.clone();
        let authenticated = Authenticated::new(identity, "sas", None);
        self.input(Input::Opened(Ok(Opened { authenticated, resumed, feeds })));
    }

    fn input(&mut self, input: Input<'_>) {
        self.core.handle_input(self.now, input, &mut self.scratch);
        self.drain();
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.input(Input::Bytes(bytes));
    }

    fn send(&mut self, packet: &Packet<'_>) {
        self.bytes(&encoded(packet));
    }

    fn publish(&mut self, topic: &str, quality: Quality, payload: &[u8]) {
        self.send(&Packet::Publish(Publish { topic, quality, dup: false, retain: false, payload }));
    }

    fn subscribe(&mut self, id: u16, filters: &[(&str, QoS)]) {
        let mut list = FiltersBuf::for_subscribe();
        for (filter, qos) in filters {
            list.push(filter, *qos).unwrap();
        }
        self.send(&Packet::Subscribe { packet_id: id.try_into().unwrap(), filters: list.as_filters() });
    }

    fn resolve(&mut self, ok: bool) {
        self.input(Input::Resolved { ok });
    }

    /// Lets time pass, calling the core whenever it wants to be called.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.core.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.core.handle_timeout(self.now);
            self.drain();
            let next = self.core.poll_timeout();
            assert!(next.is_none_or(|next| next > self.now) || self.core.is_done(), "time stands still");
            if self.core.is_done() {
                break;
            }
        }
        self.now = end;
    }

    fn drain(&mut self) {
        while let Some(output) = self.core.poll_output() {
            match output {
                Output::Open(hello) => self.hello = Some(*hello),
                Output::Publish(batch) => {
                    self.batches += 1;
                    self.published.extend(batch);
                }
                Output::LastWord(message) => self.last_words.push(message),
                Output::Subscribe(feeds) => self.subscribed.push(feeds),
                Output::Unsubscribe(feeds) => self.unsubscribed.push(feeds),
                Output::Twin { tag, request } => self.twins.push((tag, request)),
                Output::AnswerMethod { id, answer } => self.method_answers.push((id, answer)),
                Output::Report(kind, _) => self.reports.push(kind),
                Output::Close => {
                    assert!(!self.closed, "closed twice");
                    self.closed = true;
                }
            }
        }
    }

    /// Takes what the client would have received, packet by packet.
    fn received(&mut self) -> Vec<Vec<u8>> {
        let mut rest = self.core.outbound().to_vec();
        self.core.handle_written(self.now, rest.len());
        let mut packets = Vec::new();
        while !rest.is_empty() {
            let total = v4::frame(&rest, usize::MAX).unwrap().unwrap().total_bytes;
            let after = rest.split_off(total);
            packets.push(std::mem::replace(&mut rest, after));
        }
        packets
    }

    fn check_received(&mut self, packets: &[Packet<'_>]) {
        let received = self.received();
        let received: Vec<_> = received.iter().map(|bytes| v4::decode(bytes).unwrap()).collect();
        assert_eq!(received, packets);
    }

    fn check_closed(&self, reports: &[IncidentKind]) {
        assert!(self.closed);
        assert_eq!(self.reports, reports);
        assert!(!self.core.wants_bytes());
    }
}

fn encoded(packet: &Packet<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    v4::encode(packet, &mut bytes).unwrap();
    bytes
}

fn user_name(id: &str) -> String {
    format!("hub.local/{id}/?api-version=2021-04-12")
}

fn connect<'a>(id: &'a str, user_name: &'a str) -> Connect<'a> {
    Connect {
        client_id: id,
        clean_session: false,
        keep_alive_secs: 60,
        will: None,
        user_name: Some(user_name),
        password: Some(b"token"),
    }
}

/// QoS 1 with this packet identifier.
fn qos1(id: u16) -> Quality {
    Quality::AtLeastOnce(id.try_into().unwrap())
}

fn puback(id: u16) -> Packet<'static> {
    Packet::PubAck(id.try_into().unwrap())
}

#[test]
fn an_idle_session_is_small() {
    assert!(size_of::<ServerSession>() <= 320, "{} bytes", size_of::<ServerSession>());
    assert!(size_of::<Open>() <= 344, "{} bytes", size_of::<Open>());
}
