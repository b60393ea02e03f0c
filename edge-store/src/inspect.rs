//! Looking into a store without opening it for use.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use edge_core::{Offset, QueueId, QueueState, ReadBatch, ReadLimit, StoreError, Usage};
use tokio::sync::mpsc;

use crate::fs::{DiskFs, Fs};
use crate::log::{HEADER_BYTES, Record, Step, Walker, file_name, seed};
use crate::reader::Reader;
use crate::recovery::{Damage, Recovery, found_damage, recover};
use crate::shared::Shared;
use crate::state::Found;
use crate::{OpenError, StoreOptions};

/// A look at a store as it was when this was opened: nothing is changed, locked or repaired.
///
/// It can be opened beside a gateway that is using the store. What that gateway removes afterwards cannot be read any
/// more and shows as damage; open it again to see how things stand then. The calls read files and block.
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

/// What a reading of every byte of a store has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verification {
    /// Segments read.
    pub segments: u64,
    /// Whole records.
    pub records: u64,
    /// Messages among them.
    pub messages: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Bytes that are damaged.
    pub damage: Vec<Damage>,
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
        let recovered = recover(fs.as_ref(), dir, false)?;
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
            let path = self.shared.path(number);
            match self.verify_segment(number, bytes, &mut found) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                other => other.map_err(OpenError::io("reading", path))?,
            }
        }
        Ok(found)
    }

    fn verify_segment(&self, number: u64, bytes: u64, found: &mut Verification) -> std::io::Result<()> {
        let file = self.shared.fs.open_read(&self.shared.path(number))?;
        let start = HEADER_BYTES.min(bytes);
        let mut walker =
            Walker::new(file.as_ref(), seed(self.shared.salt, number), start, bytes, Vec::new()).salvaging();
        found.segments += 1;
        found.bytes += bytes;
        while let Some(step) = walker.next()? {
            match step {
                Step::Damage { from, to } => {
                    tracing::debug!(segment = %file_name(number), from, to, "damage");
                    found.damage.push(found_damage(&self.shared.dir, number, from, to));
                }
                Step::Record { position, header } => {
                    found.records += 1;
                    if let Some(Record::Message(record)) = Record::decode(&header, walker.payload()) {
                        let message = bytes::Bytes::copy_from_slice(record.message);
                        if edge_core::Message::decode(message).is_err() {
                            let damage = found_damage(&self.shared.dir, number, position, walker.position());
                            found.damage.push(damage);
                        }
                        found.messages += 1;
                    }
                }
            }
        }
        Ok(())
    }
}
