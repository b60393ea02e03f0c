use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::{World, document};
use crate::Tensor;
use crate::rollout::Next;

const REQUESTS: u64 = 1_000_000;
const THREADS: u64 = 2;
const ROWS: usize = 3;

#[test]
fn no_request_is_lost_failed_or_of_two_versions() {
    let mut world = World::with_first();
    let documents: Vec<_> = (0..6)
        .map(|version| {
            // Every third candidate is bad: it panics or fails in the middle of its trial.
            let flaw = ["", "", " panics", "", "", " fails"][version];
            let script = format!("{}{flaw}", 2.0 + version as f32 / 16.0);
            let mut document = document(&world.files, &format!("v{version}"), &script);
            for stage in ["shadow", "canary", "probation"] {
                document["policy"][stage]["samples"] = 60.into();
                document["policy"][stage]["seconds"] = 0.into();
            }
            document
        })
        .collect();
    let (answered, fell_back, done) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let serving = &world.serving.clone();
    let mut committed = 0;
    std::thread::scope(|scope| {
        let worker = |thread: u64| {
            let inputs = Tensor::new([ROWS, 2], vec![1.0f32; ROWS * 2]).unwrap();
            let mut versions = std::collections::BTreeSet::new();
            for request in 0..REQUESTS / THREADS {
                let device = ["a", "b", "c", "d", "e", "f", "g", "h"][(request % 8) as usize];
                let answer = serving.run(device, &[inputs.view()]);
                let answer =
                    answer.unwrap_or_else(|error| panic!("thread {thread}, request {request}: {error:?}"));
                let values = answer.outputs[0].values::<f32>().unwrap();
                let first = values[0];
                assert_eq!(values.len(), ROWS * 2);
                assert!(values.iter().all(|value| *value == first), "an answer of two versions: {values:?}");
                let factor = match answer.generation.version().as_str().strip_prefix('v') {
                    Some(version) => 2.0 + version.parse::<f32>().unwrap() / 16.0,
                    None => 2.0,
                };
                assert_eq!(first, factor, "the version that is said is the one that answered");
                answered.fetch_add(1, Ordering::Relaxed);
                fell_back.fetch_add(answer.fell_back.into(), Ordering::Relaxed);
                versions.insert(answer.generation.number());
            }
            versions.len()
        };
        let workers: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || worker(thread))).collect();
        let done = &done;
        let beside = scope.spawn(move || {
            while !done.load(Ordering::Relaxed) {
                if !serving.compare_one() {
                    std::thread::yield_now();
                }
            }
        });
        let mut turn = 0;
        while !workers.iter().all(|worker| worker.is_finished()) {
            if world.life.registry().record().candidate.is_none() {
                let mut next = documents[turn % documents.len()].clone();
                // A version that was rolled back has to be called otherwise to be tried again; the mapping does it too.
                next["mapping"] = serde_json::json!({ "turn": turn });
                world.life.desire(&next).unwrap();
                turn += 1;
                committed = world.life.registry().record().last_generation;
            }
            if matches!(world.life.tick(), Next::Wait(_)) {
                world.clock.advance(Duration::from_millis(10));
                std::thread::yield_now();
            }
        }
        for worker in workers {
            let versions = worker.join().unwrap();
            assert!(versions > 3, "{versions} versions were seen by a thread");
        }
        done.store(true, Ordering::Relaxed);
        beside.join().unwrap();
    });
    assert_eq!(answered.load(Ordering::Relaxed), REQUESTS);
    assert_eq!(serving.fell_back(), fell_back.load(Ordering::Relaxed));
    assert!(committed > 6, "{committed} generations");
    println!("{committed} generations, {} answers of the last known good version", fell_back.into_inner());
}
