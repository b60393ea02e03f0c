//! A group of appends waits until it is large enough, for so long at most, and costs one sync.

mod common;

use std::num::NonZeroUsize;
use std::time::Duration;

use common::*;
use edge_core::{Durability, MessageStore, Receipt};
use edge_store::{Gather, SegmentStore, StoreOptions};
use tempfile::TempDir;

/// So long that a group which waited for the time would hang its test.
const NEVER: Duration = Duration::from_secs(3600);

fn open(dir: &TempDir, gather: Gather) -> SegmentStore {
    SegmentStore::open(dir.path(), StoreOptions::default().with_gather(gather)).unwrap().0
}

fn put(store: &SegmentStore, bytes: usize) -> Receipt {
    store.append(vec![entry(&targets("q:r"), vec![b'x'; bytes])], Durability::Synced)
}

/// Waits for all, and returns how many syncs the store has made.
async fn settled(store: &SegmentStore, receipts: Vec<Receipt>) -> u64 {
    for receipt in receipts {
        assert_eq!(receipt.await.unwrap(), Durability::Synced);
    }
    store.usage().syncs
}

fn many() -> Option<NonZeroUsize> {
    NonZeroUsize::new(1_000_000)
}

#[tokio::test]
async fn enough_messages_are_a_group() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir, Gather::new(NEVER).with_messages(NonZeroUsize::new(10)));
    let group = || (0..10).map(|_| put(&store, 100)).collect();
    let before = settled(&store, group()).await;
    let after = settled(&store, group()).await;
    assert_eq!(after - before, 1, "ten messages of ten senders are synced as one");
}

#[tokio::test]
async fn enough_bytes_are_a_group() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir, Gather::new(NEVER).with_messages(many()).with_bytes(10_000));
    let before = settled(&store, vec![put(&store, 20_000)]).await;
    let group = (0..8).map(|_| 500).chain([8000]).map(|bytes| put(&store, bytes)).collect();
    let after = settled(&store, group).await;
    assert_eq!(after - before, 1, "the last one fills the group");
}

#[tokio::test]
async fn a_group_that_stays_small_waits_for_its_time_alone() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir, Gather::new(Duration::from_millis(20)).with_messages(many()));
    let before = settled(&store, vec![put(&store, 100)]).await;
    let after = settled(&store, vec![put(&store, 100)]).await;
    assert_eq!(after - before, 1);
}

#[tokio::test]
async fn closing_waits_for_no_group() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir, Gather::new(NEVER).with_messages(many()));
    let receipt = put(&store, 100);
    store.close().await.unwrap();
    assert_eq!(receipt.await.unwrap(), Durability::Synced);
}
