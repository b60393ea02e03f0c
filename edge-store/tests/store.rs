//! The store on a real disk: what is appended is read, in order, also after reopening.

mod common;

use std::time::Duration;

use common::*;
use edge_core::{Durability, MessageStore, StoreError, Timestamp};
use edge_store::{OpenError, SegmentStore, StoreOptions};
use tempfile::TempDir;

fn open(dir: &TempDir, options: &StoreOptions) -> SegmentStore {
    SegmentStore::open(dir.path(), options.clone()).unwrap().0
}

fn small() -> StoreOptions {
    StoreOptions::default().with_segment_bytes(16 * 1024).with_tail_bytes(2048)
}

fn segments(dir: &TempDir) -> usize {
    let names = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_string_lossy().ends_with(".seg")).count()
}

#[tokio::test]
async fn what_is_appended_is_read_in_order() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir, &StoreOptions::default());
    let both = targets("a:r1 b:r2");
    let only_a = targets("a:r1");
    let batch = vec![entry(&both, "0"), entry(&only_a, "1"), entry(&both, "2")];
    assert_eq!(store.append(batch, Durability::Synced).await.unwrap(), Durability::Synced);
    assert_eq!(bodies(&read_all(&store, &queue("a"), 0).await), ["0", "1", "2"]);
    assert_eq!(bodies(&read_all(&store, &queue("b"), 0).await), ["0", "2"]);
    assert_eq!(store.queue(&queue("a")).unwrap().waiting, [("r1".parse().unwrap(), 3)]);
}

#[tokio::test]
async fn everything_is_there_after_reopening() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir, &small());
    let (both, only_a) = (targets("a:r1 b:r2"), targets("a:r3"));
    for n in 0..500 {
        let batch = vec![entry(&both, format!("{n}")), entry(&only_a, format!("{n}a"))];
        let level = if n % 7 == 0 { Durability::Synced } else { Durability::Memory };
        store.append(batch, level).await.unwrap();
    }
    let before = read_all(&store, &queue("a"), 0).await;
    assert_eq!(before.entries.len(), 1000);
    store.trim(&queue("a"), 301).unwrap();
    store.trim(&queue("b"), 100).unwrap();
    let states = store.queues();
    store.close().await.unwrap();
    drop(store);

    let (store, recovery) = SegmentStore::open(dir.path(), small()).unwrap();
    assert!(recovery.is_clean(), "{recovery}");
    assert_eq!(recovery.entries, 699 + 400);
    assert_eq!(store.queues(), states);
    let after = read_all(&store, &queue("a"), 0).await;
    assert_eq!(after.entries[..], before.entries[301..]);
    assert_eq!(after.damaged, 0);
    assert_eq!(bodies(&read_all(&store, &queue("b"), 499).await), ["499"]);
}

#[tokio::test]
async fn space_comes_back_also_from_the_middle() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir, &small());
    let (slow, fast) = (targets("slow:r"), targets("fast:r"));
    store.append(vec![entry(&slow, "first")], Durability::Synced).await.unwrap();
    for n in 0..200 {
        store.append(vec![entry(&fast, vec![n; 1000])], Durability::Written).await.unwrap();
    }
    let full = store.usage().used_bytes;
    assert!(full > 200_000, "{full}");
    store.trim(&queue("fast"), 200).unwrap();
    store.append(vec![entry(&slow, "last")], Durability::Synced).await.unwrap();
    store.append(vec![entry(&slow, "later")], Durability::Synced).await.unwrap();
    let used = store.usage().used_bytes;
    assert!(used < 50_000, "{used}");
    store.close().await.unwrap();
    drop(store);
    assert!(segments(&dir) <= 4, "{}", segments(&dir));
    let (store, recovery) = SegmentStore::open(dir.path(), small()).unwrap();
    assert!(recovery.is_clean(), "{recovery}");
    assert_eq!(bodies(&read_all(&store, &queue("slow"), 0).await), ["first", "last", "later"]);
    assert_eq!(read_all(&store, &queue("fast"), 0).await.damaged, 0);
}

#[tokio::test]
async fn dead_segments_become_new_ones_while_there_is_traffic() {
    let disk = edge_store::testing::CrashFs::new();
    let (store, _) = SegmentStore::open_on(std::sync::Arc::new(disk.clone()), "dir", small()).unwrap();
    let to = targets("q:r");
    let is_recycled = |path: &std::path::PathBuf| disk.read(path).is_some_and(|content| content[24] == 1);
    let mut recycled = 0;
    for n in 0..200 {
        store.append(vec![entry(&to, format!("{n:0>1000}"))], Durability::Synced).await.unwrap();
        let read = store.read(&queue("q"), n, entries(1)).await.unwrap();
        assert_eq!(bodies(&read), [format!("{n:0>1000}")]);
        store.trim(&queue("q"), n.saturating_sub(3)).unwrap();
        recycled = recycled.max(disk.paths().iter().filter(|path| is_recycled(path)).count());
        assert!(store.usage().used_bytes < 5 * 16 * 1024, "{}", store.usage().used_bytes);
    }
    assert!(recycled > 0);
    for (copy, clean) in [(disk.after_kill(), true), (disk.after_power_loss(2), true)] {
        let (store, recovery) = SegmentStore::open_on(std::sync::Arc::new(copy), "dir", small()).unwrap();
        assert_eq!(recovery.is_clean(), clean, "{recovery}");
        assert_eq!(bodies(&read_all(&store, &queue("q"), 197).await).len(), 3);
    }
    store.flush().await.unwrap();
    store.trim(&queue("q"), 200).unwrap();
    store.flush().await.unwrap();
    assert!(store.usage().used_bytes < 16 * 1024, "no spare is kept in quiet times");
    let salt = 32;
    assert_eq!(disk.used_bytes(), store.usage().used_bytes + salt);
}

#[tokio::test]
async fn a_dead_segment_that_cannot_be_opened_is_no_new_one() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
    let (disk, fails) = (edge_store::testing::CrashFs::new(), Arc::new(AtomicBool::new(false)));
    let (store, _) = SegmentStore::open_on(Arc::new(disk.clone()), "dir", small()).unwrap();
    let failing = fails.clone();
    disk.set_fault(move |call| {
        let is_open = call == edge_store::testing::Call::Open;
        (is_open && failing.load(SeqCst)).then_some(std::io::ErrorKind::Other)
    });
    let to = targets("q:r");
    let append = || store.append(vec![entry(&to, [7; 1000])], Durability::Synced);
    let mut taken = 0;
    while taken < 100 || append().await.is_ok() {
        if taken < 100 {
            append().await.unwrap();
        }
        taken += 1;
        store.trim(&queue("q"), taken - 3_u64.min(taken)).unwrap();
        fails.store(taken >= 100, SeqCst);
        assert!(taken < 200, "no segment was begun");
    }
    // It still has its old name: the newest segment is the one that is written to.
    let (_, recovery) = SegmentStore::open_on(Arc::new(disk.after_kill()), "dir", small()).unwrap();
    assert!(recovery.is_clean() && recovery.bytes_cut == 0, "{recovery}");
    fails.store(false, SeqCst);
    while append().await.is_err() {}
    let (_, recovery) = SegmentStore::open_on(Arc::new(disk.after_power_loss(1)), "dir", small()).unwrap();
    assert!(recovery.is_clean(), "{recovery}");
}

#[tokio::test]
async fn a_slow_queue_does_not_hold_what_others_have_passed() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir, &small());
    let (slow, fast) = (targets("slow:r"), targets("fast:r slow:r"));
    let passed = targets("fast:r");
    for n in 0..2000u64 {
        let to = if n % 50 == 0 {
            &slow
        } else if n % 51 == 0 {
            &fast
        } else {
            &passed
        };
        store.append(vec![entry(to, format!("{n:0>500}"))], Durability::Written).await.unwrap();
        let next = store.queue(&queue("fast")).map_or(0, |state| state.next);
        store.trim(&queue("fast"), next).unwrap();
    }
    let expected: Vec<_> =
        (0..2000u64).filter(|n| n % 50 == 0 || n % 51 == 0).map(|n| format!("{n:0>500}")).collect();
    assert_eq!(bodies(&read_all(&store, &queue("slow"), 0).await), expected);
    store.flush().await.unwrap();
    let usage = store.usage();
    let live = 80 * 600;
    assert!(usage.used_bytes < 2 * live + 6 * 16 * 1024, "{usage:?}");
    let written = usage.written_bytes as f64 / (2000.0 * 600.0);
    assert!(written < 1.34, "write amplification {written}");
    assert!(store.moved_bytes() > 0);
    let states = store.queues();
    store.close().await.unwrap();
    drop(store);
    let (store, recovery) = SegmentStore::open(dir.path(), small()).unwrap();
    assert!(recovery.is_clean(), "{recovery}");
    assert_eq!(store.queues(), states);
    let read = read_all(&store, &queue("slow"), 0).await;
    assert_eq!((bodies(&read), read.damaged), (expected, 0));
    assert!(read.entries.iter().map(|stored| stored.offset).eq(0..read.next));
}

#[tokio::test]
async fn ten_thousand_queues_are_kept_apart() {
    let dir = TempDir::new().unwrap();
    let options = StoreOptions::default().with_tail_bytes(100_000);
    let store = open(&dir, &options);
    for round in 0..2 {
        let batch =
            (0..10_000).map(|n| entry(&targets(&format!("q{n}:r{n}")), format!("{n} {round}"))).collect();
        store.append(batch, Durability::Synced).await.unwrap();
    }
    store.trim(&queue("q77"), 1).unwrap();
    store.close().await.unwrap();
    drop(store);
    let (store, recovery) = SegmentStore::open(dir.path(), options).unwrap();
    assert_eq!((recovery.entries, recovery.is_clean()), (19_999, true));
    assert_eq!(bodies(&read_all(&store, &queue("q77"), 0).await), ["77 1"]);
    assert_eq!(bodies(&read_all(&store, &queue("q9999"), 0).await), ["9999 0", "9999 1"]);
}

#[tokio::test]
async fn expired_segments_are_given_up_and_counted_once() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir, &small());
    let short = expiring("q:short", Some(Duration::from_millis(10)));
    let forever = targets("q:forever");
    for n in 0..100 {
        store.append(vec![entry(&short, vec![n; 1000])], Durability::Written).await.unwrap();
    }
    store.append(vec![entry(&forever, "kept")], Durability::Synced).await.unwrap();
    store.trim(&queue("q"), 3).unwrap();
    assert!(store.expire(Timestamp::from_unix_ms(9)).unwrap().is_empty());
    let gone = store.expire(Timestamp::from_unix_ms(10)).unwrap();
    assert_eq!(gone.len(), 1);
    assert!((80..=97).contains(&gone[0].entries), "{gone:?}");
    assert!(store.expire(Timestamp::from_unix_ms(11)).unwrap().is_empty());
    let waiting = store.queue(&queue("q")).unwrap().len();
    assert_eq!(waiting + gone[0].entries, 98);
    let states = store.queues();
    let read = read_all(&store, &queue("q"), 0).await;
    assert_eq!((read.entries.len() as u64, read.damaged), (waiting, 0));
    store.close().await.unwrap();
    drop(store);
    let store = open(&dir, &small());
    assert_eq!(store.queues(), states);
    let again = read_all(&store, &queue("q"), 0).await;
    assert_eq!((again.entries, again.damaged), (read.entries, 0));
}

#[tokio::test]
async fn a_full_store_refuses_and_takes_again() {
    let dir = TempDir::new().unwrap();
    let options = small().with_max_bytes(200_000);
    let store = open(&dir, &options);
    let to = targets("q:r");
    let mut taken = 0;
    let error = loop {
        match store.append(vec![entry(&to, vec![0; 1000])], Durability::Written).await {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::Full { limit_bytes: 200_000, .. }), "{error}");
    assert!((150..200).contains(&taken), "{taken}");
    assert_eq!(store.queue(&queue("q")).unwrap().next, taken);
    store.trim(&queue("q"), taken).unwrap();
    while store.append(vec![entry(&to, vec![0; 1000])], Durability::Synced).await.is_err() {
        tokio::task::yield_now().await;
    }
    assert!(store.usage().used_bytes < 100_000);
}

#[tokio::test]
async fn one_gateway_per_directory() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir, &StoreOptions::default());
    let error = SegmentStore::open(dir.path(), StoreOptions::default()).unwrap_err();
    assert!(matches!(error, OpenError::Locked { .. }));
    assert!(error.to_string().contains(&*dir.path().to_string_lossy()), "{error}");
    store.close().await.unwrap();
    open(&dir, &StoreOptions::default());
}

#[tokio::test]
async fn a_removed_queue_is_counted_and_its_offsets_go_on() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir, &small());
    let to = targets("q:r");
    store.append((0..50).map(|n| entry(&to, vec![n; 1000])).collect(), Durability::Synced).await.unwrap();
    let gone = store.remove(&queue("q")).unwrap();
    assert_eq!(gone.iter().map(|gone| gone.entries).collect::<Vec<_>>(), [50]);
    assert!(read_all(&store, &queue("q"), 0).await.entries.is_empty());
    store.append(vec![entry(&to, "new")], Durability::Synced).await.unwrap();
    drop(store);
    let store = open(&dir, &small());
    let read = read_all(&store, &queue("q"), 0).await;
    assert_eq!((read.entries[0].offset, read.damaged), (50, 0));
}

#[tokio::test]
async fn a_closed_store_refuses_everything() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir, &StoreOptions::default());
    store.close().await.unwrap();
    store.close().await.unwrap();
    let to = targets("q:r");
    assert!(matches!(store.append(vec![entry(&to, "x")], Durability::Memory).await, Err(StoreError::Closed)));
    assert!(matches!(store.trim(&queue("q"), 1), Err(StoreError::Closed)));
    assert!(matches!(store.read(&queue("q"), 0, entries(1)).await, Err(StoreError::Closed)));
}

#[tokio::test]
async fn limits_of_a_read_are_kept() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir, &small());
    let to = targets("q:r");
    store.append((0..40).map(|n| entry(&to, vec![n; 1000])).collect(), Durability::Synced).await.unwrap();
    for from in [0, 13, 39] {
        let size = message(&[0; 1000]).size();
        let limit = edge_core::ReadLimit::new(std::num::NonZeroUsize::new(9).unwrap(), 3 * size + 1);
        let batch = store.read(&queue("q"), from, limit).await.unwrap();
        assert_eq!(batch.entries.len(), 3.min(40 - from as usize));
        let one = edge_core::ReadLimit::new(std::num::NonZeroUsize::new(9).unwrap(), 0);
        assert_eq!(store.read(&queue("q"), from, one).await.unwrap().entries.len(), 1);
        let batch = store.read(&queue("q"), from, entries(9)).await.unwrap();
        assert_eq!(batch.entries.len(), 9.min(40 - from as usize));
        assert_eq!(batch.entries[0].offset, from);
    }
    assert_eq!(store.read(&queue("none"), 7, entries(1)).await.unwrap().next, 7);
    assert_eq!(store.read(&queue("q"), 99, entries(1)).await.unwrap().next, 99);
}

#[tokio::test]
async fn entries_settled_one_by_one_after_a_kill_leave_the_others() {
    let (first, second) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (id, targets) = (queue("a"), targets("a:r1"));
    let append = |store: &SegmentStore, n: u64| {
        store.append(vec![entry(&targets, format!("message {n}"))], Durability::Synced)
    };
    let (killed, _) = SegmentStore::open(first.path(), StoreOptions::default()).unwrap();
    append(&killed, 0).await.unwrap();
    killed.settle(&id, 0..1, &[]).unwrap();
    for n in 1..21 {
        append(&killed, n).await.unwrap();
    }
    for file in std::fs::read_dir(first.path()).unwrap() {
        let file = file.unwrap();
        if file.file_type().unwrap().is_file() {
            std::fs::copy(file.path(), second.path().join(file.file_name())).unwrap();
        }
    }
    let (store, _) = SegmentStore::open(second.path(), StoreOptions::default()).unwrap();
    for n in 21..31 {
        append(&store, n).await.unwrap();
    }
    for n in store.queue(&id).unwrap().head..31 {
        let read = store.read(&id, n, entries(1)).await.unwrap();
        assert_eq!(read.entries.iter().map(|stored| stored.offset).collect::<Vec<_>>(), [n]);
        store.settle(&id, n..n + 1, &[]).unwrap();
    }
    assert!(store.queue(&id).unwrap().is_empty());
}
