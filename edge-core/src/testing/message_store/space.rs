//! Cases: space comes back.
#![expect(clippy::missing_panics_doc, reason = "a case fails by a panic: that is its job")]

use std::time::Duration;

use super::StoreHarness;
use super::sample::{TAKEN, message, queue, route};
use crate::{Durability, Enqueue, MessageStore, QueueId, Target, Timestamp};

const LARGE: usize = 8192;

/// Writes several times what the store may hold when it is empty, to two queues that share the messages.
async fn fill(harness: &impl StoreHarness, store: &impl MessageStore, queues: [&QueueId; 2]) {
    let bytes = 4 * harness.capabilities().slack_bytes + 65_536;
    let life = Some(Duration::from_secs(1));
    let targets: std::sync::Arc<[_]> =
        queues.into_iter().map(|queue| Target::new(queue.clone(), route("telemetry"), life)).collect();
    let mut written = 0;
    while written < bytes {
        let batch: Vec<_> =
            (0..8).map(|n| Enqueue::new(message(&[n; LARGE]), targets.clone(), TAKEN)).collect();
        written += (batch.len() * LARGE) as u64;
        store.append(batch, Durability::Memory).await.expect("appending succeeds");
    }
    let used = store.usage().used_bytes;
    assert!(used >= written, "{written} bytes are waiting and the store says it holds {used}");
}

/// Waits for what the store does in the background, and panics unless the space has come back.
async fn check_empty<H: StoreHarness>(harness: &H, store: &H::Store, before: u64) {
    harness.settle(store).await;
    let used = store.usage().used_bytes;
    let slack = harness.capabilities().slack_bytes;
    assert!(used <= before + slack, "{used} bytes are held for nothing, {before} + {slack} are allowed");
}

fn end(store: &impl MessageStore, queue: &QueueId) -> u64 {
    store.queue(queue).map_or(0, |state| state.next)
}

/// > Space MUST come back when every queue has trimmed, removed or expired what a part of the store holds.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn space_returns_after_trim(harness: &impl StoreHarness) {
    let store = harness.open().await;
    let (a, b) = (queue("a"), queue("b"));
    let before = store.usage().used_bytes;
    for _round in 0..3 {
        fill(harness, &store, [&a, &b]).await;
        store.trim(&a, end(&store, &a)).expect("trimming succeeds");
        store.trim(&b, end(&store, &b)).expect("trimming succeeds");
        check_empty(harness, &store, before).await;
    }
}

/// > Space MUST come back when every queue has trimmed, removed or expired what a part of the store holds.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn space_returns_after_removal(harness: &impl StoreHarness) {
    let store = harness.open().await;
    let (a, b) = (queue("a"), queue("b"));
    let before = store.usage().used_bytes;
    fill(harness, &store, [&a, &b]).await;
    store.trim(&a, end(&store, &a)).expect("trimming succeeds");
    store.remove(&b).expect("removing succeeds");
    check_empty(harness, &store, before).await;
}

/// > Space MUST come back when every queue has trimmed, removed or expired what a part of the store holds.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn space_returns_after_expiry(harness: &impl StoreHarness) {
    let store = harness.open().await;
    let (a, b) = (queue("a"), queue("b"));
    let before = store.usage().used_bytes;
    fill(harness, &store, [&a, &b]).await;
    store.expire(Timestamp::MAX).expect("expiring succeeds");
    check_empty(harness, &store, before).await;
}
