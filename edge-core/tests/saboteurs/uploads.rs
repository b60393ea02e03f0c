//! Broken uploads.

use async_trait::async_trait;
use edge_core::Identity;
use edge_core::service::{FileUploads, ServiceError, UploadNotice, UploadTicket};

use super::flaws;
use crate::support::uploads::Tickets;

flaws! { UploadFlaw {
    GivesOneId => "every_upload_has_an_id_of_its_own",
    ForgetsTheDevice => "a_blob_is_the_devices_own",
    RenamesBlobs => "a_blob_has_the_name_asked_for",
    TakesAnyName => "names_that_lead_out_are_refused",
    LetsOthersFinish => "others_cannot_finish",
    FinishesTwice => "an_upload_is_finished_once",
    TakesAnyId => "unknown_uploads_are_refused",
} }

/// Sound uploads with one flaw.
#[derive(Debug)]
pub struct Broken {
    pub inner: Tickets,
    pub flaw: UploadFlaw,
}

#[async_trait]
impl FileUploads for Broken {
    async fn begin(&self, device: &Identity, blob_name: &str) -> Result<UploadTicket, ServiceError> {
        let name = if self.flaw == UploadFlaw::TakesAnyName { "any" } else { blob_name };
        let mut ticket = self.inner.begin(device, name).await?;
        match self.flaw {
            UploadFlaw::GivesOneId => "1".clone_into(&mut ticket.correlation_id),
            UploadFlaw::ForgetsTheDevice => ticket.blob_name = format!("all/{blob_name}"),
            UploadFlaw::RenamesBlobs => ticket.blob_name = format!("{device}/{}", ticket.correlation_id),
            _ => {}
        }
        Ok(ticket)
    }

    async fn finish(&self, device: &Identity, notice: UploadNotice) -> Result<(), ServiceError> {
        let known = notice.correlation_id.parse::<u64>().is_ok();
        let finished = self.inner.finish(device, notice).await;
        match self.flaw {
            UploadFlaw::LetsOthersFinish if device.device().as_str() == "b" => Ok(()),
            UploadFlaw::FinishesTwice if known => Ok(()),
            UploadFlaw::TakesAnyId if !known => Ok(()),
            _ => finished,
        }
    }
}
