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
    let mut shares = (resources.requests(), resources.partial());
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| RestError::invalid(format!("the body cannot be read: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        let bytes = all.len().saturating_add(data.len());
        if bytes > max {
            return Err(ServiceError::TooLarge { what: "the request", bytes, max }.into());
        }
        if !(shares.0.resize(bytes) && shares.1.resize(bytes)) {
            let source = "too much of other requests is in memory".into();
            return Err(ServiceError::Unavailable { source }.into());
        }
        all.extend_from_slice(&data);
    }
    Ok(all.freeze())
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::response::IntoResponse as _;
    use futures_util::{FutureExt as _, StreamExt as _, stream};

    use super::*;
    use crate::TransportLimits;

    /// A body whose end does not come.
    fn endless(bytes: usize) -> Body {
        let first = stream::iter([Ok::<_, Infallible>(vec![0; bytes])]);
        Body::from_stream(first.chain(stream::pending()))
    }

    #[test]
    fn requests_that_do_not_end_leave_memory_to_connections() {
        let limits = TransportLimits { max_partial_bytes: 1000, ..TransportLimits::default() };
        let resources = Resources::new(limits);
        let mut hogs: Vec<_> = (0..5).map(|_| Box::pin(collect(endless(100), &resources, 4000))).collect();
        for hog in &mut hogs {
            assert!(hog.as_mut().now_or_never().is_none(), "it waits for more");
        }
        let refused = collect(endless(1), &resources, 4000).now_or_never().unwrap().unwrap_err();
        assert_eq!(refused.into_response().status(), 503);
        assert!(resources.partial().resize(500), "a connection has the other half");
        hogs.clear();
        assert!(collect(endless(500), &resources, 4000).now_or_never().is_none());
    }
}
