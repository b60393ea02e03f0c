//! The server's certificate and private key.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::{self, PemObject as _};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        #[source]
        source: io::Error,
    },
    /// A text that should hold certificates holds none.
    #[error(
        "{origin} holds no certificate: write the server's certificate and then those of its issuers, in PEM format"
    )]
    NoCertificate {
        /// Which text.
        origin: String,
    },
    /// A text that should hold a private key holds none.
    #[error("{origin} holds no private key: write one in PEM format, PKCS#8, PKCS#1 or SEC1, not encrypted")]
    NoKey {
        /// Which text.
        origin: String,
    },
    /// A text is damaged.
    #[error("{origin} is not PEM: {reason}")]
    Pem {
        /// Which text.
        origin: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The private key cannot be used, or is not that of the certificate.
    #[error("{origin} cannot be used with the certificate: check that the two belong together")]
    Key {
        /// Which text.
        origin: String,
        /// What is wrong with it.
        #[source]
        source: rustls::Error,
    },
    /// TLS cannot be configured.
    #[error("TLS cannot be configured")]
    Configuration(
        /// What is wrong.
        #[source]
        rustls::Error,
    ),
}

/// A certificate chain with its private key. `Debug` does not show the key.
///
/// # Examples
/// ```
/// use edge_transport::{ServerCertificate, TlsError};
///
/// let error = ServerCertificate::from_pem(b"", b"").unwrap_err();
/// assert!(matches!(error, TlsError::NoCertificate { .. }));
/// ```
#[derive(Clone)]
pub struct ServerCertificate(pub(super) Arc<CertifiedKey>);

impl ServerCertificate {
    /// Reads a chain, leaf first, and the leaf's private key, both in PEM format.
    ///
    /// # Errors
    /// [`TlsError`], which names what is wrong and what to do.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        Self::read((chain, "the certificate"), (key, "the private key"))
    }

    /// Reads a chain, leaf first, and the leaf's private key from two files in PEM format.
    ///
    /// It reads the files at once: call it before the gateway runs, or from a thread that may wait.
    ///
    /// # Errors
    /// [`TlsError`], which names the file, what is wrong and what to do.
    pub fn from_files(chain: &Path, key: &Path) -> Result<Self, TlsError> {
        let read = |path: &Path| {
            std::fs::read(path).map_err(|source| TlsError::Read { path: path.to_owned(), source })
        };
        let (chain_pem, key_pem) = (read(chain)?, read(key)?);
        Self::read((&chain_pem, &chain.display().to_string()), (&key_pem, &key.display().to_string()))
    }

    fn read(
        (chain, chain_origin): (&[u8], &str),
        (key, key_origin): (&[u8], &str),
    ) -> Result<Self, TlsError> {
        let damaged = |origin: &str, error: &pem::Error| TlsError::Pem {
            origin: origin.to_owned(),
            reason: error.to_string(),
        };
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain).collect();
        let certificates = certificates.map_err(|error| damaged(chain_origin, &error))?;
        if certificates.is_empty() {
            return Err(TlsError::NoCertificate { origin: chain_origin.to_owned() });
        }
        let key = match PrivateKeyDer::from_pem_slice(key) {
            Ok(key) => key,
            Err(pem::Error::NoItemsFound) => return Err(TlsError::NoKey { origin: key_origin.to_owned() }),
            Err(error) => return Err(damaged(key_origin, &error)),
        };
        let provider = rustls::crypto::ring::default_provider();
        match CertifiedKey::from_der(certificates, key, &provider) {
            Ok(certified) => Ok(Self(Arc::new(certified))),
            Err(source) => Err(TlsError::Key { origin: key_origin.to_owned(), source }),
        }
    }
}

impl fmt::Debug for ServerCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerCertificate").field("certificates", &self.0.cert.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertifiedKey as Generated, generate_simple_self_signed};

    use super::*;

    fn generated() -> (String, String) {
        let Generated { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        (cert.pem(), signing_key.serialize_pem())
    }

    fn check_error(chain: &str, key: &str, message: &str) {
        let error = ServerCertificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap_err();
        assert!(error.to_string().starts_with(message), "{error}");
    }

    #[test]
    fn mistakes_are_named() {
        let (chain, key) = generated();
        let (_, other_key) = generated();
        ServerCertificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap();
        check_error("", &key, "the certificate holds no certificate");
        check_error(&key, &key, "the certificate holds no certificate");
        check_error(&chain, &chain, "the private key holds no private key");
        check_error(&chain, &other_key, "the private key cannot be used with the certificate");
        check_error(&chain[..chain.len() - 30], &key, "the certificate is not PEM");
    }

    #[test]
    fn a_missing_file_is_named() {
        let error =
            ServerCertificate::from_files(Path::new("no-such.pem"), Path::new("no-such.key")).unwrap_err();
        assert_eq!(error.to_string(), "cannot read no-such.pem");
    }
}
