//! What is on the simulated disk: what is safe, and what is still on its way.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::Random;

/// Bytes that a disk writes as a whole or not at all.
const SECTOR_BYTES: usize = 512;

/// A file: what a power loss leaves of it for sure, and what was done since.
#[derive(Clone, Debug, Default)]
pub(super) struct FileImage {
    /// What a reader sees.
    pub(super) content: Vec<u8>,
    safe: Vec<u8>,
    unsafe_changes: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Write { position: usize, bytes: Vec<u8> },
    Len(usize),
}

impl FileImage {
    pub(super) fn write(&mut self, position: usize, bytes: &[u8]) {
        overwrite(&mut self.content, position, bytes);
        self.unsafe_changes.push(Change::Write { position, bytes: bytes.to_vec() });
    }

    pub(super) fn set_len(&mut self, len: usize) {
        self.content.resize(len, 0);
        self.unsafe_changes.push(Change::Len(len));
    }

    pub(super) fn sync(&mut self) {
        self.safe.clone_from(&self.content);
        self.unsafe_changes.clear();
    }

    /// A sync has failed: the system forgets which pages it still had to write, and readers see them until the crash.
    pub(super) fn fail_sync(&mut self, random: &mut Random) {
        self.unsafe_changes.retain(|_| random.one_in(2));
    }

    /// Only some of what was not synced is there, in pieces.
    pub(super) fn lose_power(&mut self, random: &mut Random) {
        let mode = random.below(4);
        let garbage = random.one_in(2);
        for change in std::mem::take(&mut self.unsafe_changes) {
            match change {
                _ if mode == 0 => break,
                Change::Len(len) => {
                    if random.one_in(2) {
                        self.safe.resize(len, 0);
                    }
                }
                Change::Write { position, bytes } => {
                    let whole = mode == 1 && !random.one_in(4);
                    for (at, sector) in bytes.chunks(SECTOR_BYTES).enumerate() {
                        let position = position + at * SECTOR_BYTES;
                        if whole || random.one_in(2) {
                            overwrite(&mut self.safe, position, sector);
                        } else if garbage {
                            let noise: Vec<u8> =
                                sector.iter().map(|_| random.next().to_le_bytes()[0]).collect();
                            overwrite(&mut self.safe, position, &noise);
                        }
                    }
                    if mode == 1 && !whole {
                        break;
                    }
                }
            }
        }
        self.content.clone_from(&self.safe);
    }

    /// Everything that was written is there, and on the disk.
    pub(super) fn settle(&mut self) {
        self.sync();
    }
}

fn overwrite(content: &mut Vec<u8>, position: usize, bytes: &[u8]) {
    let end = position + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    if let Some(target) = content.get_mut(position..end) {
        target.copy_from_slice(bytes);
    }
}

/// The names of the files, and the changes of them that are not safe yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    pub(super) current: BTreeMap<PathBuf, u64>,
    safe: BTreeMap<PathBuf, u64>,
    unsafe_changes: Vec<(PathBuf, Option<u64>)>,
}

impl Names {
    /// Gives a path a file, or takes it away.
    pub(super) fn set(&mut self, path: PathBuf, file: Option<u64>) {
        apply(&mut self.current, path.clone(), file);
        self.unsafe_changes.push((path, file));
    }

    pub(super) fn sync(&mut self) {
        self.safe.clone_from(&self.current);
        self.unsafe_changes.clear();
    }

    pub(super) fn lose_power(&mut self, random: &mut Random) {
        let kept = random.below(self.unsafe_changes.len() as u64 + 1);
        for (path, file) in
            std::mem::take(&mut self.unsafe_changes).into_iter().take(usize::try_from(kept).unwrap_or(0))
        {
            apply(&mut self.safe, path, file);
        }
        self.current.clone_from(&self.safe);
    }
}

fn apply(names: &mut BTreeMap<PathBuf, u64>, path: PathBuf, file: Option<u64>) {
    match file {
        Some(file) => names.insert(path, file),
        None => names.remove(&path),
    };
}
