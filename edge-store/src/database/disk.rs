//! A disk with one file, for a database: it loses its power at any call, and can be full.

use std::io;
use std::sync::{Arc, Mutex};

use redb::StorageBackend;

use crate::testing::Random;

/// Bytes that a disk writes as a whole or not at all.
const SECTOR_BYTES: usize = 512;

/// A disk with one file: what is safe, what is seen, and the sectors that differ.
#[derive(Clone, Debug, Default)]
pub(crate) struct Image {
    seen: Vec<u8>,
    safe: Vec<u8>,
    unsynced: Vec<usize>,
}

impl Image {
    /// Returns what is there afterwards: of what was not synced, some sectors, or none.
    pub(crate) fn after_power_loss(mut self, random: &mut Random) -> Self {
        let keeps_some = random.one_in(2);
        if keeps_some {
            self.safe.resize(self.seen.len(), 0);
        }
        for sector in std::mem::take(&mut self.unsynced) {
            let bytes = sector * SECTOR_BYTES..((sector + 1) * SECTOR_BYTES).min(self.seen.len());
            if keeps_some && random.one_in(2) && bytes.start < bytes.end {
                self.safe[bytes.clone()].copy_from_slice(&self.seen[bytes]);
            }
        }
        Self { seen: self.safe.clone(), ..self }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Disk {
    pub(crate) image: Image,
    /// After so many more changing calls the power is lost: the image of that moment is kept.
    pub(crate) calls_left: u64,
    pub(crate) lost: Option<Image>,
    /// A disk that lies about syncs, which the test must notice.
    pub(crate) lies: bool,
    /// Nothing can be written, for the disk is full.
    pub(crate) full: bool,
}

impl Disk {
    fn call(&mut self) {
        if self.lost.is_none() && self.calls_left == 0 {
            self.lost = Some(self.image.clone());
        }
        self.calls_left = self.calls_left.saturating_sub(1);
    }

    /// A call that needs room.
    fn write(&mut self) -> io::Result<()> {
        self.call();
        if self.full { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Backend(pub(crate) Arc<Mutex<Disk>>);

impl Backend {
    /// Returns a disk with an empty file, whose power stays.
    pub(crate) fn new() -> Self {
        Self::of(Image::default())
    }

    /// Returns a disk with this on it, whose power stays.
    pub(crate) fn of(image: Image) -> Self {
        Self(Arc::new(Mutex::new(Disk { image, calls_left: u64::MAX, ..Disk::default() })))
    }
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().image.seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let disk = self.0.lock().unwrap();
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let found = disk.image.seen.get(start..start + out.len());
        out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut disk = self.0.lock().unwrap();
        disk.write()?;
        disk.image.seen.resize(usize::try_from(len).map_err(io::Error::other)?, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut disk = self.0.lock().unwrap();
        disk.call();
        if !disk.lies {
            disk.image.safe = disk.image.seen.clone();
            disk.image.unsynced.clear();
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut disk = self.0.lock().unwrap();
        disk.write()?;
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        disk.image.seen[start..start + data.len()].copy_from_slice(data);
        disk.image.unsynced.extend(start / SECTOR_BYTES..=(start + data.len() - 1) / SECTOR_BYTES);
        Ok(())
    }
}
