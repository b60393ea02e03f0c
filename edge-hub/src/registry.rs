//! Who may connect: the identities that the gateway knows, and the judge of what they show.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use edge_core::{AuthError, Authenticated, Authenticator, Credentials, DeviceId, Identity, Timestamp};
use edge_transport::iothub::sas::SasToken;
use edge_transport::tls::{ClientAuthority, thumbprint_matches};

/// How an identity proves who it is. `Debug` shows the kind, never a key.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdentityAuth {
    /// By a shared access signature with one of these keys: primary, secondary.
    Sas {
        /// The keys, decoded from base64.
        keys: Vec<Vec<u8>>,
    },
    /// By a certificate with one of these thumbprints (SHA-1 or SHA-256, hexadecimal): primary, secondary.
    Thumbprints {
        /// The thumbprints.
        thumbprints: Vec<String>,
    },
    /// By a certificate that a registered authority has signed, with the device id as its common name.
    CertificateAuthority,
}

impl IdentityAuth {
    /// Returns authentication by shared access keys.
    #[must_use]
    pub fn sas(keys: Vec<Vec<u8>>) -> Self {
        Self::Sas { keys }
    }

    /// Returns authentication by the thumbprint of a certificate.
    #[must_use]
    pub fn thumbprints(thumbprints: Vec<String>) -> Self {
        Self::Thumbprints { thumbprints }
    }

    /// Returns authentication by a certificate of a registered authority.
    #[must_use]
    pub fn certificate_authority() -> Self {
        Self::CertificateAuthority
    }

    fn wanted(&self) -> &'static str {
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
/// let entry = IdentityEntry::new("sensor1".parse()?, IdentityAuth::sas(vec![b"secret".to_vec()]));
/// assert!(entry.enabled);
/// # Ok::<(), edge_core::IdError>(())
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

/// The identities that a gateway knows; they can be replaced while it runs.
///
/// # Examples
/// ```
/// use edge_core::Identity;
/// use edge_hub::{IdentityAuth, IdentityEntry, Registry};
///
/// let sensor = IdentityEntry::new("sensor1".parse()?, IdentityAuth::sas(vec![b"secret".to_vec()]));
/// let registry = Registry::new(["hub.local"]).with_identities([sensor.clone()]);
/// let changed = registry.replace([sensor.enabled(false)]);
/// assert_eq!(changed, ["sensor1".parse::<Identity>()?]);
/// # Ok::<(), edge_core::IdError>(())
/// ```
///
/// # Source
/// Azure IoT Hub, "Control access with shared access signatures"; what Azure IoT Edge's hub accepts: the token's host
/// is the hub's or the gateway's name, ids are compared regardless of case, either key will do, a device's key may
/// sign for its modules, and a token is good for 5 minutes beyond its expiry.
#[derive(Debug)]
pub struct Registry {
    hub_names: Vec<String>,
    skew: Duration,
    authority: Option<ClientAuthority>,
    entries: ArcSwap<HashMap<Identity, IdentityEntry>>,
}

impl Registry {
    /// Returns a registry without identities; `hub_names` are the names that clients may sign their tokens for.
    #[must_use]
    pub fn new<N: Into<String>>(hub_names: impl IntoIterator<Item = N>) -> Self {
        Self {
            hub_names: hub_names.into_iter().map(Into::into).collect(),
            skew: Duration::from_secs(300),
            authority: None,
            entries: ArcSwap::default(),
        }
    }

    /// Sets the identities.
    #[must_use]
    pub fn with_identities(self, entries: impl IntoIterator<Item = IdentityEntry>) -> Self {
        self.replace(entries);
        self
    }

    /// Sets who signs the certificates of identities with [`IdentityAuth::CertificateAuthority`].
    #[must_use]
    pub fn with_authority(mut self, authority: ClientAuthority) -> Self {
        self.authority = Some(authority);
        self
    }

    /// Sets for how long a token is good beyond its expiry, for clients whose clocks are off.
    #[must_use]
    pub fn with_clock_skew(mut self, skew: Duration) -> Self {
        self.skew = skew;
        self
    }

    /// Puts other identities in the place of all, and returns those that are gone or changed:
    /// [`HubHandle::revoke`](crate::HubHandle::revoke) ends their sessions.
    pub fn replace(&self, entries: impl IntoIterator<Item = IdentityEntry>) -> Vec<Identity> {
        let new: HashMap<_, _> = entries.into_iter().map(|entry| (entry.identity.clone(), entry)).collect();
        let new = Arc::new(new);
        let old = self.entries.swap(new.clone());
        let changed_devices: HashSet<&DeviceId> = old
            .values()
            .filter(|entry| entry.identity.module().is_none() && new.get(&entry.identity) != Some(entry))
            .map(|entry| entry.identity.device())
            .collect();
        let stays = |entry: &&IdentityEntry| {
            new.get(&entry.identity) == Some(entry) && !changed_devices.contains(entry.identity.device())
        };
        old.values().filter(|entry| !stays(entry)).map(|entry| entry.identity.clone()).collect()
    }

    /// Returns how many identities there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.load().len()
    }

    /// Returns whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn judge_token(
        &self,
        entry: &IdentityEntry,
        device_keys: Option<&IdentityEntry>,
        token: &str,
        now: Timestamp,
    ) -> Result<Timestamp, String> {
        let token: SasToken = token.parse().map_err(|error| format!("the token cannot be read: {error}"))?;
        let host = token.host();
        if !self.hub_names.iter().any(|name| name.eq_ignore_ascii_case(host)) {
            return Err(format!("the token is for the hub {host:?}; here it must be {:?}", self.hub_names));
        }
        if !token.is_for(&entry.identity) {
            return Err(format!("the token is for {:?}, which is somebody else", token.resource()));
        }
        let of_device = device_keys.filter(|device| device.enabled);
        let keys = [Some(entry), of_device].into_iter().flatten().filter_map(|entry| match &entry.auth {
            IdentityAuth::Sas { keys } => Some(keys),
            _ => None,
        });
        // Every key is tried, so that the time taken does not tell which one matched.
        let matches = keys.flatten().fold(false, |found, key| token.is_signed_with(key) | found);
        if !matches {
            return Err("the token is signed with another key".into());
        }
        let expires = token.expires() + self.skew;
        if expires <= now {
            return Err(format!("the token ran out at {}", token.expires()));
        }
        Ok(expires)
    }

    fn judge_certificate(
        &self,
        entry: &IdentityEntry,
        chain: &[Vec<u8>],
        now: Timestamp,
    ) -> Result<&'static str, String> {
        let Some(leaf) = chain.first() else { return Err("no certificate was shown".into()) };
        match &entry.auth {
            IdentityAuth::Thumbprints { thumbprints } => {
                edge_transport::tls::check_validity(leaf, now).map_err(|error| error.to_string())?;
                if thumbprints.iter().any(|print| thumbprint_matches(leaf, print)) {
                    Ok("x509Thumbprint")
                } else {
                    Err("the certificate has another thumbprint".into())
                }
            }
            IdentityAuth::CertificateAuthority => {
                let authority = self.authority.as_ref().ok_or("no authority for devices is configured")?;
                let name = authority.verify(chain, now).map_err(|error| edge_core::Report(&error).to_string())?;
                if name == entry.identity.device().as_str() {
                    Ok("x509Certificate")
                } else {
                    Err(format!("the certificate is for {name:?}"))
                }
            }
            IdentityAuth::Sas { .. } => Err("a token is wanted".into()),
        }
    }
}

#[async_trait]
impl Authenticator for Registry {
    async fn authenticate(
        &self,
        claimed: &Identity,
        credentials: &Credentials,
        now: Timestamp,
    ) -> Result<Authenticated, AuthError> {
        let entries = self.entries.load();
        let identity = || claimed.clone();
        let entry = entries.get(claimed).ok_or_else(|| AuthError::Unknown { identity: identity() })?;
        if !entry.enabled {
            return Err(AuthError::Disabled { identity: identity() });
        }
        let denied = |reason| AuthError::Denied { identity: identity(), reason };
        match (credentials, &entry.auth) {
            (Credentials::SasToken(token), IdentityAuth::Sas { .. }) => {
                let device = Identity::of_device(claimed.device().clone());
                let device = claimed.module().and_then(|_| entries.get(&device));
                let expires = self.judge_token(entry, device, token, now).map_err(denied)?;
                Ok(Authenticated::new(identity(), "sas", Some(expires)))
            }
            (Credentials::X509(chain), IdentityAuth::Thumbprints { .. } | IdentityAuth::CertificateAuthority) => {
                let method = self.judge_certificate(entry, chain, now).map_err(denied)?;
                Ok(Authenticated::new(identity(), method, None))
            }
            (shown, auth) => {
                Err(AuthError::Kind { identity: identity(), shown: shown.kind(), wanted: auth.wanted() })
            }
        }
    }
}
