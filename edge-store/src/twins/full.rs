//! Twins on a disk that is full for a while.

use std::num::NonZeroUsize;

use edge_core::Timestamp;
use edge_twin::{Expect, Limits, Patch, Twin, TwinStore};

use super::TwinFile;
use super::power::{client, open};
use crate::database::Backend;
use crate::testing::Random;

/// Saves a twin of so many bytes over the one that is there, and returns its version.
async fn save(store: &TwinFile, number: u64, bytes: usize) -> Option<u64> {
    let found = store.load(&client(number)).await.ok()?;
    let over = found.as_ref().map(Twin::version);
    let mut twin = found.unwrap_or_else(|| Twin::new(Timestamp::from_unix_ms(0)));
    let text = format!(r#"{{"blob{number}":"{}"}}"#, "x".repeat(bytes));
    let patch = Patch::parse(text.as_bytes(), &Limits::default()).unwrap();
    twin.report(&patch, Expect::Anything, &Limits::default(), Timestamp::from_unix_ms(1)).unwrap();
    let version = twin.version();
    store.save(&client(number), over, twin).await.ok().map(|_| version)
}

#[tokio::test]
async fn twins_work_again_when_the_disk_has_room_again() {
    let backend = Backend::new();
    let store = open(&backend).unwrap();
    let mut promised = Vec::new();
    for number in 0..5 {
        promised.push(save(&store, number, 100).await.unwrap());
    }
    for _ in 0..3 {
        backend.0.lock().unwrap().full = true;
        assert_eq!(save(&store, 0, 3000).await, None);
        assert_eq!(save(&store, 1, 3000).await, None, "also later, as long as it is full");
        backend.0.lock().unwrap().full = false;
        for (number, promised) in (0..).zip(&promised) {
            let found = store.load(&client(number)).await.unwrap().unwrap();
            assert!(found.version() >= *promised, "{number}");
        }
        assert_eq!(store.list(None, NonZeroUsize::MAX).await.unwrap().len(), 5);
        for (number, promised) in (0..).zip(&mut promised) {
            *promised = save(&store, number, 200).await.unwrap();
        }
        let image = backend.0.lock().unwrap().image.clone().after_power_loss(&mut Random::new(7));
        let after = open(&Backend::of(image)).unwrap();
        for (number, promised) in (0..).zip(&promised) {
            assert_eq!(after.load(&client(number)).await.unwrap().unwrap().version(), *promised);
        }
    }
}
