//! What leaves when there is no more room, on a real disk: by class, by age, by key, and what is left of it later.

mod common;

use common::{bodies, read_all};
use edge_core::{
    DropCause, Durability, Enqueue, Message, MessageStore, Overflow, OverflowKey, Priority, QueueId, Source,
    StoreError, Target, Timestamp,
};
use edge_store::{SegmentStore, StoreOptions};
use tempfile::TempDir;

const LIMIT_BYTES: u64 = 1 << 20;

fn options() -> StoreOptions {
    StoreOptions::default().with_tail_bytes(32 << 10).with_max_bytes(LIMIT_BYTES)
}

fn open(dir: &TempDir) -> SegmentStore {
    SegmentStore::open(dir.path(), options()).unwrap().0
}

fn queue(name: &str, class: u8) -> QueueId {
    QueueId::new(name.parse().unwrap(), Priority::new(class).unwrap_or_default())
}

fn target(queue: &QueueId, overflow: Overflow) -> Target {
    Target::new(queue.clone(), "r".parse().unwrap(), None).with_overflow(overflow)
}

fn keyed(target: &Target, key: &str, body: &[u8]) -> Enqueue {
    let message = Message::builder(&Source::telemetry()).property("key", key).body(body).build();
    Enqueue::new(message, [target.clone()].into(), Timestamp::from_unix_ms(0))
}

/// Appends one message of 2000 bytes and waits until it is written.
async fn put(store: &SegmentStore, target: &Target) -> Result<Durability, StoreError> {
    store.append(vec![keyed(target, "", &[b'x'; 2000])], Durability::Written).await
}

/// Returns what was dropped of a queue, by cause.
fn dropped(store: &SegmentStore, queue: &QueueId) -> Vec<(DropCause, u64)> {
    let accounts = store.accounts();
    assert!(accounts.iter().all(|account| account.residual() == 0), "{accounts:?}");
    let account = accounts.iter().find(|account| account.queue == *queue);
    account.map(|account| account.dropped.iter().collect()).unwrap_or_default()
}

fn disk_bytes(dir: &TempDir) -> u64 {
    std::fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().metadata().map_or(0, |m| m.len())).sum()
}

#[tokio::test]
async fn the_oldest_make_room_and_the_disk_stays_within_its_quota() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    let a = queue("a", 10);
    let drop_oldest = target(&a, Overflow::DropOldest);
    for _ in 0..2000 {
        put(&store, &drop_oldest).await.unwrap();
        assert!(disk_bytes(&dir) <= LIMIT_BYTES + LIMIT_BYTES / 16, "{}", disk_bytes(&dir));
    }
    let waiting = store.queue(&a).unwrap().len();
    assert!(waiting * 2000 > LIMIT_BYTES / 2, "{waiting} messages wait");
    assert_eq!(dropped(&store, &a), [(DropCause::OverflowOldest, 2000 - waiting)]);
    store.close().await.unwrap();
    let store = open(&dir);
    assert_eq!(dropped(&store, &a), [(DropCause::OverflowOldest, 2000 - waiting)], "also later");
    assert_eq!(read_all(&store, &a, 0).await.entries.len() as u64, waiting);
}

#[tokio::test]
async fn lower_classes_leave_first_also_after_reopening() {
    let dir = TempDir::new().unwrap();
    let (alarms, readings) = (queue("up", 0), queue("up", 10));
    let store = open(&dir);
    for _ in 0..600 {
        put(&store, &target(&readings, Overflow::DropOldest)).await.unwrap();
    }
    let there = store.queue(&readings).unwrap().len();
    store.close().await.unwrap();
    let store = open(&dir);
    for alarm in 0..there / 2 {
        let mut taken = put(&store, &target(&alarms, Overflow::DropLowestPriority)).await;
        for _ in 0..3 {
            if matches!(taken, Err(StoreError::Full { .. })) {
                // What is dead among what is not must be given back first.
                store.flush().await.unwrap();
                taken = put(&store, &target(&alarms, Overflow::DropLowestPriority)).await;
            }
        }
        taken.unwrap_or_else(|error| panic!("alarm {alarm}: {error}"));
    }
    assert_eq!(dropped(&store, &alarms), []);
    let causes: Vec<_> = dropped(&store, &readings).into_iter().map(|(cause, _)| cause).collect();
    assert_eq!(causes, [DropCause::OverflowOldest, DropCause::OverflowLowestPriority]);
    assert!(!store.queue(&readings).unwrap().is_empty());
}

#[tokio::test]
async fn what_is_refused_stays_however_much_others_need_room() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    let (a, b) = (queue("a", 10), queue("b", 0));
    let mut taken = 0;
    while put(&store, &target(&a, Overflow::Refuse)).await.is_ok() {
        taken += 1;
    }
    for overflow in [Overflow::Refuse, Overflow::DropOldest, Overflow::DropLowestPriority] {
        let refused = put(&store, &target(&b, overflow)).await;
        assert!(matches!(refused, Err(StoreError::Full { .. })), "{refused:?}");
    }
    put(&store, &target(&b, Overflow::DropNewest)).await.unwrap();
    assert_eq!(dropped(&store, &b), [(DropCause::OverflowNewest, 1)]);
    assert_eq!(store.queue(&a).unwrap().len(), taken);
}

#[tokio::test]
async fn of_each_key_the_latest_stays_also_of_what_waited_before_reopening() {
    let dir = TempDir::new().unwrap();
    let a = queue("a", 10);
    let latest = Overflow::KeepLatestPerKey(OverflowKey::Property("key".into()));
    let latest = target(&a, latest).with_max_queue_bytes(3000);
    let store = open(&dir);
    let append = async |store: &SegmentStore, key: &str, body: &str| {
        let body = format!("{body:200}");
        store.append(vec![keyed(&latest, key, body.as_bytes())], Durability::Written).await
    };
    for (key, body) in [("x", "1"), ("y", "2"), ("x", "3"), ("z", "4")] {
        append(&store, key, body).await.unwrap();
    }
    store.close().await.unwrap();
    let store = open(&dir);
    // The keys of what waited are read in the background; until then there is nothing to drop.
    let mut body = 5;
    while body < 30 {
        if append(&store, "y", &body.to_string()).await.is_ok() {
            body += 1;
        } else {
            tokio::task::yield_now().await;
        }
    }
    let found = bodies(&read_all(&store, &a, 0).await);
    let found: Vec<_> = found.iter().map(|body| body.trim()).collect();
    assert!(found.starts_with(&["3", "4"]) && found.ends_with(&["28", "29"]), "{found:?}");
    for key in 0.. {
        match append(&store, &format!("new {key}"), "new").await {
            Ok(_) => assert!(key < 20, "every key is its own latest"),
            Err(error) => {
                assert!(matches!(error, StoreError::QueueFull { .. }), "{error}");
                break;
            }
        }
    }
    assert!(bodies(&read_all(&store, &a, 0).await).iter().any(|body| body.trim() == "29"));
}

#[tokio::test]
async fn settling_what_has_made_room_counts_nothing() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    let a = queue("a", 10);
    let small = target(&a, Overflow::DropOldest).with_max_queue_bytes(5000);
    for _ in 0..10 {
        put(&store, &small).await.unwrap();
    }
    store.settle(&a, 0..10, &[(3, DropCause::Refused), (9, DropCause::Refused)]).unwrap();
    assert_eq!(dropped(&store, &a), [(DropCause::Refused, 1), (DropCause::OverflowOldest, 8)]);
    let account = store.accounts().remove(0);
    assert_eq!((account.accepted, account.delivered, account.stored), (10, 1, 0));
}

#[tokio::test]
async fn what_may_leave_makes_room_when_what_must_stay_has_filled_the_rest() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    let (readings, events, alarms) = (queue("up", 10), queue("up", 5), queue("up", 0));
    for _ in 0..500 {
        put(&store, &target(&readings, Overflow::DropOldest)).await.unwrap();
    }
    while put(&store, &target(&events, Overflow::Refuse)).await.is_ok() {}
    for alarm in 0..100 {
        let mut taken = put(&store, &target(&alarms, Overflow::DropOldest)).await;
        if taken.is_err() {
            store.flush().await.unwrap();
            taken = put(&store, &target(&alarms, Overflow::DropOldest)).await;
        }
        taken.unwrap_or_else(|error| panic!("alarm {alarm}: {error}"));
        assert!(disk_bytes(&dir) <= LIMIT_BYTES + LIMIT_BYTES / 16, "{}", disk_bytes(&dir));
    }
    assert_eq!((dropped(&store, &alarms), dropped(&store, &events)), (vec![], vec![]));
}

#[tokio::test]
async fn a_class_keeps_to_its_limit_over_all_its_queues_also_after_reopening() {
    const CLASS_BYTES: u64 = 100_000;
    let dir = TempDir::new().unwrap();
    let (of_class, other) = (["a", "b", "c"].map(|name| queue(name, 5)), queue("a", 10));
    let mut store = open(&dir);
    for _ in 0..100 {
        put(&store, &target(&other, Overflow::DropOldest)).await.unwrap();
    }
    for round in 0..4 {
        for number in 0..150 {
            let limited =
                target(&of_class[number % 3], Overflow::DropOldest).with_max_class_bytes(CLASS_BYTES);
            put(&store, &limited).await.unwrap();
            let waiting: u64 =
                of_class.iter().filter_map(|id| store.queue(id)).map(|state| state.len()).sum();
            assert!(waiting * 2000 <= CLASS_BYTES, "round {round}: {waiting} messages wait in the class");
        }
        let waiting = of_class.each_ref().map(|id| store.queue(id).unwrap().len());
        assert!(waiting.iter().sum::<u64>() * 2100 > CLASS_BYTES * 9 / 10, "the class is used: {waiting:?}");
        let account = store.accounts().into_iter().find(|account| account.queue == other).unwrap();
        assert_eq!((account.stored, account.dropped.total()), (100, 0), "another class is left alone");
        let refused = target(&of_class[0], Overflow::Refuse).with_max_class_bytes(CLASS_BYTES);
        let refused = put(&store, &refused).await;
        assert!(matches!(refused, Err(StoreError::ClassFull { .. })), "{refused:?}");
        store.close().await.unwrap();
        store = open(&dir);
    }
    for id in &of_class {
        let causes: Vec<_> = dropped(&store, id).into_iter().map(|(cause, _)| cause).collect();
        assert_eq!(causes, [DropCause::OverflowOldest], "{id}");
    }
}
