//! Subscriptions survive restarts and crashes, and the file does not grow.

mod common;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use edge_core::{Feed, FeedSet, Identity, SessionStore};
use edge_store::testing::{Call, CrashFs, Random};
use edge_store::{OpenError, SessionFile};

fn open(fs: &CrashFs) -> SessionFile {
    SessionFile::open_on(Arc::new(fs.clone()), "dir").unwrap()
}

fn client(n: u64) -> Identity {
    format!("device{n}/module").parse().unwrap()
}

fn file_bytes(fs: &CrashFs) -> usize {
    fs.read("dir/sessions.log".as_ref()).unwrap().len()
}

#[tokio::test]
async fn what_is_confirmed_survives_any_crash() {
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let mut fs = CrashFs::new();
        let mut confirmed: BTreeMap<Identity, FeedSet> = BTreeMap::new();
        for _ in 0..3 {
            let sessions = open(&fs);
            fs.freeze_in(random.below(40));
            let mut unconfirmed: BTreeMap<Identity, Vec<FeedSet>> = BTreeMap::new();
            for _ in 0..30 {
                let (client, feeds) = (client(random.below(4)), FeedSet::from_bits(random.next() as u8));
                match sessions.save(&client, feeds).await {
                    Ok(_) => {
                        unconfirmed.remove(&client);
                        confirmed.insert(client, feeds);
                    }
                    Err(_) => unconfirmed.entry(client).or_default().push(feeds),
                }
            }
            drop(sessions);
            fs = if random.one_in(2) { fs.after_kill() } else { fs.after_power_loss(random.next()) };
            let sessions = open(&fs);
            assert_eq!(sessions.damaged_bytes(), 0, "seed {seed}");
            for n in 0..4 {
                let found = sessions.load(&client(n));
                let before = confirmed.get(&client(n)).copied().unwrap_or_default();
                let maybe = unconfirmed.remove(&client(n)).unwrap_or_default();
                assert!(
                    found == before || maybe.contains(&found),
                    "seed {seed}: {found:?}, {before:?} was confirmed"
                );
                confirmed.insert(client(n), found);
            }
        }
    }
}

#[tokio::test]
async fn the_file_does_not_grow_with_changes() {
    let fs = CrashFs::new();
    let sessions = open(&fs);
    for n in 0..20_000 {
        let receipt = sessions.save(&client(n % 10), FeedSet::from_bits(1 + (n / 10 % 31) as u8));
        if n % 100 == 0 {
            receipt.await.unwrap();
        }
    }
    sessions.save(&client(0), FeedSet::EMPTY).await.unwrap();
    assert!(file_bytes(&fs) < 80_000, "{}", file_bytes(&fs));
    drop(sessions);
    assert_eq!(open(&fs).all().len(), 9);
    assert!(file_bytes(&fs) < 300, "a new file holds nothing old");
}

#[tokio::test]
async fn a_failing_disk_is_said_and_healed_by_the_next_save() {
    for failing in [Call::Write, Call::Sync] {
        let fs = CrashFs::new();
        let sessions = open(&fs);
        fs.set_fault(move |call| (call == failing).then_some(io::ErrorKind::StorageFull));
        assert!(sessions.save(&client(1), Feed::Inputs.into()).await.is_err());
        assert!(sessions.save(&client(1), Feed::Inputs.into()).await.is_err(), "not settled by repetition");
        fs.clear_fault();
        sessions.save(&client(2), Feed::Methods.into()).await.unwrap();
        let after = fs.after_power_loss(1);
        assert_eq!(open(&after).all().len(), 2);
    }
}

#[tokio::test]
async fn one_gateway_per_directory() {
    let dir = tempfile::tempdir().unwrap();
    let _first = SessionFile::open(dir.path()).unwrap();
    assert!(matches!(SessionFile::open(dir.path()), Err(OpenError::Locked { .. })));
}
