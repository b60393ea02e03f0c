//! Twins in memory.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use edge_core::{Durability, Identity};

use super::{TwinStore, TwinStoreError};
use crate::Twin;

/// Twins in memory: they survive reconnects, and no restart.
///
/// # Examples
/// ```
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// use edge_twin::{MemoryTwins, TwinStore};
///
/// assert!(MemoryTwins::default().load(&"press-7".parse()?).await?.is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct MemoryTwins {
    twins: Mutex<BTreeMap<Identity, Twin>>,
}

impl MemoryTwins {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Identity, Twin>> {
        self.twins.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl TwinStore for MemoryTwins {
    async fn load(&self, identity: &Identity) -> Result<Option<Twin>, TwinStoreError> {
        Ok(self.lock().get(identity).cloned())
    }

    async fn save(
        &self,
        identity: &Identity,
        over: Option<u64>,
        twin: Twin,
    ) -> Result<Durability, TwinStoreError> {
        let mut twins = self.lock();
        TwinStoreError::conflict(twins.get(identity).map(Twin::version), over, twin.version())?;
        twins.insert(identity.clone(), twin);
        Ok(Durability::Memory)
    }

    async fn remove(&self, identity: &Identity) -> Result<bool, TwinStoreError> {
        Ok(self.lock().remove(identity).is_some())
    }

    async fn list(
        &self,
        after: Option<&Identity>,
        limit: NonZeroUsize,
    ) -> Result<Vec<(Identity, Twin)>, TwinStoreError> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let twins = self.lock();
        let page = twins.range::<Identity, _>((from, Bound::Unbounded)).take(limit.get());
        Ok(page.map(|(identity, twin)| (identity.clone(), twin.clone())).collect())
    }
}
