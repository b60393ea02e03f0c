//! What the tests share.
#![allow(dead_code, reason = "not every test file uses all of it")]

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use edge_core::{
    EndpointId, Enqueue, Message, MessageStore, Offset, Priority, QueueId, ReadBatch, ReadLimit, RouteName,
    Source, Target, Timestamp,
};

/// Returns the queue `name`.
pub(crate) fn queue(name: &str) -> QueueId {
    QueueId::new(name.parse::<EndpointId>().unwrap(), Priority::DEFAULT)
}

/// Returns targets written as `queue:route`, separated by blanks.
pub(crate) fn targets(text: &str) -> Arc<[Target]> {
    expiring(text, None)
}

/// Returns targets whose entries expire.
pub(crate) fn expiring(text: &str, time_to_live: Option<Duration>) -> Arc<[Target]> {
    text.split_whitespace()
        .map(|target| {
            let (name, route) = target.split_once(':').unwrap();
            Target::new(queue(name), route.parse::<RouteName>().unwrap(), time_to_live)
        })
        .collect()
}

/// Returns a message with this body.
pub(crate) fn message(body: &[u8]) -> Message {
    Message::builder(&Source::telemetry()).body(body).build()
}

/// Returns a message for `targets`, enqueued at time 0.
pub(crate) fn entry(targets: &Arc<[Target]>, body: impl AsRef<[u8]>) -> Enqueue {
    Enqueue::new(message(body.as_ref()), targets.clone(), Timestamp::from_unix_ms(0))
}

/// Returns a limit of so many entries.
pub(crate) fn entries(count: usize) -> ReadLimit {
    ReadLimit::new(NonZeroUsize::new(count).unwrap(), usize::MAX)
}

/// Reads everything at and above `from`, as one batch.
pub(crate) async fn read_all(store: &dyn MessageStore, queue: &QueueId, from: Offset) -> ReadBatch {
    let mut all = ReadBatch::new(Vec::new(), from, 0);
    loop {
        let batch = store.read(queue, all.next, entries(100)).await.unwrap();
        let ended = batch.entries.is_empty();
        all.entries.extend(batch.entries);
        all.next = batch.next;
        all.damaged += batch.damaged;
        if ended {
            return all;
        }
    }
}

/// Returns the bodies of a batch as text.
pub(crate) fn bodies(batch: &ReadBatch) -> Vec<String> {
    batch.entries.iter().map(|stored| String::from_utf8_lossy(stored.message.body()).into_owned()).collect()
}
