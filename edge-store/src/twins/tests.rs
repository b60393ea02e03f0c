//! The store of twins keeps its contract, also when its process is killed.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use async_trait::async_trait;
use edge_core::{Identity, Timestamp};
use edge_twin::testing::twin_store::TwinHarness;
use edge_twin::{Expect, Limits, Patch, Twin, TwinStore, TwinStoreError};

use super::TwinFile;
use crate::OpenError;

/// Where the child of a test that kills its child keeps its twins.
const CHILD_DIR: &str = "EDGE_STORE_TWINS_OF_CHILD";

/// A store with its directory, which goes when the store does.
#[derive(Debug)]
struct Temporary {
    store: TwinFile,
    dir: tempfile::TempDir,
}

impl Temporary {
    fn at(dir: tempfile::TempDir) -> Self {
        Self { store: TwinFile::open(dir.path()).unwrap(), dir }
    }
}

#[async_trait]
impl TwinStore for Temporary {
    async fn load(&self, identity: &Identity) -> Result<Option<Twin>, TwinStoreError> {
        self.store.load(identity).await
    }

    async fn save(
        &self,
        identity: &Identity,
        over: Option<u64>,
        twin: Twin,
    ) -> Result<edge_core::Durability, TwinStoreError> {
        self.store.save(identity, over, twin).await
    }

    async fn remove(&self, identity: &Identity) -> Result<bool, TwinStoreError> {
        self.store.remove(identity).await
    }

    async fn list(
        &self,
        after: Option<&Identity>,
        limit: std::num::NonZeroUsize,
    ) -> Result<Vec<(Identity, Twin)>, TwinStoreError> {
        self.store.list(after, limit).await
    }
}

struct OnDisk;

#[async_trait]
impl TwinHarness for OnDisk {
    type Store = Temporary;

    async fn open(&self) -> Temporary {
        Temporary::at(tempfile::tempdir().unwrap())
    }

    /// Copies the file as it is while the database has it open: what a killed process leaves.
    async fn crash(&self, store: Temporary) -> Option<Temporary> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::copy(store.dir.path().join(super::FILE), dir.path().join(super::FILE)).unwrap();
        drop(store);
        Some(Temporary::at(dir))
    }
}

edge_twin::twin_store_conformance!(OnDisk);

fn client() -> Identity {
    "d/m".parse().unwrap()
}

/// Reports once more than before, and returns the new version.
async fn report(store: &TwinFile, client: &Identity) -> u64 {
    let stored = store.load(client).await.unwrap();
    let over = stored.as_ref().map(Twin::version);
    let mut twin = stored.unwrap_or_else(|| Twin::new(Timestamp::from_unix_ms(0)));
    let text = format!(r#"{{"n":{},"blob":"{}"}}"#, twin.version(), "x".repeat(1000));
    let patch = Patch::parse(text.as_bytes(), &Limits::default()).unwrap();
    twin.report(&patch, Expect::Anything, &Limits::default(), Timestamp::from_unix_ms(1)).unwrap();
    let version = twin.version();
    store.save(client, over, twin).await.unwrap();
    version
}

/// Not a test by itself: what the child does in the one below.
#[tokio::test]
async fn child_of_the_test_below() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else { return };
    let store = TwinFile::open(PathBuf::from(dir)).unwrap();
    let mut out = std::io::stdout();
    loop {
        let version = report(&store, &client()).await;
        writeln!(out, "saved {version}").unwrap();
        out.flush().unwrap();
    }
}

/// Lets a child save until it has said `lines` times that it did, kills it, and returns the last version it spoke of.
fn save_and_kill(dir: &Path, lines: usize) -> u64 {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "twins::tests::child_of_the_test_below", "--nocapture"]);
    let mut child = command.env(CHILD_DIR, dir).stdout(Stdio::piped()).spawn().unwrap();
    let mut last = None;
    let mut seen = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if let Some((_, version)) = line.split_once("saved ") {
            last = version.parse().ok();
            seen += 1;
        }
        if seen == lines {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    last.expect("the child has saved something")
}

#[tokio::test]
async fn what_was_saved_survives_kill_9_and_versions_never_go_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut before = 0;
    for lines in [1, 7, 20] {
        let promised = save_and_kill(dir.path(), lines);
        assert!(promised > before, "{promised} comes after {before}");
        let store = TwinFile::open(dir.path()).unwrap();
        let found = store.load(&client()).await.unwrap().unwrap();
        assert!(found.version() >= promised, "{} was promised, {} is there", promised, found.version());
        before = found.version();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writers_share_commits_and_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(TwinFile::open(dir.path()).unwrap());
    let mut writers = tokio::task::JoinSet::new();
    for n in 0..40 {
        let store = store.clone();
        writers.spawn(async move {
            let client: Identity = format!("device{n}").parse().unwrap();
            for _ in 0..5 {
                report(&store, &client).await;
            }
        });
    }
    while let Some(done) = writers.join_next().await {
        done.unwrap();
    }
    let all = store.list(None, std::num::NonZeroUsize::MAX).await.unwrap();
    assert!(all.iter().all(|(_, twin)| twin.version() == 6), "each was changed five times");
    assert_eq!(all.len(), 40);
}

#[tokio::test]
async fn a_damaged_twin_is_named_and_can_be_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let store = TwinFile::open(dir.path()).unwrap();
    report(&store, &client()).await;
    let damage = |database: &redb::Database| {
        let writing = database.begin_write()?;
        writing.open_table(super::TWINS)?.insert(&*super::key::of(&client()), &b"\x01damaged"[..])?;
        Ok(writing.commit()?)
    };
    store.database.with(damage).unwrap();
    let error = store.load(&client()).await.unwrap_err();
    assert_eq!(error.to_string(), "twin of d/m cannot be read");
    store.remove(&client()).await.unwrap();
    assert_eq!(report(&store, &client()).await, 2);
}

#[test]
fn one_process_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let _store = TwinFile::open(dir.path()).unwrap();
    assert!(matches!(TwinFile::open(dir.path()), Err(OpenError::Locked { .. })));
}
