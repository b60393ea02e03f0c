//! Cases: what is appended can be read, whole, unchanged and in order.
#![expect(clippy::missing_panics_doc, reason = "a case fails by a panic: that is its job")]

use super::StoreHarness;
use super::sample::{TAKEN, bodies, entry, message, put, queue, read_all, route};
use crate::testing::absent;
use crate::{Durability, Enqueue, Message, MessageStore, Priority, QueueId, Source, SystemKey, Target};

/// > All or nothing: after `append` either every (message, target) pair of the batch can be read, or none can;
/// > also after a crash.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn a_batch_can_be_read_whole(harness: &impl StoreHarness) {
    let store = harness.open().await;
    let (a, b, c) = (queue("a"), queue("b"), queue("c"));
    let batch = vec![entry("1", &[&a, &b, &c]), entry("2", &[&b]), entry("3", &[&a, &c])];
    store.append(batch, Durability::Memory).await.expect("appending succeeds");
    assert_eq!(bodies(&store, &a).await, ["1", "3"]);
    assert_eq!(bodies(&store, &b).await, ["1", "2"]);
    assert_eq!(bodies(&store, &c).await, ["1", "3"]);
}

/// > All or nothing: after `append` either every (message, target) pair of the batch can be read, or none can;
/// > also after a crash.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn a_refused_batch_leaves_nothing(harness: &impl StoreHarness) {
    let Some(store) = harness.open_limited(limit(harness)).await else {
        return absent("a_refused_batch_leaves_nothing", "store with a limit");
    };
    let a = queue("a");
    let (taken, _refused) = fill(&store, &a, limit(harness)).await;
    assert_eq!(read_all(&store, &a).await.len() as u64, taken, "what was refused is not there");
}

/// > A batch that is not taken MUST be refused at once, see [`Receipt::refusal`], and MUST leave nothing behind. A
/// > receipt that resolves to an error later means that the batch *is* in its queues and could not be made durable:
/// > its sender is not acknowledged, sends again, and receivers may see it twice. The ledger rests on this.
///
/// [`Receipt::refusal`]: crate::Receipt::refusal
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn a_refusal_is_immediate(harness: &impl StoreHarness) {
    let a = queue("a");
    if let Some(store) = harness.open_limited(limit(harness)).await {
        let (_taken, refused) = fill(&store, &a, limit(harness)).await;
        assert!(refused, "a full store refuses only later");
    }
    let store = harness.open().await;
    store.close().await.expect("closing succeeds");
    let refused = store.append(vec![entry("1", &[&a])], Durability::Synced);
    assert!(refused.refusal().is_some(), "a closed store refuses only later");
}

/// The limit that the cases fill: room for what an empty store holds, and for some messages.
fn limit(harness: &impl StoreHarness) -> u64 {
    4 * harness.capabilities().slack_bytes + 65_536
}

/// Appends until the store refuses, and returns how many messages it took and whether it refused at once.
async fn fill(store: &impl MessageStore, queue: &QueueId, limit: u64) -> (u64, bool) {
    let large = "x".repeat(8192);
    let mut taken = 0;
    while taken * 8192 <= 4 * limit {
        let receipt =
            store.append(vec![entry(&large, &[queue]), entry(&large, &[queue])], Durability::Memory);
        let refused = receipt.refusal().is_some();
        match receipt.await {
            Ok(_) => taken += 2,
            Err(_full) => return (taken, refused),
        }
    }
    panic!("a store with a limit of {limit} bytes never says that it is full");
}

/// > Entries MAY be readable before their receipt resolves, and MUST be once it has: a fresh message is delivered
/// > while its sender's acknowledgement waits for the disk.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn entries_are_readable_once_the_receipt_resolves(harness: &impl StoreHarness) {
    let store = harness.open().await;
    let a = queue("a");
    for (number, level) in
        [Durability::Memory, Durability::Written, Durability::Synced].into_iter().enumerate()
    {
        put(&store, &a, &["x"], level).await;
        assert_eq!(read_all(&store, &a).await.len(), number + 1, "after a receipt of {}", level.name());
    }
}

/// > Entries of a queue are read in the order of the `append` calls.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn entries_keep_the_order_of_appends(harness: &impl StoreHarness) {
    let store = harness.open().await;
    let (a, b) = (queue("a"), queue("b"));
    let mut receipts = Vec::new();
    for number in 0..50 {
        let (one, two) = (format!("{number}.1"), format!("{number}.2"));
        let batch = vec![entry(&one, &[&a, &b]), entry(&two, &[&b, &a])];
        let level = if number % 2 == 0 { Durability::Memory } else { Durability::Synced };
        receipts.push(store.append(batch, level));
    }
    for receipt in receipts {
        receipt.await.expect("appending succeeds");
    }
    let expected: Vec<_> = (0..50).flat_map(|n| [format!("{n}.1"), format!("{n}.2")]).collect();
    assert_eq!(bodies(&store, &a).await, expected);
    assert_eq!(bodies(&store, &b).await, expected);
}

/// > Takes a batch, in order, and returns the receipt that resolves when it is as durable as `level`.
///
/// The message, its route and its time come back as they were.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn messages_come_back_unchanged(harness: &impl StoreHarness) {
    let store = harness.open().await;
    let a = queue("a");
    let full = Message::builder(&Source::telemetry())
        .system(SystemKey::ContentType, "application/json")
        .system(SystemKey::MessageId, "ä → 1")
        .property("line", "7")
        .property("", "")
        .null_property("spare")
        .body(&[0, 255, 10, 13])
        .build();
    for message in [full, message(b""), message(&vec![7; 100_000])] {
        let target = Target::new(a.clone(), route("hot"), None);
        let batch = vec![Enqueue::new(message.clone(), [target].into(), TAKEN)];
        store.append(batch, Durability::Memory).await.expect("appending succeeds");
        let stored = read_all(&store, &a).await.pop().expect("an entry was appended");
        assert_eq!(stored.message, message);
        assert_eq!(stored.route, route("hot"));
        assert_eq!(stored.enqueued, TAKEN);
    }
}

/// > A queue comes to be by the first entry for it. Dropping the receipt does not take the batch back.
///
/// Each endpoint and each priority has a queue of its own.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn queues_are_kept_apart(harness: &impl StoreHarness) {
    let store = harness.open().await;
    let a = queue("a");
    let urgent = QueueId::new(a.endpoint().clone(), Priority::new(0).unwrap_or_default());
    assert_eq!(store.queue(&a), None);
    put(&store, &a, &["1", "2"], Durability::Memory).await;
    assert_eq!(store.queue(&urgent), None);
    put(&store, &urgent, &["3"], Durability::Memory).await;
    assert_eq!(bodies(&store, &a).await, ["1", "2"]);
    assert_eq!(bodies(&store, &urgent).await, ["3"]);
}
