//! Where identities are kept.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use super::IdentityRecord;
use crate::{Durability, Identity, Receipt, StoreError};

/// A change of what is registered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a store that does not know a change could not make it")]
pub enum IdentityChange {
    /// The identity is registered like this from now on.
    Put(Box<IdentityRecord>),
    /// The identity is registered no more; nothing happens when it was not.
    Remove(Identity),
}

/// Keeps identities, so that what the service API registers survives restarts.
///
/// The registry has all identities in memory: it loads them once, and tells the store of each change.
///
/// # Contract
/// - After the receipt of `apply` has resolved to `Ok`, `load` MUST return every record as it was last put, field for
///   field, and nothing that was removed, also after a crash.
/// - The changes of one call MUST be made all or not at all, also when a crash comes in between.
/// - Changes MUST be made in the order of the calls, and within a call in the order given.
/// - `apply` MUST NOT block on the disk.
///
/// The conformance kit is `edge_core::testing::identity_store`, behind the feature `testing`.
///
/// # Examples
/// ```
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// use edge_core::service::{AuthRecord, IdentityChange, IdentityRecord, IdentityStore, MemoryIdentities};
///
/// let store = MemoryIdentities::default();
/// let record = IdentityRecord::new("press-7".parse()?, AuthRecord::CertificateAuthority);
/// store.apply(vec![IdentityChange::Put(Box::new(record.clone()))]).await?;
/// assert_eq!(store.load().await?, [record]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
#[async_trait]
pub trait IdentityStore: fmt::Debug + Send + Sync + 'static {
    /// Returns everything that is registered, in any order.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    ///
    /// # Cancel safety
    /// Cancel-safe: reading changes nothing.
    async fn load(&self) -> Result<Vec<IdentityRecord>, StoreError>;

    /// Makes changes; the receipt resolves when they would survive a restart.
    fn apply(&self, changes: Vec<IdentityChange>) -> Receipt;
}

const _: Option<&dyn IdentityStore> = None;

/// Identities in memory: they survive no restart.
///
/// # Examples
/// ```
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// use edge_core::service::{IdentityStore, MemoryIdentities};
///
/// assert!(MemoryIdentities::default().load().await?.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct MemoryIdentities {
    records: Mutex<BTreeMap<Identity, IdentityRecord>>,
}

#[async_trait]
impl IdentityStore for MemoryIdentities {
    async fn load(&self) -> Result<Vec<IdentityRecord>, StoreError> {
        let records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(records.values().cloned().collect())
    }

    fn apply(&self, changes: Vec<IdentityChange>) -> Receipt {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        for change in changes {
            match change {
                IdentityChange::Put(record) => {
                    records.insert(record.identity.clone(), *record);
                }
                IdentityChange::Remove(identity) => {
                    records.remove(&identity);
                }
            }
        }
        Receipt::ready(Ok(Durability::Memory))
    }
}
