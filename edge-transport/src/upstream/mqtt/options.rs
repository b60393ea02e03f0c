//! What an MQTT upstream is told.

use std::fmt;
use std::num::{NonZeroU16, NonZeroU32};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::{BrokerUrl, MqttUpstreamError, TopicTemplate};

/// Which MQTT to speak.
///
/// # Examples
/// ```
/// use edge_transport::upstream::MqttVersion;
///
/// assert_eq!("3.1.1".parse(), Ok(MqttVersion::V311));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum MqttVersion {
    /// MQTT 3.1.1: no properties, and a broker cannot say why it refuses a message.
    V311,
    /// MQTT 5.0.
    #[default]
    V5,
}

/// Why a text is not a version of MQTT.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a version of MQTT that the upstream speaks: write 5 or 3.1.1")]
#[non_exhaustive]
pub struct MqttVersionError {
    /// The refused text.
    pub text: String,
}

impl FromStr for MqttVersion {
    type Err = MqttVersionError;

    fn from_str(text: &str) -> Result<Self, MqttVersionError> {
        match text {
            "5" | "5.0" => Ok(Self::V5),
            "3.1.1" => Ok(Self::V311),
            _ => Err(MqttVersionError { text: text.into() }),
        }
    }
}

/// Where a message's properties go.
///
/// # Examples
/// ```
/// use edge_transport::upstream::PropertyPlacement;
///
/// assert_eq!("topic".parse(), Ok(PropertyPlacement::Topic));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PropertyPlacement {
    /// As user properties of MQTT 5; the content type as the property made for it.
    UserProperties,
    /// As one more level of the topic, an IoT Hub property bag.
    Topic,
    /// Nowhere: only the body is sent.
    Nowhere,
}

/// Why a text is not a place for properties.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no place for properties: write user-properties, topic or nowhere")]
#[non_exhaustive]
pub struct PropertyPlacementError {
    /// The refused text.
    pub text: String,
}

impl FromStr for PropertyPlacement {
    type Err = PropertyPlacementError;

    fn from_str(text: &str) -> Result<Self, PropertyPlacementError> {
        match text {
            "user-properties" => Ok(Self::UserProperties),
            "topic" => Ok(Self::Topic),
            "nowhere" => Ok(Self::Nowhere),
            _ => Err(PropertyPlacementError { text: text.into() }),
        }
    }
}

/// What an [`MqttUpstream`](super::MqttUpstream) is told: where the broker is, how to log in, which topics to use.
///
/// | | unless stated |
/// |---|---|
/// | version | MQTT 5 |
/// | properties | user properties with MQTT 5, nowhere with 3.1.1 |
/// | certificate authorities | those of the operating system |
/// | messages in flight | 256, or fewer if the broker says so |
/// | keep alive | 60 s |
/// | time to connect | 10 s |
/// | time without an answer | 30 s |
/// | largest packet | what the broker says, 256 MiB at most |
///
/// # Examples
/// ```
/// use edge_transport::upstream::{MqttUpstreamOptions, MqttVersion, PropertyPlacement};
///
/// let options = MqttUpstreamOptions::new("mqtts://broker.example".parse()?, "edge/{device_id}".parse()?, "edge1")
///     .version(MqttVersion::V311)
///     .properties(PropertyPlacement::Topic)
///     .login("edge1", "secret");
/// assert!(!format!("{options:?}").contains("secret"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Source
/// The time without an answer is that of Azure IoT Edge's endpoints; the other values are our choice, because a broker
/// on the same network answers a few hundred messages in one round trip.
#[derive(Clone, PartialEq, Eq)]
pub struct MqttUpstreamOptions {
    pub(super) url: BrokerUrl,
    pub(super) topic: TopicTemplate,
    pub(super) client_id: String,
    pub(super) version: MqttVersion,
    pub(super) placement: Option<PropertyPlacement>,
    pub(super) login: Option<(String, String)>,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) client_certificate: Option<(PathBuf, PathBuf)>,
    pub(super) in_flight: NonZeroU16,
    pub(super) keep_alive: Duration,
    pub(super) connect_timeout: Duration,
    pub(super) ack_timeout: Duration,
    pub(super) max_packet_bytes: Option<NonZeroU32>,
}

impl MqttUpstreamOptions {
    /// Returns options for the broker at `url`, for messages to `topic`, as the client `client_id`.
    ///
    /// No two clients of a broker may have the same id: they throw each other out.
    #[must_use]
    pub fn new(url: BrokerUrl, topic: TopicTemplate, client_id: &str) -> Self {
        Self {
            url,
            topic,
            client_id: client_id.into(),
            version: MqttVersion::default(),
            placement: None,
            login: None,
            ca_file: None,
            client_certificate: None,
            in_flight: NonZeroU16::MIN.saturating_add(255),
            keep_alive: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(10),
            ack_timeout: Duration::from_secs(30),
            max_packet_bytes: None,
        }
    }

    /// Sets which MQTT to speak.
    #[must_use]
    pub fn version(mut self, version: MqttVersion) -> Self {
        self.version = version;
        self
    }

    /// Sets where properties go.
    #[must_use]
    pub fn properties(mut self, placement: PropertyPlacement) -> Self {
        self.placement = Some(placement);
        self
    }

    /// Sets user name and password.
    #[must_use]
    pub fn login(mut self, user: &str, password: &str) -> Self {
        self.login = Some((user.into(), password.into()));
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

    /// Sets how many messages may wait for their PUBACK at a time.
    ///
    /// With one, order holds even where a broker refuses a message and takes the one after it.
    #[must_use]
    pub fn in_flight(mut self, messages: NonZeroU16) -> Self {
        self.in_flight = messages;
        self
    }

    /// Sets after how long a silence to ask whether the broker is still there; at most 65,535 s, 0 is never.
    #[must_use]
    pub fn keep_alive(mut self, period: Duration) -> Self {
        self.keep_alive = period;
        self
    }

    /// Sets how long connecting may take, TLS and login included.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets how long the broker may leave messages without any answer.
    #[must_use]
    pub fn ack_timeout(mut self, timeout: Duration) -> Self {
        self.ack_timeout = timeout;
        self
    }

    /// Sets the largest packet that the broker takes; what is larger is rejected and not sent.
    ///
    /// An MQTT 5 broker says so itself; an MQTT 3.1.1 broker closes the connection instead.
    #[must_use]
    pub fn max_packet_bytes(mut self, bytes: NonZeroU32) -> Self {
        self.max_packet_bytes = Some(bytes);
        self
    }

    pub(super) fn placement(&self) -> PropertyPlacement {
        self.placement.unwrap_or(match self.version {
            MqttVersion::V5 => PropertyPlacement::UserProperties,
            MqttVersion::V311 => PropertyPlacement::Nowhere,
        })
    }

    pub(super) fn keep_alive_secs(&self) -> u16 {
        u16::try_from(self.keep_alive.as_secs()).unwrap_or(u16::MAX)
    }

    /// Checks what the types cannot.
    pub(super) fn check(&self) -> Result<(), MqttUpstreamError> {
        let mut texts = vec![("the client id", self.client_id.as_str())];
        if let Some((user, password)) = &self.login {
            texts.extend([("the user name", user.as_str()), ("the password", password.as_str())]);
        }
        for (what, text) in texts {
            if text.len() > usize::from(u16::MAX) || text.contains('\0') {
                return Err(MqttUpstreamError::Text { what });
            }
        }
        if self.version == MqttVersion::V311 && self.placement == Some(PropertyPlacement::UserProperties) {
            return Err(MqttUpstreamError::UserProperties);
        }
        if !self.url.is_tls() && (self.ca_file.is_some() || self.client_certificate.is_some()) {
            return Err(MqttUpstreamError::NotTls { host: self.url.host().into(), port: self.url.port() });
        }
        Ok(())
    }
}

impl fmt::Debug for MqttUpstreamOptions {
    /// Shows all but the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MqttUpstreamOptions")
            .field("url", &format_args!("{}", self.url))
            .field("topic", &format_args!("{}", self.topic))
            .field("client_id", &self.client_id)
            .field("version", &self.version)
            .field("properties", &self.placement())
            .field("user", &self.login.as_ref().map(|(user, _)| user))
            .field("in_flight", &self.in_flight)
            .finish_non_exhaustive()
    }
}
