//! Looking into a store changes nothing, and sees what is there, running or not, damaged or not.

mod common;

use std::path::Path;
use std::sync::Arc;

use common::*;
use edge_core::{Durability, MessageStore};
use edge_store::testing::CrashFs;
use edge_store::{Inspection, SegmentStore, StoreOptions};

fn options() -> StoreOptions {
    StoreOptions::default().with_segment_bytes(16 * 1024).with_tail_bytes(2000)
}

async fn filled(disk: &CrashFs) -> SegmentStore {
    let (store, _) = SegmentStore::open_on(Arc::new(disk.clone()), "dir", options()).unwrap();
    for n in 0..60 {
        let to = if n % 2 == 0 { targets("a:r") } else { targets("a:r b:s") };
        store.append(vec![entry(&to, format!("{n:0>900}"))], Durability::Synced).await.unwrap();
    }
    store.trim(&queue("a"), 5).unwrap();
    store.flush().await.unwrap();
    store
}

fn inspect(disk: &CrashFs) -> Inspection {
    Inspection::open_on(Arc::new(disk.clone()), "dir").unwrap()
}

fn contents(disk: &CrashFs) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    disk.paths().into_iter().map(|path| (path.clone(), disk.read(&path).unwrap())).collect()
}

#[tokio::test]
async fn a_running_store_can_be_looked_into() {
    let disk = CrashFs::new();
    let store = filled(&disk).await;
    let before = contents(&disk);
    let inspection = inspect(&disk);
    assert_eq!(inspection.queues(), store.queues());
    assert!(inspection.recovery().is_clean());
    let batch = inspection.peek(&queue("b"), 0, entries(100)).unwrap();
    assert_eq!(batch, store.read(&queue("b"), 0, entries(100)).await.unwrap());
    let waiting: u64 = inspection.segments().iter().map(|segment| segment.entries).sum();
    assert_eq!(waiting, 55 + 30);
    let verified = inspection.verify().unwrap();
    assert_eq!((verified.messages, verified.damage.len()), (60, 0));
    let salt = 32;
    assert_eq!(verified.bytes + salt, disk.used_bytes());
    assert_eq!(contents(&disk), before, "nothing was changed");
    assert!(inspection.peek(&queue("none"), 0, entries(1)).unwrap().entries.is_empty());
}

#[tokio::test]
async fn damage_is_found_and_left_alone() {
    let disk = CrashFs::new();
    filled(&disk).await.close().await.unwrap();
    let path = Path::new("dir/0000000000000002.seg");
    let mut content = disk.read(path).unwrap();
    content[7000] ^= 1;
    disk.put(path, &content);
    let before = contents(&disk);
    let inspection = inspect(&disk);
    let verified = inspection.verify().unwrap();
    assert_eq!(verified.damage.len(), 1);
    let damage = &verified.damage[0];
    assert_eq!((damage.file.as_path(), damage.saved_as.as_ref()), (path, None));
    assert!((damage.position..damage.position + damage.bytes).contains(&7000));
    assert_eq!(inspection.peek(&queue("a"), 0, entries(100)).unwrap().damaged, 1);
    assert_eq!(contents(&disk), before, "nothing was repaired");
}

#[tokio::test]
async fn an_only_segment_that_was_emptied_is_damage() {
    for left in [0, 20, 700] {
        let disk = CrashFs::new();
        let (store, _) = SegmentStore::open_on(Arc::new(disk.clone()), "dir", options()).unwrap();
        store.append(vec![entry(&targets("a:r"), "lost")], Durability::Synced).await.unwrap();
        let disk = disk.after_kill();
        let path = Path::new("dir/0000000000000001.seg");
        disk.put(path, &vec![0; left]);
        let before = contents(&disk);
        let found = inspect(&disk);
        let damaged: Vec<_> = found.recovery().damage.iter().map(|damage| damage.file.as_path()).collect();
        assert_eq!(damaged, [path], "{left} bytes are left: {}", found.recovery());
        assert_eq!(contents(&disk), before, "nothing was repaired");
    }
}

#[test]
fn a_store_that_was_being_begun_is_not_damaged() {
    for left in [0, 20] {
        let disk = CrashFs::new();
        disk.put("dir/0000000000000001.seg", &vec![0; left]);
        let found = inspect(&disk);
        assert_eq!(found.recovery().damage, []);
        assert_eq!(found.recovery().bytes_cut, left as u64);
    }
}
