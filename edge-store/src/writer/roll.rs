//! Segments: beginning the next one, unlinking the dead ones.

use std::io;
use std::sync::Arc;

use edge_core::StoreError;

use super::{Active, Encoded, Failure, Ledger, Writer, write_error};
use crate::fs::{FsFile, FsLock};
use crate::log::{Encoder, Header, Packer, file_name};
use crate::shared::Shared;
use crate::state::Outbox;

/// The smallest dead active segment that is given back.
const MIN_DEAD_BYTES: u64 = 4096;
/// A segment is so many times as large as the names and heads at its beginning, where the limit of the store allows: they
/// are a small part of what is written, however many queues there are.
const SNAPSHOTS: u64 = 16;

impl Writer {
    /// Begins the segment `number`: it is durable, and the first of what is written from now on.
    ///
    /// # Errors
    /// What the operating system says.
    pub(crate) fn start(
        shared: Arc<Shared>,
        lock: Box<dyn FsLock>,
        ledger: Ledger,
        number: u64,
    ) -> io::Result<Self> {
        let active = Active::new(number, shared.fs.create(&shared.path(number))?);
        let options = shared.lock().options.clone();
        let mut writer = Self {
            shared,
            lock: Some(lock),
            segment_bytes: options.segment_bytes,
            has_quota: options.max_bytes.is_some(),
            largest_segment: options.largest_segment(),
            gather: options.gather,
            last_group: 0,
            unsynced_since: None,
            unsynced_notes: 0,
            ledger,
            active,
            encoder: Encoder::new(),
            packer: options.compress.then(Packer::new),
            encoded: Encoded::default(),
            queued: Outbox::default(),
            written: Vec::new(),
            synced: Vec::new(),
            dead: Vec::new(),
            rolled: false,
            relocation: None,
            unmovable: Vec::new(),
            spare: None,
            keeps_spare: false,
            failed: None,
        };
        writer.begin_segment();
        match writer.flush().and_then(|()| writer.sync()) {
            Ok(()) => {}
            // A full disk can be read and emptied.
            Err(Failure::Write(error @ (StoreError::NoSpace { .. } | StoreError::Full { .. }))) => {
                writer.fail(&error)
            }
            Err(Failure::Write(error)) => return Err(io::Error::other(error)),
            Err(Failure::Sync(error)) => return Err(error),
        }
        Ok(writer)
    }

    /// Returns whether what was written is durable, and the store can be written to.
    pub(crate) fn is_durable(&self) -> bool {
        self.failed.is_none() && self.active.synced == self.active.position
    }

    /// Returns whether `more` bytes belong into the next segment.
    pub(super) fn is_full(&self, more: u64) -> bool {
        let end = self.encoder.end(self.active.position);
        let wished = self.active.snapshot_end.saturating_mul(SNAPSHOTS).min(self.largest_segment);
        let limit = self.segment_bytes.max(wished).max(self.active.snapshot_end.saturating_mul(2));
        self.active.sealed || (end > self.active.snapshot_end && end + more > limit)
    }

    /// Puts the next segment in the place of the active one; all that is encoded has been written.
    pub(super) fn roll(&mut self) -> Result<(), Failure> {
        self.seal()?;
        self.sync()?;
        let number = self.active.number + 1;
        let next = match self.spare.take() {
            Some(spare) => self.recycle(spare, number)?,
            None => self.shared.fs.create(&self.shared.path(number)).map(|file| Active::new(number, file)),
        };
        self.active = next.map_err(|error| {
            // Until there is another one, what has room in this one may go there.
            self.active.sealed = false;
            Failure::Write(write_error(format!("creating {}", file_name(number)), error))
        })?;
        self.begin_segment();
        self.shared.lock().seal_active(number, self.active.reserved);
        self.rolled = true;
        Ok(())
    }

    /// Completes the active segment, but for a sync.
    pub(super) fn seal(&mut self) -> Result<(), Failure> {
        self.write_index()?;
        self.cut_reserve()?;
        self.active.sealed = true;
        Ok(())
    }

    /// Makes a dead segment the next one: its blocks are there already, which is quicker than a new file.
    ///
    /// It has its new name last: once it has, it is the newest segment to whoever opens the store, and nothing may be
    /// written to the one before any more.
    fn recycle(&mut self, spare: u64, number: u64) -> Result<io::Result<Active>, Failure> {
        let (old, new) = (self.shared.path(spare), self.shared.path(number));
        let opened = self.shared.fs.open(&old).and_then(|file| Ok((file.len()?, file)));
        let (reserved, file) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                self.dead.push(spare);
                return Ok(Err(error));
            }
        };
        // From here on a reader that is still in it knows that what it reads is nothing.
        let segment = self.shared.lock().unlinked(spare);
        if let Err(error) = self.shared.fs.rename(&old, &new) {
            self.shared.lock().not_unlinked(spare, segment);
            self.dead.push(spare);
            return Ok(Err(error));
        }
        // The old name must not come back with what is written from now on.
        self.shared.fs.sync_dir(&self.shared.dir).map_err(Failure::Sync)?;
        Ok(Ok(Active { reserved, name_unsynced: false, ..Active::new(number, file) }))
    }

    /// Cuts off what a recycled segment has behind its end.
    fn cut_reserve(&mut self) -> Result<(), Failure> {
        if self.active.reserved > self.active.position {
            let cut = self.active.file.set_len(self.active.position);
            cut.map_err(|error| Failure::Write(self.write_failure(error)))?;
            self.shared.lock().reserved = 0;
        }
        self.active.reserved = 0;
        Ok(())
    }

    /// Writes what a reading of the whole segment would find: whoever opens the store next needs not read it.
    ///
    /// The trims are brought up to date with it where that can be, so that what the index leaves out is known to be
    /// trimmed; after a crash before they are, the segment itself is read.
    fn write_index(&mut self) -> Result<(), Failure> {
        if self.active.indexed == self.active.position {
            return Ok(());
        }
        let shared = self.shared.clone();
        let mut state = shared.lock();
        // What has left later than the batches that are still to be written must not be said before them.
        if self.queued.is_empty() && state.mail.outbox.is_empty() {
            self.ledger.note_news(&mut state);
        }
        let extents = state.extents_of(self.active.number);
        if extents.is_empty() {
            return Ok(());
        }
        drop(state);
        self.mark_synced();
        if self.queued.is_empty() {
            self.ledger.write_news(&mut self.encoder);
        }
        self.encoder.index(self.active.position, &extents);
        self.active.indexed = self.encoder.end(self.active.position);
        self.flush()
    }

    /// Leaves a log that is opened without reading much of it; a disk that has no room for that is no failure.
    pub(super) fn finish(&mut self) -> Result<(), Failure> {
        if self.active.position <= self.active.snapshot_end {
            return Ok(());
        }
        let rolled = self.roll().and_then(|()| self.flush()).and_then(|()| self.sync());
        match rolled {
            Err(Failure::Write(error)) => {
                tracing::debug!(%error, "the log is left without an index");
                Ok(())
            }
            other => other,
        }
    }

    fn begin_segment(&mut self) {
        self.encoder.begin(Header {
            number: self.active.number,
            salt: self.shared.salt,
            recycled: self.active.reserved > 0,
        });
        self.ledger.snapshot(&mut self.encoder);
        self.active.snapshot_end = self.encoder.end(0);
    }

    /// Puts a new segment in the place of an active one that nobody waits for; `at_least` says from which size on.
    ///
    /// Returns whether it did; when the disk has no room for a new segment, it does not.
    pub(super) fn drop_dead_active(&mut self, at_least: u64) -> Result<bool, Failure> {
        let dead = self.shared.lock().dead_active_bytes();
        let snapshots = if at_least == 0 { 2 } else { SNAPSHOTS };
        let worth = at_least.max(MIN_DEAD_BYTES).max(self.active.snapshot_end.saturating_mul(snapshots));
        if dead.is_none_or(|bytes| bytes < worth) {
            return Ok(false);
        }
        match self.roll() {
            Ok(()) => Ok(true),
            Err(Failure::Write(error)) => {
                tracing::debug!(%error, "a dead segment cannot be replaced");
                Ok(false)
            }
            Err(failure) => Err(failure),
        }
    }

    /// Unlinks the segments that hold nothing any more, or keeps one to be the next; one that cannot be unlinked is tried
    /// again later.
    pub(super) fn unlink_dead(&mut self) {
        if !self.keeps_spare || self.failed.is_some() {
            self.dead.extend(self.spare.take());
        } else if self.spare.is_none() {
            let state = self.shared.lock();
            let suits = |number: &u64| state.suits_as_spare(*number);
            if let Some(at) = self.dead.iter().position(suits) {
                self.spare = Some(self.dead.swap_remove(at));
            }
        }
        // Until the active segment says how things stand, the one before it must.
        let needed =
            (self.active.position < self.active.snapshot_end).then(|| self.shared.lock().last_sealed());
        for number in std::mem::take(&mut self.dead) {
            if needed == Some(Some(number)) {
                self.dead.push(number);
                continue;
            }
            // A reader that finds no file any more must know that nothing is lost with it.
            let segment = self.shared.lock().unlinked(number);
            match self.shared.fs.remove(&self.shared.path(number)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(segment = %file_name(number), %error, "a dead segment cannot be removed");
                    self.shared.lock().not_unlinked(number, segment);
                    self.dead.push(number);
                }
                _ => {}
            }
        }
    }

    /// Unlinks the dead segments, but for those out of which entries have left to make room for what is not written yet:
    /// they must not be gone without it.
    pub(super) fn unlink_unneeded(&mut self) {
        let waiting = || self.queued.cleared().chain([&self.encoded.cleared]);
        let is_needed = |number: &u64| waiting().any(|cleared| cleared.contains(*number));
        let (needed, rest): (Vec<_>, Vec<_>) = self.dead.iter().copied().partition(is_needed);
        // A full disk may get room elsewhere, a used up quota never would: then what is written next is what they left for.
        let is_quota = matches!(self.failed, Some(StoreError::Full { .. }));
        if is_quota && rest.is_empty() {
            return self.unlink_dead();
        }
        self.dead = rest;
        self.unlink_dead();
        self.dead.extend(needed);
    }

    /// Makes all that was written durable.
    pub(super) fn sync(&mut self) -> Result<(), Failure> {
        if self.active.synced < self.active.position {
            self.active.file.sync().map_err(Failure::Sync)?;
            self.shared.lock().syncs += 1;
            self.active.synced = self.active.position;
        }
        self.unsynced_since = None;
        if self.active.name_unsynced {
            self.shared.fs.sync_dir(&self.shared.dir).map_err(Failure::Sync)?;
            self.active.name_unsynced = false;
        }
        Ok(())
    }

    /// Returns what a failed write is called.
    pub(super) fn write_failure(&self, error: io::Error) -> StoreError {
        write_error(format!("writing {}", file_name(self.active.number)), error)
    }
}

impl Active {
    fn new(number: u64, file: Box<dyn FsFile>) -> Self {
        Self {
            number,
            file,
            position: 0,
            synced: 0,
            snapshot_end: 0,
            reserved: 0,
            indexed: 0,
            sealed: false,
            name_unsynced: true,
        }
    }
}
