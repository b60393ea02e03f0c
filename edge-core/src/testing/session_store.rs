//! Conformance kit for [`SessionStore`].
//!
//! | contract | case | saboteur that fails it |
//! |---|---|---|
//! | After the receipt of `save` has resolved, `load` MUST return what was saved | [`what_is_saved_is_loaded`] | `SavesNothing` |
//! | … what was saved | [`a_later_save_replaces`] | `KeepsTheUnion` |
//! | … what was saved | [`clients_are_kept_apart`] | `ForgetsTheModule` |
//! | … also after a crash | [`what_is_saved_survives_a_crash`] | `WritesNothing` |
//! | … also after a crash | [`what_is_removed_stays_removed_after_a_crash`] | `WritesNoRemovals` |
//! | Saving an empty set MUST remove the entry | [`an_empty_set_removes_the_entry`] | `KeepsEmptySets` |
//! | The calls MUST NOT block on the disk | [`calls_do_not_touch_the_disk`] | `WritesInTheCall` |
//! | `all`: returns everybody who is subscribed to something | [`all_names_everybody`] | `NamesDevicesOnly` |
#![expect(clippy::missing_panics_doc, reason = "a case fails by a panic: that is its job")]

use async_trait::async_trait;

use crate::{Feed, FeedSet, Identity, SessionStore};

/// How the kit gets at a session store.
#[async_trait]
pub trait SessionHarness: Send + Sync {
    /// The store under test.
    type Store: SessionStore;

    /// Returns an empty store.
    async fn open(&self) -> Self::Store;

    /// Kills the store's process, and returns what comes back; `None` when the store claims to survive nothing.
    ///
    /// What was not handed to the operating system when this is called is gone.
    async fn crash(&self, store: Self::Store) -> Option<Self::Store>;

    /// Makes every disk operation on the calling thread panic, until [`SessionHarness::allow_disk`]; returns whether
    /// it can.
    fn forbid_disk(&self, _store: &Self::Store) -> bool {
        false
    }

    /// Ends what [`SessionHarness::forbid_disk`] began.
    fn allow_disk(&self, _store: &Self::Store) {}
}

fn identity(text: &str) -> Identity {
    text.parse().expect("the kit's identities are valid")
}

async fn save(store: &impl SessionStore, client: &str, feeds: FeedSet) {
    store.save(&identity(client), feeds).await.expect("saving succeeds");
}

fn some_feeds() -> FeedSet {
    FeedSet::from(Feed::Inputs).with(Feed::Methods)
}

/// > After the receipt of `save` has resolved, `load` MUST return what was saved, also after a crash.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn what_is_saved_is_loaded(harness: &impl SessionHarness) {
    let store = harness.open().await;
    assert_eq!(store.load(&identity("edge1/filter")), FeedSet::EMPTY, "nobody is subscribed at first");
    save(&store, "edge1/filter", some_feeds()).await;
    assert_eq!(store.load(&identity("edge1/filter")), some_feeds());
}

/// > After the receipt of `save` has resolved, `load` MUST return what was saved, also after a crash.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn a_later_save_replaces(harness: &impl SessionHarness) {
    let store = harness.open().await;
    save(&store, "edge1/filter", some_feeds()).await;
    save(&store, "edge1/filter", Feed::Desired.into()).await;
    assert_eq!(store.load(&identity("edge1/filter")), FeedSet::from(Feed::Desired));
}

/// > After the receipt of `save` has resolved, `load` MUST return what was saved, also after a crash.
///
/// A device and its modules are three different clients.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn clients_are_kept_apart(harness: &impl SessionHarness) {
    let store = harness.open().await;
    let clients = [("edge1", Feed::CloudToDevice), ("edge1/a", Feed::Inputs), ("edge1/b", Feed::Methods)];
    for (client, feed) in clients {
        save(&store, client, feed.into()).await;
    }
    for (client, feed) in clients {
        assert_eq!(store.load(&identity(client)), FeedSet::from(feed), "{client}");
    }
}

/// > After the receipt of `save` has resolved, `load` MUST return what was saved, also after a crash.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn what_is_saved_survives_a_crash(harness: &impl SessionHarness) {
    let store = harness.open().await;
    save(&store, "edge1/filter", some_feeds()).await;
    save(&store, "sensor1", Feed::Desired.into()).await;
    let Some(store) = harness.crash(store).await else {
        return super::absent("what_is_saved_survives_a_crash", "store that survives a crash");
    };
    assert_eq!(store.load(&identity("edge1/filter")), some_feeds());
    assert_eq!(store.load(&identity("sensor1")), FeedSet::from(Feed::Desired));
}

/// > After the receipt of `save` has resolved, `load` MUST return what was saved, also after a crash.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn what_is_removed_stays_removed_after_a_crash(harness: &impl SessionHarness) {
    let store = harness.open().await;
    save(&store, "edge1/filter", some_feeds()).await;
    save(&store, "edge1/filter", FeedSet::EMPTY).await;
    let Some(store) = harness.crash(store).await else {
        return super::absent("what_is_removed_stays_removed_after_a_crash", "store that survives a crash");
    };
    assert_eq!(store.load(&identity("edge1/filter")), FeedSet::EMPTY);
    assert_eq!(store.all(), []);
}

/// > Saving an empty set MUST remove the entry: nothing grows with clients that are gone.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn an_empty_set_removes_the_entry(harness: &impl SessionHarness) {
    let store = harness.open().await;
    save(&store, "edge1/filter", some_feeds()).await;
    save(&store, "edge1/filter", FeedSet::EMPTY).await;
    save(&store, "never-seen", FeedSet::EMPTY).await;
    assert_eq!(store.all(), [], "nobody is subscribed to anything");
}

/// > The calls MUST NOT block on the disk; `load` answers from memory.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn calls_do_not_touch_the_disk(harness: &impl SessionHarness) {
    let store = harness.open().await;
    if !harness.forbid_disk(&store) {
        return super::absent("calls_do_not_touch_the_disk", "disk that can be forbidden");
    }
    let receipt = store.save(&identity("edge1/filter"), some_feeds());
    let _loaded = store.load(&identity("edge1/filter"));
    let _everybody = store.all();
    harness.allow_disk(&store);
    receipt.await.expect("saving succeeds");
    assert_eq!(store.load(&identity("edge1/filter")), some_feeds());
}

/// > Returns everybody who is subscribed to something.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn all_names_everybody(harness: &impl SessionHarness) {
    let store = harness.open().await;
    save(&store, "edge1/filter", some_feeds()).await;
    save(&store, "sensor1", Feed::Desired.into()).await;
    let mut all = store.all();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(all, [(identity("edge1/filter"), some_feeds()), (identity("sensor1"), Feed::Desired.into())]);
}

/// Makes one test of each case of the [session kit](crate::testing::session_store); the argument makes a harness.
#[macro_export]
macro_rules! session_store_conformance {
    ($harness:expr) => {
        $crate::__session_store_cases! { __kit_tests! [$harness] }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __session_store_cases {
    ($then:ident! $args:tt) => {
        $crate::$then! { $args session_store:
            what_is_saved_is_loaded,
            a_later_save_replaces,
            clients_are_kept_apart,
            what_is_saved_survives_a_crash,
            what_is_removed_stays_removed_after_a_crash,
            an_empty_set_removes_the_entry,
            calls_do_not_touch_the_disk,
            all_names_everybody,
        }
    };
}

__session_store_cases! { __kit_index! [SessionHarness] }
