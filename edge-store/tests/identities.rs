//! Identities survive what they must.

use std::sync::Mutex;

use async_trait::async_trait;
use edge_core::service::{AuthRecord, IdentityChange, IdentityRecord, IdentityStore};
use edge_core::testing::identity_store::IdentityHarness;
use edge_store::{IdentityFile, OpenError};
use tempfile::TempDir;

/// A crash leaves what the operating system was given: a copy of the file, made while the store still runs.
#[derive(Default)]
struct OnDisk {
    dirs: Mutex<Vec<TempDir>>,
}

impl OnDisk {
    fn dir(&self) -> std::path::PathBuf {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_owned();
        self.dirs.lock().unwrap().push(dir);
        path
    }
}

#[async_trait]
impl IdentityHarness for OnDisk {
    type Store = IdentityFile;

    async fn open(&self) -> IdentityFile {
        IdentityFile::open(self.dir()).unwrap()
    }

    async fn crash(&self, store: IdentityFile) -> Option<IdentityFile> {
        let from = self.dirs.lock().unwrap().last().unwrap().path().join("identities.redb");
        let to = self.dir();
        std::fs::copy(from, to.join("identities.redb")).unwrap();
        let back = IdentityFile::open(to).unwrap();
        drop(store);
        Some(back)
    }
}

edge_core::identity_store_conformance!(OnDisk::default());

#[tokio::test]
async fn a_directory_has_one_user_and_what_was_not_waited_for_is_written_at_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let store = IdentityFile::open(dir.path()).unwrap();
    assert!(matches!(IdentityFile::open(dir.path()), Err(OpenError::Locked { .. })));
    let record = IdentityRecord::new("press".parse().unwrap(), AuthRecord::None);
    drop(store.apply(vec![IdentityChange::Put(Box::new(record.clone()))]));
    drop(store);
    assert_eq!(IdentityFile::open(dir.path()).unwrap().load().await.unwrap(), [record]);
}

#[tokio::test]
async fn a_file_that_is_none_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("identities.redb"), [7; 5000]).unwrap();
    assert!(matches!(IdentityFile::open(dir.path()), Err(OpenError::Io { .. })));
}
