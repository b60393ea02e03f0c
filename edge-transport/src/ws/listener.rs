//! The listener of HTTP and WebSockets.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use edge_core::service::Service;
use edge_core::{Gateway, IncidentKind};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::handshake::{Answer, MAX_HEAD_BYTES, answer, head_end, is_for_websockets};
use super::stream::WsStream;
use crate::mqtt::driver::Connection;
use crate::mqtt::session::PROTOCOL;
use crate::prepare::{Newcomer, Prepared};
use crate::rest::{self, Prefixed};
use crate::{Listener, ListenerError, Resources, Stop, TlsServer, driver};

/// Accepts MQTT 3.1.1 clients over WebSockets at `/$iothub/websocket`, and what asks for the service API; over TLS when
/// told so.
///
/// Without a service other requests are answered that nothing is there, and their connections closed. With one
/// ([`Gateway::service`], or another by [`WebListener::with_service`]) they are those of IoT Hub's REST interface:
///
/// | path | what |
/// |---|---|
/// | `/devices`, `/devices/{d}`, `/devices/{d}/modules[/{m}]` | the identity registry |
/// | `/twins/{d}[/modules/{m}]` | twins |
/// | `/twins/{d}[/modules/{m}]/methods` | direct methods, by the service side or by a module |
/// | `/devices/{d}[/modules/{m}]/messages/deviceBound` | `POST`: a message to a device; ours, since IoT Hub has none: body and headers as its devices send telemetry |
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
}

#[async_trait]
impl Listener for WebListener {
    fn local_addr(&self) -> Option<SocketAddr> {
        self.listener.local_addr().ok()
    }

    async fn serve(self: Box<Self>, gateway: Arc<dyn Gateway>, stop: Stop) -> Result<(), ListenerError> {
        let Self { listener, tls, resources, service } = *self;
        let service = service.or_else(|| gateway.service());
        let Some(tls) = tls else {
            return driver::accept(listener, PROTOCOL, &resources, &*gateway, &stop, |accepted| {
                let (newcomer, stream) = Newcomer::new(accepted, &gateway, &stop);
                Prepared::new(begin(newcomer, stream, service.clone()))
            })
            .await;
        };
        driver::accept(listener, PROTOCOL, &resources, &*gateway, &stop, |accepted| {
            let (mut newcomer, stream) = Newcomer::new(accepted, &gateway, &stop);
            let (tls, service) = (tls.clone(), service.clone());
            Prepared::new(async move {
                let stream = newcomer.handshake(stream, &tls).await?;
                begin(newcomer, stream, service).await
            })
        })
        .await
    }
}

/// Does what a connection's first request asks for; returns the connection when that is MQTT.
async fn begin<S>(
    mut newcomer: Newcomer,
    stream: S,
    service: Option<Arc<dyn Service>>,
) -> Option<Connection<WsStream<S>>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    match newcomer.within(IncidentKind::Malformed, upgrade(stream, service.is_some())).await? {
        Begun::WebSocket(socket) => Some(newcomer.into_connection(socket)),
        Begun::Request(stream) => {
            rest::serve(&mut newcomer, service?, stream).await;
            None
        }
        Begun::Answered => None,
    }
}

/// What a connection began with.
enum Begun<S> {
    WebSocket(WsStream<S>),
    /// A request that is not answered yet.
    Request(Prefixed<S>),
    Answered,
}

/// Reads a request, and makes the connection a WebSocket if it asks for one; what it asks else is answered here, or left
/// for the service API if there is one.
async fn upgrade<S>(mut stream: S, with_service: bool) -> io::Result<Begun<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut bytes = Vec::with_capacity(1024);
    let end = loop {
        if let Some(end) = head_end(&bytes) {
            break end;
        }
        let too_large = bytes.len() >= MAX_HEAD_BYTES;
        if with_service && (too_large || bytes.contains(&b'\r')) && !is_for_websockets(&bytes) {
            return Ok(Begun::Request(Prefixed::new(bytes, stream)));
        }
        if too_large {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the head of the request is too large"));
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    if with_service && !is_for_websockets(&bytes) {
        return Ok(Begun::Request(Prefixed::new(bytes, stream)));
    }
    match answer(bytes.get(..end).unwrap_or_default()) {
        Answer::Upgrade(text) => {
            stream.write_all(text.as_bytes()).await?;
            stream.flush().await?;
            let rest = bytes.get(end..).unwrap_or_default().to_vec();
            Ok(Begun::WebSocket(WsStream::new(stream, rest)))
        }
        Answer::Refuse(text) => {
            stream.write_all(text.as_bytes()).await?;
            stream.shutdown().await?;
            Ok(Begun::Answered)
        }
    }
}
