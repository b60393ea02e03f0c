//! The loop of the reader's thread.

use std::io;
use std::sync::Arc;

use edge_core::{ReadBatch, StoreError};
use tokio::sync::mpsc;

use super::{Job, Reader};
use crate::log::file_name;
use crate::shared::Shared;
use crate::state::{Found, OnDisk, Place};

impl Reader {
    pub(crate) fn new(shared: Arc<Shared>, jobs: mpsc::Receiver<Job>) -> Self {
        Self { shared, jobs, open: Vec::new(), buffer: Vec::new(), reported: Vec::new() }
    }

    /// Runs until nobody can ask any more.
    pub(crate) fn run(mut self) {
        while let Some(job) = self.jobs.blocking_recv() {
            if !job.reply.is_closed() {
                let answer = self.read(job.queue, job.found);
                let _nobody_waits = job.reply.send(answer);
            }
            if self.jobs.is_empty() {
                self.open.clear();
                self.buffer = Vec::new();
            }
        }
    }

    /// Reads entries of one queue.
    pub(crate) fn read(&mut self, queue: u32, mut found: Found) -> Result<ReadBatch, StoreError> {
        loop {
            let place = {
                let state = self.shared.lock();
                state.check_readable()?;
                state.read_on(queue, &mut found)
            };
            let place = match place {
                Place::Done => return Ok(found.batch),
                Place::Disk(place) => place,
            };
            match self.read_segment(queue, &place, &mut found) {
                Ok(true) => {}
                Ok(false) => return Ok(found.batch),
                Err(error) if error.kind() == io::ErrorKind::NotFound => self.missing(&place, &mut found),
                Err(error) => {
                    let what = format!("reading {}", file_name(place.segment));
                    return Err(StoreError::Io { what, source: Arc::new(error) });
                }
            }
        }
    }

    /// The file is gone: its entries were trimmed while we looked, or somebody else has removed it.
    fn missing(&self, place: &OnDisk, found: &mut Found) {
        if self.shared.lock().segments.contains_key(&place.segment) {
            tracing::error!(segment = %file_name(place.segment), "a segment is missing: its entries are lost");
            found.batch.damaged += place.to - place.from;
            found.batch.next = place.to;
        }
    }
}
