//! How an upstream speaks TLS.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// Why an upstream cannot speak TLS as it is told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpstreamTlsError {
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
    #[error(
        "this machine has no list of certificate authorities: state the file of the other side's authority"
    )]
    NoAuthorities,
    /// Certificate and key do not go together, or TLS cannot be set up.
    #[error("TLS cannot be set up")]
    Rustls {
        /// What is wrong.
        #[source]
        source: rustls::Error,
    },
}

/// Where operating systems keep the certificates of the authorities that they trust.
const SYSTEM_BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Reads certificates and keys, and returns how to speak TLS; with a provider of its own, since a library must not set
/// one for the whole process.
pub(super) fn config(
    ca_file: Option<&Path>,
    client_certificate: Option<&(PathBuf, PathBuf)>,
) -> Result<Arc<ClientConfig>, UpstreamTlsError> {
    let provider = Arc::new(ring::default_provider());
    let tls = |source| UpstreamTlsError::Rustls { source };
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(tls)?.with_root_certificates(roots(ca_file)?);
    let config = match client_certificate {
        None => builder.with_no_client_auth(),
        Some((chain_file, key_file)) => {
            let chain = certificates(chain_file)?;
            let key = PrivateKeyDer::from_pem_slice(&read(key_file)?)
                .map_err(|_| UpstreamTlsError::NoKey { path: key_file.clone() })?;
            builder.with_client_auth_cert(chain, key).map_err(tls)?
        }
    };
    Ok(Arc::new(config))
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, UpstreamTlsError> {
    let path = match ca_file {
        Some(path) => path.to_owned(),
        None => {
            let mut known = SYSTEM_BUNDLES.iter().map(PathBuf::from);
            known.find(|path| path.exists()).ok_or(UpstreamTlsError::NoAuthorities)?
        }
    };
    let mut store = RootCertStore::empty();
    let (usable, _unusable) = store.add_parsable_certificates(certificates(&path)?);
    if usable == 0 {
        return Err(UpstreamTlsError::NoCertificate { path });
    }
    Ok(store)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, UpstreamTlsError> {
    let pem = read(path)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        _ => Err(UpstreamTlsError::NoCertificate { path: path.to_owned() }),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, UpstreamTlsError> {
    fs::read(path).map_err(|source| UpstreamTlsError::Read { path: path.to_owned(), source })
}
