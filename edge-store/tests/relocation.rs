//! Segments that are emptied although something is wrong with them or with others.

mod common;

use std::io;
use std::path::Path;
use std::sync::Arc;

use common::*;
use edge_core::{Account, DropCause, Durability, MessageStore};
use edge_store::testing::CrashFs;
use edge_store::{SegmentStore, StoreOptions};

const FIRST: &str = "dir/0000000000000001.seg";
const MESSAGES: usize = 200;

fn open(fs: &CrashFs) -> SegmentStore {
    let options = StoreOptions::default().with_segment_bytes(16 * 1024).with_tail_bytes(2000);
    SegmentStore::open_on(Arc::new(fs.clone()), "dir", options).unwrap().0
}

/// Returns whether a message goes to the queue that nobody empties: three in the first segment, no fewer in any other.
fn is_slow(n: usize) -> bool {
    if n < 16 { [2, 6, 10].contains(&n) } else { n.is_multiple_of(5) }
}

fn body(n: usize) -> String {
    format!("{n:0>900}")
}

/// Fills a store.
async fn filled(fs: &CrashFs) -> SegmentStore {
    let store = open(fs);
    let (slow, fast) = (targets("slow:r"), targets("fast:r"));
    for n in 0..MESSAGES {
        let to = if is_slow(n) { &slow } else { &fast };
        store.append(vec![entry(to, body(n))], Durability::Written).await.unwrap();
    }
    store
}

fn slow() -> Vec<usize> {
    (0..MESSAGES).filter(|&n| is_slow(n)).collect()
}

fn account(store: &SegmentStore) -> Account {
    store.accounts().into_iter().find(|account| account.queue == queue("slow")).unwrap()
}

/// Damages the second of the entries in the first segment.
fn damage(fs: &CrashFs) {
    let mut content = fs.read(Path::new(FIRST)).unwrap();
    let body = body(6).into_bytes();
    let at = content.windows(body.len()).position(|window| window == body).unwrap();
    content[at + 450] ^= 1;
    fs.put(FIRST, &content);
}

#[tokio::test]
async fn what_is_damaged_in_a_segment_that_is_emptied_is_counted() {
    let fs = CrashFs::new();
    let store = filled(&fs).await;
    damage(&fs);
    store.trim(&queue("fast"), MESSAGES as u64).unwrap();
    store.flush().await.unwrap();
    assert!(!fs.paths().contains(&FIRST.into()), "the first segment is emptied first");
    let (accepted, expected) = (slow().len() as u64, [(DropCause::Damaged, 1)]);
    let check = |store: &SegmentStore| {
        let account = account(store);
        assert_eq!((account.accepted, account.stored), (accepted, accepted - 1), "{account:?}");
        assert_eq!(account.dropped.iter().collect::<Vec<_>>(), expected);
        assert_eq!(account.residual(), 0);
    };
    check(&store);
    let left: Vec<_> = slow().into_iter().filter(|&n| n != 6).map(body).collect();
    let read = read_all(&store, &queue("slow"), 0).await;
    assert_eq!((bodies(&read), read.damaged), (left.clone(), 1));
    store.close().await.unwrap();
    drop(store);
    let store = open(&fs);
    check(&store);
    assert_eq!(bodies(&read_all(&store, &queue("slow"), 0).await), left);
    assert_eq!(store.accounts().iter().map(|a| a.accepted).sum::<u64>(), MESSAGES as u64);
}

#[tokio::test]
async fn what_had_left_out_of_order_holds_no_segment() {
    let fs = CrashFs::new();
    let store = filled(&fs).await;
    store.settle(&queue("slow"), 1..3, &[]).unwrap();
    store.trim(&queue("fast"), MESSAGES as u64).unwrap();
    store.flush().await.unwrap();
    assert!(!fs.paths().contains(&FIRST.into()), "nobody waits for anything in the first segment");
    assert_eq!(store.queue(&queue("slow")).unwrap().len(), slow().len() as u64 - 2);
    assert_eq!(bodies(&read_all(&store, &queue("slow"), 0).await)[0], body(2));
}

#[tokio::test]
async fn a_segment_that_cannot_be_read_does_not_keep_others_from_being_emptied() {
    let fs = CrashFs::new();
    let store = filled(&fs).await;
    fs.wear_out(FIRST, 0..20_000);
    store.trim(&queue("fast"), MESSAGES as u64).unwrap();
    for _ in 0..3 {
        store.flush().await.unwrap();
    }
    assert!(fs.paths().contains(&FIRST.into()));
    assert!(store.moved_bytes() > 0, "another one is emptied");
}

#[tokio::test]
async fn a_dead_segment_that_cannot_be_removed_is_removed_later() {
    let fs = CrashFs::new();
    let store = filled(&fs).await;
    fs.set_fault(|call| (call == edge_store::testing::Call::Remove).then_some(io::ErrorKind::Other));
    for name in ["slow", "fast"] {
        store.trim(&queue(name), MESSAGES as u64).unwrap();
    }
    store.flush().await.unwrap();
    let used = store.usage().used_bytes;
    assert!(used >= fs.used_bytes() - 64, "what is still there counts: {used}");
    fs.clear_fault();
    store.flush().await.unwrap();
    assert!(store.usage().used_bytes < used / 4 && fs.used_bytes() < used / 4);
}
