//! Cases: what survives what.
#![expect(clippy::missing_panics_doc, reason = "a case fails by a panic: that is its job")]

use super::StoreHarness;
use super::sample::{bodies, entry, offsets, put, queue, read_all};
use crate::testing::absent;
use crate::{Durability, MessageStore, StoreError};

const LEVELS: [Durability; 3] = [Durability::Memory, Durability::Written, Durability::Synced];

/// Kills the store; a store that claims to survive it must come back.
async fn crash<H: StoreHarness>(harness: &H, store: H::Store, case: &str) -> Option<H::Store> {
    let back = harness.crash(store).await;
    if back.is_none() {
        let claimed = harness.capabilities().durability;
        assert_eq!(claimed, Durability::Memory, "a store that claims {} does not come back", claimed.name());
        absent(case, "store that survives a crash");
    }
    back
}

/// Closes the store and opens it again.
async fn reopen<H: StoreHarness>(harness: &H, store: H::Store, case: &str) -> Option<H::Store> {
    store.close().await.expect("closing succeeds");
    crash(harness, store, case).await
}

/// > What a [`Receipt`] says MUST be true when it resolves: [`Durability::Written`] survives `kill -9`,
/// > [`Durability::Synced`] survives the loss of power. A receipt may say more than was asked for; it says less only
/// > above what the store can do at all.
///
/// [`Receipt`]: crate::Receipt
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn a_receipt_says_what_was_asked_for(harness: &impl StoreHarness) {
    let store = harness.open().await;
    let a = queue("a");
    for asked in LEVELS {
        let reached = store.append(vec![entry("1", &[&a])], asked).await.expect("appending succeeds");
        let owed = asked.min(harness.capabilities().durability);
        assert!(reached >= owed, "{} was asked for, {} is said", asked.name(), reached.name());
    }
}

/// > All or nothing: after `append` either every (message, target) pair of the batch can be read, or none can;
/// > also after a crash.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn a_crash_keeps_batches_whole(harness: &impl StoreHarness) {
    let store = harness.open().await;
    let (a, b) = (queue("a"), queue("b"));
    put(&store, &a, &["first"], Durability::Written).await;
    let mut receipts = Vec::new();
    for _batch in 0..20 {
        let batch = vec![entry("1", &[&a, &b]), entry("2", &[&b]), entry("3", &[&a, &b]), entry("4", &[&a])];
        receipts.push(store.append(batch, Durability::Written));
    }
    receipts.truncate(10);
    for receipt in receipts {
        receipt.await.expect("appending succeeds");
    }
    let Some(store) = crash(harness, store, "a_crash_keeps_batches_whole").await else { return };
    let (left, right) = (bodies(&store, &a).await, bodies(&store, &b).await);
    let whole = left.len() / 3;
    assert!(whole >= 10, "{whole} batches are there, 10 were said to survive");
    let expected: Vec<_> =
        ["1", "3", "4"].iter().cycle().take(3 * whole).map(|&text| text.to_owned()).collect();
    assert_eq!(left.get(1..).unwrap_or_default(), expected, "whole batches only");
    let expected: Vec<_> =
        ["1", "2", "3"].iter().cycle().take(3 * whole).map(|&text| text.to_owned()).collect();
    assert_eq!(right, expected, "the same batches in both queues");
}

/// > What a [`Receipt`] says MUST be true when it resolves: [`Durability::Written`] survives `kill -9`,
/// > [`Durability::Synced`] survives the loss of power. A receipt may say more than was asked for; it says less only
/// > above what the store can do at all.
///
/// [`Receipt`]: crate::Receipt
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn written_survives_a_crash(harness: &impl StoreHarness) {
    let store = harness.open().await;
    let a = queue("a");
    let mut kept = Vec::new();
    for (number, asked) in LEVELS.into_iter().cycle().take(9).enumerate() {
        let body = number.to_string();
        let reached = store.append(vec![entry(&body, &[&a])], asked).await.expect("appending succeeds");
        if reached >= Durability::Written {
            kept.push(body);
        }
    }
    let Some(store) = crash(harness, store, "written_survives_a_crash").await else { return };
    let found = bodies(&store, &a).await;
    assert!(kept.iter().all(|body| found.contains(body)), "{kept:?} were written, {found:?} are there");
}

/// > What a [`Receipt`] says MUST be true when it resolves: [`Durability::Written`] survives `kill -9`,
/// > [`Durability::Synced`] survives the loss of power. A receipt may say more than was asked for; it says less only
/// > above what the store can do at all.
///
/// [`Receipt`]: crate::Receipt
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn synced_survives_the_loss_of_power(harness: &impl StoreHarness) {
    let store = harness.open().await;
    let a = queue("a");
    let mut kept = Vec::new();
    for (number, asked) in LEVELS.into_iter().cycle().take(9).enumerate() {
        let body = number.to_string();
        let reached = store.append(vec![entry(&body, &[&a])], asked).await.expect("appending succeeds");
        if reached >= Durability::Synced {
            kept.push(body);
        }
    }
    let Some(store) = harness.power_loss(store).await else {
        return absent("synced_survives_the_loss_of_power", "power that can be cut");
    };
    let found = bodies(&store, &a).await;
    assert!(kept.iter().all(|body| found.contains(body)), "{kept:?} were synced, {found:?} are there");
}

/// > Offsets of one queue are dense, strictly rising and never used twice: not after `trim`, not after reopening.
/// > Only expiry, removal, damage, overflow and settling out of order leave gaps.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn offsets_survive_reopening(harness: &impl StoreHarness) {
    let store = harness.open().await;
    let (a, b) = (queue("a"), queue("b"));
    put(&store, &a, &["1", "2", "3"], Durability::Written).await;
    put(&store, &b, &["1", "2"], Durability::Written).await;
    store.trim(&a, 3).expect("trimming succeeds");
    let Some(store) = reopen(harness, store, "offsets_survive_reopening").await else { return };
    put(&store, &a, &["4"], Durability::Written).await;
    put(&store, &b, &["3"], Durability::Written).await;
    assert_eq!(offsets(&store, &a).await, [3]);
    assert_eq!(offsets(&store, &b).await, [0, 1, 2]);
}

/// > Entries of a queue are read in the order of the `append` calls.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn order_survives_a_crash(harness: &impl StoreHarness) {
    let store = harness.open().await;
    let a = queue("a");
    for number in 0..20 {
        put(&store, &a, &[&number.to_string()], Durability::Written).await;
    }
    let Some(store) = crash(harness, store, "order_survives_a_crash").await else { return };
    assert_eq!(bodies(&store, &a).await, (0..20).map(|n| n.to_string()).collect::<Vec<_>>());
}

/// > `trim` and what was trimmed survive reopening, but MAY fall back after a crash: the reader then sees entries
/// > again, and never misses one.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn trim_survives_closing(harness: &impl StoreHarness) {
    let store = harness.open().await;
    let a = queue("a");
    put(&store, &a, &["1", "2", "3"], Durability::Written).await;
    store.trim(&a, 2).expect("trimming succeeds");
    let Some(store) = reopen(harness, store, "trim_survives_closing").await else { return };
    assert_eq!(bodies(&store, &a).await, ["3"]);
    assert_eq!(store.queue(&a).map(|state| state.head), Some(2));
}

/// > `trim` and what was trimmed survive reopening, but MAY fall back after a crash: the reader then sees entries
/// > again, and never misses one.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn a_crash_loses_nothing_untrimmed(harness: &impl StoreHarness) {
    let store = harness.open().await;
    let a = queue("a");
    put(&store, &a, &["1", "2", "3", "4"], Durability::Written).await;
    store.trim(&a, 2).expect("trimming succeeds");
    let Some(store) = crash(harness, store, "a_crash_loses_nothing_untrimmed").await else { return };
    let found = read_all(&store, &a).await;
    let last_two: Vec<_> = found.iter().map(|stored| stored.offset).filter(|offset| *offset >= 2).collect();
    assert_eq!(last_two, [2, 3], "what was not trimmed");
    for stored in found {
        assert_eq!(stored.message.body(), (stored.offset + 1).to_string().as_bytes());
    }
}

/// > A failed sync MUST poison the store: every later `append` resolves to [`StoreError::Poisoned`].
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn a_failed_sync_poisons(harness: &impl StoreHarness) {
    let store = harness.open().await;
    let a = queue("a");
    if !harness.fail_syncs(&store).await {
        return absent("a_failed_sync_poisons", "disk whose syncs fail");
    }
    let first = store.append(vec![entry("1", &[&a])], Durability::Synced).await;
    assert!(first.is_err(), "synced is said after a failed sync");
    for level in LEVELS {
        let later = store.append(vec![entry("2", &[&a])], level).await;
        assert!(matches!(later, Err(StoreError::Poisoned { .. })), "{}: {later:?}", level.name());
    }
}

/// > `append`, `settle`, `expire` and the states MUST NOT block on the disk: they are called on async workers.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn calls_do_not_touch_the_disk(harness: &impl StoreHarness) {
    let store = harness.open().await;
    let (a, b) = (queue("a"), queue("b"));
    put(&store, &a, &["1"], Durability::Written).await;
    if !harness.forbid_disk(&store) {
        return absent("calls_do_not_touch_the_disk", "disk that can be forbidden");
    }
    let receipt = store.append(vec![entry("2", &[&a, &b])], Durability::Synced);
    store.trim(&a, 1).expect("trimming succeeds");
    store.expire(super::sample::TAKEN).expect("expiring succeeds");
    store.remove(&b).expect("removing succeeds");
    let _states = (store.queue(&a), store.queues(), store.usage());
    harness.allow_disk(&store);
    receipt.await.expect("appending succeeds");
    assert_eq!(bodies(&store, &a).await, ["2"]);
}

/// > Makes everything durable, trims included, and refuses all further calls.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn closing_makes_all_durable(harness: &impl StoreHarness) {
    let store = harness.open().await;
    let a = queue("a");
    put(&store, &a, &["1", "2"], Durability::Memory).await;
    let unwaited = store.append(vec![entry("3", &[&a])], Durability::Memory);
    store.trim(&a, 1).expect("trimming succeeds");
    let Some(store) = reopen(harness, store, "closing_makes_all_durable").await else { return };
    drop(unwaited);
    assert_eq!(bodies(&store, &a).await, ["2", "3"]);
}
