//! Waits for futures of stores, and reads stores to their end.

use std::num::NonZeroUsize;

use edge_core::{MessageStore, Offset, QueueId, ReadLimit, Stored};

/// Waits for a future on this thread.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime without a driver needs nothing of the system").block_on(future)
}

/// Reads all that a queue holds at and above `from`, checking that reading moves on.
pub(crate) fn read_all(store: &impl MessageStore, queue: &QueueId, from: Offset) -> Vec<Stored> {
    let limit = ReadLimit::new(NonZeroUsize::new(64).unwrap_or(NonZeroUsize::MIN), usize::MAX);
    let mut all: Vec<Stored> = Vec::new();
    let mut at = from;
    wait(async {
        loop {
            let batch = store.read(queue, at, limit).await.expect("the disk is sound");
            assert!(batch.next >= at, "a read goes back from {at} to {}", batch.next);
            for stored in &batch.entries {
                let above = all.last().map_or(from, |last| last.offset + 1);
                assert!(stored.offset >= above && stored.offset < batch.next, "offsets rise");
                all.push(stored.clone());
            }
            if batch.next == at || batch.entries.is_empty() {
                return;
            }
            at = batch.next;
        }
    });
    all
}
