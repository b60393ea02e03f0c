//! More queues, one after the other, than there are numbers.

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use common::*;
use edge_core::{DropCause, Durability, MessageStore, StoreError};
use edge_store::testing::{Call, CrashFs, Random};
use edge_store::{SegmentStore, StoreOptions};

const MOST: u32 = 16;

fn options() -> StoreOptions {
    StoreOptions::default().with_segment_bytes(16 * 1024).with_max_queues(MOST)
}

fn open(fs: &CrashFs) -> SegmentStore {
    let (store, recovery) = SegmentStore::open_on(Arc::new(fs.clone()), "dir", options()).unwrap();
    assert!(recovery.damage.is_empty() && recovery.lost.is_empty(), "{recovery}");
    store
}

fn mailbox(n: u64) -> String {
    format!("$c2d/device-{n}")
}

/// Returns accepted and delivered of all queues of a kind.
fn sums(store: &SegmentStore, kind: &str) -> (u64, u64) {
    let accounts = store.accounts();
    assert!(accounts.iter().all(|account| account.residual() == 0), "{accounts:?}");
    let of_kind = accounts.iter().filter(|account| account.queue.endpoint().as_str().starts_with(kind));
    of_kind.fold((0, 0), |(accepted, delivered), account| {
        (accepted + account.accepted, delivered + account.delivered)
    })
}

/// Sends one message to a mailbox, and takes it out.
async fn serve(store: &SegmentStore, n: u64) {
    let name = mailbox(n);
    let to = targets(&format!("{name}:mail"));
    store.append(vec![entry(&to, name.as_bytes())], Durability::Written).await.unwrap();
    let state = store.queue(&queue(&name)).unwrap();
    let read = read_all(store, &queue(&name), 0).await;
    assert_eq!(read.entries.len(), 1, "only what was sent to {name} is in it");
    assert_eq!(read.entries[0].message.body(), name.as_bytes());
    assert_eq!(read.entries[0].offset + 1, state.next);
    store.trim(&queue(&name), state.next).unwrap();
}

#[tokio::test]
async fn any_number_of_queues_follow_each_other() {
    let fs = CrashFs::new();
    let mut store = open(&fs);
    for n in 0..1000 {
        serve(&store, n).await;
        if n % 300 == 299 {
            store.close().await.unwrap();
            store = open(&fs);
        }
        assert!(store.queues().len() <= MOST as usize);
    }
    assert_eq!(sums(&store, "$c2d/"), (1000, 1000));
    store.close().await.unwrap();
    assert_eq!(sums(&open(&fs), "$c2d/"), (1000, 1000));
}

#[tokio::test]
async fn a_queue_that_comes_back_goes_on_above_its_offsets() {
    let store = open(&CrashFs::new());
    let name = mailbox(0);
    let to = targets(&format!("{name}:mail"));
    let batch = (0..50).map(|_| entry(&to, name.as_bytes())).collect();
    store.append(batch, Durability::Written).await.unwrap();
    store.trim(&queue(&name), 50).unwrap();
    for n in 1..100 {
        serve(&store, n).await;
    }
    assert_eq!(store.queue(&queue(&name)), None, "it is forgotten");
    assert_eq!(read_all(&store, &queue(&name), 0).await.entries.len(), 0);
    store.append(vec![entry(&to, name.as_bytes())], Durability::Written).await.unwrap();
    let read = read_all(&store, &queue(&name), 50).await;
    assert_eq!(read.entries.len(), 1, "whoever has read up to 50 goes on");
    assert!(read.entries[0].offset >= 50);
}

#[tokio::test]
async fn what_waits_is_never_forgotten() {
    let store = open(&CrashFs::new());
    let to: Vec<_> = (0..=u64::from(MOST)).map(|n| targets(&format!("{}:mail", mailbox(n)))).collect();
    for to in &to[..MOST as usize] {
        store.append(vec![entry(to, b"x")], Durability::Written).await.unwrap();
    }
    let refused = store.append(vec![entry(&to[MOST as usize], b"x")], Durability::Written).await.unwrap_err();
    assert!(matches!(refused, StoreError::Io { .. }), "{refused}");
    assert_eq!(sums(&store, "$c2d/"), (u64::from(MOST), 0));
    store.trim(&queue(&mailbox(3)), 1).unwrap();
    store.trim(&queue(&mailbox(4)), 1).unwrap();
    store.append(vec![entry(&to[MOST as usize], b"x")], Durability::Written).await.unwrap();
    assert_eq!(sums(&store, "$c2d/"), (u64::from(MOST) + 1, 2));
}

#[tokio::test]
async fn names_without_a_kind_stay() {
    let store = open(&CrashFs::new());
    for n in 0..MOST {
        let name = format!("upstream-{n}");
        let to = targets(&format!("{name}:r"));
        store.append(vec![entry(&to, b"x")], Durability::Written).await.unwrap();
        store.trim(&queue(&name), 1).unwrap();
    }
    let to = targets(&format!("{}:mail", mailbox(0)));
    store.append(vec![entry(&to, b"x")], Durability::Written).await.unwrap_err();
    assert_eq!(store.queues().len(), MOST as usize);
}

#[tokio::test]
async fn what_could_not_be_written_of_a_forgotten_queue_is_not_written_of_the_next_one() {
    const MORE: u64 = 256;
    let fs = CrashFs::new();
    let open = |fs: &CrashFs| {
        let options = options().with_max_queues(MORE as u32);
        SegmentStore::open_on(Arc::new(fs.clone()), "dir", options).unwrap().0
    };
    let store = open(&fs);
    for n in 0..MORE {
        let to = targets(&format!("{}:mail", mailbox(n)));
        store.append(vec![entry(&to, b"x")], Durability::Written).await.unwrap();
    }
    fs.set_fault(|call| matches!(call, Call::Write).then_some(std::io::ErrorKind::StorageFull));
    for n in 0..MORE {
        store.trim(&queue(&mailbox(n)), 1).unwrap();
    }
    store.flush().await.unwrap_err();
    // Several are forgotten for it, and not all of their numbers are used.
    store.count_dropped(&queue("new/0"), &"mail".parse().unwrap(), DropCause::Expired, 1).unwrap();
    assert_eq!((sums(&store, "$c2d/"), sums(&store, "new/")), ((MORE, MORE), (1, 0)));
    fs.clear_fault();
    while store.flush().await.is_err() {}
    for n in 0..2 {
        let to = targets(&format!("last/{n}:mail"));
        store.append(vec![entry(&to, b"x")], Durability::Written).await.unwrap();
    }
    let killed = fs.after_kill();
    drop(store);
    let store = open(&killed);
    assert_eq!((sums(&store, "$c2d/"), sums(&store, "new/")), ((MORE, MORE), (1, 0)));
    assert_eq!(sums(&store, "last/"), (2, 0));
}

/// What is known of a mailbox: how often it was sent to, how many of these must be there, and how many were taken out.
#[derive(Debug, Default)]
struct Sent {
    sent: u64,
    promised: u64,
    taken: u64,
}

/// Lives a few times on a disk that stops at any call.
async fn live(seed: u64, kill: bool) {
    let mut random = Random::new(seed);
    let mut fs = CrashFs::new();
    let mut known: BTreeMap<u64, Sent> = BTreeMap::new();
    for _ in 0..4 {
        let store = open(&fs);
        let mut accepted = 0;
        for state in store.queues() {
            let name = state.queue.endpoint().as_str();
            for stored in read_all(&store, &state.queue, 0).await.entries {
                assert!(
                    stored.message.body().starts_with(format!("{name}#").as_bytes()),
                    "in {name}: {stored:?}"
                );
            }
        }
        for (&n, sent) in &mut known {
            let waits = store.queue(&queue(&mailbox(n))).map_or(0, |state| state.len());
            assert!(waits + sent.taken >= sent.promised, "{n}: {sent:?}, {waits} wait");
            assert!(waits <= sent.sent, "{n}: {sent:?}, {waits} wait");
            // What a crash may have brought back or taken is settled now: this is what there is.
            *sent = Sent { sent: waits, promised: waits, taken: 0 };
            accepted += waits;
        }
        let (all, delivered) = sums(&store, "$c2d/");
        assert_eq!(all - delivered, accepted, "all that is on an account is in a queue");
        fs.freeze_in(5 + random.below(120));
        for _ in 0..60 {
            let n = random.below(40);
            let name = mailbox(n);
            let to = targets(&format!("{name}:mail"));
            let sent = known.entry(n).or_default();
            let body = format!("{name}#{}", sent.sent);
            let receipt = store.append(vec![entry(&to, body.as_bytes())], Durability::Synced);
            if receipt.refusal().is_none() {
                sent.sent += 1;
                if receipt.await.is_ok() {
                    sent.promised = sent.sent;
                }
            }
            if random.below(4) > 0 {
                for (&n, sent) in &mut known {
                    let Some(state) = store.queue(&queue(&mailbox(n))) else { continue };
                    if store.trim(&state.queue, state.next).is_ok() {
                        sent.taken += state.len();
                    }
                }
            }
            if fs.is_frozen() {
                break;
            }
        }
        fs.freeze();
        drop(store);
        fs = if kill { fs.after_kill() } else { fs.after_power_loss(random.next()) };
    }
}

fn check(kill: bool) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for seed in 0..if cfg!(debug_assertions) { 100 } else { 2000 } {
        let run = std::panic::AssertUnwindSafe(|| runtime.block_on(live(seed, kill)));
        assert!(std::panic::catch_unwind(run).is_ok(), "failed with seed {seed}");
    }
}

#[test]
fn a_kill_mixes_no_queues() {
    check(true);
}

#[test]
fn a_power_loss_mixes_no_queues() {
    check(false);
}
