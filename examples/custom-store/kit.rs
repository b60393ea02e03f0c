//! The conformance kit, on a file of this machine.

use async_trait::async_trait;
use edge_core::Durability;
use edge_core::testing::message_store::{Capabilities, StoreHarness};
use tempfile::TempDir;

use crate::store::RedbStore;

/// A store is killed by dropping it: what waits is abandoned, and the file is opened again.
struct File(TempDir);

impl File {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn store(&self, limit_bytes: Option<u64>) -> RedbStore {
        RedbStore::open(&self.0.path().join("queues.redb"), limit_bytes).unwrap()
    }
}

#[async_trait]
impl StoreHarness for File {
    type Store = RedbStore;

    fn capabilities(&self) -> Capabilities {
        Capabilities::durable(Durability::Synced, 0).with_overflow()
    }

    async fn open(&self) -> RedbStore {
        let _missing = std::fs::remove_file(self.0.path().join("queues.redb"));
        self.store(None)
    }

    async fn crash(&self, store: RedbStore) -> Option<RedbStore> {
        drop(store);
        Some(self.store(None))
    }

    async fn open_limited(&self, limit_bytes: u64) -> Option<RedbStore> {
        let _missing = std::fs::remove_file(self.0.path().join("queues.redb"));
        Some(self.store(Some(limit_bytes)))
    }

    async fn settle(&self, store: &RedbStore) {
        store.idle().await;
    }
}

edge_core::message_store_conformance!(File::new());

#[test]
fn a_second_store_on_the_same_file_is_refused() {
    let file = File::new();
    let _first = file.store(None);
    let second = RedbStore::open(&file.0.path().join("queues.redb"), None);
    assert!(matches!(second, Err(redb::Error::DatabaseAlreadyOpen)), "{second:?}");
}
