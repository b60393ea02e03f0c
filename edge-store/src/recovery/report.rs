//! What was found at open.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use edge_core::QueueId;

use crate::fs::{Fs, read_full, write_all};
use crate::log::file_name;

/// The folder within the store's directory that keeps damaged bytes.
const DAMAGED: &str = "damaged";
/// Bytes copied at a time.
const CHUNK_BYTES: usize = 64 * 1024;

/// What was found when a store was opened.
///
/// # Examples
/// ```
/// use edge_store::Recovery;
///
/// assert!(Recovery::default().is_clean());
/// assert_eq!(Recovery::default().to_string(), "0 entries in 0 segments");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovery {
    /// Segments found.
    pub segments: u64,
    /// Records read to learn what there is.
    pub records: u64,
    /// Entries that wait, over all queues.
    pub entries: u64,
    /// Bytes cut from the end of the log: of batches that were being written when the process or the power went.
    pub bytes_cut: u64,
    /// Bytes in the middle of the log that are damaged.
    pub damage: Vec<Damage>,
    /// How many entries of which queues are lost by it.
    pub lost: Vec<Lost>,
    /// How many entries of which queues were in segments that are gone, without a note that nobody wanted them: so it is
    /// after a crash with a full disk, on which dead segments are removed first and notes written later, and when
    /// somebody has removed a segment by hand. Readers skip them.
    pub removed: Vec<Lost>,
}

/// Damaged bytes of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Damage {
    /// The segment's file.
    pub file: PathBuf,
    /// Where in the file the damaged bytes begin.
    pub position: u64,
    /// How many they are.
    pub bytes: u64,
    /// Where a copy of them is kept; `None` when it could not be made, or nothing was to be changed.
    pub saved_as: Option<PathBuf>,
}

/// Entries of a queue that are not there any more.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lost {
    /// The queue.
    pub queue: QueueId,
    /// How many entries; those lost to damage are reported to the reader by
    /// [`ReadBatch::damaged`](edge_core::ReadBatch::damaged).
    pub entries: u64,
}

impl Recovery {
    /// Returns whether nothing was cut and nothing is damaged.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.bytes_cut == 0 && self.damage.is_empty() && self.lost.is_empty()
    }
}

impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} entries in {} segments", self.entries, self.segments)?;
        if self.bytes_cut > 0 {
            write!(f, "; an unfinished end of {} bytes was cut", self.bytes_cut)?;
        }
        for damage in &self.damage {
            let Damage { file, position, bytes, .. } = damage;
            write!(f, "; {bytes} bytes at {position} of {} are damaged", file.display())?;
        }
        for removed in &self.removed {
            write!(f, "; {} entries of {} were removed", removed.entries, removed.queue)?;
        }
        for lost in &self.lost {
            write!(f, "; {} entries of {} are lost", lost.entries, lost.queue)?;
        }
        Ok(())
    }
}

/// Reports damaged bytes, and copies them away; failing to is no reason not to go on.
pub(crate) fn set_aside(fs: &dyn Fs, dir: &Path, number: u64, from: u64, to: u64) -> Damage {
    let copy = dir.join(DAMAGED).join(format!("{}-{from:x}", file_name(number)));
    let damage = found_damage(dir, number, from, to);
    let saved_as = match copy_bytes(fs, dir, &damage.file, &copy, from, to) {
        Ok(()) => Some(copy),
        Err(error) => {
            tracing::warn!(file = %damage.file.display(), %error, "damaged bytes could not be copied");
            None
        }
    };
    let Damage { file, position, bytes, .. } = &damage;
    tracing::error!(file = %file.display(), position, bytes, ?saved_as, "a segment is damaged");
    Damage { saved_as, ..damage }
}

/// Describes damaged bytes that are left alone.
pub(crate) fn found_damage(dir: &Path, number: u64, from: u64, to: u64) -> Damage {
    Damage { file: dir.join(file_name(number)), position: from, bytes: to - from, saved_as: None }
}

fn copy_bytes(fs: &dyn Fs, dir: &Path, file: &Path, copy: &Path, from: u64, to: u64) -> io::Result<()> {
    fs.create_dir(&dir.join(DAMAGED))?;
    let (source, target) = (fs.open_read(file)?, fs.create(copy)?);
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut at = from;
    while at < to {
        let wanted = usize::try_from(to - at).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
        let chunk = buffer.get_mut(..wanted).unwrap_or_default();
        let read = read_full(source.as_ref(), chunk, at)?;
        write_all(target.as_ref(), chunk.get(..read).unwrap_or_default(), at - from)?;
        if read < wanted {
            break;
        }
        at += read as u64;
    }
    target.sync()
}
