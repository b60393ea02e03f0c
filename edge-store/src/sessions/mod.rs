//! The subscriptions of clients, kept in a small file.

mod journal;
mod worker;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use edge_core::{Durability, FeedSet, Identity, Receipt, ReceiptSender, SessionStore, StoreError};

use crate::OpenError;
use crate::fs::{DiskFs, Fs};
use journal::Found;
use worker::Worker;

const LOCK: &str = "sessions.lock";

/// Subscriptions in a small journal on disk: they survive reconnects, restarts and the loss of power.
///
/// All of them are in memory too, about 150 bytes for each client. A thread of its own writes the file: saves that come
/// together cost one sync, and the file is written anew when most of it is out of date. When writing fails, the receipts
/// say so, and the next save writes everything anew. A directory can be shared with a
/// [`SegmentStore`](crate::SegmentStore).
///
/// # Examples
/// ```
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// use edge_core::{Feed, FeedSet, Identity, SessionStore};
/// use edge_store::SessionFile;
///
/// let dir = tempfile::tempdir()?;
/// let filter: Identity = "edge1/filter".parse()?;
/// let sessions = SessionFile::open(dir.path())?;
/// sessions.save(&filter, Feed::Inputs.into()).await?;
/// drop(sessions);
///
/// let sessions = SessionFile::open(dir.path())?;
/// assert_eq!(sessions.load(&filter), FeedSet::from(Feed::Inputs));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SessionFile {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    damaged_bytes: u64,
}

/// What the handle and its thread share.
#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    mail: Condvar,
}

#[derive(Debug, Default)]
struct State {
    feeds: BTreeMap<Identity, FeedSet>,
    /// What is to be written.
    changed: BTreeMap<Identity, FeedSet>,
    receipts: Vec<ReceiptSender>,
    /// Whether the file says something else than `feeds`, or may.
    unsettled: bool,
    stop: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SessionFile {
    /// Opens the journal in `dir`, making both if need be.
    ///
    /// Opening reads a file and blocks: an async program calls it before it starts, or where blocking is allowed.
    ///
    /// # Errors
    /// [`OpenError::Locked`] when another gateway uses the directory, [`OpenError::Io`] when a file cannot be used.
    /// Damage is no error, see [`SessionFile::damaged_bytes`].
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::open_on(Arc::new(DiskFs), dir)
    }

    /// Opens a journal on another file system, otherwise like [`SessionFile::open`].
    ///
    /// # Errors
    /// Like [`SessionFile::open`].
    pub fn open_on(fs: Arc<dyn Fs>, dir: impl AsRef<Path>) -> Result<Self, OpenError> {
        let dir = dir.as_ref();
        fs.create_dir(dir).map_err(OpenError::io("making", dir))?;
        let lock = fs.lock(&dir.join(LOCK)).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => OpenError::Locked { dir: dir.to_owned() },
            _ => OpenError::io("locking", dir)(error),
        })?;
        let path = dir.join(worker::FILE);
        let Found { feeds, damaged_bytes } =
            journal::load(fs.as_ref(), &path).map_err(OpenError::io("reading", &path))?;
        if damaged_bytes > 0 {
            tracing::error!(file = %path.display(), damaged_bytes, "some subscriptions are lost to damage");
        }
        let shared = Arc::new(Shared::default());
        shared.lock().feeds = feeds;
        let mut worker = Worker::new(fs, dir, shared.clone(), lock);
        worker.rewrite().map_err(OpenError::io("writing", &path))?;
        let thread = thread::Builder::new().name("edge-store-sessions".to_owned()).stack_size(256 * 1024);
        let thread =
            thread.spawn(move || worker.run()).map_err(OpenError::io("starting a thread for", dir))?;
        Ok(Self { shared, thread: Some(thread), damaged_bytes })
    }

    /// Returns how many bytes of the journal were damaged when it was opened: what they said is lost.
    ///
    /// A save that had not been confirmed when the process or the power went is no damage.
    #[must_use]
    pub fn damaged_bytes(&self) -> u64 {
        self.damaged_bytes
    }
}

impl SessionStore for SessionFile {
    fn load(&self, identity: &Identity) -> FeedSet {
        self.shared.lock().feeds.get(identity).copied().unwrap_or_default()
    }

    fn save(&self, identity: &Identity, feeds: FeedSet) -> Receipt {
        let mut state = self.shared.lock();
        if state.stop {
            return Receipt::ready(Err(StoreError::Closed));
        }
        let before = state.feeds.get(identity).copied().unwrap_or_default();
        if before == feeds && !state.unsettled {
            return Receipt::ready(Ok(Durability::Synced));
        }
        if feeds.is_empty() {
            state.feeds.remove(identity);
        } else {
            state.feeds.insert(identity.clone(), feeds);
        }
        let (sender, receipt) = Receipt::pair();
        state.changed.insert(identity.clone(), feeds);
        state.receipts.push(sender);
        state.unsettled = true;
        drop(state);
        self.shared.mail.notify_one();
        receipt
    }

    fn all(&self) -> Vec<(Identity, FeedSet)> {
        let state = self.shared.lock();
        state.feeds.iter().map(|(identity, feeds)| (identity.clone(), *feeds)).collect()
    }
}

impl Drop for SessionFile {
    fn drop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.mail.notify_one();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread of the session file has panicked");
        }
    }
}

impl fmt::Debug for SessionFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionFile")
            .field("clients", &self.shared.lock().feeds.len())
            .finish_non_exhaustive()
    }
}
