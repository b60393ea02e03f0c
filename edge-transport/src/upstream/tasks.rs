//! Spawns the driver.

use std::future::Future;

use tokio::runtime::Handle;

/// Runs `driver` on `runtime`; it ends when the upstream is closed or dropped.
pub(super) fn spawn(runtime: &Handle, driver: impl Future<Output = ()> + Send + 'static) {
    drop(runtime.spawn(driver));
}
