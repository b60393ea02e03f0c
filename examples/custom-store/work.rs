//! What waits for the disk: all of it goes into one transaction.

use std::collections::BTreeMap;
use std::sync::Arc;

use edge_core::{
    DropCause, Message, Offset, Overflow, QueueId, ReceiptSender, RouteName, StoreError, Target, Timestamp,
};
use tokio::sync::oneshot;

/// One message and the places that it was given.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) message: Message,
    pub(crate) enqueued: Timestamp,
    pub(crate) targets: Arc<[Target]>,
    /// The offset in the queue of each target.
    pub(crate) offsets: Vec<Offset>,
}

/// Where a queue begins and ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) head: Offset,
    pub(crate) next: Offset,
}

/// Everything that was asked for since the last transaction.
///
/// The order between the parts does not matter: offsets are given when `append` is called, and nothing trims or
/// settles what is appended later.
#[derive(Debug, Default)]
pub(crate) struct Work {
    pub(crate) rows: Vec<Row>,
    pub(crate) bytes: u64,
    pub(crate) receipts: Vec<ReceiptSender>,
    /// Every queue that changed.
    pub(crate) queues: BTreeMap<QueueId, Bounds>,
    pub(crate) left: Vec<(QueueId, Offset)>,
    /// How many entries have left by now, how: `None` is delivered.
    pub(crate) tallies: BTreeMap<(QueueId, RouteName, Option<DropCause>), u64>,
    /// What routes want to happen when there is no more room.
    pub(crate) policies: BTreeMap<(QueueId, RouteName), Overflow>,
    pub(crate) closing: Option<oneshot::Sender<Result<(), StoreError>>>,
}

impl Work {
    /// Adds what was asked for later.
    pub(crate) fn add(&mut self, later: Self) {
        self.rows.extend(later.rows);
        self.bytes += later.bytes;
        self.receipts.extend(later.receipts);
        self.queues.extend(later.queues);
        self.left.extend(later.left);
        self.tallies.extend(later.tallies);
        self.policies.extend(later.policies);
        self.closing = later.closing.or_else(|| self.closing.take());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.queues.is_empty() && self.left.is_empty() && self.closing.is_none()
    }
}
