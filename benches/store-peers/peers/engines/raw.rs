//! The limit: records with a checksum, appended to segments of 64 MiB, one `fdatasync` a group, and nothing else.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use edge_core::Message;

use super::Engine;
use crate::Fallible;

const SEGMENT_BYTES: u64 = 64 << 20;
const ZEROS: usize = 1 << 20;
/// What is written with one call: it is still in the cache of the processor then.
const PIECE_BYTES: usize = 256 << 10;

/// A bare log.
#[derive(Debug)]
pub(crate) struct Raw {
    dir: PathBuf,
    file: File,
    number: u64,
    position: u64,
    buffer: Vec<u8>,
    /// Whether the segments are there already, full of zeros.
    recycles: bool,
}

impl Raw {
    pub(crate) fn open(dir: &Path) -> Fallible<Self> {
        let file = File::create(path(dir, 0))?;
        let dir = dir.to_owned();
        Ok(Self { dir, file, number: 0, position: 0, buffer: Vec::new(), recycles: false })
    }

    /// Opens a log whose segments are there already, for so many records of 1 KiB.
    pub(crate) fn open_recycled(dir: &Path, records: u64) -> Fallible<Self> {
        let zeros = vec![0; ZEROS];
        for number in 0..=records * 1100 / SEGMENT_BYTES {
            let file = File::create(path(dir, number))?;
            for at in (0..SEGMENT_BYTES).step_by(ZEROS) {
                file.write_all_at(&zeros, at)?;
            }
            file.sync_all()?;
        }
        let file = OpenOptions::new().write(true).open(path(dir, 0))?;
        let dir = dir.to_owned();
        Ok(Self { dir, file, number: 0, position: 0, buffer: Vec::new(), recycles: true })
    }

    fn write(&mut self) -> Fallible<()> {
        if self.position + self.buffer.len() as u64 > SEGMENT_BYTES {
            self.file.sync_data()?;
            self.roll()?;
        }
        self.file.write_all_at(&self.buffer, self.position)?;
        self.position += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    fn roll(&mut self) -> Fallible<()> {
        self.number += 1;
        self.position = 0;
        let path = path(&self.dir, self.number);
        self.file =
            if self.recycles { OpenOptions::new().write(true).open(path)? } else { File::create(path)? };
        if !self.recycles {
            File::open(&self.dir)?.sync_all()?;
        }
        Ok(())
    }
}

impl Engine for Raw {
    fn commit(&mut self, first: u64, messages: &[Message]) -> Fallible<()> {
        self.buffer.clear();
        for (number, message) in (first..).zip(messages) {
            let bytes = message.encoded();
            let mut hasher = crc32fast::Hasher::new();
            hasher.update(&number.to_le_bytes());
            hasher.update(bytes);
            self.buffer.extend_from_slice(&u32::try_from(bytes.len())?.to_le_bytes());
            self.buffer.extend_from_slice(&hasher.finalize().to_le_bytes());
            self.buffer.extend_from_slice(&number.to_le_bytes());
            self.buffer.extend_from_slice(bytes);
            if self.buffer.len() >= PIECE_BYTES {
                self.write()?;
            }
        }
        self.write()?;
        self.file.sync_data()?;
        Ok(())
    }
}

fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:08}"))
}
