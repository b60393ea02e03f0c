//! Changes: staged, published, kept, and taken back when they cannot be kept.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use edge_core::service::{
    BulkEntry, BulkFailure, BulkMode, IdentityChange, IdentityRecord, IdentitySpec, IfMatch, ServiceError,
};
use edge_core::{Durability, Identity, Receipt, Timestamp};

use super::entry::Entry;
use super::{Entries, Registry, modules_of, seed};

/// A change that the registry has made: what it was about, and whom else it concerns.
#[derive(Debug)]
#[non_exhaustive]
pub struct RegistryChange<T> {
    /// What was asked for.
    pub value: T,
    /// Who is registered now and was not before.
    pub created: Vec<Identity>,
    /// Who is registered no more.
    pub deleted: Vec<Identity>,
    /// Whose sessions must end: those that are gone, disabled, or have other keys, and their modules with them.
    pub revoked: Vec<Identity>,
}

/// A change that is being made: what is there, and what is to be there instead.
pub(super) struct Draft<'a> {
    entries: &'a Entries,
    staged: BTreeMap<Identity, Option<IdentityRecord>>,
}

impl Draft<'_> {
    pub(super) fn get(&self, identity: &Identity) -> Option<&IdentityRecord> {
        match self.staged.get(identity) {
            Some(staged) => staged.as_ref(),
            None => self.entries.get(identity).map(|entry| &entry.record),
        }
    }

    /// Returns what was there before the change.
    pub(super) fn records(&self) -> impl Iterator<Item = &IdentityRecord> {
        self.entries.values().map(|entry| &entry.record)
    }

    pub(super) fn put(&mut self, record: IdentityRecord) {
        self.staged.insert(record.identity.clone(), Some(record));
    }

    /// Takes an identity out, and a device's modules with it.
    pub(super) fn remove(&mut self, identity: &Identity) {
        for module in self.modules(identity) {
            self.staged.insert(module, None);
        }
        self.staged.insert(identity.clone(), None);
    }

    /// Returns the modules that a device would have.
    pub(super) fn modules(&self, device: &Identity) -> BTreeSet<Identity> {
        if device.module().is_some() {
            return BTreeSet::new();
        }
        let mut all: BTreeSet<_> =
            modules_of(self.entries, device).map(|entry| entry.record.identity.clone()).collect();
        let behind = self.staged.range(device.clone()..).skip_while(|(identity, _)| *identity == device);
        for (identity, staged) in behind.take_while(|(identity, _)| identity.device() == device.device()) {
            if staged.is_some() {
                all.insert(identity.clone());
            } else {
                all.remove(identity);
            }
        }
        all
    }

    /// Returns how many identities there would be.
    pub(super) fn len(&self) -> usize {
        self.staged.iter().fold(self.entries.len(), |count, (identity, staged)| {
            match (self.entries.contains_key(identity), staged.is_some()) {
                (false, true) => count + 1,
                (true, false) => count - 1,
                _ => count,
            }
        })
    }
}

/// What stood where a change was made.
type Before = Vec<(Identity, Option<Arc<Entry>>, Option<Arc<Entry>>)>;

/// The receipt of a change, and how to take it back.
#[must_use]
pub(super) struct Kept {
    receipt: Receipt,
    before: Before,
}

impl Registry {
    /// Stages a change, makes it, and hands it to the store, all under one lock: the store hears of changes in the order
    /// in which they are made.
    pub(super) fn edit<T>(&self, stage: impl FnOnce(&mut Draft<'_>) -> T) -> (RegistryChange<T>, Kept) {
        let mut entries = self.write();
        let mut draft = Draft { entries: &entries, staged: BTreeMap::new() };
        let value = stage(&mut draft);
        let staged = draft.staged;
        let mut change =
            RegistryChange { value, created: Vec::new(), deleted: Vec::new(), revoked: Vec::new() };
        let mut changes = Vec::with_capacity(staged.len());
        let mut before = Vec::with_capacity(staged.len());
        for (identity, record) in staged {
            let old = entries.get(&identity).cloned();
            if old.as_ref().map(|old| &old.record) == record.as_ref() {
                continue;
            }
            if old.as_ref().is_some_and(|old| loses_rights(&old.record, record.as_ref())) {
                change.revoked.push(identity.clone());
                change
                    .revoked
                    .extend(modules_of(&entries, &identity).map(|module| module.record.identity.clone()));
            }
            let new = record.map(|record| {
                changes.push(seed::put(record.clone()));
                Entry::new(record)
            });
            match (&old, &new) {
                (None, Some(_)) => change.created.push(identity.clone()),
                (Some(_), None) => {
                    change.deleted.push(identity.clone());
                    changes.push(IdentityChange::Remove(identity.clone()));
                }
                _ => {}
            }
            before.push((identity, old, new));
        }
        for (identity, _, new) in &before {
            match new {
                Some(new) => entries.insert(identity.clone(), new.clone()),
                None => entries.remove(identity),
            };
        }
        change.revoked.sort_unstable();
        change.revoked.dedup();
        let receipt = match &self.store {
            Some(store) if !changes.is_empty() => store.apply(changes),
            _ => Receipt::ready(Ok(Durability::Memory)),
        };
        (change, Kept { receipt, before })
    }

    /// Makes a change unless staging it fails, and waits until it is kept.
    async fn change<T: Send>(
        &self,
        stage: impl FnOnce(&mut Draft<'_>) -> Result<T, ServiceError>,
    ) -> Result<RegistryChange<T>, ServiceError> {
        let (change, kept) = self.edit(|draft| {
            let staged = stage(draft);
            if staged.is_err() {
                draft.staged.clear();
            }
            staged
        });
        let RegistryChange { value, created, deleted, revoked } = change;
        let value = value?;
        self.keep(kept).await?;
        Ok(RegistryChange { value, created, deleted, revoked })
    }

    /// Waits until a change is kept, and takes it back when it cannot be.
    async fn keep(&self, kept: Kept) -> Result<(), ServiceError> {
        let Err(error) = kept.receipt.await else { return Ok(()) };
        let mut entries = self.write();
        for (identity, old, new) in kept.before {
            let stands = match (entries.get(&identity), &new) {
                (Some(found), Some(new)) => Arc::ptr_eq(found, new),
                (found, new) => found.is_none() && new.is_none(),
            };
            if stands {
                match old {
                    Some(old) => entries.insert(identity, old),
                    None => entries.remove(&identity),
                };
            }
        }
        Err(ServiceError::Unavailable { source: Box::new(error) })
    }

    /// Registers an identity: the registry's part of [`Service::create`](edge_core::service::Service::create).
    ///
    /// # Errors
    /// [`ServiceError::AlreadyExists`], [`ServiceError::NotFound`] for a module's device, [`ServiceError::Invalid`],
    /// [`ServiceError::TooManyDevices`], [`ServiceError::TooManyModules`]; [`ServiceError::Unavailable`] when it cannot
    /// be kept.
    ///
    /// # Cancel safety
    /// Dropped, the change is made and kept all the same, unless the store fails.
    pub async fn create(
        &self,
        spec: IdentitySpec,
        now: Timestamp,
    ) -> Result<RegistryChange<IdentityRecord>, ServiceError> {
        self.change(|draft| draft.create(&spec, self.max_identities, now)).await
    }

    /// Changes an identity: the registry's part of [`Service::update`](edge_core::service::Service::update).
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], [`ServiceError::PreconditionFailed`], [`ServiceError::Invalid`];
    /// [`ServiceError::Unavailable`] when it cannot be kept.
    ///
    /// # Cancel safety
    /// Dropped, the change is made and kept all the same, unless the store fails.
    pub async fn update(
        &self,
        spec: IdentitySpec,
        if_match: IfMatch,
        now: Timestamp,
    ) -> Result<RegistryChange<IdentityRecord>, ServiceError> {
        self.change(|draft| draft.update(&spec, &if_match, now)).await
    }

    /// Deletes an identity, and a device's modules with it: the registry's part of
    /// [`Service::delete`](edge_core::service::Service::delete).
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], [`ServiceError::PreconditionFailed`]; [`ServiceError::Unavailable`] when it cannot be
    /// kept.
    ///
    /// # Cancel safety
    /// Dropped, the change is made and kept all the same, unless the store fails.
    pub async fn delete(
        &self,
        identity: &Identity,
        if_match: IfMatch,
    ) -> Result<RegistryChange<()>, ServiceError> {
        self.change(|draft| draft.delete(identity, &if_match)).await
    }

    /// Carries out the identities' part of many changes, each by itself, and keeps them together: the registry's part of
    /// [`Service::bulk`](edge_core::service::Service::bulk). Twins are not looked at.
    ///
    /// # Errors
    /// [`ServiceError::Unavailable`] when they cannot be kept; nothing is changed then.
    ///
    /// # Cancel safety
    /// Dropped, the changes are made and kept all the same, unless the store fails.
    pub async fn bulk(
        &self,
        entries: &[BulkEntry],
        now: Timestamp,
    ) -> Result<RegistryChange<Vec<BulkFailure>>, ServiceError> {
        self.change(|draft| {
            let failures = entries.iter().filter_map(|entry| {
                let error = draft.bulk(entry, self.max_identities, now).err()?;
                Some(BulkFailure::new(entry.spec.identity.clone(), entry.mode, error))
            });
            Ok(failures.collect())
        })
        .await
    }
}

/// Whether a change takes rights away that a session may rest on.
fn loses_rights(old: &IdentityRecord, new: Option<&IdentityRecord>) -> bool {
    new.is_none_or(|new| {
        old.auth != new.auth || (old.enabled && !new.enabled) || old.generation != new.generation
    })
}

impl Draft<'_> {
    fn bulk(&mut self, entry: &BulkEntry, limit: usize, now: Timestamp) -> Result<(), ServiceError> {
        let (spec, identity) = (&entry.spec, &entry.spec.identity);
        let etag = || match &entry.etag {
            Some(etag) => IfMatch::Etag(etag.clone()),
            None => IfMatch::Any,
        };
        let there = self.get(identity).is_some();
        match entry.mode {
            BulkMode::Create => self.create(spec, limit, now).map(drop),
            BulkMode::CreateOrUpdate | BulkMode::CreateOrUpdateIfMatchEtag if !there => {
                self.create(spec, limit, now).map(drop)
            }
            BulkMode::Update | BulkMode::CreateOrUpdate => self.update(spec, &IfMatch::Any, now).map(drop),
            BulkMode::UpdateIfMatchEtag | BulkMode::CreateOrUpdateIfMatchEtag => {
                self.update(spec, &etag(), now).map(drop)
            }
            BulkMode::Delete => self.delete(identity, &IfMatch::Any),
            BulkMode::DeleteIfMatchEtag => self.delete(identity, &etag()),
            _ if there => Ok(()),
            _ => Err(ServiceError::NotFound { identity: identity.clone() }),
        }
    }
}
