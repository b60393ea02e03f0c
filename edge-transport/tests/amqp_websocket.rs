//! AMQP over WebSockets, on loopback: whole frames, fragments with pings in between, and nonsense.

mod common;

use common::{Running, run};
use edge_core::IncidentKind;
use edge_transport::testing::{AmqpClient, FakeGateway};
use edge_transport::{Resources, TransportLimits, WebListener};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::net::TcpStream;

const EVENTS: &str = "/devices/d/messages/events";

async fn start() -> Running {
    let resources = Resources::new(TransportLimits::default());
    run(WebListener::bind("127.0.0.1:0", &resources).await.unwrap(), resources)
}

/// Connects a WebSocket for AMQP.
async fn upgraded(running: &Running) -> TcpStream {
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let request = "GET /$iothub/websocket?iothub-no-client-cert=true HTTP/1.1\r\nHost: localhost\r\n\
         Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: AMQPWSB10\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await.unwrap());
    }
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    assert!(answer.contains("\r\nSec-WebSocket-Protocol: AMQPWSB10\r\n"), "{answer}");
    stream
}

/// Writes a frame of at most 125 bytes.
async fn put(to: &mut (impl AsyncWrite + Unpin), first: u8, payload: &[u8]) -> std::io::Result<()> {
    let mask = [1, 2, 3, 4];
    let mut frame = vec![first, 0x80 | u8::try_from(payload.len()).unwrap()];
    frame.extend(mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    to.write_all(&frame).await
}

/// Reads a frame of the server's.
async fn frame(from: &mut (impl AsyncRead + Unpin)) -> std::io::Result<(u8, Vec<u8>)> {
    let first = from.read_u8().await?;
    let len = match from.read_u8().await? {
        126 => from.read_u16().await?.into(),
        127 => usize::try_from(from.read_u64().await?).unwrap(),
        len => len.into(),
    };
    let mut payload = vec![0; len];
    from.read_exact(&mut payload).await?;
    Ok((first, payload))
}

/// An AMQP client over a WebSocket; with `odd`, every message is three fragments with a ping between them.
async fn client(running: &mut Running, odd: bool) -> AmqpClient<DuplexStream> {
    let (mut from_server, mut to_server) = upgraded(running).await.into_split();
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    let (mut from_client, mut to_client) = tokio::io::split(theirs);
    running.tasks.spawn(async move {
        let mut buffer = [0; 100];
        while let Ok(len @ 1..) = from_client.read(&mut buffer).await {
            let bytes = &buffer[..len];
            if odd {
                let (first, rest) = bytes.split_at(len / 3);
                put(&mut to_server, 0x02, first).await.unwrap();
                put(&mut to_server, 0x89, b"ping").await.unwrap();
                put(&mut to_server, 0x00, b"").await.unwrap();
                put(&mut to_server, 0x80, rest).await.unwrap();
            } else {
                put(&mut to_server, 0x82, bytes).await.unwrap();
            }
        }
    });
    running.tasks.spawn(async move {
        while let Ok((first, payload)) = frame(&mut from_server).await {
            let written = match first {
                0x82 => to_client.write_all(&payload).await,
                0x8a => {
                    assert_eq!(payload, b"ping");
                    Ok(())
                }
                _ => break,
            };
            if written.is_err() {
                break;
            }
        }
    });
    AmqpClient::over(ours)
}

async fn sends(odd: bool) {
    let mut running = start().await;
    let mut client = client(&mut running, odd).await;
    client.open().await.unwrap();
    assert_eq!(client.put_token("hub.local/devices/d", FakeGateway::TOKEN).await.unwrap(), 200);
    assert!(client.attach_sender(5, EVENTS).await.unwrap());
    for body in [&b"21.5"[..], &[7; 100_000]] {
        let id = client.send_data(5, body).await.unwrap();
        assert!(client.accepted(id).await.unwrap());
        assert_eq!(running.gateway.published().last().unwrap().body(), body);
    }
    assert_eq!(client.close().await.unwrap(), "");
    running.gateway.until(|gateway| gateway.sessions() == 0).await;
    assert_eq!(running.gateway.incidents(), []);
}

#[tokio::test]
async fn messages_are_published_and_settled() {
    sends(false).await;
}

#[tokio::test]
async fn fragments_and_pings_change_nothing() {
    sends(true).await;
}

#[tokio::test]
async fn what_is_not_amqp_is_reported_and_closed() {
    let running = start().await;
    let mut stream = upgraded(&running).await;
    put(&mut stream, 0x82, b"MQTT or so").await.unwrap();
    running.gateway.until(|gateway| gateway.incidents() == [IncidentKind::Malformed]).await;
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
}

#[tokio::test]
async fn odd_frames_of_websockets_are_reported_and_closed() {
    for odd in [&[0x82, 1, 0x10][..], &[0xf2, 0x80, 0, 0, 0, 0], &[0x89, 0xfe, 1, 0, 0, 0, 0, 0]] {
        let running = start().await;
        let mut stream = upgraded(&running).await;
        stream.write_all(odd).await.unwrap();
        running.gateway.until(|gateway| gateway.incidents() == [IncidentKind::Malformed]).await;
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.unwrap();
    }
}

/// Pings that nobody waits for are not kept: one pong is enough for many.
#[tokio::test]
async fn a_flood_of_pings_is_bounded_and_the_connection_goes_on() {
    let mut running = start().await;
    let mut stream = upgraded(&running).await;
    for _ in 0..10_000 {
        put(&mut stream, 0x89, &[b'x'; 125]).await.unwrap();
    }
    // So are fragments without anything in them.
    put(&mut stream, 0x02, b"AMQP").await.unwrap();
    for _ in 0..10_000 {
        put(&mut stream, 0x00, b"").await.unwrap();
    }
    put(&mut stream, 0x80, b"\x00\x01\x00\x00").await.unwrap();
    let answered = loop {
        let (first, payload) = frame(&mut stream).await.unwrap();
        if first == 0x82 {
            break payload;
        }
        assert_eq!(first, 0x8a);
    };
    assert_eq!(answered, b"AMQP\x00\x01\x00\x00");
    assert_eq!(running.gateway.incidents(), []);
    running.stopper.stop();
    running.tasks.join_next().await.unwrap().unwrap();
}
