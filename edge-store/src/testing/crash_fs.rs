//! The simulated file system.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use super::Random;
use super::image::{FileImage, Names};
use crate::fs::{Fs, FsFile, FsLock};

/// A file system in memory that can be stopped at any call, and then shows what a crash would have left.
///
/// Clones are handles to the same file system.
///
/// # Contract
/// - [`CrashFs::after_kill`] keeps everything that was written.
/// - [`CrashFs::after_power_loss`] keeps everything that was synced; of the rest it drops, tears (by 512 bytes) and
///   reorders what it likes, and a lost name takes its file along.
#[derive(Clone, Default)]
pub struct CrashFs {
    disk: Arc<Mutex<Disk>>,
    allowed: Arc<Condvar>,
}

/// A kind of file call, for faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Call {
    /// Making or opening a file, or listing files.
    Open,
    /// Reading.
    Read,
    /// Writing, and changing the length.
    Write,
    /// Syncing a file or a directory.
    Sync,
    /// Removing or renaming a file.
    Remove,
}

type Fault = Box<dyn FnMut(Call) -> Option<io::ErrorKind> + Send>;

#[derive(Default)]
struct Disk {
    files: BTreeMap<u64, FileImage>,
    names: Names,
    next_file: u64,
    locked: BTreeSet<PathBuf>,
    frozen: bool,
    /// Freezes after so many more changing calls.
    freezes_in: Option<u64>,
    capacity_bytes: Option<u64>,
    fault: Option<Fault>,
    random: Option<Random>,
    forbidden_to: Option<ThreadId>,
    bad: Vec<(PathBuf, Range<u64>)>,
}

impl CrashFs {
    /// Returns an empty file system.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on every call fails: nothing that happens later is on the disk.
    pub fn freeze(&self) {
        self.disk().frozen = true;
    }

    /// Freezes at the changing call (write, sync, remove, new name) number `calls` from now; that call does not happen,
    /// but for a part of a write.
    pub fn freeze_in(&self, calls: u64) {
        self.disk().freezes_in = Some(calls);
    }

    /// Returns whether the file system is frozen.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        self.disk().frozen
    }

    /// Asks `fault` before every call whether, and how, it is to fail; a failed write may have written a part.
    pub fn set_fault(&self, fault: impl FnMut(Call) -> Option<io::ErrorKind> + Send + 'static) {
        self.disk().fault = Some(Box::new(fault));
    }

    /// No call is made to fail any more.
    pub fn clear_fault(&self) {
        self.disk().fault = None;
    }

    /// Wears out a part of a file: a read that touches it fails.
    pub fn wear_out(&self, path: impl Into<PathBuf>, bytes: Range<u64>) {
        self.disk().bad.push((path.into(), bytes));
    }

    /// Sets how many bytes all files together may have; a write beyond it is cut short, or refused as a full disk does.
    pub fn set_capacity_bytes(&self, capacity_bytes: Option<u64>) {
        self.disk().capacity_bytes = capacity_bytes;
    }

    /// From now on a call of this thread panics, and those of other threads wait for [`CrashFs::allow`].
    pub fn forbid(&self) {
        self.disk().forbidden_to = Some(thread::current().id());
    }

    /// Ends what [`CrashFs::forbid`] began.
    pub fn allow(&self) {
        self.disk().forbidden_to = None;
        self.allowed.notify_all();
    }

    /// Returns how many bytes all files together have.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.disk().used_bytes()
    }

    /// Returns what another process finds after this one was killed.
    #[must_use]
    pub fn after_kill(&self) -> Self {
        let disk = self.disk();
        let mut files = disk.files.clone();
        files.values_mut().for_each(FileImage::settle);
        let mut names = disk.names.clone();
        names.sync();
        Self::of(files, names, disk.next_file)
    }

    /// Returns what is found after the power was lost; different seeds lose different things.
    #[must_use]
    pub fn after_power_loss(&self, seed: u64) -> Self {
        let random = &mut Random::new(seed);
        let disk = self.disk();
        let mut files = disk.files.clone();
        files.values_mut().for_each(|file| file.lose_power(random));
        let mut names = disk.names.clone();
        names.lose_power(random);
        files.values_mut().for_each(FileImage::settle);
        names.sync();
        Self::of(files, names, disk.next_file)
    }

    /// Returns the paths of all files.
    #[must_use]
    pub fn paths(&self) -> Vec<PathBuf> {
        self.disk().names.current.keys().cloned().collect()
    }

    /// Returns the bytes of a file.
    #[must_use]
    pub fn read(&self, path: &Path) -> Option<Vec<u8>> {
        let disk = self.disk();
        let file = disk.names.current.get(path)?;
        disk.files.get(file).map(|file| file.content.clone())
    }

    /// Puts a file there, as if it had always been.
    pub fn put(&self, path: impl Into<PathBuf>, content: &[u8]) {
        let mut disk = self.disk();
        let file = disk.new_file(path.into());
        if let Some(file) = disk.files.get_mut(&file) {
            file.write(0, content);
            file.settle();
        }
        disk.names.sync();
    }

    fn of(files: BTreeMap<u64, FileImage>, names: Names, next_file: u64) -> Self {
        let disk = Disk { files, names, next_file, ..Disk::default() };
        Self { disk: Arc::new(Mutex::new(disk)), allowed: Arc::default() }
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks the disk for a call, when calls are allowed.
    ///
    /// # Panics
    /// When this thread has forbidden them.
    fn call(&self) -> MutexGuard<'_, Disk> {
        let mut disk = self.disk();
        while let Some(thread) = disk.forbidden_to {
            assert_ne!(thread, thread::current().id(), "this thread touches the disk");
            disk = self.allowed.wait(disk).unwrap_or_else(PoisonError::into_inner);
        }
        disk
    }

    fn file(&self, id: u64) -> Box<dyn FsFile> {
        Box::new(CrashFile { fs: self.clone(), id })
    }
}

impl Disk {
    fn used_bytes(&self) -> u64 {
        let files = self.names.current.values().filter_map(|file| self.files.get(file));
        files.map(|file| file.content.len() as u64).sum()
    }

    fn new_file(&mut self, path: PathBuf) -> u64 {
        let file = self.next_file;
        self.next_file += 1;
        self.files.insert(file, FileImage::default());
        self.names.set(path, Some(file));
        file
    }

    fn random(&mut self) -> &mut Random {
        self.random.get_or_insert(Random::new(0))
    }

    /// Lets a call through, or says how it fails.
    fn admit(&mut self, call: Call, changes: bool) -> io::Result<()> {
        if changes && let Some(left) = &mut self.freezes_in {
            if *left == 0 {
                self.frozen = true;
            } else {
                *left -= 1;
            }
        }
        if self.frozen {
            return Err(io::Error::other("the simulated machine has stopped"));
        }
        match self.fault.as_mut().and_then(|fault| fault(call)) {
            Some(kind) => Err(kind.into()),
            None => Ok(()),
        }
    }

    fn find(&self, path: &Path) -> io::Result<u64> {
        self.names.current.get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Fs for CrashFs {
    fn create_dir(&self, _dir: &Path) -> io::Result<()> {
        self.call().admit(Call::Open, false)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<(String, u64)>> {
        let mut disk = self.call();
        disk.admit(Call::Open, false)?;
        let inside = disk.names.current.iter().filter(|(path, _)| path.parent() == Some(dir));
        let found = inside.filter_map(|(path, file)| {
            let len = disk.files.get(file)?.content.len() as u64;
            Some((path.file_name()?.to_str()?.to_owned(), len))
        });
        Ok(found.collect())
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        let mut disk = self.call();
        disk.admit(Call::Open, true)?;
        let file = disk.new_file(path.to_owned());
        Ok(self.file(file))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        self.open_read(path)
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        let mut disk = self.call();
        disk.admit(Call::Open, false)?;
        disk.find(path).map(|file| self.file(file))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.call();
        disk.admit(Call::Remove, true)?;
        disk.find(path)?;
        disk.names.set(path.to_owned(), None);
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut disk = self.call();
        disk.admit(Call::Remove, true)?;
        let file = disk.find(from)?;
        disk.names.set(to.to_owned(), Some(file));
        disk.names.set(from.to_owned(), None);
        Ok(())
    }

    fn sync_dir(&self, _dir: &Path) -> io::Result<()> {
        let mut disk = self.call();
        disk.admit(Call::Sync, true)?;
        disk.names.sync();
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn FsLock>> {
        let mut disk = self.call();
        disk.admit(Call::Open, false)?;
        if !disk.locked.insert(path.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(CrashLock { fs: self.clone(), path: path.to_owned() }))
    }
}

impl fmt::Debug for CrashFs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let disk = self.disk();
        f.debug_struct("CrashFs")
            .field("files", &disk.names.current.len())
            .field("frozen", &disk.frozen)
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct CrashFile {
    fs: CrashFs,
    id: u64,
}

impl CrashFile {
    fn change<T>(&self, change: impl FnOnce(&mut FileImage) -> T) -> io::Result<T> {
        let mut disk = self.fs.disk();
        disk.files.get_mut(&self.id).map(change).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl FsFile for CrashFile {
    fn len(&self) -> io::Result<u64> {
        self.change(|file| file.content.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        let mut disk = self.fs.call();
        disk.admit(Call::Read, false)?;
        let touched = position..position + buffer.len() as u64;
        let is_bad = |(path, bad): &(PathBuf, Range<u64>)| {
            disk.names.current.get(path) == Some(&self.id)
                && bad.start < touched.end
                && touched.start < bad.end
        };
        if disk.bad.iter().any(is_bad) {
            return Err(io::Error::other("a simulated bad sector"));
        }
        drop(disk);
        self.change(|file| {
            let position = usize::try_from(position).unwrap_or(usize::MAX);
            let found = file.content.get(position..).unwrap_or_default();
            let count = found.len().min(buffer.len());
            for (to, from) in buffer.iter_mut().zip(found) {
                *to = *from;
            }
            count
        })
    }

    fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<usize> {
        let mut disk = self.fs.call();
        let was_frozen = disk.frozen;
        let admitted = disk.admit(Call::Write, true);
        if was_frozen {
            return admitted.map(|()| 0);
        }
        let position = usize::try_from(position).map_err(io::Error::other)?;
        let used = disk.used_bytes();
        let len = disk.files.get(&self.id).map_or(0, |file| file.content.len());
        let free = disk
            .capacity_bytes
            .map_or(usize::MAX, |all| usize::try_from(all.saturating_sub(used)).unwrap_or(usize::MAX));
        let mut room = len.saturating_add(free).saturating_sub(position).min(bytes.len());
        if admitted.is_err() {
            // A write that fails, or in which the machine stops, may have written a part.
            room = usize::try_from(disk.random().below(room as u64 + 1)).unwrap_or(0);
        }
        let part = bytes.get(..room).unwrap_or_default();
        if let Some(file) = disk.files.get_mut(&self.id) {
            file.write(position, part);
        }
        admitted?;
        if room == 0 && !bytes.is_empty() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(room) }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.fs.call().admit(Call::Write, true)?;
        let len = usize::try_from(len).map_err(io::Error::other)?;
        self.change(|file| file.set_len(len))
    }

    fn sync(&self) -> io::Result<()> {
        let mut disk = self.fs.call();
        let admitted = disk.admit(Call::Sync, true);
        let mut random = disk.random().clone();
        if !disk.frozen
            && let Some(file) = disk.files.get_mut(&self.id)
        {
            match &admitted {
                Ok(()) => file.sync(),
                Err(_) => file.fail_sync(&mut random),
            }
        }
        disk.random = Some(random);
        admitted
    }
}

#[derive(Debug)]
struct CrashLock {
    fs: CrashFs,
    path: PathBuf,
}

impl Drop for CrashLock {
    fn drop(&mut self) {
        self.fs.disk().locked.remove(&self.path);
    }
}

impl FsLock for CrashLock {}
