//! A model in the path of messages whose process is killed, or loses its power, at any write: nothing acknowledged is lost,
//! and no message has two results.
#![allow(missing_docs, reason = "a test")]

mod support;

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use edge_core::{
    BoxError, Durability, Message, MessageBuilder, MessageStore, Priority, QueueId, ReadLimit, Session,
};
use edge_hub::{Hub, Outgoing};
use edge_ml::{Affine, ModelEndpoint, ModelPool, PoolOptions, Tensor, Translate};
use edge_store::testing::{CrashFs, Random};
use edge_store::{SegmentStore, StoreOptions};
use support::link::number;
use support::{Link, Mode};

const INTO: &str = r#"FROM /messages/* WHERE NOT IS_DEFINED($connectionModuleId)
    INTO BrokeredEndpoint("/modules/score/inputs/in")"#;
const OUT: &str = "FROM /messages/modules/score/outputs/scores INTO $upstream";

/// A message's body is a number, and so is the result's.
#[derive(Debug)]
struct Numbers;

impl Translate for Numbers {
    fn inputs(&self, message: &Message) -> Result<Option<Vec<Tensor>>, BoxError> {
        let number = u64::from_le_bytes(message.body().try_into()?);
        Ok(Some(vec![Tensor::new([1, 1], vec![number as f32])?]))
    }

    fn result(&self, _: &Message, outputs: &[Tensor]) -> Result<MessageBuilder, BoxError> {
        let number = outputs[0].values::<f32>().unwrap()[0] as u64;
        Ok(MessageBuilder::default().body(&number.to_le_bytes()))
    }
}

fn endpoint() -> Arc<ModelEndpoint> {
    let pool = ModelPool::start(&Affine::new(&[1.0], &[0.0]).unwrap(), PoolOptions::default()).unwrap();
    let (device, model) = ("edge1".parse().unwrap(), "score".parse().unwrap());
    let ports = ("in".parse().unwrap(), "scores".parse().unwrap());
    Arc::new(ModelEndpoint::new(&device, &model, (&ports.0, ports.1), pool, Arc::new(Numbers)))
}

fn store(disk: &CrashFs) -> SegmentStore {
    let options = StoreOptions::default().with_segment_bytes(16 << 10);
    SegmentStore::open_on(Arc::new(disk.clone()), "store", options).unwrap().0
}

fn hub(disk: &CrashFs, link: &Arc<Link>, level: Durability) -> (Hub, Arc<ModelEndpoint>) {
    let endpoint = endpoint();
    let hub = Hub::builder("edge1".parse().unwrap())
        .store(Arc::new(store(disk)))
        .endpoint(link.clone())
        .endpoint(endpoint.clone())
        .durability(level)
        .route("in", INTO)
        .route("out", OUT)
        .build()
        .unwrap();
    let session: Box<dyn Session> = hub.handle().session("edge1/score".parse().unwrap()).unwrap();
    endpoint.connect(session);
    (hub, endpoint)
}

/// Returns the numbers that wait for an endpoint.
async fn waiting(store: &SegmentStore, endpoint: &str) -> Vec<u64> {
    let queue = QueueId::new(endpoint.parse().unwrap(), Priority::DEFAULT);
    let limit = ReadLimit::new(NonZeroUsize::MAX, usize::MAX);
    let (mut all, mut from) = (Vec::new(), 0);
    loop {
        let batch = store.read(&queue, from, limit).await.unwrap();
        if batch.entries.is_empty() {
            return all;
        }
        all.extend(batch.entries.iter().map(number));
        from = batch.next;
    }
}

/// Lives until the disk stops at one of its calls, and returns what another process finds; what was acknowledged is in `acknowledged`.
async fn live(
    (disk, calls): (CrashFs, u64),
    power: Option<u64>,
    sent: &mut u64,
    acknowledged: &mut BTreeSet<u64>,
) -> CrashFs {
    let level = if power.is_some() { Durability::Synced } else { Durability::Written };
    let link = Arc::new(Link::new("$upstream", Mode::Down));
    let (hub, _endpoint) = hub(&disk, &link, level);
    let client = hub.client("press".parse().unwrap()).unwrap();
    let running = hub.start();
    disk.freeze_in(calls);
    while !disk.is_frozen() {
        let number = *sent;
        *sent += 1;
        if client.send(Outgoing::new(number.to_le_bytes())).await.is_err() {
            break;
        }
        acknowledged.insert(number);
    }
    disk.freeze();
    let next = power.map_or_else(|| disk.after_kill(), |seed| disk.after_power_loss(seed));
    drop(running.stop().await);
    next
}

async fn check(seed: u64, power: bool) -> bool {
    let mut random = Random::new(seed);
    let (mut disk, mut sent, mut acknowledged) = (CrashFs::new(), 0, BTreeSet::new());
    let mut answered_at_all = false;
    for _ in 0..3 {
        let calls = 3 + random.below(100);
        disk = live((disk, calls), power.then_some(seed), &mut sent, &mut acknowledged).await;
        let store = store(&disk);
        let (asked, answered) = (waiting(&store, "edge1/score/in").await, waiting(&store, "$upstream").await);
        answered_at_all |= !answered.is_empty();
        let all: BTreeSet<_> = asked.iter().chain(&answered).copied().collect();
        assert_eq!(
            all.len(),
            asked.len() + answered.len(),
            "seed {seed}: {asked:?} wait, {answered:?} came out"
        );
        assert!(acknowledged.is_subset(&all), "seed {seed}: of {acknowledged:?} there is {all:?}");
        drop(store);
        disk = disk.after_kill();
    }
    let link = Arc::new(Link::new("$upstream", Mode::Accept));
    let (hub, _endpoint) = hub(&disk, &link, Durability::Written);
    let (handle, running) = (hub.handle(), hub.start());
    let empty = async {
        while handle.ledger().total.stored > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), empty).await.expect("everything is answered and taken");
    assert_eq!(running.stop().await.unwrap().ledger.total.residual(), 0);
    let mut came = link.accepted();
    came.sort_unstable();
    let count = came.len();
    came.dedup();
    assert_eq!(came.len(), count, "seed {seed}: a message has two results");
    assert!(acknowledged.iter().all(|number| came.binary_search(number).is_ok()), "seed {seed}");
    answered_at_all
}

async fn check_all(power: bool) {
    let mut answered = 0;
    for seed in 0..40 {
        answered += u32::from(check(seed, power).await);
    }
    assert!(answered > 10, "in {answered} of 40 runs something was answered before the end");
}

#[tokio::test]
async fn no_kill_loses_or_doubles_a_result() {
    check_all(false).await;
}

#[tokio::test]
async fn no_loss_of_power_loses_or_doubles_a_result() {
    check_all(true).await;
}
