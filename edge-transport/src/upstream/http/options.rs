//! What an HTTP upstream is told.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue,
    TRANSFER_ENCODING,
};

use super::{Headers, HttpUpstreamError};
use crate::upstream::HttpUrl;

/// What a batch is in the body of a request.
///
/// # Examples
/// ```
/// use edge_transport::upstream::HttpFormat;
///
/// assert_eq!("cloudevents".parse(), Ok(HttpFormat::CloudEvents));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum HttpFormat {
    /// One [record](crate::upstream::ndjson::Record) a line, as `application/x-ndjson`.
    #[default]
    Ndjson,
    /// An array of events, as `application/cloudevents-batch+json`.
    ///
    /// | attribute | what it holds |
    /// |---|---|
    /// | `id` | the same for a message however often it is posted, and for no other |
    /// | `source` | `/devices/{device}`, and `/modules/{module}` behind it |
    /// | `type` | `edge.message` |
    /// | `time` | when the gateway took it |
    /// | `datacontenttype` | the content type |
    /// | `edgesource` | where it came from, as routes see it |
    /// | `edgeproperties` | all properties, as an IoT Hub property bag |
    /// | `data` | a body that is JSON as it is; one whose content type begins with `text/` as a text |
    /// | `data_base64` | every other body |
    CloudEvents,
}

/// Why a text is not a format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a format: write ndjson or cloudevents")]
#[non_exhaustive]
pub struct HttpFormatError {
    /// The refused text.
    pub text: String,
}

impl FromStr for HttpFormat {
    type Err = HttpFormatError;

    fn from_str(text: &str) -> Result<Self, HttpFormatError> {
        match text {
            "ndjson" => Ok(Self::Ndjson),
            "cloudevents" => Ok(Self::CloudEvents),
            _ => Err(HttpFormatError { text: text.into() }),
        }
    }
}

impl HttpFormat {
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::CloudEvents => "application/cloudevents-batch+json; charset=utf-8",
        }
    }
}

/// How an HTTP upstream logs in.
///
/// # Examples
/// ```
/// use edge_transport::upstream::HttpLogin;
///
/// assert_eq!(format!("{:?}", HttpLogin::Bearer("secret".into())), "Bearer");
/// ```
///
/// # Source
/// RFC 6750 §2.1, RFC 7617.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum HttpLogin {
    /// With a token.
    Bearer(String),
    /// With a user name and a password.
    Basic {
        /// The user name.
        user: String,
        /// The password.
        password: String,
    },
}

impl fmt::Debug for HttpLogin {
    /// Shows no secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bearer(_) => f.write_str("Bearer"),
            Self::Basic { user, .. } => write!(f, "Basic({user})"),
        }
    }
}

/// What an [`HttpUpstream`](super::HttpUpstream) is told.
///
/// | | unless stated |
/// |---|---|
/// | format | NDJSON |
/// | certificate authorities | those of the operating system |
/// | messages in a request | 100 |
/// | bytes of messages in a request | 1 MiB |
/// | time to connect | 10 s |
/// | time for an answer | 30 s |
/// | send time | 60 s |
///
/// # Examples
/// ```
/// use edge_transport::upstream::HttpUpstreamOptions;
///
/// let options = HttpUpstreamOptions::new("https://ingest.example/events".parse()?)
///     .basic("edge1", "secret")
///     .header("X-Site", "7");
/// assert!(!format!("{options:?}").contains("secret"));
/// # Ok::<(), edge_transport::upstream::UrlError>(())
/// ```
///
/// # Source
/// The values are our choice, because many gateways before servers take no more than 1 MiB in a request.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpUpstreamOptions {
    pub(super) url: HttpUrl,
    pub(super) format: HttpFormat,
    pub(super) login: Option<HttpLogin>,
    pub(super) extra: Vec<(String, String)>,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) client_certificate: Option<(PathBuf, PathBuf)>,
    pub(super) batch_messages: NonZeroUsize,
    pub(super) batch_bytes: usize,
    pub(super) connect_timeout: Duration,
    pub(super) timeout: Duration,
    pub(super) send_time: Duration,
    pub(super) key_prefix: String,
}

impl HttpUpstreamOptions {
    /// Returns options for the server at `url`.
    #[must_use]
    pub fn new(url: HttpUrl) -> Self {
        Self {
            url,
            format: HttpFormat::default(),
            login: None,
            extra: Vec::new(),
            ca_file: None,
            client_certificate: None,
            batch_messages: NonZeroUsize::MIN.saturating_add(99),
            batch_bytes: 1 << 20,
            connect_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(30),
            send_time: Duration::from_secs(60),
            key_prefix: String::new(),
        }
    }

    /// Sets what a batch is in the body of a request.
    #[must_use]
    pub fn format(mut self, format: HttpFormat) -> Self {
        self.format = format;
        self
    }

    /// Sets a token to log in with.
    #[must_use]
    pub fn bearer(mut self, token: &str) -> Self {
        self.login = Some(HttpLogin::Bearer(token.into()));
        self
    }

    /// Sets user name and password.
    #[must_use]
    pub fn basic(mut self, user: &str, password: &str) -> Self {
        self.login = Some(HttpLogin::Basic { user: user.into(), password: password.into() });
        self
    }

    /// Adds a header to every request.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.extra.push((name.into(), value.into()));
        self
    }

    /// Sets the name of this gateway, which goes into the idempotency keys and into the ids of events, so that two
    /// gateways never make the same.
    #[must_use]
    pub fn gateway(mut self, name: &str) -> Self {
        self.key_prefix = name.into();
        self
    }

    /// Sets the file with the certificates, in PEM, of those who may vouch for the server.
    #[must_use]
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca_file = Some(path.into());
        self
    }

    /// Sets the files, in PEM, with the certificate chain and the private key to show to the server.
    #[must_use]
    pub fn client_certificate(mut self, chain: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.client_certificate = Some((chain.into(), key.into()));
        self
    }

    /// Sets how many messages, and how many bytes of them, a request may have; a larger message goes alone.
    #[must_use]
    pub fn batch(mut self, messages: NonZeroUsize, bytes: usize) -> Self {
        self.batch_messages = messages;
        self.batch_bytes = bytes;
        self
    }

    /// Sets how long connecting may take, TLS included.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets how long the server may take to answer a request.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets after how long no further part of a halved batch is posted, once the outcome of one message is known.
    ///
    /// It must leave time for one more request within the time that the hub gives a send: what a send that takes too
    /// long has found out is lost, and all of it is posted again.
    #[must_use]
    pub fn send_time(mut self, time: Duration) -> Self {
        self.send_time = time;
        self
    }

    /// Returns the headers of every request.
    pub(super) fn headers(&self) -> Result<Headers, HttpUpstreamError> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.extra {
            let bad = || HttpUpstreamError::Header { name: name.clone() };
            let known = HeaderName::from_str(name).map_err(|_| bad())?;
            let own = [HOST, CONTENT_TYPE, CONTENT_LENGTH, TRANSFER_ENCODING];
            if own.contains(&known) || known == "idempotency-key" || known == CONNECTION {
                return Err(HttpUpstreamError::OwnHeader { name: name.clone() });
            }
            headers.append(known, HeaderValue::from_str(value).map_err(|_| bad())?);
        }
        let login = match &self.login {
            None => None,
            Some(HttpLogin::Bearer(token)) => Some(format!("Bearer {token}")),
            Some(HttpLogin::Basic { user, password }) => {
                Some(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
            }
        };
        if let Some(login) = login {
            let bad = |_| HttpUpstreamError::Header { name: "Authorization".into() };
            let mut value = HeaderValue::from_str(&login).map_err(bad)?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let host = HeaderValue::from_str(&self.url.authority());
        headers.insert(HOST, host.map_err(|_| HttpUpstreamError::Header { name: "Host".into() })?);
        Ok(Arc::new(headers))
    }
}

impl fmt::Debug for HttpUpstreamOptions {
    /// Shows no secret, and no values of headers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpUpstreamOptions")
            .field("url", &format_args!("{}", self.url))
            .field("format", &self.format)
            .field("login", &self.login)
            .finish_non_exhaustive()
    }
}
