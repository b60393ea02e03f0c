//! Cases: reads keep to what was asked, and the states say what is there.
#![expect(clippy::missing_panics_doc, reason = "a case fails by a panic: that is its job")]

use std::num::NonZeroUsize;

use super::StoreHarness;
use super::sample::{ALL, bodies, entry, mortal, put, queue, read_from, route};
use crate::{DropCause, Durability, Gone, MessageStore, ReadLimit, StoreError};

fn limit(entries: usize, bytes: usize) -> ReadLimit {
    ReadLimit::new(NonZeroUsize::new(entries).unwrap_or(NonZeroUsize::MIN), bytes)
}

/// > Reads entries of `queue` at and above `from`; a queue that does not exist is an empty one.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn a_read_starts_where_asked(harness: &impl StoreHarness) {
    let store = harness.open().await;
    let a = queue("a");
    put(&store, &a, &["1", "2", "3", "4"], Durability::Memory).await;
    for from in 0..=4u64 {
        let found: Vec<_> = read_from(&store, &a, from).await.iter().map(|stored| stored.offset).collect();
        assert_eq!(found, (from..4).collect::<Vec<_>>(), "from {from}");
    }
}

/// > The most bytes, by [`Message::size`]; the first entry is returned whatever its size.
///
/// [`Message::size`]: crate::Message::size
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn a_read_keeps_to_its_limit(harness: &impl StoreHarness) {
    let store = harness.open().await;
    let a = queue("a");
    put(&store, &a, &["1", "2", "3", "4", "5"], Durability::Memory).await;
    let size = entry("1", &[]).message.size();
    for (limit, expected) in [(limit(2, usize::MAX), 2), (limit(9, 3 * size), 3), (limit(9, 4 * size - 1), 3)]
    {
        let batch = store.read(&a, 1, limit).await.expect("reading succeeds");
        assert!(batch.entries.len() <= expected, "{} entries within {limit:?}", batch.entries.len());
        assert!(!batch.entries.is_empty(), "nothing within {limit:?}");
        assert_eq!(batch.next, 1 + batch.entries.len() as u64, "where to read on");
    }
}

/// > The most bytes, by [`Message::size`]; the first entry is returned whatever its size.
///
/// [`Message::size`]: crate::Message::size
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn a_large_entry_is_read_alone(harness: &impl StoreHarness) {
    let store = harness.open().await;
    let a = queue("a");
    put(&store, &a, &[&"x".repeat(100_000), "2"], Durability::Memory).await;
    let batch = store.read(&a, 0, limit(9, 10)).await.expect("reading succeeds");
    assert_eq!(batch.entries.len(), 1);
    assert_eq!(batch.next, 1);
}

/// > Reads entries of `queue` at and above `from`; a queue that does not exist is an empty one.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn an_unknown_queue_is_empty(harness: &impl StoreHarness) {
    let store = harness.open().await;
    let a = queue("a");
    let batch = store.read(&a, 0, ALL).await.expect("an unknown queue is no error");
    assert_eq!((batch.entries.len(), batch.next, batch.damaged), (0, 0, 0));
    store.trim(&a, 7).expect("an unknown queue is no error");
    assert_eq!(store.remove(&a).expect("an unknown queue is no error"), []);
    assert_eq!(store.queue(&a), None);
    assert_eq!(store.queues(), []);
}

/// > Removes a queue with all its entries, and returns what was in it, which counts as dropped.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn removal_reports_what_was_waiting(harness: &impl StoreHarness) {
    let store = harness.open().await;
    let (a, b) = (queue("a"), queue("b"));
    put(&store, &a, &["1", "2", "3"], Durability::Memory).await;
    put(&store, &b, &["4"], Durability::Memory).await;
    store.trim(&a, 1).expect("trimming succeeds");
    let gone = store.remove(&a).expect("removing succeeds");
    assert_eq!(gone, [Gone::new(a.clone(), route("telemetry"), 2, DropCause::Removed)]);
    assert_eq!(store.queue(&a).map_or(0, |state| state.len()), 0);
    assert_eq!(bodies(&store, &b).await, ["4"], "the other queue keeps what it has");
}

/// > How many entries each route has waiting; entries already expired count until they are reported.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn waiting_is_counted_by_route(harness: &impl StoreHarness) {
    let store = harness.open().await;
    let a = queue("a");
    let mut batch = vec![entry("1", &[&a]), mortal(b"2", &a, "hot", 5), mortal(b"3", &a, "hot", 5)];
    batch.push(entry("4", &[&a]));
    store.append(batch, Durability::Memory).await.expect("appending succeeds");
    store.trim(&a, 1).expect("trimming succeeds");
    let mut state = store.queue(&a).expect("the queue exists");
    state.waiting.sort();
    assert_eq!(state.waiting, [(route("hot"), 2), (route("telemetry"), 1)]);
}

/// > Returns the states of all queues, by rising id.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn queues_are_listed_in_order(harness: &impl StoreHarness) {
    let store = harness.open().await;
    for name in ["b", "c", "a"] {
        put(&store, &queue(name), &["1"], Durability::Memory).await;
    }
    let listed = store.queues();
    let ids: Vec<_> = listed.iter().map(|state| state.queue.clone()).collect();
    assert_eq!(ids, [queue("a"), queue("b"), queue("c")]);
    for state in listed {
        assert_eq!(store.queue(&state.queue), Some(state), "one state, however it is asked for");
    }
}

/// > Makes everything durable, trims included, and refuses all further calls.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn a_closed_store_refuses(harness: &impl StoreHarness) {
    let store = harness.open().await;
    let a = queue("a");
    put(&store, &a, &["1"], Durability::Memory).await;
    store.close().await.expect("closing succeeds");
    let late = store.append(vec![entry("2", &[&a])], Durability::Memory).await;
    assert!(matches!(late, Err(StoreError::Closed)), "append: {late:?}");
    let late = store.trim(&a, 1);
    assert!(matches!(late, Err(StoreError::Closed)), "trim: {late:?}");
    let late = store.remove(&a);
    assert!(matches!(late, Err(StoreError::Closed)), "remove: {late:?}");
    let late = store.expire(super::sample::TAKEN);
    assert!(matches!(late, Err(StoreError::Closed)), "expire: {late:?}");
}
