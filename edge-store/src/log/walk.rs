//! Reading a segment record by record, past whatever is damaged.

use std::io;

use super::record::RecordHeader;
use super::{ALIGN, RECORD_HEADER_BYTES};
use crate::fs::{FsFile, read_full};

/// Bytes read at a time.
const CHUNK_BYTES: usize = 128 * 1024;
/// Bytes that are given up together when they cannot be read.
const PIECE_BYTES: usize = 4096;

/// What stands at the next place of a segment.
#[derive(Debug)]
pub(crate) enum Step {
    /// A whole record; its payload is [`Walker::payload`].
    Record { position: u64, header: RecordHeader },
    /// Bytes that are no record, up to the next one or the end.
    Damage { from: u64, to: u64 },
}

/// Walks over the records of a segment, holding one piece of the file in memory.
#[derive(Debug)]
pub(crate) struct Walker<'f> {
    file: &'f dyn FsFile,
    seed: u32,
    position: u64,
    end: u64,
    /// The piece of the file that begins at `base`.
    buffer: Vec<u8>,
    base: u64,
    payload: std::ops::Range<usize>,
    /// Whether what cannot be read is taken for damage, when other parts of the file can.
    salvages: bool,
}

impl<'f> Walker<'f> {
    /// Returns a walker over the bytes from `position` to `end`, which reads into `buffer`.
    pub(crate) fn new(file: &'f dyn FsFile, seed: u32, position: u64, end: u64, mut buffer: Vec<u8>) -> Self {
        buffer.clear();
        Self { file, seed, position, end, buffer, base: position, payload: 0..0, salvages: false }
    }

    /// From now on pieces that cannot be read are damage, as long as others can: a bad sector does not end the walk.
    pub(crate) fn salvaging(mut self) -> Self {
        self.salvages = true;
        self
    }

    /// Returns the next step; `None` at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Step>> {
        let from = self.position;
        while self.position < self.end {
            if let Some((header, total)) = self.record_here()? {
                if self.position > from {
                    return Ok(Some(Step::Damage { from, to: self.position }));
                }
                let position = self.position;
                self.position = (position + total as u64).next_multiple_of(ALIGN as u64).min(self.end);
                return Ok(Some(Step::Record { position, header }));
            }
            self.position = (self.position + ALIGN as u64).min(self.end);
        }
        Ok((self.position > from).then_some(Step::Damage { from, to: self.position }))
    }

    /// Returns the payload of the record that [`Walker::next`] returned last.
    pub(crate) fn payload(&self) -> &[u8] {
        self.buffer.get(self.payload.clone()).unwrap_or_default()
    }

    /// Returns where the walk goes on.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Returns the buffer, to be used again.
    pub(crate) fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }

    /// Returns the whole and unchanged record at the current position, if there is one.
    fn record_here(&mut self) -> io::Result<Option<(RecordHeader, usize)>> {
        let Some(head) = self.load(RECORD_HEADER_BYTES)? else { return Ok(None) };
        let Some(header) = RecordHeader::decode(head) else { return Ok(None) };
        let total = RECORD_HEADER_BYTES + header.len as usize;
        let seed = self.seed;
        let Some(record) = self.load(total)? else { return Ok(None) };
        let mut hasher = crc32fast::Hasher::new_with_initial(seed);
        hasher.update(record.get(4..).unwrap_or_default());
        if hasher.finalize() != header.checksum {
            return Ok(None);
        }
        let start = usize::try_from(self.position - self.base).unwrap_or(usize::MAX);
        self.payload = start + RECORD_HEADER_BYTES..start + total;
        Ok(Some((header, total)))
    }

    /// Returns `len` bytes from the current position, `None` when the segment ends before.
    fn load(&mut self, len: usize) -> io::Result<Option<&[u8]>> {
        if len as u64 > self.end - self.position {
            return Ok(None);
        }
        let start = usize::try_from(self.position - self.base).unwrap_or(usize::MAX);
        if start.saturating_add(len) > self.buffer.len() {
            let kept = self.buffer.len().saturating_sub(start);
            self.buffer.drain(..self.buffer.len() - kept);
            self.base = self.position;
            let ahead = self.end - self.position;
            let wanted = len.max(CHUNK_BYTES).min(usize::try_from(ahead).unwrap_or(usize::MAX));
            self.buffer.resize(wanted.max(kept), 0);
            let unread = self.buffer.get_mut(kept..).unwrap_or_default();
            let position = self.base + kept as u64;
            let read = match read_full(self.file, unread, position) {
                Err(_) if self.salvages && self.file.read_at(&mut [0], 0).is_ok() => {
                    read_pieces(self.file, unread, position)
                }
                other => other?,
            };
            self.buffer.truncate(kept + read);
        }
        let start = usize::try_from(self.position - self.base).unwrap_or(usize::MAX);
        Ok(self.buffer.get(start..start.saturating_add(len)))
    }
}

/// Reads what can be read, leaves zeros for the rest, and returns how many bytes that are.
fn read_pieces(file: &dyn FsFile, buffer: &mut [u8], position: u64) -> usize {
    buffer.fill(0);
    for (at, piece) in (position..).step_by(PIECE_BYTES).zip(buffer.chunks_mut(PIECE_BYTES)) {
        if read_full(file, piece, at).is_err() {
            piece.fill(0);
        }
    }
    buffer.len()
}
