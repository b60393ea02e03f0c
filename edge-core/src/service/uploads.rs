//! Files that devices upload: who says where to, and hears what came of it.

use std::fmt;

use async_trait::async_trait;

use super::ServiceError;
use crate::Identity;

/// Where a device may put a file.
///
/// `Debug` does not show the token.
///
/// # Examples
/// ```
/// use edge_core::service::UploadTicket;
///
/// let ticket = UploadTicket::new("1", "plant.blob.local", "uploads", "press-7/log.txt", "?sig=...");
/// assert_eq!(ticket.blob_name, "press-7/log.txt");
/// ```
///
/// # Source
/// Azure IoT Hub, "Upload files with IoT Hub", the answer to `POST /devices/{id}/files`.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UploadTicket {
    /// What the device names when it says that it is done.
    pub correlation_id: String,
    /// The host of the storage.
    pub host_name: String,
    /// The container in the storage.
    pub container_name: String,
    /// The file's whole name in the container, the device's id and a slash first.
    pub blob_name: String,
    /// What is put behind the address, with its question mark; it opens that file and nothing else.
    pub sas_token: String,
}

impl UploadTicket {
    /// Returns a ticket.
    #[must_use]
    pub fn new(
        correlation_id: impl Into<String>,
        host_name: impl Into<String>,
        container_name: impl Into<String>,
        blob_name: impl Into<String>,
        sas_token: impl Into<String>,
    ) -> Self {
        Self {
            correlation_id: correlation_id.into(),
            host_name: host_name.into(),
            container_name: container_name.into(),
            blob_name: blob_name.into(),
            sas_token: sas_token.into(),
        }
    }
}

impl fmt::Debug for UploadTicket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UploadTicket")
            .field("correlation_id", &self.correlation_id)
            .field("blob_name", &self.blob_name)
            .finish_non_exhaustive()
    }
}

/// What a device says came of an upload.
///
/// # Source
/// Azure IoT Hub, "Upload files with IoT Hub", `POST /devices/{id}/files/notifications`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UploadNotice {
    /// The ticket's.
    pub correlation_id: String,
    /// Whether the file is there.
    pub is_success: bool,
    /// What the storage said, in its own terms.
    pub status_code: i64,
    /// The same in words.
    pub status_description: String,
}

impl UploadNotice {
    /// Returns a notice.
    #[must_use]
    pub fn new(correlation_id: impl Into<String>, is_success: bool) -> Self {
        let (status_code, status_description) = (if is_success { 200 } else { 500 }, String::new());
        Self { correlation_id: correlation_id.into(), is_success, status_code, status_description }
    }
}

/// Serves the handshake by which devices upload files; the files themselves go to the storage, past the gateway.
///
/// # Contract
/// - `begin` MUST give every upload a correlation id that no other has.
/// - `begin` MUST give a device a blob whose name begins with the device's id and a slash, and ends with the name asked
///   for.
/// - `begin` MUST refuse a name that would lead out of there with [`ServiceError::Invalid`].
/// - `finish` MUST take a correlation id only of the device that it was given to, and only once.
/// - `finish` MUST refuse every other correlation id with [`ServiceError::Invalid`].
///
/// The conformance kit is `edge_core::testing::uploads`, behind the feature `testing`.
#[async_trait]
pub trait FileUploads: fmt::Debug + Send + Sync + 'static {
    /// Says where a device may put a file of this name.
    ///
    /// # Errors
    /// [`ServiceError`] when it may not.
    ///
    /// # Cancel safety
    /// Dropped, the ticket may have been made; nobody has it.
    async fn begin(&self, device: &Identity, blob_name: &str) -> Result<UploadTicket, ServiceError>;

    /// Hears what came of an upload.
    ///
    /// # Errors
    /// [`ServiceError`] when the notice is not taken; the device may send it again when it cannot be taken now.
    ///
    /// # Cancel safety
    /// Dropped, the notice is taken as a whole or not at all.
    async fn finish(&self, device: &Identity, notice: UploadNotice) -> Result<(), ServiceError>;
}

const _: Option<&dyn FileUploads> = None;
