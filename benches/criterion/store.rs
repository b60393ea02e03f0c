//! What it costs to keep a batch of messages.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use edge_bench::scenario::payload;
use edge_core::{
    Durability, EndpointId, Enqueue, Message, MessageStore, Priority, QueueId, Source, Target, Timestamp,
};
use edge_store::{SegmentStore, StoreOptions};
use tokio::runtime::Builder;

const BATCH: usize = 64;

fn batch(queue: &QueueId) -> Vec<Enqueue> {
    let route = "telemetry".parse().expect("a short name is right");
    let targets = [Target::new(queue.clone(), route, None)].into();
    let message = Message::builder(&Source::telemetry()).body(&payload(256)).build();
    vec![Enqueue::new(message, targets, Timestamp::from_unix_ms(0)); BATCH]
}

/// One appender that waits for each batch of 64 messages of 256 bytes.
fn append(criterion: &mut Criterion) {
    let runtime = Builder::new_current_thread().build().expect("a runtime can be made");
    let queue = QueueId::new(EndpointId::upstream(), Priority::DEFAULT);
    let mut group = criterion.benchmark_group("append");
    group.throughput(Throughput::Elements(BATCH as u64));
    for (name, level) in
        [("memory", Durability::Memory), ("written", Durability::Written), ("synced", Durability::Synced)]
    {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let (store, _) =
            SegmentStore::open(folder.path(), StoreOptions::default()).expect("an empty folder opens");
        let entries = batch(&queue);
        group.bench_function(name, |bencher| {
            let append = |entries| {
                runtime.block_on(store.append(entries, level)).expect("the disk is in order");
                let end = store.queue(&queue).map_or(0, |state| state.next);
                store.trim(&queue, end).expect("what was appended can be trimmed");
            };
            bencher.iter_batched(|| entries.clone(), append, BatchSize::SmallInput);
        });
    }
}

criterion_group!(store, append);
criterion_main!(store);
