//! Cases: offsets are dense, and never used twice.
#![expect(clippy::missing_panics_doc, reason = "a case fails by a panic: that is its job")]

use super::StoreHarness;
use super::sample::{bodies, offsets, put, queue};
use crate::{Durability, MessageStore};

/// > Offsets of one queue are dense, strictly rising and never used twice: not after `trim`, not after reopening.
/// > Only expiry, removal, damage, overflow and settling out of order leave gaps.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn offsets_are_dense(harness: &impl StoreHarness) {
    let store = harness.open().await;
    let (a, b) = (queue("a"), queue("b"));
    put(&store, &a, &["1", "2", "3"], Durability::Memory).await;
    put(&store, &b, &["4"], Durability::Memory).await;
    put(&store, &a, &["5"], Durability::Memory).await;
    assert_eq!(offsets(&store, &a).await, [0, 1, 2, 3]);
    assert_eq!(offsets(&store, &b).await, [0]);
    let state = store.queue(&a).expect("the queue exists");
    assert_eq!((state.head, state.next), (0, 4));
}

/// > Offsets of one queue are dense, strictly rising and never used twice: not after `trim`, not after reopening.
/// > Only expiry, removal, damage, overflow and settling out of order leave gaps.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn offsets_survive_trim(harness: &impl StoreHarness) {
    let store = harness.open().await;
    let a = queue("a");
    put(&store, &a, &["1", "2", "3"], Durability::Memory).await;
    store.trim(&a, 3).expect("trimming succeeds");
    put(&store, &a, &["4"], Durability::Memory).await;
    assert_eq!(offsets(&store, &a).await, [3]);
}

/// > Offsets of one queue are dense, strictly rising and never used twice: not after `trim`, not after reopening.
/// > Only expiry, removal, damage, overflow and settling out of order leave gaps.
///
/// A reader that was in the middle of a queue when it was removed misses nothing that comes after.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn offsets_survive_removal(harness: &impl StoreHarness) {
    let store = harness.open().await;
    let a = queue("a");
    put(&store, &a, &["1", "2", "3"], Durability::Memory).await;
    store.remove(&a).expect("removing succeeds");
    assert_eq!(bodies(&store, &a).await, Vec::<String>::new());
    put(&store, &a, &["4"], Durability::Memory).await;
    assert_eq!(bodies(&store, &a).await, ["4"]);
    let after = offsets(&store, &a).await;
    assert!(after.iter().all(|offset| *offset >= 3), "offsets {after:?} were used before the removal");
}

/// > Offsets of one queue are dense, strictly rising and never used twice: not after `trim`, not after reopening.
/// > Only expiry, removal, damage, overflow and settling out of order leave gaps.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn trim_beyond_the_end_leaves_no_gap(harness: &impl StoreHarness) {
    let store = harness.open().await;
    let a = queue("a");
    put(&store, &a, &["1", "2"], Durability::Memory).await;
    store.trim(&a, 1000).expect("trimming succeeds");
    put(&store, &a, &["3"], Durability::Memory).await;
    assert_eq!(offsets(&store, &a).await, [2]);
    assert_eq!(bodies(&store, &a).await, ["3"]);
}

/// > Forgets all entries of `queue` below `below`, which were delivered; lower than before changes nothing.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn trim_forgets_what_is_below(harness: &impl StoreHarness) {
    let store = harness.open().await;
    let (a, b) = (queue("a"), queue("b"));
    put(&store, &a, &["1", "2", "3"], Durability::Memory).await;
    put(&store, &b, &["4", "5"], Durability::Memory).await;
    store.trim(&a, 2).expect("trimming succeeds");
    assert_eq!(bodies(&store, &a).await, ["3"]);
    assert_eq!(bodies(&store, &b).await, ["4", "5"], "the other queue keeps what it has");
    let state = store.queue(&a).expect("the queue exists");
    assert_eq!((state.head, state.next, state.len()), (2, 3, 1));
}

/// > Forgets all entries of `queue` below `below`, which were delivered; lower than before changes nothing.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn trim_never_goes_back(harness: &impl StoreHarness) {
    let store = harness.open().await;
    let a = queue("a");
    put(&store, &a, &["1", "2", "3"], Durability::Memory).await;
    store.trim(&a, 2).expect("trimming succeeds");
    store.trim(&a, 1).expect("trimming succeeds");
    assert_eq!(offsets(&store, &a).await, [2]);
    assert_eq!(store.queue(&a).map(|state| state.head), Some(2));
}
