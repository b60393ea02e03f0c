//! How a connection comes to be: TCP, TLS, CONNECT, CONNACK.

use std::io;
use std::sync::Arc;

use bytes::BytesMut;
use edge_core::EndpointError;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::codec::{self, Incoming, Limits, NotMqtt, Refusal};
use super::{BrokerUrl, MqttUpstreamOptions};

/// A byte stream to a broker.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection that the broker has let in.
pub(super) struct Link {
    pub(super) stream: Box<dyn Stream>,
    /// What was read behind the CONNACK.
    pub(super) input: BytesMut,
    pub(super) limits: Limits,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    #[error("no TCP connection came about")]
    Tcp(#[source] io::Error),
    #[error("TLS could not be agreed upon")]
    Tls(#[source] io::Error),
    #[error("the host's name cannot stand in a certificate")]
    Name,
    #[error("the connection broke while logging in")]
    Io(#[source] io::Error),
    #[error("the broker closed the connection instead of answering")]
    Closed,
    #[error(transparent)]
    Refused(Refusal),
    #[error(transparent)]
    NotMqtt(#[from] NotMqtt),
    #[error("the broker answered with something else than CONNACK")]
    NotConnAck,
    #[error("the broker takes no messages with QoS 1, and without it none is sure to arrive")]
    NoQos1,
    #[error("no connection came about within {} s", .0.as_secs_f64())]
    TimedOut(std::time::Duration),
}

impl ConnectError {
    fn is_unauthorized(&self) -> bool {
        match self {
            Self::Refused(refusal) => refusal.is_unauthorized,
            Self::Tls(error) | Self::Io(error) => is_about_our_certificate(error),
            _ => false,
        }
    }

    /// Returns the error as the endpoint's contract has it.
    pub(super) fn into_endpoint_error(self, url: &BrokerUrl) -> EndpointError {
        let to = url.to_string();
        if self.is_unauthorized() {
            EndpointError::Unauthorized { to, source: self.into() }
        } else {
            EndpointError::Unreachable { to, source: self.into() }
        }
    }
}

/// Whether the broker's TLS refused the certificate that it was shown, or that it was shown none.
fn is_about_our_certificate(error: &io::Error) -> bool {
    use rustls::AlertDescription as Alert;
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    matches!(
        inner,
        Some(rustls::Error::AlertReceived(
            Alert::CertificateRequired
                | Alert::BadCertificate
                | Alert::CertificateExpired
                | Alert::CertificateRevoked
                | Alert::CertificateUnknown
                | Alert::UnknownCA
                | Alert::UnsupportedCertificate
                | Alert::AccessDenied
        ))
    )
}

/// Connects and logs in.
pub(super) async fn connect(
    options: &MqttUpstreamOptions,
    tls: Option<Arc<ClientConfig>>,
) -> Result<Link, ConnectError> {
    let url = &options.url;
    let tcp = TcpStream::connect((url.host(), url.port())).await.map_err(ConnectError::Tcp)?;
    tcp.set_nodelay(true).map_err(ConnectError::Tcp)?;
    let mut stream: Box<dyn Stream> = match tls {
        None => Box::new(tcp),
        Some(config) => {
            let name = ServerName::try_from(url.host().to_owned()).map_err(|_| ConnectError::Name)?;
            Box::new(TlsConnector::from(config).connect(name, tcp).await.map_err(ConnectError::Tls)?)
        }
    };
    let mut bytes = BytesMut::new();
    codec::connect(options, &mut bytes)?;
    stream.write_all(&bytes).await.map_err(ConnectError::Io)?;
    stream.flush().await.map_err(ConnectError::Io)?;
    bytes.clear();
    loop {
        match codec::next(options.version, &mut bytes)? {
            Some(Incoming::Welcome(limits)) if limits.max_qos == Some(0) => return Err(ConnectError::NoQos1),
            Some(Incoming::Welcome(limits)) => return Ok(Link { stream, input: bytes, limits }),
            Some(Incoming::Refused(refusal)) => return Err(ConnectError::Refused(refusal)),
            Some(_) => return Err(ConnectError::NotConnAck),
            None => {}
        }
        if stream.read_buf(&mut bytes).await.map_err(ConnectError::Io)? == 0 {
            return Err(ConnectError::Closed);
        }
    }
}
