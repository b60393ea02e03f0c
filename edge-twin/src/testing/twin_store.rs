//! Conformance kit for [`TwinStore`].
//!
//! | contract | case | saboteur that fails it |
//! |---|---|---|
//! | After `save` has returned, `load` shows it | [`what_is_saved_is_loaded`] | `SavesNothing` |
//! | … and `list` | [`what_is_saved_is_listed`] | `ListsOldTwins` |
//! | … also after a crash | [`what_is_saved_survives_a_crash`] | `WritesNothing` |
//! | After `remove` has returned it is gone | [`what_is_removed_is_gone`] | `KeepsTheRemoved` |
//! | … also after a crash | [`what_is_removed_stays_removed_after_a_crash`] | `WritesNoRemovals` |
//! | A `save` over another version is refused | [`a_save_over_another_version_is_refused`] | `IgnoresVersions` |
//! | … over nothing, where there is a twin | [`a_twin_is_made_once`] | `MakesTwice` |
//! | … over a twin, where there is none | [`what_is_gone_is_not_saved_over`] | `Resurrects` |
//! | … and changes nothing | [`a_refused_save_changes_nothing`] | `SavesTheRefused` |
//! | Of several … one succeeds | [`of_several_savers_one_succeeds`] | `LetsAllWin` |
//! | The version does not go back | [`versions_never_go_back`] | `GoesBack` |
//! | A device and its modules are different | [`identities_are_kept_apart`] | `ForgetsTheModule` |
//! | `list` goes by rising identity | [`twins_are_listed_in_order`] | `ListsBackwards` |
//! | … behind `after` | [`a_page_begins_behind_the_last`] | `RepeatsTheLast` |
//! | … no more than asked for | [`a_page_keeps_to_its_limit`] | `IgnoresLimits` |
//! | … an empty page is the end | [`pages_reach_everybody`] | `ForgetsTheLast` |
#![expect(clippy::missing_panics_doc, reason = "a case fails by a panic: that is its job")]

use std::num::NonZeroUsize;

use async_trait::async_trait;
use edge_core::{Identity, Timestamp};

use crate::{Expect, Limits, Patch, Twin, TwinStore, TwinStoreError};

/// How the kit gets at a twin store.
#[async_trait]
pub trait TwinHarness: Send + Sync {
    /// The store under test.
    type Store: TwinStore;

    /// Returns an empty store.
    async fn open(&self) -> Self::Store;

    /// Kills the store's process, and returns what comes back; `None` when the store claims to survive nothing.
    async fn crash(&self, store: Self::Store) -> Option<Self::Store>;
}

fn identity(text: &str) -> Identity {
    text.parse().expect("the kit's identities are valid")
}

/// Returns a twin of this version.
fn twin(version: u64) -> Twin {
    let mut twin = Twin::new(Timestamp::from_unix_ms(0));
    while twin.version() < version {
        let text = format!("{{\"n\":{}}}", twin.version());
        let patch = Patch::parse(text.as_bytes(), &Limits::default()).expect("it is a patch");
        twin.report(&patch, Expect::Anything, &Limits::default(), Timestamp::from_unix_ms(version))
            .expect("it is small");
    }
    twin
}

async fn save(store: &impl TwinStore, client: &str, over: Option<u64>, version: u64) {
    store.save(&identity(client), over, twin(version)).await.expect("saving succeeds");
}

async fn load(store: &impl TwinStore, client: &str) -> Option<Twin> {
    store.load(&identity(client)).await.expect("loading succeeds")
}

async fn refuse(store: &impl TwinStore, client: &str, over: Option<u64>, version: u64, found: Option<u64>) {
    match store.save(&identity(client), over, twin(version)).await {
        Err(TwinStoreError::Conflict { found: reported }) => assert_eq!(reported, found),
        other => panic!("saving version {version} over {over:?}, where {found:?} is stored: {other:?}"),
    }
}

async fn page(store: &impl TwinStore, after: Option<&str>, limit: usize) -> Vec<(String, u64)> {
    let after = after.map(identity);
    let limit = NonZeroUsize::new(limit).expect("a limit is not zero");
    let page = store.list(after.as_ref(), limit).await.expect("listing succeeds");
    page.into_iter().map(|(identity, twin)| (identity.to_string(), twin.version())).collect()
}

/// In the order of identities: a module comes right behind its device.
const CLIENTS: [&str; 6] = ["a", "a/$edgeHub", "a/m", "a-1", "a-1/m", "b"];

async fn fill(store: &impl TwinStore) {
    for client in ["b", "a-1/m", "a", "a/m", "a-1", "a/$edgeHub"] {
        save(store, client, None, 1).await;
    }
}

/// > After `save` or `remove` has returned, `load` and `list` MUST show what was done
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn what_is_saved_is_loaded(harness: &impl TwinHarness) {
    let store = harness.open().await;
    assert_eq!(load(&store, "d").await, None);
    save(&store, "d", None, 1).await;
    assert_eq!(load(&store, "d").await, Some(twin(1)));
    save(&store, "d", Some(1), 3).await;
    assert_eq!(load(&store, "d").await, Some(twin(3)));
}

/// > After `save` or `remove` has returned, `load` and `list` MUST show what was done
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn what_is_saved_is_listed(harness: &impl TwinHarness) {
    let store = harness.open().await;
    save(&store, "d", None, 1).await;
    save(&store, "d", Some(1), 2).await;
    assert_eq!(page(&store, None, 10).await, [("d".to_owned(), 2)]);
}

/// > and MUST still do after a crash when the level is `Written` or `Synced`.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn what_is_saved_survives_a_crash(harness: &impl TwinHarness) {
    let store = harness.open().await;
    save(&store, "d", None, 1).await;
    save(&store, "d", Some(1), 2).await;
    save(&store, "d/m", None, 1).await;
    let Some(store) = harness.crash(store).await else { return };
    assert_eq!(load(&store, "d").await, Some(twin(2)));
    assert_eq!(load(&store, "d/m").await, Some(twin(1)));
}

/// > After `save` or `remove` has returned, `load` and `list` MUST show what was done
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn what_is_removed_is_gone(harness: &impl TwinHarness) {
    let store = harness.open().await;
    save(&store, "d", None, 1).await;
    assert!(store.remove(&identity("d")).await.expect("removing succeeds"), "there was one");
    assert!(!store.remove(&identity("d")).await.expect("removing succeeds"), "there was none");
    assert_eq!(load(&store, "d").await, None);
    assert_eq!(page(&store, None, 10).await, []);
}

/// > and MUST still do after a crash when the level is `Written` or `Synced`.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn what_is_removed_stays_removed_after_a_crash(harness: &impl TwinHarness) {
    let store = harness.open().await;
    save(&store, "d", None, 1).await;
    store.remove(&identity("d")).await.expect("removing succeeds");
    let Some(store) = harness.crash(store).await else { return };
    assert_eq!(load(&store, "d").await, None);
}

/// > A `save` over another version than the stored one MUST be refused with `Conflict` and change nothing.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn a_save_over_another_version_is_refused(harness: &impl TwinHarness) {
    let store = harness.open().await;
    save(&store, "d", None, 2).await;
    refuse(&store, "d", Some(1), 3, Some(2)).await;
    refuse(&store, "d", Some(3), 4, Some(2)).await;
}

/// > A `save` over another version than the stored one MUST be refused with `Conflict` and change nothing.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn a_twin_is_made_once(harness: &impl TwinHarness) {
    let store = harness.open().await;
    save(&store, "d", None, 1).await;
    refuse(&store, "d", None, 2, Some(1)).await;
}

/// > A `save` over another version than the stored one MUST be refused with `Conflict` and change nothing.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn what_is_gone_is_not_saved_over(harness: &impl TwinHarness) {
    let store = harness.open().await;
    save(&store, "d", None, 1).await;
    store.remove(&identity("d")).await.expect("removing succeeds");
    refuse(&store, "d", Some(1), 2, None).await;
}

/// > A `save` over another version than the stored one MUST be refused with `Conflict` and change nothing.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn a_refused_save_changes_nothing(harness: &impl TwinHarness) {
    let store = harness.open().await;
    save(&store, "d", None, 2).await;
    refuse(&store, "d", Some(1), 3, Some(2)).await;
    assert_eq!(load(&store, "d").await, Some(twin(2)));
}

/// > Of several that are made at the same time over the same version, one succeeds.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn of_several_savers_one_succeeds(harness: &impl TwinHarness) {
    let store = harness.open().await;
    let client = identity("d");
    save(&store, "d", None, 1).await;
    let mut savers: Vec<_> = (2..10).map(|version| store.save(&client, Some(1), twin(version))).collect();
    let mut done: Vec<Option<bool>> = vec![None; savers.len()];
    std::future::poll_fn(|cx| {
        for (saver, done) in savers.iter_mut().zip(&mut done).filter(|(_, done)| done.is_none()) {
            if let std::task::Poll::Ready(result) = saver.as_mut().poll(cx) {
                *done = Some(result.is_ok());
            }
        }
        if done.iter().all(Option::is_some) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    assert_eq!(done.iter().filter(|done| **done == Some(true)).count(), 1, "one succeeds");
}

/// > The version of a twin MUST NOT go back: a twin that is not newer than the stored one is refused with `Conflict`.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn versions_never_go_back(harness: &impl TwinHarness) {
    let store = harness.open().await;
    save(&store, "d", None, 3).await;
    refuse(&store, "d", Some(3), 3, Some(3)).await;
    refuse(&store, "d", Some(3), 2, Some(3)).await;
    assert_eq!(load(&store, "d").await, Some(twin(3)));
}

/// > A device and its modules are different identities; a change of one MUST NOT change another.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn identities_are_kept_apart(harness: &impl TwinHarness) {
    let store = harness.open().await;
    for (version, client) in (1..).zip(CLIENTS) {
        save(&store, client, None, version).await;
    }
    store.remove(&identity("a")).await.expect("removing succeeds");
    for (version, client) in (1..).zip(CLIENTS).skip(1) {
        assert_eq!(load(&store, client).await, Some(twin(version)), "{client}");
    }
}

/// > `list` MUST return twins by rising identity, behind `after`
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn twins_are_listed_in_order(harness: &impl TwinHarness) {
    let store = harness.open().await;
    fill(&store).await;
    let listed: Vec<_> = page(&store, None, 10).await.into_iter().map(|(client, _)| client).collect();
    assert_eq!(listed, CLIENTS);
}

/// > `list` MUST return twins by rising identity, behind `after`
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn a_page_begins_behind_the_last(harness: &impl TwinHarness) {
    let store = harness.open().await;
    fill(&store).await;
    assert_eq!(page(&store, Some("a"), 1).await, [("a/$edgeHub".to_owned(), 1)]);
    assert_eq!(page(&store, Some("a/zzz"), 1).await, [("a-1".to_owned(), 1)]);
    assert_eq!(page(&store, Some("b"), 1).await, []);
}

/// > no more than asked for
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn a_page_keeps_to_its_limit(harness: &impl TwinHarness) {
    let store = harness.open().await;
    fill(&store).await;
    let listed = page(&store, None, 3).await.len();
    assert!((1..=3).contains(&listed), "{listed} twins of 3");
}

/// > at least one when there is any: an empty page is the end.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn pages_reach_everybody(harness: &impl TwinHarness) {
    let store = harness.open().await;
    fill(&store).await;
    let mut listed: Vec<String> = Vec::new();
    loop {
        let next = page(&store, listed.last().map(String::as_str), 2).await;
        if next.is_empty() {
            break;
        }
        listed.extend(next.into_iter().map(|(client, _)| client));
    }
    assert_eq!(listed, CLIENTS);
}

/// Makes one test of each case of the [twin kit](crate::testing::twin_store); the argument makes a harness.
#[macro_export]
macro_rules! twin_store_conformance {
    ($harness:expr) => {
        $crate::__twin_store_cases! { __twin_kit_tests! [$harness] }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __twin_kit_tests {
    ([$harness:expr] $($case:ident,)*) => {
        $(
            #[::tokio::test]
            async fn $case() {
                $crate::testing::twin_store::$case(&$harness).await;
            }
        )*
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __twin_kit_index {
    ([$harness:ident] $($case:ident,)*) => {
        /// The names of all cases of the kit.
        pub const CASES: &[&str] = &[$(stringify!($case)),*];

        /// Runs the case with this name.
        ///
        /// # Cancel safety
        /// Not cancel-safe: a case dropped half way has checked nothing.
        ///
        /// # Panics
        /// Panics when the contract is broken, and when there is no such case.
        pub async fn run(case: &str, harness: &impl $harness) {
            match case {
                $(stringify!($case) => Box::pin($case(harness)).await,)*
                _ => panic!("there is no case {case:?} in this kit"),
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __twin_store_cases {
    ($then:ident! $args:tt) => {
        $crate::$then! { $args
            what_is_saved_is_loaded,
            what_is_saved_is_listed,
            what_is_saved_survives_a_crash,
            what_is_removed_is_gone,
            what_is_removed_stays_removed_after_a_crash,
            a_save_over_another_version_is_refused,
            a_twin_is_made_once,
            what_is_gone_is_not_saved_over,
            a_refused_save_changes_nothing,
            of_several_savers_one_succeeds,
            versions_never_go_back,
            identities_are_kept_apart,
            twins_are_listed_in_order,
            a_page_begins_behind_the_last,
            a_page_keeps_to_its_limit,
            pages_reach_everybody,
        }
    };
}

__twin_store_cases! { __twin_kit_index! [TwinHarness] }
