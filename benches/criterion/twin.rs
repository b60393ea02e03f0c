//! What it costs to change a twin, and to keep and find it.

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use edge_core::{Identity, Timestamp};
use edge_store::TwinFile;
use edge_twin::{Expect, Limits, Patch, Twin, TwinStore, View};
use tokio::runtime::Builder;
use tokio::task::JoinSet;

/// How many devices report at the same time.
const WRITERS: usize = 256;

/// Returns a twin whose reported properties are nearly 32 KiB of settings of machines.
fn large_twin() -> Twin {
    let machine = |n: usize| {
        let setting = |n: usize| format!("\"setting{n}\":{{\"value\":{n}.5,\"unit\":\"bar\",\"on\":true}}");
        let settings: Vec<_> = (0..20).map(setting).collect();
        format!("\"machine{n:02}\":{{{}}}", settings.join(","))
    };
    let machines: Vec<_> = (0..31).map(machine).collect();
    let mut twin = Twin::new(Timestamp::from_unix_ms(0));
    report(&mut twin, &format!("{{{}}}", machines.join(",")));
    twin
}

/// Returns a patch of ten leaves in ten machines.
fn patch_text() -> String {
    let leaf = |n: usize| format!("\"machine{:02}\":{{\"setting{n}\":{{\"value\":{n}.25}}}}", 3 * n);
    format!("{{{}}}", (0..10).map(leaf).collect::<Vec<_>>().join(","))
}

fn report(twin: &mut Twin, text: &str) {
    let limits = Limits::default();
    let patch = Patch::parse(text.as_bytes(), &limits).expect("the patch is within limits");
    twin.report(&patch, Expect::Anything, &limits, Timestamp::from_unix_ms(1))
        .expect("the twin is within limits");
}

/// A patch of ten leaves, as text, on a stored twin of 32 KiB: stored bytes in, stored bytes out.
fn patch(criterion: &mut Criterion) {
    let twin = large_twin();
    let stored = twin.encode();
    let json = twin.reported().to_json(View::Plain);
    let text = patch_text();
    println!("{} bytes of JSON, {} bytes stored", json.len(), stored.len());
    let mut group = criterion.benchmark_group("twin patch");
    group.bench_function("edge-twin", |bencher| {
        bencher.iter(|| {
            let mut twin = Twin::decode(stored.clone()).expect("it was stored");
            report(&mut twin, &text);
            twin.encode()
        });
    });
    group.bench_function("serde_json and json-patch", |bencher| {
        bencher.iter(|| {
            let mut twin: serde_json::Value = serde_json::from_slice(&json).expect("it is JSON");
            let patch: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
            json_patch::merge(&mut twin, &patch);
            serde_json::to_vec(&twin).expect("it is JSON")
        });
    });
    group.bench_function("copy", |bencher| bencher.iter(|| Bytes::copy_from_slice(&stored)));
    group.finish();
}

fn device(n: usize) -> Identity {
    format!("device{n}").parse().expect("it is an id")
}

fn small_twin(n: usize) -> Twin {
    let mut twin = Twin::new(Timestamp::from_unix_ms(0));
    report(&mut twin, &format!("{{\"n\":{n},\"blob\":\"{}\"}}", "x".repeat(1000)));
    twin
}

/// Twins of 1 KiB in the store: found one at a time, and changed by 256 devices at the same time.
fn store(criterion: &mut Criterion) {
    let runtime = Builder::new_current_thread().build().expect("a runtime can be made");
    let folder = tempfile::tempdir().expect("a folder can be made");
    let twins = std::sync::Arc::new(TwinFile::open(folder.path()).expect("an empty folder opens"));
    runtime.block_on(async {
        let mut savers = JoinSet::new();
        for n in 0..10_000 {
            let twins = twins.clone();
            savers.spawn(async move { twins.save(&device(n), None, small_twin(n)).await });
        }
        while let Some(saved) = savers.join_next().await {
            saved.expect("no panic").expect("the disk is in order");
        }
    });
    let mut group = criterion.benchmark_group("twin store");
    let mut n = 0;
    group.bench_function("load", |bencher| {
        bencher.iter(|| {
            n = (n + 7919) % 10_000;
            runtime.block_on(twins.load(&device(n))).expect("the disk is in order")
        });
    });
    group.throughput(Throughput::Elements(WRITERS as u64));
    group.bench_function("256 durable reports", |bencher| {
        bencher.iter(|| {
            runtime.block_on(async {
                let mut savers = JoinSet::new();
                for n in 0..WRITERS {
                    let twins = twins.clone();
                    savers.spawn(async move {
                        let client = device(n);
                        let mut twin = twins.load(&client).await.expect("it is sound").expect("it is there");
                        let over = twin.version();
                        report(&mut twin, &format!("{{\"n\":{over}}}"));
                        twins.save(&client, Some(over), twin).await
                    });
                }
                while let Some(saved) = savers.join_next().await {
                    saved.expect("no panic").expect("nobody else changes it");
                }
            });
        });
    });
    group.finish();
}

criterion_group!(twin, patch, store);
criterion_main!(twin);
