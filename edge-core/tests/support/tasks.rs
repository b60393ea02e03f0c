//! Runs what a real store would run on its own thread.
#![expect(clippy::disallowed_methods, reason = "the one place of these tests that spawns")]

use std::future::Future;

/// Runs `work` on the test's runtime, after what was spawned before.
pub fn later(work: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(work);
}
