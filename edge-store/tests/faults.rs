//! Disks that are full, that fail, and that are damaged.

mod common;

use std::io;
use std::path::Path;
use std::sync::Arc;

use common::*;
use edge_core::{Durability, MessageStore, StoreError, Timestamp};
use edge_store::testing::{Call, CrashFs};
use edge_store::{SegmentStore, StoreOptions};

fn options() -> StoreOptions {
    StoreOptions::default().with_segment_bytes(16 * 1024).with_tail_bytes(2000)
}

fn open(fs: &CrashFs) -> SegmentStore {
    SegmentStore::open_on(Arc::new(fs.clone()), "dir", options()).unwrap().0
}

/// Appends until something is refused, and returns how many were promised and why the last was not.
async fn fill(store: &SegmentStore, from: usize) -> (usize, StoreError) {
    let to = targets("q:r");
    for n in from.. {
        let batch = vec![entry(&to, format!("{n:0>900}"))];
        if let Err(error) = store.append(batch, Durability::Synced).await {
            return (n, error);
        }
    }
    unreachable!("nothing was refused");
}

#[tokio::test]
async fn a_full_disk_refuses_and_goes_on_in_order_when_space_returns() {
    let fs = CrashFs::new();
    let store = open(&fs);
    fs.set_capacity_bytes(Some(50_000));
    let (promised, error) = fill(&store, 0).await;
    assert!(matches!(error, StoreError::NoSpace { .. }), "{error}");
    assert!((40..55).contains(&promised), "{promised}");
    let to = targets("q:r");
    for _ in 0..1000 {
        let refused = store.append(vec![entry(&to, "refused")], Durability::Memory).await;
        assert!(matches!(refused, Err(StoreError::NoSpace { .. })));
    }
    let visible = store.queue(&queue("q")).unwrap().next;
    assert_eq!(visible, promised as u64 + 1, "what was refused at once is not kept");
    fs.set_capacity_bytes(None);
    store.expire(Timestamp::from_unix_ms(0)).unwrap();
    while store.append(vec![entry(&to, "taken again")], Durability::Synced).await.is_err() {
        tokio::task::yield_now().await;
    }
    let after = fs.after_power_loss(1);
    drop(store);
    let store = open(&after);
    let read = read_all(&store, &queue("q"), 0).await;
    assert_eq!(read.entries.len() as u64, visible + 1);
    for (n, body) in bodies(&read).iter().take(promised + 1).enumerate() {
        assert_eq!(body, &format!("{n:0>900}"));
    }
    assert_eq!(bodies(&read).last().unwrap(), "taken again");
}

#[tokio::test]
async fn a_full_disk_gets_room_by_trimming() {
    let fs = CrashFs::new();
    let store = open(&fs);
    fs.set_capacity_bytes(Some(50_000));
    let (promised, _) = fill(&store, 0).await;
    store.trim(&queue("q"), promised as u64).unwrap();
    let to = targets("q:r");
    while store.append(vec![entry(&to, "taken again")], Durability::Synced).await.is_err() {
        tokio::task::yield_now().await;
    }
    let after = fs.after_kill();
    drop(store);
    let read = read_all(&open(&after), &queue("q"), 0).await;
    assert_eq!(read.damaged, 0);
    assert_eq!(bodies(&read).last().unwrap(), "taken again");
}

#[tokio::test]
async fn a_store_on_a_full_disk_can_be_opened_read_and_emptied() {
    let disk = sixty().await;
    disk.set_capacity_bytes(Some(disk.used_bytes()));
    let store = open(&disk);
    assert_eq!(read_all(&store, &queue("q"), 0).await.entries.len(), 60);
    let to = targets("q:r");
    let refused = store.append(vec![entry(&to, "x")], Durability::Synced).await;
    assert!(matches!(refused, Err(StoreError::NoSpace { .. })), "{refused:?}");
    for name in ["p", "q"] {
        store.trim(&queue(name), 60).unwrap();
    }
    while store.append(vec![entry(&to, "taken")], Durability::Synced).await.is_err() {
        tokio::task::yield_now().await;
    }
    let after = disk.after_power_loss(4);
    drop(store);
    let read = read_all(&open(&after), &queue("q"), 60).await;
    assert_eq!((bodies(&read), read.entries[0].offset), (vec!["taken".to_owned()], 60));
}

#[tokio::test]
async fn a_damaged_header_costs_nothing() {
    let fs = CrashFs::new();
    let store = open(&fs);
    let to = targets("q:r");
    for n in 0..3 {
        store.append(vec![entry(&to, format!("{n}"))], Durability::Synced).await.unwrap();
    }
    let disk = fs.after_kill();
    drop(store);
    let path = Path::new("dir/0000000000000001.seg");
    let mut content = disk.read(path).unwrap();
    content[..32].fill(0);
    disk.put(path, &content);
    let (store, recovery) = SegmentStore::open_on(Arc::new(disk), "dir", options()).unwrap();
    assert_eq!(recovery.damage.len(), 1, "{recovery}");
    assert_eq!(bodies(&read_all(&store, &queue("q"), 0).await), ["0", "1", "2"]);
}

#[tokio::test]
async fn closing_twice_waits_twice() {
    let fs = CrashFs::new();
    let store = open(&fs);
    let receipt = store.append(vec![entry(&targets("q:r"), "0")], Durability::Memory);
    let (one, two) = tokio::join!(store.close(), async {
        let closed = store.close().await;
        (closed, fs.after_power_loss(6))
    });
    one.unwrap();
    let (closed, after) = two;
    closed.unwrap();
    receipt.await.unwrap();
    assert_eq!(bodies(&read_all(&open(&after), &queue("q"), 0).await), ["0"]);
}

#[tokio::test]
async fn a_failing_write_is_tried_again() {
    let fs = CrashFs::new();
    let store = open(&fs);
    let to = targets("q:r");
    store.append(vec![entry(&to, "0")], Durability::Synced).await.unwrap();
    fs.set_fault(|call| (call == Call::Write).then_some(io::ErrorKind::Other));
    let error = store.append(vec![entry(&to, "1")], Durability::Written).await.unwrap_err();
    assert!(matches!(error, StoreError::Io { .. }), "{error}");
    assert_eq!(bodies(&read_all(&store, &queue("q"), 0).await), ["0", "1"], "it can be read meanwhile");
    fs.clear_fault();
    while store.append(vec![entry(&to, "2")], Durability::Written).await.is_err() {
        tokio::task::yield_now().await;
    }
    let after = fs.after_kill();
    drop(store);
    assert_eq!(bodies(&read_all(&open(&after), &queue("q"), 0).await), ["0", "1", "2"]);
}

#[tokio::test]
async fn a_failed_sync_poisons_the_store() {
    let fs = CrashFs::new();
    let store = open(&fs);
    let to = targets("q:r");
    store.append(vec![entry(&to, "0")], Durability::Synced).await.unwrap();
    fs.set_fault(|call| (call == Call::Sync).then_some(io::ErrorKind::Other));
    let error = store.append(vec![entry(&to, "1")], Durability::Synced).await.unwrap_err();
    assert!(matches!(error, StoreError::Poisoned { .. }), "{error}");
    fs.clear_fault();
    for level in [Durability::Synced, Durability::Written, Durability::Memory] {
        let refused = store.append(vec![entry(&to, "2")], level).await;
        assert!(matches!(refused, Err(StoreError::Poisoned { .. })));
    }
    assert!(matches!(store.trim(&queue("q"), 1), Err(StoreError::Poisoned { .. })));
    assert_eq!(bodies(&read_all(&store, &queue("q"), 0).await)[0], "0", "it can still be read");
    assert!(matches!(store.close().await, Err(StoreError::Poisoned { .. })));
    drop(store);
    assert_eq!(bodies(&read_all(&open(&fs.after_power_loss(3)), &queue("q"), 0).await)[0], "0");
}

#[tokio::test]
async fn a_failing_read_is_an_error_and_no_loss() {
    let fs = CrashFs::new();
    let store = open(&fs);
    let to = targets("q:r");
    store.append((0..40).map(|n| entry(&to, vec![n; 900])).collect(), Durability::Synced).await.unwrap();
    fs.set_fault(|call| (call == Call::Read).then_some(io::ErrorKind::Other));
    let error = store.read(&queue("q"), 0, entries(5)).await.unwrap_err();
    assert!(matches!(error, StoreError::Io { .. }), "{error}");
    fs.clear_fault();
    assert_eq!(read_all(&store, &queue("q"), 0).await.entries.len(), 40);
}

/// Writes 60 entries to several segments and returns the disk.
async fn sixty() -> CrashFs {
    let fs = CrashFs::new();
    let store = open(&fs);
    let to = targets("q:r p:r");
    for n in 0..60 {
        store.append(vec![entry(&to, format!("{n:0>900}"))], Durability::Synced).await.unwrap();
    }
    store.close().await.unwrap();
    fs
}

#[tokio::test]
async fn damage_in_the_middle_is_named_set_aside_and_read_past() {
    let disk = sixty().await;
    let path = Path::new("dir/0000000000000002.seg");
    let mut content = disk.read(path).unwrap();
    for byte in &mut content[5000..5010] {
        *byte ^= 0x55;
    }
    // Without its index the segment is read at open.
    let end = content.len();
    content[end - 1] ^= 1;
    disk.put(path, &content);
    let (store, recovery) = SegmentStore::open_on(Arc::new(disk.clone()), "dir", options()).unwrap();
    assert_eq!(recovery.damage.len(), 2, "{recovery}");
    let damage = &recovery.damage[0];
    assert_eq!(damage.file, path);
    assert!((damage.position..damage.position + damage.bytes).contains(&5000), "{recovery}");
    let kept = disk.read(damage.saved_as.as_ref().unwrap()).unwrap();
    assert_eq!(kept, content[damage.position as usize..(damage.position + damage.bytes) as usize]);
    assert_eq!(recovery.lost.iter().map(|lost| lost.entries).collect::<Vec<_>>(), [1, 1]);
    let read = read_all(&store, &queue("q"), 0).await;
    assert_eq!((read.entries.len(), read.damaged, read.next), (59, 1, 60));
    let offsets: Vec<u64> = read.entries.iter().map(|stored| stored.offset).collect();
    assert!(offsets.is_sorted(), "{offsets:?}");
    assert_eq!(store.queue(&queue("q")).unwrap().len(), 59);
}

#[tokio::test]
async fn damage_behind_an_index_is_found_by_reading() {
    let disk = sixty().await;
    let store = open(&disk);
    let path = Path::new("dir/0000000000000002.seg");
    let mut content = disk.read(path).unwrap();
    content[5000] ^= 0x55;
    disk.put(path, &content);
    let read = read_all(&store, &queue("q"), 0).await;
    assert_eq!((read.entries.len(), read.damaged, read.next), (59, 1, 60));
    let again = read_all(&store, &queue("p"), 0).await;
    assert_eq!((again.entries.len(), again.damaged, again.next), (59, 1, 60));
    assert_eq!(disk.paths().iter().filter(|path| path.starts_with("dir/damaged")).count(), 1);
}

#[tokio::test]
async fn a_bad_sector_costs_what_is_in_it() {
    let disk = sixty().await;
    let store = open(&disk);
    disk.wear_out("dir/0000000000000002.seg", 5000..5010);
    let q = queue("q");
    let mut read = edge_core::ReadBatch::new(Vec::new(), 0, 0);
    let mut failures = 0;
    while read.next < 60 {
        match store.read(&q, read.next, entries(7)).await {
            Ok(batch) => {
                read.entries.extend(batch.entries);
                read.damaged += batch.damaged;
                read.next = batch.next;
            }
            Err(error) => {
                assert!(matches!(error, StoreError::Io { .. }), "{error}");
                failures += 1;
            }
        }
    }
    assert!((1..=3).contains(&failures), "{failures}");
    assert_eq!(read.entries.len() as u64 + read.damaged, 60);
    assert!((1..=6).contains(&read.damaged), "{}", read.damaged);
    drop(store);
    // At open too, when the segment has to be read.
    let copy = disk.after_kill();
    let path = Path::new("dir/0000000000000002.seg");
    let mut content = copy.read(path).unwrap();
    content.pop();
    copy.put(path, &content);
    copy.wear_out(path, 5000..5010);
    let (_, recovery) = SegmentStore::open_on(Arc::new(copy), "dir", options()).unwrap();
    assert!(recovery.lost.iter().all(|lost| (1..=6).contains(&lost.entries)), "{recovery}");
    assert_eq!(recovery.lost.len(), 2, "{recovery}");
}

#[tokio::test]
async fn no_damage_to_any_byte_panics_or_invents() {
    let disk = sixty().await;
    let mut random = edge_store::testing::Random::new(5);
    for _ in 0..60 {
        let copy = disk.after_kill();
        let paths: Vec<_> = copy.paths();
        for _ in 0..=random.below(3) {
            let path = &paths[random.below(paths.len() as u64) as usize];
            let mut content = copy.read(path).unwrap();
            if content.is_empty() {
                continue;
            }
            let at = random.below(content.len() as u64) as usize;
            match random.below(4) {
                0 => content[at] ^= 1 << random.below(8),
                1 => content.truncate(at),
                2 => content[at..].iter_mut().take(2000).for_each(|byte| *byte = 0),
                _ => content = Vec::new(),
            }
            copy.put(path, &content);
        }
        let store = open(&copy);
        for name in ["p", "q"] {
            let state = store.queue(&queue(name));
            let read = read_all(&store, &queue(name), 0).await;
            for stored in &read.entries {
                assert_eq!(stored.message.body(), format!("{:0>900}", stored.offset).as_bytes());
            }
            if let Some(state) = state {
                let read_entries = read.entries.len() as u64;
                assert!((read_entries..=read_entries + read.damaged).contains(&state.len()));
                assert_eq!(state.next - state.head, read.entries.len() as u64 + read.damaged);
            }
        }
    }
}
