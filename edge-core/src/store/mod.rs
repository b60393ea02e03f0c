//! Durable queues: what a store promises.

mod account;
mod entry;
mod memory;
mod overflow;
mod receipt;
mod target;

use std::fmt;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;

pub use account::{Account, DropCause, Drops, Gone};
pub use entry::{Answered, Stored};
pub use memory::MemoryStore;
pub use overflow::{Overflow, OverflowError, OverflowKey};
pub use receipt::{Receipt, ReceiptSender};
pub use target::{Enqueue, Target};

use crate::{Disposition, Priority, QueueId, RouteName, Timestamp};

/// A message's place in its queue: the first is 0, each one is one more than the one before.
pub type Offset = u64;

/// What a stored message survives. Ordered: a later level includes the ones before it.
///
/// | level | `kill -9` of the process | loss of power |
/// |---|---|---|
/// | `Memory` | lost | lost |
/// | `Written` | kept | lost, as far as the operating system had not written it |
/// | `Synced` | kept | kept |
///
/// # Examples
/// ```
/// use edge_core::Durability;
///
/// assert!(Durability::Synced > Durability::Written);
/// assert_eq!("synced".parse(), Ok(Durability::Synced));
/// ```
///
/// # Source
/// Our choice, because a store's `Ok` must say what it means. `Synced` rests on `fdatasync` (POSIX.1-2017).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Durability {
    /// In this process only.
    Memory,
    /// Handed to the operating system: survives the death of the process.
    Written,
    /// On stable storage: survives the loss of power.
    #[default]
    Synced,
}

impl Durability {
    /// Returns the level's name, as in a configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Written => "written",
            Self::Synced => "synced",
        }
    }
}

/// Why a text is not a durability level.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a durability: write synced, written or memory")]
#[non_exhaustive]
pub struct DurabilityError {
    /// The refused text.
    pub text: String,
}

impl std::str::FromStr for Durability {
    type Err = DurabilityError;

    fn from_str(text: &str) -> Result<Self, DurabilityError> {
        match text {
            "memory" => Ok(Self::Memory),
            "written" => Ok(Self::Written),
            "synced" => Ok(Self::Synced),
            _ => Err(DurabilityError { text: text.into() }),
        }
    }
}

/// How much to read at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadLimit {
    /// The most entries.
    pub entries: NonZeroUsize,
    /// The most bytes, by [`Message::size`]; the first entry is returned whatever its size.
    ///
    /// [`Message::size`]: crate::Message::size
    pub bytes: usize,
}

impl ReadLimit {
    /// Returns the limit of `entries` entries and `bytes` bytes.
    #[must_use]
    pub const fn new(entries: NonZeroUsize, bytes: usize) -> Self {
        Self { entries, bytes }
    }
}

/// What a read found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadBatch {
    /// The entries, by rising offset.
    pub entries: Vec<Stored>,
    /// Where to read on: above the last entry, and above all that is gone.
    pub next: Offset,
    /// How many entries between the offset asked for and `next` were lost to damage; they count as dropped already.
    /// Entries that were trimmed, removed or already reported by [`MessageStore::expire`] are not among them.
    pub damaged: u64,
}

impl ReadBatch {
    /// Returns a batch.
    #[must_use]
    pub fn new(entries: Vec<Stored>, next: Offset, damaged: u64) -> Self {
        Self { entries, next, damaged }
    }
}

/// The state of one queue.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueState {
    /// The queue.
    pub queue: QueueId,
    /// The lowest offset that is not trimmed; entries below it have left.
    pub head: Offset,
    /// The offset that the next entry will get.
    pub next: Offset,
    /// How many entries each route has waiting; entries already expired count until they are reported.
    pub waiting: Vec<(RouteName, u64)>,
}

impl QueueState {
    /// Returns a state.
    #[must_use]
    pub fn new(queue: QueueId, head: Offset, next: Offset, waiting: Vec<(RouteName, u64)>) -> Self {
        Self { queue, head, next, waiting }
    }

    /// Returns how many entries wait, over all routes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.waiting.iter().map(|(_, count)| count).sum()
    }

    /// Returns whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// How full a store is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// Bytes that the store holds on disk (or in memory, for a store that has none).
    pub used_bytes: u64,
    /// The most bytes it may hold; `None` is no limit of its own.
    pub limit_bytes: Option<u64>,
    /// Bytes written to disk since the store was opened.
    pub written_bytes: u64,
    /// Syncs since the store was opened.
    pub syncs: u64,
    /// Bytes of the messages, in their stored form, that are among those written, each message once; 0 where a store does
    /// not count them.
    pub message_bytes: u64,
    /// Bytes of messages, among those written, that were written again to empty the place where they stood.
    pub moved_bytes: u64,
}

impl Usage {
    /// Returns a usage with nothing written or synced.
    #[must_use]
    pub const fn new(used_bytes: u64, limit_bytes: Option<u64>) -> Self {
        Self { used_bytes, limit_bytes, written_bytes: 0, syncs: 0, message_bytes: 0, moved_bytes: 0 }
    }

    /// Returns how many bytes were written for each byte of a message since the store was opened; `None` before the first
    /// message.
    ///
    /// # Examples
    /// ```
    /// let mut usage = edge_core::Usage::new(0, None);
    /// assert_eq!(usage.write_amplification(), None);
    /// (usage.written_bytes, usage.message_bytes) = (1050, 1000);
    /// assert_eq!(usage.write_amplification(), Some(1.05));
    /// ```
    #[must_use]
    pub fn write_amplification(&self) -> Option<f64> {
        (self.message_bytes > 0).then(|| self.written_bytes as f64 / self.message_bytes as f64)
    }
}

/// Why a store did not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The store's byte limit is reached.
    #[error("the store is full: {used_bytes} of {limit_bytes} bytes are used")]
    Full {
        /// Bytes used.
        used_bytes: u64,
        /// Bytes allowed.
        limit_bytes: u64,
    },
    /// A queue's byte limit is reached.
    #[error("the queue {queue} is full: {used_bytes} of {limit_bytes} bytes are used")]
    QueueFull {
        /// The queue.
        queue: QueueId,
        /// Bytes used.
        used_bytes: u64,
        /// Bytes allowed.
        limit_bytes: u64,
    },
    /// The byte limit of a priority class is reached.
    #[error("the queues of priority {priority} are full: {used_bytes} of {limit_bytes} bytes are used")]
    ClassFull {
        /// The class.
        priority: Priority,
        /// Bytes that its queues use together.
        used_bytes: u64,
        /// Bytes allowed.
        limit_bytes: u64,
    },
    /// The disk is full; the store goes on by itself when space returns.
    #[error("no space is left on the disk of the store")]
    NoSpace {
        /// What the operating system said.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// Reading or writing failed.
    #[error("{what} failed")]
    Io {
        /// What was being done, with the file's name.
        what: String,
        /// What the operating system said.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// An earlier sync failed: what was written since the sync before it may or may not be there.
    #[error(
        "the store is poisoned: a sync failed, and nothing more can be promised; restart to recover what is there"
    )]
    Poisoned {
        /// What the operating system said to the sync.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// One message is larger than the store can take.
    #[error("a message of {bytes} bytes is larger than the store takes, {limit_bytes} bytes")]
    TooLarge {
        /// The size of the message.
        bytes: u64,
        /// The most that the store takes.
        limit_bytes: u64,
    },
    /// The queue does not exist.
    #[error("there is no queue {queue}")]
    NoQueue {
        /// The queue asked for.
        queue: QueueId,
    },
    /// The store is closed.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// Returns what to do about the error.
    #[must_use]
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Full { .. }
            | Self::QueueFull { .. }
            | Self::ClassFull { .. }
            | Self::NoSpace { .. }
            | Self::Io { .. } => Disposition::Retry,
            Self::TooLarge { .. } | Self::NoQueue { .. } => Disposition::Reject,
            Self::Poisoned { .. } | Self::Closed => Disposition::Fatal,
        }
    }
}

/// Durable queues, one for each endpoint and priority, over messages that are stored once.
///
/// # Contract
/// - All or nothing: after `append` either every (message, target) pair of the batch can be read, or none can;
///   also after a crash.
/// - What a [`Receipt`] says MUST be true when it resolves: [`Durability::Written`] survives `kill -9`,
///   [`Durability::Synced`] survives the loss of power. A receipt may say more than was asked for; it says less only
///   above what the store can do at all.
/// - Entries MAY be readable before their receipt resolves, and MUST be once it has: a fresh message is delivered
///   while its sender's acknowledgement waits for the disk.
/// - A batch that is not taken MUST be refused at once, see [`Receipt::refusal`], and MUST leave nothing behind. A
///   receipt that resolves to an error later means that the batch *is* in its queues and could not be made durable:
///   its sender is not acknowledged, sends again, and receivers may see it twice. The ledger rests on this.
/// - Offsets of one queue are dense, strictly rising and never used twice: not after `trim`, not after reopening.
///   Only expiry, removal, damage, overflow and settling out of order leave gaps.
/// - Entries of a queue are read in the order of the `append` calls.
/// - `trim` and what was trimmed survive reopening, but MAY fall back after a crash: the reader then sees entries
///   again, and never misses one.
/// - An entry leaves its queue once, and MUST be counted once: as delivered or dropped by `settle`, as dropped by
///   `expire`, `remove`, overflow and damage. Whoever comes later MUST NOT count it again.
/// - For each queue and route accepted = delivered + stored + dropped MUST hold at every moment, after reopening and
///   after a crash too: what falls back in a crash falls back in entries and accounts alike.
/// - What a batch answers MUST stay when the batch is refused, and MUST NOT be gone without the batch after a crash.
/// - A failed sync MUST poison the store: every later `append` resolves to [`StoreError::Poisoned`].
/// - What finds no room in its queue, in its class or in the store MUST be refused, be dropped, or make others leave, as its target's
///   [`Overflow`] says; a store that cannot do that refuses, see its documentation.
/// - Entries of a class MUST NOT leave to make room in the store as long as those of a lower class may.
/// - What is dropped for want of room MUST be counted by its cause and told by [`Receipt::dropped`]. In a crash it
///   MUST NOT be gone without the batch that needed the room.
/// - Space MUST come back when every queue has trimmed, removed or expired what a part of the store holds.
/// - The store reads no clock: `expire` tells it the time.
/// - `append`, `settle`, `expire` and the states MUST NOT block on the disk: they are called on async workers.
///
/// The conformance kit is `edge_core::testing::message_store`, behind the feature `testing`.
///
/// # Examples
/// ```
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// use std::num::NonZeroUsize;
/// use edge_core::{
///     Durability, Enqueue, EndpointId, MemoryStore, Message, MessageStore, Priority, QueueId, ReadLimit, Source,
///     Target, Timestamp,
/// };
///
/// let store = MemoryStore::new();
/// let queue = QueueId::new(EndpointId::upstream(), Priority::DEFAULT);
/// let targets = [Target::new(queue.clone(), "telemetry".parse()?, None)].into();
/// let message = Message::builder(&Source::telemetry()).body(b"21.5").build();
///
/// let reached = store
///     .append(vec![Enqueue::new(message, targets, Timestamp::from_unix_ms(0))], Durability::Memory)
///     .await?;
/// assert_eq!(reached, Durability::Memory);
///
/// let batch = store.read(&queue, 0, ReadLimit::new(NonZeroUsize::MAX, usize::MAX)).await?;
/// assert_eq!(batch.entries[0].message.body(), b"21.5");
/// store.trim(&queue, batch.next)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[async_trait]
pub trait MessageStore: fmt::Debug + Send + Sync + 'static {
    /// Takes a batch, in order, and returns the receipt that resolves when it is as durable as `level`.
    ///
    /// A queue comes to be by the first entry for it. Dropping the receipt does not take the batch back.
    /// A store may forget a queue that is empty; when it comes back, its offsets go on above all that it had, and what was
    /// on its account stays on that of another queue.
    fn append(&self, batch: Vec<Enqueue>, level: Durability) -> Receipt;

    /// Takes a batch as [`append`] does, and with it the entries that it answers out of their queues: they
    /// count as delivered.
    ///
    /// A store SHOULD make one step of it: after a crash the batch is there and what it answers is gone, or the other way
    /// round. One that leaves it at this default does one after the other, and a crash in between leaves both.
    ///
    /// [`append`]: Self::append
    fn append_answers(&self, batch: Vec<Enqueue>, answered: &[Answered], level: Durability) -> Receipt {
        let receipt = self.append(batch, level);
        if receipt.refusal().is_none() {
            for one in answered {
                // A store that is over by now settles nothing, and says so to whoever settles next.
                let _is_over = self.settle(&one.queue, one.offsets.clone(), &[]);
            }
        }
        receipt
    }

    /// Reads entries of `queue` at and above `from`; a queue that does not exist is an empty one.
    ///
    /// # Errors
    /// [`StoreError`] when the disk fails; damage is not an error, see [`ReadBatch::damaged`].
    ///
    /// # Cancel safety
    /// Cancel-safe: reading changes nothing.
    async fn read(&self, queue: &QueueId, from: Offset, limit: ReadLimit) -> Result<ReadBatch, StoreError>;

    /// Takes all entries of `queue` in the range `offsets` out of it: those in `dropped` count as dropped, all others as
    /// delivered; entries that have left before, and offsets outside the range, count for nothing.
    ///
    /// The range may lie anywhere in the queue; what lies below it stays. The head moves over what is gone.
    ///
    /// # Errors
    /// [`StoreError::Closed`] or [`StoreError::Poisoned`]; a queue that does not exist is no error.
    fn settle(
        &self,
        queue: &QueueId,
        offsets: Range<Offset>,
        dropped: &[(Offset, DropCause)],
    ) -> Result<(), StoreError>;

    /// Forgets all entries of `queue` below `below`, which were delivered; lower than before changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Closed`] or [`StoreError::Poisoned`]; a queue that does not exist is no error.
    fn trim(&self, queue: &QueueId, below: Offset) -> Result<(), StoreError> {
        self.settle(queue, 0..below, &[])
    }

    /// Counts messages that were taken and dropped without being stored, such as those that no route wants: accepted
    /// and dropped both rise. The queue comes to be, if it must, without an entry.
    ///
    /// # Errors
    /// [`StoreError::Closed`] or [`StoreError::Poisoned`].
    fn count_dropped(
        &self,
        queue: &QueueId,
        route: &RouteName,
        cause: DropCause,
        entries: u64,
    ) -> Result<(), StoreError>;

    /// Gives back the space of entries that have expired at `now`, and returns those that no reader will see any more,
    /// each reported once; they count as dropped.
    ///
    /// Entries that have expired but share space with others may still be read: readers check
    /// [`Stored::is_expired`] themselves and settle what they skip as dropped.
    ///
    /// # Errors
    /// [`StoreError::Closed`] or [`StoreError::Poisoned`].
    fn expire(&self, now: Timestamp) -> Result<Vec<Gone>, StoreError>;

    /// Removes a queue with all its entries, and returns what was in it, which counts as dropped.
    ///
    /// # Errors
    /// [`StoreError::Closed`] or [`StoreError::Poisoned`]; a queue that does not exist is no error.
    fn remove(&self, queue: &QueueId) -> Result<Vec<Gone>, StoreError>;

    /// Returns the state of one queue, `None` when there is no such queue.
    fn queue(&self, queue: &QueueId) -> Option<QueueState>;

    /// Returns the states of all queues, by rising id.
    fn queues(&self) -> Vec<QueueState>;

    /// Returns the account of each queue and route that has ever had a message, by rising queue and route; the sum over all
    /// queues of a route never falls, whatever the store forgets.
    fn accounts(&self) -> Vec<Account>;

    /// Returns how full the store is.
    fn usage(&self) -> Usage;

    /// Makes everything durable, trims included, and refuses all further calls.
    ///
    /// # Errors
    /// [`StoreError`] when the disk fails.
    ///
    /// # Cancel safety
    /// Detached: once polled, closing completes whether or not the future is kept.
    async fn close(&self) -> Result<(), StoreError>;
}

const _: Option<&dyn MessageStore> = None;
