//! Reading every byte of a store.

use std::io;

use bytes::Bytes;
use edge_core::Message;

use crate::fs::Fs;
use crate::log::{HEADER_BYTES, Record, Step, Walker, file_name, seed};
use crate::recovery::{Damage, found_damage};
use crate::shared::Shared;

/// What a reading of every byte of a store has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verification {
    /// Segments read.
    pub segments: u64,
    /// Whole records.
    pub records: u64,
    /// Messages among them.
    pub messages: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Bytes that are damaged.
    pub damage: Vec<Damage>,
}

impl Verification {
    /// Reads a segment of `bytes` bytes; one that is removed meanwhile leaves no trace.
    pub(super) fn add_segment(&mut self, shared: &Shared, number: u64, bytes: u64) -> io::Result<()> {
        let found = match Self::of_segment(shared, number, bytes) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other?,
        };
        if !found.damage.is_empty() && is_gone(shared.fs.as_ref(), shared, number) {
            // It has become another segment while it was read.
            return Ok(());
        }
        self.segments += found.segments;
        self.records += found.records;
        self.messages += found.messages;
        self.bytes += found.bytes;
        self.damage.extend(found.damage);
        Ok(())
    }

    fn of_segment(shared: &Shared, number: u64, bytes: u64) -> io::Result<Self> {
        let file = shared.fs.open_read(&shared.path(number))?;
        let start = HEADER_BYTES.min(bytes);
        let seed = seed(shared.salt, number);
        let mut walker = Walker::new(file.as_ref(), seed, start, bytes, Vec::new()).salvaging();
        let mut found = Self { segments: 1, bytes, ..Self::default() };
        while let Some(step) = walker.next()? {
            match step {
                Step::Damage { from, to } => {
                    tracing::debug!(segment = %file_name(number), from, to, "damage");
                    found.damage.push(found_damage(&shared.dir, number, from, to));
                }
                Step::Record { position, header } => {
                    found.records += 1;
                    if let Some(Record::Message(record)) = Record::decode(&header, walker.payload()) {
                        let mut stored = Vec::with_capacity(record.stored_len());
                        record.copy_stored(&mut stored);
                        if Message::decode(Bytes::from(stored)).is_err() {
                            let damage = found_damage(&shared.dir, number, position, walker.position());
                            found.damage.push(damage);
                        }
                        found.messages += 1;
                    }
                }
            }
        }
        Ok(found)
    }
}

fn is_gone(fs: &dyn Fs, shared: &Shared, number: u64) -> bool {
    fs.open_read(&shared.path(number)).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}
