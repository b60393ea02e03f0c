//! What client certificates say, and who vouches for them.

use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use edge_core::Timestamp;
use ring::digest;
use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// Why a client certificate is no proof.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum X509Error {
    /// There is no certificate.
    #[error("no certificate was shown")]
    None,
    /// It is not a certificate.
    #[error("the certificate cannot be read: {reason}")]
    Unreadable {
        /// What is wrong with it.
        reason: String,
    },
    /// Nobody known vouches for it.
    #[error("the certificate does not lead to a known authority")]
    NotTrusted(
        /// What is wrong with the chain.
        #[source]
        rustls::Error,
    ),
    /// The authorities' certificates cannot be used.
    #[error("the authorities' certificates cannot be used: {reason}")]
    Authorities {
        /// What is wrong with them.
        reason: String,
    },
}

/// What a certificate says about its holder.
///
/// # Examples
/// ```
/// use edge_transport::iothub::CertificateFacts;
///
/// let generated = rcgen::generate_simple_self_signed(["press-7".to_owned()]).unwrap();
/// let facts = CertificateFacts::read(generated.cert.der())?;
/// assert!(facts.not_before < facts.not_after);
/// # Ok::<(), edge_transport::iothub::X509Error>(())
/// ```
///
/// # Source
/// RFC 5280 §4.1; Azure IoT Hub, "X.509 certificate attestation".
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CertificateFacts {
    /// The common name of the subject; by Azure's rule the device id, for certificates of an authority.
    pub common_name: Option<String>,
    /// From when the certificate is valid.
    pub not_before: Timestamp,
    /// Until when the certificate is valid.
    pub not_after: Timestamp,
}

impl CertificateFacts {
    /// Returns what the certificate with these DER bytes says.
    ///
    /// # Errors
    /// [`X509Error::Unreadable`] when the bytes are no certificate.
    pub fn read(der: &[u8]) -> Result<Self, X509Error> {
        let (_, certificate) = X509Certificate::from_der(der)
            .map_err(|error| X509Error::Unreadable { reason: error.to_string() })?;
        let time = |time: x509_parser::time::ASN1Time| {
            let seconds = u64::try_from(time.timestamp()).unwrap_or(0);
            Timestamp::from_unix_ms(seconds.saturating_mul(1000))
        };
        let mut names = certificate.subject().iter_common_name();
        let common_name = names.next().and_then(|name| name.as_str().ok()).map(str::to_owned);
        Ok(Self {
            // Two names could be read as two devices: such a certificate has none.
            common_name: common_name.filter(|_| names.next().is_none()),
            not_before: time(certificate.validity().not_before),
            not_after: time(certificate.validity().not_after),
        })
    }

    /// Returns whether the certificate is valid at the time `now`.
    #[must_use]
    pub fn is_valid_at(&self, now: Timestamp) -> bool {
        self.not_before <= now && now <= self.not_after
    }
}

/// The digest of a certificate: SHA-1 or SHA-256 of its DER bytes.
///
/// # Examples
/// ```
/// use edge_transport::iothub::Thumbprint;
///
/// let thumbprint: Thumbprint = "DA:39:A3:EE:5E:6B:4B:0D:32:55:BF:EF:95:60:18:90:AF:D8:07:09".parse()?;
/// assert!(thumbprint.is_of(b""));
/// assert_eq!(thumbprint.to_string(), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
/// assert!("da39".parse::<Thumbprint>().is_err());
/// # Ok::<(), edge_transport::iothub::ThumbprintError>(())
/// ```
///
/// # Source
/// Azure IoT Hub keeps 40 hexadecimal digits (SHA-1) or 64 (SHA-256), in either case of their letters.
#[derive(Clone, PartialEq, Eq)]
pub struct Thumbprint(Vec<u8>);

/// Why a text is not a thumbprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a thumbprint has 40 or 64 hexadecimal digits")]
#[non_exhaustive]
pub struct ThumbprintError;

impl Thumbprint {
    /// Returns the SHA-256 thumbprint of a certificate.
    #[must_use]
    pub fn of(der: &[u8]) -> Self {
        Self(digest::digest(&digest::SHA256, der).as_ref().to_vec())
    }

    /// Returns whether the thumbprint is that of the certificate with these DER bytes.
    #[must_use]
    pub fn is_of(&self, der: &[u8]) -> bool {
        let algorithm = match self.0.len() {
            20 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            _ => &digest::SHA256,
        };
        digest::digest(algorithm, der).as_ref() == self.0
    }
}

impl std::str::FromStr for Thumbprint {
    type Err = ThumbprintError;

    fn from_str(text: &str) -> Result<Self, ThumbprintError> {
        let digit = |c: char| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let digits: Option<Vec<u8>> = text.chars().filter(|c| !matches!(c, ':' | ' ')).map(digit).collect();
        match digits {
            Some(digits) if matches!(digits.len(), 40 | 64) => Ok(Self(
                digits
                    .chunks_exact(2)
                    .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit))
                    .collect(),
            )),
            _ => Err(ThumbprintError),
        }
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        write!(text, "{self}")?;
        f.write_str(&text)
    }
}

/// The authorities whose certificates devices may show.
///
/// # Examples
/// ```
/// use edge_core::Timestamp;
/// use edge_transport::iothub::ClientAuthorities;
///
/// let generated = rcgen::generate_simple_self_signed(["Devices CA".to_owned()]).unwrap();
/// let authorities = ClientAuthorities::from_pem(generated.cert.pem().as_bytes())?;
/// let strangers = rcgen::generate_simple_self_signed(["press-7".to_owned()]).unwrap();
/// let now = Timestamp::from_unix_ms(1_800_000_000_000);
/// assert!(authorities.verify(&[strangers.cert.der().to_vec()], now).is_err());
/// # Ok::<(), edge_transport::iothub::X509Error>(())
/// ```
#[derive(Clone)]
pub struct ClientAuthorities(Arc<dyn ClientCertVerifier>);

impl ClientAuthorities {
    /// Returns the authorities whose certificates `pem` holds.
    ///
    /// # Errors
    /// [`X509Error::Authorities`] when the text holds no certificate, or one that cannot be used.
    pub fn from_pem(pem: &[u8]) -> Result<Self, X509Error> {
        let wrong = |reason: String| X509Error::Authorities { reason };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
            roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(wrong("there is no certificate in PEM format".to_owned()));
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        Ok(Self(verifier.build().map_err(|error| wrong(error.to_string()))?))
    }

    /// Checks that a chain, leaf first, leads to one of the authorities at the time `now`.
    ///
    /// # Errors
    /// [`X509Error::NotTrusted`] when it does not, [`X509Error::None`] when the chain is empty.
    pub fn verify(&self, chain: &[Vec<u8>], now: Timestamp) -> Result<(), X509Error> {
        let (leaf, rest) = chain.split_first().ok_or(X509Error::None)?;
        let rest: Vec<_> = rest.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
        let now = UnixTime::since_unix_epoch(Duration::from_millis(now.as_unix_ms()));
        let verified = self.0.verify_client_cert(&CertificateDer::from(leaf.as_slice()), &rest, now);
        verified.map(|_| ()).map_err(X509Error::NotTrusted)
    }
}

impl fmt::Debug for ClientAuthorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientAuthorities")
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);

    fn leaf_params(name: &str) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2040, 1, 1);
        params
    }

    fn authority() -> (Issuer<'static, KeyPair>, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = leaf_params("Devices CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        (Issuer::new(params, key), pem)
    }

    #[test]
    fn facts_are_read() {
        let key = KeyPair::generate().unwrap();
        let certificate = leaf_params("press-7").self_signed(&key).unwrap();
        let facts = CertificateFacts::read(certificate.der()).unwrap();
        assert_eq!(facts.common_name.as_deref(), Some("press-7"));
        assert!(facts.is_valid_at(NOW));
        assert!(!facts.is_valid_at(Timestamp::from_unix_ms(0)));
        assert!(!facts.is_valid_at(Timestamp::MAX));
        assert!(Thumbprint::of(certificate.der()).is_of(certificate.der()));
        assert!(CertificateFacts::read(b"no certificate").is_err());
    }

    #[test]
    fn only_chains_to_a_known_authority_are_trusted() {
        let (issuer, pem) = authority();
        let (stranger, _) = authority();
        let authorities = ClientAuthorities::from_pem(pem.as_bytes()).unwrap();
        let key = KeyPair::generate().unwrap();
        let chain = |issuer| vec![leaf_params("d").signed_by(&key, issuer).unwrap().der().to_vec()];
        authorities.verify(&chain(&issuer), NOW).unwrap();
        assert!(authorities.verify(&chain(&stranger), NOW).is_err());
        assert!(authorities.verify(&chain(&issuer), Timestamp::MAX).is_err());
        assert!(authorities.verify(&[], NOW).is_err());
        assert!(ClientAuthorities::from_pem(b"nothing").is_err());
    }

    #[test]
    fn a_certificate_of_two_names_has_none() {
        let key = KeyPair::generate().unwrap();
        let mut params = leaf_params("d");
        params.distinguished_name.push(DnType::CustomDnType(vec![2, 5, 4, 3]), "e");
        let certificate = params.self_signed(&key).unwrap();
        assert_eq!(CertificateFacts::read(certificate.der()).unwrap().common_name, None);
    }
}
