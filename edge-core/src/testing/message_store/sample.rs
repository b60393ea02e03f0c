//! What the cases append, and how they read it back.

use std::num::NonZeroUsize;
use std::time::Duration;

use crate::{
    Durability, EndpointId, Enqueue, Message, MessageStore, Offset, Priority, QueueId, ReadLimit, RouteName,
    Source, Stored, Target, Timestamp,
};

/// When the kit's messages were taken: the first moment of 2026.
pub(super) const TAKEN: Timestamp = Timestamp::from_unix_ms(1_767_225_600_000);

/// A limit that nothing reaches.
pub(super) const ALL: ReadLimit = ReadLimit::new(NonZeroUsize::MAX, usize::MAX);

pub(super) fn queue(endpoint: &str) -> QueueId {
    let endpoint: EndpointId = endpoint.parse().expect("the kit's endpoint ids are valid");
    QueueId::new(endpoint, Priority::DEFAULT)
}

pub(super) fn route(name: &str) -> RouteName {
    name.parse().expect("the kit's route names are valid")
}

pub(super) fn message(body: &[u8]) -> Message {
    Message::builder(&Source::telemetry()).body(body).build()
}

/// A message that lives forever, for each of `queues`.
pub(super) fn entry(body: &str, queues: &[&QueueId]) -> Enqueue {
    let targets = queues.iter().map(|&queue| Target::new(queue.clone(), route("telemetry"), None));
    Enqueue::new(message(body.as_bytes()), targets.collect(), TAKEN)
}

/// A message that lives for `ms` milliseconds.
pub(super) fn mortal(body: &[u8], queue: &QueueId, name: &str, ms: u64) -> Enqueue {
    let target = Target::new(queue.clone(), route(name), Some(Duration::from_millis(ms)));
    Enqueue::new(message(body), [target].into(), TAKEN)
}

/// Appends one message for each of `bodies` in one batch, and waits for the receipt.
pub(super) async fn put(store: &impl MessageStore, queue: &QueueId, bodies: &[&str], level: Durability) {
    let batch = bodies.iter().map(|body| entry(body, &[queue])).collect();
    store.append(batch, level).await.expect("appending succeeds");
}

/// Reads all that `queue` holds at and above `from`, checking what every read must keep to.
pub(super) async fn read_from(store: &impl MessageStore, queue: &QueueId, from: Offset) -> Vec<Stored> {
    let mut all: Vec<Stored> = Vec::new();
    let mut at = from;
    loop {
        let batch = store.read(queue, at, ALL).await.expect("reading succeeds");
        assert_eq!(batch.damaged, 0, "nothing was damaged");
        assert!(batch.next >= at, "a read of {queue} goes back from {at} to {}", batch.next);
        if batch.entries.is_empty() {
            return all;
        }
        for stored in &batch.entries {
            let above = all.last().map_or(at, |last| last.offset + 1);
            assert!(stored.offset >= above, "offset {} of {queue} comes after {above}", stored.offset);
            all.push(stored.clone());
        }
        assert!(batch.next > all.last().map_or(at, |last| last.offset), "a read does not move on");
        at = batch.next;
    }
}

/// Reads all that `queue` holds.
pub(super) async fn read_all(store: &impl MessageStore, queue: &QueueId) -> Vec<Stored> {
    read_from(store, queue, 0).await
}

/// Reads the bodies of all that `queue` holds.
pub(super) async fn bodies(store: &impl MessageStore, queue: &QueueId) -> Vec<String> {
    let all = read_all(store, queue).await;
    all.iter().map(|stored| String::from_utf8_lossy(stored.message.body()).into_owned()).collect()
}

/// Reads the offsets of all that `queue` holds.
pub(super) async fn offsets(store: &impl MessageStore, queue: &QueueId) -> Vec<Offset> {
    read_all(store, queue).await.iter().map(|stored| stored.offset).collect()
}
