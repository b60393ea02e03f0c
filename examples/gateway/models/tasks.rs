//! The tasks of the models, each of which can be stopped by its name.

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use edge_transport::{Stop, Stopper};
use tokio::task::JoinHandle;

/// How long a model has to end in order.
const GRACE: Duration = Duration::from_secs(5);

/// Tasks by name.
#[derive(Default)]
pub(crate) struct Tasks(HashMap<String, (Stopper, JoinHandle<()>)>);

impl Tasks {
    /// Starts a task that ends soon after it is told to.
    pub(crate) fn start<F>(&mut self, name: String, task: impl FnOnce(Stop) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (stopper, stop) = Stop::pair();
        #[expect(clippy::disallowed_methods, reason = "the one place of the gateway that spawns tasks")]
        let task = tokio::spawn(task(stop));
        self.0.insert(name, (stopper, task));
    }

    /// Ends a task, and waits for its end.
    pub(crate) async fn stop(&mut self, name: &str) {
        let Some((stopper, mut task)) = self.0.remove(name) else { return };
        stopper.stop();
        if tokio::time::timeout(GRACE, &mut task).await.is_err() {
            task.abort();
        }
    }
}

/// Waits.
#[expect(clippy::disallowed_methods, reason = "a model that cannot be opened is tried again later")]
pub(crate) async fn pause(wait: Duration) {
    tokio::time::sleep(wait).await;
}
