//! The store: a handle that never touches the disk itself.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use async_trait::async_trait;
use edge_core::{
    Account, Answered, DropCause, Durability, Enqueue, Gone, MessageStore, Offset, QueueId, QueueState,
    ReadBatch, ReadLimit, Receipt, RouteName, StoreError, Timestamp, Usage,
};
use tokio::sync::{mpsc, oneshot};

use crate::fs::{DiskFs, Fs};
use crate::reader::{Job, MAX_WAITING_READS, Reader};
use crate::recovery::{Recovery, keep_salt, recover};
use crate::shared::Shared;
use crate::state::{Found, Place, Refusal, State};
use crate::writer::Writer;
use crate::{OpenError, StoreOptions};

/// The file whose lock says that the directory is used.
const LOCK: &str = "lock";

/// Durable queues in a log of segment files.
///
/// A thread of its own writes the files, and another one reads back what is no longer in memory: no call blocks on the
/// disk. What happens at its limit and at those of queues is described [with the crate](crate#quotas-and-overflow).
/// Dropping the store writes and syncs what is left, like [`MessageStore::close`], and waits for that; so
/// close a store before dropping it where blocking matters.
///
/// # Examples
/// ```
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// use edge_core::{
///     Durability, EndpointId, Enqueue, Message, MessageStore, Priority, QueueId, Source, Target, Timestamp,
/// };
/// use edge_store::{SegmentStore, StoreOptions};
///
/// let dir = tempfile::tempdir()?;
/// let queue = QueueId::new(EndpointId::upstream(), Priority::DEFAULT);
/// let targets = [Target::new(queue.clone(), "telemetry".parse()?, None)].into();
/// let message = Message::builder(&Source::telemetry()).body(b"21.5").build();
///
/// let (store, recovery) = SegmentStore::open(dir.path(), StoreOptions::default())?;
/// assert!(recovery.is_clean());
/// let entry = Enqueue::new(message, targets, Timestamp::from_unix_ms(0));
/// assert_eq!(store.append(vec![entry], Durability::Synced).await?, Durability::Synced);
/// store.close().await?;
///
/// let (store, recovery) = SegmentStore::open(dir.path(), StoreOptions::default())?;
/// assert_eq!(recovery.entries, 1);
/// assert_eq!(store.queue(&queue).map(|state| state.len()), Some(1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SegmentStore {
    pub(crate) shared: Arc<Shared>,
    reads: mpsc::Sender<Job>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl SegmentStore {
    /// Opens the store in `dir`, making the directory if need be, and returns it with what was found there.
    ///
    /// Opening reads files and blocks: an async program calls it before it starts, or where blocking is allowed.
    ///
    /// # Errors
    /// [`OpenError::Locked`] when another gateway uses the directory, [`OpenError::Io`] when a file cannot be used.
    /// Damage is no error: it is reported, and what is readable is served.
    pub fn open(dir: impl AsRef<Path>, options: StoreOptions) -> Result<(Self, Recovery), OpenError> {
        Self::open_on(Arc::new(DiskFs), dir, options)
    }

    /// Opens a store on another file system, otherwise like [`SegmentStore::open`].
    ///
    /// # Errors
    /// Like [`SegmentStore::open`].
    pub fn open_on(
        fs: Arc<dyn Fs>,
        dir: impl AsRef<Path>,
        options: StoreOptions,
    ) -> Result<(Self, Recovery), OpenError> {
        let dir = dir.as_ref();
        fs.create_dir(dir).map_err(OpenError::io("making", dir))?;
        let lock = fs.lock(&dir.join(LOCK)).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => OpenError::Locked { dir: dir.to_owned() },
            _ => OpenError::io("locking", dir)(error),
        })?;
        if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            // The directory itself must survive; whoever may not read its parent has made it before.
            let _may_not = fs.sync_dir(parent);
        }
        let recovered = recover(fs.as_ref(), dir, true)?;
        let ledger = recovered.replay.ledger();
        let salt = recovered.salt.unwrap_or_else(|| RandomState::new().build_hasher().finish());
        let next = recovered.next_segment;
        let (state, report) = recovered.into_state(options.checked());
        let shared = Arc::new(Shared::new(state, fs.clone(), dir, salt));
        let failed = OpenError::io("starting a segment in", dir);
        let writer = Writer::start(shared.clone(), lock, ledger, next).map_err(failed)?;
        if writer.is_durable() {
            keep_salt(fs.as_ref(), dir, salt);
        }
        let (reads, jobs) = mpsc::channel(MAX_WAITING_READS);
        let reader = Reader::new(shared.clone(), jobs);
        let store = Self { shared, reads, threads: Mutex::new(Vec::new()) };
        store.start("edge-store-write", move || writer.run(), dir)?;
        store.start("edge-store-read", move || reader.run(), dir)?;
        Ok((store, report))
    }

    /// Makes everything durable that the store has taken so far, trims included, and gives back what space it can.
    ///
    /// # Errors
    /// [`StoreError`] when the disk fails, or the store is closed.
    ///
    /// # Cancel safety
    /// Detached: once polled, it completes whether or not the future is kept.
    ///
    /// # Examples
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// use edge_store::{SegmentStore, StoreOptions};
    ///
    /// let dir = tempfile::tempdir()?;
    /// let (store, _) = SegmentStore::open(dir.path(), StoreOptions::default())?;
    /// store.flush().await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn flush(&self) -> Result<(), StoreError> {
        let (sender, flushed) = oneshot::channel();
        self.change(|state| {
            state.check_open()?;
            state.mail.flushes.push(sender);
            Ok(())
        })?;
        flushed.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Returns how many bytes of messages were written a second time since the store was opened, out of segments that
    /// were mostly dead, so that these could be removed; they are part of [`Usage::written_bytes`].
    #[must_use]
    pub fn moved_bytes(&self) -> u64 {
        self.shared.lock().moved_bytes
    }

    fn start(&self, name: &str, run: impl FnOnce() + Send + 'static, dir: &Path) -> Result<(), OpenError> {
        let thread = thread::Builder::new().name(name.to_owned()).stack_size(512 * 1024).spawn(run);
        let thread = thread.map_err(OpenError::io("starting a thread for", dir))?;
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        Ok(())
    }

    /// Changes the state, and wakes the writer when the change left it work.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.shared.lock();
        let result = change(&mut state);
        self.shared.wake_writer(state);
        result
    }
}

#[async_trait]
impl MessageStore for SegmentStore {
    fn append(&self, mut batch: Vec<Enqueue>, level: Durability) -> Receipt {
        let mut state = self.shared.lock();
        let receipt = state.append(&mut batch, level);
        self.shared.wake_writer(state);
        receipt
    }

    /// What is answered leaves in the same batch of the log: after a crash both have happened, or neither.
    fn append_answers(&self, batch: Vec<Enqueue>, answered: &[Answered], level: Durability) -> Receipt {
        self.change(|state| state.append_answers(batch, answered, level))
    }

    async fn read(&self, queue: &QueueId, from: Offset, limit: ReadLimit) -> Result<ReadBatch, StoreError> {
        let mut found = Found::new(from, limit);
        let number = {
            let state = self.shared.lock();
            state.check_readable()?;
            let Some(&number) = state.queue_numbers.get(queue) else { return Ok(found.batch) };
            if matches!(state.read_on(number, &mut found), Place::Done) {
                return Ok(found.batch);
            }
            number
        };
        let (reply, answer) = oneshot::channel();
        let job = Job { queue: number, found, reply };
        self.reads.send(job).await.map_err(|_| StoreError::Closed)?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    }

    fn settle(
        &self,
        queue: &QueueId,
        offsets: Range<Offset>,
        dropped: &[(Offset, DropCause)],
    ) -> Result<(), StoreError> {
        self.change(|state| state.settle(queue, offsets, dropped))
    }

    fn count_dropped(
        &self,
        queue: &QueueId,
        route: &RouteName,
        cause: DropCause,
        entries: u64,
    ) -> Result<(), StoreError> {
        self.change(|state| state.count_dropped(queue, route, cause, entries))
    }

    fn expire(&self, now: Timestamp) -> Result<Vec<Gone>, StoreError> {
        self.change(|state| state.expire(now))
    }

    fn remove(&self, queue: &QueueId) -> Result<Vec<Gone>, StoreError> {
        self.change(|state| state.remove(queue))
    }

    fn queue(&self, queue: &QueueId) -> Option<QueueState> {
        let state = self.shared.lock();
        state.queue_by_id(queue).map(|(_, queue)| state.describe(queue))
    }

    fn queues(&self) -> Vec<QueueState> {
        self.shared.lock().describe_all()
    }

    fn accounts(&self) -> Vec<Account> {
        self.shared.lock().accounts()
    }

    fn usage(&self) -> Usage {
        self.shared.lock().usage()
    }

    async fn close(&self) -> Result<(), StoreError> {
        let (sender, closed) = oneshot::channel();
        self.change(|state| {
            match state.check_open() {
                // It has been closed before: nothing is left to do, or to be waited for.
                Err(StoreError::Closed) if state.ended => return Ok(()),
                Err(StoreError::Closed) => {}
                other => other?,
            }
            state.refusal = Some(Refusal::Closed);
            state.mail.closing.push(sender);
            Ok(())
        })?;
        closed.await.unwrap_or(Ok(()))
    }
}

impl Drop for SegmentStore {
    fn drop(&mut self) {
        self.change(|state| state.mail.stop = true);
        self.reads = mpsc::channel(1).0;
        for thread in self.threads.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the store has panicked");
            }
        }
    }
}

impl fmt::Debug for SegmentStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SegmentStore").field("dir", &self.shared.dir).finish_non_exhaustive()
    }
}
