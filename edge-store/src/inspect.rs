//! Looking into a store without opening it for use.

mod look;
#[cfg(test)]
mod tests;
mod verify;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use edge_core::{Account, Offset, QueueId, QueueState, ReadBatch, ReadLimit, StoreError, Usage};
use tokio::sync::mpsc;

use crate::fs::{DiskFs, Fs};
use crate::reader::Reader;
use crate::recovery::Recovery;
use crate::shared::Shared;
use crate::state::Found;
use crate::{OpenError, StoreOptions};
use look::{look, segments};

pub use verify::Verification;

/// A look at a store as it was when this was opened: nothing is changed, locked or repaired.
///
/// It can be opened beside a gateway that is using the store. What that gateway removes afterwards cannot be read any
/// more and shows as damage; [`Inspection::is_current`] tells the two apart, and opening it again shows how things stand
/// then. The calls read files and block.
///
/// # Examples
/// ```
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// use edge_core::{
///     Durability, EndpointId, Enqueue, Message, MessageStore, Priority, QueueId, ReadLimit, Source, Target, Timestamp,
/// };
/// use edge_store::{Inspection, SegmentStore, StoreOptions};
/// use std::num::NonZeroUsize;
///
/// let dir = tempfile::tempdir()?;
/// let queue = QueueId::new(EndpointId::upstream(), Priority::DEFAULT);
/// let targets = [Target::new(queue.clone(), "telemetry".parse()?, None)].into();
/// let message = Message::builder(&Source::telemetry()).body(b"21.5").build();
/// let (store, _) = SegmentStore::open(dir.path(), StoreOptions::default())?;
/// store.append(vec![Enqueue::new(message, targets, Timestamp::from_unix_ms(0))], Durability::Synced).await?;
///
/// let inspection = Inspection::open(dir.path())?;
/// assert_eq!(inspection.queues()[0].len(), 1);
/// let batch = inspection.peek(&queue, 0, ReadLimit::new(NonZeroUsize::MIN, 1024))?;
/// assert_eq!(batch.entries[0].message.body(), b"21.5");
/// assert!(inspection.verify()?.damage.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Inspection {
    shared: Arc<Shared>,
    reader: Mutex<Reader>,
    recovery: Recovery,
}

/// One segment file of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SegmentInfo {
    /// The file.
    pub file: PathBuf,
    /// Bytes of it that count.
    pub bytes: u64,
    /// Entries in it that wait, over all queues.
    pub entries: u64,
}

impl Inspection {
    /// Looks at the store in `dir`.
    ///
    /// # Errors
    /// [`OpenError::Io`] when the directory or a file cannot be read.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::open_on(Arc::new(DiskFs), dir)
    }

    /// Looks at a store on another file system, otherwise like [`Inspection::open`].
    ///
    /// # Errors
    /// Like [`Inspection::open`].
    pub fn open_on(fs: Arc<dyn Fs>, dir: impl AsRef<Path>) -> Result<Self, OpenError> {
        let dir = dir.as_ref();
        let recovered = look(fs.as_ref(), dir)?;
        let salt = recovered.salt.unwrap_or_default();
        let (state, recovery) = recovered.into_state(StoreOptions::default());
        let mut shared = Shared::new(state, fs, dir, salt);
        shared.read_only = true;
        let shared = Arc::new(shared);
        let reader = Mutex::new(Reader::new(shared.clone(), mpsc::channel(1).1));
        Ok(Self { shared, reader, recovery })
    }

    /// Returns what an opening of the store would find and repair.
    #[must_use]
    pub fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// Returns the states of all queues, by rising id.
    #[must_use]
    pub fn queues(&self) -> Vec<QueueState> {
        self.shared.lock().describe_all()
    }

    /// Returns the account of each queue and route that has ever had a message, by rising queue and route.
    ///
    /// # Examples
    /// ```
    /// use edge_core::{DropCause, EndpointId, MessageStore, Priority, QueueId};
    /// use edge_store::{Inspection, SegmentStore, StoreOptions};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let dir = tempfile::tempdir()?;
    /// let (store, _) = SegmentStore::open(dir.path(), StoreOptions::default())?;
    /// let queue = QueueId::new(EndpointId::upstream(), Priority::DEFAULT);
    /// store.count_dropped(&queue, &"telemetry".parse()?, DropCause::Expired, 3)?;
    /// store.close().await?;
    /// assert_eq!(Inspection::open(dir.path())?.accounts()[0].dropped.total(), 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn accounts(&self) -> Vec<Account> {
        self.shared.lock().accounts()
    }

    /// Returns how full the store is.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.shared.lock().usage()
    }

    /// Returns the segments, oldest first.
    #[must_use]
    pub fn segments(&self) -> Vec<SegmentInfo> {
        let state = self.shared.lock();
        let files = state.segments.iter().filter(|(_, segment)| segment.sealed);
        let info = files.map(|(&number, segment)| SegmentInfo {
            file: self.shared.path(number),
            bytes: segment.bytes,
            entries: state.waiting_in(number),
        });
        info.collect()
    }

    /// Reads entries of `queue` at and above `from`, like [`MessageStore::read`](edge_core::MessageStore::read).
    ///
    /// # Errors
    /// [`StoreError::Io`] when a file cannot be read.
    pub fn peek(&self, queue: &QueueId, from: Offset, limit: ReadLimit) -> Result<ReadBatch, StoreError> {
        let found = Found::new(from, limit);
        let number = self.shared.lock().queue_numbers.get(queue).copied();
        let Some(number) = number else { return Ok(found.batch) };
        self.reader.lock().unwrap_or_else(PoisonError::into_inner).read(number, found)
    }

    /// Returns whether every segment that this look has found is still there: then damage that shows is damage.
    ///
    /// # Errors
    /// [`OpenError::Io`] when the directory cannot be read.
    ///
    /// # Examples
    /// ```
    /// use edge_store::{Inspection, SegmentStore, StoreOptions};
    ///
    /// let dir = tempfile::tempdir()?;
    /// drop(SegmentStore::open(dir.path(), StoreOptions::default())?);
    /// let inspection = Inspection::open(dir.path())?;
    /// assert!(inspection.is_current()?);
    /// drop(SegmentStore::open(dir.path(), StoreOptions::default())?);
    /// assert!(!inspection.is_current()?, "every opening begins a new segment and removes an empty one");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_current(&self) -> Result<bool, OpenError> {
        let dir = &self.shared.dir;
        let there = segments(self.shared.fs.as_ref(), dir).map_err(OpenError::io("listing", dir))?;
        let state = self.shared.lock();
        Ok(state
            .segments
            .iter()
            .filter(|(_, segment)| segment.sealed)
            .all(|(number, _)| there.contains(number)))
    }

    /// Reads every byte and checks every record and message.
    ///
    /// # Errors
    /// [`OpenError::Io`] when a file cannot be read; one that was removed since this was opened is left out.
    pub fn verify(&self) -> Result<Verification, OpenError> {
        let mut found = Verification::default();
        let segments: Vec<(u64, u64)> = {
            let state = self.shared.lock();
            let files = state.segments.iter().filter(|(_, segment)| segment.sealed);
            files.map(|(&number, segment)| (number, segment.bytes)).collect()
        };
        for (number, bytes) in segments {
            let added = found.add_segment(&self.shared, number, bytes);
            added.map_err(OpenError::io("reading", self.shared.path(number)))?;
        }
        Ok(found)
    }
}
