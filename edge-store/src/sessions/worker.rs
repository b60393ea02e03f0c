//! The thread that writes the session file.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use edge_core::{Durability, ReceiptSender};

use super::{Shared, journal};
use crate::fs::{Fs, FsFile, FsLock, write_all};
use crate::writer::write_error;

pub(super) const FILE: &str = "sessions.log";
const NEW_FILE: &str = "sessions.new";
/// A smaller file is not worth writing anew.
const MIN_REWRITE_BYTES: u64 = 64 * 1024;
/// The file is written anew when it is so many times as large as it was when it was new.
const REWRITE_FACTOR: u64 = 4;

/// Writes the session file.
#[derive(Debug)]
pub(super) struct Worker {
    fs: Arc<dyn Fs>,
    dir: PathBuf,
    shared: Arc<Shared>,
    /// `None` when nobody knows what the file holds: it must be written anew.
    file: Option<Box<dyn FsFile>>,
    len: u64,
    new_len: u64,
    buffer: Vec<u8>,
    _lock: Box<dyn FsLock>,
}

impl Worker {
    pub(super) fn new(fs: Arc<dyn Fs>, dir: &Path, shared: Arc<Shared>, lock: Box<dyn FsLock>) -> Self {
        let dir = dir.to_owned();
        Self { fs, dir, shared, file: None, len: 0, new_len: 0, buffer: Vec::new(), _lock: lock }
    }

    /// Runs until the handle is dropped and everything is written.
    pub(super) fn run(mut self) {
        while let Some(receipts) = self.wait() {
            let outcome = if self.file.is_none() || self.is_stale() { self.rewrite() } else { self.write() };
            if let Err(error) = &outcome {
                tracing::error!(%error, "subscriptions could not be written");
                self.file = None;
            }
            let mut state = self.shared.lock();
            state.unsettled = outcome.is_err() || !state.changed.is_empty();
            drop(state);
            let result = outcome
                .map(|()| Durability::Synced)
                .map_err(|error| write_error(format!("writing {FILE}"), error));
            for receipt in receipts {
                receipt.send(result.clone());
            }
        }
    }

    /// Waits for changes and puts them into the buffer; `None` when there will be none.
    fn wait(&mut self) -> Option<Vec<ReceiptSender>> {
        let shared = self.shared.clone();
        let mut state = shared.lock();
        while state.changed.is_empty() {
            if state.stop {
                return None;
            }
            state = shared.mail.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        self.buffer.clear();
        self.buffer.shrink_to(64 * 1024);
        for (identity, feeds) in std::mem::take(&mut state.changed) {
            journal::put(&mut self.buffer, &identity, feeds);
        }
        Some(std::mem::take(&mut state.receipts))
    }

    fn is_stale(&self) -> bool {
        self.len > MIN_REWRITE_BYTES.max(self.new_len.saturating_mul(REWRITE_FACTOR))
    }

    fn write(&mut self) -> io::Result<()> {
        let Some(file) = &self.file else { return self.rewrite() };
        write_all(file.as_ref(), &self.buffer, self.len)?;
        file.sync()?;
        self.len += self.buffer.len() as u64;
        Ok(())
    }

    /// Writes everything into a new file, and puts it in the place of the old one.
    pub(super) fn rewrite(&mut self) -> io::Result<()> {
        self.buffer.clear();
        journal::begin(&mut self.buffer);
        for (identity, feeds) in &self.shared.lock().feeds {
            journal::put(&mut self.buffer, identity, *feeds);
        }
        let new = self.dir.join(NEW_FILE);
        let file = self.fs.create(&new)?;
        write_all(file.as_ref(), &self.buffer, 0)?;
        file.sync()?;
        self.fs.rename(&new, &self.dir.join(FILE))?;
        self.fs.sync_dir(&self.dir)?;
        self.len = self.buffer.len() as u64;
        self.new_len = self.len;
        self.file = Some(file);
        Ok(())
    }
}
