//! A small AMQP 1.0 client.

mod frames;
mod requests;

use std::io;

use bytes::{Bytes, BytesMut};
use edge_core::{Identity, Message, MessageBuilder};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::amqp::wire::{
    Attach, Begin, Body, Close, DeliveryState, Disposition, Flow, FrameKind, Map, Open, Performative,
    Protocol, Role, Sections, Terminus, Transfer, Writer, begin_frame, end_frame, write_data,
};
use crate::iothub::amqp::{Author, Reader, read, write};

/// The largest frame that the client takes.
const MAX_FRAME: usize = 64 << 10;
/// The credit that a receiving link gives.
const CREDIT: u32 = 1000;

/// What an [`AmqpClient`] has heard.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AmqpEvent {
    /// A delivery of the client's was settled.
    Settled {
        /// The first delivery of those that were.
        first: u32,
        /// The last one.
        last: u32,
        /// Whether it was accepted.
        accepted: bool,
    },
    /// A message arrived.
    Message {
        /// The link's handle.
        handle: u32,
        /// The delivery's id.
        id: u32,
        /// The message, as it stands on the wire.
        bytes: Bytes,
    },
    /// A link was detached: the condition, or nothing.
    Detached {
        /// The link's handle.
        handle: u32,
        /// The condition of the error.
        condition: String,
    },
    /// The connection was closed: the condition, or nothing.
    Closed(
        /// The condition of the error.
        String,
    ),
    /// A link was attached.
    Attached {
        /// The link's handle.
        handle: u32,
        /// Whether the other side has its end of it.
        accepted: bool,
    },
    /// Something else.
    Other,
}

/// A small AMQP client over any byte stream, for tests, end-to-end checks and benches: one session, and links by handles
/// that the caller chooses.
///
/// It writes each frame at once and reads one frame at a time; nothing happens in the background.
///
/// # Examples
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// use edge_transport::testing::{AmqpClient, FakeGateway};
/// use edge_transport::{AmqpListener, Listener, Resources, Stop, TransportLimits};
///
/// let listener = AmqpListener::bind("127.0.0.1:0", &Resources::new(TransportLimits::default())).await?;
/// let address = listener.local_addr().expect("it listens on an IP address");
/// let (stopper, stop) = Stop::pair();
/// let serving = Box::new(listener).serve(std::sync::Arc::new(FakeGateway::new()), stop);
/// let talking = async {
///     let mut client = AmqpClient::dial(address).await?;
///     client.open().await?;
///     assert_eq!(client.put_token("hub.local/devices/press-7", FakeGateway::TOKEN).await?, 200);
///     assert!(client.attach_sender(5, "/devices/press-7/messages/events").await?);
///     let id = client.send_data(5, b"21.5").await?;
///     assert!(client.accepted(id).await?);
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
pub struct AmqpClient<S = TcpStream> {
    stream: S,
    received: Vec<u8>,
    used: usize,
    next_delivery: u32,
    credit: std::collections::BTreeMap<u32, u32>,
    sent: std::collections::BTreeMap<u32, u32>,
    /// The first transfers of a message whose rest has not arrived.
    partial: Option<(u32, u32, Vec<u8>)>,
    next_incoming: u32,
}

fn invalid(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl AmqpClient<TcpStream> {
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

impl<S: AsyncRead + AsyncWrite + Unpin> AmqpClient<S> {
    /// Returns a client over a stream that is connected already.
    #[must_use]
    pub fn over(stream: S) -> Self {
        Self {
            stream,
            received: Vec::new(),
            used: 0,
            next_delivery: 0,
            credit: std::collections::BTreeMap::new(),
            sent: std::collections::BTreeMap::new(),
            partial: None,
            next_incoming: 0,
        }
    }

    /// Opens the connection and a session, without SASL.
    ///
    /// # Errors
    /// What the socket says, or that the answer is another one.
    ///
    /// # Cancel safety
    /// Not cancel-safe: part of it may have been sent.
    pub async fn open(&mut self) -> io::Result<()> {
        self.send_bytes(&Protocol::Amqp.header()).await?;
        let open = Open { container_id: "test", hostname: Some("hub.local"), ..Open::default() };
        self.perform(&Performative::Open(open)).await?;
        let begin = Begin {
            remote_channel: None,
            next_outgoing_id: 0,
            incoming_window: 2048,
            outgoing_window: 2048,
            handle_max: None,
        };
        self.perform(&Performative::Begin(begin)).await?;
        if self.take(8).await? != Protocol::Amqp.header() {
            return Err(invalid("another header"));
        }
        self.event().await?;
        self.event().await?;
        Ok(())
    }

    /// Attaches a link to send by; returns whether the other side has accepted it.
    ///
    /// # Errors
    /// What the socket says.
    ///
    /// # Cancel safety
    /// Not cancel-safe: part of it may have been sent.
    pub async fn attach_sender(&mut self, handle: u32, address: &str) -> io::Result<bool> {
        self.credit.insert(handle, 0);
        self.attach(handle, Role::Sender, address).await
    }

    /// Attaches a link to receive by, with credit; returns whether the other side has accepted it.
    ///
    /// # Errors
    /// What the socket says.
    ///
    /// # Cancel safety
    /// Not cancel-safe: part of it may have been sent.
    pub async fn attach_receiver(&mut self, handle: u32, address: &str) -> io::Result<bool> {
        let accepted = self.attach(handle, Role::Receiver, address).await?;
        if accepted {
            self.give_credit(handle, 0, CREDIT).await?;
        }
        Ok(accepted)
    }

    /// Gives credit to a link by which `received` messages have come.
    ///
    /// # Errors
    /// What the socket says.
    ///
    /// # Cancel safety
    /// Not cancel-safe: part of it may have been sent.
    pub async fn give_credit(&mut self, handle: u32, received: u32, credit: u32) -> io::Result<()> {
        let flow = Flow {
            next_incoming_id: Some(self.next_incoming),
            incoming_window: 2048,
            outgoing_window: 2048,
            handle: Some(handle),
            delivery_count: Some(received),
            link_credit: Some(credit),
            ..Flow::default()
        };
        self.perform(&Performative::Flow(flow)).await
    }

    async fn attach(&mut self, handle: u32, role: Role, address: &str) -> io::Result<bool> {
        let (mut source, mut target) = (Vec::new(), Vec::new());
        Terminus::source(address, &mut source);
        Terminus::target(address, &mut target);
        let terminus = |raw| Some(Terminus { address: None, dynamic: false, raw });
        let attach = Attach {
            name: &format!("{role:?}-{handle}"),
            handle,
            role,
            snd_settle_mode: None,
            rcv_settle_mode: None,
            source: terminus(&source),
            target: terminus(&target),
            initial_delivery_count: (role == Role::Sender).then_some(0),
            max_message_size: None,
            properties: Map::default(),
        };
        self.perform(&Performative::Attach(attach)).await?;
        loop {
            match self.event().await? {
                AmqpEvent::Attached { handle: other, accepted } if other == handle => return Ok(accepted),
                AmqpEvent::Closed(condition) => {
                    return Err(io::Error::new(io::ErrorKind::ConnectionAborted, condition));
                }
                _ => {}
            }
        }
    }

    /// Sends a message with nothing but a body, once there is credit, and returns the delivery's id.
    ///
    /// # Errors
    /// What the socket says.
    ///
    /// # Cancel safety
    /// Not cancel-safe: part of it may have been sent.
    pub async fn send_data(&mut self, handle: u32, body: &[u8]) -> io::Result<u32> {
        let mut bytes = Vec::new();
        write_data(&mut Writer::new(&mut bytes), body);
        self.send_raw(handle, &bytes, None).await
    }

    /// Sends a message with its properties, once there is credit, and returns the delivery's id.
    ///
    /// # Errors
    /// What the socket says.
    ///
    /// # Cancel safety
    /// Not cancel-safe: part of it may have been sent.
    pub async fn send_message(&mut self, handle: u32, message: &Message) -> io::Result<u32> {
        let mut bytes = Vec::new();
        write(message, Reader::Broker, None, &mut bytes);
        self.send_raw(handle, &bytes, None).await
    }

    /// Sends a message that is encoded already, of this format, once there is credit; returns the delivery's id.
    ///
    /// # Errors
    /// What the socket says.
    ///
    /// # Cancel safety
    /// Not cancel-safe: part of it may have been sent.
    pub async fn send_raw(&mut self, handle: u32, bytes: &[u8], format: Option<u32>) -> io::Result<u32> {
        while self.credit.get(&handle).is_none_or(|credit| *credit == 0) {
            match self.event().await? {
                AmqpEvent::Closed(condition) => {
                    return Err(io::Error::new(io::ErrorKind::ConnectionAborted, condition));
                }
                AmqpEvent::Detached { .. } => return Err(io::ErrorKind::ConnectionAborted.into()),
                _ => {}
            }
        }
        let mut out = Vec::new();
        let id = self.put_transfers(handle, bytes, format, &mut out);
        self.send_bytes(&out).await?;
        Ok(id)
    }

    /// Writes the transfers of a message to the end of `out`, without regard for credit, and returns the delivery's id.
    pub fn put_transfers(
        &mut self,
        handle: u32,
        bytes: &[u8],
        format: Option<u32>,
        out: &mut Vec<u8>,
    ) -> u32 {
        let id = self.next_delivery;
        self.next_delivery = id.wrapping_add(1);
        *self.sent.entry(handle).or_default() += 1;
        if let Some(credit) = self.credit.get_mut(&handle) {
            *credit = credit.saturating_sub(1);
        }
        let tag = id.to_be_bytes();
        let mut parts = bytes.chunks(MAX_FRAME - 100).peekable();
        let mut first = true;
        while let Some(payload) = parts.next() {
            let transfer = Transfer {
                handle,
                delivery_id: first.then_some(id),
                delivery_tag: first.then_some(&tag[..]),
                message_format: if first { Some(format.unwrap_or(0)) } else { None },
                settled: None,
                more: parts.peek().is_some(),
                aborted: false,
                payload,
            };
            first = false;
            put_frame(&Performative::Transfer(transfer), out);
        }
        id
    }

    /// Waits until a delivery is settled; `false` when it is refused, or its link or the connection ends first.
    ///
    /// # Errors
    /// What the socket says.
    ///
    /// # Cancel safety
    /// Cancel-safe: what has arrived is kept, but for what was passed over.
    pub async fn accepted(&mut self, id: u32) -> io::Result<bool> {
        loop {
            match self.event().await? {
                AmqpEvent::Settled { first, last, accepted } if (first..=last).contains(&id) => {
                    return Ok(accepted);
                }
                AmqpEvent::Detached { .. } | AmqpEvent::Closed(_) => return Ok(false),
                _ => {}
            }
        }
    }

    /// Waits for the next message on a link, and returns the delivery's id and the body; what else arrives before it is
    /// passed over.
    ///
    /// # Errors
    /// What the socket says, and `ConnectionAborted` when the link or the connection ends first.
    ///
    /// # Cancel safety
    /// Cancel-safe: what has arrived is kept, but for what was passed over.
    pub async fn receive(&mut self, handle: u32) -> io::Result<(u32, Bytes)> {
        loop {
            match self.event().await? {
                AmqpEvent::Message { handle: other, id, bytes } if other == handle => {
                    let sections = Sections::read(&bytes).map_err(invalid)?;
                    let mut buffer = Vec::new();
                    let body =
                        sections.body_bytes(&mut buffer).ok_or_else(|| invalid("a body that is no bytes"))?;
                    return Ok((id, Bytes::copy_from_slice(body)));
                }
                AmqpEvent::Detached { .. } | AmqpEvent::Closed(_) => {
                    return Err(io::ErrorKind::ConnectionAborted.into());
                }
                _ => {}
            }
        }
    }

    /// Settles a delivery: `Some(true)` accepts, `Some(false)` rejects, `None` releases it.
    ///
    /// # Errors
    /// What the socket says.
    ///
    /// # Cancel safety
    /// Not cancel-safe: part of it may have been sent.
    pub async fn settle(&mut self, id: u32, accept: Option<bool>) -> io::Result<()> {
        let state = match accept {
            Some(true) => DeliveryState::Accepted,
            Some(false) => DeliveryState::Rejected(None),
            None => DeliveryState::Released,
        };
        let disposition =
            Disposition { role: Role::Receiver, first: id, last: None, settled: true, state: Some(state) };
        self.perform(&Performative::Disposition(disposition)).await
    }

    /// Closes the connection in order, and waits for the answer.
    ///
    /// # Errors
    /// What the socket says.
    ///
    /// # Cancel safety
    /// Not cancel-safe: part of it may have been sent.
    pub async fn close(&mut self) -> io::Result<String> {
        self.perform(&Performative::Close(Close { error: None })).await?;
        self.closed().await
    }

    /// Waits until the other side closes the connection, and returns the condition of its CLOSE; nothing without one.
    ///
    /// # Errors
    /// None for a connection that is reset: it is closed as well.
    ///
    /// # Cancel safety
    /// Cancel-safe: what has arrived is gone.
    pub async fn closed(&mut self) -> io::Result<String> {
        loop {
            match self.event().await {
                Ok(AmqpEvent::Closed(condition)) => return Ok(condition),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(error),
                Err(_) => return Ok(String::new()),
            }
        }
    }
}

/// The address of what belongs to an identity: `messages/events`, `twin` and so on.
///
/// # Examples
/// ```
/// use edge_transport::testing::amqp_address;
///
/// assert_eq!(amqp_address(&"e/m".parse()?, "twin"), "/devices/e/modules/m/twin");
/// # Ok::<(), edge_core::IdError>(())
/// ```
#[must_use]
pub fn amqp_address(identity: &Identity, topic: &str) -> String {
    match identity.module() {
        Some(module) => format!("/devices/{}/modules/{module}/{topic}", identity.device()),
        None => format!("/devices/{}/{topic}", identity.device()),
    }
}

/// Returns the body of a message on the wire, when it has one data section.
#[must_use]
pub fn amqp_body(message: &[u8]) -> Option<&[u8]> {
    match Sections::read(message).ok()?.body {
        Body::Data(body) => Some(body),
        _ => None,
    }
}

/// Returns the message that these bytes are when a client sends them; nothing when they are none.
#[must_use]
pub fn amqp_decoded(bytes: &[u8]) -> Option<Message> {
    message_by(bytes, Author::Client)
}

/// Returns the message that these bytes are when a gateway sends them; nothing when they are none.
#[must_use]
pub fn amqp_received(bytes: &[u8]) -> Option<Message> {
    message_by(bytes, Author::Trusted)
}

fn message_by(bytes: &[u8], author: Author) -> Option<Message> {
    let sections = Sections::read(bytes).ok()?;
    let mut builder = MessageBuilder::new("/messages/");
    read(&sections, author, &mut builder).ok()?;
    let mut buffer = Vec::new();
    let body = sections.body_bytes(&mut buffer)?;
    Some(builder.finish(&mut BytesMut::new(), body))
}

/// Returns a message as a client is sent it.
#[must_use]
pub fn amqp_encoded(message: &Message) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(message, Reader::Client, None, &mut bytes);
    bytes
}

fn put_frame(performative: &Performative<'_>, out: &mut Vec<u8>) {
    let start = begin_frame(out, FrameKind::Amqp, 0);
    performative.write(out);
    end_frame(out, start);
}
