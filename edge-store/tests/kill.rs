//! A process that is killed while it appends and trims, again and again; several queues, quotas, segments that come and go.

mod common;

use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::*;
use edge_core::{Durability, MessageStore, StoreError};
use edge_store::testing::Random;
use edge_store::{SegmentStore, StoreOptions};

/// Where the child of the test keeps its store.
const CHILD_DIR: &str = "EDGE_STORE_KILLED_CHILD";
const NAMES: [&str; 3] = ["fast", "slow", "stuck"];
/// The store is narrow, so that the queue that is stuck makes it refuse, and what is dead has to go.
const MAX_BYTES: u64 = 3 << 20;

fn options(run: u64) -> StoreOptions {
    let options = StoreOptions::default().with_segment_bytes(128 << 10).with_tail_bytes(16 << 10);
    options.with_max_bytes(MAX_BYTES).with_compression(run % 2 == 1)
}

fn body(number: u64) -> Vec<u8> {
    let mut random = Random::new(number);
    let filler = random.below(2000);
    let noise = (0..filler).map(|n| if n % 3 == 0 { random.next() as u8 } else { b'-' });
    number.to_le_bytes().into_iter().chain(noise).collect()
}

/// Not a test by itself: what the child does in the one below. It says what was promised, queue by queue.
#[tokio::test]
async fn child_of_the_test_below() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else { return };
    let run = std::process::id().into();
    let (store, recovery) = SegmentStore::open(PathBuf::from(dir), options(run)).unwrap();
    assert!(recovery.damage.is_empty() && recovery.lost.is_empty(), "{recovery}");
    let all = targets("fast:all slow:all stuck:all");
    let most = targets("fast:most slow:most");
    let mut out = std::io::stdout();
    let mut random = Random::new(run);
    let mut next = NAMES.map(|name| store.queue(&queue(name)).map_or(0, |state| state.next));
    loop {
        let to = if random.one_in(8) { &all } else { &most };
        // The number of a message is its offset in the queue that gets all of them.
        let batch: Vec<_> = (0..=random.below(20)).map(|n| entry(to, body(next[0] + n))).collect();
        let appended = batch.len() as u64;
        let level = if random.one_in(2) { Durability::Synced } else { Durability::Written };
        match store.append(batch, level).await {
            Ok(_) => {
                for (next, _) in next.iter_mut().zip(to.iter()) {
                    *next += appended;
                }
                writeln!(out, "promised {} {} {}", next[0], next[1], next[2]).unwrap();
                out.flush().unwrap();
            }
            Err(StoreError::Full { .. }) => {
                let stuck = store.queue(&queue("stuck")).unwrap();
                store.trim(&queue("stuck"), stuck.head + stuck.len() / 2 + 1).unwrap();
                store.flush().await.unwrap();
            }
            Err(error) => panic!("{error}"),
        }
        assert!(store.usage().used_bytes <= MAX_BYTES + (256 << 10), "{:?}", store.usage());
        store.trim(&queue("fast"), next[0]).unwrap();
        if random.one_in(10) {
            store.trim(&queue("slow"), next[1].saturating_sub(100)).unwrap();
        }
    }
}

/// Lets a child work until it has said so many lines, kills it, and returns what it promised last.
fn work_and_kill(dir: &Path, lines: u64) -> [u64; 3] {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child_of_the_test_below", "--nocapture"]).env(CHILD_DIR, dir);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut promised = None;
    let mut seen = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if let Some((_, numbers)) = line.split_once("promised ") {
            let mut numbers = numbers.split(' ').map(|number| number.parse().unwrap());
            promised = Some([(); 3].map(|()| numbers.next().unwrap()));
            seen += 1;
        }
        if seen == lines {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    promised.expect("the child has appended something")
}

#[tokio::test]
async fn nothing_promised_is_missing_after_many_kills() {
    let dir = tempfile::tempdir().unwrap();
    let seed = 11;
    let mut random = Random::new(seed);
    for kill in 0..25 {
        let promised = work_and_kill(dir.path(), 1 + random.below(60));
        let (store, recovery) = SegmentStore::open(dir.path(), options(0)).unwrap();
        assert!(recovery.damage.is_empty() && recovery.lost.is_empty(), "kill {kill}: {recovery}");
        assert!(recovery.removed.is_empty(), "kill {kill}: {recovery}");
        for (name, promised) in NAMES.into_iter().zip(promised) {
            let Some(state) = store.queue(&queue(name)) else { continue };
            assert!(state.next >= promised, "kill {kill}: {name} has {} of {promised}", state.next);
            let read = read_all(&store, &queue(name), state.head).await;
            assert_eq!((read.damaged, read.entries.len() as u64), (0, state.len()), "kill {kill}: {name}");
            let mut numbers = Vec::new();
            for stored in read.entries {
                let (number, _) = stored.message.body().split_first_chunk().unwrap();
                numbers.push(u64::from_le_bytes(*number));
                assert_eq!(stored.message.body(), body(u64::from_le_bytes(*number)), "kill {kill}: {name}");
            }
            assert!(numbers.is_sorted_by(|a, b| a < b), "kill {kill}: {name} is out of order");
        }
        let accounts = store.accounts();
        assert!(accounts.iter().all(|account| account.residual() == 0), "kill {kill}: {accounts:?}");
        let accepted: u64 = accounts.iter().filter(|a| a.queue == queue("fast")).map(|a| a.accepted).sum();
        assert_eq!(accepted, store.queue(&queue("fast")).unwrap().next, "kill {kill}");
    }
}
