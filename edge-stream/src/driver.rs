//! Waits for time to pass, for keys that are silent.
#![expect(clippy::disallowed_methods, reason = "this file is where time is waited for")]

use std::time::Duration;

use edge_core::Report;

use crate::WindowEndpoint;

/// How often silence is looked for.
const EVERY: Duration = Duration::from_secs(1);

impl WindowEndpoint {
    /// Closes the windows of silent keys, once a second, without end.
    ///
    /// # Cancel safety
    /// Cancel-safe: it is stopped by dropping it, and what was not sent is sent by the next call.
    pub async fn run(&self) {
        loop {
            tokio::time::sleep(EVERY).await;
            if let Err(error) = self.tick().await {
                tracing::debug!(window = self.name(), error = %Report(&error), "results wait");
            }
        }
    }
}
