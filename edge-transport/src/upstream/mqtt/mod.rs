//! To an MQTT broker: any that speaks 3.1.1 or 5.
//!
//! | file | what is in it |
//! |---|---|
//! | `options`, `topic` | what a user states |
//! | `publish` | the packet of a message |
//! | `codec` | the other packets, as one model of both versions |
//! | `connect` | how a connection comes to be |
//! | `driver` | what goes on on a connection |
//!
//! The bytes of packets come from `rumqttc`'s codecs. Its event loop is not used: it flushes after each message, drops
//! what waits when a new session begins, and builds its TLS from a provider that is set for the whole process.

mod codec;
mod connect;
mod driver;
mod options;
mod publish;
mod topic;

use std::fmt;
use std::num::NonZeroUsize;

use async_trait::async_trait;
use edge_core::{BatchLimit, Endpoint, EndpointError, EndpointId, Outcome, Stored};
use tokio::runtime::Handle;

pub use options::{
    MqttUpstreamOptions, MqttVersion, MqttVersionError, PropertyPlacement, PropertyPlacementError,
};
pub use topic::{TopicError, TopicTemplate};

use super::jobs::Jobs;
use super::suspects::Suspects;
use super::{BrokerUrl, UpstreamTlsError, tls};
use driver::Broker;

/// The most bytes of a batch.
const BATCH_BYTES: usize = 4 << 20;

/// Why an MQTT upstream cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MqttUpstreamError {
    /// A text does not fit into MQTT.
    #[error("{what} holds U+0000 or more than 65535 bytes: shorten it")]
    Text {
        /// Which text.
        what: &'static str,
    },
    /// User properties are asked for where there are none.
    #[error("MQTT 3.1.1 has no user properties: write version 5, or put the properties in the topic")]
    UserProperties,
    /// Certificates are stated and TLS is not.
    #[error("certificates are stated, and TLS is not: write mqtts://{host}:{port}")]
    NotTls {
        /// The broker's host.
        host: String,
        /// The broker's port.
        port: u16,
    },
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] UpstreamTlsError),
    /// There is no tokio runtime to run on.
    #[error("there is no tokio runtime here: make the upstream inside of one")]
    NoRuntime,
}

/// Sends messages to an MQTT broker.
///
/// It connects by itself, and again whenever the connection is lost, with a backoff from 1 s to 60 s; a batch to send
/// ends the wait at once. Messages are published with QoS 1 in the order of the batch, several in flight. One is
/// accepted when the broker has answered it with PUBACK. After a lost connection what was not answered is sent again in
/// order, from the first one: the broker may see some twice, and none late.
///
/// The session is a new one each time: what is not delivered is in the gateway's own queue.
///
/// # Properties
/// | of the message | with user properties | in the topic |
/// |---|---|---|
/// | `contentType` | the content type of MQTT 5 | `%24.ct=` |
/// | other system properties | `$` and the name that routes use: `$messageId` | those with a wire name at IoT Hub |
/// | application properties | by their names | by their names, percent-encoded |
/// | one without a value | an empty value | the name alone |
///
/// # What becomes of a message
/// | the broker | outcome |
/// |---|---|
/// | answers PUBACK: success, or that nobody listens | accepted |
/// | answers PUBACK: not authorised, bad topic, bad payload | rejected |
/// | answers PUBACK: full, busy, or no reason | released |
/// | says in CONNACK that it takes no packet so large | rejected, and not sent |
/// | would call the topic or a property malformed | rejected, and not sent |
///
/// | closes the connection three times when the message is in flight alone | rejected |
///
/// A broker that speaks MQTT 3.1.1 cannot refuse a message: it closes the connection. So may one that speaks 5, and give
/// no reason. A message that is the first without an answer when three connections are lost is therefore sent with
/// nothing else in flight, and is rejected when it loses the connection three times like that, and each time after. A
/// broker that is silent, or says that the reason is another one, such as that it shuts down, counts for nothing.
///
/// # Examples
/// ```
/// use edge_core::{Endpoint, EndpointId};
/// use edge_transport::upstream::{MqttUpstream, MqttUpstreamOptions};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let options = MqttUpstreamOptions::new(
///     "mqtt://127.0.0.1:1883".parse()?,
///     "edge/{device_id}/events".parse()?,
///     "edge1",
/// );
/// let upstream = MqttUpstream::new(EndpointId::upstream(), options)?;
/// assert_eq!(upstream.id().as_str(), "$upstream");
/// upstream.close().await;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Source
/// MQTT 5.0 §3.3, §3.4, §4.4, §4.6; MQTT 3.1.1 the same sections.
pub struct MqttUpstream {
    id: EndpointId,
    limit: BatchLimit,
    jobs: Jobs,
}

impl fmt::Debug for MqttUpstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MqttUpstream").field("id", &self.id).finish_non_exhaustive()
    }
}

impl MqttUpstream {
    /// Returns an upstream with the endpoint id `id` that begins to connect.
    ///
    /// Reads the certificate files, once; call it where a few reads from the disk do no harm.
    ///
    /// # Errors
    /// [`MqttUpstreamError`] when the options contradict each other, or a file they name cannot be used. That the
    /// broker cannot be reached is no error here.
    pub fn new(id: EndpointId, options: MqttUpstreamOptions) -> Result<Self, MqttUpstreamError> {
        options.check()?;
        let tls = if options.url.is_tls() {
            Some(tls::config(options.ca_file.as_deref(), options.client_certificate.as_ref())?)
        } else {
            None
        };
        let runtime = Handle::try_current().map_err(|_| MqttUpstreamError::NoRuntime)?;
        let messages =
            NonZeroUsize::from(options.in_flight).saturating_mul(NonZeroUsize::MIN.saturating_add(3));
        let limit = BatchLimit::new(messages, BATCH_BYTES);
        Ok(Self {
            id,
            limit,
            jobs: Jobs::start(&runtime, Broker { options, tls, suspects: Suspects::default() }),
        })
    }
}

#[async_trait]
impl Endpoint for MqttUpstream {
    fn id(&self) -> &EndpointId {
        &self.id
    }

    fn batch_limit(&self) -> BatchLimit {
        self.limit
    }

    async fn send(&self, batch: &[Stored]) -> Result<Vec<Outcome>, EndpointError> {
        self.jobs.send(batch).await
    }

    async fn ready(&self) {
        self.jobs.ready().await
    }

    async fn close(&self) {
        self.jobs.close().await
    }
}

/// Writes a PUBLISH, for the law that messages survive.
#[cfg(test)]
pub(crate) mod law {
    use bytes::BytesMut;
    use edge_core::Message;

    use super::MqttUpstreamOptions;
    use super::publish::Publisher;

    pub(crate) fn publish(options: &MqttUpstreamOptions, message: &Message, out: &mut BytesMut) {
        Publisher::new(options, None).write(message, 1, out).unwrap();
    }
}
