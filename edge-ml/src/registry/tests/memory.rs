//! Files in memory, which can be stopped at any call, and then show what a crash would have left.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::registry::files::{Files, Lock};

#[derive(Clone, Debug, Default)]
struct Image {
    bytes: Vec<u8>,
    synced: Vec<u8>,
}

#[derive(Clone, Debug, Default)]
struct Disk {
    /// Names as processes see them, and as they are after the loss of power.
    names: BTreeMap<PathBuf, u64>,
    synced_names: BTreeMap<PathBuf, u64>,
    images: BTreeMap<u64, Image>,
    next: u64,
    calls: u64,
    stops_at: Option<u64>,
}

/// Files in memory; clones are the same files.
#[derive(Clone, Debug, Default)]
pub(crate) struct MemoryFiles(Arc<Mutex<Disk>>);

impl MemoryFiles {
    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap()
    }

    /// Every changing call from the one with this number on fails; that one is done by half.
    pub(crate) fn stop_at(&self, call: u64) {
        self.disk().stops_at = Some(call);
    }

    /// Calls work again.
    pub(crate) fn go_on(&self) {
        self.disk().stops_at = None;
    }

    /// Returns how many changing calls there were.
    pub(crate) fn calls(&self) -> u64 {
        self.disk().calls
    }

    /// Returns what the death of the process leaves.
    pub(crate) fn after_kill(&self) -> Self {
        let disk = self.disk().clone();
        Self(Arc::new(Mutex::new(Disk { calls: 0, stops_at: None, ..disk })))
    }

    /// Returns the least that the loss of power leaves.
    pub(crate) fn after_power_loss(&self) -> Self {
        let mut disk = self.disk().clone();
        disk.names = disk.synced_names.clone();
        for image in disk.images.values_mut() {
            image.bytes = image.synced.clone();
        }
        Self(Arc::new(Mutex::new(Disk { calls: 0, stops_at: None, ..disk })))
    }

    /// Changes a file behind the registry's back.
    pub(crate) fn tamper(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let mut disk = self.disk();
        let id = disk.names[path];
        let image = disk.images.get_mut(&id).unwrap();
        change(&mut image.bytes);
        image.synced = image.bytes.clone();
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        self.disk().names.keys().map(name).collect()
    }

    /// Counts a changing call; returns whether it is the one that is done by half.
    fn change(&self) -> io::Result<(MutexGuard<'_, Disk>, bool)> {
        let mut disk = self.disk();
        let call = disk.calls;
        disk.calls += 1;
        match disk.stops_at {
            Some(stop) if call > stop => Err(io::Error::other("stopped")),
            stop => Ok((disk, stop == Some(call))),
        }
    }

    fn names_changed(half: bool, change: impl FnOnce()) -> io::Result<()> {
        // A change of names is done or not: the stopped one is not.
        if half {
            return Err(io::Error::other("stopped"));
        }
        change();
        Ok(())
    }
}

fn missing() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl Files for MemoryFiles {
    fn lock(&self, _: &Path) -> io::Result<Option<Lock>> {
        Ok(Some(Lock::none()))
    }

    fn create_dir(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<(String, u64)>> {
        let disk = self.disk();
        let inside = disk.names.iter().filter(|(path, _)| path.parent() == Some(dir));
        let entry = |(path, id): (&PathBuf, &u64)| {
            (path.file_name().unwrap().to_str().unwrap().to_owned(), disk.images[id].bytes.len() as u64)
        };
        Ok(inside.map(entry).collect())
    }

    fn read(&self, path: &Path) -> io::Result<Box<dyn Read>> {
        let disk = self.disk();
        let id = disk.names.get(path).ok_or_else(missing)?;
        Ok(Box::new(Cursor::new(disk.images[id].bytes.clone())))
    }

    fn write(&self, path: &Path, at: u64, bytes: &[u8]) -> io::Result<()> {
        let (mut disk, half) = self.change()?;
        let new = disk.next;
        disk.next += 1;
        let id = *disk.names.entry(path.to_owned()).or_insert(new);
        let image = disk.images.entry(id).or_default();
        image.bytes.resize(at as usize, 0);
        image.bytes.extend_from_slice(if half { &bytes[..bytes.len() / 2] } else { bytes });
        if half { Err(io::Error::other("stopped")) } else { Ok(()) }
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        let (mut disk, half) = self.change()?;
        let id = *disk.names.get(path).ok_or_else(missing)?;
        let image = disk.images.get_mut(&id).unwrap();
        Self::names_changed(half, || image.synced = image.bytes.clone())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (mut disk, half) = self.change()?;
        let id = *disk.names.get(from).ok_or_else(missing)?;
        Self::names_changed(half, || {
            disk.names.remove(from);
            disk.names.insert(to.to_owned(), id);
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let (mut disk, half) = self.change()?;
        Self::names_changed(half, || {
            disk.names.remove(path);
        })
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let (mut disk, half) = self.change()?;
        Self::names_changed(half, || {
            disk.synced_names.retain(|path, _| path.parent() != Some(dir));
            let inside = disk.names.iter().filter(|(path, _)| path.parent() == Some(dir));
            let inside: Vec<_> = inside.map(|(path, id)| (path.clone(), *id)).collect();
            disk.synced_names.extend(inside);
        })
    }
}
