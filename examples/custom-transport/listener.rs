//! A listener: clients that speak in lines of text over TCP.
//!
//! ```text
//! →  HELLO edge1/press let-me-in        who the client is, and its token
//! ←  WELCOME                            or NO, and the connection is closed
//! →  SEND edge1/press 21.5              a message, in whose name, and its body
//! ←  OK 0                               the message is as durable as the gateway is configured
//! →  LISTEN                             deliver to me
//! ←  LISTENING
//! ←  MESSAGE 0 stop                     a delivery
//! →  TAKE 0                             the client has it; without this line it comes again
//! ```

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use edge_core::{Gateway, Incident, IncidentKind};
use edge_transport::{Listener, ListenerError, Stop};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::connection;

/// The protocol, as hellos and incidents name it.
pub(crate) const PROTOCOL: &str = "lines";

/// The most connections at a time.
const MAX_CONNECTIONS: usize = 1000;

/// Accepts clients that speak in lines.
#[derive(Debug)]
pub(crate) struct LineListener {
    socket: TcpListener,
    address: SocketAddr,
}

impl LineListener {
    /// Listens on `address`; port 0 is any free one.
    pub(crate) async fn bind(address: &str) -> Result<Self, ListenerError> {
        let failed = |source| ListenerError::Bind { address: address.to_owned(), source };
        let socket = TcpListener::bind(address).await.map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        Ok(Self { socket, address })
    }

    /// Starts a task for a connection, unless there are too many.
    fn welcome(
        connections: &mut JoinSet<()>,
        stream: TcpStream,
        peer: SocketAddr,
        gateway: &Arc<dyn Gateway>,
    ) {
        if connections.len() >= MAX_CONNECTIONS {
            let detail = format_args!("{MAX_CONNECTIONS} clients are connected");
            let mut incident = Incident::new(IncidentKind::TooManyConnections, PROTOCOL, detail);
            incident.peer = Some(peer);
            gateway.report(&incident);
        } else {
            connections.spawn(connection::serve(stream, peer, gateway.clone()));
        }
    }
}

#[async_trait]
impl Listener for LineListener {
    fn local_addr(&self) -> Option<SocketAddr> {
        Some(self.address)
    }

    async fn serve(self: Box<Self>, gateway: Arc<dyn Gateway>, stop: Stop) -> Result<(), ListenerError> {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = stop.wait() => break,
                // A connection that ends, and even one that panics, ends nothing else.
                Some(_ended) = connections.join_next() => {}
                accepted = self.socket.accept() => match accepted {
                    Ok((stream, peer)) => Self::welcome(&mut connections, stream, peer, &gateway),
                    Err(error) if is_the_clients(&error) => {}
                    // Perhaps there are no more descriptors: there are when one of our connections has ended.
                    Err(source) => if connections.join_next().await.is_none() {
                        return Err(ListenerError::Accept { address: self.address.to_string(), source });
                    },
                },
            }
        }
        // Dropping the sessions releases what was delivered and not taken, and closes the sockets.
        connections.shutdown().await;
        Ok(())
    }
}

/// Whether a client went away before it was accepted.
fn is_the_clients(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset)
}
