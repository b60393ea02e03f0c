//! Who is registered: devices and modules, and the policies of the service side.

mod change;
mod entry;
mod judge;
mod names;
mod policy;
mod seed;
mod spec;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use edge_core::service::{IdentityRecord, IdentityStore, ServiceError};
use edge_core::{DeviceId, Identity, StoreError};
use edge_transport::iothub::ClientAuthorities;

pub use change::RegistryChange;
use entry::Entry;
pub use entry::{IdentityAuth, IdentityEntry};
pub use policy::Policy;

/// The most identities, unless told otherwise.
const MAX_IDENTITIES: usize = 100_000;

/// All identities, in the order of their ids: the modules of a device follow it.
type Entries = BTreeMap<Identity, Arc<Entry>>;

/// The identities that a gateway knows; they can be changed while it runs.
///
/// Identities come from the configuration ([`Registry::replace`]) and from the service API ([`Registry::create`] and what
/// is beside it). With a store ([`Registry::with_store`]) those of the service API survive restarts. The configuration
/// counts when it is new or says something else than before; in between, what the service API changes stands.
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
/// Azure IoT Hub, "Control access with shared access signatures" and "Understand the identity registry"; what Azure IoT
/// Edge's hub accepts: the token's host is the hub's or the gateway's name, ids are compared regardless of case, either
/// key will do, a device's key may sign for its modules, and a token is good for 5 minutes beyond its expiry.
#[derive(Debug)]
pub struct Registry {
    hub_names: Vec<String>,
    skew: Duration,
    authority: Option<ClientAuthorities>,
    policies: Vec<Policy>,
    store: Option<Arc<dyn IdentityStore>>,
    max_identities: usize,
    entries: RwLock<Entries>,
}

impl Registry {
    /// Returns a registry without identities; `hub_names` are the names that clients may sign their tokens for.
    #[must_use]
    pub fn new<N: Into<String>>(hub_names: impl IntoIterator<Item = N>) -> Self {
        Self {
            hub_names: hub_names.into_iter().map(Into::into).collect(),
            skew: Duration::from_secs(300),
            authority: None,
            policies: Vec::new(),
            store: None,
            max_identities: MAX_IDENTITIES,
            entries: RwLock::default(),
        }
    }

    /// Sets the identities of the configuration.
    #[must_use]
    pub fn with_identities(self, entries: impl IntoIterator<Item = IdentityEntry>) -> Self {
        self.replace(entries);
        self
    }

    /// Sets the policies: who may use the service API, and with a token of a policy that has
    /// [`Permission::DeviceConnect`](edge_core::service::Permission::DeviceConnect) whoever may connect as any device.
    #[must_use]
    pub fn with_policies(mut self, policies: impl IntoIterator<Item = Policy>) -> Self {
        self.policies = policies.into_iter().collect();
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

    /// Sets how many identities the service API may register; 100,000 by default.
    #[must_use]
    pub fn with_max_identities(mut self, limit: usize) -> Self {
        self.max_identities = limit;
        self
    }

    /// Keeps identities in `store`, and takes on those that it has; call it before [`Registry::with_identities`], so that
    /// the configuration is compared with what it said before.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    ///
    /// # Cancel safety
    /// Cancel-safe: nothing happened.
    pub async fn with_store(mut self, store: Arc<dyn IdentityStore>) -> Result<Self, StoreError> {
        let records = store.load().await?;
        let entries = records.into_iter().map(|record| (record.identity.clone(), Entry::new(record)));
        self.entries.get_mut().unwrap_or_else(PoisonError::into_inner).extend(entries);
        self.store = Some(store);
        Ok(self)
    }

    /// Returns how many identities there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.read().len()
    }

    /// Returns whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns what is registered of an identity.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`].
    pub fn identity(&self, identity: &Identity) -> Result<IdentityRecord, ServiceError> {
        self.read()
            .get(identity)
            .map(|entry| entry.record.clone())
            .ok_or_else(|| ServiceError::NotFound { identity: identity.clone() })
    }

    /// Returns at most `limit` devices in the order of their ids, those behind `after`.
    #[must_use]
    pub fn devices(&self, after: Option<&DeviceId>, limit: usize) -> Vec<IdentityRecord> {
        let after = after.map(|device| Identity::of_device(device.clone()));
        let from = after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let entries = self.read();
        let behind = entries.range::<Identity, _>((from, Bound::Unbounded));
        let devices = behind.filter(|(identity, _)| identity.module().is_none());
        devices.take(limit).map(|(_, entry)| entry.record.clone()).collect()
    }

    /// Returns the modules of a device, in the order of their ids.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] when the device is not registered.
    pub fn modules(&self, device: &DeviceId) -> Result<Vec<IdentityRecord>, ServiceError> {
        let identity = Identity::of_device(device.clone());
        let entries = self.read();
        if !entries.contains_key(&identity) {
            return Err(ServiceError::NotFound { identity });
        }
        Ok(modules_of(&entries, &identity).map(|entry| entry.record.clone()).collect())
    }

    /// Returns how many devices there are, and how many of them are disabled.
    #[must_use]
    pub fn device_counts(&self) -> (usize, usize) {
        let entries = self.read();
        let devices = entries.values().filter(|entry| entry.record.identity.module().is_none());
        devices
            .fold((0, 0), |(all, disabled), entry| (all + 1, disabled + usize::from(!entry.record.enabled)))
    }

    fn read(&self) -> RwLockReadGuard<'_, Entries> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Entries> {
        self.entries.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the modules of a device; none for a module.
fn modules_of<'a>(entries: &'a Entries, of: &'a Identity) -> impl Iterator<Item = &'a Arc<Entry>> {
    let behind = entries.range::<Identity, _>((Bound::Excluded(of), Bound::Unbounded));
    behind
        .map(|(_, entry)| entry)
        .take_while(move |entry| of.module().is_none() && entry.record.identity.device() == of.device())
}
