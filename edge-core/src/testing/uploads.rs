//! Conformance kit for [`FileUploads`].
//!
//! | contract | case | saboteur that fails it |
//! |---|---|---|
//! | `begin` MUST give every upload a correlation id that no other has | [`every_upload_has_an_id_of_its_own`] | `GivesOneId` |
//! | `begin` MUST give a device a blob whose name begins with the device's id and a slash, and ends with the name asked for | [`a_blob_is_the_devices_own`] | `ForgetsTheDevice` |
//! | … ends with the name asked for | [`a_blob_has_the_name_asked_for`] | `RenamesBlobs` |
//! | `begin` MUST refuse a name that would lead out of there | [`names_that_lead_out_are_refused`] | `TakesAnyName` |
//! | `finish` MUST take a correlation id only of the device that it was given to | [`others_cannot_finish`] | `LetsOthersFinish` |
//! | … and only once | [`an_upload_is_finished_once`] | `FinishesTwice` |
//! | `finish` MUST refuse every other correlation id | [`unknown_uploads_are_refused`] | `TakesAnyId` |
#![expect(clippy::missing_panics_doc, reason = "a case fails by a panic: that is its job")]

use async_trait::async_trait;

use crate::Identity;
use crate::service::{FileUploads, ServiceError, UploadNotice, UploadTicket};

/// How the kit gets at what serves uploads.
#[async_trait]
pub trait UploadHarness: Send + Sync {
    /// What is tested.
    type Uploads: FileUploads;

    /// Returns one that devices may upload to.
    async fn open(&self) -> Self::Uploads;
}

fn device(text: &str) -> Identity {
    text.parse().expect("the kit's identities are valid")
}

async fn begin(uploads: &impl FileUploads, who: &str, name: &str) -> UploadTicket {
    uploads.begin(&device(who), name).await.expect("a device may upload")
}

async fn finish(uploads: &impl FileUploads, who: &str, id: &str) -> Result<(), ServiceError> {
    uploads.finish(&device(who), UploadNotice::new(id, true)).await
}

fn check_invalid<T: std::fmt::Debug>(result: Result<T, ServiceError>, what: &str) {
    assert!(matches!(result, Err(ServiceError::Invalid { .. })), "{what}: {result:?}");
}

/// > `begin` MUST give every upload a correlation id that no other has.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn every_upload_has_an_id_of_its_own(harness: &impl UploadHarness) {
    let uploads = harness.open().await;
    let mut ids = Vec::new();
    for (who, name) in [("a", "x"), ("a", "x"), ("a", "y"), ("b", "x")] {
        ids.push(begin(&uploads, who, name).await.correlation_id);
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4, "{ids:?}");
}

/// > `begin` MUST give a device a blob whose name begins with the device's id and a slash, and ends with the name asked
/// > for.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn a_blob_is_the_devices_own(harness: &impl UploadHarness) {
    let uploads = harness.open().await;
    for who in ["a", "b"] {
        let ticket = begin(&uploads, who, "log.txt").await;
        assert!(ticket.blob_name.starts_with(&format!("{who}/")), "{ticket:?}");
    }
}

/// > `begin` MUST give a device a blob whose name begins with the device's id and a slash, and ends with the name asked
/// > for.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn a_blob_has_the_name_asked_for(harness: &impl UploadHarness) {
    let uploads = harness.open().await;
    for name in ["log.txt", "2026/01/log ä.txt", "a..b"] {
        let ticket = begin(&uploads, "a", name).await;
        assert!(ticket.blob_name.ends_with(&format!("/{name}")), "{ticket:?}");
    }
}

/// > `begin` MUST refuse a name that would lead out of there with [`ServiceError::Invalid`].
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn names_that_lead_out_are_refused(harness: &impl UploadHarness) {
    let uploads = harness.open().await;
    for name in ["", "..", "../b/x", "x/../../b/x", "/x", "x/./y", "x\\..\\y"] {
        check_invalid(uploads.begin(&device("a"), name).await, name);
    }
}

/// > `finish` MUST take a correlation id only of the device that it was given to, and only once.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn others_cannot_finish(harness: &impl UploadHarness) {
    let uploads = harness.open().await;
    let ticket = begin(&uploads, "a", "x").await;
    check_invalid(finish(&uploads, "b", &ticket.correlation_id).await, "another device's upload");
    finish(&uploads, "a", &ticket.correlation_id).await.expect("the device itself can finish it");
}

/// > `finish` MUST take a correlation id only of the device that it was given to, and only once.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn an_upload_is_finished_once(harness: &impl UploadHarness) {
    let uploads = harness.open().await;
    let ticket = begin(&uploads, "a", "x").await;
    finish(&uploads, "a", &ticket.correlation_id).await.expect("an upload can be finished");
    check_invalid(finish(&uploads, "a", &ticket.correlation_id).await, "a second time");
}

/// > `finish` MUST refuse every other correlation id with [`ServiceError::Invalid`].
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn unknown_uploads_are_refused(harness: &impl UploadHarness) {
    let uploads = harness.open().await;
    check_invalid(finish(&uploads, "a", "no-such-upload").await, "an id that nobody was given");
}

/// Makes one test of each case of the [upload kit](crate::testing::uploads); the argument makes a harness.
#[macro_export]
macro_rules! uploads_conformance {
    ($harness:expr) => {
        $crate::__uploads_cases! { __kit_tests! [$harness] }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __uploads_cases {
    ($then:ident! $args:tt) => {
        $crate::$then! { $args uploads:
            every_upload_has_an_id_of_its_own,
            a_blob_is_the_devices_own,
            a_blob_has_the_name_asked_for,
            names_that_lead_out_are_refused,
            others_cannot_finish,
            an_upload_is_finished_once,
            unknown_uploads_are_refused,
        }
    };
}

__uploads_cases! { __kit_index! [UploadHarness] }
