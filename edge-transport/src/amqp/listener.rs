//! The listener of AMQP over TCP.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use edge_core::Gateway;
use edge_core::service::Service;
use tokio::net::TcpListener;

use super::session::PROTOCOL;
use crate::prepare::{Newcomer, Prepared};
use crate::{Listener, ListenerError, Resources, Stop, TlsServer, driver};

/// Accepts AMQP 1.0 clients, over TLS when told so.
///
/// Without TLS, tokens and messages go in the clear: for trusted networks and for measurement.
///
/// A client begins with SASL (`ANONYMOUS`, `MSSBCBS`, `PLAIN` with a token as the password, `EXTERNAL` with a certificate)
/// or without. It is let in by a token that it puts to `$cbs`, by the one that it gave to `PLAIN`, or by its
/// certificate; one connection may carry many identities, each with its own token. A newer token takes the place of
/// an older one without an interruption.
///
/// A delivery is settled when its message is as durable as the gateway promises; all transfers that were read together
/// are published as one batch. What cannot be kept is rejected with `amqp:internal-error`, and never released: the
/// Node SDK takes `released` for success.
///
/// # Examples
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// use edge_transport::{AmqpListener, Listener, Resources, TransportLimits};
///
/// let resources = Resources::new(TransportLimits::default());
/// let listener = AmqpListener::bind("127.0.0.1:0", &resources).await?;
/// println!("AMQP clients may connect to {:?}", listener.local_addr());
/// # Ok::<(), edge_transport::ListenerError>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Source
/// OASIS AMQP 1.0; Azure IoT Hub, "Communicate with your IoT hub by using the AMQP Protocol".
pub struct AmqpListener {
    listener: TcpListener,
    tls: Option<TlsServer>,
    service: Option<Arc<dyn Service>>,
    resources: Resources,
}

impl AmqpListener {
    /// Listens on `address`, for instance `127.0.0.1:5671`; port 0 takes any free one.
    ///
    /// # Errors
    /// [`ListenerError::Bind`] when the address cannot be listened on.
    ///
    /// # Cancel safety
    /// Cancel-safe: nothing is listened on.
    pub async fn bind(address: &str, resources: &Resources) -> Result<Self, ListenerError> {
        let listener = driver::bind(address).await?;
        Ok(Self { listener, tls: None, service: None, resources: resources.clone() })
    }

    /// Speaks TLS.
    #[must_use]
    pub fn with_tls(mut self, tls: TlsServer) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Lets the service side in through `service`, instead of the gateway's own: whoever has a policy's token may send
    /// messages to devices.
    #[must_use]
    pub fn with_service(mut self, service: Arc<dyn Service>) -> Self {
        self.service = Some(service);
        self
    }
}

impl fmt::Debug for AmqpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AmqpListener")
            .field("listener", &self.listener)
            .field("tls", &self.tls.is_some())
            .field("service", &self.service.is_some())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Listener for AmqpListener {
    fn local_addr(&self) -> Option<SocketAddr> {
        self.listener.local_addr().ok()
    }

    async fn serve(self: Box<Self>, gateway: Arc<dyn Gateway>, stop: Stop) -> Result<(), ListenerError> {
        let Self { listener, tls, service, resources } = *self;
        let service = service.or_else(|| gateway.service());
        // A plain connection and one with TLS are tasks of different size.
        let Some(tls) = tls else {
            return driver::accept(listener, PROTOCOL, &resources, &*gateway, &stop, |accepted| {
                let (newcomer, stream) = Newcomer::new(PROTOCOL, accepted, &gateway, &stop);
                newcomer.into_amqp(stream, service.clone())
            })
            .await;
        };
        driver::accept(listener, PROTOCOL, &resources, &*gateway, &stop, |accepted| {
            let (mut newcomer, stream) = Newcomer::new(PROTOCOL, accepted, &gateway, &stop);
            let (tls, service) = (tls.clone(), service.clone());
            Prepared::new(async move {
                let stream = newcomer.handshake(stream, &tls).await?;
                Some(newcomer.into_amqp(stream, service))
            })
        })
        .await
    }
}
