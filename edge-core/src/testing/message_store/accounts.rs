//! Cases: what becomes of entries is counted, exactly.
#![expect(clippy::missing_panics_doc, reason = "a case fails by a panic: that is its job")]

use super::StoreHarness;
use super::sample::{TAKEN, entry, mortal, offsets, put, queue, route};
use crate::testing::absent;
use crate::{Account, Answered, DropCause, Durability, MessageStore, QueueId, Timestamp};

/// Returns the account of a queue's only route.
fn account(store: &impl MessageStore, queue: &QueueId) -> Account {
    let mut accounts: Vec<_> = store.accounts().into_iter().filter(|a| a.queue == *queue).collect();
    assert_eq!(accounts.len(), 1, "one route has sent to {queue}");
    let account = accounts.pop().unwrap_or_else(|| Account::new(queue.clone(), route("telemetry")));
    assert_eq!(account.residual(), 0, "{account:?} does not add up");
    account
}

/// Checks accepted, delivered, stored and the causes of an account.
fn check(found: &Account, accepted: u64, delivered: u64, stored: u64, dropped: &[(DropCause, u64)]) {
    assert_eq!((found.accepted, found.delivered, found.stored), (accepted, delivered, stored), "{found:?}");
    assert_eq!(found.dropped.iter().collect::<Vec<_>>(), dropped, "{found:?}");
}

/// > Takes all entries of `queue` in the range `offsets` out of it: those in `dropped` count as dropped, all others as
/// > delivered; entries that have left before, and offsets outside the range, count for nothing.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn settling_counts_what_became_of_entries(harness: &impl StoreHarness) {
    let store = harness.open().await;
    let a = queue("a");
    put(&store, &a, &["0", "1", "2", "3"], Durability::Memory).await;
    store.settle(&a, 0..3, &[(1, DropCause::Refused), (3, DropCause::Refused)]).expect("settling succeeds");
    check(&account(&store, &a), 4, 2, 1, &[(DropCause::Refused, 1)]);
}

/// > The range may lie anywhere in the queue; what lies below it stays. The head moves over what is gone.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn any_part_of_a_queue_can_be_settled(harness: &impl StoreHarness) {
    let store = harness.open().await;
    let a = queue("a");
    put(&store, &a, &["0", "1", "2", "3", "4"], Durability::Memory).await;
    store.settle(&a, 1..3, &[]).expect("settling succeeds");
    assert_eq!(offsets(&store, &a).await, [0, 3, 4]);
    assert_eq!(store.queue(&a).map(|state| (state.head, state.len())), Some((0, 3)));
    store.settle(&a, 0..1, &[]).expect("settling succeeds");
    assert_eq!(offsets(&store, &a).await, [3, 4]);
    assert_eq!(store.queue(&a).map(|state| (state.head, state.len())), Some((3, 2)));
    check(&account(&store, &a), 5, 3, 2, &[]);
}

/// > An entry leaves its queue once, and MUST be counted once: as delivered or dropped by `settle`, as dropped by
/// > `expire`, `remove`, overflow and damage. Whoever comes later MUST NOT count it again.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn an_entry_is_counted_once(harness: &impl StoreHarness) {
    let store = harness.open().await;
    let (a, b) = (queue("a"), queue("b"));
    put(&store, &a, &["0", "1", "2"], Durability::Memory).await;
    store.settle(&a, 1..2, &[(1, DropCause::Refused)]).expect("settling succeeds");
    store.settle(&a, 0..2, &[(1, DropCause::Expired)]).expect("settling succeeds");
    store.remove(&a).expect("removing succeeds");
    store.settle(&a, 0..3, &[]).expect("settling succeeds");
    check(&account(&store, &a), 3, 1, 0, &[(DropCause::Refused, 1), (DropCause::Removed, 1)]);
    let batch = vec![mortal(b"0", &b, "telemetry", 5), mortal(b"1", &b, "telemetry", 5)];
    store.append(batch, Durability::Memory).await.expect("appending succeeds");
    let gone = store.expire(Timestamp::MAX).expect("expiring succeeds");
    let expired: u64 = gone.iter().map(|gone| gone.entries).sum();
    store.settle(&b, 0..2, &[(0, DropCause::Expired), (1, DropCause::Expired)]).expect("settling succeeds");
    assert!(expired <= 2, "{expired} of two entries have expired");
    check(&account(&store, &b), 2, 0, 0, &[(DropCause::Expired, 2)]);
}

/// > Counts messages that were taken and dropped without being stored, such as those that no route wants: accepted
/// > and dropped both rise. The queue comes to be, if it must, without an entry.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn what_is_not_stored_is_counted(harness: &impl StoreHarness) {
    let store = harness.open().await;
    let a = queue("a");
    store.count_dropped(&a, &route("none"), DropCause::NoRoute, 3).expect("counting succeeds");
    check(&account(&store, &a), 3, 0, 0, &[(DropCause::NoRoute, 3)]);
}

/// > For each queue and route accepted = delivered + stored + dropped MUST hold at every moment, after reopening and
/// > after a crash too: what falls back in a crash falls back in entries and accounts alike.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn accounts_survive_reopening(harness: &impl StoreHarness) {
    let store = harness.open().await;
    let a = queue("a");
    put(&store, &a, &["0", "1", "2", "3", "4"], Durability::Written).await;
    store.settle(&a, 1..4, &[(2, DropCause::Refused)]).expect("settling succeeds");
    store.count_dropped(&a, &route("telemetry"), DropCause::NoRoute, 2).expect("counting succeeds");
    let before = account(&store, &a);
    check(&before, 7, 2, 2, &[(DropCause::NoRoute, 2), (DropCause::Refused, 1)]);
    store.close().await.expect("closing succeeds");
    let Some(store) = harness.crash(store).await else {
        return absent("accounts_survive_reopening", "store that survives a crash");
    };
    assert_eq!(account(&store, &a), before);
    assert_eq!(offsets(&store, &a).await, [0, 4]);
    put(&store, &a, &["5"], Durability::Written).await;
    store.settle(&a, 0..6, &[]).expect("settling succeeds");
    let Some(store) = harness.crash(store).await else { return };
    let after = account(&store, &a);
    let known = after.delivered == 2 || after.delivered == 5;
    assert!(known && after.accepted == 8, "accounts and entries fall back together: {after:?}");
    assert_eq!(after.stored, offsets(&store, &a).await.len() as u64, "taken at {TAKEN:?}");
}

/// > What a batch answers MUST stay when the batch is refused, and MUST NOT be gone without the batch after a crash.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn what_is_answered_stays_until_the_answer_is_taken(harness: &impl StoreHarness) {
    let (a, b) = (queue("a"), queue("b"));
    let store = harness.open().await;
    put(&store, &a, &["0", "1", "2"], Durability::Written).await;
    let answered = [Answered::new(a.clone(), 1..3)];
    // Nobody waits for the receipt: what the crash finds on the disk is one or the other.
    drop(store.append_answers(vec![entry("answer", &[&b])], &answered, Durability::Written));
    if let Some(store) = harness.crash(store).await {
        let is_there = !offsets(&store, &b).await.is_empty();
        let left = offsets(&store, &a).await;
        assert!(
            is_there || left == [0, 1, 2],
            "the answer is gone, and of what it answers there is {left:?}"
        );
    }
    let store = harness.open().await;
    put(&store, &a, &["0", "1", "2"], Durability::Memory).await;
    store.close().await.expect("closing succeeds");
    let refused = store.append_answers(vec![entry("answer", &[&b])], &answered, Durability::Memory);
    assert!(refused.refusal().is_some(), "a closed store refuses");
    assert_eq!(store.queue(&a).map_or(0, |state| state.len()), 3, "what a refused batch answers has left");
}

/// > Takes a batch as `append` does, and with it the entries that it answers out of their queues: they
/// > count as delivered.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn what_is_answered_leaves_with_the_answer(harness: &impl StoreHarness) {
    let store = harness.open().await;
    let (a, b) = (queue("a"), queue("b"));
    put(&store, &a, &["0", "1", "2", "3"], Durability::Memory).await;
    store.settle(&a, 1..2, &[(1, DropCause::Refused)]).expect("settling succeeds");
    let answered = [Answered::new(a.clone(), 0..2), Answered::new(a.clone(), 3..4)];
    let receipt = store.append_answers(vec![entry("answer", &[&b])], &answered, Durability::Memory);
    receipt.await.expect("appending succeeds");
    assert_eq!(offsets(&store, &a).await, [2]);
    assert_eq!(offsets(&store, &b).await, [0]);
    check(&account(&store, &a), 4, 2, 1, &[(DropCause::Refused, 1)]);
    store.settle(&a, 0..4, &[]).expect("settling succeeds");
    check(&account(&store, &a), 4, 3, 0, &[(DropCause::Refused, 1)]);
    check(&account(&store, &b), 1, 0, 1, &[]);
}
