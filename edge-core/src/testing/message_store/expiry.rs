//! Cases: entries expire at their time, told and not read from a clock.
#![expect(clippy::missing_panics_doc, reason = "a case fails by a panic: that is its job")]

use std::time::Duration;

use super::StoreHarness;
use super::sample::{TAKEN, mortal, put, queue, read_all, route};
use crate::{Durability, Gone, MessageStore, Timestamp};

fn after(ms: u64) -> Timestamp {
    TAKEN + Duration::from_millis(ms)
}

fn total(gone: &[Gone]) -> u64 {
    gone.iter().map(|gone| gone.entries).sum()
}

/// > The store reads no clock: `expire` tells it the time.
///
/// The entries of this case expired long ago, by any clock that may be read.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn nothing_expires_before_it_is_told(harness: &impl StoreHarness) {
    let store = harness.open().await;
    let a = queue("a");
    let mut old = mortal(b"1", &a, "telemetry", 5);
    old.enqueued = Timestamp::from_unix_ms(1_000);
    store.append(vec![old], Durability::Memory).await.expect("appending succeeds");
    let gone = store.expire(Timestamp::from_unix_ms(1_004)).expect("expiring succeeds");
    assert_eq!(gone, []);
    assert_eq!(read_all(&store, &a).await.len(), 1, "the store was told a time before the expiry");
    assert_eq!(store.queue(&a).map(|state| state.len()), Some(1));
}

/// > How long after [`Enqueue::enqueued`] the entry expires; `None` is never.
///
/// [`Enqueue::enqueued`]: crate::Enqueue::enqueued
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn an_entry_says_when_it_expires(harness: &impl StoreHarness) {
    let store = harness.open().await;
    let a = queue("a");
    let batch = vec![mortal(b"1", &a, "telemetry", 7), mortal(b"2", &a, "telemetry", 0)];
    store.append(batch, Durability::Memory).await.expect("appending succeeds");
    put(&store, &a, &["3"], Durability::Memory).await;
    let expires: Vec<_> = read_all(&store, &a).await.iter().map(|stored| stored.expires).collect();
    assert_eq!(expires, [Some(after(7)), Some(after(0)), None]);
}

/// > Gives back the space of entries that have expired at `now`, and returns those that no reader will see any more,
/// > each reported once; they count as dropped.
///
/// Nothing that lives on is touched, by a millisecond.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn nothing_expires_early(harness: &impl StoreHarness) {
    let store = harness.open().await;
    let a = queue("a");
    store
        .append(vec![mortal(b"1", &a, "telemetry", 1000)], Durability::Memory)
        .await
        .expect("appending succeeds");
    put(&store, &a, &["2"], Durability::Memory).await;
    assert_eq!(store.expire(after(999)).expect("expiring succeeds"), []);
    assert_eq!(read_all(&store, &a).await.len(), 2);
    let gone = store.expire(Timestamp::MAX).expect("expiring succeeds");
    assert!(total(&gone) <= 1, "what never expires is gone: {gone:?}");
    assert!(read_all(&store, &a).await.iter().any(|stored| stored.expires.is_none()));
}

/// > Gives back the space of entries that have expired at `now`, and returns those that no reader will see any more,
/// > each reported once; they count as dropped.
///
/// What has expired is either reported, by its route, or can still be read and says itself that it has expired.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn what_expires_is_reported_or_readable(harness: &impl StoreHarness) {
    let store = harness.open().await;
    let (a, b) = (queue("a"), queue("b"));
    let body = vec![7; 512];
    for number in 0..200 {
        let name = if number % 2 == 0 { "hot" } else { "cold" };
        let batch = vec![mortal(&body, &a, name, number), mortal(&body, &b, name, 1000)];
        store.append(batch, Durability::Memory).await.expect("appending succeeds");
    }
    let mut reported = [("hot", 0), ("cold", 0)];
    for now in [50, 51, 120, 500] {
        for gone in store.expire(after(now)).expect("expiring succeeds") {
            assert_eq!(gone.queue, a, "the other queue lives on");
            let known = reported.iter_mut().find(|(name, _)| gone.route == route(name));
            known.expect("only routes that sent something").1 += gone.entries;
        }
        let left = read_all(&store, &a).await;
        for (name, gone) in reported {
            let readable = left.iter().filter(|stored| stored.route == route(name)).count() as u64;
            assert_eq!(gone + readable, 100, "{name} at {now} ms: reported and readable");
        }
        let living = left.iter().filter(|stored| !stored.is_expired(after(now))).count() as u64;
        assert_eq!(living, 199u64.saturating_sub(now), "entries that live on at {now} ms");
        assert_eq!(store.queue(&a).map(|state| state.len()), Some(left.len() as u64));
    }
    assert_eq!(read_all(&store, &b).await.len(), 200);
}

/// > Gives back the space of entries that have expired at `now`, and returns those that no reader will see any more,
/// > each reported once; they count as dropped.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn what_expires_is_reported_once(harness: &impl StoreHarness) {
    let store = harness.open().await;
    let a = queue("a");
    for _entry in 0..10 {
        store.append(vec![mortal(b"1", &a, "hot", 5)], Durability::Memory).await.expect("appending succeeds");
    }
    let mut reported = 0;
    for now in [5, 6, 7, 5] {
        reported += total(&store.expire(after(now)).expect("expiring succeeds"));
        assert!(reported <= 10, "{reported} of 10 entries are reported");
    }
    let removed = total(&store.remove(&a).expect("removing succeeds"));
    assert_eq!(reported + removed, 10, "what was reported is not reported again");
}
