//! MQTT over WebSockets, on loopback.

mod common;

use common::{Running, run};
use edge_core::IncidentKind;
use edge_transport::mqtt::packet::{Connect, ConnectCode, Packet, Publish, Quality, v4};
use edge_transport::testing::FakeGateway;
use edge_transport::{Resources, TransportLimits, WebListener};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn start() -> Running {
    let resources = Resources::new(TransportLimits::default());
    let listener = WebListener::bind("127.0.0.1:0", &resources).await.unwrap();
    run(listener, resources)
}

/// Sends a request, and returns the head of the answer.
async fn request(stream: &mut TcpStream, path: &str) -> String {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(answer).unwrap()
}

async fn connect(running: &Running) -> TcpStream {
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let answer = request(&mut stream, "/$iothub/websocket").await;
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    stream
}

fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [1, 2, 3, 4];
    let mut frame = match u8::try_from(payload.len()) {
        Ok(len @ ..=125) => vec![first, 0x80 | len],
        _ => {
            let [high, low] = u16::try_from(payload.len()).unwrap().to_be_bytes();
            vec![first, 0x80 | 126, high, low]
        }
    };
    frame.extend_from_slice(&mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// Reads one frame of at most 125 bytes.
async fn frame(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let first = stream.read_u8().await.unwrap();
    let mut payload = vec![0; stream.read_u8().await.unwrap().into()];
    stream.read_exact(&mut payload).await.unwrap();
    (first, payload)
}

fn hello() -> Vec<u8> {
    let mut bytes = Vec::new();
    let connect = Connect {
        client_id: "d",
        clean_session: false,
        keep_alive_secs: 60,
        will: None,
        user_name: Some("hub.local/d/?api-version=2021-04-12"),
        password: Some(FakeGateway::TOKEN.as_bytes()),
    };
    v4::encode(&Packet::Connect(connect), &mut bytes).unwrap();
    bytes
}

#[tokio::test]
async fn packets_may_span_and_share_frames() {
    let running = start().await;
    let mut stream = connect(&running).await;
    let mut bytes = hello();
    let id = 1.try_into().unwrap();
    let topic = "devices/d/messages/events/";
    let publish =
        Publish { topic, quality: Quality::AtLeastOnce(id), dup: false, retain: false, payload: b"21.5" };
    v4::encode(&Packet::Publish(publish), &mut bytes).unwrap();
    let (first, second) = bytes.split_at(10);
    stream.write_all(&masked(0x02, first)).await.unwrap();
    stream.write_all(&masked(0x89, b"are you there")).await.unwrap();
    assert_eq!(frame(&mut stream).await, (0x8a, b"are you there".to_vec()));
    stream.write_all(&masked(0x80, second)).await.unwrap();
    let (mut kind, mut answers) = (0, Vec::new());
    while answers.len() < 8 {
        let (first, payload) = frame(&mut stream).await;
        kind = first;
        answers.extend(payload);
    }
    assert_eq!(kind, 0x82);
    assert_eq!(
        v4::decode(&answers[..4]),
        Ok(Packet::ConnAck { session_present: false, code: ConnectCode::Accepted })
    );
    assert_eq!(v4::decode(&answers[4..]), Ok(Packet::PubAck(id)));
    assert_eq!(running.gateway.published()[0].body(), b"21.5");
    stream.write_all(&masked(0x88, &[3, 232])).await.unwrap();
    assert_eq!(frame(&mut stream).await.0, 0x88);
    running.gateway.until(|gateway| gateway.sessions() == 0).await;
}

#[tokio::test]
async fn other_paths_are_not_found() {
    let running = start().await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    assert!(request(&mut stream, "/devices/d").await.starts_with("HTTP/1.1 404 "));
}

#[tokio::test]
async fn frames_without_a_mask_are_reported_and_closed() {
    let running = start().await;
    let mut stream = connect(&running).await;
    stream.write_all(&[0x82, 1, 0x10]).await.unwrap();
    running.gateway.until(|gateway| gateway.incidents() == [IncidentKind::Malformed]).await;
}

#[tokio::test]
async fn a_head_without_end_is_reported_and_closed() {
    let running = start().await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    // The server may close before all is written.
    let _written = stream.write_all(&[b'x'; 40_000]).await;
    running.gateway.until(|gateway| gateway.incidents() == [IncidentKind::Malformed]).await;
}
