//! The one place where the hub spawns tasks: what runs here is known, and is stopped and joined with the hub.

use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::task::{JoinError, JoinSet};

/// How a task ended.
#[derive(Debug)]
pub(crate) enum Ended<T> {
    /// It returned.
    Returned(T),
    /// It panicked.
    Panicked(String),
}

/// The tasks of one kind of a hub.
#[derive(Debug)]
pub(crate) struct Tasks<T> {
    set: Mutex<JoinSet<T>>,
    spawned: tokio::sync::Notify,
}

impl<T> Default for Tasks<T> {
    fn default() -> Self {
        Self { set: Mutex::default(), spawned: tokio::sync::Notify::new() }
    }
}

impl<T: Send + 'static> Tasks<T> {
    fn set(&self) -> MutexGuard<'_, JoinSet<T>> {
        self.set.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a task on the runtime of the caller.
    pub(crate) fn spawn(&self, task: impl Future<Output = T> + Send + 'static) {
        self.set().spawn(task);
        self.spawned.notify_one();
    }

    /// Waits for the next task to end; never returns while none does.
    pub(crate) async fn ended(&self) -> Ended<T> {
        loop {
            let next = std::future::poll_fn(|cx| self.set().poll_join_next(cx));
            tokio::select! {
                ended = next => match ended {
                    Some(ended) => return how(ended),
                    None => self.spawned.notified().await,
                },
                () = self.spawned.notified() => {}
            }
        }
    }

    /// Forgets the tasks that have ended.
    pub(crate) fn forget_ended(&self) {
        let mut set = self.set();
        while set.try_join_next().is_some() {}
    }

    /// Waits until all tasks have ended.
    pub(crate) async fn joined(&self) -> Vec<Ended<T>> {
        let mut all = Vec::new();
        while let Some(ended) = std::future::poll_fn(|cx| self.set().poll_join_next(cx)).await {
            all.push(how(ended));
        }
        all
    }

    /// Stops all tasks at their next await.
    pub(crate) fn abort(&self) {
        self.set().abort_all();
    }
}

/// A task that is waited for by whoever started it.
#[derive(Debug)]
pub(crate) struct Task<T>(tokio::task::JoinHandle<T>);

impl<T: Send + 'static> Task<T> {
    /// Starts a task on the runtime of the caller; dropping the handle lets it go on.
    #[expect(clippy::disallowed_methods, reason = "this file is where the hub spawns")]
    pub(crate) fn start(task: impl Future<Output = T> + Send + 'static) -> Self {
        Self(tokio::spawn(task))
    }

    /// Waits until the task has ended.
    pub(crate) async fn ended(self) -> Ended<T> {
        how(self.0.await)
    }
}

fn how<T>(ended: Result<T, JoinError>) -> Ended<T> {
    match ended {
        Ok(value) => Ended::Returned(value),
        Err(error) => Ended::Panicked(error.to_string()),
    }
}
