//! Logs that no store has written, with sound checksums: entries and names that are listed twice, indexes that overlap,
//! heads that go back. Nothing is read twice, and what is reported, counted and readable is the same.

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;

use common::{entry, message, read_all, targets};
use edge_core::{Durability, MessageStore, QueueState};
use edge_store::testing::{CrashFs, Random};
use edge_store::{Gather, Recovery, SegmentStore, StoreOptions};

const SALT: u64 = 1;
const SEEDS: u64 = 1500;

/// A segment that is made up record by record.
struct Segment {
    bytes: Vec<u8>,
    seed: u32,
}

impl Segment {
    fn new(number: u64) -> Self {
        let mut bytes = b"EDGESEG\x01".to_vec();
        bytes.extend(number.to_le_bytes());
        bytes.extend(SALT.to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        let mut seed = crc32fast::Hasher::new();
        seed.update(&SALT.to_le_bytes());
        seed.update(&number.to_le_bytes());
        Self { bytes, seed: seed.finalize() }
    }

    fn record(&mut self, kind: u8, flags: u8, targets: u32, payload: &[u8]) {
        let mut record = u32::try_from(payload.len()).unwrap().to_le_bytes().to_vec();
        record.extend([kind, flags]);
        record.extend(0x5ED6u16.to_le_bytes());
        record.extend(targets.to_le_bytes());
        record.extend(payload);
        let mut hasher = crc32fast::Hasher::new_with_initial(self.seed);
        hasher.update(&record);
        self.bytes.extend(hasher.finalize().to_le_bytes());
        self.bytes.extend(record);
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
    }

    /// Adds any record: a few queues, offsets and routes, so that they meet.
    fn anything(&mut self, random: &mut Random) {
        let flags = [1, 1, 1, 0, 2, 3][usize::try_from(random.below(6)).unwrap()];
        let (queue, route) = (small(random, 3), small(random, 3));
        let (low, high) = (random.below(8), random.below(8));
        let mut payload = Vec::new();
        match random.below(10) {
            0 => {
                payload.extend(queue.to_le_bytes());
                payload.extend([[128, 3][usize::try_from(random.below(2)).unwrap()], 0, 0, 0]);
                payload.extend(low.to_le_bytes());
                payload.extend(high.to_le_bytes());
                if !random.one_in(6) {
                    payload.extend(format!("endpoint-{}", random.below(3)).as_bytes());
                }
                self.record(2, flags, 0, &payload);
            }
            1 => {
                payload.extend(route.to_le_bytes());
                payload.extend(format!("route-{}", random.below(3)).as_bytes());
                self.record(3, flags, 0, &payload);
            }
            2 if random.one_in(2) => {
                payload.extend(u64::from(queue).to_le_bytes());
                payload.extend((low / 2).to_le_bytes());
                self.record(4, flags, 0, &payload);
            }
            3 => {
                payload.extend(u64::from(queue).to_le_bytes());
                payload.extend(low.to_le_bytes());
                payload.extend(high.to_le_bytes());
                self.record(5, flags, 0, &payload);
            }
            4 => {
                payload.extend(queue.to_le_bytes());
                payload.extend(route.to_le_bytes());
                payload.extend(low.to_le_bytes());
                self.record(7, flags, 0, &payload);
            }
            _ => {
                payload.extend(random.below(100).to_le_bytes());
                let count = small(random, 4);
                for _ in 0..count {
                    payload.extend(small(random, 3).to_le_bytes());
                    payload.extend(small(random, 3).to_le_bytes());
                    payload.extend(random.below(8).to_le_bytes());
                    payload.extend(u64::MAX.to_le_bytes());
                }
                if !random.one_in(10) {
                    payload.extend(message(&random.next().to_le_bytes()).encoded());
                }
                self.record(1, flags, count, &payload);
            }
        }
    }

    /// Ends the segment with an index of anything that could be one.
    fn index(&mut self, random: &mut Random) {
        let position = self.bytes.len() as u64;
        let extents = small(random, 4);
        let mut payload = extents.to_le_bytes().to_vec();
        for _ in 0..extents {
            let count = small(random, 4) + 1;
            let routes = small(random, 2) + 1;
            payload.extend(small(random, 3).to_le_bytes());
            payload.extend(random.below(8).to_le_bytes());
            payload.extend(u64::MAX.to_le_bytes());
            payload.extend((100 * u64::from(count)).to_le_bytes());
            for number in [count, 1, routes, if routes > 1 { count } else { 0 }] {
                payload.extend(number.to_le_bytes());
            }
            payload.extend([0; 4]);
            payload.extend((32 + 8 * small(random, 40)).to_le_bytes());
            for _ in 0..routes {
                payload.extend(small(random, 3).to_le_bytes());
            }
            if routes > 1 {
                payload.extend((0..count).map(|_| u8::try_from(random.below(2)).unwrap()));
            }
        }
        payload.resize(payload.len().next_multiple_of(8), 0);
        payload.extend(position.to_le_bytes());
        payload.extend(b"EDGEIDX\x01");
        self.record(6, 1, 0, &payload);
    }
}

fn small(random: &mut Random, below: u64) -> u32 {
    u32::try_from(random.below(below)).unwrap()
}

/// Returns a log, and whether it has an index, which may say other things than the records before it.
fn made_up(seed: u64) -> (CrashFs, bool) {
    let mut has_index = false;
    let (disk, mut random) = (CrashFs::new(), Random::new(seed));
    for number in 1..=1 + random.below(3) {
        let mut segment = Segment::new(number);
        for _ in 0..random.below(14) {
            segment.anything(&mut random);
        }
        if random.one_in(2) {
            segment.index(&mut random);
            has_index = true;
        }
        disk.put(format!("store/{number:016x}.seg"), &segment.bytes);
    }
    (disk, has_index)
}

fn open(disk: &CrashFs) -> (SegmentStore, Recovery) {
    let options = StoreOptions::default().with_gather(Gather::new(std::time::Duration::ZERO));
    SegmentStore::open_on(Arc::new(disk.clone()), "store", options).unwrap()
}

/// Reads everything: of each queue each entry once, no more of them than wait.
async fn check_readable(store: &SegmentStore) {
    for before in store.queues() {
        let all = read_all(store, &before.queue, 0).await;
        let offsets: BTreeSet<_> = all.entries.iter().map(|stored| stored.offset).collect();
        assert_eq!(offsets.len(), all.entries.len(), "an entry is read once: {before:?}");
        assert!(
            offsets.iter().all(|offset| (before.head..before.next).contains(offset)),
            "{offsets:?} {before:?}"
        );
        assert!(offsets.len() as u64 <= before.len(), "{offsets:?} are more than wait in {before:?}");
        let after = store.queue(&before.queue).unwrap();
        assert_eq!(
            offsets.len() as u64,
            after.len(),
            "what cannot be read does not wait any more: {after:?}"
        );
    }
}

async fn check(disk: &CrashFs, has_index: bool) {
    let (store, report) = open(disk);
    let found = store.queues();
    let names: BTreeSet<_> = found.iter().map(|state| &state.queue).collect();
    assert_eq!(names.len(), found.len(), "each queue is there once: {found:?}");
    assert_eq!(report.entries, found.iter().map(QueueState::len).sum::<u64>(), "{report}");
    check_readable(&store).await;
    for state in store.queues() {
        let to = targets(&format!("{}:added", state.queue.endpoint()));
        store.append(vec![entry(&to, "added")], Durability::Written).await.unwrap();
    }
    store.close().await.unwrap();
    let (before, accounts) = (store.queues(), store.accounts());
    drop(store);
    let (store, report) = open(disk);
    if has_index {
        return check_readable(&store).await;
    }
    assert!(report.lost.is_empty() && report.removed.is_empty(), "what was missing was given up: {report}");
    assert_eq!(store.queues(), before);
    assert_eq!(store.accounts(), accounts);
    check_readable(&store).await;
}

#[test]
fn nothing_is_read_twice_and_everything_is_counted() {
    for seed in 0..SEEDS {
        let run = || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let (disk, has_index) = made_up(seed);
            runtime.block_on(check(&disk, has_index));
        };
        assert!(std::panic::catch_unwind(run).is_ok(), "failed with seed {seed}");
    }
}
