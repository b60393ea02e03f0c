//! The disk is mounted read-only, as a kernel does on errors, and comes back.

mod common;

use std::io;
use std::sync::Arc;

use common::*;
use edge_core::{Durability, MessageStore, StoreError, Timestamp};
use edge_store::testing::{Call, CrashFs};
use edge_store::{SegmentStore, StoreOptions};

fn open(fs: &CrashFs) -> SegmentStore {
    let options = StoreOptions::default().with_segment_bytes(16 * 1024).with_tail_bytes(2000);
    SegmentStore::open_on(Arc::new(fs.clone()), "dir", options).unwrap().0
}

/// Returns what fails on a disk that cannot be written to.
fn read_only(call: Call) -> Option<io::ErrorKind> {
    matches!(call, Call::Write | Call::Remove).then_some(io::ErrorKind::ReadOnlyFilesystem)
}

async fn append(store: &SegmentStore, n: usize) -> Result<Durability, StoreError> {
    store.append(vec![entry(&targets("q:r p:r"), format!("{n:0>900}"))], Durability::Synced).await
}

#[tokio::test]
async fn what_was_promised_is_served_and_the_rest_is_refused_until_it_comes_back() {
    let fs = CrashFs::new();
    let store = open(&fs);
    for n in 0..40 {
        append(&store, n).await.unwrap();
    }
    fs.set_fault(read_only);
    let error = append(&store, 40).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Io { source, .. } if source.kind() == io::ErrorKind::ReadOnlyFilesystem),
        "{error}"
    );
    for _ in 0..100 {
        assert!(append(&store, 99).await.is_err(), "refused at once, and not kept");
    }
    assert_eq!(read_all(&store, &queue("q"), 0).await.entries.len(), 41, "all of it can be read");
    store.trim(&queue("q"), 20).unwrap();
    fs.clear_fault();
    store.expire(Timestamp::from_unix_ms(0)).unwrap();
    while append(&store, 41).await.is_err() {
        tokio::task::yield_now().await;
    }
    let after = fs.after_power_loss(1);
    drop(store);
    let store = open(&after);
    let read = read_all(&store, &queue("p"), 0).await;
    let expected: Vec<String> = (0..42).map(|n| format!("{n:0>900}")).collect();
    assert_eq!((bodies(&read), read.damaged), (expected, 0));
    assert_eq!(store.queue(&queue("q")).unwrap().head, 20, "the trim was noted with the rest");
}

#[tokio::test]
async fn a_sync_that_fails_too_poisons_the_store_and_opening_it_again_finds_what_was_promised() {
    let fs = CrashFs::new();
    let store = open(&fs);
    for n in 0..25 {
        append(&store, n).await.unwrap();
    }
    fs.set_fault(|call| (call == Call::Sync).then_some(io::ErrorKind::ReadOnlyFilesystem));
    assert!(matches!(append(&store, 25).await, Err(StoreError::Poisoned { .. })));
    fs.clear_fault();
    assert!(matches!(append(&store, 26).await, Err(StoreError::Poisoned { .. })));
    drop(store);
    for seed in 0..20 {
        let store = open(&fs.after_power_loss(seed));
        let read = bodies(&read_all(&store, &queue("q"), 0).await);
        let expected: Vec<String> = (0..26).map(|n| format!("{n:0>900}")).collect();
        assert!(read == expected || read == expected[..25], "seed {seed}: {} entries", read.len());
    }
}

#[tokio::test]
async fn a_disk_that_is_read_only_from_the_start_is_an_error_of_opening() {
    let fs = CrashFs::new();
    let store = open(&fs);
    append(&store, 0).await.unwrap();
    store.close().await.unwrap();
    drop(store);
    fs.set_fault(read_only);
    let error = SegmentStore::open_on(Arc::new(fs.clone()), "dir", StoreOptions::default()).unwrap_err();
    assert!(error.to_string().contains("dir"), "{error}");
    fs.clear_fault();
    assert_eq!(read_all(&open(&fs), &queue("q"), 0).await.entries.len(), 1);
}
