//! AMQP over TCP, on loopback, against a gateway that notes everything.

mod common;

use bytes::Bytes;
use common::{Running, run};
use edge_core::{
    Channel, CloseReason, Feed, Identity, IncidentKind, Message, MethodAnswer, MethodCall, Settlement,
    Source, SystemKey, TwinRequest,
};
use edge_transport::testing::{AmqpClient, AmqpEvent, FakeGateway, amqp_address, amqp_body};
use edge_transport::{AmqpListener, Resources, TransportLimits};

const EVENTS: u32 = 5;
const BOUND: u32 = 6;

async fn start_with(limits: TransportLimits) -> Running {
    let resources = Resources::new(limits);
    run(AmqpListener::bind("127.0.0.1:0", &resources).await.unwrap(), resources)
}

async fn start() -> Running {
    start_with(TransportLimits::default()).await
}

fn who(id: &str) -> Identity {
    id.parse().unwrap()
}

fn audience(id: &str) -> String {
    format!("hub.local{}", amqp_address(&who(id), ""))
}

/// A client that is let in as `id` and has a link to send by.
async fn client(running: &Running, id: &str) -> AmqpClient {
    let mut client = AmqpClient::dial(running.address).await.unwrap();
    client.open().await.unwrap();
    assert_eq!(client.put_token(&audience(id), FakeGateway::TOKEN).await.unwrap(), 200);
    assert!(client.attach_sender(EVENTS, &amqp_address(&who(id), "messages/events")).await.unwrap());
    client
}

#[tokio::test]
async fn telemetry_is_published_with_its_properties_and_settled() {
    let running = start().await;
    let mut client = client(&running, "e/m").await;
    let message = Message::builder(&Source::telemetry())
        .system(SystemKey::MessageId, "m1")
        .system(SystemKey::OutputName, "hot")
        .system(SystemKey::ConnectionDeviceId, "boss")
        .property("line", "7")
        .null_property("spare")
        .body(b"21.5")
        .build();
    let id = client.send_message(EVENTS, &message).await.unwrap();
    assert!(client.accepted(id).await.unwrap());
    let published = running.gateway.published();
    assert_eq!(published[0].body(), b"21.5");
    assert_eq!(published[0].source(), "/messages/modules/m/outputs/hot/");
    assert_eq!(published[0].system().value(SystemKey::MessageId), Some("m1"));
    assert_eq!(published[0].system().value(SystemKey::ConnectionDeviceId), Some("e"));
    assert_eq!(published[0].properties().value("line"), Some(Some("7")));
    assert_eq!(published[0].properties().value("spare"), Some(None));
}

#[tokio::test]
async fn what_is_read_together_is_one_batch_and_settled_together() {
    let running = start().await;
    let mut client = client(&running, "d").await;
    let mut out = Vec::new();
    for _ in 0..50 {
        client.put_transfers(EVENTS, &[0x00, 0x53, 0x75, 0xa0, 1, b'x'], None, &mut out);
    }
    client.send_bytes(&out).await.unwrap();
    assert!(client.accepted(49).await.unwrap());
    let batches = running.gateway.batches();
    assert_eq!(batches.iter().sum::<usize>(), 50);
    assert!(batches.len() < 10, "{batches:?}");
}

#[tokio::test]
async fn what_cannot_be_kept_is_rejected_and_the_connection_goes_on() {
    let running = start().await;
    let mut client = client(&running, "d").await;
    running.gateway.hold_receipts(true);
    let id = client.send_data(EVENTS, b"1").await.unwrap();
    running.gateway.until(|gateway| gateway.held() == 1).await;
    running.gateway.resolve_next(false);
    assert!(!client.accepted(id).await.unwrap());
    running.gateway.hold_receipts(false);
    let id = client.send_data(EVENTS, b"2").await.unwrap();
    assert!(client.accepted(id).await.unwrap());
}

#[tokio::test]
async fn large_messages_come_in_parts_and_too_large_ones_are_refused() {
    let running = start().await;
    let mut client = client(&running, "d").await;
    let body: Vec<u8> = (0..255 << 10).map(|n| n as u8).collect();
    let id = client.send_data(EVENTS, &body).await.unwrap();
    assert!(client.accepted(id).await.unwrap());
    assert_eq!(running.gateway.published()[0].body(), body);
    let id = client.send_data(EVENTS, &vec![0; 300 << 10]).await.unwrap();
    assert!(!client.accepted(id).await.unwrap());
    assert_eq!(running.gateway.incidents(), [IncidentKind::Oversize]);
}

#[tokio::test]
async fn several_identities_share_a_connection_and_none_reaches_another() {
    let running = start().await;
    let mut client = client(&running, "a").await;
    assert!(!client.attach_sender(9, &amqp_address(&who("b"), "messages/events")).await.unwrap());
    assert_eq!(running.gateway.incidents(), [IncidentKind::ForeignTopic]);
    assert_eq!(client.put_token(&audience("b"), FakeGateway::TOKEN).await.unwrap(), 200);
    assert!(client.attach_sender(10, &amqp_address(&who("b"), "messages/events")).await.unwrap());
    let id = client.send_data(10, b"b").await.unwrap();
    assert!(client.accepted(id).await.unwrap());
    let sender = |message: &Message| message.system().value(SystemKey::ConnectionDeviceId).map(str::to_owned);
    assert_eq!(sender(&running.gateway.published()[0]).as_deref(), Some("b"));
    // One identity ends, the other goes on.
    running.gateway.close(&who("b"), CloseReason::Revoked);
    assert_eq!(
        client.event().await.unwrap(),
        AmqpEvent::Detached { handle: 10, condition: "amqp:unauthorized-access".to_owned() }
    );
    let id = client.send_data(EVENTS, b"a").await.unwrap();
    assert!(client.accepted(id).await.unwrap());
    assert_eq!(running.gateway.sessions(), 1);
}

#[tokio::test]
async fn a_newer_token_takes_the_place_of_the_older_one() {
    let running = start().await;
    let mut client = client(&running, "d").await;
    assert!(client.attach_receiver(BOUND, &amqp_address(&who("d"), "messages/devicebound")).await.unwrap());
    assert_eq!(client.put_token(&audience("d"), FakeGateway::TOKEN).await.unwrap(), 200);
    assert_eq!((running.gateway.opened(), running.gateway.sessions()), (2, 1));
    running.gateway.until(|gateway| gateway.feeds(&who("d")).contains(Feed::CloudToDevice)).await;
    let message = Message::builder(&Source::telemetry()).body(b"x").build();
    running.gateway.deliver(&who("d"), Channel::CloudToDevice, message).unwrap();
    assert_eq!(client.receive(BOUND).await.unwrap().1, Bytes::from_static(b"x"));
    let id = client.send_data(EVENTS, b"1").await.unwrap();
    assert!(client.accepted(id).await.unwrap());
    assert_eq!(running.gateway.incidents(), []);
}

#[tokio::test]
async fn wrong_tokens_are_answered_with_401_and_nonsense_with_400() {
    let running = start().await;
    let mut client = AmqpClient::dial(running.address).await.unwrap();
    client.open().await.unwrap();
    assert_eq!(client.put_token(&audience("d"), "wrong").await.unwrap(), 401);
    assert_eq!(client.put_token("hub.local/devices/a b", "wrong").await.unwrap(), 400);
    assert_eq!(client.put_token("hub.local", "a policy's, and there is no service API").await.unwrap(), 401);
    assert_eq!(running.gateway.sessions(), 0);
}

#[tokio::test]
async fn mechanisms_of_sasl() {
    let running = start().await;
    for (mechanism, response, code) in [
        ("ANONYMOUS", String::new(), 0),
        ("MSSBCBS", String::new(), 0),
        ("PLAIN", format!("\0d@sas.hub\0{}", FakeGateway::TOKEN), 0),
        ("PLAIN", "\0d@sas.hub\0wrong".to_owned(), 1),
        ("EXTERNAL", String::new(), 1),
        ("OTHER", String::new(), 1),
    ] {
        let mut client = AmqpClient::dial(running.address).await.unwrap();
        assert_eq!(client.sasl(mechanism, response.as_bytes()).await.unwrap(), code, "{mechanism}");
        if mechanism == "PLAIN" && code == 0 {
            client.open().await.unwrap();
            assert!(client.attach_sender(EVENTS, "/devices/d/messages/events").await.unwrap());
        }
    }
}

#[tokio::test]
async fn deliveries_are_settled_as_the_client_says() {
    let running = start().await;
    let mut client = client(&running, "d").await;
    assert!(client.attach_receiver(BOUND, &amqp_address(&who("d"), "messages/devicebound")).await.unwrap());
    for (accept, expected) in
        [(Some(true), Settlement::Accept), (Some(false), Settlement::Reject), (None, Settlement::Release)]
    {
        let message = Message::builder(&Source::telemetry()).body(b"x").build();
        let tag = running.gateway.deliver(&who("d"), Channel::CloudToDevice, message).unwrap();
        let (id, body) = client.receive(BOUND).await.unwrap();
        assert_eq!(body, Bytes::from_static(b"x"));
        client.settle(id, accept).await.unwrap();
        running.gateway.until(|gateway| gateway.settled().last() == Some(&(tag, expected))).await;
    }
}

#[tokio::test]
async fn twins_and_methods_go_both_ways() {
    let running = start().await;
    let mut client = client(&running, "d").await;
    let pair = (10, 11);
    for topic in ["twin", "methods/devicebound"] {
        let handle = if topic == "twin" { 10 } else { 20 };
        assert!(client.attach_sender(handle, &amqp_address(&who("d"), topic)).await.unwrap());
        assert!(client.attach_receiver(handle + 1, &amqp_address(&who("d"), topic)).await.unwrap());
    }
    assert_eq!(client.twin(pair, "GET", "", b" ").await.unwrap().0, 200);
    assert_eq!(client.twin(pair, "PATCH", "/properties/reported", b"{\"a\":1}").await.unwrap().0, 204);
    assert_eq!(client.twin(pair, "PUT", "/notifications/twin/properties/desired", b"").await.unwrap().0, 200);
    assert_eq!(client.twin(pair, "DROP", "", b"").await.unwrap().0, 400);
    let report = TwinRequest::Report(Bytes::from_static(b"{\"a\":1}"));
    assert_eq!(running.gateway.twin_requests(), [TwinRequest::Read, report]);

    running.gateway.desire(&who("d"), 4, &Bytes::from_static(b"{\"$version\":4}"));
    assert_eq!(client.receive(11).await.unwrap().1, Bytes::from_static(b"{\"$version\":4}"));
    running.gateway.call(&who("d"), MethodCall::new(9, "reboot".to_owned(), "{}".into()));
    let call = loop {
        if let AmqpEvent::Message { handle: 21, bytes, .. } = client.event().await.unwrap() {
            break bytes;
        }
    };
    assert_eq!(amqp_body(&call), Some(&b"{}"[..]));
    client.answer_method(20, &call, 200, b"[]").await.unwrap();
    running.gateway.until(|gateway| gateway.method_answers() == [(9, MethodAnswer::new(200, "[]"))]).await;
}

#[tokio::test]
async fn the_newer_connection_wins() {
    let running = start().await;
    let mut first = client(&running, "d").await;
    let mut second = client(&running, "d").await;
    assert_eq!(first.closed().await.unwrap(), "amqp:resource-locked");
    let id = second.send_data(EVENTS, b"1").await.unwrap();
    assert!(second.accepted(id).await.unwrap());
    assert_eq!(second.close().await.unwrap(), "");
    running.gateway.until(|gateway| gateway.sessions() == 0).await;
}

#[tokio::test]
async fn transfers_that_nobody_has_room_for_wait() {
    let running =
        start_with(TransportLimits { max_unacknowledged_messages: 2, ..TransportLimits::default() }).await;
    let mut client = client(&running, "d").await;
    running.gateway.hold_receipts(true);
    let mut out = Vec::new();
    for _ in 0..5 {
        client.put_transfers(EVENTS, &[0x00, 0x53, 0x75, 0xa0, 0], None, &mut out);
    }
    client.send_bytes(&out).await.unwrap();
    for taken in [2, 4, 5] {
        running.gateway.until(|gateway| gateway.published().len() >= taken).await;
        assert_eq!(running.gateway.published().len(), taken);
        while running.gateway.held() > 0 {
            running.gateway.resolve_next(true);
        }
    }
    assert!(client.accepted(4).await.unwrap());
}

#[tokio::test]
async fn nonsense_is_refused_with_a_condition() {
    let running = start().await;
    for (bytes, expected) in [
        (vec![0xff; 20], "amqp:connection:framing-error"),
        (vec![0, 0, 0, 4, 2, 0, 0, 0], "amqp:connection:framing-error"),
        (vec![0, 0, 0, 12, 2, 0, 0, 0, 0x00, 0x53, 0x99, 0x45], "amqp:connection:framing-error"),
    ] {
        let mut client = AmqpClient::dial(running.address).await.unwrap();
        client.open().await.unwrap();
        client.send_bytes(&bytes).await.unwrap();
        assert_eq!(client.closed().await.unwrap(), expected);
    }
    assert_eq!(running.gateway.incidents(), [IncidentKind::Malformed; 3]);
}
