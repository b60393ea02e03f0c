//! The listener of HTTP and WebSockets.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_trait::async_trait;
use edge_core::service::{FileUploads, Service};
use edge_core::{Gateway, IncidentKind};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::handshake::{Answer, MAX_HEAD_BYTES, Subprotocol, answer, head_end, is_for_websockets};
use super::stream::WsStream;
use crate::amqp::driver as amqp;
use crate::mqtt::driver as mqtt;
use crate::prepare::{Newcomer, Prepared};
use crate::rest::{self, PROTOCOL, Prefixed, Shared};
use crate::{Listener, ListenerError, Resources, Stop, TlsServer, driver};

/// Accepts MQTT 3.1.1 and AMQP 1.0 clients over WebSockets at `/$iothub/websocket`, and what asks for the service API;
/// over TLS when told so.
///
/// The subprotocol `mqtt` makes it MQTT, `AMQPWSB10` AMQP.
///
/// Other requests are those of IoT Hub's REST interface. Devices and modules send and fetch messages, one request each,
/// and take no session over by it; with a service ([`Gateway::service`], or another by [`WebListener::with_service`])
/// there is the service API too:
///
/// | path | what |
/// |---|---|
/// | `/devices`, `/devices/{d}`, `/devices/{d}/modules[/{m}]` | the identity registry |
/// | `/twins/{d}[/modules/{m}]` | twins |
/// | `/twins/{d}[/modules/{m}]/methods` | direct methods, by the service side or by a module |
/// | `/devices/{d}[/modules/{m}]/messages/deviceBound` | `POST`: a message to a device; ours, since IoT Hub has none: body and headers as its devices send telemetry |
/// | `/devices/{d}[/modules/{m}]/messages/events` | `POST` by a device or module: telemetry, one message or many |
/// | `/devices/{d}[/modules/{m}]/messages/deviceBound[/{lock}[/abandon]]` | `GET`, `DELETE`, `POST` by a device or module: messages for it |
/// | `/devices/{d}/files[/notifications]` | the upload of files, with [`WebListener::with_uploads`] |
/// | `/devices/{d}[/modules/{m}]/commands` | `DELETE`: throws away what waits |
/// | `/messages/serviceBound/feedback` | what became of messages |
/// | `/statistics/devices`, `/statistics/service` | counts |
///
/// # Examples
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// use edge_transport::{Listener, Resources, TransportLimits, WebListener};
///
/// let resources = Resources::new(TransportLimits::default());
/// let listener = WebListener::bind("127.0.0.1:0", &resources).await?;
/// println!("WebSockets may connect to {:?}", listener.local_addr());
/// # Ok::<(), edge_transport::ListenerError>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Source
/// RFC 6455; MQTT 3.1.1 §6; Azure IoT device SDKs for the path; Azure IoT Hub REST reference.
#[derive(Debug)]
pub struct WebListener {
    listener: TcpListener,
    tls: Option<TlsServer>,
    resources: Resources,
    service: Option<Arc<dyn Service>>,
    uploads: Option<Arc<dyn FileUploads>>,
}

impl WebListener {
    /// Listens on `address`, for instance `127.0.0.1:443`; port 0 takes any free one.
    ///
    /// # Errors
    /// [`ListenerError::Bind`] when the address cannot be listened on.
    ///
    /// # Cancel safety
    /// Cancel-safe: nothing is listened on.
    pub async fn bind(address: &str, resources: &Resources) -> Result<Self, ListenerError> {
        Ok(Self {
            listener: driver::bind(address).await?,
            tls: None,
            resources: resources.clone(),
            service: None,
            uploads: None,
        })
    }

    /// Speaks TLS.
    #[must_use]
    pub fn with_tls(mut self, tls: TlsServer) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Answers requests of the service API with what `service` says, instead of the gateway's own.
    #[must_use]
    pub fn with_service(mut self, service: Arc<dyn Service>) -> Self {
        self.service = Some(service);
        self
    }

    /// Lets devices upload files by what `uploads` says; without it they are told that it is not available here.
    #[must_use]
    pub fn with_uploads(mut self, uploads: Arc<dyn FileUploads>) -> Self {
        self.uploads = Some(uploads);
        self
    }
}

#[async_trait]
impl Listener for WebListener {
    fn local_addr(&self) -> Option<SocketAddr> {
        self.listener.local_addr().ok()
    }

    async fn serve(self: Box<Self>, gateway: Arc<dyn Gateway>, stop: Stop) -> Result<(), ListenerError> {
        let Self { listener, tls, resources, service, uploads } = *self;
        let service = service.or_else(|| gateway.service());
        let doors = Doors { router: rest::router(Shared { service: service.clone(), uploads }), service };
        let Some(tls) = tls else {
            return driver::accept(listener, PROTOCOL, &resources, &*gateway, &stop, |accepted| {
                let (newcomer, stream) = Newcomer::new(PROTOCOL, accepted, &gateway, &stop);
                Prepared::new(begin(newcomer, stream, doors.clone()))
            })
            .await;
        };
        driver::accept(listener, PROTOCOL, &resources, &*gateway, &stop, |accepted| {
            let (mut newcomer, stream) = Newcomer::new(PROTOCOL, accepted, &gateway, &stop);
            let (tls, doors) = (tls.clone(), doors.clone());
            Prepared::new(async move {
                let stream = newcomer.handshake(stream, &tls).await?;
                begin(newcomer, stream, doors).await
            })
        })
        .await
    }
}

/// What is behind the listener besides the gateway.
#[derive(Clone)]
struct Doors {
    router: axum::Router,
    service: Option<Arc<dyn Service>>,
}

/// A connection that became a WebSocket.
#[expect(clippy::large_enum_variant, reason = "the large one is what nearly all are")]
enum Upgraded<S> {
    Mqtt(mqtt::Connection<WsStream<S>>),
    Amqp(Box<amqp::Connection<WsStream<S>>>),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Future for Upgraded<S> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.get_mut() {
            Self::Mqtt(connection) => Pin::new(connection).poll(cx),
            Self::Amqp(connection) => Pin::new(connection).poll(cx),
        }
    }
}

/// Does what a connection's first request asks for; returns the connection when it became a WebSocket.
async fn begin<S>(mut newcomer: Newcomer, stream: S, doors: Doors) -> Option<Upgraded<S>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    match newcomer.within(IncidentKind::Malformed, upgrade(stream)).await? {
        Begun::WebSocket(Subprotocol::Mqtt, socket) => Some(Upgraded::Mqtt(newcomer.into_mqtt(socket))),
        Begun::WebSocket(Subprotocol::Amqp, socket) => {
            Some(Upgraded::Amqp(Box::new(newcomer.into_amqp(socket, doors.service))))
        }
        Begun::Request(stream) => {
            rest::serve(&mut newcomer, doors.router, stream).await;
            None
        }
        Begun::Answered => None,
    }
}

/// What a connection began with.
enum Begun<S> {
    WebSocket(Subprotocol, WsStream<S>),
    /// A request that is not answered yet.
    Request(Prefixed<S>),
    Answered,
}

/// Reads a request, and makes the connection a WebSocket if it asks for one; what it asks else is left for the handlers
/// of HTTP.
async fn upgrade<S>(mut stream: S) -> io::Result<Begun<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut bytes = Vec::with_capacity(1024);
    let end = loop {
        if let Some(end) = head_end(&bytes) {
            break end;
        }
        let too_large = bytes.len() >= MAX_HEAD_BYTES;
        if (too_large || bytes.contains(&b'\r')) && !is_for_websockets(&bytes) {
            return Ok(Begun::Request(Prefixed::new(bytes, stream)));
        }
        if too_large {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the head of the request is too large"));
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    if !is_for_websockets(&bytes) {
        return Ok(Begun::Request(Prefixed::new(bytes, stream)));
    }
    match answer(bytes.get(..end).unwrap_or_default()) {
        Answer::Upgrade(spoken, text) => {
            stream.write_all(text.as_bytes()).await?;
            stream.flush().await?;
            let rest = bytes.get(end..).unwrap_or_default().to_vec();
            Ok(Begun::WebSocket(spoken, WsStream::new(stream, rest)))
        }
        Answer::Refuse(text) => {
            stream.write_all(text.as_bytes()).await?;
            stream.shutdown().await?;
            Ok(Begun::Answered)
        }
    }
}
