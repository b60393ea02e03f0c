//! The file system that a store stands on.

mod disk;

use std::fmt;
use std::io;
use std::path::Path;

pub use disk::DiskFs;

/// The file calls that a store makes; a test can put a failing or crashing file system under the real store.
///
/// # Contract
/// - What was written before a [`FsFile::sync`] returned MUST survive the loss of power after it.
/// - A created, renamed or removed name MUST survive the loss of power after [`Fs::sync_dir`] returned.
/// - [`Fs::rename`] MUST replace its target in one step.
///
/// # Examples
/// ```
/// use edge_store::fs::{DiskFs, Fs};
///
/// let missing = DiskFs.list("no/such/directory".as_ref());
/// assert!(missing.is_err());
/// ```
pub trait Fs: fmt::Debug + Send + Sync + 'static {
    /// Makes a directory and those above it; one that is there is no error.
    ///
    /// # Errors
    /// What the operating system says.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;

    /// Returns the names and lengths of the files in a directory, in no order.
    ///
    /// # Errors
    /// What the operating system says.
    fn list(&self, dir: &Path) -> io::Result<Vec<(String, u64)>>;

    /// Makes an empty file, or empties the one that is there, and opens it for reading and writing.
    ///
    /// # Errors
    /// What the operating system says.
    fn create(&self, path: &Path) -> io::Result<Box<dyn FsFile>>;

    /// Opens a file that is there for reading and writing.
    ///
    /// # Errors
    /// What the operating system says.
    fn open(&self, path: &Path) -> io::Result<Box<dyn FsFile>>;

    /// Opens a file that is there for reading only.
    ///
    /// # Errors
    /// What the operating system says.
    fn open_read(&self, path: &Path) -> io::Result<Box<dyn FsFile>>;

    /// Removes a file.
    ///
    /// # Errors
    /// What the operating system says.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Gives a file another name, replacing what has it.
    ///
    /// # Errors
    /// What the operating system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Makes the names in a directory survive the loss of power.
    ///
    /// # Errors
    /// What the operating system says.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Takes a lock file, creating it if need be; the lock is held until the returned value is dropped.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when somebody else holds it, otherwise what the operating system says.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn FsLock>>;
}

/// An open file, read and written by position.
pub trait FsFile: fmt::Debug + Send + Sync {
    /// Returns the file's length in bytes.
    ///
    /// # Errors
    /// What the operating system says.
    fn len(&self) -> io::Result<u64>;

    /// Returns whether the file has no bytes.
    ///
    /// # Errors
    /// What the operating system says.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Reads into `buffer` from `position` on, and returns how many bytes were read; 0 at the end of the file.
    ///
    /// # Errors
    /// What the operating system says.
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize>;

    /// Writes some of `bytes` at `position`, and returns how many were written.
    ///
    /// # Errors
    /// What the operating system says.
    fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<usize>;

    /// Cuts the file to `len` bytes, or fills it up with zeros.
    ///
    /// # Errors
    /// What the operating system says.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Makes all that was written survive the loss of power.
    ///
    /// # Errors
    /// What the operating system says.
    fn sync(&self) -> io::Result<()>;
}

/// A lock that is held while the value lives.
pub trait FsLock: fmt::Debug + Send + Sync {}

const _: Option<(&dyn Fs, &dyn FsFile, &dyn FsLock)> = None;

/// Writes all of `bytes` at `position`, however many calls it takes.
pub(crate) fn write_all(file: &dyn FsFile, mut bytes: &[u8], mut position: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write_at(bytes, position) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                bytes = bytes.get(written..).unwrap_or_default();
                position += written as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads until `buffer` is full or the file ends, and returns how many bytes were read.
pub(crate) fn read_full(file: &dyn FsFile, buffer: &mut [u8], position: u64) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, position + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
