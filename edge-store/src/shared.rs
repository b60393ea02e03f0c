//! The state and its lock, shared by the store and its threads.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::fs::Fs;
use crate::log::file_name;
use crate::state::State;

/// What the store, the writer and the reader share.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    /// Wakes the writer.
    pub(crate) mail: Condvar,
    pub(crate) fs: Arc<dyn Fs>,
    pub(crate) dir: PathBuf,
    pub(crate) salt: u64,
    /// Whether files may be changed.
    pub(crate) read_only: bool,
}

impl Shared {
    pub(crate) fn new(state: State, fs: Arc<dyn Fs>, dir: &Path, salt: u64) -> Self {
        Self {
            state: Mutex::new(state),
            mail: Condvar::new(),
            fs,
            dir: dir.to_owned(),
            salt,
            read_only: false,
        }
    }

    /// Locks the state; it is only ever left whole, so a panic elsewhere does not spoil it.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Unlocks the state, and wakes the writer when it has been left work.
    pub(crate) fn wake_writer(&self, mut state: MutexGuard<'_, State>) {
        let wakes = state.wakes_writer();
        drop(state);
        if wakes {
            self.mail.notify_one();
        }
    }

    pub(crate) fn path(&self, segment: u64) -> PathBuf {
        self.dir.join(file_name(segment))
    }
}
