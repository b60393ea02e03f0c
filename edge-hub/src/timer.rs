//! Waiting for time, in one place.

use std::future::Future;
use std::time::{Duration, Instant};

/// Waits for `future`, at most for `limit`; `None` when the time is up.
pub(crate) async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    tokio::time::timeout(limit, future).await.ok()
}

/// Returns the time by which the hub waits.
#[expect(clippy::disallowed_methods, reason = "this file is where the hub waits for time")]
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Waits for `wait` to pass.
#[expect(clippy::disallowed_methods, reason = "this file is where the hub waits for time")]
pub(crate) async fn pause(wait: Duration) {
    tokio::time::sleep(wait).await;
}
