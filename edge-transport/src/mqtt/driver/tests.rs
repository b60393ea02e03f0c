//! A connection over a pipe, in virtual time.

use std::time::Duration;

use edge_core::CloseReason;
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
