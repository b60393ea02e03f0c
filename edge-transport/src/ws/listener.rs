//! The listener of HTTP and WebSockets.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use edge_core::{Gateway, IncidentKind};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::handshake::{Answer, MAX_HEAD_BYTES, answer, head_end};
use super::stream::WsStream;
use crate::mqtt::session::PROTOCOL;
use crate::prepare::{Newcomer, Prepared};
use crate::{Listener, ListenerError, Resources, Stop, TlsServer, driver};

/// Accepts MQTT 3.1.1 clients over WebSockets at `/$iothub/websocket`, over TLS when told so.
///
/// Other requests are answered that nothing is there, and their connections closed.
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
/// RFC 6455; MQTT 3.1.1 §6; Azure IoT device SDKs for the path.
#[derive(Debug)]
pub struct WebListener {
    listener: TcpListener,
    tls: Option<TlsServer>,
    resources: Resources,
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
        Ok(Self { listener: driver::bind(address).await?, tls: None, resources: resources.clone() })
    }

    /// Speaks TLS.
    #[must_use]
    pub fn with_tls(mut self, tls: TlsServer) -> Self {
        self.tls = Some(tls);
        self
    }
}

#[async_trait]
impl Listener for WebListener {
    fn local_addr(&self) -> Option<SocketAddr> {
        self.listener.local_addr().ok()
    }

    async fn serve(self: Box<Self>, gateway: Arc<dyn Gateway>, stop: Stop) -> Result<(), ListenerError> {
        let Self { listener, tls, resources } = *self;
        let Some(tls) = tls else {
            return driver::accept(listener, PROTOCOL, &resources, &*gateway, &stop, |accepted| {
                let (newcomer, stream) = Newcomer::new(accepted, &gateway, &stop);
                Prepared::new(async move {
                    let socket = newcomer.within(IncidentKind::Malformed, upgrade(stream)).await??;
                    Some(newcomer.into_connection(socket))
                })
            })
            .await;
        };
        driver::accept(listener, PROTOCOL, &resources, &*gateway, &stop, |accepted| {
            let (mut newcomer, stream) = Newcomer::new(accepted, &gateway, &stop);
            let tls = tls.clone();
            Prepared::new(async move {
                let stream = newcomer.handshake(stream, &tls).await?;
                let socket = newcomer.within(IncidentKind::Malformed, upgrade(stream)).await??;
                Some(newcomer.into_connection(socket))
            })
        })
        .await
    }
}

/// Reads a request, and makes the connection a WebSocket if it asks for one; `None` when it was answered otherwise.
async fn upgrade<S>(mut stream: S) -> io::Result<Option<WsStream<S>>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut bytes = Vec::with_capacity(1024);
    let end = loop {
        if let Some(end) = head_end(&bytes) {
            break end;
        }
        if bytes.len() >= MAX_HEAD_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the head of the request is too large"));
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    match answer(bytes.get(..end).unwrap_or_default()) {
        Answer::Upgrade(text) => {
            stream.write_all(text.as_bytes()).await?;
            stream.flush().await?;
            Ok(Some(WsStream::new(stream, bytes.get(end..).unwrap_or_default().to_vec())))
        }
        Answer::Refuse(text) => {
            stream.write_all(text.as_bytes()).await?;
            stream.shutdown().await?;
            Ok(None)
        }
    }
}
