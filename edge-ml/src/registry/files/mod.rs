//! The file calls that a registry makes.

mod disk;

use std::fmt;
use std::io::{self, Read};
use std::path::Path;

pub(crate) use disk::DiskFiles;

/// What holds a folder.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "it is held, and not looked at")] Option<std::fs::File>);

impl Lock {
    /// Returns what holds nothing.
    #[cfg(test)]
    pub(crate) const fn none() -> Self {
        Self(None)
    }
}

/// The file calls of a registry, so that tests can put a crash between any two of them.
pub(crate) trait Files: fmt::Debug + Send + Sync + 'static {
    /// Takes a folder for this process, until what is returned is dropped; `None` when somebody has it.
    fn lock(&self, dir: &Path) -> io::Result<Option<Lock>>;
    /// Makes a folder and those above it.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;
    /// Returns the names of the files in a folder with their sizes, in no order.
    fn list(&self, dir: &Path) -> io::Result<Vec<(String, u64)>>;
    /// Opens a file for reading, from its beginning.
    fn read(&self, path: &Path) -> io::Result<Box<dyn Read>>;
    /// Writes at this place, makes the file if need be, and cuts off what stands behind.
    fn write(&self, path: &Path, at: u64, bytes: &[u8]) -> io::Result<()>;
    /// Makes a file's content survive the loss of power.
    fn sync(&self, path: &Path) -> io::Result<()>;
    /// Gives a file another name, replacing what has it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a folder survive the loss of power.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
}

/// Reads a whole file of at most `most` bytes; a longer one is [`io::ErrorKind::FileTooLarge`].
pub(crate) fn read_all(files: &dyn Files, path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    files.read(path)?.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}

/// Makes a file with this content under this name, in one step.
pub(crate) fn write_whole(files: &dyn Files, dir: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let temporary = dir.join(format!("{name}.tmp"));
    files.write(&temporary, 0, bytes)?;
    files.sync(&temporary)?;
    files.rename(&temporary, &dir.join(name))?;
    files.sync_dir(dir)
}
