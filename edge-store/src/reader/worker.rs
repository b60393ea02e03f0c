//! The loop of the reader's thread.

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;

use edge_core::{ReadBatch, ReadLimit, StoreError};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;

use super::{Job, Reader};
use crate::log::file_name;
use crate::shared::Shared;
use crate::state::{Found, OnDisk, Place};

/// How many entries' keys are learned between two reads.
const LEARNED_AT_ONCE: ReadLimit = ReadLimit::new(NonZeroUsize::MIN.saturating_add(255), 1 << 20);
/// After so many failures in a row what cannot be read is not read: the disk is worn, not away.
const MAX_FAILURES: u32 = 3;

impl Reader {
    pub(crate) fn new(shared: Arc<Shared>, jobs: mpsc::Receiver<Job>) -> Self {
        Self { shared, jobs, open: Vec::new(), buffer: Vec::new(), failing: Vec::new(), reported: Vec::new() }
    }

    /// Runs until nobody can ask any more.
    pub(crate) fn run(mut self) {
        while let Some(job) = self.next_job() {
            if !job.reply.is_closed() {
                let answer = self.read(job.queue, job.found);
                let _nobody_waits = job.reply.send(answer);
            }
        }
    }

    /// Waits for a job; as long as there is none, learns the keys of what waited when the store was opened.
    fn next_job(&mut self) -> Option<Job> {
        loop {
            match self.jobs.try_recv() {
                Ok(job) => return Some(job),
                Err(TryRecvError::Empty) if self.learn_keys() => {}
                Err(_) => {
                    self.open.clear();
                    self.buffer = Vec::new();
                    return self.jobs.blocking_recv();
                }
            }
        }
    }

    /// Learns some keys, and returns whether there were any to learn.
    fn learn_keys(&mut self) -> bool {
        let Some((number, from)) = self.shared.lock().next_unlearned() else { return false };
        let result = self.read(number, Found::new(from, LEARNED_AT_ONCE));
        let mut state = self.shared.lock();
        match result {
            Ok(batch) => state.learn(number, &batch.entries, batch.next.max(from + 1)),
            Err(error) => {
                // Those of them stay until they are delivered.
                tracing::warn!(%error, "the keys of messages that wait cannot be read");
                state.learned(number, u64::MAX);
            }
        }
        true
    }

    /// Reads entries of one queue.
    pub(crate) fn read(&mut self, queue: u32, mut found: Found) -> Result<ReadBatch, StoreError> {
        loop {
            let place = {
                let state = self.shared.lock();
                state.check_readable()?;
                // The blocks of a file come back when nobody has it open any more.
                self.open.retain(|(segment, _)| state.segments.contains_key(segment));
                state.read_on(queue, &mut found)
            };
            let place = match place {
                Place::Done => return Ok(found.batch),
                Place::Disk(place) => place,
            };
            match self.read_segment(queue, &place, &mut found) {
                Ok(more) => {
                    self.failing.retain(|(segment, _)| *segment != place.segment);
                    if !more {
                        return Ok(found.batch);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.missing(queue, &place, &mut found);
                }
                Err(error) => {
                    self.count_failure(place.segment);
                    let what = format!("reading {}", file_name(place.segment));
                    return Err(StoreError::Io { what, source: Arc::new(error) });
                }
            }
        }
    }

    fn count_failure(&mut self, segment: u64) {
        match self.failing.iter_mut().find(|(failing, _)| *failing == segment) {
            Some((_, times)) => *times += 1,
            None => self.failing.push((segment, 1)),
        }
    }

    /// Returns whether a segment has failed so often that what cannot be read of it is taken for damage.
    pub(super) fn gives_up_on(&self, segment: u64) -> bool {
        self.failing.iter().any(|&(failing, times)| failing == segment && times >= MAX_FAILURES)
    }

    /// The file is gone: its entries were trimmed or moved while we looked, or somebody else has removed it.
    pub(super) fn missing(&self, queue: u32, place: &OnDisk, found: &mut Found) {
        let mut state = self.shared.lock();
        if !state.segments.contains_key(&place.segment) {
            return;
        }
        let &OnDisk { segment, from, to, .. } = place;
        let lost = if self.shared.read_only {
            found.batch.next = to;
            to - from
        } else {
            state.lose(queue, segment, from, to)
        };
        if lost > 0 {
            tracing::error!(segment = %file_name(segment), lost, "a segment is missing: its entries are lost");
        }
        found.batch.damaged += lost;
        self.shared.wake_writer(state);
    }
}
