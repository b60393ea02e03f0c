//! How the upstream speaks TLS.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::{MqttUpstreamError, MqttUpstreamOptions};

/// Where operating systems keep the certificates of the authorities that they trust.
const SYSTEM_BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Reads certificates and keys, and returns how to speak TLS; with a provider of its own, since a library must not set
/// one for the whole process.
pub(super) fn config(options: &MqttUpstreamOptions) -> Result<Arc<ClientConfig>, MqttUpstreamError> {
    let provider = Arc::new(ring::default_provider());
    let tls = |source| MqttUpstreamError::Tls { source };
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(tls)?.with_root_certificates(roots(options.ca_file.as_deref())?);
    let config = match &options.client_certificate {
        None => builder.with_no_client_auth(),
        Some((chain_file, key_file)) => {
            let chain = certificates(chain_file)?;
            let key = PrivateKeyDer::from_pem_slice(&read(key_file)?)
                .map_err(|_| MqttUpstreamError::NoKey { path: key_file.clone() })?;
            builder.with_client_auth_cert(chain, key).map_err(tls)?
        }
    };
    Ok(Arc::new(config))
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, MqttUpstreamError> {
    let path = match ca_file {
        Some(path) => path.to_owned(),
        None => {
            let mut known = SYSTEM_BUNDLES.iter().map(PathBuf::from);
            known.find(|path| path.exists()).ok_or(MqttUpstreamError::NoAuthorities)?
        }
    };
    let mut store = RootCertStore::empty();
    let (usable, _unusable) = store.add_parsable_certificates(certificates(&path)?);
    if usable == 0 {
        return Err(MqttUpstreamError::NoCertificate { path });
    }
    Ok(store)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, MqttUpstreamError> {
    let pem = read(path)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        _ => Err(MqttUpstreamError::NoCertificate { path: path.to_owned() }),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, MqttUpstreamError> {
    fs::read(path).map_err(|source| MqttUpstreamError::Read { path: path.to_owned(), source })
}
