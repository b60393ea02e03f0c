//! What has left: given back without being read, and what it costs when the note of it is damaged.

mod common;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use common::*;
use edge_core::{Durability, MessageStore, Timestamp};
use edge_store::testing::{Call, CrashFs};
use edge_store::{SegmentStore, StoreOptions};

fn open(fs: &CrashFs) -> (SegmentStore, edge_store::Recovery) {
    let options = StoreOptions::default().with_segment_bytes(16 * 1024).with_tail_bytes(2000);
    SegmentStore::open_on(Arc::new(fs.clone()), "dir", options).unwrap()
}

fn segments(fs: &CrashFs) -> Vec<PathBuf> {
    let mut paths = fs.paths();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "seg"));
    paths
}

#[tokio::test]
async fn what_has_expired_is_given_back_without_being_read() {
    let fs = CrashFs::new();
    let (store, _) = open(&fs);
    let to = expiring("q:r", Some(Duration::from_millis(10)));
    for n in 0..200 {
        store.append(vec![entry(&to, vec![n; 900])], Durability::Synced).await.unwrap();
    }
    store.close().await.unwrap();
    drop(store);
    let (store, _) = open(&fs);
    let before = segments(&fs).len();
    assert!(before > 10, "{before} segments");
    fs.set_fault(|call| (call == Call::Read).then_some(io::ErrorKind::Other));
    let gone = store.expire(Timestamp::from_unix_ms(10)).unwrap();
    assert_eq!(gone.iter().map(|gone| gone.entries).sum::<u64>(), 200);
    store.flush().await.unwrap();
    assert!(segments(&fs).len() <= 2, "{:?}", segments(&fs));
    fs.clear_fault();
    store.close().await.unwrap();
    let (store, recovery) = open(&fs);
    assert!(recovery.is_clean(), "{recovery}");
    assert!(store.queue(&queue("q")).unwrap().is_empty());
    assert!(store.accounts().iter().all(|account| account.residual() == 0 && account.dropped.total() == 200));
}

/// Returns where in a segment the records that say what was trimmed begin.
fn trims(content: &[u8]) -> Vec<usize> {
    const TRIM: u8 = 4;
    let is_trim = |at: &usize| {
        content.get(at + 8) == Some(&TRIM) && content.get(at + 10..at + 12) == Some(&[0xd6, 0x5e])
    };
    (32..content.len()).step_by(8).filter(is_trim).collect()
}

#[tokio::test]
async fn damage_to_a_cursor_brings_entries_again_and_loses_none() {
    let fs = CrashFs::new();
    let (store, _) = open(&fs);
    let to = targets("q:r");
    let batch = (0..10).map(|n| entry(&to, format!("{n}"))).collect();
    store.append(batch, Durability::Synced).await.unwrap();
    store.trim(&queue("q"), 6).unwrap();
    store.flush().await.unwrap();
    store.append(vec![entry(&to, "10")], Durability::Synced).await.unwrap();
    let copy = fs.after_power_loss(1);
    drop(store);
    let mut damaged = 0;
    for path in segments(&copy) {
        let mut content = copy.read(Path::new(&path)).unwrap();
        for at in trims(&content) {
            content[at + 16] ^= 0xff;
            damaged += 1;
        }
        copy.put(&path, &content);
    }
    assert!(damaged > 0, "a trim is noted");
    let (store, recovery) = open(&copy);
    assert!(!recovery.damage.is_empty(), "{recovery}");
    assert_eq!(recovery.lost, [], "no entry stood where the damage is: {recovery}");
    let read = read_all(&store, &queue("q"), 0).await;
    let expected: Vec<_> = (0..11).map(|n| n.to_string()).collect();
    let found = bodies(&read);
    assert!(expected.ends_with(&found) && found.len() >= 5, "{found:?}");
    assert!(store.accounts().iter().all(|account| account.residual() == 0), "{:?}", store.accounts());
    // What comes again is accepted again on its account: it was delivered once, and will be once more.
    let again = found.len() as u64 - 5;
    let account = store.accounts().remove(0);
    let counts = (account.accepted, account.delivered, account.stored);
    assert_eq!(counts, (11 + again, 6, found.len() as u64), "{account:?}");
}
