//! Conformance kit for [`IdentityStore`].
//!
//! | contract | case | saboteur that fails it |
//! |---|---|---|
//! | After the receipt of `apply` has resolved to `Ok`, `load` MUST return every record as it was last put | [`what_is_put_is_loaded`] | `PutsNothing` |
//! | … field for field | [`every_field_comes_back`] | `ForgetsTheConfiguration` |
//! | … and nothing that was removed | [`what_is_removed_is_gone`] | `RemovesNothing` |
//! | … every record | [`a_device_and_its_modules_are_kept_apart`] | `ForgetsTheModule` |
//! | … also after a crash | [`what_is_put_survives_a_crash`] | `WritesNothing` |
//! | … also after a crash | [`what_is_removed_stays_removed_after_a_crash`] | `WritesNoRemovals` |
//! | The changes of one call MUST be made all or not at all | [`a_call_is_whole_or_absent_after_a_crash`] | `WritesOneByOne` |
//! | Changes MUST be made in the order of the calls | [`a_later_call_counts`] | `KeepsTheFirst` |
//! | … and within a call in the order given | [`a_later_change_of_a_call_counts`] | `TurnsTheCallAround` |
//! | `apply` MUST NOT block on the disk | [`apply_does_not_touch_the_disk`] | `WritesInTheCall` |
#![expect(clippy::missing_panics_doc, reason = "a case fails by a panic: that is its job")]

use async_trait::async_trait;

use crate::service::{AuthRecord, Configured, IdentityChange, IdentityRecord, IdentityStore, Secret};
use crate::{Identity, Timestamp};

/// How the kit gets at an identity store.
#[async_trait]
pub trait IdentityHarness: Send + Sync {
    /// The store under test.
    type Store: IdentityStore;

    /// Returns an empty store.
    async fn open(&self) -> Self::Store;

    /// Kills the store's process, and returns what comes back; `None` when the store claims to survive nothing.
    ///
    /// What was not handed to the operating system when this is called is gone.
    async fn crash(&self, store: Self::Store) -> Option<Self::Store>;

    /// Makes every disk operation on the calling thread panic, until [`IdentityHarness::allow_disk`]; returns whether
    /// it can.
    fn forbid_disk(&self, _store: &Self::Store) -> bool {
        false
    }

    /// Ends what [`IdentityHarness::forbid_disk`] began.
    fn allow_disk(&self, _store: &Self::Store) {}
}

fn identity(text: &str) -> Identity {
    text.parse().expect("the kit's identities are valid")
}

/// Returns a record that differs from others by its etag.
fn record(who: &str, etag: &str) -> IdentityRecord {
    let mut record = IdentityRecord::new(identity(who), AuthRecord::CertificateAuthority);
    record.etag = etag.into();
    record
}

fn put(record: &IdentityRecord) -> IdentityChange {
    IdentityChange::Put(Box::new(record.clone()))
}

async fn apply(store: &impl IdentityStore, changes: Vec<IdentityChange>) {
    store.apply(changes).await.expect("applying succeeds");
}

/// Returns all records in the order of their identities.
async fn load(store: &impl IdentityStore) -> Vec<IdentityRecord> {
    let mut all = store.load().await.expect("loading succeeds");
    all.sort_by(|a, b| a.identity.cmp(&b.identity));
    all
}

/// Returns one record of each kind of authentication, and with each field set and not set.
fn samples() -> Vec<IdentityRecord> {
    let sas = |secondary: Option<&str>| AuthRecord::Sas {
        primary: Secret::new("cHJpbWFyeQ=="),
        secondary: secondary.map(Secret::new),
    };
    let mut full = record("a", "AAAA=");
    full.generation = "638000000000000000".into();
    full.enabled = false;
    full.status_reason = Some("stolen, \"maybe\"\n".into());
    full.status_updated = Some(Timestamp::from_unix_ms(1_767_225_600_123));
    full.auth = sas(Some("c2Vjb25kYXJ5"));
    full.edge = true;
    full.device_scope = Some("ms-azure-iot-edge://a-1".into());
    full.parent_scopes = vec!["ms-azure-iot-edge://b-2".into(), "ms-azure-iot-edge://c-3".into()];
    full.managed_by = Some("IotEdge".into());
    full.configured = Some(Configured::new(sas(None), true));
    let prints = |primary: Option<&str>, secondary: Option<&str>| AuthRecord::Thumbprints {
        primary: primary.map(Into::into),
        secondary: secondary.map(Into::into),
    };
    let kinds = [
        sas(None),
        prints(Some("00ff"), None),
        prints(None, Some("ff00")),
        AuthRecord::CertificateAuthority,
        AuthRecord::None,
    ];
    let others = kinds.into_iter().zip(1..).map(|(auth, n)| {
        let mut record = record(&format!("b{n}"), "");
        record.auth = auth;
        record
    });
    std::iter::once(full).chain(others).collect()
}

/// > After the receipt of `apply` has resolved to `Ok`, `load` MUST return every record as it was last put, field for
/// > field, and nothing that was removed, also after a crash.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn what_is_put_is_loaded(harness: &impl IdentityHarness) {
    let store = harness.open().await;
    assert_eq!(load(&store).await, [], "nobody is registered at first");
    apply(&store, vec![put(&record("press", "1"))]).await;
    assert_eq!(load(&store).await, [record("press", "1")]);
}

/// > After the receipt of `apply` has resolved to `Ok`, `load` MUST return every record as it was last put, field for
/// > field, and nothing that was removed, also after a crash.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn every_field_comes_back(harness: &impl IdentityHarness) {
    let store = harness.open().await;
    let samples = samples();
    apply(&store, samples.iter().map(put).collect()).await;
    assert_eq!(load(&store).await, samples);
    if let Some(store) = harness.crash(store).await {
        assert_eq!(load(&store).await, samples);
    }
}

/// > After the receipt of `apply` has resolved to `Ok`, `load` MUST return every record as it was last put, field for
/// > field, and nothing that was removed, also after a crash.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn what_is_removed_is_gone(harness: &impl IdentityHarness) {
    let store = harness.open().await;
    apply(&store, vec![put(&record("press", "1")), put(&record("mill", "1"))]).await;
    apply(
        &store,
        vec![IdentityChange::Remove(identity("press")), IdentityChange::Remove(identity("never-seen"))],
    )
    .await;
    assert_eq!(load(&store).await, [record("mill", "1")]);
}

/// > After the receipt of `apply` has resolved to `Ok`, `load` MUST return every record as it was last put, field for
/// > field, and nothing that was removed, also after a crash.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn a_device_and_its_modules_are_kept_apart(harness: &impl IdentityHarness) {
    let store = harness.open().await;
    let all = ["edge1", "edge1/a", "edge1/b", "edge10"].map(|who| record(who, who));
    apply(&store, all.iter().map(put).collect()).await;
    assert_eq!(load(&store).await, all);
    apply(&store, vec![IdentityChange::Remove(identity("edge1"))]).await;
    assert_eq!(load(&store).await, all[1..], "the store knows nothing of devices that own modules");
}

/// > After the receipt of `apply` has resolved to `Ok`, `load` MUST return every record as it was last put, field for
/// > field, and nothing that was removed, also after a crash.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn what_is_put_survives_a_crash(harness: &impl IdentityHarness) {
    let store = harness.open().await;
    apply(&store, vec![put(&record("press", "1"))]).await;
    apply(&store, vec![put(&record("mill", "1")), put(&record("press", "2"))]).await;
    let Some(store) = harness.crash(store).await else {
        return super::absent("what_is_put_survives_a_crash", "store that survives a crash");
    };
    assert_eq!(load(&store).await, [record("mill", "1"), record("press", "2")]);
}

/// > After the receipt of `apply` has resolved to `Ok`, `load` MUST return every record as it was last put, field for
/// > field, and nothing that was removed, also after a crash.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn what_is_removed_stays_removed_after_a_crash(harness: &impl IdentityHarness) {
    let store = harness.open().await;
    apply(&store, vec![put(&record("press", "1"))]).await;
    apply(&store, vec![IdentityChange::Remove(identity("press"))]).await;
    let Some(store) = harness.crash(store).await else {
        return super::absent("what_is_removed_stays_removed_after_a_crash", "store that survives a crash");
    };
    assert_eq!(load(&store).await, []);
}

/// > The changes of one call MUST be made all or not at all, also when a crash comes in between.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn a_call_is_whole_or_absent_after_a_crash(harness: &impl IdentityHarness) {
    for pause in 0..8 {
        let store = harness.open().await;
        apply(&store, vec![put(&record("press", "1"))]).await;
        let unconfirmed =
            store.apply(["mill", "press", "saw", "drill"].iter().map(|who| put(&record(who, "2"))).collect());
        for _ in 0..pause {
            others_run().await;
        }
        drop(unconfirmed);
        let Some(store) = harness.crash(store).await else {
            return super::absent("a_call_is_whole_or_absent_after_a_crash", "store that survives a crash");
        };
        let found = load(&store).await;
        let whole = ["drill", "mill", "press", "saw"].map(|who| record(who, "2"));
        assert!(found == whole || found == [record("press", "1")], "a part of a call: {found:?}");
    }
}

/// Lets other tasks of the runtime run.
async fn others_run() {
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return std::task::Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

/// > Changes MUST be made in the order of the calls, and within a call in the order given.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn a_later_call_counts(harness: &impl IdentityHarness) {
    let store = harness.open().await;
    let earlier = store.apply(vec![put(&record("press", "1"))]);
    let later = store.apply(vec![put(&record("press", "2"))]);
    later.await.expect("applying succeeds");
    earlier.await.expect("applying succeeds");
    assert_eq!(load(&store).await, [record("press", "2")]);
}

/// > Changes MUST be made in the order of the calls, and within a call in the order given.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn a_later_change_of_a_call_counts(harness: &impl IdentityHarness) {
    let store = harness.open().await;
    let remove = || IdentityChange::Remove(identity("press"));
    apply(&store, vec![put(&record("press", "1")), remove(), put(&record("press", "2"))]).await;
    apply(&store, vec![put(&record("mill", "1")), put(&record("mill", "2"))]).await;
    assert_eq!(load(&store).await, [record("mill", "2"), record("press", "2")]);
}

/// > `apply` MUST NOT block on the disk.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn apply_does_not_touch_the_disk(harness: &impl IdentityHarness) {
    let store = harness.open().await;
    if !harness.forbid_disk(&store) {
        return super::absent("apply_does_not_touch_the_disk", "disk that can be forbidden");
    }
    let receipt = store.apply(vec![put(&record("press", "1"))]);
    harness.allow_disk(&store);
    receipt.await.expect("applying succeeds");
    assert_eq!(load(&store).await, [record("press", "1")]);
}

/// Makes one test of each case of the [identity kit](crate::testing::identity_store); the argument makes a harness.
#[macro_export]
macro_rules! identity_store_conformance {
    ($harness:expr) => {
        $crate::__identity_store_cases! { __kit_tests! [$harness] }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __identity_store_cases {
    ($then:ident! $args:tt) => {
        $crate::$then! { $args identity_store:
            what_is_put_is_loaded,
            every_field_comes_back,
            what_is_removed_is_gone,
            a_device_and_its_modules_are_kept_apart,
            what_is_put_survives_a_crash,
            what_is_removed_stays_removed_after_a_crash,
            a_call_is_whole_or_absent_after_a_crash,
            a_later_call_counts,
            a_later_change_of_a_call_counts,
            apply_does_not_touch_the_disk,
        }
    };
}

__identity_store_cases! { __kit_index! [IdentityHarness] }
