//! A store, what it was told, and what it promised.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use edge_core::{
    Durability, Enqueue, MessageStore, Offset, QueueId, Receipt, RouteName, StoreError, Target, Timestamp,
};
use edge_store::testing::{Call, CrashFs, Random};
use edge_store::{SegmentStore, StoreOptions};

use crate::common::{message, queue, read_all};

/// How a life of the store ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Crash {
    /// It does not end: the store is closed.
    Close,
    Kill,
    PowerLoss,
}

/// One message that was sent.
#[derive(Clone, Debug)]
struct Sent {
    body: Vec<u8>,
    route: RouteName,
    expires: Option<Timestamp>,
}

/// One batch: its first and end offsets by queue, and what was promised of it.
#[derive(Debug)]
struct Batch {
    ends: BTreeMap<QueueId, Offset>,
    receipt: Option<Receipt>,
    promised: Option<Durability>,
}

#[derive(Debug, Default)]
struct Queue {
    /// By offset.
    sent: Vec<Sent>,
    /// The highest trim.
    trimmed: Offset,
    /// Entries below may be gone although the trim is forgotten: their segment went while the disk could not take a note.
    removed_below: Offset,
}

#[derive(Debug)]
pub(crate) struct World {
    random: Random,
    crash: Crash,
    fs: CrashFs,
    store: Option<SegmentStore>,
    queues: BTreeMap<QueueId, Queue>,
    batches: Vec<Batch>,
    counter: u64,
    now: u64,
    /// Whether calls were made to fail.
    broke: bool,
}

fn options() -> StoreOptions {
    StoreOptions::default().with_segment_bytes(16 * 1024).with_tail_bytes(3000).with_max_bytes(LIMIT_BYTES)
}

/// A narrow store has to move what is live.
const LIMIT_BYTES: u64 = 200_000;

impl World {
    pub(crate) fn new(random: Random, crash: Crash) -> Self {
        let fs = CrashFs::new();
        let (store, _) = SegmentStore::open_on(Arc::new(fs.clone()), "dir", options()).unwrap();
        let (queues, batches) = (BTreeMap::new(), Vec::new());
        Self { random, crash, fs, store: Some(store), queues, batches, counter: 0, now: 1000, broke: false }
    }

    /// Does this and that until the disk stops.
    pub(crate) async fn live_until_the_crash(&mut self) {
        if !matches!(self.crash, Crash::Close) {
            self.fs.freeze_in(self.random.below(60));
        }
        let store = self.store.take().unwrap();
        for _ in 0..self.random.below(200) {
            match self.random.below(12) {
                0..6 => self.append(&store),
                6 => self.trim(&store),
                7 => self.expire(&store),
                8 => self.settle().await,
                9 if self.random.one_in(4) => drop(store.flush().await),
                10 => self.break_or_mend(),
                _ => self.read(&store).await,
            }
            assert!(self.fs.used_bytes() <= LIMIT_BYTES + 2 * 16 * 1024, "{}", self.fs.used_bytes());
            if self.fs.is_frozen() {
                break;
            }
        }
        if matches!(self.crash, Crash::Close) {
            self.fs.clear_fault();
            // What waits for the disk to work again is tried again first.
            while store.flush().await.is_err() {}
            store.close().await.unwrap();
        }
        self.fs.freeze();
        drop(store);
        self.settle().await;
    }

    /// Makes some calls fail for a while, or none.
    fn break_or_mend(&mut self) {
        if !self.random.one_in(3) {
            return self.fs.clear_fault();
        }
        let mut random = Random::new(self.random.next());
        let may_poison = !matches!(self.crash, Crash::Close);
        self.broke = true;
        self.fs.set_fault(move |call| match call {
            Call::Sync if may_poison && random.one_in(20) => Some(io::ErrorKind::Other),
            Call::Write | Call::Open if random.one_in(3) => Some(io::ErrorKind::StorageFull),
            Call::Write | Call::Remove if random.one_in(8) => Some(io::ErrorKind::Other),
            _ => None,
        });
    }

    fn append(&mut self, store: &SegmentStore) {
        let level =
            [Durability::Memory, Durability::Written, Durability::Synced][self.random.below(3) as usize];
        let mut batch = Vec::new();
        let mut planned: Vec<(QueueId, Sent)> = Vec::new();
        for _ in 0..=self.random.below(5) {
            self.counter += 1;
            let body = [&self.counter.to_le_bytes()[..], &vec![7; self.random.below(3000) as usize]].concat();
            let mut targets = Vec::new();
            for name in ["a", "b", "c"] {
                if self.random.one_in(2) {
                    let route: RouteName = format!("r{}", self.random.below(3)).parse().unwrap();
                    let ttl = self.random.one_in(2).then(|| Duration::from_millis(self.random.below(50)));
                    targets.push(Target::new(queue(name), route.clone(), ttl));
                    let expires = ttl.map(|ttl| Timestamp::from_unix_ms(self.now) + ttl);
                    planned.push((queue(name), Sent { body: body.clone(), route, expires }));
                }
            }
            batch.push(Enqueue::new(message(&body), targets.into(), Timestamp::from_unix_ms(self.now)));
        }
        // Whether it was taken shows in the offsets: a store whose disk has stopped refuses.
        let before = self.next_offsets(store);
        let receipt = store.append(batch, level);
        if self.next_offsets(store) != before {
            let mut ends = BTreeMap::new();
            for (id, sent) in planned {
                let queue = self.queues.entry(id.clone()).or_default();
                queue.sent.push(sent);
                ends.insert(id, queue.sent.len() as u64);
            }
            self.batches.push(Batch { ends, receipt: Some(receipt), promised: None });
        }
        for (id, next) in self.next_offsets(store) {
            assert_eq!(next, self.queues[&id].sent.len() as u64, "offsets of {id} are dense");
        }
    }

    fn next_offsets(&self, store: &SegmentStore) -> Vec<(QueueId, Offset)> {
        store.queues().into_iter().map(|state| (state.queue, state.next)).collect()
    }

    fn trim(&mut self, store: &SegmentStore) {
        let name = ["a", "b", "c"][self.random.below(3) as usize];
        let Some(model) = self.queues.get_mut(&queue(name)) else { return };
        let below = model.trimmed + self.random.below(model.sent.len() as u64 + 1 - model.trimmed);
        if store.trim(&queue(name), below).is_ok() {
            model.trimmed = model.trimmed.max(below);
        }
    }

    fn expire(&mut self, store: &SegmentStore) {
        self.now += self.random.below(30);
        let before: u64 = store.queues().iter().map(edge_core::QueueState::len).sum();
        let Ok(gone) = store.expire(Timestamp::from_unix_ms(self.now)) else { return };
        let after: u64 = store.queues().iter().map(edge_core::QueueState::len).sum();
        assert_eq!(before, after + gone.iter().map(|gone| gone.entries).sum::<u64>());
    }

    async fn read(&mut self, store: &SegmentStore) {
        let name = ["a", "b", "c"][self.random.below(3) as usize];
        let Some(model) = self.queues.get(&queue(name)) else { return };
        let from = self.random.below(model.sent.len() as u64 + 1);
        let limit = crate::common::entries(1 + self.random.below(20) as usize);
        // The disk may have stopped: then a read fails, and shows nothing wrong.
        if let Ok(batch) = store.read(&queue(name), from, limit).await {
            self.compare(&queue(name), &batch);
        }
    }

    /// Waits for what was promised so far.
    async fn settle(&mut self) {
        for batch in &mut self.batches {
            if let Some(receipt) = batch.receipt.take() {
                match receipt.await {
                    Ok(level) => batch.promised = Some(level),
                    Err(
                        StoreError::Io { .. }
                        | StoreError::NoSpace { .. }
                        | StoreError::Poisoned { .. }
                        | StoreError::Closed,
                    ) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        }
    }

    /// Opens the store on what the crash has left, and holds it to its promises.
    pub(crate) async fn recover_and_compare(&mut self) {
        self.fs = match self.crash {
            Crash::Kill => self.fs.after_kill(),
            Crash::Close | Crash::PowerLoss => self.fs.after_power_loss(self.random.next()),
        };
        let (store, recovery) = SegmentStore::open_on(Arc::new(self.fs.clone()), "dir", options()).unwrap();
        assert!(recovery.damage.is_empty() && recovery.lost.is_empty(), "{recovery}");
        let mut next = BTreeMap::new();
        for state in store.queues() {
            let model = self.queues.entry(state.queue.clone()).or_default();
            // What has expired is passed over by the head as well.
            let expired = |sent: &Sent| sent.expires.is_some_and(|at| at.as_unix_ms() <= self.now);
            let beyond = model.sent.iter().take(state.head as usize).skip(model.trimmed as usize);
            assert!(beyond.clone().all(expired), "the trim of {} runs ahead", state.queue);
            assert!(state.head >= model.trimmed || !matches!(self.crash, Crash::Close));
            assert!(state.next <= model.sent.len() as u64, "{} has what was never sent", state.queue);
            next.insert(state.queue.clone(), state.next);
        }
        for removed in &recovery.removed {
            assert!(self.broke, "a trim must be noted before its segment goes: {recovery}");
            let model = self.queues.get_mut(&removed.queue).unwrap();
            model.removed_below = model.trimmed;
        }
        for batch in &self.batches {
            let there: Vec<bool> =
                batch.ends.iter().map(|(id, &end)| next.get(id).is_some_and(|&next| next >= end)).collect();
            assert!(there.iter().all(|&is| is == there[0]), "half a batch is there");
            let needed = match self.crash {
                Crash::Close => Durability::Memory,
                Crash::Kill => Durability::Written,
                Crash::PowerLoss => Durability::Synced,
            };
            if batch.promised.is_some_and(|level| level >= needed) {
                assert!(there[0], "a batch promised as {:?} is lost", batch.promised);
            }
        }
        if recovery.removed.is_empty() {
            self.compare_accounts(&store, &next);
        }
        for state in store.queues() {
            let read = read_all(&store, &state.queue, state.head).await;
            assert_eq!((read.damaged, read.next), (0, state.next));
            self.compare(&state.queue, &read);
            let mut counted = BTreeMap::<RouteName, u64>::new();
            for stored in &read.entries {
                *counted.entry(stored.route.clone()).or_default() += 1;
            }
            assert_eq!(state.waiting, counted.into_iter().collect::<Vec<_>>(), "counts of {}", state.queue);
            let model = self.queues.get_mut(&state.queue).unwrap();
            model.trimmed = state.head;
        }
        for (id, model) in &mut self.queues {
            let next = next.get(id).copied().unwrap_or_default();
            model.sent.truncate(next as usize);
            model.trimmed = model.trimmed.min(next);
        }
        self.batches.clear();
        self.store = Some(store);
    }

    /// Every entry that is there, or was, is on its account once; nothing is delivered that was not trimmed.
    fn compare_accounts(&self, store: &SegmentStore, next: &BTreeMap<QueueId, Offset>) {
        let mut accounts = store.accounts();
        accounts.retain(|account| account.accepted > 0);
        for account in &accounts {
            assert_eq!(account.residual(), 0, "{account:?}");
            let (queue, next) = (&self.queues[&account.queue], next[&account.queue]);
            if queue.removed_below > 0 {
                continue;
            }
            let of_route = |sent: &&Sent| sent.route == account.route;
            let sent = queue.sent.iter().take(next as usize).filter(of_route).count() as u64;
            assert_eq!(account.accepted, sent, "{account:?}");
            let trimmed = queue.sent.iter().take(queue.trimmed as usize).filter(of_route).count() as u64;
            assert!(account.delivered <= trimmed, "{account:?}: only {trimmed} were trimmed");
        }
    }

    /// What was read is what was sent; what is missing has expired.
    fn compare(&self, id: &QueueId, batch: &edge_core::ReadBatch) {
        let sent = &self.queues[id].sent;
        let mut expected = None;
        for stored in &batch.entries {
            let model = &sent[stored.offset as usize];
            assert_eq!(stored.message.body(), model.body, "{id} {}", stored.offset);
            assert_eq!((&stored.route, stored.expires), (&model.route, model.expires));
            for missing in expected.unwrap_or(stored.offset)..stored.offset {
                if missing < self.queues[id].removed_below {
                    continue;
                }
                let expires = sent[missing as usize].expires;
                assert!(expires.is_some_and(|at| at.as_unix_ms() <= self.now), "{id} {missing} is missing");
            }
            expected = Some(stored.offset + 1);
        }
    }
}
