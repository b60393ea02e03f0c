//! What the service API says of identities, and asks for.

use bytes::Bytes;

use super::{IdentityRecord, Secret, ServiceError};
use crate::{Identity, Timestamp};

/// Which version of something a change is meant for.
///
/// # Examples
/// ```
/// use edge_core::service::IfMatch;
///
/// assert!(IfMatch::Any.is_met_by("AAAA="));
/// assert!(!IfMatch::Etag("AAAB=".into()).is_met_by("AAAA="));
/// ```
///
/// # Source
/// RFC 9110 §13.1.1, for one strong entity tag.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum IfMatch {
    /// None is named: whatever it is now; where a thing can be made or changed, it is to be made.
    #[default]
    None,
    /// Whatever it is now, but it must be there.
    Any,
    /// The one with this entity tag.
    Etag(
        /// The entity tag, without quotation marks.
        String,
    ),
}

impl IfMatch {
    /// Returns whether the change is meant for the version with this entity tag.
    #[must_use]
    pub fn is_met_by(&self, etag: &str) -> bool {
        match self {
            Self::None | Self::Any => true,
            Self::Etag(wanted) => wanted == etag,
        }
    }
}

/// How a device or module is to prove who it is; what is missing is made up, or stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthSpec {
    /// As it is; by generated keys for a new identity.
    #[default]
    Unchanged,
    /// By shared access keys in base64; the gateway makes those that are missing.
    Sas {
        /// The first key.
        primary: Option<Secret>,
        /// The second key.
        secondary: Option<Secret>,
    },
    /// By a certificate with one of these thumbprints.
    Thumbprints {
        /// The first thumbprint.
        primary: Option<String>,
        /// The second thumbprint.
        secondary: Option<String>,
    },
    /// By a certificate that a registered authority has signed.
    CertificateAuthority,
    /// Not at all.
    None,
}

/// How an identity is to be; what is `None` has its default for a new identity, and stays as it is for an old one.
///
/// # Examples
/// ```
/// use edge_core::service::{AuthSpec, IdentitySpec};
///
/// let spec = IdentitySpec::new("press-7".parse()?);
/// assert_eq!(spec.auth, AuthSpec::Unchanged);
/// # Ok::<(), edge_core::IdError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IdentitySpec {
    /// Who it is.
    pub identity: Identity,
    /// How it proves that.
    pub auth: AuthSpec,
    /// Whether it may connect.
    pub enabled: Option<bool>,
    /// Why it may or may not.
    pub status_reason: Option<String>,
    /// Whether it is an edge device.
    pub edge: Option<bool>,
    /// The scope that it belongs to.
    pub device_scope: Option<String>,
    /// The scopes of its parents.
    pub parent_scopes: Option<Vec<String>>,
    /// Who owns the module.
    pub managed_by: Option<String>,
}

impl IdentitySpec {
    /// Returns a specification that leaves everything open.
    #[must_use]
    pub fn new(identity: Identity) -> Self {
        Self {
            identity,
            auth: AuthSpec::Unchanged,
            enabled: None,
            status_reason: None,
            edge: None,
            device_scope: None,
            parent_scopes: None,
            managed_by: None,
        }
    }
}

/// An identity, and what is known of it at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IdentityState {
    /// What is kept of it.
    pub record: IdentityRecord,
    /// Whether it is connected.
    pub connected: bool,
    /// When it last connected or disconnected; `None` is never, or not since the gateway started.
    pub connection_updated: Option<Timestamp>,
    /// When it was last heard of; `None` is never, or not since the gateway started.
    pub last_activity: Option<Timestamp>,
    /// How many messages wait for it.
    pub waiting: usize,
}

impl IdentityState {
    /// Returns the state of an identity that is not connected.
    #[must_use]
    pub fn new(record: IdentityRecord) -> Self {
        Self { record, connected: false, connection_updated: None, last_activity: None, waiting: 0 }
    }
}

/// What is to be done with one entry of a bulk operation.
///
/// # Source
/// Azure IoT Hub, REST reference, "Bulk Registry - Update Registry", `importMode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BulkMode {
    /// Make it; it must not be there.
    Create,
    /// Change it; it must be there.
    Update,
    /// Change it if it has the entity tag.
    UpdateIfMatchEtag,
    /// Make it, or change it if it is there.
    CreateOrUpdate,
    /// Make it, or change it if it is there and has the entity tag.
    CreateOrUpdateIfMatchEtag,
    /// Delete it.
    Delete,
    /// Delete it if it has the entity tag.
    DeleteIfMatchEtag,
    /// Change its twin only.
    UpdateTwin,
    /// Change its twin only, if that has the twin's entity tag.
    UpdateTwinIfMatchEtag,
}

/// One entry of a bulk operation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BulkEntry {
    /// What is to be done.
    pub mode: BulkMode,
    /// How the identity is to be.
    pub spec: IdentitySpec,
    /// The entity tag that the identity must have, for the modes that ask for one.
    pub etag: Option<String>,
    /// The tags and desired properties of the twin, `{"tags":…,"properties":{"desired":…}}` in JSON.
    pub twin: Option<Bytes>,
    /// The entity tag that the twin must have, for the modes that ask for one.
    pub twin_etag: Option<String>,
}

impl BulkEntry {
    /// Returns an entry without entity tags and without a twin.
    #[must_use]
    pub fn new(mode: BulkMode, spec: IdentitySpec) -> Self {
        Self { mode, spec, etag: None, twin: None, twin_etag: None }
    }
}

/// An entry of a bulk operation that was not carried out.
#[derive(Debug)]
#[non_exhaustive]
pub struct BulkFailure {
    /// Who the entry was about.
    pub identity: Identity,
    /// What was to be done.
    pub mode: BulkMode,
    /// Why it was not.
    pub error: ServiceError,
}

impl BulkFailure {
    /// Returns a failure.
    #[must_use]
    pub fn new(identity: Identity, mode: BulkMode, error: ServiceError) -> Self {
        Self { identity, mode, error }
    }
}

/// How many devices are registered and connected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// How many devices are registered, enabled and disabled ones.
    pub devices: usize,
    /// How many of them are disabled.
    pub disabled: usize,
    /// How many are connected.
    pub connected: usize,
}

impl Statistics {
    /// Returns statistics.
    #[must_use]
    pub fn new(devices: usize, disabled: usize, connected: usize) -> Self {
        Self { devices, disabled, connected }
    }
}
