//! Cases: what happens when there is no more room.
#![expect(clippy::missing_panics_doc, reason = "a case fails by a panic: that is its job")]

use super::StoreHarness;
use super::sample::{TAKEN, bodies, offsets, queue, read_all, route};
use crate::testing::absent;
use crate::{
    Account, DropCause, Durability, Enqueue, Gone, Message, MessageStore, Overflow, OverflowKey, Priority,
    QueueId, Source, StoreError, Target,
};

/// Room for three of the small messages, in any store's way to count.
const THREE: u64 = 3500;

/// How much is read of a body: the rest makes it large.
const NAME: usize = 8;

/// Returns a message of about `bytes` bytes that begins with `name`, and whose key is the first letter of it.
fn message(name: &str, bytes: usize) -> Message {
    let body = format!("{name:NAME$}{}", "x".repeat(bytes));
    let key = name.get(..1).unwrap_or_default();
    Message::builder(&Source::telemetry()).property("key", key).body(body.as_bytes()).build()
}

fn small(name: &str, targets: &[Target]) -> Enqueue {
    Enqueue::new(message(name, 1000), targets.into(), TAKEN)
}

fn target(queue: &QueueId, overflow: Overflow) -> Target {
    Target::new(queue.clone(), route("telemetry"), None).with_overflow(overflow)
}

/// A target whose queue holds three small messages.
fn narrow(queue: &QueueId, overflow: Overflow) -> Target {
    target(queue, overflow).with_max_queue_bytes(THREE)
}

fn per_key() -> Overflow {
    Overflow::KeepLatestPerKey(OverflowKey::Property("key".into()))
}

/// Appends small messages one by one, and returns what was dropped for them.
async fn put_each(store: &impl MessageStore, target: &Target, names: &[&str]) -> Vec<Gone> {
    let mut gone = Vec::new();
    for name in names {
        let receipt = store.append(vec![small(name, std::slice::from_ref(target))], Durability::Written);
        gone.extend_from_slice(receipt.dropped());
        receipt.await.unwrap_or_else(|error| panic!("{name} is not taken: {error}"));
    }
    gone
}

/// Reads the names of all that `queue` holds.
async fn names(store: &impl MessageStore, queue: &QueueId) -> Vec<String> {
    let all = bodies(store, queue).await;
    all.iter().map(|body| body.chars().take(NAME).collect::<String>().trim().to_owned()).collect()
}

fn account(store: &impl MessageStore, queue: &QueueId) -> Account {
    let account = store.accounts().into_iter().find(|account| account.queue == *queue);
    let account = account.unwrap_or_else(|| panic!("{queue} has no account"));
    assert_eq!(account.residual(), 0, "{account:?} does not add up");
    account
}

/// Checks how many entries were accepted, how many wait, and how many were dropped why.
fn check(found: &Account, accepted: u64, stored: u64, dropped: &[(DropCause, u64)]) {
    assert_eq!((found.accepted, found.stored), (accepted, stored), "{found:?}");
    assert_eq!(found.dropped.iter().collect::<Vec<_>>(), dropped, "{found:?}");
}

/// Returns an empty store, unless it does not do what is asked here.
async fn open<H: StoreHarness>(harness: &H, case: &str) -> Option<H::Store> {
    if harness.capabilities().overflow {
        return Some(harness.open().await);
    }
    absent(case, "store that heeds overflow policies");
    None
}

/// > The most bytes that the queue may hold when this entry is added, for stores that limit queues; `None` is as much as
/// > the store has.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn a_full_queue_refuses(harness: &impl StoreHarness) {
    let Some(store) = open(harness, "a_full_queue_refuses").await else { return };
    let (a, b) = (queue("a"), queue("b"));
    put_each(&store, &narrow(&a, Overflow::Refuse), &["1", "2", "3"]).await;
    let both = [target(&b, Overflow::Refuse), narrow(&a, Overflow::Refuse)];
    let refused = store.append(vec![small("4", &both)], Durability::Written);
    assert!(matches!(refused.refusal(), Some(StoreError::QueueFull { .. })), "{:?}", refused.refusal());
    assert_eq!((names(&store, &a).await.len(), names(&store, &b).await.len()), (3, 0));
    put_each(&store, &target(&a, Overflow::Refuse), &["5"]).await;
    check(&account(&store, &a), 4, 4, &[]);
}

/// > The most bytes that all queues of the queue's class may hold together when this entry is added, for stores that limit
/// > classes; `None` is as much as the store has.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn a_full_class_refuses(harness: &impl StoreHarness) {
    let Some(store) = open(harness, "a_full_class_refuses").await else { return };
    let (a, b) = (queue("a"), queue("b"));
    let of_class = |queue: &QueueId, overflow| target(queue, overflow).with_max_class_bytes(THREE);
    put_each(&store, &of_class(&urgent(), Overflow::Refuse), &["1", "2"]).await;
    put_each(&store, &of_class(&a, Overflow::Refuse), &["1", "2"]).await;
    put_each(&store, &of_class(&b, Overflow::Refuse), &["3"]).await;
    for overflow in [Overflow::Refuse, Overflow::DropLowestPriority, per_key()] {
        let refused = store.append(vec![small("4", &[of_class(&b, overflow.clone())])], Durability::Written);
        let error = refused.refusal();
        assert!(matches!(error, Some(StoreError::ClassFull { .. })), "{error:?} for {overflow}");
    }
    put_each(&store, &of_class(&b, Overflow::DropNewest), &["5"]).await;
    assert_eq!((names(&store, &a).await.len(), names(&store, &b).await.len()), (2, 1));
    store.trim(&a, 1).expect("trimming succeeds");
    put_each(&store, &of_class(&b, Overflow::Refuse), &["6"]).await;
    assert_eq!(names(&store, &b).await, ["3", "6"], "what has left its class makes room");
    check(&account(&store, &b), 3, 2, &[(DropCause::OverflowNewest, 1)]);
}

/// > What finds no room in its queue, in its class or in the store MUST be refused, be dropped, or make others leave, as its
/// > target's [`Overflow`] says; a store that cannot do that refuses, see its documentation.
///
/// In a class it is other queues of the class that make room, before the queue that needs it.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn a_class_makes_room_in_itself(harness: &impl StoreHarness) {
    let Some(store) = open(harness, "a_class_makes_room_in_itself").await else { return };
    let (a, b, other) = (queue("a"), queue("b"), urgent());
    put_each(&store, &target(&other, Overflow::DropOldest), &["1", "2"]).await;
    put_each(&store, &target(&a, Overflow::DropOldest), &["1", "2"]).await;
    let limited = target(&b, Overflow::DropOldest).with_max_class_bytes(THREE);
    put_each(&store, &limited, &["3", "4", "5", "6"]).await;
    assert_eq!(names(&store, &a).await.len(), 0, "other queues make room first");
    assert_eq!(names(&store, &b).await, ["4", "5", "6"], "then it is the queue's own turn");
    check(&account(&store, &other), 2, 2, &[]);
    check(&account(&store, &a), 2, 0, &[(DropCause::OverflowOldest, 2)]);
    check(&account(&store, &b), 4, 3, &[(DropCause::OverflowOldest, 1)]);
    let superseding = target(&b, per_key()).with_max_class_bytes(THREE);
    store.trim(&b, 4).expect("trimming succeeds");
    put_each(&store, &superseding, &["x1", "y1", "x2", "x3"]).await;
    assert_eq!(names(&store, &b).await, ["y1", "x2", "x3"]);
}

/// > What finds no room in its queue, in its class or in the store MUST be refused, be dropped, or make others leave, as its
/// > target's [`Overflow`] says; a store that cannot do that refuses, see its documentation.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn the_oldest_make_room(harness: &impl StoreHarness) {
    let Some(store) = open(harness, "the_oldest_make_room").await else { return };
    let a = queue("a");
    put_each(&store, &narrow(&a, Overflow::DropOldest), &["1", "2", "3", "4", "5"]).await;
    assert_eq!(names(&store, &a).await, ["3", "4", "5"]);
    assert_eq!(offsets(&store, &a).await, [2, 3, 4]);
    let batch = ["6", "7", "8", "9"].map(|name| small(name, &[narrow(&a, Overflow::DropOldest)]));
    store.append(batch.into(), Durability::Written).await.expect("the batch makes room for itself");
    assert_eq!(names(&store, &a).await, ["7", "8", "9"]);
    check(&account(&store, &a), 9, 3, &[(DropCause::OverflowOldest, 6)]);
}

/// > What finds no room in its queue, in its class or in the store MUST be refused, be dropped, or make others leave, as its
/// > target's [`Overflow`] says; a store that cannot do that refuses, see its documentation.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn the_newest_is_dropped(harness: &impl StoreHarness) {
    let Some(store) = open(harness, "the_newest_is_dropped").await else { return };
    let (a, b) = (queue("a"), queue("b"));
    let both = [narrow(&a, Overflow::DropNewest), target(&b, Overflow::Refuse)];
    for name in ["1", "2", "3", "4", "5"] {
        let receipt = store.append(vec![small(name, &both)], Durability::Written);
        receipt.await.unwrap_or_else(|error| panic!("{name} is refused: {error}"));
    }
    put_each(&store, &narrow(&a, Overflow::DropNewest), &["6"]).await;
    assert_eq!(names(&store, &a).await, ["1", "2", "3"]);
    assert_eq!(names(&store, &b).await, ["1", "2", "3", "4", "5"]);
    check(&account(&store, &a), 6, 3, &[(DropCause::OverflowNewest, 3)]);
}

/// > What finds no room in its queue, in its class or in the store MUST be refused, be dropped, or make others leave, as its
/// > target's [`Overflow`] says; a store that cannot do that refuses, see its documentation.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn of_each_key_the_latest_stays(harness: &impl StoreHarness) {
    let Some(store) = open(harness, "of_each_key_the_latest_stays").await else { return };
    let a = queue("a");
    put_each(&store, &narrow(&a, per_key()), &["y1", "x1", "x2", "x3", "y2", "x4"]).await;
    assert_eq!(names(&store, &a).await, ["x3", "y2", "x4"], "as long as there is room, all stay");
    put_each(&store, &narrow(&a, per_key()), &["z1"]).await;
    assert_eq!(names(&store, &a).await, ["y2", "x4", "z1"]);
    let refused = store.append(vec![small("w1", &[narrow(&a, per_key())])], Durability::Written);
    assert!(matches!(refused.refusal(), Some(StoreError::QueueFull { .. })), "{:?}", refused.refusal());
    check(&account(&store, &a), 7, 3, &[(DropCause::Superseded, 4)]);
}

/// > What is dropped for want of room MUST be counted by its cause and told by [`Receipt::dropped`]. In a crash it
/// > MUST NOT be gone without the batch that needed the room.
///
/// [`Receipt::dropped`]: crate::Receipt::dropped
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn what_is_dropped_is_told(harness: &impl StoreHarness) {
    let Some(store) = open(harness, "what_is_dropped_is_told").await else { return };
    let a = queue("a");
    let told = put_each(&store, &narrow(&a, Overflow::DropOldest), &["1", "2", "3", "4"]).await;
    assert_eq!(told, [Gone::new(a.clone(), route("telemetry"), 1, DropCause::OverflowOldest)]);
    let told = put_each(&store, &narrow(&a, Overflow::DropNewest), &["5"]).await;
    assert_eq!(told, [Gone::new(a.clone(), route("telemetry"), 1, DropCause::OverflowNewest)]);
}

/// > What is dropped for want of room MUST be counted by its cause and told by [`Receipt::dropped`]. In a crash it
/// > MUST NOT be gone without the batch that needed the room.
///
/// [`Receipt::dropped`]: crate::Receipt::dropped
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn drops_survive_a_crash(harness: &impl StoreHarness) {
    let Some(store) = open(harness, "drops_survive_a_crash").await else { return };
    let a = queue("a");
    put_each(&store, &narrow(&a, Overflow::DropOldest), &["1", "2", "3", "4", "5"]).await;
    put_each(&store, &narrow(&a, Overflow::DropNewest), &["6"]).await;
    let Some(store) = harness.crash(store).await else {
        return absent("drops_survive_a_crash", "store that survives a crash");
    };
    assert_eq!(names(&store, &a).await, ["3", "4", "5"]);
    check(&account(&store, &a), 6, 3, &[(DropCause::OverflowOldest, 2), (DropCause::OverflowNewest, 1)]);
    put_each(&store, &narrow(&a, Overflow::DropOldest), &["7"]).await;
    assert_eq!(names(&store, &a).await, ["4", "5", "7"], "what is there may leave as before");
}

/// > A batch that is not taken MUST be refused at once, see [`Receipt::refusal`], and MUST leave nothing behind. A
/// > receipt that resolves to an error later means that the batch *is* in its queues and could not be made durable:
/// > its sender is not acknowledged, sends again, and receivers may see it twice. The ledger rests on this.
///
/// [`Receipt::refusal`]: crate::Receipt::refusal
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn nothing_leaves_for_a_refused_batch(harness: &impl StoreHarness) {
    let Some(store) = open(harness, "nothing_leaves_for_a_refused_batch").await else { return };
    let (a, b) = (queue("a"), queue("b"));
    put_each(&store, &narrow(&a, Overflow::DropOldest), &["1", "2", "3"]).await;
    put_each(&store, &narrow(&b, Overflow::Refuse), &["1", "2", "3"]).await;
    let batch =
        vec![small("4", &[narrow(&a, Overflow::DropOldest)]), small("4", &[narrow(&b, Overflow::Refuse)])];
    let refused = store.append(batch, Durability::Written);
    assert!(refused.refusal().is_some(), "the second queue is full");
    assert_eq!(refused.dropped(), [], "nothing is told to have left");
    assert_eq!(names(&store, &a).await, ["1", "2", "3"]);
    check(&account(&store, &a), 3, 3, &[]);
}

/// > An entry leaves its queue once, and MUST be counted once: as delivered or dropped by `settle`, as dropped by
/// > `expire`, `remove`, overflow and damage. Whoever comes later MUST NOT count it again.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn what_made_room_is_not_settled(harness: &impl StoreHarness) {
    let Some(store) = open(harness, "what_made_room_is_not_settled").await else { return };
    let a = queue("a");
    put_each(&store, &narrow(&a, Overflow::DropOldest), &["1", "2", "3"]).await;
    let held = read_all(&store, &a).await;
    put_each(&store, &narrow(&a, Overflow::DropOldest), &["4", "5"]).await;
    // Whoever has read them before they left settles them later.
    store.settle(&a, 0..held.len() as u64, &[(1, DropCause::Refused)]).expect("settling succeeds");
    let found = account(&store, &a);
    assert_eq!(found.delivered, 1, "only the third was there to be delivered: {found:?}");
    check(&found, 5, 2, &[(DropCause::OverflowOldest, 2)]);
}

/// The limit of stores that are filled.
fn limit(harness: &impl StoreHarness) -> u64 {
    4 * harness.capabilities().slack_bytes + 131_072
}

const LARGE: usize = 8192;

/// Appends one large message; a store that has to give space back first is given the time for it.
async fn put_large<H: StoreHarness>(
    harness: &H,
    store: &H::Store,
    target: &Target,
) -> Result<Vec<Gone>, StoreError> {
    let mut tries = 0;
    loop {
        let batch = vec![Enqueue::new(message("1", LARGE), [target.clone()].into(), TAKEN)];
        let receipt = store.append(batch, Durability::Written);
        let gone = receipt.dropped().to_vec();
        match receipt.await {
            Err(StoreError::Full { .. }) if tries < 3 => {
                tries += 1;
                harness.settle(store).await;
            }
            result => return result.map(|_level| gone),
        }
    }
}

async fn open_limited<H: StoreHarness>(harness: &H, case: &str) -> Option<H::Store> {
    let store =
        if harness.capabilities().overflow { harness.open_limited(limit(harness)).await } else { None };
    if store.is_none() {
        absent(case, "store with a limit that heeds overflow policies");
    }
    store
}

fn urgent() -> QueueId {
    QueueId::new(queue("a").endpoint().clone(), Priority::new(0).unwrap_or_default())
}

/// > Entries of a class MUST NOT leave to make room in the store as long as those of a lower class may.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn lower_classes_make_room_first(harness: &impl StoreHarness) {
    let Some(store) = open_limited(harness, "lower_classes_make_room_first").await else { return };
    let (low, high) = (queue("a"), urgent());
    let mut full = false;
    for _ in 0..4 * limit(harness) / LARGE as u64 {
        let gone = put_large(harness, &store, &target(&low, Overflow::DropOldest)).await;
        full |= !gone.expect("the oldest make room").is_empty();
    }
    assert!(full, "a store with a limit is never full");
    for overflow in [Overflow::DropOldest, Overflow::DropLowestPriority] {
        for _ in 0..4 {
            let gone = put_large(harness, &store, &target(&high, overflow.clone())).await;
            let gone = gone.expect("what is lower makes room");
            assert!(gone.iter().all(|gone| gone.queue == low), "{gone:?} for {overflow}");
        }
    }
    check(&account(&store, &high), 8, 8, &[]);
    let low = account(&store, &low);
    assert!(low.stored > 0, "more has left than was needed: {low:?}");
    assert!(low.dropped.count(DropCause::OverflowLowestPriority) > 0, "{low:?}");
}

/// > Entries of a class MUST NOT leave to make room in the store as long as those of a lower class may.
///
/// What is refused when there is no room is not dropped for others.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn what_is_refused_makes_no_room_for_others(harness: &impl StoreHarness) {
    let Some(store) = open_limited(harness, "what_is_refused_makes_no_room_for_others").await else { return };
    let (low, high) = (queue("a"), urgent());
    let mut taken = 0;
    while put_large(harness, &store, &target(&low, Overflow::Refuse)).await.is_ok() {
        taken += 1;
    }
    for overflow in [Overflow::DropOldest, Overflow::DropLowestPriority, per_key()] {
        let refused = put_large(harness, &store, &target(&high, overflow.clone())).await;
        assert!(matches!(refused, Err(StoreError::Full { .. })), "{refused:?} for {overflow}");
    }
    let dropped = put_large(harness, &store, &target(&high, Overflow::DropNewest)).await;
    assert_eq!(dropped.expect("it is dropped").len(), 1, "there is no room for it");
    check(&account(&store, &low), taken, taken, &[]);
    check(&account(&store, &high), 1, 0, &[(DropCause::OverflowNewest, 1)]);
}

/// > How durable the route wants its messages, whatever the sender asks for; `None` is what the sender asks for. A batch
/// > is as durable as the highest of its targets asks.
///
/// One sync is enough for it.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn a_batch_is_as_durable_as_its_highest_target(harness: &impl StoreHarness) {
    let store = harness.open().await;
    let a = queue("a");
    let wants = |level| target(&a, Overflow::Refuse).with_durability(level);
    for highest in [Durability::Memory, Durability::Written, Durability::Synced] {
        let targets = [wants(Durability::Memory), wants(highest)];
        let batch = targets.map(|target| small("1", &[target]));
        let before = store.usage().syncs;
        let reached = store.append(batch.into(), Durability::Memory).await.expect("appending succeeds");
        let owed = highest.min(harness.capabilities().durability);
        assert!(reached >= owed, "{} is owed, {} is said", owed.name(), reached.name());
        let syncs = store.usage().syncs - before;
        assert!(syncs <= 1, "{syncs} syncs for one batch");
    }
}
