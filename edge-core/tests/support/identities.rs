//! An identity store over a simulated disk.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use edge_core::service::{IdentityChange, IdentityRecord, IdentityStore, MemoryIdentities};
use edge_core::testing::identity_store::IdentityHarness;
use edge_core::{Durability, Receipt, StoreError};

use super::tasks::later;

#[derive(Debug, Default)]
pub struct Disk {
    pub written: Vec<Vec<IdentityChange>>,
    pub forbidden: bool,
}

impl Disk {
    pub fn write(&mut self, changes: Vec<IdentityChange>) {
        assert!(!self.forbidden, "the disk is touched by a call");
        self.written.push(changes);
    }
}

#[derive(Debug, Default)]
pub struct DurableIdentities {
    pub memory: MemoryIdentities,
    pub disk: Arc<Mutex<Disk>>,
}

impl DurableIdentities {
    /// Writes each part by itself, one after the other.
    pub fn write(&self, parts: Vec<Vec<IdentityChange>>) -> Receipt {
        let (sender, receipt) = Receipt::pair();
        let disk = self.disk.clone();
        later(async move {
            for part in parts {
                disk.lock().unwrap().write(part);
                tokio::task::yield_now().await;
            }
            sender.send(Ok(Durability::Written));
        });
        receipt
    }
}

#[async_trait]
impl IdentityStore for DurableIdentities {
    async fn load(&self) -> Result<Vec<IdentityRecord>, StoreError> {
        self.memory.load().await
    }

    fn apply(&self, changes: Vec<IdentityChange>) -> Receipt {
        drop(self.memory.apply(changes.clone()));
        self.write(vec![changes])
    }
}

#[derive(Debug)]
pub struct DurableHarness<F> {
    pub make: F,
    pub disk: Mutex<Arc<Mutex<Disk>>>,
}

impl<F> DurableHarness<F> {
    pub fn new(make: F) -> Self {
        Self { make, disk: Mutex::default() }
    }
}

#[async_trait]
impl<S: IdentityStore, F: Fn(DurableIdentities) -> S + Send + Sync> IdentityHarness for DurableHarness<F> {
    type Store = S;

    async fn open(&self) -> S {
        let disk = Arc::new(Mutex::default());
        *self.disk.lock().unwrap() = disk.clone();
        (self.make)(DurableIdentities { memory: MemoryIdentities::default(), disk })
    }

    async fn crash(&self, _store: S) -> Option<S> {
        let written = std::mem::take(&mut self.disk.lock().unwrap().lock().unwrap().written);
        let back = DurableIdentities::default();
        for changes in written {
            drop(back.memory.apply(changes));
        }
        Some((self.make)(back))
    }

    fn forbid_disk(&self, _store: &S) -> bool {
        self.disk.lock().unwrap().lock().unwrap().forbidden = true;
        true
    }

    fn allow_disk(&self, _store: &S) {
        self.disk.lock().unwrap().lock().unwrap().forbidden = false;
    }
}
