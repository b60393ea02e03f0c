//! Memory; alone in its process, because that is what is measured.
#![cfg(target_os = "linux")]

mod common;

use common::*;
use edge_core::{Durability, MessageStore};
use edge_store::{SegmentStore, StoreOptions};
use tempfile::TempDir;

#[tokio::test]
async fn memory_does_not_grow_with_what_is_queued() {
    fn resident_kib() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
    let dir = TempDir::new().unwrap();
    let options = StoreOptions::default().with_segment_bytes(4 << 20);
    let (store, _) = SegmentStore::open(dir.path(), options).unwrap();
    let to = targets("a:r b:r");
    let append = async |count: usize| {
        for _ in 0..count / 1000 {
            let batch = (0..1000).map(|_| entry(&to, [b'x'; 256])).collect();
            store.append(batch, Durability::Written).await.unwrap();
        }
    };
    append(50_000).await;
    let before = resident_kib();
    append(250_000).await;
    let grown = resident_kib().saturating_sub(before);
    assert_eq!(store.queue(&queue("b")).unwrap().len(), 300_000);
    assert!(grown < 12 * 1024, "{grown} KiB for 90 MB that wait");
}
