//! A connection over a pipe, in virtual time.
#![expect(clippy::disallowed_methods, reason = "a test spawns what it waits for, and measures virtual time")]

use std::time::Duration;

use bytes::Bytes;
use edge_core::{Channel, CloseReason, Message, MethodAnswer, MethodCall, Source, TwinRequest};
use tokio::io::{DuplexStream, duplex};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::*;
use crate::mqtt::packet::{ConnectCode, Packet};
use crate::stop::Stopper;
use crate::testing::{FakeGateway, MqttClient};
use crate::{Resources, TransportLimits};

const TOPIC: &str = "devices/d/messages/events/";

struct Pair {
    gateway: FakeGateway,
    client: MqttClient<DuplexStream>,
    resources: Resources,
    stopper: Stopper,
    server: JoinHandle<()>,
}

fn pair(limits: TransportLimits, pipe_bytes: usize) -> Pair {
    let (client, server) = duplex(pipe_bytes);
    let gateway = FakeGateway::new();
    let resources = Resources::new(limits);
    let (stopper, stop) = Stop::pair();
    let slot = resources.connection().unwrap();
    let connection = Connection::new(server, Arc::new(gateway.clone()), stop, slot, None, Vec::new());
    let server = tokio::spawn(connection);
    Pair { gateway, client: MqttClient::over(client), resources, stopper, server }
}

async fn open(limits: TransportLimits, pipe_bytes: usize) -> Pair {
    let mut pair = pair(limits, pipe_bytes);
    assert_eq!(pair.client.connect("d", FakeGateway::TOKEN).await.unwrap(), ConnectCode::Accepted);
    pair
}

impl Pair {
    /// The incidents so far, once the connection is over and has left nothing behind.
    async fn over(self) -> Vec<IncidentKind> {
        self.server.await.unwrap();
        assert_eq!(self.resources.connections(), 0);
        assert_eq!(self.gateway.sessions(), 0);
        self.gateway.incidents()
    }
}

#[test]
fn an_idle_connection_is_small() {
    assert!(size_of::<Connection<TcpStream>>() <= 512, "{} bytes", size_of::<Connection<TcpStream>>());
    type Tls = tokio_rustls::server::TlsStream<TcpStream>;
    assert!(size_of::<Connection<Tls>>() <= 2048, "{} bytes", size_of::<Connection<Tls>>());
}

#[tokio::test(start_paused = true)]
async fn silence_is_ended() {
    let mut pair = pair(TransportLimits::default(), 1024);
    pair.client.closed().await.unwrap();
    assert_eq!(pair.over().await, [IncidentKind::Timeout]);
    let mut pair = open(TransportLimits::default(), 1024).await;
    tokio::time::advance(Duration::from_secs(60)).await;
    pair.client.send(&Packet::PingReq).await.unwrap();
    assert!(pair.client.receive(|packet| packet == Packet::PingResp).await.unwrap());
    tokio::time::advance(Duration::from_secs(89)).await;
    assert_eq!(pair.gateway.sessions(), 1);
    pair.client.closed().await.unwrap();
    assert_eq!(pair.over().await, [IncidentKind::KeepAlive]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_is_ended() {
    let mut pair = open(TransportLimits::default(), 64).await;
    for _ in 0..40 {
        pair.client.send(&Packet::PingReq).await.unwrap();
    }
    assert_eq!(pair.over().await, [IncidentKind::Stalled]);
}

#[tokio::test(start_paused = true)]
async fn reading_stops_while_too_much_waits() {
    let limits = TransportLimits { max_unacknowledged_messages: 3, ..TransportLimits::default() };
    let mut pair = open(limits, 100).await;
    pair.gateway.hold_receipts(true);
    let sending = async {
        for _ in 0..20 {
            pair.client.publish(TOPIC, b"0123456789").await.unwrap();
        }
    };
    // The pipe is full long before twenty messages are written.
    assert!(tokio::time::timeout(Duration::from_secs(600), sending).await.is_err());
    let taken = pair.gateway.published().len();
    assert!((3..10).contains(&taken), "{taken}");
    pair.gateway.hold_receipts(false);
    while pair.gateway.resolve_next(true) {}
    assert!(pair.client.receive(|packet| packet == Packet::PubAck(1.try_into().unwrap())).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn the_gateway_ends_it() {
    let mut pair = open(TransportLimits::default(), 1024).await;
    pair.gateway.close(&"d".parse().unwrap(), CloseReason::Expired);
    pair.client.closed().await.unwrap();
    assert_eq!(pair.over().await, []);
}

#[tokio::test(start_paused = true)]
async fn stopping_ends_what_is_not_open() {
    let mut pair = pair(TransportLimits::default(), 1024);
    pair.stopper.stop();
    pair.client.closed().await.unwrap();
    assert_eq!(pair.over().await, []);
}

#[tokio::test(start_paused = true)]
async fn stopping_leaves_what_is_open_to_the_gateway() {
    let mut pair = open(TransportLimits::default(), 1024).await;
    pair.stopper.stop();
    let id = pair.client.publish(TOPIC, b"1").await.unwrap();
    assert!(pair.client.receive(|packet| packet == Packet::PubAck(id)).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_large_message_comes_in_parts() {
    let mut pair = open(TransportLimits::default(), 1000).await;
    let body: Vec<u8> = (0..200_000).map(|n| n as u8).collect();
    let id = pair.client.publish(TOPIC, &body).await.unwrap();
    assert!(pair.client.receive(|packet| packet == Packet::PubAck(id)).await.unwrap());
    assert_eq!(pair.gateway.published()[0].body(), body);
    drop(pair.client);
    pair.server.await.unwrap();
    assert_eq!(pair.resources.partial_bytes(), 0);
}

#[tokio::test(start_paused = true)]
async fn one_read_is_one_batch() {
    let mut pair = open(TransportLimits::default(), 64 << 10).await;
    let mut bytes = Vec::new();
    for id in 1..=100u16 {
        let quality = crate::mqtt::packet::Quality::AtLeastOnce(id.try_into().unwrap());
        let publish =
            crate::mqtt::packet::Publish { topic: TOPIC, quality, dup: false, retain: false, payload: b"x" };
        crate::mqtt::packet::v4::encode(&Packet::Publish(publish), &mut bytes).unwrap();
    }
    pair.client.send_bytes(&bytes).await.unwrap();
    for id in 1..=100u16 {
        assert!(
            pair.client.receive(|packet| packet == Packet::PubAck(id.try_into().unwrap())).await.unwrap()
        );
    }
    assert_eq!(pair.gateway.batches(), [100]);
}

/// A client that is let in and subscribed to all that is not a message.
async fn listening(limits: TransportLimits, pipe_bytes: usize) -> Pair {
    let mut pair = open(limits, pipe_bytes).await;
    pair.client.subscribe_to_requests().await.unwrap();
    pair
}

#[tokio::test(start_paused = true)]
async fn twins_and_methods_go_both_ways() {
    let mut pair = listening(TransportLimits::default(), 1024).await;
    let read = pair.client.twin(&TwinRequest::Read).await.unwrap();
    assert_eq!((read.status, read.version), (200, None));
    let report = TwinRequest::Report(Bytes::from_static(b"{\"a\":1}"));
    let reported = pair.client.twin(&report).await.unwrap();
    assert_eq!((reported.status, reported.version), (204, Some(2)));
    assert_eq!(pair.gateway.twin_requests(), [TwinRequest::Read, report]);

    let who = "d".parse().unwrap();
    pair.gateway.desire(&who, 4, &Bytes::from_static(b"{\"$version\":4}"));
    assert_eq!(pair.client.desired().await.unwrap(), (4, Bytes::from_static(b"{\"$version\":4}")));
    pair.gateway.call(&who, MethodCall::new(9, "reboot".to_owned(), "{}".into()));
    let call = pair.client.method().await.unwrap();
    assert_eq!(call, MethodCall::new(9, "reboot".to_owned(), "{}".into()));
    pair.client.answer_method(call.id, &MethodAnswer::new(200, "[]")).await.unwrap();
    pair.gateway.until(|gateway| gateway.method_answers() == [(9, MethodAnswer::new(200, "[]"))]).await;
}

#[tokio::test(start_paused = true)]
async fn methods_pass_by_deliveries_that_nobody_settles() {
    let limits = TransportLimits { max_deliveries: 1, ..TransportLimits::default() };
    let mut pair = listening(limits, 1024).await;
    let who = "d".parse().unwrap();
    let message = Message::builder(&Source::telemetry()).build();
    for _ in 0..3 {
        pair.gateway.deliver(&who, Channel::CloudToDevice, message.clone()).unwrap();
    }
    assert!(pair.client.receive(|packet| matches!(packet, Packet::Publish(_))).await.unwrap());
    for id in 1..4 {
        pair.gateway.call(&who, MethodCall::new(id, "m".to_owned(), "1".into()));
        assert_eq!(pair.client.method().await.unwrap().id, id);
    }
    pair.gateway.close(&who, CloseReason::TakenOver);
    pair.client.closed().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_gets_more_than_may_wait() {
    let mut pair = listening(TransportLimits::default(), 16 << 10).await;
    let (who, payload) = ("d".parse().unwrap(), Bytes::from(vec![b'1'; 100_000]));
    let call = |id| pair.gateway.call(&who, MethodCall::new(id, "m".to_owned(), payload.clone()));
    (0..5).for_each(call);
    for id in 0..100 {
        assert_eq!(pair.client.method().await.unwrap().id, id);
        call(id + 5);
    }
    assert!(100 * payload.len() > pair.resources.limits().max_urgent_bytes);
    assert_eq!(pair.gateway.incidents(), []);
}

#[tokio::test(start_paused = true)]
async fn a_burst_that_the_socket_takes_is_no_stall() {
    let mut pair = listening(TransportLimits::default(), 8 << 20).await;
    let (who, payload) = ("d".parse().unwrap(), Bytes::from(vec![b'1'; 100_000]));
    for id in 0..50 {
        pair.gateway.call(&who, MethodCall::new(id, "m".to_owned(), payload.clone()));
    }
    for id in 0..50 {
        assert_eq!(pair.client.method().await.unwrap().id, id);
    }
    assert_eq!(pair.gateway.incidents(), []);
}

#[tokio::test(start_paused = true)]
async fn methods_that_nobody_reads_end_the_connection() {
    let pair = listening(TransportLimits::default(), 1024).await;
    let (who, payload) = ("d".parse().unwrap(), Bytes::from(vec![b'1'; 100_000]));
    for id in 0..20 {
        pair.gateway.call(&who, MethodCall::new(id, "m".to_owned(), payload.clone()));
    }
    let began = tokio::time::Instant::now();
    let limits = pair.resources.limits().clone();
    pair.gateway.until(|gateway| gateway.sessions() == 0).await;
    assert!(began.elapsed() < limits.stall_timeout);
    assert_eq!(pair.over().await, [IncidentKind::Stalled]);
}
