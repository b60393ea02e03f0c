//! Opening a store over damaged, torn and made-up segments.
//!
//! The first byte of an input says what is done with the rest, its bits from the lowest:
//! 0: checksums are put right, so that changes get past them; 1: the rest is two segments, one half each; 2: the first
//! segment brings its own header.

use std::sync::Arc;

use edge_core::{
    Durability, EndpointId, Enqueue, Message, MessageStore, Priority, QueueId, QueueState, Source,
    StoreError, Target, Timestamp,
};
use edge_store::testing::CrashFs;
use edge_store::{SegmentStore, StoreOptions};

use crate::segment::{put_right, segment};
use crate::wait::{read_all, wait};

/// Offsets are below this: nobody appends so often, and a log that says otherwise is damaged.
const MAX_OFFSET: u64 = 1 << 47;

/// Opens a store over the input as its log, reads it, adds to it, and opens it again.
///
/// # Panics
/// Panics when something does not hold.
pub fn log_recovery(data: &[u8]) {
    let Some((&mode, rest)) = data.split_first() else { return };
    let disk = CrashFs::new();
    let two = mode & 2 != 0;
    let (first, second) = rest.split_at(if two { rest.len() / 2 } else { rest.len() });
    for (number, content) in (1..).zip([Some(first), two.then_some(second)].into_iter().flatten()) {
        let mut bytes =
            if mode & 4 != 0 && number == 1 { content.to_vec() } else { segment(number, content) };
        if mode & 1 != 0 {
            put_right(&mut bytes, number);
        }
        disk.put(format!("store/{number:016x}.seg"), &bytes);
    }
    let before = open_and_add(&disk);
    let (store, _report) = open(&disk);
    let after = store.queues();
    assert_eq!(before, after, "what was there when the store was closed is there when it is opened");
}

fn open(disk: &CrashFs) -> (SegmentStore, edge_store::Recovery) {
    let options = StoreOptions::default().with_gather(edge_store::Gather::new(std::time::Duration::ZERO));
    SegmentStore::open_on(Arc::new(disk.clone()), "store", options).expect("damage is no error")
}

/// Reads everything, adds one entry to a queue of the log and one to another, and closes the store.
fn open_and_add(disk: &CrashFs) -> Vec<QueueState> {
    let (store, report) = open(disk);
    let found = store.queues();
    let waiting: u64 = found.iter().map(QueueState::len).sum();
    assert_eq!(report.entries, waiting, "the report agrees with the store");
    for state in &found {
        assert!(state.head <= state.next && state.len() <= state.next - state.head, "{state:?}");
        if !state.is_empty() {
            check_readable(&store, state);
        }
    }
    let fresh = QueueId::new(EndpointId::upstream(), Priority::DEFAULT);
    for queue in found.first().map(|state| &state.queue).into_iter().chain([&fresh]) {
        let next = store.queue(queue).map_or(0, |state| state.next);
        assert!(next <= MAX_OFFSET, "{queue} goes on at {next}, which nothing can have reached");
        match wait(store.append(vec![entry(queue)], Durability::Written)) {
            Ok(_) => {}
            // The log has used the last offset of the queue.
            Err(StoreError::Io { .. }) if next == MAX_OFFSET => {
                assert_eq!(store.queue(queue).map(|state| state.next), Some(next), "nothing was taken");
                continue;
            }
            // The log has a queue with the last number that there is.
            Err(StoreError::Io { .. }) if store.queue(queue).is_none() => continue,
            Err(error) => panic!("a store that was opened takes no message: {error:?}"),
        }
        let last = read_all(&store, queue, next).pop().expect("an entry was appended");
        assert_eq!(last.offset, next, "offsets go on where they ended");
    }
    wait(store.close()).expect("the disk is sound");
    store.queues()
}

fn check_readable(store: &SegmentStore, state: &QueueState) {
    let entries = read_all(store, &state.queue, 0);
    assert!(entries.len() as u64 <= state.len(), "more can be read than waits in {state:?}");
    for stored in &entries {
        assert!((state.head..state.next).contains(&stored.offset), "{} is not in {state:?}", stored.offset);
    }
}

fn entry(queue: &QueueId) -> Enqueue {
    let target = Target::new(queue.clone(), "added".parse().expect("it is a name"), None);
    let message = Message::builder(&Source::telemetry()).body(b"added").build();
    Enqueue::new(message, [target].into(), Timestamp::from_unix_ms(1_767_225_600_000))
}
