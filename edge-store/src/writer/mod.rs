//! The thread that owns the files: it takes what has gathered, writes it with one write, syncs it with one sync.

mod commit;
mod ledger;
mod relocate;
mod roll;
mod worker;

use std::io;
use std::sync::Arc;
use std::time::Instant;

use edge_core::{ReceiptSender, StoreError};

use crate::Gather;
use crate::fs::{FsFile, FsLock};
use crate::log::{Encoder, Packer};
use crate::shared::Shared;
use crate::state::{Cleared, Indexed, Outbox};

pub(crate) use ledger::{Ledger, LoggedQueue};
use relocate::Relocation;

/// Writes the log.
#[derive(Debug)]
pub(crate) struct Writer {
    shared: Arc<Shared>,
    /// Held until the writer ends.
    lock: Option<Box<dyn FsLock>>,
    segment_bytes: u64,
    /// The size that a segment may have when much is said at its beginning.
    largest_segment: u64,
    /// Whether the files may not grow beyond a limit.
    has_quota: bool,
    gather: Gather,
    /// How many senders the last sync answered.
    last_group: usize,
    /// Since when something is written that is not synced.
    unsynced_since: Option<Instant>,
    /// How often in a row trims were noted without a sync.
    unsynced_notes: u32,
    /// What the log says so far.
    ledger: Ledger,
    active: Active,
    encoder: Encoder,
    /// Compresses messages, where that is asked for.
    packer: Option<Packer>,
    /// What the encoder holds.
    encoded: Encoded,
    /// Batches that are not encoded yet.
    queued: Outbox,
    /// Senders who wait for a write.
    written: Vec<ReceiptSender>,
    /// Senders who wait for a sync.
    synced: Vec<ReceiptSender>,
    /// Segments to unlink once it is durable that they hold nothing.
    dead: Vec<u64>,
    /// Whether a segment was begun since it was last asked whether an old one should be emptied.
    rolled: bool,
    /// A segment that is being emptied.
    relocation: Option<Relocation>,
    /// Segments that could not be read.
    unmovable: Vec<u64>,
    /// A dead segment that is kept to become the next one.
    spare: Option<u64>,
    /// Whether one may be kept.
    keeps_spare: bool,
    /// Why the last attempt failed; everything is kept for the next one.
    failed: Option<StoreError>,
}

/// The segment that is written to.
#[derive(Debug)]
struct Active {
    number: u64,
    file: Box<dyn FsFile>,
    /// Where the next write goes.
    position: u64,
    /// How far the segment has been synced.
    synced: u64,
    /// Where the snapshot at its beginning ends.
    snapshot_end: u64,
    /// How long the file was when it was begun: a recycled one has its blocks already.
    reserved: u64,
    /// Where the segment ended when its index was written last.
    indexed: u64,
    /// Whether nothing more is to be written to it.
    sealed: bool,
    /// Whether the name of the file may be lost with the power.
    name_unsynced: bool,
}

/// What the encoder holds, as the state wants to know it.
#[derive(Debug, Default)]
struct Encoded {
    entries: Vec<Indexed>,
    messages: u64,
    bytes: u64,
    message_bytes: u64,
    /// Entries that stand in the segment `moved_from` too.
    moved: Vec<Indexed>,
    moved_from: u64,
    moved_bytes: u64,
    /// Where those stood that left to make room for its batches.
    cleared: Cleared,
}

/// Why a commit stopped.
#[derive(Debug)]
enum Failure {
    /// Nothing is lost: it is tried again later.
    Write(StoreError),
    /// Nobody knows what is on the disk.
    Sync(io::Error),
}

/// Returns a failed write in the vocabulary of the contract.
pub(crate) fn write_error(what: String, source: io::Error) -> StoreError {
    let source = Arc::new(source);
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::NoSpace { source },
        _ => StoreError::Io { what, source },
    }
}
