//! What nobody who means well sends over AMQP: it is bounded, refused, and costs nobody else anything.

mod common;

use std::time::Duration;

use common::{Running, run};
use edge_core::{Channel, IncidentKind, Message, Source};
use edge_transport::testing::{AmqpClient, AmqpEvent, FakeGateway, amqp_address};
use edge_transport::{AmqpListener, Resources, TransportLimits};

const EVENTS: u32 = 5;
const FRAMING: &str = "amqp:connection:framing-error";

async fn start_with(limits: TransportLimits) -> Running {
    let resources = Resources::new(limits);
    run(AmqpListener::bind("127.0.0.1:0", &resources).await.unwrap(), resources)
}

async fn start() -> Running {
    start_with(TransportLimits::default()).await
}

async fn client(running: &Running, id: &str) -> AmqpClient {
    let mut client = AmqpClient::dial(running.address).await.unwrap();
    client.open().await.unwrap();
    let identity = id.parse().unwrap();
    let audience = format!("hub.local{}", amqp_address(&identity, ""));
    assert_eq!(client.put_token(&audience, FakeGateway::TOKEN).await.unwrap(), 200);
    assert!(client.attach_sender(EVENTS, &amqp_address(&identity, "messages/events")).await.unwrap());
    client
}

/// A frame of AMQP with this performative and these fields, each encoded.
fn frame(channel: u16, performative: u8, fields: &[&[u8]], payload: &[u8]) -> Vec<u8> {
    let list = fields.concat();
    let mut body = vec![0x00, 0x53, performative, 0xd0];
    body.extend(u32::try_from(list.len() + 4).unwrap().to_be_bytes());
    body.extend(u32::try_from(fields.len()).unwrap().to_be_bytes());
    body.extend(list);
    body.extend(payload);
    let mut frame = u32::try_from(body.len() + 8).unwrap().to_be_bytes().to_vec();
    frame.extend([2, 0]);
    frame.extend(channel.to_be_bytes());
    frame.extend(body);
    frame
}

fn uint(value: u32) -> Vec<u8> {
    [&[0x70][..], &value.to_be_bytes()].concat()
}

/// A TRANSFER on the link for telemetry.
fn transfer(id: u32, more: bool, payload: &[u8]) -> Vec<u8> {
    let more = if more { 0x41 } else { 0x42 };
    frame(0, 0x14, &[&uint(EVENTS), &uint(id), &[0xa0, 1, 1], &[0x43], &[0x42], &[more]], payload)
}

/// Somebody who means well goes on all the while.
async fn goes_on(innocent: &mut AmqpClient) {
    let id = innocent.send_data(EVENTS, b"still here").await.unwrap();
    assert!(innocent.accepted(id).await.unwrap());
}

#[tokio::test]
async fn frames_that_nobody_agreed_on_close_the_connection() {
    let running = start().await;
    let mut innocent = client(&running, "innocent").await;
    let name = [0xa1, 1, b'x'];
    let large = frame(0, 0x14, &[&uint(EVENTS)], &vec![0; 70_000]);
    let absurd: [(&str, Vec<u8>); 8] = [
        ("larger than max-frame-size", large),
        ("a length of 4 GiB", vec![0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0]),
        ("an unknown performative", frame(0, 0x19, &[], b"")),
        ("a channel that is none", frame(9, 0x13, &[], b"")),
        ("a channel above channel-max", frame(5000, 0x11, &[&[0x40], &uint(0), &uint(1), &uint(1)], b"")),
        ("a handle above handle-max", frame(0, 0x12, &[&name, &uint(u32::MAX), &[0x42]], b"")),
        ("a second OPEN", frame(0, 0x10, &[&name], b"")),
        ("fields of other types", frame(0, 0x14, &[&name, &name], b"")),
    ];
    for (n, (what, bytes)) in absurd.into_iter().enumerate() {
        let mut stranger = client(&running, &format!("stranger{n}")).await;
        // What is too large may be refused before all of it is written.
        let _written = stranger.send_bytes(&bytes).await;
        let condition = stranger.closed().await.unwrap();
        assert!(condition == FRAMING || condition.is_empty(), "{what}: {condition}");
        running.gateway.until(|gateway| gateway.incidents().len() == n + 1).await;
        goes_on(&mut innocent).await;
    }
    assert_eq!(running.gateway.incidents(), [IncidentKind::Malformed; 8]);
}

#[tokio::test]
async fn absurd_windows_and_credit_are_taken_as_they_are() {
    let running = start().await;
    let mut stranger = client(&running, "d").await;
    assert!(stranger.attach_receiver(6, "/devices/d/messages/devicebound").await.unwrap());
    let max = uint(u32::MAX);
    let flow: [&[u8]; 7] = [&max, &max, &max, &max, &uint(6), &max, &max];
    stranger.send_bytes(&frame(0, 0x13, &flow, b"")).await.unwrap();
    goes_on(&mut stranger).await;
    assert_eq!(running.gateway.incidents(), []);
}

#[tokio::test]
async fn a_message_without_end_is_refused_at_its_largest() {
    let running = start().await;
    let mut innocent = client(&running, "innocent").await;
    let mut stranger = client(&running, "stranger").await;
    let part = transfer(0, true, &[0; 60_000]);
    for _ in 0..8 {
        stranger.send_bytes(&part).await.unwrap();
    }
    loop {
        if let AmqpEvent::Detached { condition, .. } = stranger.event().await.unwrap() {
            assert_eq!(condition, "amqp:link:message-size-exceeded");
            break;
        }
    }
    assert_eq!(running.gateway.incidents(), [IncidentKind::Oversize]);
    goes_on(&mut innocent).await;
}

#[tokio::test]
async fn many_messages_without_end_share_the_memory_that_there_is() {
    let limits = TransportLimits { max_partial_bytes: 300_000, ..TransportLimits::default() };
    let running = start_with(limits).await;
    let mut strangers = Vec::new();
    for n in 0..8 {
        let mut stranger = client(&running, &format!("stranger{n}")).await;
        stranger.send_bytes(&transfer(0, true, &[0; 60_000])).await.unwrap();
        strangers.push(stranger);
    }
    running.gateway.until(|gateway| gateway.incidents().contains(&IncidentKind::Oversize)).await;
    drop(strangers);
    running.gateway.until(|gateway| gateway.sessions() == 0).await;
    let mut innocent = client(&running, "innocent").await;
    let id = innocent.send_data(EVENTS, &[7; 200_000]).await.unwrap();
    assert!(innocent.accepted(id).await.unwrap(), "the memory is free again");
}

#[tokio::test]
async fn a_client_that_gives_no_credit_gets_no_more_than_its_share() {
    let limits = TransportLimits { max_deliveries: 4, ..TransportLimits::default() };
    let running = start_with(limits).await;
    let mut stranger = client(&running, "d").await;
    assert!(stranger.attach_receiver(6, "/devices/d/messages/devicebound").await.unwrap());
    stranger.give_credit(6, 0, 0).await.unwrap();
    goes_on(&mut stranger).await;
    let message = |n: usize| Message::builder(&Source::telemetry()).body(n.to_string().as_bytes()).build();
    for n in 0..100 {
        running.gateway.deliver(&"d".parse().unwrap(), Channel::CloudToDevice, message(n)).unwrap();
    }
    goes_on(&mut stranger).await;
    assert_eq!(running.gateway.settled(), [], "what it has no credit for waits");
    stranger.give_credit(6, 0, 1000).await.unwrap();
    for n in 0..100 {
        let (id, body) = stranger.receive(6).await.unwrap();
        assert_eq!(body, n.to_string().as_bytes());
        stranger.settle(id, Some(true)).await.unwrap();
    }
    running.gateway.until(|gateway| gateway.settled().len() == 100).await;
}

#[tokio::test]
async fn a_flood_of_tokens_ends_who_does_not_read_the_answers() {
    let limits = TransportLimits { max_urgent_bytes: 64 << 10, ..TransportLimits::default() };
    let running = start_with(limits).await;
    let mut innocent = client(&running, "innocent").await;
    let mut stranger = AmqpClient::dial(running.address).await.unwrap();
    stranger.open().await.unwrap();
    assert!(stranger.attach_sender(1, "$cbs").await.unwrap());
    assert!(stranger.attach_receiver(2, "$cbs").await.unwrap());
    // Its answers are never asked for.
    stranger.give_credit(2, 0, 0).await.unwrap();
    let nonsense = [0x00, 0x53, 0x77, 0xa1, 1, b'x'];
    while stranger.send_raw(1, &nonsense, None).await.is_ok() {}
    running.gateway.until(|gateway| gateway.incidents().contains(&IncidentKind::Stalled)).await;
    goes_on(&mut innocent).await;
}

#[tokio::test]
async fn a_connection_has_only_so_many_links() {
    let running = start().await;
    let mut stranger = AmqpClient::dial(running.address).await.unwrap();
    stranger.open().await.unwrap();
    let mut refused = 0;
    for handle in 0..12 {
        refused += u32::from(!stranger.attach_sender(handle, "$cbs").await.unwrap());
    }
    assert_eq!(refused, 4, "who was not let in needs no more than eight");
    assert_eq!(running.gateway.incidents(), [IncidentKind::TooManyConnections; 4]);
}

#[tokio::test]
async fn a_frame_or_message_that_never_ends_is_given_up() {
    let limits = TransportLimits { packet_timeout: Duration::from_millis(200), ..TransportLimits::default() };
    let running = start_with(limits).await;
    let mut innocent = client(&running, "innocent").await;
    let empty_parts = transfer(0, true, b"").repeat(50);
    let half_a_frame = transfer(0, true, &[0; 100])[..50].to_vec();
    for (n, (what, bytes)) in
        [("empty parts", empty_parts), ("half a frame", half_a_frame)].into_iter().enumerate()
    {
        let mut stranger = client(&running, &format!("stranger{n}")).await;
        stranger.send_bytes(&bytes).await.unwrap();
        assert_eq!(stranger.closed().await.unwrap(), "amqp:resource-limit-exceeded", "{what}");
        goes_on(&mut innocent).await;
    }
    assert_eq!(running.gateway.incidents(), [IncidentKind::Timeout; 2]);
}

#[tokio::test]
async fn a_connection_has_only_so_many_identities() {
    let running = start().await;
    let mut stranger = AmqpClient::dial(running.address).await.unwrap();
    stranger.open().await.unwrap();
    for n in 0..1024 {
        let audience = format!("hub.local/devices/d{n}");
        assert_eq!(stranger.put_token(&audience, FakeGateway::TOKEN).await.unwrap(), 200, "{n}");
        if n == 500 {
            stranger.give_credit(1, 501, 1000).await.unwrap();
        }
    }
    let one_more = stranger.put_token("hub.local/devices/more", FakeGateway::TOKEN).await.unwrap();
    assert_eq!((one_more, running.gateway.sessions()), (429, 1024));
    // Those that it has go on, and may be renewed.
    assert_eq!(stranger.put_token("hub.local/devices/d7", FakeGateway::TOKEN).await.unwrap(), 200);
    assert!(stranger.attach_sender(EVENTS, "/devices/d7/messages/events").await.unwrap());
    goes_on(&mut stranger).await;
    assert_eq!(running.gateway.incidents(), [IncidentKind::TooManyConnections]);
}

#[tokio::test]
async fn who_was_let_in_has_only_so_many_links_too() {
    let running = start().await;
    let mut stranger = client(&running, "d").await;
    let (name, none) = ([0xa1, 1, b'x'], [0x40]);
    let address = b"/devices/d/messages/events";
    let mut target = vec![0x00, 0x53, 0x29, 0xc0, u8::try_from(address.len() + 3).unwrap(), 1, 0xa1];
    target.push(u8::try_from(address.len()).unwrap());
    target.extend(address);
    let attach = |channel: u16, handle: u32| {
        let sender = [0x42];
        let count = uint(0);
        let handle = uint(handle);
        let fields: [&[u8]; 10] =
            [&name, &handle, &sender, &none, &none, &none, &target, &none, &none, &count];
        frame(channel, 0x12, &fields, b"")
    };
    // A second session, since one has no more than 8192 handles.
    stranger.send_bytes(&frame(1, 0x11, &[&none, &uint(0), &uint(100), &uint(100)], b"")).await.unwrap();
    let mut links = 3;
    let (mut refused, mut detached) = (0, 0);
    'all: for first in (10..8190).step_by(60) {
        let (channels, step) = ([0, 1], 60);
        for channel in channels {
            let bytes: Vec<u8> = (first..first + step).flat_map(|handle| attach(channel, handle)).collect();
            stranger.send_bytes(&bytes).await.unwrap();
            let mut answers = 0;
            while answers < step {
                match stranger.event().await.unwrap() {
                    AmqpEvent::Attached { accepted: true, .. } => (links, answers) = (links + 1, answers + 1),
                    AmqpEvent::Attached { .. } => (refused, answers) = (refused + 1, answers + 1),
                    AmqpEvent::Detached { .. } => detached += 1,
                    _ => {}
                }
            }
            if refused > 0 {
                break 'all;
            }
        }
    }
    while detached < refused {
        detached += usize::from(matches!(stranger.event().await.unwrap(), AmqpEvent::Detached { .. }));
    }
    assert_eq!(links, 8192);
    goes_on(&mut stranger).await;
    assert_eq!(running.gateway.incidents(), vec![IncidentKind::TooManyConnections; refused]);
}
