//! The state on the disk: a snapshot, and the steps since.
//!
//! ```text
//! snapshot            the state as of the beginning of journal-<generation>; written beside and renamed
//! journal-<generation>
//!     "EDGEWJ01"      8 bytes
//!     definition      u64
//!     records         [length u32][CRC-32 u32][steps], one for each batch
//! lock                held while the folder is in use
//! ```
//!
//! A record that a crash cut short is cut off: its batch was not accepted, and comes again. A record that is damaged
//! ends the journal too; what follows it is lost and reported.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::Definition;
use crate::snapshot::SnapshotError;
use crate::state::{State, Step};
use crate::wire::{Reader, Writer};

const MAGIC: &[u8; 8] = b"EDGEWJ01";
const HEAD_BYTES: u64 = 16;

/// The size at which a journal is replaced by a snapshot, or a multiple of the snapshot's when that is more.
const FULL_BYTES: u64 = 4 << 20;

/// Why a kept state could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The disk fails.
    #[error("{what} failed")]
    Io {
        /// What was being done, with the file's name.
        what: String,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// Another process uses the folder.
    #[error("{} is in use", folder.display())]
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// The kept state cannot be used.
    #[error("{} cannot be used", file.display())]
    Snapshot {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: SnapshotError,
    },
}

fn failed(what: &str, path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    let what = format!("{what} {}", path.display());
    |source| OpenError::Io { what, source }
}

/// The folder of one state.
#[derive(Debug)]
pub(crate) struct Journal {
    folder: PathBuf,
    definition: u64,
    generation: u64,
    file: File,
    bytes: u64,
    full: u64,
    poisoned: bool,
    _lock: File,
}

/// What was opened.
pub(crate) struct Opened {
    pub(crate) state: State,
    pub(crate) journal: Journal,
    /// Bytes at the end of the journal that were no whole record.
    pub(crate) cut_bytes: u64,
}

impl Journal {
    /// Opens a folder, which is made when it does not exist, and goes through what it holds.
    pub(crate) fn open(folder: &Path, definition: &Arc<Definition>) -> Result<Opened, OpenError> {
        fs::create_dir_all(folder).map_err(failed("making", folder))?;
        let path = folder.join("lock");
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let lock = lock.map_err(failed("opening", &path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse { folder: folder.into() }),
            Err(TryLockError::Error(source)) => return Err(failed("locking", &path)(source)),
        }
        let path = folder.join("snapshot");
        let (mut state, generation) = match fs::read(&path) {
            Ok(bytes) => State::decode(&bytes, definition)
                .map_err(|source| OpenError::Snapshot { file: path.clone(), source })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => (State::new(definition.clone()), 0),
            Err(error) => return Err(failed("reading", &path)(error)),
        };
        let path = name(folder, generation);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(failed("reading", &path)(error)),
        };
        let used = replay(&bytes, definition, &mut state)
            .map_err(|source| OpenError::Snapshot { file: path.clone(), source })?;
        let (file, bytes_kept) = if used == 0 {
            (begin(&path, definition.hash).map_err(failed("writing", &path))?, HEAD_BYTES)
        } else {
            let file = OpenOptions::new().append(true).open(&path).map_err(failed("opening", &path))?;
            file.set_len(used).map_err(failed("cutting", &path))?;
            (file, used)
        };
        remove_others(folder, generation);
        let journal = Self {
            folder: folder.into(),
            definition: definition.hash,
            generation,
            file,
            bytes: bytes_kept,
            full: FULL_BYTES,
            poisoned: false,
            _lock: lock,
        };
        let cut_bytes = (bytes.len() as u64).saturating_sub(used);
        Ok(Opened { state, journal, cut_bytes })
    }

    /// Appends a record of these steps; with `sync` it survives the loss of power, without it the process's end.
    pub(crate) fn append(&mut self, steps: &[u8], sync: bool) -> io::Result<()> {
        self.check()?;
        let mut record = Vec::with_capacity(steps.len() + 8);
        record.extend_from_slice(&u32::try_from(steps.len()).map_err(io::Error::other)?.to_le_bytes());
        record.extend_from_slice(&crc32fast::hash(steps).to_le_bytes());
        record.extend_from_slice(steps);
        let written =
            self.file.write_all(&record).and_then(|()| if sync { self.file.sync_data() } else { Ok(()) });
        self.poisoned = written.is_err();
        self.bytes += record.len() as u64;
        written
    }

    /// Returns whether the journal is long enough for a snapshot.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes >= self.full
    }

    /// Returns the generation of the next snapshot.
    pub(crate) fn next(&self) -> u64 {
        self.generation + 1
    }

    /// Puts a snapshot of the state, of the next generation, in the place of the journal; it also mends a journal that
    /// could not be written, for it writes new files only.
    pub(crate) fn replace(&mut self, snapshot: &[u8]) -> io::Result<()> {
        self.poisoned = true;
        let generation = self.next();
        let file = begin(&name(&self.folder, generation), self.definition)?;
        let (new, old) = (self.folder.join("snapshot.new"), self.folder.join("snapshot"));
        let mut out = File::create(&new)?;
        out.write_all(snapshot)?;
        out.sync_all()?;
        fs::rename(&new, &old)?;
        sync_folder(&self.folder)?;
        (self.file, self.generation, self.bytes) = (file, generation, HEAD_BYTES);
        self.full = FULL_BYTES.max(4 * snapshot.len() as u64);
        self.poisoned = false;
        remove_others(&self.folder, generation);
        Ok(())
    }

    /// Fails after a failed write: nobody knows what is on the disk until a snapshot has taken the journal's place.
    pub(crate) fn check(&self) -> io::Result<()> {
        if self.poisoned {
            return Err(io::Error::other("an earlier write failed, and no snapshot has been written since"));
        }
        Ok(())
    }

    /// Makes writes to the journal fail, as a failing disk does.
    #[cfg(test)]
    pub(crate) fn fail(&mut self) -> io::Result<()> {
        self.file = File::open(name(&self.folder, self.generation))?;
        Ok(())
    }
}

fn name(folder: &Path, generation: u64) -> PathBuf {
    folder.join(format!("journal-{generation}"))
}

fn begin(path: &Path, definition: u64) -> io::Result<File> {
    let mut file = OpenOptions::new().create(true).write(true).truncate(true).open(path)?;
    file.write_all(&[*MAGIC, definition.to_le_bytes()].concat())?;
    file.sync_all()?;
    if let Some(folder) = path.parent() {
        sync_folder(folder)?;
    }
    Ok(file)
}

/// Makes names in a folder durable, where the platform can.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Removes journals of other generations, which a crash may leave; what cannot be removed does no harm.
fn remove_others(folder: &Path, generation: u64) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let keep = format!("journal-{generation}");
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("journal-") && name != keep {
            drop(fs::remove_file(entry.path()));
        }
    }
}

/// Makes the steps of all whole records, and returns how many bytes were good; 0 when there is not even a head.
pub(crate) fn replay(bytes: &[u8], definition: &Definition, state: &mut State) -> Result<u64, SnapshotError> {
    let Some((head, mut rest)) = bytes.split_first_chunk::<16>() else { return Ok(0) };
    if !head.starts_with(MAGIC) {
        return Err(SnapshotError::Damaged);
    }
    if !head.ends_with(&definition.hash.to_le_bytes()) {
        return Err(SnapshotError::OtherDefinition);
    }
    let mut used = HEAD_BYTES;
    while let Some(([l0, l1, l2, l3, c0, c1, c2, c3], after)) = rest.split_first_chunk::<8>() {
        let len = u32::from_le_bytes([*l0, *l1, *l2, *l3]);
        let Some((steps, after)) = usize::try_from(len).ok().and_then(|len| after.split_at_checked(len))
        else {
            break;
        };
        if crc32fast::hash(steps) != u32::from_le_bytes([*c0, *c1, *c2, *c3]) {
            break;
        }
        let Some(steps) = decode(steps, definition.fields.len()) else { break };
        for step in &steps {
            state.apply(step);
        }
        used += 8 + u64::from(len);
        rest = after;
    }
    Ok(used)
}

/// Reads all steps of a record, or none.
fn decode(bytes: &[u8], fields: usize) -> Option<Vec<Step>> {
    let mut input = Reader(bytes);
    let mut steps = Vec::new();
    while !input.0.is_empty() {
        steps.push(Step::decode(&mut input, fields).ok()?);
    }
    Some(steps)
}

/// Adds a step to those of the next record.
pub(crate) fn put(step: &Step, steps: &mut Vec<u8>) {
    let mut out = Writer(std::mem::take(steps));
    step.encode(&mut out);
    *steps = out.0;
}
