//! Identities on a disk that is full for a while.

use std::path::Path;

use edge_core::StoreError;
use edge_core::service::{AuthRecord, IdentityChange, IdentityRecord, IdentityStore};
use redb::Database;

use super::IdentityFile;
use crate::database::Backend;
use crate::testing::Random;

fn open(backend: &Backend) -> IdentityFile {
    let backend = backend.clone();
    let open = move || Ok(Database::builder().create_with_backend(backend.clone())?);
    IdentityFile::start(open, Path::new("simulated")).unwrap()
}

fn put(number: u32) -> Vec<IdentityChange> {
    let identity = format!("device{number:02}").parse().unwrap();
    vec![IdentityChange::Put(Box::new(IdentityRecord::new(identity, AuthRecord::CertificateAuthority)))]
}

#[tokio::test]
async fn identities_work_again_when_the_disk_has_room_again() {
    let backend = Backend::new();
    let store = open(&backend);
    store.apply(put(0)).await.unwrap();
    for number in 1..4 {
        backend.0.lock().unwrap().full = true;
        for _ in 0..2 {
            let error = store.apply(put(number)).await.unwrap_err();
            assert!(matches!(error, StoreError::NoSpace { .. }), "{error:?}");
        }
        backend.0.lock().unwrap().full = false;
        assert!(store.load().await.unwrap().len() >= number as usize);
        store.apply(put(number)).await.unwrap();
        let there = store.load().await.unwrap();
        assert_eq!(there.len(), number as usize + 1);
        let image = backend.0.lock().unwrap().image.clone().after_power_loss(&mut Random::new(7));
        assert_eq!(open(&Backend::of(image)).load().await.unwrap(), there);
    }
}
