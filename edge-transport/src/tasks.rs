//! The tasks of a listener: one for each connection, kept until they end.

use std::future::Future;

use tokio::task::JoinSet;

/// Runs `work` in a task of its own, so that it goes on when the caller does not wait any more; `None` when it panics.
///
/// Whoever calls bounds how much of it there is, and how long it takes.
#[expect(clippy::disallowed_methods, reason = "the task ends by itself, and its result is waited for here")]
pub(crate) async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Option<T> {
    tokio::spawn(work).await.ok()
}

/// Tasks that end with the set.
#[derive(Debug, Default)]
pub(crate) struct Tasks(JoinSet<()>);

impl Tasks {
    /// Starts a task; it is aborted when the set is dropped.
    pub(crate) fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(task);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Waits until one task has ended; a panic in it ends nothing else.
    pub(crate) async fn one_ended(&mut self) {
        if let Some(Err(error)) = self.0.join_next().await
            && error.is_panic()
        {
            tracing::debug!(%error, "a connection's task panicked");
        }
    }

    /// Waits until all tasks have ended.
    pub(crate) async fn all_ended(&mut self) {
        while !self.is_empty() {
            self.one_ended().await;
        }
    }

    /// Ends all tasks where they stand, and waits until they are gone.
    pub(crate) async fn abort(&mut self) {
        self.0.shutdown().await;
    }
}
