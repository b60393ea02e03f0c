//! A small MQTT client.

use std::io;
use std::num::NonZeroU16;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::mqtt::packet::{Connect, ConnectCode, FiltersBuf, Packet, Publish, QoS, Quality, v4};

mod requests;

/// The largest packet that the client takes.
const MAX_PACKET_BYTES: usize = 1 << 20;

/// A small MQTT 3.1.1 client over any byte stream, for tests, end-to-end checks and benches.
///
/// It writes each packet at once and reads one packet at a time; nothing happens in the background.
///
/// # Examples
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// use edge_transport::mqtt::packet::{ConnectCode, Packet};
/// use edge_transport::testing::{FakeGateway, MqttClient};
/// use edge_transport::{Listener, MqttListener, Resources, Stop, TransportLimits};
///
/// let listener = MqttListener::bind("127.0.0.1:0", &Resources::new(TransportLimits::default())).await?;
/// let address = listener.local_addr().expect("it listens on an IP address");
/// let (stopper, stop) = Stop::pair();
/// let serving = Box::new(listener).serve(std::sync::Arc::new(FakeGateway::new()), stop);
/// let talking = async {
///     let mut client = MqttClient::dial(address).await?;
///     assert_eq!(client.connect("press-7", FakeGateway::TOKEN).await?, ConnectCode::Accepted);
///     let id = client.publish("devices/press-7/messages/events/", b"21.5").await?;
///     assert!(client.receive(|packet| packet == Packet::PubAck(id)).await?);
///     drop((client, stopper));
///     Ok::<(), std::io::Error>(())
/// };
/// let (served, talked) = tokio::join!(serving, talking);
/// served?;
/// talked?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct MqttClient<S = TcpStream> {
    stream: S,
    received: Vec<u8>,
    used: usize,
    next_id: u16,
}

impl MqttClient<TcpStream> {
    /// Connects the socket.
    ///
    /// # Errors
    /// What the operating system says.
    ///
    /// # Cancel safety
    /// Cancel-safe: nothing happened.
    pub async fn dial(address: std::net::SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self::over(stream))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> MqttClient<S> {
    /// Returns a client over a stream that is connected already.
    #[must_use]
    pub fn over(stream: S) -> Self {
        Self { stream, received: Vec::new(), used: 0, next_id: 0 }
    }

    /// Says hello as the identity `id`, by the user name that an SDK would use, and returns the answer.
    ///
    /// # Errors
    /// What the socket says, or that the answer is no CONNACK.
    ///
    /// # Cancel safety
    /// Not cancel-safe: part of the CONNECT may have been sent.
    pub async fn connect(&mut self, id: &str, token: &str) -> io::Result<ConnectCode> {
        let user_name = format!("hub.local/{id}/?api-version=2021-04-12");
        let connect = Connect {
            client_id: id,
            clean_session: false,
            keep_alive_secs: 60,
            will: None,
            user_name: Some(&user_name),
            password: Some(token.as_bytes()),
        };
        self.send(&Packet::Connect(connect)).await?;
        let code = |packet: Packet<'_>| match packet {
            Packet::ConnAck { code, .. } => Some(code),
            _ => None,
        };
        self.receive(code).await?.ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// Sends a message with QoS 1, and returns its packet identifier.
    ///
    /// # Errors
    /// What the socket says.
    ///
    /// # Cancel safety
    /// Not cancel-safe: part of the packet may have been sent.
    pub async fn publish(&mut self, topic: &str, payload: &[u8]) -> io::Result<NonZeroU16> {
        let id = self.id();
        let quality = Quality::AtLeastOnce(id);
        self.send(&Packet::Publish(Publish { topic, quality, dup: false, retain: false, payload })).await?;
        Ok(id)
    }

    /// Subscribes to one filter with QoS 1, and returns the packet identifier; the answer is for the caller to await.
    ///
    /// # Errors
    /// What the socket says.
    ///
    /// # Cancel safety
    /// Not cancel-safe: part of the packet may have been sent.
    pub async fn subscribe(&mut self, filter: &str) -> io::Result<NonZeroU16> {
        let packet_id = self.id();
        let mut filters = FiltersBuf::for_subscribe();
        filters.push(filter, QoS::AtLeastOnce).map_err(io::Error::other)?;
        self.send(&Packet::Subscribe { packet_id, filters: filters.as_filters() }).await?;
        Ok(packet_id)
    }

    /// Sends a packet.
    ///
    /// # Errors
    /// What the socket says, or that the packet cannot be written.
    ///
    /// # Cancel safety
    /// Not cancel-safe: part of the packet may have been sent.
    pub async fn send(&mut self, packet: &Packet<'_>) -> io::Result<()> {
        let mut bytes = Vec::new();
        v4::encode(packet, &mut bytes).map_err(io::Error::other)?;
        self.send_bytes(&bytes).await
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// What the socket says.
    ///
    /// # Cancel safety
    /// Not cancel-safe: some of the bytes may have been sent.
    pub async fn send_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// Waits for the next packet, and returns what `look` makes of it.
    ///
    /// # Errors
    /// What the socket says, or that the bytes are no packet; `UnexpectedEof` when the connection was closed.
    ///
    /// # Cancel safety
    /// Cancel-safe: what has arrived is kept.
    pub async fn receive<R>(&mut self, look: impl FnOnce(Packet<'_>) -> R) -> io::Result<R> {
        let total = loop {
            let rest = self.received.get(self.used..).unwrap_or_default();
            let frame = v4::frame(rest, MAX_PACKET_BYTES).map_err(io::Error::other)?;
            if let Some(frame) = frame
                && frame.total_bytes <= rest.len()
            {
                break frame.total_bytes;
            }
            self.received.drain(..std::mem::take(&mut self.used));
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        };
        let bytes = self.received.get(self.used..self.used + total).unwrap_or_default();
        let seen = look(v4::decode(bytes).map_err(io::Error::other)?);
        self.used += total;
        Ok(seen)
    }

    /// Waits until the other side has closed the connection, passing over what it still sends.
    ///
    /// # Errors
    /// None for a connection that is reset: it is closed as well.
    ///
    /// # Cancel safety
    /// Cancel-safe: what has arrived is gone.
    pub async fn closed(&mut self) -> io::Result<()> {
        self.received.clear();
        self.used = 0;
        loop {
            match self.stream.read_buf(&mut self.received).await {
                Ok(0) => return Ok(()),
                Ok(_) => self.received.clear(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(error),
                Err(_) => return Ok(()),
            }
        }
    }

    /// Returns the stream.
    pub fn stream(&mut self) -> &mut S {
        &mut self.stream
    }

    fn id(&mut self) -> NonZeroU16 {
        self.next_id = self.next_id.checked_add(1).unwrap_or(1);
        NonZeroU16::new(self.next_id).unwrap_or(NonZeroU16::MIN)
    }
}
