//! Twins on a disk that loses its power at any call.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use edge_core::{Identity, Timestamp};
use edge_twin::{Expect, Limits, Patch, Twin, TwinStore};
use redb::Database;

use super::TwinFile;
use crate::database::{Backend, Disk, Image};
use crate::testing::Random;

pub(super) fn open(backend: &Backend) -> Result<TwinFile, String> {
    let backend = backend.clone();
    let open = move || Ok(Database::builder().create_with_backend(backend.clone())?);
    TwinFile::start(open, Path::new("simulated")).map_err(|error| error.to_string())
}

pub(super) fn client(number: u64) -> Identity {
    format!("device{number}").parse().unwrap()
}

/// Changes some twins until the power is lost, and returns what was promised before that, and what the disk has then.
async fn live(
    image: Image,
    random: &mut Random,
    lies: bool,
) -> Result<(HashMap<Identity, u64>, Image), String> {
    let disk = Disk { image, calls_left: u64::MAX, lies, ..Disk::default() };
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
