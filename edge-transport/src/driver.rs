//! Accepts connections, within limits, until it is time to stop.
#![expect(clippy::disallowed_methods, reason = "a driver waits for time")]

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use edge_core::{Gateway, Incident, IncidentKind};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep_until, timeout};

use crate::resources::ConnectionSlot;
use crate::tasks::Tasks;
use crate::{ListenerError, Resources, Stop};

/// How long accepting rests when the system has no descriptors or memory left.
const PAUSE: Duration = Duration::from_millis(100);

/// Listens on `address`.
pub(crate) async fn bind(address: &str) -> Result<TcpListener, ListenerError> {
    let listener = TcpListener::bind(address).await;
    listener.map_err(|source| ListenerError::Bind { address: address.to_owned(), source })
}

/// One accepted connection.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) stream: TcpStream,
    pub(crate) peer: SocketAddr,
    pub(crate) slot: ConnectionSlot,
}

/// Accepts connections until `stop` resolves, serves each in a task that `serve` makes, and then waits for them.
pub(crate) async fn accept<F>(
    listener: TcpListener,
    protocol: &'static str,
    resources: &Resources,
    gateway: &dyn Gateway,
    stop: &Stop,
    serve: impl Fn(Accepted) -> F,
) -> Result<(), ListenerError>
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut tasks = Tasks::default();
    let mut paused_until: Option<Instant> = None;
    let stopped = stop.wait();
    tokio::pin!(stopped);
    let result = loop {
        tokio::select! {
            biased;
            () = &mut stopped => break Ok(()),
            () = tasks.one_ended(), if !tasks.is_empty() => {}
            () = sleep_until(paused_until.unwrap_or_else(Instant::now)), if paused_until.is_some() => {
                paused_until = None;
            }
            accepted = listener.accept(), if paused_until.is_none() => match accepted {
                Ok((stream, peer)) => match resources.connection() {
                    Some(slot) => {
                        // Acknowledgements are small and must not wait for company; a socket that refuses is gone.
                        let _gone = stream.set_nodelay(true);
                        tasks.spawn(serve(Accepted { stream, peer, slot }));
                    }
                    None => {
                        let detail = format_args!("{} connections are open", resources.connections());
                        let mut incident = Incident::new(IncidentKind::TooManyConnections, protocol, detail);
                        incident.peer = Some(peer);
                        gateway.report(&incident);
                    }
                },
                Err(error) if is_one_connections(&error) => {}
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => break Err(error),
                Err(error) => {
                    tracing::debug!(%error, "cannot accept connections for now");
                    paused_until = Some(Instant::now() + PAUSE);
                }
            },
        }
    };
    let address = listener.local_addr();
    drop(listener);
    if timeout(resources.limits().stop_grace, tasks.all_ended()).await.is_err() {
        tasks.abort().await;
    }
    result.map_err(|source| {
        let address = address.map_or_else(|_| "an unknown address".to_owned(), |address| address.to_string());
        ListenerError::Accept { address, source }
    })
}

/// Whether only the connection that was to be accepted is broken.
fn is_one_connections(error: &io::Error) -> bool {
    use io::ErrorKind as E;
    matches!(error.kind(), E::ConnectionAborted | E::ConnectionReset | E::ConnectionRefused | E::Interrupted)
}
