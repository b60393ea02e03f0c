//! To an MQTT broker: any that speaks 3.1.1 or 5.
//!
//! | file | what is in it |
//! |---|---|
//! | `options`, `url`, `topic` | what a user states |
//! | `publish` | the packet of a message |
//! | `codec` | the other packets, as one model of both versions |
//! | `flight` | a batch on its way: pure |
//! | `connect`, `tls` | how a connection comes to be |
//! | `driver` | the task that owns the connection |
//!
//! The bytes of packets come from `rumqttc`'s codecs. Its event loop is not used: it flushes after each message, drops
//! what waits when a new session begins, and builds its TLS from a provider that is set for the whole process.

mod codec;
mod connect;
mod driver;
mod flight;
mod options;
mod publish;
mod tasks;
mod tls;
mod topic;
mod url;

use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use edge_core::{BatchLimit, Endpoint, EndpointError, EndpointId, Outcome, Stored};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};

pub use options::{
    MqttUpstreamOptions, MqttVersion, MqttVersionError, PropertyPlacement, PropertyPlacementError,
};
pub use topic::{TopicError, TopicTemplate};
pub use url::{BrokerUrl, BrokerUrlError};

use driver::{Driver, Job};

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
    /// A file cannot be read.
    #[error("reading {} failed", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// A file holds no certificate.
    #[error("{} holds no certificate that can be used: write the path of a PEM file", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// A file holds no private key.
    #[error("{} holds no private key that can be used: write the path of a PEM file", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// This operating system's certificate authorities are not where they usually are.
    #[error("this machine has no list of certificate authorities: state the file of the broker's authority")]
    NoAuthorities,
    /// Certificate and key do not go together, or TLS cannot be set up.
    #[error("TLS cannot be set up")]
    Tls {
        /// What is wrong.
        #[source]
        source: rustls::Error,
    },
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
/// A broker that speaks MQTT 3.1.1 cannot refuse a message: it closes the connection.
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
    jobs: mpsc::Sender<Job>,
    closing: watch::Sender<bool>,
    /// Counts the connections that came to be; closed when the driver has ended.
    links: watch::Receiver<u64>,
    /// How many there were when the last batch came back.
    seen: AtomicU64,
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
        let tls = if options.url.is_tls() { Some(tls::config(&options)?) } else { None };
        let runtime = Handle::try_current().map_err(|_| MqttUpstreamError::NoRuntime)?;
        let messages =
            NonZeroUsize::from(options.in_flight).saturating_mul(NonZeroUsize::MIN.saturating_add(3));
        let (jobs, jobs_taken) = mpsc::channel(1);
        let (closing, is_closing) = watch::channel(false);
        let (links_made, links) = watch::channel(0);
        tasks::spawn(&runtime, Driver::new(options, tls, jobs_taken, is_closing, links_made).run());
        let limit = BatchLimit::new(messages, BATCH_BYTES);
        Ok(Self { id, limit, jobs, closing, links, seen: AtomicU64::new(0) })
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
        let (reply, answer) = oneshot::channel();
        let messages = batch.iter().map(|stored| stored.message.clone()).collect();
        if self.jobs.send(Job { messages, reply }).await.is_err() {
            return Err(EndpointError::Closed);
        }
        let answer = answer.await.unwrap_or(Err(EndpointError::Closed));
        self.seen.store(*self.links.borrow(), Ordering::Relaxed);
        answer
    }

    async fn ready(&self) {
        let seen = self.seen.load(Ordering::Relaxed);
        let mut links = self.links.clone();
        if links.wait_for(|made| *made > seen).await.is_err() {
            std::future::pending().await
        }
    }

    async fn close(&self) {
        self.closing.send_replace(true);
        let mut links = self.links.clone();
        while links.changed().await.is_ok() {}
    }
}
