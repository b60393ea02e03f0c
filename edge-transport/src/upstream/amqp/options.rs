//! What an AMQP upstream is told.

use std::fmt;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use super::AmqpUpstreamError;
use crate::upstream::AmqpUrl;

/// How an AMQP upstream logs in.
///
/// # Examples
/// ```
/// use edge_transport::upstream::AmqpLogin;
///
/// let login = AmqpLogin::Plain { user: "edge1".into(), password: "secret".into() };
/// assert!(!format!("{login:?}").contains("secret"));
/// ```
///
/// # Source
/// OASIS AMQP 1.0 §5.3; RFC 4505 (ANONYMOUS), RFC 4616 (PLAIN), RFC 4422 appendix A (EXTERNAL).
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AmqpLogin {
    /// As nobody in particular.
    Anonymous,
    /// With a user name and a password.
    Plain {
        /// The user name.
        user: String,
        /// The password.
        password: String,
    },
    /// As the one whom the client certificate names.
    External,
}

impl AmqpLogin {
    /// Returns the name of the SASL mechanism.
    #[must_use]
    pub fn mechanism(&self) -> &'static str {
        match self {
            Self::Anonymous => "ANONYMOUS",
            Self::Plain { .. } => "PLAIN",
            Self::External => "EXTERNAL",
        }
    }
}

impl fmt::Debug for AmqpLogin {
    /// Shows all but the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain { user, .. } => write!(f, "Plain({user})"),
            other => f.write_str(other.mechanism()),
        }
    }
}

/// What an [`AmqpUpstream`](super::AmqpUpstream) is told: where the broker is, how to log in, where messages go.
///
/// | | unless stated |
/// |---|---|
/// | login | EXTERNAL with a client certificate, otherwise ANONYMOUS |
/// | certificate authorities | those of the operating system |
/// | host name in the opening | the one of the address |
/// | messages in flight | 256, or fewer if the broker gives less credit |
/// | heartbeat | a connection is lost when nothing is heard for 60 s |
/// | time to connect | 10 s |
/// | time without an answer | 30 s |
///
/// # Examples
/// ```
/// use edge_transport::upstream::AmqpUpstreamOptions;
///
/// let options = AmqpUpstreamOptions::new("amqps://broker.example".parse()?, "/queue/events", "edge1")
///     .login("edge1", "secret")
///     .host_name("vhost:site7");
/// assert!(!format!("{options:?}").contains("secret"));
/// # Ok::<(), edge_transport::upstream::UrlError>(())
/// ```
///
/// # Source
/// The values are our choice, the same as those of [`MqttUpstreamOptions`](crate::upstream::MqttUpstreamOptions).
#[derive(Clone, PartialEq, Eq)]
pub struct AmqpUpstreamOptions {
    pub(super) url: AmqpUrl,
    pub(super) address: String,
    pub(super) container_id: String,
    pub(super) login: Option<AmqpLogin>,
    pub(super) host_name: Option<String>,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) client_certificate: Option<(PathBuf, PathBuf)>,
    pub(super) durable: bool,
    pub(super) in_flight: NonZeroU16,
    pub(super) idle_timeout: Duration,
    pub(super) connect_timeout: Duration,
    pub(super) ack_timeout: Duration,
}

impl AmqpUpstreamOptions {
    /// Returns options for the broker at `url`, for messages to `address`, as the client `container_id`.
    ///
    /// The address is written as the broker wants it: RabbitMQ 3 has `/queue/NAME`, `/exchange/NAME/KEY` and
    /// `/topic/KEY`, RabbitMQ 4 `/queues/NAME` and `/exchanges/NAME/KEY`, ActiveMQ `queue://NAME` and `topic://NAME`.
    /// Some brokers let no two clients have the same container id.
    #[must_use]
    pub fn new(url: AmqpUrl, address: &str, container_id: &str) -> Self {
        Self {
            url,
            address: address.into(),
            container_id: container_id.into(),
            login: None,
            host_name: None,
            ca_file: None,
            client_certificate: None,
            durable: true,
            in_flight: NonZeroU16::MIN.saturating_add(255),
            idle_timeout: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(10),
            ack_timeout: Duration::from_secs(30),
        }
    }

    /// Sets user name and password, for PLAIN.
    #[must_use]
    pub fn login(mut self, user: &str, password: &str) -> Self {
        self.login = Some(AmqpLogin::Plain { user: user.into(), password: password.into() });
        self
    }

    /// Sets how to log in.
    #[must_use]
    pub fn login_as(mut self, login: AmqpLogin) -> Self {
        self.login = Some(login);
        self
    }

    /// Sets the host name of the opening, by which a broker picks a virtual host: `vhost:NAME` for RabbitMQ.
    #[must_use]
    pub fn host_name(mut self, name: &str) -> Self {
        self.host_name = Some(name.into());
        self
    }

    /// Sets the file with the certificates, in PEM, of those who may vouch for the broker.
    #[must_use]
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca_file = Some(path.into());
        self
    }

    /// Sets the files, in PEM, with the certificate chain and the private key to show to the broker.
    #[must_use]
    pub fn client_certificate(mut self, chain: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.client_certificate = Some((chain.into(), key.into()));
        self
    }

    /// Sets whether a queue that the broker makes for this link outlives it; it does unless said otherwise.
    ///
    /// RabbitMQ makes the queue of `/queue/NAME`, and refuses the link when there is one that differs in this.
    #[must_use]
    pub fn durable(mut self, durable: bool) -> Self {
        self.durable = durable;
        self
    }

    /// Sets how many messages may be without an outcome at a time.
    ///
    /// With one, order holds even where a broker releases a message and accepts the one after it.
    #[must_use]
    pub fn in_flight(mut self, messages: NonZeroU16) -> Self {
        self.in_flight = messages;
        self
    }

    /// Sets after how long a silence the connection counts as lost; the broker is told, and sends heartbeats.
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// Sets how long connecting may take, TLS and login included.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets how long the broker may leave messages without any outcome, or without credit.
    #[must_use]
    pub fn ack_timeout(mut self, timeout: Duration) -> Self {
        self.ack_timeout = timeout;
        self
    }

    /// Returns how to log in.
    pub(super) fn login_used(&self) -> AmqpLogin {
        match (&self.login, &self.client_certificate) {
            (Some(login), _) => login.clone(),
            (None, Some(_)) => AmqpLogin::External,
            (None, None) => AmqpLogin::Anonymous,
        }
    }

    /// Checks what the types cannot.
    pub(super) fn check(&self) -> Result<(), AmqpUpstreamError> {
        if self.address.is_empty() {
            return Err(AmqpUpstreamError::NoAddress);
        }
        if self.container_id.is_empty() {
            return Err(AmqpUpstreamError::NoContainerId);
        }
        if !self.url.is_tls() && (self.ca_file.is_some() || self.client_certificate.is_some()) {
            return Err(AmqpUpstreamError::NotTls { host: self.url.host().into(), port: self.url.port() });
        }
        if self.login == Some(AmqpLogin::External) && self.client_certificate.is_none() {
            return Err(AmqpUpstreamError::NoCertificate);
        }
        Ok(())
    }
}

impl fmt::Debug for AmqpUpstreamOptions {
    /// Shows all but the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AmqpUpstreamOptions")
            .field("url", &format_args!("{}", self.url))
            .field("address", &self.address)
            .field("container_id", &self.container_id)
            .field("login", &self.login_used())
            .field("in_flight", &self.in_flight)
            .finish_non_exhaustive()
    }
}
