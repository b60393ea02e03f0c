//! Runs the far side's connections.
#![expect(clippy::disallowed_methods, reason = "the one place of these tests that spawns")]

use std::future::Future;

pub fn spawn(work: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(work);
}
