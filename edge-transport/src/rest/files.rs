//! The handshake of devices that upload files.

use axum::http::StatusCode;
use edge_core::service::UploadNotice;
use serde::{Deserialize, Serialize};

use super::call::{Call, carried_through};
use super::error::{Answer, RestError, json_of, no_content};

/// The most bytes of either request.
const MAX_BYTES: usize = 16 << 10;
/// The most bytes of a blob's name. Azure Blob Storage.
const MAX_NAME_BYTES: usize = 1024;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wish {
    blob_name: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Ticket<'a> {
    correlation_id: &'a str,
    host_name: &'a str,
    container_name: &'a str,
    blob_name: &'a str,
    sas_token: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Notice {
    correlation_id: Option<String>,
    is_success: bool,
    #[serde(default)]
    status_code: i64,
    #[serde(default)]
    status_description: Option<String>,
}

pub(super) async fn begin(mut call: Call) -> Answer {
    let visit = call.visit().await?;
    let uploads = call.uploads()?.clone();
    let wish: Wish = super::call::parse(&call.body_within(MAX_BYTES).await?)?;
    if wish.blob_name.is_empty() || wish.blob_name.len() > MAX_NAME_BYTES {
        return Err(RestError::invalid("blobName has 1 to 1024 bytes"));
    }
    let ticket = uploads.begin(&visit.authenticated().identity, &wish.blob_name).await?;
    let out = Ticket {
        correlation_id: &ticket.correlation_id,
        host_name: &ticket.host_name,
        container_name: &ticket.container_name,
        blob_name: &ticket.blob_name,
        sas_token: &ticket.sas_token,
    };
    json_of(StatusCode::OK, &out)
}

/// The correlation id stands in the body, or in the path where the Node SDK puts it.
pub(super) async fn finish(mut call: Call) -> Answer {
    let visit = call.visit().await?;
    let uploads = call.uploads()?.clone();
    let notice: Notice = super::call::parse(&call.body_within(MAX_BYTES).await?)?;
    let id = if call.lock.is_empty() { notice.correlation_id.unwrap_or_default() } else { call.lock };
    let mut out = UploadNotice::new(id, notice.is_success);
    out.status_code = notice.status_code;
    out.status_description = notice.status_description.unwrap_or_default();
    let identity = visit.authenticated().identity.clone();
    carried_through(async move { uploads.finish(&identity, out).await }).await?;
    no_content()
}
