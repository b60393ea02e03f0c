//! How a byte stream to the other side comes to be: TCP, and TLS where it is wanted.

use std::io;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// A byte stream to the other side.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Why there is no byte stream.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    #[error("no TCP connection came about")]
    Tcp(#[source] io::Error),
    #[error("TLS could not be agreed upon")]
    Tls(#[source] io::Error),
    #[error("the host's name cannot stand in a certificate")]
    Name,
}

impl DialError {
    /// Returns whether it is about the gateway's own credentials.
    pub(super) fn is_unauthorized(&self) -> bool {
        matches!(self, Self::Tls(error) if is_about_our_certificate(error))
    }
}

/// Opens a byte stream.
pub(super) async fn dial(
    host: &str,
    port: u16,
    tls: Option<Arc<ClientConfig>>,
) -> Result<Box<dyn Stream>, DialError> {
    let tcp = TcpStream::connect((host, port)).await.map_err(DialError::Tcp)?;
    tcp.set_nodelay(true).map_err(DialError::Tcp)?;
    let Some(config) = tls else { return Ok(Box::new(tcp)) };
    let name = ServerName::try_from(host.to_owned()).map_err(|_| DialError::Name)?;
    Ok(Box::new(TlsConnector::from(config).connect(name, tcp).await.map_err(DialError::Tls)?))
}

/// Whether the other side's TLS refused the certificate that it was shown, or that it was shown none.
pub(super) fn is_about_our_certificate(error: &io::Error) -> bool {
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
