//! Uploads to a storage that is not there: tickets, and who has them.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use edge_core::Identity;
use edge_core::service::{FileUploads, ServiceError, UploadNotice, UploadTicket};
use edge_core::testing::uploads::UploadHarness;

/// Tickets that were given and not finished.
#[derive(Debug, Default)]
pub struct Tickets {
    open: Mutex<(u64, BTreeMap<String, Identity>)>,
}

#[async_trait]
impl FileUploads for Tickets {
    async fn begin(&self, device: &Identity, blob_name: &str) -> Result<UploadTicket, ServiceError> {
        let leads_out = |part: &str| matches!(part, "" | "." | "..");
        if blob_name.split(['/', '\\']).any(leads_out) {
            return Err(ServiceError::invalid("the name of the blob leads out of the device's folder"));
        }
        let mut open = self.open.lock().unwrap();
        open.0 += 1;
        let id = open.0.to_string();
        open.1.insert(id.clone(), device.clone());
        Ok(UploadTicket::new(id, "blobs.local", "uploads", format!("{device}/{blob_name}"), "?sig=none"))
    }

    async fn finish(&self, device: &Identity, notice: UploadNotice) -> Result<(), ServiceError> {
        let mut open = self.open.lock().unwrap();
        if open.1.get(&notice.correlation_id) != Some(device) {
            return Err(ServiceError::invalid("no upload of this device has this correlation id"));
        }
        open.1.remove(&notice.correlation_id);
        Ok(())
    }
}

/// Opens what a function makes of sound tickets.
#[derive(Debug)]
pub struct TicketHarness<F> {
    pub make: F,
}

#[async_trait]
impl<U: FileUploads, F: Fn(Tickets) -> U + Send + Sync> UploadHarness for TicketHarness<F> {
    type Uploads = U;

    async fn open(&self) -> U {
        (self.make)(Tickets::default())
    }
}
