//! The listener of MQTT over TCP.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use edge_core::Gateway;
use tokio::net::TcpListener;

use super::session::PROTOCOL;
use crate::prepare::{Newcomer, Prepared};
use crate::{Listener, ListenerError, Resources, Stop, TlsServer, driver};

/// Accepts MQTT 3.1.1 clients, over TLS when told so.
///
/// Without TLS, tokens and messages go in the clear: for trusted networks and for measurement.
///
/// # Examples
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// use edge_transport::{Listener, MqttListener, Resources, TransportLimits};
///
/// let resources = Resources::new(TransportLimits::default());
/// let listener = MqttListener::bind("127.0.0.1:0", &resources).await?;
/// println!("MQTT clients may connect to {:?}", listener.local_addr());
/// # Ok::<(), edge_transport::ListenerError>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct MqttListener {
    listener: TcpListener,
    tls: Option<TlsServer>,
    resources: Resources,
}

impl MqttListener {
    /// Listens on `address`, for instance `127.0.0.1:1883`; port 0 takes any free one.
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
impl Listener for MqttListener {
    fn local_addr(&self) -> Option<SocketAddr> {
        self.listener.local_addr().ok()
    }

    async fn serve(self: Box<Self>, gateway: Arc<dyn Gateway>, stop: Stop) -> Result<(), ListenerError> {
        let Self { listener, tls, resources } = *self;
        // A plain connection and one with TLS are tasks of different size.
        let Some(tls) = tls else {
            return driver::accept(listener, PROTOCOL, &resources, &*gateway, &stop, |accepted| {
                let (newcomer, stream) = Newcomer::new(PROTOCOL, accepted, &gateway, &stop);
                newcomer.into_mqtt(stream)
            })
            .await;
        };
        driver::accept(listener, PROTOCOL, &resources, &*gateway, &stop, |accepted| {
            let (mut newcomer, stream) = Newcomer::new(PROTOCOL, accepted, &gateway, &stop);
            let tls = tls.clone();
            Prepared::new(async move {
                let stream = newcomer.handshake(stream, &tls).await?;
                Some(newcomer.into_mqtt(stream))
            })
        })
        .await
    }
}
