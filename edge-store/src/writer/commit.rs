//! One group: encoded into one buffer, written, made durable, answered.

use edge_core::{Durability, StoreError};

use super::relocate::report_lost;
use super::{Failure, Writer};
use crate::fs::write_all;
use crate::log::{Kind, TargetEntry, expiry, message_bytes};
use crate::state::{Cleared, Definition, Indexed, Leaving, Refusal};

/// The buffer is written out when it holds this much: it is still in the cache of the processor then.
const BUFFER_BYTES: u64 = 256 << 10;
/// Senders that are told under one lock.
const ANSWERED_TOGETHER: usize = 256;

impl Writer {
    /// Writes everything that is queued, and makes it as durable as its senders asked for, or wholly when `sync` says so.
    pub(super) fn commit(&mut self, sync: bool) -> Result<(), Failure> {
        if self.failed.is_some() {
            // What was moved out of a dead segment must be safe before it goes; trims may be lost for once.
            self.sync()?;
            self.unlink_unneeded();
        }
        self.flush()?;
        if self.active.sealed && (!self.queued.is_empty() || self.ledger.has_news()) {
            self.roll()?;
        }
        let started_at = self.active.position;
        while let Some(batch) = self.queued.first() {
            if self.is_full(batch.bytes) {
                self.flush()?;
                self.roll()?;
            }
            self.encode();
            if self.encoder.end(0) >= BUFFER_BYTES {
                self.flush()?;
            }
        }
        self.write_news();
        self.flush()?;
        for receipt in self.written.drain(..) {
            receipt.send(Ok(Durability::Written));
        }
        let mut sealed = Ok(());
        if sync || !self.synced.is_empty() || !self.dead.is_empty() {
            if self.is_full(self.active.position.saturating_sub(started_at).min(self.segment_bytes / 2)) {
                // The next group would not fit: the end of the segment is written now, for one sync does for both.
                sealed = self.seal();
            }
            self.sync()?;
        }
        self.last_group = self.synced.len();
        while !self.synced.is_empty() {
            // Whoever is woken and appends at once waits for the lock, so the rest need no wake of their own: without
            // it the two threads put each other to sleep for every single sender.
            let held = self.shared.lock();
            for receipt in self.synced.drain(..self.synced.len().min(ANSWERED_TOGETHER)) {
                receipt.send(Ok(Durability::Synced));
            }
            drop(held);
        }
        sealed?;
        self.unlink_dead();
        Ok(())
    }

    /// Encodes the first batch that is queued.
    fn encode(&mut self) {
        let Some(mut batch) = self.queued.pop() else { return };
        self.mark_synced();
        let mut left = batch.messages;
        let mut names = batch.definitions.len();
        let mut cleared = batch.cleared.take();
        let leaving =
            cleared.as_mut().map(|cleared| std::mem::take(&mut cleared.leaving)).unwrap_or_default();
        let ends = leaving.is_empty();
        for definition in &batch.definitions {
            names -= 1;
            let last = left == 0 && names == 0 && ends;
            match definition {
                Definition::Queue(number, generation, id, first) => {
                    self.ledger.set_queue(*number, *generation, Some(id), *first);
                    self.encoder.queue(last, *number, *generation, Some(id), *first, *first);
                }
                Definition::Vacant(number, generation, next) => {
                    self.ledger.set_queue(*number, *generation, None, *next);
                    self.encoder.queue(last, *number, *generation, None, *next, *next);
                }
                Definition::Account(queue, route, tally) => {
                    self.ledger.set_tally(*queue, *route, tally);
                    self.encoder.account(last, *queue, *route, tally);
                }
                Definition::Route(number, name) => {
                    self.ledger.routes.push(name.clone());
                    self.encoder.route(last, *number, name);
                }
                Definition::Policy(queue, route, overflow) => {
                    self.ledger.set_policy(*queue, *route, overflow);
                    self.encoder.policy(last, *queue, *route, overflow);
                }
            }
        }
        while left > 0 {
            let Some((fresh, bound)) = self.queued.pop_message() else { break };
            left -= 1;
            let enqueued = fresh.enqueued;
            let position = u32::try_from(self.encoder.end(self.active.position)).unwrap_or(u32::MAX);
            let encoded = &fresh.encoded;
            let taken = message_bytes(encoded.len(), bound.len());
            let packed = self.packer.as_mut().and_then(|packer| packer.pack(encoded));
            if packed.is_some() {
                self.encoder.packed();
            }
            let stands = packed.unwrap_or(encoded);
            let bytes = message_bytes(stands.len(), bound.len());
            let saved = u32::try_from(taken - bytes).unwrap_or(u32::MAX);
            let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
            let (ledger, entries) = (&mut self.ledger, &mut self.encoded.entries);
            let targets = bound.iter().map(|target| {
                let (queue, route) = (target.queue, target.route);
                let expires = expiry(enqueued, target.time_to_live_ms);
                let offset = ledger.next_offset(queue);
                entries.push(Indexed { queue, route, offset, expires, position, bytes, saved });
                TargetEntry { queue, route, offset, expires }
            });
            self.encoder.message(Kind::Message, left == 0 && ends, enqueued, targets, stands);
            self.encoded.messages += 1;
            self.encoded.message_bytes += encoded.len() as u64;
        }
        self.encode_leaving(&leaving);
        self.encoded.bytes += batch.bytes;
        if let Some(cleared) = cleared {
            self.encoded.cleared.append(*cleared);
        }
        match (batch.receipt.take(), batch.level) {
            (Some(receipt), Durability::Synced) => self.synced.push(receipt),
            (Some(receipt), _) => self.written.push(receipt),
            (None, _) => {}
        }
    }

    /// Encodes what a batch answers, as the end of it.
    fn encode_leaving(&mut self, all: &[Leaving]) {
        let mut left: usize = all.iter().map(Leaving::records).sum();
        let mut last = || {
            left -= 1;
            left == 0
        };
        for leaving in all {
            for &(from, to) in &leaving.ranges {
                self.encoder.hole(last(), leaving.queue, from, to);
            }
            for (route, tally) in self.ledger.leave(leaving) {
                self.encoder.account(last(), leaving.queue, route, &tally);
            }
        }
    }

    /// Writes what has left the queues.
    pub(super) fn write_news(&mut self) {
        if self.ledger.has_news() {
            self.mark_synced();
            self.ledger.write_news(&mut self.encoder);
        }
    }

    /// Says of the next record that all before it is synced, when that is so.
    pub(super) fn mark_synced(&mut self) {
        if self.encoder.bytes().is_empty() && self.active.synced == self.active.position {
            self.encoder.after_sync();
        }
    }

    /// Writes what is encoded; after a failure the same bytes go to the same place.
    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        if self.encoder.bytes().is_empty() {
            return Ok(());
        }
        if self.has_quota {
            let allowed = self.shared.lock().check_quota(self.encoder.end(self.active.position));
            allowed.map_err(Failure::Write)?;
        }
        let written = write_all(self.active.file.as_ref(), self.encoder.bytes(), self.active.position);
        written.map_err(|error| Failure::Write(self.write_failure(error)))?;
        self.flushed();
        Ok(())
    }

    /// Reports what has been written.
    pub(super) fn flushed(&mut self) {
        self.active.position = self.encoder.end(self.active.position);
        let encoded = &mut self.encoded;
        let mut state = self.shared.lock();
        state.publish(&encoded.entries, encoded.messages, encoded.bytes, self.active.position);
        state.message_bytes += std::mem::take(&mut encoded.message_bytes);
        let mut lost = Vec::new();
        if !encoded.moved.is_empty() {
            lost = state.moved(encoded.moved_from, &mut encoded.moved);
            state.moved_bytes += encoded.moved_bytes;
        }
        drop(state);
        report_lost(encoded.moved_from, &lost);
        self.encoder.clear();
        if let Some(packer) = &mut self.packer {
            packer.shrink();
        }
        encoded.entries.clear();
        encoded.entries.shrink_to(16 * 1024);
        encoded.moved.clear();
        encoded.moved.shrink_to(1024);
        encoded.cleared = Cleared::default();
        (encoded.messages, encoded.bytes, encoded.moved_bytes) = (0, 0, 0);
    }

    /// Tells everybody who waits that it failed, and keeps what they sent for the next attempt.
    pub(super) fn fail(&mut self, error: &StoreError) {
        if self.failed.is_none() {
            tracing::error!(%error, source = ?std::error::Error::source(error), "the store cannot write; it takes nothing until it can");
        }
        self.failed = Some(error.clone());
        let mut state = self.shared.lock();
        state.refusal = Some(Refusal::Unwritten(error.clone()));
        let receipts: Vec<_> = self.queued.take_receipts().chain(state.mail.outbox.take_receipts()).collect();
        drop(state);
        for receipt in receipts.into_iter().chain(self.written.drain(..)).chain(self.synced.drain(..)) {
            receipt.send(Err(error.clone()));
        }
    }

    /// Everything that had failed has been written.
    pub(super) fn recovered(&mut self) {
        if self.failed.take().is_some() {
            tracing::info!("the store can write again");
            let mut state = self.shared.lock();
            if matches!(state.refusal, Some(Refusal::Unwritten(_))) {
                state.refusal = None;
            }
        }
    }
}
