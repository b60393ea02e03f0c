//! The conformance kit, on a disk that fails when told to.

use std::sync::Mutex;

use async_trait::async_trait;
use edge_core::testing::message_store::{Capabilities, StoreHarness};
use edge_core::{
    Durability, EndpointId, Enqueue, Message, MessageStore, Priority, QueueId, Source, StoreError, Target,
    Timestamp,
};

use crate::disk::Disk;
use crate::store::RedbStore;

/// The disk that the store of the case stands on.
#[derive(Default)]
struct Scripted(Mutex<Disk>);

impl Scripted {
    fn disk(&self) -> Disk {
        self.0.lock().unwrap().clone()
    }

    fn store(&self, disk: Disk, limit_bytes: Option<u64>) -> RedbStore {
        *self.0.lock().unwrap() = disk.clone();
        let database = redb::Builder::new().create_with_backend(disk).unwrap();
        RedbStore::over(database, limit_bytes).unwrap()
    }
}

#[async_trait]
impl StoreHarness for Scripted {
    type Store = RedbStore;

    fn capabilities(&self) -> Capabilities {
        Capabilities::durable(Durability::Synced, 0).with_overflow()
    }

    async fn open(&self) -> RedbStore {
        self.store(Disk::default(), None)
    }

    async fn crash(&self, store: RedbStore) -> Option<RedbStore> {
        let left = self.disk().cut_off(Durability::Written);
        drop(store);
        Some(self.store(left, None))
    }

    async fn power_loss(&self, store: RedbStore) -> Option<RedbStore> {
        let left = self.disk().cut_off(Durability::Synced);
        drop(store);
        Some(self.store(left, None))
    }

    async fn open_limited(&self, limit_bytes: u64) -> Option<RedbStore> {
        Some(self.store(Disk::default(), Some(limit_bytes)))
    }

    async fn fail_syncs(&self, _store: &RedbStore) -> bool {
        self.disk().fail_syncs();
        true
    }

    fn forbid_disk(&self, _store: &RedbStore) -> bool {
        self.disk().forbid();
        true
    }

    fn allow_disk(&self, _store: &RedbStore) {
        self.disk().allow();
    }

    async fn settle(&self, store: &RedbStore) {
        store.idle().await;
    }
}

edge_core::message_store_conformance!(Scripted::default());

fn entry(bytes: usize) -> Enqueue {
    let queue = QueueId::new(EndpointId::upstream(), Priority::DEFAULT);
    let message = Message::builder(&Source::telemetry()).body(&vec![7; bytes]).build();
    let targets = [Target::new(queue, "telemetry".parse().unwrap(), None)].into();
    Enqueue::new(message, targets, Timestamp::from_unix_ms(0))
}

#[tokio::test]
async fn appends_that_wait_share_a_sync() {
    let harness = Scripted::default();
    let store = harness.open().await;
    harness.forbid_disk(&store);
    let receipts: Vec<_> = (0..100).map(|_| store.append(vec![entry(1)], Durability::Synced)).collect();
    harness.allow_disk(&store);
    for receipt in receipts {
        receipt.await.unwrap();
    }
    let syncs = store.usage().syncs;
    assert!(syncs <= 2, "{syncs} transactions for one that was under way and all that waited");
}

#[tokio::test]
async fn a_disk_that_hangs_costs_no_memory() {
    let harness = Scripted::default();
    let store = harness.open().await;
    harness.forbid_disk(&store);
    let mut taken = Vec::new();
    let refused = loop {
        let receipt = store.append(vec![entry(1 << 20)], Durability::Synced);
        if let Some(error) = receipt.refusal() {
            break error.clone();
        }
        taken.push(receipt);
        assert!(taken.len() < 200, "200 MiB wait for the disk");
    };
    assert!(matches!(refused, StoreError::Full { .. }), "{refused:?}");
    harness.allow_disk(&store);
    for receipt in taken {
        receipt.await.unwrap();
    }
    store.append(vec![entry(1)], Durability::Synced).await.unwrap();
}
