//! Reading while segments go.

use std::fmt;
use std::io;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Arc, Mutex};

use edge_core::{
    Durability, EndpointId, Enqueue, Message, MessageStore, Priority, QueueId, ReadLimit, Source, Target,
    Timestamp,
};
use tokio::sync::mpsc;

use super::Reader;
use crate::fs::{Fs, FsFile, FsLock};
use crate::state::{Found, Place};
use crate::testing::CrashFs;
use crate::{SegmentStore, StoreOptions};

type Hook = Box<dyn FnMut(&Path) + Send>;

/// A file system that tells when a file was removed.
#[derive(Default)]
struct Telling {
    fs: CrashFs,
    removed: Mutex<Option<Hook>>,
}

impl Fs for Telling {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.fs.create_dir(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<(String, u64)>> {
        self.fs.list(dir)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        self.fs.create(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        self.fs.open(path)
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        self.fs.open_read(path)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.fs.remove(path)?;
        if let Some(removed) = self.removed.lock().unwrap().as_mut() {
            removed(path);
        }
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.fs.rename(from, to)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.fs.sync_dir(dir)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn FsLock>> {
        self.fs.lock(path)
    }
}

impl fmt::Debug for Telling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fs.fmt(f)
    }
}

fn queue(name: &str) -> QueueId {
    QueueId::new(name.parse::<EndpointId>().unwrap(), Priority::DEFAULT)
}

/// Returns a store of many segments, in each of which little waits once `fast` is trimmed, and how much `slow` has.
async fn store(fs: Arc<Telling>) -> (SegmentStore, u64) {
    let options = StoreOptions::default().with_segment_bytes(16 * 1024).with_tail_bytes(2000);
    let (store, _) = SegmentStore::open_on(fs, "dir", options).unwrap();
    let message = Message::builder(&Source::telemetry()).body(&[7; 900]).build();
    let mut slow = 0;
    for n in 0..200 {
        let name = if n % 6 == 0 { "slow" } else { "fast" };
        slow += u64::from(n % 6 == 0);
        let targets = [Target::new(queue(name), "r".parse().unwrap(), None)].into();
        let entry = Enqueue::new(message.clone(), targets, Timestamp::from_unix_ms(0));
        store.append(vec![entry], Durability::Written).await.unwrap();
    }
    (store, slow)
}

fn one() -> ReadLimit {
    ReadLimit::new(NonZeroUsize::MIN, usize::MAX)
}

#[tokio::test]
async fn what_is_moved_while_it_is_read_is_not_lost() {
    let fs = Arc::new(Telling::default());
    let (store, slow) = store(fs.clone()).await;
    let shared = store.shared.clone();
    let number = shared.lock().queue_numbers[&queue("slow")];
    let mut found = Found::new(0, one());
    let Place::Disk(place) = shared.lock().read_on(number, &mut found) else { panic!("it is in memory") };
    let mut reader = Reader::new(shared.clone(), mpsc::channel(1).1);
    let path = shared.path(place.segment);
    let outcome = Arc::new(Mutex::new(None));
    let seen = outcome.clone();
    *fs.removed.lock().unwrap() = Some(Box::new(move |removed| {
        if removed == path {
            let error = reader.read_segment(number, &place, &mut found).unwrap_err();
            reader.missing(number, &place, &mut found);
            *seen.lock().unwrap() = Some((error.kind(), found.batch.damaged));
        }
    }));
    store.trim(&queue("fast"), u64::MAX).unwrap();
    for _ in 0..20 {
        store.flush().await.unwrap();
    }
    assert_eq!(*outcome.lock().unwrap(), Some((io::ErrorKind::NotFound, 0)));
    {
        // A reader that still had the file open, and found something in it damaged, gives up as little.
        let mut state = store.shared.lock();
        assert!(state.has_moved(number, place.segment, place.from, place.to));
        assert_eq!(state.lose(number, place.segment, place.from, place.to), 0);
    }
    assert_eq!(store.queue(&queue("slow")).unwrap().len(), slow);
    let all = ReadLimit::new(NonZeroUsize::MAX, usize::MAX);
    let read = store.read(&queue("slow"), 0, all).await.unwrap();
    assert_eq!((read.entries.len() as u64, read.damaged), (slow, 0));
}

#[tokio::test]
async fn a_reader_whose_queue_is_forgotten_meanwhile_gets_nothing_of_the_next_one() {
    let options = StoreOptions::default().with_tail_bytes(0).with_max_queues(3);
    let (store, _) = SegmentStore::open_on(Arc::new(Telling::default()), "dir", options).unwrap();
    let send = async |name: &str| {
        let message = Message::builder(&Source::telemetry()).body(name.as_bytes()).build();
        let targets = [Target::new(queue(name), "r".parse().unwrap(), None)].into();
        let entry = Enqueue::new(message, targets, Timestamp::from_unix_ms(0));
        store.append(vec![entry], Durability::Written).await.unwrap();
    };
    for n in 0..4 {
        let name = format!("box/first-{n}");
        send(&name).await;
        store.trim(&queue(&name), u64::MAX).unwrap();
    }
    send("box/a").await;
    let number = store.shared.lock().queue_numbers[&queue("box/a")];
    let mut found = Found::new(0, one());
    assert!(matches!(store.shared.lock().read_on(number, &mut found), Place::Disk(_)));
    let mut next = 0;
    while store.shared.lock().queue_by_id(&queue("box/a")).is_some()
        || store.shared.lock().queues[number as usize].is_vacant
    {
        for name in ["box/a".to_owned(), format!("box/{next}")] {
            store.trim(&queue(&name), u64::MAX).unwrap();
        }
        next += 1;
        send(&format!("box/{next}")).await;
    }
    let id = store.shared.lock().queues[number as usize].id.clone();
    assert_eq!(store.read(&id, 0, one()).await.unwrap().entries.len(), 1);
    let mut reader = Reader::new(store.shared.clone(), mpsc::channel(1).1);
    assert_eq!(reader.read(number, found).unwrap().entries, [], "that is for {id}");
}

#[tokio::test]
async fn a_segment_that_is_gone_is_closed_at_the_next_read() {
    let fs = Arc::new(Telling::default());
    let (store, slow) = store(fs.clone()).await;
    let number = store.shared.lock().queue_numbers[&queue("slow")];
    let mut reader = Reader::new(store.shared.clone(), mpsc::channel(1).1);
    reader.read(number, Found::new(0, one())).unwrap();
    let gone = reader.open[0].0;
    store.trim(&queue("fast"), u64::MAX).unwrap();
    store.trim(&queue("slow"), slow / 2).unwrap();
    store.flush().await.unwrap();
    assert!(!fs.fs.paths().contains(&store.shared.path(gone)));
    reader.read(number, Found::new(slow - 1, one())).unwrap();
    assert!(reader.open.iter().all(|(open, _)| *open != gone), "{:?}", reader.open);
}
