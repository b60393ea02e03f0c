//! Emptying a segment that is mostly dead: what is still wanted is written again, and the segment is removed.

use edge_core::Gone;

use super::{Failure, Writer};
use crate::fs::FsFile;
use crate::log::{HEADER_BYTES, Kind, Record, Step, Walker, file_name, message_bytes, seed};
use crate::recovery::set_aside;
use crate::state::Indexed;

/// The least that is read at a time, between two groups of appends.
const MIN_SLICE_BYTES: u64 = 4 * 1024;
/// The most.
const MAX_SLICE_BYTES: u64 = 1 << 20;

/// A segment that is being emptied.
#[derive(Debug)]
pub(super) struct Relocation {
    number: u64,
    file: Box<dyn FsFile>,
    position: u64,
    end: u64,
    damage: Vec<(u64, u64)>,
}

impl Writer {
    /// Looks for a segment to empty, when none is being emptied.
    pub(super) fn look_for_relocation(&mut self, pressed: bool) {
        if self.relocation.is_some() || self.failed.is_some() {
            return;
        }
        // An index is about as long as what is said of queues and routes.
        let overhead = if pressed { 2 * self.active.snapshot_end } else { 0 };
        let state = self.shared.lock();
        self.unmovable.retain(|number| state.segments.contains_key(number));
        let Some(number) = state.worth_emptying(pressed, overhead, &self.unmovable) else { return };
        let end = state.segments.get(&number).map_or(0, |segment| segment.bytes);
        drop(state);
        match self.shared.fs.open_read(&self.shared.path(number)) {
            Ok(file) => {
                let (position, damage) = (HEADER_BYTES, Vec::new());
                self.relocation = Some(Relocation { number, file, position, end, damage });
            }
            Err(error) => self.cannot_move(number, &error),
        }
    }

    /// Moves what is wanted of the next piece of the segment that is being emptied.
    pub(super) fn relocate(&mut self) -> Result<(), Failure> {
        let Some(mut relocation) = self.relocation.take() else { return Ok(()) };
        let slice = (self.segment_bytes / 16).clamp(MIN_SLICE_BYTES, MAX_SLICE_BYTES);
        self.flush()?;
        if self.is_full(slice) {
            self.roll()?;
        }
        let number = relocation.number;
        if !self.shared.lock().segments.contains_key(&number) {
            // Meanwhile all of it was trimmed, and the file is gone or another segment.
            return Ok(());
        }
        self.encoded.moved_from = number;
        let seed = seed(self.shared.salt, number);
        let until = relocation.end.min(relocation.position.saturating_add(slice));
        let mut walker =
            Walker::new(relocation.file.as_ref(), seed, relocation.position, relocation.end, Vec::new());
        while walker.position() < until {
            match walker.next() {
                Ok(None) => break,
                Ok(Some(Step::Damage { from, to })) => relocation.damage.push((from, to)),
                Ok(Some(Step::Record { header, .. })) => {
                    let Some(Record::Message(message)) = Record::decode(&header, walker.payload()) else {
                        continue;
                    };
                    let targets = self.shared.lock().wanted(number, message.targets());
                    if targets.is_empty() {
                        continue;
                    }
                    self.mark_synced();
                    let position = u32::try_from(self.encoder.end(self.active.position)).unwrap_or(u32::MAX);
                    let bytes = message_bytes(message.message.len(), targets.len());
                    self.encoded.moved_bytes += bytes;
                    let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
                    self.encoded.moved.extend(targets.iter().map(|target| {
                        let (queue, route, offset, expires) =
                            (target.queue, target.route, target.offset, target.expires);
                        Indexed { queue, route, offset, expires, position, bytes, saved: 0 }
                    }));
                    if message.packed {
                        self.encoder.packed();
                    }
                    self.encoder.message(
                        Kind::Message,
                        true,
                        message.enqueued,
                        targets.into_iter(),
                        message.message,
                    );
                }
                Err(error) => {
                    drop(walker);
                    self.cannot_move(number, &error);
                    return self.flush();
                }
            }
        }
        relocation.position = walker.position();
        drop(walker);
        if relocation.position < relocation.end {
            self.relocation = Some(relocation);
            return self.flush();
        }
        self.flush()?;
        self.emptied(relocation);
        Ok(())
    }

    /// All that can be read has been moved.
    fn emptied(&self, relocation: Relocation) {
        let lost = self.shared.lock().abandon(relocation.number);
        report_lost(relocation.number, &lost);
        for (from, to) in relocation.damage {
            set_aside(self.shared.fs.as_ref(), &self.shared.dir, relocation.number, from, to);
        }
    }

    fn cannot_move(&mut self, number: u64, error: &std::io::Error) {
        tracing::warn!(segment = %file_name(number), %error, "a segment that is mostly dead cannot be read");
        self.unmovable.push(number);
    }
}

/// Says what could not be moved out of a segment.
pub(super) fn report_lost(number: u64, lost: &[Gone]) {
    for Gone { queue, entries, .. } in lost {
        tracing::error!(segment = %file_name(number), %queue, entries, "entries are lost to damage");
    }
}
