//! Twins on a disk that loses its power at any call.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use edge_core::{Identity, Timestamp};
use edge_twin::{Expect, Limits, Patch, Twin, TwinStore};
use redb::{Database, StorageBackend};

use super::TwinFile;
use crate::testing::Random;

/// Bytes that a disk writes as a whole or not at all.
const SECTOR_BYTES: usize = 512;

/// A disk with one file: what is safe, what is seen, and the sectors that differ.
#[derive(Clone, Debug, Default)]
struct Image {
    seen: Vec<u8>,
    safe: Vec<u8>,
    unsynced: Vec<usize>,
}

impl Image {
    /// Returns what is there afterwards: of what was not synced, some sectors, or none.
    fn after_power_loss(mut self, random: &mut Random) -> Self {
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
struct Disk {
    image: Image,
    /// After so many more changing calls the power is lost: the image of that moment is kept.
    calls_left: u64,
    lost: Option<Image>,
    /// A disk that lies about syncs, which the test must notice.
    lies: bool,
}

impl Disk {
    fn call(&mut self) {
        if self.lost.is_none() && self.calls_left == 0 {
            self.lost = Some(self.image.clone());
        }
        self.calls_left = self.calls_left.saturating_sub(1);
    }
}

#[derive(Clone, Debug, Default)]
struct Backend(Arc<Mutex<Disk>>);

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
        disk.call();
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
        disk.call();
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        disk.image.seen[start..start + data.len()].copy_from_slice(data);
        disk.image.unsynced.extend(start / SECTOR_BYTES..=(start + data.len() - 1) / SECTOR_BYTES);
        Ok(())
    }
}

fn open(backend: &Backend) -> Result<TwinFile, String> {
    let database = Database::builder().create_with_backend(backend.clone());
    let database = database.map_err(|error| error.to_string())?;
    TwinFile::start(database, Path::new("simulated")).map_err(|error| error.to_string())
}

fn client(number: u64) -> Identity {
    format!("device{number}").parse().unwrap()
}

/// Changes some twins until the power is lost, and returns what was promised before that, and what the disk has then.
async fn live(
    image: Image,
    random: &mut Random,
    lies: bool,
) -> Result<(HashMap<Identity, u64>, Image), String> {
    let disk = Disk { image, calls_left: u64::MAX, lost: None, lies };
    let backend = Backend(Arc::new(Mutex::new(disk)));
    let store = open(&backend)?;
    backend.0.lock().unwrap().calls_left = random.below(120);
    let mut promised = HashMap::new();
    for number in 0.. {
        let client = client(random.below(5));
        let found = store.load(&client).await.map_err(|error| error.to_string())?;
        let over = found.as_ref().map(Twin::version);
        let mut twin = found.unwrap_or_else(|| Twin::new(Timestamp::from_unix_ms(0)));
        let text = format!(r#"{{"n":{number},"blob":"{}"}}"#, "x".repeat(random.below(3000) as usize));
        let patch = Patch::parse(text.as_bytes(), &Limits::default()).unwrap();
        twin.report(&patch, Expect::Anything, &Limits::default(), Timestamp::from_unix_ms(1)).unwrap();
        let version = twin.version();
        store.save(&client, over, twin).await.map_err(|error| error.to_string())?;
        if backend.0.lock().unwrap().lost.is_some() {
            break;
        }
        promised.insert(client, version);
    }
    drop(store);
    let lost = backend.0.lock().unwrap().lost.take().unwrap();
    Ok((promised, lost.after_power_loss(random)))
}

/// Returns what is wrong after several losses of power, one after the other.
async fn check(seed: u64, lies: bool) -> Result<(), String> {
    let random = &mut Random::new(seed);
    let mut image = Image::default();
    for loss in 0..4 {
        let (promised, after) = live(image, random, lies).await?;
        image = after;
        let disk = Disk { image: image.clone(), calls_left: u64::MAX, ..Disk::default() };
        let store = open(&Backend(Arc::new(Mutex::new(disk)))).map_err(|e| format!("loss {loss}: {e}"))?;
        for (client, version) in promised {
            let found = store.load(&client).await.map_err(|e| format!("loss {loss}: {e}"))?;
            let found = found.as_ref().map(Twin::version);
            if found.is_none_or(|found| found < version) {
                return Err(format!("loss {loss}: {client} was promised as {version}, and is {found:?}"));
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn what_was_promised_survives_the_loss_of_power() {
    for seed in 0..60 {
        check(seed, false).await.unwrap_or_else(|problem| panic!("seed {seed}: {problem}"));
    }
}

#[tokio::test]
async fn a_disk_that_lies_is_noticed() {
    let mut noticed = 0;
    for seed in 0..10 {
        noticed += u32::from(check(seed, true).await.is_err());
    }
    assert!(noticed > 5, "{noticed} of 10");
}
