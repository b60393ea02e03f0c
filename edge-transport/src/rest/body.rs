//! Bodies of requests: bounded in bytes, in memory over all connections, and in time.

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use edge_core::service::ServiceError;
use http_body_util::BodyExt as _;
use tokio::time::timeout;

use super::error::RestError;
use crate::Resources;

/// Reads a body to its end.
pub(super) async fn read(body: Body, resources: &Resources, max: usize) -> Result<Bytes, RestError> {
    let limit = resources.limits().packet_timeout;
    timeout(limit, collect(body, resources, max)).await.unwrap_or_else(|_| Err(RestError::timed_out()))
}

async fn collect(mut body: Body, resources: &Resources, max: usize) -> Result<Bytes, RestError> {
    // The share goes back when the body has arrived: what is made of it is bounded by `max` for each connection.
    let mut share = resources.partial();
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| RestError::invalid(format!("the body cannot be read: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        let bytes = all.len().saturating_add(data.len());
        if bytes > max {
            return Err(ServiceError::TooLarge { what: "the request", bytes, max }.into());
        }
        if !share.resize(bytes) {
            let source = "too much of other requests is in memory".into();
            return Err(ServiceError::Unavailable { source }.into());
        }
        all.extend_from_slice(&data);
    }
    Ok(all.freeze())
}
