//! A disk that is full when entries have left to make room for a batch.

mod common;

use std::sync::Arc;

use common::*;
use edge_core::{Durability, MessageStore, Overflow, StoreError, Target};
use edge_store::testing::CrashFs;
use edge_store::{SegmentStore, StoreOptions};

const LIMIT_BYTES: u64 = 256 * 1024;
const SEGMENT_BYTES: u64 = 16 * 1024;

fn open(fs: &CrashFs) -> SegmentStore {
    let options = StoreOptions::default()
        .with_segment_bytes(SEGMENT_BYTES)
        .with_tail_bytes(2000)
        .with_max_bytes(LIMIT_BYTES);
    SegmentStore::open_on(Arc::new(fs.clone()), "dir", options).unwrap().0
}

fn drop_oldest() -> Arc<[Target]> {
    targets("q:r").iter().cloned().map(|target| target.with_overflow(Overflow::DropOldest)).collect()
}

#[tokio::test]
async fn what_left_for_a_batch_is_not_gone_without_it() {
    let fs = CrashFs::new();
    let (store, q, to) = (open(&fs), queue("q"), drop_oldest());
    for n in 0..400 {
        store.append(vec![entry(&to, format!("{n:0>900}"))], Durability::Written).await.unwrap();
    }
    store.flush().await.unwrap();
    let before = bodies(&read_all(&store, &q, 0).await);
    assert!(before.len() < 400, "the quota is used up");
    // However much of it came back, there would be no room.
    fs.set_capacity_bytes(Some(fs.used_bytes() / 2));
    let batch: Vec<_> = (400..424).map(|n| format!("{n:0>900}")).collect();
    let receipt = store.append(batch.iter().map(|body| entry(&to, body)).collect(), Durability::Synced);
    assert!(receipt.refusal().is_none(), "{:?} {:?}", receipt.refusal(), store.usage());
    let made_room: u64 = receipt.dropped().iter().map(|gone| gone.entries).sum();
    assert!(made_room * 1000 > SEGMENT_BYTES, "a whole segment: {made_room} entries");
    assert!(matches!(receipt.await, Err(StoreError::NoSpace { .. })));
    assert!(matches!(store.flush().await, Err(StoreError::NoSpace { .. })), "it is tried again");
    for seed in 0..20 {
        let disk = if seed == 0 { fs.after_kill() } else { fs.after_power_loss(seed) };
        let found = bodies(&read_all(&open(&disk), &q, 0).await);
        assert_eq!(found, before, "seed {seed}");
    }
    fs.set_capacity_bytes(None);
    store.flush().await.unwrap();
    let kept = before.iter().skip(made_room as usize).chain(&batch);
    assert!(bodies(&read_all(&store, &q, 0).await).iter().eq(kept));
    assert!(fs.used_bytes() <= LIMIT_BYTES + SEGMENT_BYTES + 64, "{}", fs.used_bytes());
    let disk = fs.after_power_loss(1);
    drop(store);
    assert_eq!(bodies(&read_all(&open(&disk), &q, 0).await).last(), batch.last());
}
