//! A session store over a simulated disk.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use edge_core::testing::session_store::SessionHarness;
use edge_core::{Durability, FeedSet, Identity, MemorySessions, Receipt, SessionStore};

use super::tasks::later;

#[derive(Debug, Default)]
pub struct Disk {
    pub saved: Vec<(Identity, FeedSet)>,
    pub forbidden: bool,
}

impl Disk {
    pub fn write(&mut self, identity: Identity, feeds: FeedSet) {
        assert!(!self.forbidden, "the disk is touched by a call");
        self.saved.push((identity, feeds));
    }
}

#[derive(Debug, Default)]
pub struct DurableSessions {
    pub memory: MemorySessions,
    pub disk: Arc<Mutex<Disk>>,
}

impl SessionStore for DurableSessions {
    fn load(&self, identity: &Identity) -> FeedSet {
        self.memory.load(identity)
    }

    fn save(&self, identity: &Identity, feeds: FeedSet) -> Receipt {
        drop(self.memory.save(identity, feeds));
        let (sender, receipt) = Receipt::pair();
        let (disk, identity) = (self.disk.clone(), identity.clone());
        later(async move {
            disk.lock().unwrap().write(identity, feeds);
            sender.send(Ok(Durability::Written));
        });
        receipt
    }

    fn all(&self) -> Vec<(Identity, FeedSet)> {
        self.memory.all()
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
impl<S: SessionStore, F: Fn(DurableSessions) -> S + Send + Sync> SessionHarness for DurableHarness<F> {
    type Store = S;

    async fn open(&self) -> S {
        let disk = self.disk.lock().unwrap().clone();
        (self.make)(DurableSessions { memory: MemorySessions::default(), disk })
    }

    async fn crash(&self, _store: S) -> Option<S> {
        let saved = std::mem::take(&mut self.disk.lock().unwrap().lock().unwrap().saved);
        let back = DurableSessions::default();
        for (identity, feeds) in &saved {
            drop(back.memory.save(identity, *feeds));
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
