//! Identities of the configuration.

use std::collections::BTreeMap;

use edge_core::Identity;
use edge_core::service::{Configured, IdentityChange, IdentityRecord, ServiceError};

use super::change::{Draft, RegistryChange};
use super::{IdentityEntry, Registry, names};

impl Registry {
    /// Puts other identities in the place of all that come from the configuration, and returns those that are gone or
    /// may not stay connected: [`HubHandle::revoke`](crate::HubHandle::revoke) ends their sessions.
    ///
    /// What is kept for those that are gone, a twin and messages to the device, stays: a line that was taken out of a
    /// file by mistake can be put back. [`Service::delete`](edge_core::service::Service::delete) forgets it.
    ///
    /// What the service API made stays, and so does what it changed as long as the configuration says the same as before.
    /// The store is told, and not waited for: the configuration is there at the next start as well.
    pub fn replace(&self, entries: impl IntoIterator<Item = IdentityEntry>) -> Vec<Identity> {
        let wanted: BTreeMap<_, _> =
            entries.into_iter().map(|entry| (entry.identity.clone(), entry)).collect();
        let (change, receipt) = self.edit(|draft| {
            let configured = |record: &&IdentityRecord| record.configured.is_some();
            let gone: Vec<Identity> = draft
                .records()
                .filter(configured)
                .filter(|record| !wanted.contains_key(&record.identity))
                .map(|record| record.identity.clone())
                .collect();
            gone.iter().for_each(|identity| draft.remove(identity));
            wanted.values().for_each(|entry| seed(draft, entry));
        });
        // A change that is not kept is made again at the next start.
        drop(receipt);
        let RegistryChange { revoked, .. } = change;
        revoked
    }
}

fn seed(draft: &mut Draft<'_>, entry: &IdentityEntry) {
    let configured = Configured::new(entry.auth.record(), entry.enabled);
    let old = draft.get(&entry.identity);
    if old.is_some_and(|old| old.configured.as_ref() == Some(&configured)) {
        return;
    }
    let mut record =
        old.cloned().unwrap_or_else(|| IdentityRecord::new(entry.identity.clone(), configured.auth.clone()));
    record.auth = configured.auth.clone();
    record.enabled = configured.enabled;
    record.configured = Some(configured);
    // Without random numbers the tags stay: nothing else depends on them here.
    let fresh = || -> Result<_, ServiceError> { Ok((names::etag()?, names::generation()?)) };
    if let Ok((etag, generation)) = fresh() {
        record.etag = etag;
        if record.generation.is_empty() {
            record.generation = generation;
        }
    }
    draft.put(record);
}

/// Returns what a store is told of a draft.
pub(super) fn put(record: IdentityRecord) -> IdentityChange {
    IdentityChange::Put(Box::new(record))
}
