//! What is kept of a device or module.

use std::fmt;

use crate::{Identity, Timestamp};

/// A text that nobody may see in a log: `Debug` does not show it.
///
/// # Examples
/// ```
/// use edge_core::service::Secret;
///
/// let key = Secret::new("c2VjcmV0");
/// assert_eq!(key.expose(), "c2VjcmV0");
/// assert_eq!(format!("{key:?}"), "Secret(..)");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    /// Returns `text` as a secret.
    #[must_use]
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// Returns the secret itself; whoever has it has the rights that it gives.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// How a device or module proves who it is, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthRecord {
    /// By a shared access signature with one of these keys, in base64.
    Sas {
        /// The first key.
        primary: Secret,
        /// The second key, so that keys can be changed one at a time.
        secondary: Option<Secret>,
    },
    /// By a certificate with one of these thumbprints, 40 or 64 hexadecimal digits.
    Thumbprints {
        /// The first thumbprint.
        primary: Option<Box<str>>,
        /// The second thumbprint.
        secondary: Option<Box<str>>,
    },
    /// By a certificate that a registered authority has signed, with the device id as its common name.
    CertificateAuthority,
    /// Not at all: it cannot connect by itself.
    None,
}

impl AuthRecord {
    /// Returns the name of the kind in the service API: `sas`, `selfSigned`, `certificateAuthority` or `none`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Sas { .. } => "sas",
            Self::Thumbprints { .. } => "selfSigned",
            Self::CertificateAuthority => "certificateAuthority",
            Self::None => "none",
        }
    }
}

/// What the registry keeps of a device or module.
///
/// # Examples
/// ```
/// use edge_core::service::{AuthRecord, IdentityRecord};
///
/// let record = IdentityRecord::new("press-7".parse()?, AuthRecord::CertificateAuthority);
/// assert!(record.enabled);
/// # Ok::<(), edge_core::IdError>(())
/// ```
///
/// # Source
/// Azure IoT Hub, "Understand the identity registry", device and module identity properties.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IdentityRecord {
    /// Who it is.
    pub identity: Identity,
    /// A number of this registration: when the identity is deleted and made again, it is another one.
    pub generation: Box<str>,
    /// The entity tag: another one after each change.
    pub etag: Box<str>,
    /// Whether it may connect.
    pub enabled: bool,
    /// Why it may or may not, in the operator's words.
    pub status_reason: Option<Box<str>>,
    /// When that was changed; `None` is never.
    pub status_updated: Option<Timestamp>,
    /// How it proves who it is.
    pub auth: AuthRecord,
    /// Whether it is an edge device, with modules and devices of its own.
    pub edge: bool,
    /// The scope of an edge device, or the scope of the edge device that a device is below.
    pub device_scope: Option<Box<str>>,
    /// The scopes of the edge devices that the device is directly below.
    pub parent_scopes: Vec<Box<str>>,
    /// Who owns a module, for instance `IotEdge`.
    pub managed_by: Option<Box<str>>,
    /// What the gateway's configuration said when the record was last made or changed by it; `None` when it was made
    /// by the service API. The configuration counts again when it says something else.
    pub configured: Option<Configured>,
}

/// What the gateway's configuration says of an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Configured {
    /// How it proves who it is.
    pub auth: AuthRecord,
    /// Whether it may connect.
    pub enabled: bool,
}

impl Configured {
    /// Returns what a configuration says.
    #[must_use]
    pub fn new(auth: AuthRecord, enabled: bool) -> Self {
        Self { auth, enabled }
    }
}

impl IdentityRecord {
    /// Returns the record of an identity that may connect, without generation and etag.
    #[must_use]
    pub fn new(identity: Identity, auth: AuthRecord) -> Self {
        Self {
            identity,
            generation: Box::default(),
            etag: Box::default(),
            enabled: true,
            status_reason: None,
            status_updated: None,
            auth,
            edge: false,
            device_scope: None,
            parent_scopes: Vec::new(),
            managed_by: None,
            configured: None,
        }
    }
}
