//! A look taken while the store is at work.

use std::fmt;
use std::io;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Arc, Mutex};

use edge_core::{
    Durability, EndpointId, Enqueue, Message, MessageStore, Priority, QueueId, ReadLimit, Source, Target,
    Timestamp,
};
use tokio::runtime::Builder;

use super::Inspection;
use crate::fs::{DiskFs, Fs, FsFile, FsLock};
use crate::{SegmentStore, StoreOptions};

/// The disk, on which something happens when a segment is opened for the first time.
struct Meanwhile(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl fmt::Debug for Meanwhile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Meanwhile")
    }
}

impl Fs for Meanwhile {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        DiskFs.create_dir(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<(String, u64)>> {
        DiskFs.list(dir)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        DiskFs.create(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        DiskFs.open(path)
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        let opened = DiskFs.open_read(path);
        if let Some(happens) = self.0.lock().unwrap().take() {
            happens();
        }
        opened
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        DiskFs.remove(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        DiskFs.rename(from, to)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        DiskFs.sync_dir(dir)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn FsLock>> {
        DiskFs.lock(path)
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    Builder::new_current_thread().build().unwrap().block_on(future)
}

fn queue() -> QueueId {
    QueueId::new(EndpointId::upstream(), Priority::DEFAULT)
}

/// A store of 60 messages in several segments.
fn filled(dir: &Path) -> Arc<SegmentStore> {
    let options = StoreOptions::default().with_segment_bytes(16 * 1024);
    let (store, _) = SegmentStore::open(dir, options).unwrap();
    let targets: Arc<[Target]> = [Target::new(queue(), "r".parse().unwrap(), None)].into();
    for _ in 0..60 {
        let message = Message::builder(&Source::telemetry()).body(&[7; 1000]).build();
        let entry = Enqueue::new(message, targets.clone(), Timestamp::from_unix_ms(0));
        run(store.append(vec![entry], Durability::Synced)).unwrap();
    }
    Arc::new(store)
}

fn deliver(store: &SegmentStore, below: u64) {
    store.trim(&queue(), below).unwrap();
    run(store.flush()).unwrap();
}

#[test]
fn what_is_delivered_during_the_look_is_no_damage() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path());
    let gateway = store.clone();
    let disk = Meanwhile(Mutex::new(Some(Box::new(move || deliver(&gateway, 50)))));
    let inspection = Inspection::open_on(Arc::new(disk), dir.path()).unwrap();
    assert!(inspection.recovery().is_clean(), "{}", inspection.recovery());
    assert_eq!((inspection.recovery().removed.len(), inspection.queues()), (0, store.queues()));
    assert!(inspection.is_current().unwrap());
}

#[test]
fn what_is_delivered_after_the_look_is_no_damage_to_verify() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path());
    let inspection = Inspection::open(dir.path()).unwrap();
    assert_eq!(inspection.verify().unwrap().messages, 60);
    deliver(&store, 50);
    assert!(!inspection.is_current().unwrap());
    let found = inspection.verify().unwrap();
    assert!(found.damage.is_empty() && found.messages < 60, "{found:?}");
    let limit = ReadLimit::new(NonZeroUsize::MIN, usize::MAX);
    let peeked = inspection.peek(&queue(), 0, limit).unwrap();
    assert!(peeked.damaged > 0, "as is_current says, this is no damage");
}
