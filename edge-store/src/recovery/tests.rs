//! Logs that were made up, with right checksums.

use std::path::Path;
use std::sync::Arc;

use edge_core::{
    Durability, Enqueue, Message, MessageStore, Overflow, Priority, QueueId, Source, StoreError, Target,
    Timestamp,
};
use tokio::runtime::Builder;

use super::Recovery;
use crate::log::{Encoder, Header, Kind, MAX_NUMBERS, MAX_OFFSET, NEVER, TargetEntry, file_name};
use crate::state::Tally;
use crate::testing::CrashFs;
use crate::{SegmentStore, StoreOptions};

fn queue() -> QueueId {
    QueueId::new("q".parse().unwrap(), Priority::DEFAULT)
}

fn message() -> Message {
    Message::builder(&Source::telemetry()).body(b"x").build()
}

/// Returns a disk with a segment that knows the route 0 and the queue 0, and holds these records besides.
fn made_up(head: u64, next: u64, records: impl FnOnce(&mut Encoder)) -> CrashFs {
    let mut encoder = Encoder::new();
    encoder.begin(Header { number: 1, salt: 7, recycled: false });
    encoder.route(false, 0, &"r".parse().unwrap());
    encoder.queue(true, 0, 0, Some(&queue()), head, next);
    records(&mut encoder);
    let fs = CrashFs::new();
    fs.put(Path::new("dir").join(file_name(1)), encoder.bytes());
    fs
}

fn open(fs: &CrashFs) -> (SegmentStore, Recovery) {
    SegmentStore::open_on(Arc::new(fs.clone()), "dir", StoreOptions::default()).unwrap()
}

/// Appends two messages together.
fn append_two(store: &SegmentStore) -> Result<Durability, StoreError> {
    let to: Arc<[Target]> = [Target::new(queue(), "r".parse().unwrap(), None)].into();
    let entry = || Enqueue::new(message(), to.clone(), Timestamp::from_unix_ms(0));
    let runtime = Builder::new_current_thread().build().unwrap();
    runtime.block_on(store.append(vec![entry(), entry()], Durability::Synced))
}

fn entry(encoder: &mut Encoder, queue: u32, route: u32, offset: u64) {
    let target = TargetEntry { queue, route, offset, expires: NEVER };
    encoder.message(Kind::Message, true, 0, [target].into_iter(), message().encoded());
}

#[test]
fn what_cannot_be_is_damage_and_not_believed() {
    type Write = fn(&mut Encoder);
    let impossible: [Write; 10] = [
        |encoder| entry(encoder, 0, 0, u64::MAX),
        |encoder| entry(encoder, 0, 0, u64::MAX - 1),
        |encoder| entry(encoder, 0, 0, MAX_OFFSET),
        |encoder| entry(encoder, MAX_NUMBERS, 0, 5),
        |encoder| entry(encoder, 0, u32::MAX, 5),
        |encoder| encoder.trim(true, 0, u64::MAX),
        |encoder| encoder.hole(true, 0, 0, u64::MAX),
        |encoder| encoder.hole(true, 0, 9, 3),
        |encoder| encoder.queue(true, 0, 0, Some(&queue()), 0, u64::MAX),
        |encoder| encoder.queue(true, u32::MAX, 0, Some(&queue()), 0, 0),
    ];
    for (case, write) in impossible.into_iter().enumerate() {
        let fs = made_up(0, 0, |encoder| {
            write(encoder);
            encoder.after_sync();
            entry(encoder, 0, 0, 0);
        });
        let (store, recovery) = open(&fs);
        assert_eq!(recovery.damage.len(), 1, "{case}: {recovery}");
        assert_eq!(append_two(&store).unwrap(), Durability::Synced, "{case}");
        let state = store.queue(&queue()).unwrap();
        assert_eq!((state.next, state.len()), (3, 3), "{case}: {recovery}");
    }
}

#[test]
fn a_queue_whose_offsets_are_used_up_says_so() {
    let (store, _) = open(&made_up(MAX_OFFSET - 3, MAX_OFFSET - 3, |_| {}));
    append_two(&store).unwrap();
    let error = append_two(&store).unwrap_err();
    assert_eq!(error.to_string(), "numbering the entries of q@default failed");
    assert_eq!(store.queue(&queue()).unwrap().len(), 2);
    drop(store);
}

#[test]
fn a_queue_with_a_high_number_and_no_name_is_lost_and_named() {
    let (store, recovery) = open(&made_up(0, 0, |encoder| entry(encoder, MAX_NUMBERS - 1, 0, 0)));
    assert_eq!(store.queues().len(), 1);
    let lost: Vec<_> = recovery.lost.iter().map(|lost| (lost.queue.to_string(), lost.entries)).collect();
    assert_eq!(lost, [("lost-queue-65535@default".to_owned(), 1)]);
    let (store, recovery) = open(&made_up(0, 0, |encoder| entry(encoder, 3, 0, 0)));
    assert_eq!((store.queues().len(), recovery.entries), (4, 1), "a few get another name");
}

#[test]
fn what_was_said_of_a_forgotten_queue_is_not_said_of_the_next_one() {
    let other = QueueId::new("other".parse().unwrap(), Priority::DEFAULT);
    let fs = made_up(0, 0, |encoder| {
        let tally = Tally { delivered: 5, ..Tally::default() };
        entry(encoder, 0, 0, 4);
        encoder.account(true, 0, 0, &tally);
        encoder.policy(true, 0, 0, &Overflow::DropOldest);
        encoder.queue(true, 0, 1, None, 5, 5);
        encoder.queue(true, 1, 1, None, 7, 7);
        encoder.queue(true, 0, 1, Some(&other), 9, 9);
        entry(encoder, 0, 0, 9);
    });
    let (store, recovery) = open(&fs);
    assert!(recovery.is_clean(), "{recovery}");
    let ids: Vec<_> = store.queues().into_iter().map(|state| (state.queue, state.head, state.next)).collect();
    assert_eq!(ids, [(other.clone(), 9, 10)]);
    let accounts: Vec<_> = store.accounts().into_iter().map(|a| (a.queue, a.accepted, a.stored)).collect();
    assert_eq!(accounts, [(other, 1, 1)]);
    append_two(&store).unwrap();
    let state = store.queue(&queue()).unwrap();
    assert_eq!((state.head, state.next), (7, 9), "it has the free number, and goes on where that was left");
}

#[test]
fn a_segment_that_was_cut_is_read_once() {
    let fs = made_up(0, 0, |encoder| (0..500).for_each(|offset| entry(encoder, 0, 0, offset)));
    let (store, recovery) = open(&fs);
    assert_eq!((recovery.entries, recovery.records), (500, 502));
    let killed = fs.after_kill();
    drop(store);
    let (store, recovery) = open(&killed);
    assert_eq!(recovery.entries, 500);
    assert!(recovery.records < 10, "{} records were read", recovery.records);
    let full = made_up(0, 0, |encoder| (0..500).for_each(|offset| entry(encoder, 0, 0, offset)));
    full.set_capacity_bytes(Some(full.used_bytes() + 10));
    let (_, recovery) = open(&full);
    assert_eq!(recovery.entries, 500, "without room there is no index, and nothing is lost");
    drop(store);
    let (_, recovery) = open(&full.after_kill());
    assert!((recovery.damage.is_empty(), recovery.entries) == (true, 500), "{recovery}");
}
