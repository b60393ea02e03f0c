//! A certificate authority made for one measurement.

use std::error::Error;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType};
use rustls::{ClientConfig, RootCertStore};

/// A server's certificate for loopback, and what its clients trust.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "programs of this package read it")]
pub struct Pki {
    /// The authority's certificate, in PEM.
    pub ca: PathBuf,
    /// The server's certificate, in PEM.
    pub certificate: PathBuf,
    /// The server's key, in PEM.
    pub key: PathBuf,
    /// The configuration of a client that trusts the authority.
    pub client: Arc<ClientConfig>,
}

impl Pki {
    /// Makes the certificates and writes them to a folder.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn make(folder: &Path) -> Result<Self, Box<dyn Error>> {
        let ca_key = KeyPair::generate()?;
        let mut ca = CertificateParams::default();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let ca_certificate = ca.self_signed(&ca_key)?;
        let key = KeyPair::generate()?;
        let mut server = CertificateParams::new(vec!["localhost".to_owned()])?;
        server.subject_alt_names.push(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        let certificate = server.signed_by(&key, &Issuer::new(ca, ca_key))?;

        let mut roots = RootCertStore::empty();
        roots.add(ca_certificate.der().clone())?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let write = |name: &str, text: String| {
            let path = folder.join(name);
            fs::write(&path, text).map(|()| path)
        };
        Ok(Self {
            ca: write("ca.pem", ca_certificate.pem())?,
            certificate: write("server.pem", certificate.pem())?,
            key: write("server.key", key.serialize_pem())?,
            client: Arc::new(client),
        })
    }
}
