//! Reading the entries of one queue out of one segment.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use edge_core::{Message, Offset};

use super::Reader;
use crate::fs::FsFile;
use crate::log::{Record, Step, TargetEntry, Walker, seed};
use crate::recovery::set_aside;
use crate::state::{Cursor, Found, OnDisk, stored};

/// Files that are kept open.
const OPEN_FILES: usize = 4;
/// Places of damage that are remembered, so that each is reported once.
const MAX_REPORTED: usize = 1024;

/// Entries copied out of the segment, all their messages in one piece of memory.
#[derive(Debug, Default)]
struct Copied {
    bytes: Vec<u8>,
    entries: Vec<(TargetEntry, u64, std::ops::Range<usize>)>,
    /// Offsets that should stand there and do not.
    lost: Vec<(u64, u64)>,
}

impl Copied {
    fn lose(&mut self, from: u64, to: u64) {
        if from < to {
            self.lost.push((from, to));
        }
    }
}

impl Reader {
    /// Reads as many entries as there is room for, and returns whether there may be room for more.
    pub(super) fn read_segment(&mut self, queue: u32, place: &OnDisk, found: &mut Found) -> io::Result<bool> {
        let file = self.open_segment(place.segment)?;
        let seed = seed(self.shared.salt, place.segment);
        let buffer = std::mem::take(&mut self.buffer);
        let mut walker = Walker::new(file.as_ref(), seed, place.position, place.bytes, buffer);
        if self.gives_up_on(place.segment) {
            walker = walker.salvaging();
        }
        let mut copied = Copied::default();
        let mut expected = place.from;
        let mut stopped_at = None;
        let mark = found.mark();
        let mut damage = Vec::new();
        while expected < place.to && stopped_at.is_none() {
            match walker.next()? {
                None => break,
                Some(Step::Damage { from, to }) => damage.push((from, to)),
                Some(Step::Record { position, header }) => {
                    let Some(Record::Message(record)) = Record::decode(&header, walker.payload()) else {
                        continue;
                    };
                    let wanted =
                        |t: &TargetEntry| t.queue == queue && (expected..place.to).contains(&t.offset);
                    let Some(target) = record.targets().find(wanted) else { continue };
                    if !found.reserve(record.stored_len()) {
                        stopped_at = Some(position);
                        break;
                    }
                    copied.lose(expected, target.offset);
                    expected = target.offset + 1;
                    let start = copied.bytes.len();
                    record.copy_stored(&mut copied.bytes);
                    copied.entries.push((target, record.enqueued, start..copied.bytes.len()));
                }
            }
        }
        let is_whole = damage.is_empty() && (stopped_at.is_some() || expected == place.to);
        if !is_whole && !self.shared.lock().segments.contains_key(&place.segment) {
            // It was trimmed, and has become another segment, while it was read.
            found.go_back(&mark);
            return Err(io::ErrorKind::NotFound.into());
        }
        for (from, to) in damage {
            self.report(place.segment, from, to);
        }
        if stopped_at.is_none() && expected < place.to {
            copied.lose(expected, place.to);
            expected = place.to;
        }
        self.buffer = walker.into_buffer();
        if !self.hand_over(queue, place.segment, stopped_at, expected, copied, found) {
            // What could not be read here was moved before it could not: it is looked for anew, and read there.
            found.go_back(&mark);
            return Ok(true);
        }
        Ok(stopped_at.is_none())
    }

    /// Adds what was read, up to `next`, and gives up what was not; returns `false`, and does nothing, when some of that
    /// stands elsewhere by now.
    fn hand_over(
        &self,
        queue: u32,
        segment: u64,
        stopped_at: Option<u64>,
        next: Offset,
        mut copied: Copied,
        found: &mut Found,
    ) -> bool {
        let bytes = Bytes::from(std::mem::take(&mut copied.bytes));
        let mut decoded = Vec::with_capacity(copied.entries.len());
        for (target, enqueued, range) in std::mem::take(&mut copied.entries) {
            match Message::decode(bytes.slice(range)) {
                Ok(message) => decoded.push((target, enqueued, message)),
                Err(error) => {
                    tracing::error!(segment, offset = target.offset, %error, "a stored message cannot be read");
                    copied.lose(target.offset, target.offset + 1);
                }
            }
        }
        let mut state = self.shared.lock();
        if copied.lost.iter().any(|&(from, to)| state.has_moved(queue, segment, from, to)) {
            return false;
        }
        for (target, enqueued, message) in decoded {
            let route = state.route_name(target.route);
            found.batch.entries.push(stored(target.offset, enqueued, target.expires, route, message));
        }
        for (from, to) in copied.lost {
            found.batch.damaged +=
                if self.shared.read_only { to - from } else { state.lose(queue, segment, from, to) };
        }
        found.batch.next = next;
        // Behind its last entry a run may go on in the same segment, but at another place.
        let position = stopped_at.and_then(|position| u32::try_from(position).ok());
        state.set_cursor(queue, position.map(|position| Cursor { segment, offset: next, position }));
        self.shared.wake_writer(state);
        true
    }

    fn open_segment(&mut self, number: u64) -> io::Result<Arc<dyn FsFile>> {
        if let Some((_, file)) = self.open.iter().find(|(open, _)| *open == number) {
            return Ok(file.clone());
        }
        let file: Arc<dyn FsFile> = self.shared.fs.open_read(&self.shared.path(number))?.into();
        if self.open.len() >= OPEN_FILES {
            self.open.remove(0);
        }
        self.open.push((number, file.clone()));
        Ok(file)
    }

    fn report(&mut self, segment: u64, from: u64, to: u64) {
        if !self.shared.read_only
            && !self.reported.contains(&(segment, from))
            && self.reported.len() < MAX_REPORTED
        {
            self.reported.push((segment, from));
            set_aside(self.shared.fs.as_ref(), &self.shared.dir, segment, from, to);
        }
    }
}
