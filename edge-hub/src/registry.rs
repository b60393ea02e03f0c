//! Who may connect: the identities that the gateway knows, and the judge of what they show.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use edge_core::{AuthError, Authenticated, Authenticator, Credentials, DeviceId, Identity, Timestamp};
use edge_transport::iothub::{CertificateFacts, ClientAuthorities, SasKey, SasToken, Thumbprint};

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

/// The identities that a gateway knows; they can be replaced while it runs.
///
/// # Examples
/// ```
/// use edge_core::Identity;
/// use edge_hub::{IdentityAuth, IdentityEntry, Registry};
///
/// let sensor = IdentityEntry::new("sensor1".parse()?, IdentityAuth::sas(vec!["c2VjcmV0".parse()?]));
/// let registry = Registry::new(["hub.local"]).with_identities([sensor.clone()]);
/// let changed = registry.replace([sensor.enabled(false)]);
/// assert_eq!(changed, ["sensor1".parse::<Identity>()?]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
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
    authority: Option<ClientAuthorities>,
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
    pub fn with_authority(mut self, authority: ClientAuthorities) -> Self {
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
        let token = SasToken::parse(token).map_err(|error| error.to_string())?;
        let audience = token.audience().map_err(|error| error.to_string())?;
        if !self.hub_names.iter().any(|name| audience.is_at(name)) {
            let (found, wanted) = (&audience.host, self.hub_names.join(" or "));
            return Err(format!("the token is for the hub {found:?}, and here it must be {wanted}"));
        }
        let for_device = audience.module.is_none() && audience.is_of_device_of(&entry.identity);
        if !audience.is_of(&entry.identity) && !for_device {
            return Err("the token is for somebody else".into());
        }
        let of_device = device_keys.filter(|device| device.enabled);
        // A token for the device must be signed by the device, one for the module by either.
        let own = Some(entry).filter(|_| audience.is_of(&entry.identity));
        let keys = [own, of_device].into_iter().flatten().filter_map(|entry| match &entry.auth {
            IdentityAuth::Sas { keys } => Some(keys),
            _ => None,
        });
        // Every key is tried, so that the time taken does not tell which one matched.
        let matches = keys.flatten().fold(false, |found, key| token.is_signed_by(key) | found);
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
                let facts = CertificateFacts::read(leaf).map_err(|error| error.to_string())?;
                if !facts.is_valid_at(now) {
                    return Err(format!(
                        "the certificate is valid from {} to {}",
                        facts.not_before, facts.not_after
                    ));
                }
                if thumbprints.iter().any(|print| print.is_of(leaf)) {
                    Ok("x509Thumbprint")
                } else {
                    Err("the certificate has another thumbprint".into())
                }
            }
            IdentityAuth::CertificateAuthority => {
                let authority = self.authority.as_ref().ok_or("no authority for devices is configured")?;
                authority.verify(chain, now).map_err(|error| edge_core::Report(&error).to_string())?;
                let facts = CertificateFacts::read(leaf).map_err(|error| error.to_string())?;
                if facts.common_name.as_deref() == Some(entry.identity.device().as_str()) {
                    Ok("x509Certificate")
                } else {
                    Err(format!("the certificate is for {:?}", facts.common_name.unwrap_or_default()))
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
            (
                Credentials::X509(chain),
                IdentityAuth::Thumbprints { .. } | IdentityAuth::CertificateAuthority,
            ) => {
                let method = self.judge_certificate(entry, chain, now).map_err(denied)?;
                Ok(Authenticated::new(identity(), method, None))
            }
            (shown, auth) => {
                Err(AuthError::Kind { identity: identity(), shown: shown.kind(), wanted: auth.wanted() })
            }
        }
    }
}
