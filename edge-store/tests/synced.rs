//! When what was written is synced.

mod common;

use common::*;
use edge_core::{Durability, MessageStore};
use edge_store::{SegmentStore, StoreOptions};

/// No store takes so many one by one within a second.
const MANY: u64 = 2_000_000;

#[tokio::test]
async fn what_was_written_is_synced_after_a_second_however_busy_the_store_is() {
    let dir = tempfile::tempdir().unwrap();
    // No segment is full meanwhile.
    let options = StoreOptions::default().with_segment_bytes(1 << 30);
    let (store, _) = SegmentStore::open(dir.path(), options).unwrap();
    let to = targets("q:r");
    let before = store.usage().syncs;
    for n in 1..=MANY {
        store.append(vec![entry(&to, "x")], Durability::Written).await.unwrap();
        store.trim(&queue("q"), n).unwrap();
        if store.usage().syncs > before {
            return;
        }
    }
    panic!("nothing was synced");
}
