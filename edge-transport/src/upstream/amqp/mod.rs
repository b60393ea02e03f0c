//! To an AMQP 1.0 broker.
//!
//! | file | what is in it |
//! |---|---|
//! | `options` | what a user states |
//! | `message` | a message, and what becomes of it |
//! | `sasl` | logging in |
//! | `connect` | how a link comes to be |
//! | `reason` | what a broker says when it refuses |
//! | `leash` | what ends a connection for sure |
//! | `driver` | what goes on on a link |
//!
//! Sessions, links and credit are those of `fe2o3-amqp`, whose types stay inside of this module. Logging in is our own,
//! because the library takes EXTERNAL only over a TLS of its own, and does not say which mechanisms a broker offers.

mod connect;
mod driver;
mod leash;
mod message;
mod options;
mod reason;
mod sasl;

use std::fmt;
use std::num::NonZeroUsize;

use async_trait::async_trait;
use edge_core::{BatchLimit, Endpoint, EndpointError, EndpointId, Outcome, Stored};
use tokio::runtime::Handle;

pub use options::{AmqpLogin, AmqpUpstreamOptions};

use super::jobs::Jobs;
use super::suspects::Suspects;
use super::{UpstreamTlsError, tls};
use driver::Broker;

/// The most bytes of a batch.
const BATCH_BYTES: usize = 4 << 20;

/// Why an AMQP upstream cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AmqpUpstreamError {
    /// There is no address.
    #[error("the address is empty: write the name of a queue or topic, as the broker writes it")]
    NoAddress,
    /// There is no container id.
    #[error("the container id is empty: write a name that no other client of the broker has")]
    NoContainerId,
    /// EXTERNAL is asked for, and there is no certificate to show.
    #[error(
        "the login is external, and there is no client certificate: state one, or a user name and password"
    )]
    NoCertificate,
    /// Certificates are stated and TLS is not.
    #[error("certificates are stated, and TLS is not: write amqps://{host}:{port}")]
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

/// Sends messages to a queue or topic of an AMQP 1.0 broker.
///
/// It connects by itself, and again whenever the connection is lost, with a backoff from 1 s to 60 s; a batch to send
/// ends the wait at once. Messages are sent unsettled and durable, in the order of the batch, as many at a time as the
/// broker's credit and the window allow. After a lost connection what was not settled is sent again in order, from the
/// first one: the broker may see some twice, and none late.
///
/// | of the message | in AMQP |
/// |---|---|
/// | `messageId`, `correlationId`, `userId`, `to`, `contentType`, `contentEncoding`, expiry | the properties section |
/// | other system properties that devices know | application property or annotation, as they have it |
/// | every other system property | annotation `x-opt-edge-` and its name |
/// | application properties | application properties, strings; null without a value |
/// | body | one data section |
///
/// # What becomes of a message
/// | the broker | outcome |
/// |---|---|
/// | accepts it | accepted |
/// | rejects it | rejected, with the condition and description that it gives |
/// | rejects it with `amqp:resource-limit-exceeded` | released |
/// | releases it, or modifies it | released |
/// | modifies it as undeliverable here | rejected |
/// | says when the link is attached that it takes no message so large | rejected, and not sent |
/// | ends the link or the connection three times when the message is in flight alone | rejected |
///
/// A message that is the first without an answer when three links are lost is sent with nothing else in flight, so that
/// a broker that hangs up on it does not do so for ever. One that is silent, or says that the reason is another one,
/// such as `amqp:connection:forced`, counts for nothing.
///
/// Nothing of a batch is sent behind a message that was released, so that it is not overtaken; what was on its way
/// already is.
///
/// # Examples
/// ```
/// use edge_core::{Endpoint, EndpointId};
/// use edge_transport::upstream::{AmqpUpstream, AmqpUpstreamOptions};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let options = AmqpUpstreamOptions::new("amqp://127.0.0.1:5672".parse()?, "/queue/events", "edge1")
///     .login("edge1", "secret");
/// let upstream = AmqpUpstream::new(EndpointId::upstream(), options)?;
/// assert_eq!(upstream.id().as_str(), "$upstream");
/// upstream.close().await;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Source
/// OASIS AMQP 1.0 §2.6 (links, credit), §3.4 (delivery states), §5.3 (SASL).
pub struct AmqpUpstream {
    id: EndpointId,
    limit: BatchLimit,
    jobs: Jobs,
}

impl fmt::Debug for AmqpUpstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AmqpUpstream").field("id", &self.id).finish_non_exhaustive()
    }
}

impl AmqpUpstream {
    /// Returns an upstream with the endpoint id `id` that begins to connect.
    ///
    /// Reads the certificate files, once; call it where a few reads from the disk do no harm.
    ///
    /// # Errors
    /// [`AmqpUpstreamError`] when the options contradict each other, or a file they name cannot be used. That the
    /// broker cannot be reached is no error here.
    pub fn new(id: EndpointId, options: AmqpUpstreamOptions) -> Result<Self, AmqpUpstreamError> {
        options.check()?;
        let tls = if options.url.is_tls() {
            Some(tls::config(options.ca_file.as_deref(), options.client_certificate.as_ref())?)
        } else {
            None
        };
        let runtime = Handle::try_current().map_err(|_| AmqpUpstreamError::NoRuntime)?;
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
impl Endpoint for AmqpUpstream {
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
