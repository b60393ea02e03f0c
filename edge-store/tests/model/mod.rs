//! A store, what it was told, and what it promised.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use edge_core::{
    DropCause, Durability, Enqueue, Message, MessageStore, Offset, Overflow, OverflowKey, Priority, QueueId,
    QueueState, Receipt, RouteName, Source, StoreError, Target, Timestamp,
};
use edge_store::testing::{Call, CrashFs, Random};
use edge_store::{SegmentStore, StoreOptions};

use crate::common::read_all;

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

/// How many entries were dropped for want of room.
type Drops = BTreeMap<(QueueId, RouteName, DropCause), u64>;

/// One batch: its end offsets by queue, what was promised of it, and what was dropped to take it.
#[derive(Debug)]
struct Batch {
    ends: BTreeMap<QueueId, Offset>,
    drops: Drops,
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
    /// Whether that has happened: such entries are on the account of nobody knows which route.
    was_removed: bool,
    /// How many those were: that some of them had made room is forgotten with the trim.
    removed: usize,
}

#[derive(Debug)]
pub(crate) struct World {
    random: Random,
    crash: Crash,
    fs: CrashFs,
    store: Option<SegmentStore>,
    queues: BTreeMap<QueueId, Queue>,
    batches: Vec<Batch>,
    /// What was dropped before them.
    drops: Drops,
    counter: u64,
    now: u64,
    /// Whether calls were made to fail.
    broke: bool,
    /// Why entries have been dropped, over all lives.
    pub(crate) causes: BTreeSet<&'static str>,
}

fn options(compress: bool) -> StoreOptions {
    StoreOptions::default()
        .with_segment_bytes(SEGMENT_BYTES)
        .with_tail_bytes(3000)
        .with_max_bytes(LIMIT_BYTES)
        .with_compression(compress)
}

const SEGMENT_BYTES: u64 = 16 * 1024;
/// The salt.
const OTHER_FILES_BYTES: u64 = 64;

/// A narrow store has to move what is live.
const LIMIT_BYTES: u64 = 130_000;

impl World {
    pub(crate) fn new(mut random: Random, crash: Crash) -> Self {
        let fs = CrashFs::new();
        let options = options(random.one_in(2));
        let (store, _) = SegmentStore::open_on(Arc::new(fs.clone()), "dir", options).unwrap();
        Self {
            random,
            crash,
            fs,
            store: Some(store),
            queues: BTreeMap::new(),
            batches: Vec::new(),
            drops: Drops::new(),
            counter: 0,
            now: 1000,
            broke: false,
            causes: BTreeSet::new(),
        }
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
                6 if self.random.one_in(2) => self.trim(&store),
                7 => self.expire(&store),
                8 => self.settle().await,
                9 if self.random.one_in(4) => drop(store.flush().await),
                10 => self.break_or_mend(),
                _ => self.read(&store).await,
            }
            let used = self.fs.used_bytes();
            assert!(used <= LIMIT_BYTES + SEGMENT_BYTES + OTHER_FILES_BYTES, "{used} bytes are used");
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
        let count = 1 + self.random.below(5);
        for _ in 0..count {
            self.counter += 1;
            let mut filler = vec![7; self.random.below(3000) as usize];
            if self.random.one_in(2) {
                // What does not compress.
                filler.fill_with(|| self.random.next() as u8);
            }
            let body = [&self.counter.to_le_bytes()[..], &filler].concat();
            let mut targets = Vec::new();
            for name in ["a", "b", "c"] {
                if self.random.one_in(2) {
                    let route: RouteName = format!("r{}", self.random.below(3)).parse().unwrap();
                    let ttl = self.random.one_in(2).then(|| Duration::from_millis(self.random.below(50)));
                    let target =
                        Target::new(queue(name), route.clone(), ttl).with_overflow(self.overflow(count));
                    targets.push(match self.random.below(6) {
                        0 | 1 => target.with_max_queue_bytes(20_000),
                        2 => target.with_max_class_bytes(40_000),
                        _ => target,
                    });
                    let expires = ttl.map(|ttl| Timestamp::from_unix_ms(self.now) + ttl);
                    planned.push((queue(name), Sent { body: body.clone(), route, expires }));
                }
            }
            let key = ["x", "y", "z"][self.random.below(3) as usize];
            let message = Message::builder(&Source::telemetry()).property("key", key).body(&body).build();
            batch.push(Enqueue::new(message, targets.into(), Timestamp::from_unix_ms(self.now)));
        }
        let receipt = store.append(batch, level);
        if receipt.refusal().is_none() {
            let mut drops = Drops::new();
            for gone in receipt.dropped() {
                *drops.entry((gone.queue.clone(), gone.route.clone(), gone.cause)).or_default() +=
                    gone.entries;
            }
            let mut ends = BTreeMap::new();
            for (id, sent) in planned {
                // A batch that may drop what is new is one message: all of it, for a queue.
                if !drops.contains_key(&(id.clone(), sent.route.clone(), DropCause::OverflowNewest)) {
                    let queue = self.queues.entry(id.clone()).or_default();
                    queue.sent.push(sent);
                    ends.insert(id, queue.sent.len() as u64);
                }
            }
            self.batches.push(Batch { ends, drops, receipt: Some(receipt), promised: None });
        }
        for state in store.queues() {
            let sent = self.queues.get(&state.queue).map_or(0, |queue| queue.sent.len());
            assert_eq!(state.next, sent as u64, "offsets of {} are dense", state.queue);
        }
    }

    /// Chooses what a route of a batch of `messages` messages wants when there is no room.
    fn overflow(&mut self, messages: u64) -> Overflow {
        match self.random.below(7) {
            0 if messages == 1 => Overflow::DropNewest,
            1 | 2 => Overflow::DropOldest,
            3 => Overflow::DropLowestPriority,
            4 => Overflow::KeepLatestPerKey(OverflowKey::Property("key".into())),
            _ => Overflow::Refuse,
        }
    }

    /// Returns how many entries of a queue have left to make room, as far as was told.
    fn evicted(&self, id: &QueueId) -> usize {
        let told = self.drops.iter().chain(self.batches.iter().flat_map(|batch| &batch.drops));
        let of_queue =
            told.filter(|((queue, _, cause), _)| queue == id && *cause != DropCause::OverflowNewest);
        let removed = self.queues.get(id).map_or(0, |queue| queue.removed);
        of_queue.map(|(_, &entries)| entries as usize).sum::<usize>() + removed
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
        let before: u64 = store.queues().iter().map(QueueState::len).sum();
        let Ok(gone) = store.expire(Timestamp::from_unix_ms(self.now)) else { return };
        let after: u64 = store.queues().iter().map(QueueState::len).sum();
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
        let options = options(self.random.one_in(2));
        let (store, recovery) = SegmentStore::open_on(Arc::new(self.fs.clone()), "dir", options).unwrap();
        assert!(recovery.damage.is_empty() && recovery.lost.is_empty(), "{recovery}");
        let mut next = BTreeMap::new();
        for state in store.queues() {
            self.check_head(&state);
            next.insert(state.queue.clone(), state.next);
        }
        for removed in &recovery.removed {
            assert!(self.broke, "a trim must be noted before its segment goes: {recovery}");
            let model = self.queues.get_mut(&removed.queue).unwrap();
            (model.removed_below, model.was_removed) = (model.trimmed, true);
            model.removed += removed.entries as usize;
        }
        for batch in &self.batches {
            if batch.ends.is_empty() {
                continue;
            }
            let there: Vec<bool> =
                batch.ends.iter().map(|(id, &end)| next.get(id).is_some_and(|&next| next >= end)).collect();
            assert!(there.iter().all(|&is| is == there[0]), "half a batch is there");
            if batch.promised.is_some_and(|level| level >= self.needed()) {
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
        self.drops.clear();
        for account in store.accounts() {
            for (cause, entries) in account.dropped.iter().filter(|(cause, _)| is_overflow(*cause)) {
                self.drops.insert((account.queue.clone(), account.route.clone(), cause), entries);
                self.causes.insert(cause.name());
            }
        }
        self.store = Some(store);
    }

    /// Only what was trimmed, has expired or made room is passed by the head.
    fn check_head(&mut self, state: &QueueState) {
        let evicted = self.evicted(&state.queue);
        let model = self.queues.entry(state.queue.clone()).or_default();
        let expired = |sent: &&Sent| sent.expires.is_some_and(|at| at.as_unix_ms() <= self.now);
        let known = model.trimmed.max(model.removed_below) as usize;
        let beyond = model.sent.iter().take(state.head as usize).skip(known);
        let unexplained = beyond.filter(|sent| !expired(sent)).count();
        assert!(unexplained <= evicted, "the head of {} runs ahead by {unexplained}", state.queue);
        assert!(state.head >= model.trimmed || !matches!(self.crash, Crash::Close));
        assert!(state.next <= model.sent.len() as u64, "{} has what was never sent", state.queue);
    }

    /// Every entry that is there, or was, is on its account once; nothing is delivered that was not trimmed; what was
    /// dropped to take a batch is counted if the batch was promised, and only what was dropped is.
    fn compare_accounts(&self, store: &SegmentStore, next: &BTreeMap<QueueId, Offset>) {
        let mut accounts = store.accounts();
        accounts.retain(|account| account.accepted > 0);
        let (mut least, mut most) = (self.drops.clone(), self.drops.clone());
        for batch in &self.batches {
            for (key, entries) in &batch.drops {
                *most.entry(key.clone()).or_default() += entries;
                if batch.promised.is_some_and(|level| level >= self.needed()) {
                    *least.entry(key.clone()).or_default() += entries;
                }
            }
        }
        for account in &accounts {
            assert_eq!(account.residual(), 0, "{account:?}");
            let queue = self.queues.get(&account.queue);
            if queue.is_some_and(|queue| queue.was_removed) {
                continue;
            }
            for &cause in DropCause::ALL.iter().filter(|cause| is_overflow(**cause)) {
                let key = (account.queue.clone(), account.route.clone(), cause);
                let of = |drops: &Drops| drops.get(&key).copied().unwrap_or_default();
                let told = of(&least)..=of(&most);
                assert!(
                    told.contains(&account.dropped.count(cause)),
                    "{account:?}: {told:?} for {}",
                    cause.name()
                );
            }
            let of_route = |sent: &&Sent| sent.route == account.route;
            let stored = next.get(&account.queue).copied().unwrap_or_default() as usize;
            let sent =
                queue.map_or(0, |queue| queue.sent.iter().take(stored).filter(of_route).count() as u64);
            let dropped = account.dropped.count(DropCause::OverflowNewest);
            assert_eq!(account.accepted, sent + dropped, "{account:?}");
            let trimmed =
                queue.map_or(0, |q| q.sent.iter().take(q.trimmed as usize).filter(of_route).count());
            assert!(account.delivered <= trimmed as u64, "{account:?}: only {trimmed} were trimmed");
        }
    }

    /// Returns which level survives the end of this life.
    fn needed(&self) -> Durability {
        match self.crash {
            Crash::Close => Durability::Memory,
            Crash::Kill => Durability::Written,
            Crash::PowerLoss => Durability::Synced,
        }
    }

    /// What was read is what was sent; what is missing has expired or made room.
    fn compare(&self, id: &QueueId, batch: &edge_core::ReadBatch) {
        let (sent, evicted) = (&self.queues[id].sent, self.evicted(id));
        let (mut expected, mut missing) = (None, 0);
        for stored in &batch.entries {
            let model = &sent[stored.offset as usize];
            assert_eq!(stored.message.body(), model.body, "{id} {}", stored.offset);
            assert_eq!((&stored.route, stored.expires), (&model.route, model.expires));
            for at in expected.unwrap_or(stored.offset)..stored.offset {
                let expires = sent[at as usize].expires;
                let is_known = at < self.queues[id].removed_below
                    || expires.is_some_and(|expires| expires.as_unix_ms() <= self.now);
                missing += usize::from(!is_known);
            }
            expected = Some(stored.offset + 1);
        }
        assert!(missing <= evicted, "{missing} entries of {id} are missing, {evicted} have made room");
    }
}

/// Queues of three classes.
fn queue(name: &str) -> QueueId {
    let class = match name {
        "a" => Priority::new(1).unwrap(),
        "b" => Priority::new(5).unwrap(),
        _ => Priority::DEFAULT,
    };
    QueueId::new(name.parse().unwrap(), class)
}

fn is_overflow(cause: DropCause) -> bool {
    use DropCause::{OverflowLowestPriority, OverflowNewest, OverflowOldest, Superseded};
    matches!(cause, OverflowOldest | OverflowNewest | OverflowLowestPriority | Superseded)
}
