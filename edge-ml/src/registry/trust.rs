//! Who may say that a file is a version of a model.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use edge_core::Timestamp;
use ring::signature::{ED25519, UnparsedPublicKey};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use serde::{Deserialize, Serialize};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert, ring as algorithms};

use super::{ModelName, Sha256, VersionName};

/// Returns the text that is signed for a version of a model.
///
/// It binds name, version and content: a signature for one version of a model proves nothing about another.
///
/// # Examples
/// ```
/// use edge_ml::registry::{Sha256, signed_text};
///
/// let text = signed_text(&"anomaly".parse()?, &"3".parse()?, &Sha256::of(b"the file"));
/// assert!(text.starts_with("edge-ml model 1\nanomaly\n3\n") && text.ends_with("\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Source
/// Our choice, because a signature of the file alone could be shown again for an older version.
#[must_use]
pub fn signed_text(model: &ModelName, version: &VersionName, sha256: &Sha256) -> String {
    format!("edge-ml model 1\n{model}\n{version}\n{sha256}\n")
}

/// A signature over [`signed_text`], as a desired state carries it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ModelSignature {
    /// The name of the Ed25519 key that signed; nothing when a certificate did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The certificates in base64 of DER, that of the signer first; none when a key signed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<String>,
    /// The signature in base64.
    pub value: String,
}

/// Why nobody trusted vouches for a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// A signature is required.
    #[error("the version is not signed, and a signature is required")]
    Unsigned,
    /// The signature is neither of a key nor of a certificate, or of both, or is no base64.
    #[error("the signature cannot be read: {reason}")]
    Unreadable {
        /// What is wrong with it.
        reason: String,
    },
    /// The key is not one of those configured.
    #[error("the key {key:?} is not trusted")]
    UnknownKey {
        /// Its name.
        key: String,
    },
    /// The certificate does not lead to a configured authority, or not at this time.
    #[error("the certificate is not trusted: {reason}")]
    Certificate {
        /// What is wrong with it.
        reason: String,
    },
    /// The signature was not made for this model, version and content by that key.
    #[error("the signature is not one of this model, version and content")]
    Wrong,
}

/// The error for keys and authorities that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} cannot be trusted: {reason}")]
#[non_exhaustive]
pub struct AnchorError {
    /// What was to be trusted.
    pub name: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Whose signatures are accepted; with any key or authority, a signature is required.
///
/// # Examples
/// ```
/// use edge_ml::registry::Trust;
///
/// assert!(!Trust::anybody().is_required());
/// assert!(Trust::anybody().with_key("release", &[7; 32]).unwrap().is_required());
/// assert!(Trust::anybody().with_key("short", &[7; 31]).is_err());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Trust {
    keys: BTreeMap<String, [u8; 32]>,
    authorities: Vec<CertificateDer<'static>>,
}

/// Extended key usage 1.3.6.1.5.5.7.3.3, `id-kp-codeSigning` (RFC 5280 §4.2.1.12).
const CODE_SIGNING: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 3];
const MAX_CERTIFICATES: usize = 8;

const ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] = &[
    algorithms::ED25519,
    algorithms::ECDSA_P256_SHA256,
    algorithms::ECDSA_P384_SHA384,
    algorithms::RSA_PKCS1_2048_8192_SHA256,
];

impl Trust {
    /// Returns the trust that requires no signature.
    #[must_use]
    pub fn anybody() -> Self {
        Self::default()
    }

    /// Accepts signatures of this Ed25519 key.
    ///
    /// # Errors
    /// [`AnchorError`] when the key has not 32 bytes.
    pub fn with_key(mut self, name: &str, public_key: &[u8]) -> Result<Self, AnchorError> {
        let key = public_key.try_into().map_err(|_| AnchorError {
            name: format!("the key {name:?}"),
            reason: format!("it has {} bytes, not 32", public_key.len()),
        })?;
        self.keys.insert(name.to_owned(), key);
        Ok(self)
    }

    /// Accepts signatures of certificates that lead to one of these authorities, given in PEM.
    ///
    /// # Errors
    /// [`AnchorError`] when there is none, or one that cannot be read.
    pub fn with_authorities(mut self, pem: &[u8]) -> Result<Self, AnchorError> {
        let refused = |reason| AnchorError { name: "the authorities".into(), reason };
        let before = self.authorities.len();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| refused(error.to_string()))?;
            anchor_from_trusted_cert(&certificate).map_err(|error| refused(error.to_string()))?;
            self.authorities.push(certificate);
        }
        if self.authorities.len() == before { Err(refused("there is none".into())) } else { Ok(self) }
    }

    /// Returns whether versions must be signed.
    #[must_use]
    pub fn is_required(&self) -> bool {
        !self.keys.is_empty() || !self.authorities.is_empty()
    }

    /// Checks that somebody trusted signed this version with this content; `at` is when certificates must be valid.
    ///
    /// # Errors
    /// [`TrustError`] when nobody did, unless no signature is required.
    pub fn check(
        &self,
        model: &ModelName,
        version: &VersionName,
        sha256: &Sha256,
        signature: Option<&ModelSignature>,
        at: Timestamp,
    ) -> Result<(), TrustError> {
        if !self.is_required() {
            return Ok(());
        }
        let signature = signature.ok_or(TrustError::Unsigned)?;
        let text = signed_text(model, version, sha256);
        let value = decoded("the value", &signature.value)?;
        match (&signature.key, signature.certificates.as_slice()) {
            (Some(key), []) => {
                let public = self.keys.get(key).ok_or_else(|| TrustError::UnknownKey { key: shown(key) })?;
                UnparsedPublicKey::new(&ED25519, public)
                    .verify(text.as_bytes(), &value)
                    .map_err(|_| TrustError::Wrong)
            }
            (None, [_, ..]) => self.check_certificate(&signature.certificates, text.as_bytes(), &value, at),
            _ => Err(TrustError::Unreadable {
                reason: "it names neither a key nor certificates, or both".into(),
            }),
        }
    }

    fn check_certificate(
        &self,
        chain: &[String],
        text: &[u8],
        value: &[u8],
        at: Timestamp,
    ) -> Result<(), TrustError> {
        let refused = |error: webpki::Error| TrustError::Certificate { reason: error.to_string() };
        if chain.len() > MAX_CERTIFICATES {
            return Err(TrustError::Unreadable {
                reason: format!("it has {} certificates, more than {MAX_CERTIFICATES}", chain.len()),
            });
        }
        let chain = chain.iter().map(|text| decoded("a certificate", text).map(CertificateDer::from));
        let chain = chain.collect::<Result<Vec<_>, _>>()?;
        let (signer, intermediates) = chain.split_first().ok_or(TrustError::Unsigned)?;
        let signer = EndEntityCert::try_from(signer).map_err(refused)?;
        let anchors = self.authorities.iter().map(anchor_from_trusted_cert);
        let anchors = anchors.collect::<Result<Vec<_>, _>>().map_err(refused)?;
        let time = UnixTime::since_unix_epoch(Duration::from_millis(at.as_unix_ms()));
        let usage = KeyUsage::required_if_present(CODE_SIGNING);
        signer
            .verify_for_usage(ALGORITHMS, &anchors, intermediates, time, usage, None, None)
            .map_err(refused)?;
        let made =
            ALGORITHMS.iter().any(|algorithm| signer.verify_signature(*algorithm, text, value).is_ok());
        if made { Ok(()) } else { Err(TrustError::Wrong) }
    }
}

fn decoded(what: &str, text: &str) -> Result<Vec<u8>, TrustError> {
    let unreadable =
        |error: base64::DecodeError| TrustError::Unreadable { reason: format!("{what}: {error}") };
    STANDARD.decode(text).map_err(unreadable)
}

/// Returns as much of a text from outside as goes into an error.
pub(crate) fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}
