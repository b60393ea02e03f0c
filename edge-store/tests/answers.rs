//! Answers and what they answer: after a crash both have happened, or neither, and everything is counted once.

mod common;

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::sync::Arc;

use common::*;
use edge_core::{Answered, DropCause, Durability, MessageStore, Stored};
use edge_store::testing::{Call, CrashFs, Random};
use edge_store::{SegmentStore, StoreOptions};

fn open(fs: &CrashFs) -> SegmentStore {
    let options = StoreOptions::default().with_segment_bytes(16 * 1024).with_tail_bytes(2000);
    SegmentStore::open_on(Arc::new(fs.clone()), "dir", options).unwrap().0
}

async fn numbers(store: &SegmentStore, name: &str) -> Vec<u64> {
    bodies(&read_all(store, &queue(name), 0).await).iter().map(|body| body.trim().parse().unwrap()).collect()
}

fn number(stored: &Stored) -> u64 {
    String::from_utf8_lossy(stored.message.body()).trim().parse().unwrap()
}

/// A body that says a number, and is long enough to fill segments.
fn body(number: u64) -> String {
    format!("{number:<300}")
}

/// Answers questions in batches of any size until the disk stops, and checks what is left; goes on with that.
async fn answer_until_the_crash(seed: u64, power: bool) {
    let mut random = Random::new(seed);
    let mut fs = CrashFs::new();
    let (questions, answers) = (targets("q:asked"), targets("a:answered"));
    let mut asked = 0;
    // What was acknowledged and is neither dropped nor gone is asked still, or answered.
    let (mut acknowledged, mut refused) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..4 {
        let store = open(&fs);
        fs.freeze_in(random.below(60));
        while !fs.is_frozen() {
            let batch: Vec<_> =
                (asked..asked + 1 + random.below(8)).map(|n| entry(&questions, body(n))).collect();
            let count = batch.len() as u64;
            let taken = store.append(batch, Durability::Synced).await;
            if taken.is_err() {
                break;
            }
            acknowledged.extend(asked..asked + count);
            asked += count;
            let Ok(found) = store.read(&queue("q"), 0, entries(1 + random.below(12) as usize)).await else {
                break;
            };
            let Some((first, last)) = found.entries.first().zip(found.entries.last()) else { continue };
            // Some are left for later, and others are dropped.
            let range = first.offset + u64::from(random.below(3) == 0)..last.offset + 1;
            let dropped = (random.below(5) == 0).then_some(first.offset);
            if let Some(offset) = dropped {
                refused.insert(number(first));
                store.settle(&queue("q"), offset..offset + 1, &[(offset, DropCause::Refused)]).unwrap();
            }
            let these = found.entries.iter().filter(|one| range.contains(&one.offset));
            let these = these.filter(|one| dropped != Some(one.offset));
            let batch: Vec<_> = these.map(|one| entry(&answers, one.message.body())).collect();
            let level = if random.below(2) == 0 { Durability::Synced } else { Durability::Written };
            let is_full = random.below(4) == 0;
            if is_full {
                fs.set_fault(|call| {
                    matches!(call, Call::Write | Call::Open).then_some(ErrorKind::StorageFull)
                });
            }
            let receipt = store.append_answers(batch, &[Answered::new(queue("q"), range)], level);
            if is_full {
                drop(receipt.await);
                // What left for an answer must not be given back before the answer is there.
                drop(store.flush().await);
                if random.below(2) == 0 {
                    break;
                }
                fs.clear_fault();
                drop(store.flush().await);
            } else if random.below(3) > 0 && receipt.await.is_err() {
                break;
            }
        }
        drop(store);
        fs = if power { fs.after_power_loss(seed) } else { fs.after_kill() };
        let store = open(&fs);
        let (waiting, answered) = (numbers(&store, "q").await, numbers(&store, "a").await);
        let all: BTreeSet<_> = waiting.iter().chain(&answered).copied().collect();
        assert_eq!(
            all.len(),
            waiting.len() + answered.len(),
            "seed {seed}: something is answered and waits: {waiting:?} {answered:?}"
        );
        let there: BTreeSet<_> = all.union(&refused).copied().collect();
        assert!(acknowledged.is_subset(&there), "seed {seed}: of {acknowledged:?} there is {there:?}");
        let accounts = store.accounts();
        assert!(accounts.iter().all(|account| account.residual() == 0), "seed {seed}: {accounts:?}");
        let of = |name: &str| accounts.iter().find(|account| account.queue == queue(name));
        let delivered = of("q").map_or(0, |account| account.delivered);
        let stored = of("a").map_or(0, |account| account.stored);
        assert_eq!(delivered, stored, "seed {seed}: one answer for each that was delivered: {accounts:?}");
        asked = all.last().map_or(asked, |last| asked.max(last + 1));
        drop(store);
    }
}

#[tokio::test]
async fn an_answer_and_what_it_answers_survive_a_kill_together() {
    for seed in 0..150 {
        answer_until_the_crash(seed, false).await;
    }
}

#[tokio::test]
async fn an_answer_and_what_it_answers_survive_the_loss_of_power_together() {
    for seed in 0..150 {
        answer_until_the_crash(seed, true).await;
    }
}

#[tokio::test]
async fn what_is_answered_is_not_written_twice() {
    let fs = CrashFs::new();
    let store = open(&fs);
    store.append(vec![entry(&targets("q:asked"), body(1))], Durability::Synced).await.unwrap();
    let none = [Answered::new(queue("q"), 5..9), Answered::new(queue("unknown"), 0..9)];
    let answer = || vec![entry(&targets("a:answered"), body(1))];
    store.append_answers(answer(), &none, Durability::Synced).await.unwrap();
    assert_eq!(numbers(&store, "q").await, [1], "nothing was answered");
    // An answer that nobody wants is stored nowhere; what it answers is done with all the same.
    let nowhere = vec![entry(&targets(""), body(1))];
    let one = [Answered::new(queue("q"), 0..1)];
    store.append_answers(nowhere, &one, Durability::Synced).await.unwrap();
    assert!(numbers(&store, "q").await.is_empty());
    store.append_answers(answer(), &one, Durability::Synced).await.unwrap();
    let account = store.accounts().into_iter().find(|account| account.queue == queue("q")).unwrap();
    assert_eq!((account.accepted, account.delivered, account.stored), (1, 1, 0), "{account:?}");
}
