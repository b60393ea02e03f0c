//! What comes before a protocol on a connection: TLS, and the WebSocket handshake.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use edge_core::service::Service;
use edge_core::{Gateway, Incident, IncidentKind};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

use crate::amqp::driver as amqp;
use crate::driver::Accepted;
use crate::mqtt::driver as mqtt;
use crate::resources::ConnectionSlot;
use crate::{Stop, TlsServer};

/// A connection from its first byte; what is needed only at the beginning is gone afterwards.
pub(crate) enum Prepared<C> {
    /// Does what comes before the protocol.
    Before(Pin<Box<dyn Future<Output = Option<C>> + Send>>),
    /// Speaks the protocol.
    Speaking(C),
}

impl<C> Prepared<C> {
    pub(crate) fn new(before: impl Future<Output = Option<C>> + Send + 'static) -> Self {
        Self::Before(Box::pin(before))
    }
}

impl<C: Future<Output = ()> + Unpin> Future for Prepared<C> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        loop {
            match this {
                Self::Before(before) => match ready!(before.as_mut().poll(cx)) {
                    Some(connection) => *this = Self::Speaking(connection),
                    None => return Poll::Ready(()),
                },
                Self::Speaking(connection) => return Pin::new(connection).poll(cx),
            }
        }
    }
}

/// A connection on its way to its protocol.
pub(crate) struct Newcomer {
    /// What the listener speaks, as incidents name it.
    pub(crate) protocol: &'static str,
    pub(crate) gateway: Arc<dyn Gateway>,
    pub(crate) stop: Stop,
    pub(crate) slot: ConnectionSlot,
    pub(crate) peer: SocketAddr,
    pub(crate) chain: Vec<Vec<u8>>,
}

impl Newcomer {
    /// Returns what is known of an accepted connection, and its socket.
    pub(crate) fn new(
        protocol: &'static str,
        accepted: Accepted,
        gateway: &Arc<dyn Gateway>,
        stop: &Stop,
    ) -> (Self, TcpStream) {
        let Accepted { stream, peer, slot } = accepted;
        let (gateway, stop) = (Arc::clone(gateway), stop.clone());
        (Self { protocol, gateway, stop, slot, peer, chain: Vec::new() }, stream)
    }

    /// Returns the connection once it is ready for MQTT.
    pub(crate) fn into_mqtt<S: AsyncRead + AsyncWrite + Unpin>(self, socket: S) -> mqtt::Connection<S> {
        mqtt::Connection::new(socket, self.gateway, self.stop, self.slot, Some(self.peer), self.chain)
    }

    /// Returns the connection once it is ready for AMQP.
    pub(crate) fn into_amqp<S: AsyncRead + AsyncWrite + Unpin>(
        self,
        socket: S,
        service: Option<Arc<dyn Service>>,
    ) -> amqp::Connection<S> {
        let Self { gateway, stop, slot, peer, chain, .. } = self;
        amqp::Connection::new(socket, (gateway, service), stop, slot, Some(peer), chain)
    }

    pub(crate) fn report(&self, kind: IncidentKind, detail: fmt::Arguments<'_>) {
        let mut incident = Incident::new(kind, self.protocol, detail);
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
