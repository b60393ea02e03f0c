//! The thread that reads entries back which are no longer in memory.

mod segment;
#[cfg(test)]
mod tests;
mod worker;

use std::sync::Arc;

use edge_core::{ReadBatch, StoreError};
use tokio::sync::{mpsc, oneshot};

use crate::fs::FsFile;
use crate::shared::Shared;
use crate::state::Found;

/// Reads that may wait for the thread; more wait for a place.
pub(crate) const MAX_WAITING_READS: usize = 64;

/// One read.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) queue: u32,
    pub(crate) found: Found,
    pub(crate) reply: oneshot::Sender<Result<ReadBatch, StoreError>>,
}

/// Reads segments.
#[derive(Debug)]
pub(crate) struct Reader {
    shared: Arc<Shared>,
    jobs: mpsc::Receiver<Job>,
    /// The segments used last, newest last.
    open: Vec<(u64, Arc<dyn FsFile>)>,
    /// Lent to a walk.
    buffer: Vec<u8>,
    /// Segments that could not be read, and how often in a row.
    failing: Vec<(u64, u32)>,
    /// Damage that was reported already: segment and position.
    reported: Vec<(u64, u64)>,
}
