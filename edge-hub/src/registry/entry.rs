//! An identity as a configuration names it.

use std::fmt;
use std::sync::Arc;

use edge_core::Identity;
use edge_core::service::{AuthRecord, IdentityRecord, Secret};
use edge_transport::iothub::{SasKey, Thumbprint};

/// How an identity proves who it is. `Debug` shows the kind, never a key.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdentityAuth {
    /// By a shared access signature with one of these keys: primary, secondary.
    Sas {
        /// The keys.
        keys: Vec<SasKey>,
    },
    /// By a certificate with one of these thumbprints: primary, secondary.
    Thumbprints {
        /// The thumbprints.
        thumbprints: Vec<Thumbprint>,
    },
    /// By a certificate that a registered authority has signed, with the device id as its common name.
    CertificateAuthority,
}

impl IdentityAuth {
    /// Returns authentication by shared access keys.
    #[must_use]
    pub fn sas(keys: Vec<SasKey>) -> Self {
        Self::Sas { keys }
    }

    /// Returns authentication by the thumbprint of a certificate.
    #[must_use]
    pub fn thumbprints(thumbprints: Vec<Thumbprint>) -> Self {
        Self::Thumbprints { thumbprints }
    }

    /// Returns authentication by a certificate of a registered authority.
    #[must_use]
    pub fn certificate_authority() -> Self {
        Self::CertificateAuthority
    }

    pub(super) fn wanted(&self) -> &'static str {
        match self {
            Self::Sas { .. } => "sas",
            _ => "x509",
        }
    }
}

impl fmt::Debug for IdentityAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sas { .. } => "sas",
            Self::Thumbprints { .. } => "x509_thumbprint",
            Self::CertificateAuthority => "x509_ca",
        })
    }
}

/// One identity that the gateway knows.
///
/// # Examples
/// ```
/// use edge_hub::{IdentityAuth, IdentityEntry};
///
/// let entry = IdentityEntry::new("sensor1".parse()?, IdentityAuth::sas(vec!["c2VjcmV0".parse()?]));
/// assert!(entry.enabled);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IdentityEntry {
    /// Who it is.
    pub identity: Identity,
    /// How it proves that.
    pub auth: IdentityAuth,
    /// Whether it may connect.
    pub enabled: bool,
}

impl IdentityEntry {
    /// Returns an identity that may connect.
    #[must_use]
    pub fn new(identity: Identity, auth: IdentityAuth) -> Self {
        Self { identity, auth, enabled: true }
    }

    /// Sets whether the identity may connect.
    #[must_use]
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }
}

impl IdentityAuth {
    /// Returns what is kept of it.
    pub(super) fn record(&self) -> AuthRecord {
        match self {
            Self::Sas { keys } => {
                let key = |n| keys.get(n).map(|key: &SasKey| Secret::new(key.to_base64()));
                AuthRecord::Sas { primary: key(0).unwrap_or_else(|| Secret::new("")), secondary: key(1) }
            }
            Self::Thumbprints { thumbprints } => {
                let print = |n| thumbprints.get(n).map(|print: &Thumbprint| print.to_string().into());
                AuthRecord::Thumbprints { primary: print(0), secondary: print(1) }
            }
            Self::CertificateAuthority => AuthRecord::CertificateAuthority,
        }
    }

    /// Returns what is kept in a form that can judge; `None` when nothing shown can be right.
    ///
    /// A key or thumbprint that is none lets nobody in.
    pub(super) fn of_record(record: &AuthRecord) -> Option<Self> {
        match record {
            AuthRecord::Sas { primary, secondary } => {
                let keys = std::iter::once(primary).chain(secondary);
                Some(Self::sas(keys.filter_map(|key| key.expose().parse().ok()).collect()))
            }
            AuthRecord::Thumbprints { primary, secondary } => {
                let prints = primary.iter().chain(secondary);
                Some(Self::thumbprints(prints.filter_map(|print| print.parse().ok()).collect()))
            }
            AuthRecord::CertificateAuthority => Some(Self::CertificateAuthority),
            _ => None,
        }
    }
}

/// An identity in the registry.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) record: IdentityRecord,
    pub(super) auth: Option<IdentityAuth>,
}

impl Entry {
    pub(super) fn new(record: IdentityRecord) -> Arc<Self> {
        let auth = IdentityAuth::of_record(&record.auth);
        Arc::new(Self { record, auth })
    }
}
