//! What comes before MQTT on a connection: TLS, and the WebSocket handshake.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use edge_core::{Gateway, Incident, IncidentKind};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

use crate::driver::Accepted;
use crate::mqtt::driver::Connection;
use crate::mqtt::session::PROTOCOL;
use crate::resources::ConnectionSlot;
use crate::{Stop, TlsServer};

/// A connection from its first byte; what is needed only at the beginning is gone afterwards.
#[expect(clippy::large_enum_variant, reason = "the large one is what the task is nearly always")]
pub(crate) enum Prepared<S> {
    /// Does what comes before MQTT.
    Before(Pin<Box<dyn Future<Output = Option<Connection<S>>> + Send>>),
    /// Speaks MQTT.
    Mqtt(Connection<S>),
}

impl<S> Prepared<S> {
    pub(crate) fn new(before: impl Future<Output = Option<Connection<S>>> + Send + 'static) -> Self {
        Self::Before(Box::pin(before))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Future for Prepared<S> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        loop {
            match this {
                Self::Before(before) => match ready!(before.as_mut().poll(cx)) {
                    Some(connection) => *this = Self::Mqtt(connection),
                    None => return Poll::Ready(()),
                },
                Self::Mqtt(connection) => return Pin::new(connection).poll(cx),
            }
        }
    }
}

/// A connection on its way to MQTT.
pub(crate) struct Newcomer {
    pub(crate) gateway: Arc<dyn Gateway>,
    pub(crate) stop: Stop,
    pub(crate) slot: ConnectionSlot,
    pub(crate) peer: SocketAddr,
    pub(crate) chain: Vec<Vec<u8>>,
}

impl Newcomer {
    /// Returns what is known of an accepted connection, and its socket.
    pub(crate) fn new(accepted: Accepted, gateway: &Arc<dyn Gateway>, stop: &Stop) -> (Self, TcpStream) {
        let Accepted { stream, peer, slot } = accepted;
        (Self { gateway: Arc::clone(gateway), stop: stop.clone(), slot, peer, chain: Vec::new() }, stream)
    }

    /// Returns the connection once it is ready for MQTT.
    pub(crate) fn into_connection<S: AsyncRead + AsyncWrite + Unpin>(self, socket: S) -> Connection<S> {
        Connection::new(socket, self.gateway, self.stop, self.slot, Some(self.peer), self.chain)
    }

    pub(crate) fn report(&self, kind: IncidentKind, detail: fmt::Arguments<'_>) {
        let mut incident = Incident::new(kind, PROTOCOL, detail);
        incident.peer = Some(self.peer);
        self.gateway.report(&incident);
    }

    /// Does one step, within the time for handshakes and until it is time to stop.
    pub(crate) async fn within<R>(
        &self,
        failure: IncidentKind,
        step: impl Future<Output = io::Result<R>>,
    ) -> Option<R> {
        let limit = self.slot.resources().limits().handshake_timeout;
        let result = tokio::select! {
            () = self.stop.wait() => return None,
            result = timeout(limit, step) => result,
        };
        match result {
            Ok(Ok(done)) => Some(done),
            Ok(Err(error)) => {
                self.report(failure, format_args!("the handshake failed: {error}"));
                None
            }
            Err(_) => {
                self.report(IncidentKind::Timeout, format_args!("no handshake within {limit:?}"));
                None
            }
        }
    }

    /// Does the TLS handshake, and keeps the client's certificate chain.
    pub(crate) async fn handshake(
        &mut self,
        stream: TcpStream,
        tls: &TlsServer,
    ) -> Option<TlsStream<TcpStream>> {
        let stream = self.within(IncidentKind::Tls, tls.acceptor().accept(stream)).await?;
        let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
        self.chain = chain.iter().map(|certificate| certificate.to_vec()).collect();
        Some(stream)
    }
}
