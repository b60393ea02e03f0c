//! Certificates for one site: its server's, and those of devices.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType,
};
use ring::digest;

/// The certificates of one site, as files in PEM.
#[derive(Debug)]
pub struct Pki {
    /// The authority that signs the server's certificate, for clients to trust.
    pub ca: PathBuf,
    /// The server's certificate.
    pub certificate: PathBuf,
    /// The server's key.
    pub key: PathBuf,
    folder: PathBuf,
}

/// A certificate that a device shows.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "tests read it")]
pub struct DeviceCertificate {
    /// The certificate, in PEM.
    pub certificate: PathBuf,
    /// Its key, in PEM.
    pub key: PathBuf,
    /// The SHA-256 of the certificate, in hexadecimal digits.
    pub thumbprint: String,
}

impl Pki {
    /// Makes an authority and a server certificate for an address.
    ///
    /// # Panics
    /// When the folder cannot be written to.
    #[must_use]
    pub fn make(folder: &Path, ip: Ipv4Addr) -> Self {
        let authority = authority("test servers");
        let mut server = CertificateParams::default();
        server.distinguished_name.push(DnType::CommonName, ip.to_string());
        server.subject_alt_names.push(SanType::IpAddress(IpAddr::V4(ip)));
        server.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
        let key = KeyPair::generate().expect("a key can be made");
        let certificate = server.signed_by(&key, &authority).expect("the authority can sign");
        Self {
            ca: write(folder, "ca.pem", &authority.pem()),
            certificate: write(folder, "server.pem", &certificate.pem()),
            key: write(folder, "server.key", &key.serialize_pem()),
            folder: folder.to_owned(),
        }
    }

    /// Makes a certificate that a device has signed itself.
    ///
    /// # Panics
    /// When the folder cannot be written to.
    #[must_use]
    pub fn self_signed(&self, device: &str) -> DeviceCertificate {
        let key = KeyPair::generate().expect("a key can be made");
        let certificate = device_params(device).self_signed(&key).expect("a key can sign");
        self.device(device, &certificate, &key)
    }

    /// Makes a certificate that a devices' authority has signed; returns it with the authority's.
    ///
    /// # Panics
    /// When the folder cannot be written to.
    #[must_use]
    pub fn signed(&self, device: &str) -> (DeviceCertificate, PathBuf) {
        let authority = authority("test devices");
        let key = KeyPair::generate().expect("a key can be made");
        let certificate = device_params(device).signed_by(&key, &authority).expect("the authority can sign");
        let ca = write(&self.folder, &format!("{device}-ca.pem"), &authority.pem());
        (self.device(device, &certificate, &key), ca)
    }

    fn device(&self, device: &str, certificate: &rcgen::Certificate, key: &KeyPair) -> DeviceCertificate {
        let digest = digest::digest(&digest::SHA256, certificate.der());
        DeviceCertificate {
            certificate: write(&self.folder, &format!("{device}.pem"), &certificate.pem()),
            key: write(&self.folder, &format!("{device}.key"), &key.serialize_pem()),
            thumbprint: digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect(),
        }
    }
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    let key = KeyPair::generate().expect("a key can be made");
    CertifiedIssuer::self_signed(params, key).expect("a key can sign")
}

fn device_params(device: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, device);
    params.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth);
    params
}

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).expect("the folder can be written to");
    path
}
