//! Ten thousand queues.

mod common;

use common::*;
use edge_core::{Durability, MessageStore};
use edge_store::{SegmentStore, StoreOptions};

const QUEUES: usize = 10_000;

#[tokio::test]
async fn ten_thousand_queues_cost_little_each() {
    let dir = tempfile::tempdir().unwrap();
    let options = StoreOptions::default().with_segment_bytes(1 << 20);
    let (store, _) = SegmentStore::open(dir.path(), options.clone()).unwrap();
    let all: Vec<_> = (0..QUEUES).map(|n| targets(&format!("queue-{n}:route-{n}"))).collect();
    // Several segments' worth of messages, whatever a segment says of queues at its beginning.
    for round in 0..6 {
        for some in all.chunks(500) {
            let batch = some.iter().map(|to| entry(to, vec![round; 1000])).collect();
            store.append(batch, Durability::Written).await.unwrap();
        }
    }
    store.flush().await.unwrap();
    let usage = store.usage();
    let ratio = usage.write_amplification().unwrap();
    assert!(ratio < 1.25, "{ratio:.3} bytes are written for one");
    for n in [0, QUEUES / 2, QUEUES - 1] {
        store.trim(&queue(&format!("queue-{n}")), 5).unwrap();
    }
    store.close().await.unwrap();
    drop(store);
    let (store, recovery) = SegmentStore::open(dir.path(), options).unwrap();
    assert!(recovery.is_clean(), "{recovery}");
    assert_eq!((recovery.entries, store.queues().len()), (6 * 10_000 - 15, QUEUES));
    for n in [0, 1, QUEUES - 1] {
        let read = read_all(&store, &queue(&format!("queue-{n}")), 0).await;
        assert_eq!(read.entries.len(), if n == 1 { 6 } else { 1 });
    }
}
