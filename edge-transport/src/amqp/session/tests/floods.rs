//! What one client makes the gateway keep is bounded, and is its own affair.

use edge_core::{Clock, SystemClock};

use super::*;
use crate::amqp::wire::{Attach, Map, Role, Terminus, Transfer, frame};

/// Messages in one delivery. Azure Service Bus, batched messages over AMQP.
const BATCH: u32 = 0x8001_3700;
/// An inner message without anything: the least that makes one.
const EMPTY: [u8; 5] = [0x00, 0x53, 0x75, 0xa0, 0x00];

/// A device's connection, and all that it has said.
struct Bench {
    core: ServerConnection,
    now: Instant,
    scratch: Scratch,
    /// The sizes of the batches.
    published: Vec<usize>,
    feeds: usize,
    reports: Vec<IncidentKind>,
    detached: Vec<(u32, String)>,
    closed: bool,
}

impl Bench {
    /// A device that its certificate has let in, with these links to send by.
    fn open(resources: &Resources, links: std::ops::Range<u32>) -> Self {
        let now = SystemClock.now();
        let core = ServerConnection::new(now, resources, None, vec![vec![1]]);
        let scratch = Scratch::default();
        let mut bench = Self {
            core,
            now,
            scratch,
            published: Vec::new(),
            feeds: 0,
            reports: Vec::new(),
            detached: Vec::new(),
            closed: false,
        };
        bench.bytes(&greeting());
        for handle in links {
            bench.bytes(&attach(handle, Role::Sender, "messages/events"));
        }
        bench
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.input(Input::Bytes(bytes));
    }

    fn input(&mut self, input: Input<'_>) {
        self.core.handle_input(self.now, input, &mut self.scratch);
        while let Some(output) = self.core.poll_output() {
            match output {
                Output::Open { hello, .. } => {
                    let authenticated = Authenticated::new(hello.claimed, "x509", None);
                    self.core.handle_input(self.now, Input::Opened(Ok(authenticated)), &mut self.scratch);
                }
                Output::Publish { batch, .. } => self.published.push(batch.len()),
                Output::Subscribe { .. } | Output::Unsubscribe { .. } => self.feeds += 1,
                Output::Report { kind, .. } => self.reports.push(kind),
                Output::Close => self.closed = true,
                other => panic!("{other:?}"),
            }
        }
        self.read();
    }

    /// Takes what the client would have received.
    fn read(&mut self) {
        let written = self.core.outbound().to_vec();
        self.core.handle_written(self.now, written.len());
        let mut rest = written.strip_prefix(&Protocol::Amqp.header()).unwrap_or(&written);
        while let Some(head) = frame(rest, usize::MAX).unwrap() {
            let (whole, after) = rest.split_at(head.total);
            rest = after;
            if let Performative::Detach(detach) = Performative::read(&whole[head.body..]).unwrap() {
                let condition = detach.error.map_or("", |error| error.condition);
                self.detached.push((detach.handle, condition.to_owned()));
            }
        }
    }

    fn resolve(&mut self) {
        self.input(Input::Resolved { who: 0, ok: true });
    }
}

fn attach(handle: u32, role: Role, topic: &str) -> Vec<u8> {
    let (mut source, mut target) = (Vec::new(), Vec::new());
    let address = format!("/devices/d/{topic}");
    Terminus::source(&address, &mut source);
    Terminus::target(&address, &mut target);
    let terminus = |raw| Some(Terminus { address: None, dynamic: false, raw });
    let attach = Attach {
        name: &format!("{handle}"),
        handle,
        role,
        snd_settle_mode: None,
        rcv_settle_mode: None,
        source: terminus(&source),
        target: terminus(&target),
        initial_delivery_count: Some(0),
        max_message_size: None,
        properties: Map::default(),
    };
    framed(&Performative::Attach(attach))
}

fn transfer(handle: u32, id: u32, format: u32, more: bool, payload: &[u8]) -> Vec<u8> {
    framed(&Performative::Transfer(Transfer {
        handle,
        delivery_id: Some(id),
        delivery_tag: Some(b"t"),
        message_format: Some(format),
        settled: None,
        more,
        aborted: false,
        payload,
    }))
}

fn framed(performative: &Performative<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    put(&mut bytes, |bytes| performative.write(bytes));
    bytes
}

#[test]
fn a_batch_has_no_more_messages_than_may_wait() {
    let limits = TransportLimits { max_unacknowledged_messages: 100, ..TransportLimits::default() };
    let mut bench = Bench::open(&Resources::new(limits), 0..2);
    bench.bytes(&transfer(0, 0, BATCH, false, &EMPTY.repeat(100)));
    assert_eq!(bench.published, [100]);
    bench.resolve();
    bench.bytes(&transfer(0, 1, BATCH, false, &EMPTY.repeat(101)));
    assert_eq!(bench.detached, [(0, condition::LIMIT.to_owned())]);
    bench.bytes(&transfer(1, 2, BATCH, false, &EMPTY));
    assert_eq!((&bench.published[..], &bench.reports[..]), (&[100, 1][..], &[IncidentKind::Oversize][..]));
    assert!(!bench.closed);
}

#[test]
fn what_one_read_completes_is_published_a_part_at_a_time() {
    let limits = TransportLimits { max_unacknowledged_messages: 100, ..TransportLimits::default() };
    let mut bench = Bench::open(&Resources::new(limits), 0..50);
    let mut ends = Vec::new();
    for link in 0..50 {
        bench.bytes(&transfer(link, link, BATCH, true, &EMPTY.repeat(59)));
        ends.extend(transfer(link, link, BATCH, false, &EMPTY));
    }
    bench.bytes(&ends);
    assert_eq!(bench.published, [120], "two deliveries are more than may wait");
    while bench.published.len() < 25 {
        assert!(!bench.core.wants_bytes());
        bench.resolve();
    }
    bench.resolve();
    assert_eq!(bench.published, [120; 25]);
    assert!(bench.core.wants_bytes());
}

#[test]
fn what_one_read_completes_is_bounded_in_bytes_too() {
    let limits = TransportLimits { max_unacknowledged_bytes: 10_000, ..TransportLimits::default() };
    let mut bench = Bench::open(&Resources::new(limits), 0..10);
    let mut ends = Vec::new();
    for link in 0..10 {
        let mut body = vec![0x00, 0x53, 0x75, 0xb0, 0x00, 0x00, 0x2a, 0xf8];
        body.extend([7; 11_000]);
        let (most, last) = body.split_at(body.len() - 1);
        bench.bytes(&transfer(link, link, 0, true, most));
        ends.extend(transfer(link, link, 0, false, last));
    }
    bench.bytes(&ends);
    assert_eq!(bench.published, [1]);
    while bench.published.len() < 10 {
        bench.resolve();
    }
    assert_eq!(bench.published, [1; 10]);
}

#[test]
fn who_gathers_too_much_is_stopped_and_nobody_else() {
    let limits = TransportLimits {
        max_partial_bytes: 1_000_000,
        max_partial_bytes_per_connection: 300_000,
        ..TransportLimits::default()
    };
    let resources = Resources::new(limits);
    let mut hog = Bench::open(&resources, 0..16);
    for link in 0..16 {
        hog.bytes(&transfer(link, link, 0, true, &[0; 60_000]));
    }
    assert!(!hog.closed);
    assert_eq!(hog.detached.len(), 11, "five links have what one connection may gather");
    assert_eq!(hog.reports, [IncidentKind::Oversize; 11]);
    let mut innocent = Bench::open(&resources, 0..1);
    let head = [0x00, 0x53, 0x75, 0xb0, 0x00, 0x03, 0x0d, 0x40];
    for (n, more) in [(0, true), (50_000, true), (50_000, true), (50_000, true), (50_000, false)] {
        let part = vec![7; n];
        innocent.bytes(&transfer(0, 0, 0, more, if n == 0 { &head } else { &part }));
    }
    assert_eq!((&innocent.published[..], innocent.closed), (&[1][..], false));
    // What is given up is free again.
    for link in 0..5 {
        hog.bytes(&framed(&Performative::Detach(Detach { handle: link, closed: true, error: None })));
    }
    assert_eq!(resources.partial_bytes(), 0);
    hog.bytes(&attach(20, Role::Sender, "messages/events"));
    hog.bytes(&transfer(20, 20, 0, true, &[0; 60_000]));
    assert_eq!((hog.detached.len(), hog.closed), (16, false));
}

#[test]
fn transfers_without_credit_end_the_link() {
    let mut bench = Bench::open(&Resources::new(TransportLimits::default()), 0..1);
    bench.core.links.get_mut(&(0, 0)).unwrap().credit = 0;
    bench.bytes(&transfer(0, 0, 0, false, &EMPTY));
    assert_eq!(bench.detached, [(0, condition::TRANSFER_LIMIT.to_owned())]);
    assert_eq!((&bench.published[..], bench.closed), (&[][..], false));
}

#[test]
fn changes_of_subscriptions_that_wait_stop_reading() {
    let limits = TransportLimits { max_unacknowledged_messages: 4, ..TransportLimits::default() };
    let mut bench = Bench::open(&Resources::new(limits), 0..1);
    let mut flood = Vec::new();
    for _ in 0..10 {
        flood.extend(attach(1, Role::Receiver, "messages/devicebound"));
        flood.extend(framed(&Performative::Detach(Detach { handle: 1, closed: true, error: None })));
    }
    bench.bytes(&flood);
    assert_eq!(bench.feeds, 4);
    assert!(!bench.core.wants_bytes());
    for _ in 0..20 {
        bench.resolve();
    }
    assert_eq!(bench.feeds, 20);
    assert!(bench.core.wants_bytes());
}
