//! Time as the store is told it: the rule is in the crate's documentation.

mod common;

use std::time::Duration;

use common::*;
use edge_core::{Durability, Enqueue, MessageStore, Timestamp};
use edge_store::{SegmentStore, StoreOptions};

const HOUR: u64 = 3_600_000;
const NOW: u64 = 1_800_000_000_000;

/// Appends an entry at `enqueued` that lives for ten minutes.
async fn append(store: &SegmentStore, enqueued: u64) {
    let to = expiring("q:r", Some(Duration::from_mins(10)));
    let entry = Enqueue::new(message(b"x"), to, Timestamp::from_unix_ms(enqueued));
    store.append(vec![entry], Durability::Synced).await.unwrap();
}

/// Tells the store the time, and returns how many entries expired.
fn expire(store: &SegmentStore, now: u64) -> u64 {
    store.expire(Timestamp::from_unix_ms(now)).unwrap().iter().map(|gone| gone.entries).sum()
}

#[tokio::test]
async fn a_clock_that_jumps_ahead_expires_early_by_as_much() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = SegmentStore::open(dir.path(), StoreOptions::default()).unwrap();
    append(&store, NOW).await;
    assert_eq!(expire(&store, NOW + 599_999), 0);
    assert_eq!(expire(&store, NOW + HOUR), 1, "the hour is past the ten minutes");
    append(&store, NOW + HOUR).await;
    assert_eq!(expire(&store, NOW + HOUR + 599_999), 0, "what comes after the jump has its whole time");
    assert_eq!(expire(&store, NOW + HOUR + 600_000), 1);
}

#[tokio::test]
async fn a_clock_that_jumps_back_expires_late_by_as_much_and_brings_nothing_back() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = SegmentStore::open(dir.path(), StoreOptions::default()).unwrap();
    append(&store, NOW - 600_000).await;
    assert_eq!(expire(&store, NOW), 1);
    append(&store, NOW).await;
    append(&store, NOW - HOUR).await;
    assert_eq!(expire(&store, NOW - HOUR), 0);
    assert_eq!(store.queue(&queue("q")).unwrap().len(), 2, "what expired stays gone");
    store.close().await.unwrap();
    drop(store);
    let (store, recovery) = SegmentStore::open(dir.path(), StoreOptions::default()).unwrap();
    assert_eq!(recovery.entries, 2);
    assert_eq!(expire(&store, NOW - HOUR + 599_999), 0);
    // Entries of one segment go together, the last of them with its own time: an hour late.
    expire(&store, NOW - HOUR + 600_000);
    assert_eq!(store.read(&queue("q"), 0, entries(9)).await.unwrap().entries.last().unwrap().offset, 2);
    expire(&store, NOW + 600_000);
    assert!(store.queue(&queue("q")).unwrap().is_empty());
}
