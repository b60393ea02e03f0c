//! The server's side of TLS.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

use super::client_certificate::ProofOfKey;
use super::{ServerCertificate, TlsError};

/// TLS 1.2 and 1.3 for listeners, with a certificate that can be replaced while it is in use; clones share it.
///
/// Client certificates are asked for and never required; whether one is good is for the gateway to say. Sessions can be
/// resumed by tickets.
///
/// # Examples
/// ```
/// use edge_transport::{ServerCertificate, TlsServer};
///
/// # let generate = || rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
/// # let (generated, renewed) = (generate(), generate());
/// # let (chain, key) = (generated.cert.pem(), generated.signing_key.serialize_pem());
/// let tls = TlsServer::new(&ServerCertificate::from_pem(chain.as_bytes(), key.as_bytes())?)?;
/// # let (chain, key) = (renewed.cert.pem(), renewed.signing_key.serialize_pem());
/// tls.replace(&ServerCertificate::from_pem(chain.as_bytes(), key.as_bytes())?);
/// # Ok::<(), edge_transport::TlsError>(())
/// ```
///
/// # Source
/// Azure IoT Hub, "TLS support in IoT Hub"; the Python device SDK speaks TLS 1.2 only.
#[derive(Clone)]
pub struct TlsServer {
    config: Arc<ServerConfig>,
    current: Arc<Current>,
}

impl TlsServer {
    /// Returns TLS with `certificate`.
    ///
    /// # Errors
    /// [`TlsError::Configuration`] when the system gives no random numbers.
    pub fn new(certificate: &ServerCertificate) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let current = Arc::new(Current(ArcSwap::from(Arc::clone(&certificate.0))));
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Configuration)?
            .with_client_cert_verifier(Arc::new(ProofOfKey(provider)))
            .with_cert_resolver(Arc::<Current>::clone(&current));
        config.ticketer = ring::Ticketer::new().map_err(TlsError::Configuration)?;
        config.send_tls13_tickets = 1;
        Ok(Self { config: Arc::new(config), current })
    }

    /// Uses `certificate` for all handshakes from now on; connections that are open stay as they are.
    pub fn replace(&self, certificate: &ServerCertificate) {
        self.current.0.store(Arc::clone(&certificate.0));
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }
}

impl fmt::Debug for TlsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsServer")
    }
}

/// The certificate in use.
struct Current(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Current")
    }
}
