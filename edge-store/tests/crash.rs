//! The real store on a disk that crashes at any call: what was promised holds, whatever was lost.
//!
//! Each of the three ways to end is tried with a thousand seeds, three lives each. `EDGE_STORE_SEEDS=100000 cargo test
//! -p edge-store --test crash` runs longer, `EDGE_STORE_SEED=7` one seed.

mod common;
mod model;

use edge_store::testing::Random;
use model::{Crash, World};

/// Returns how many seeds to try.
fn seeds() -> u64 {
    let asked = std::env::var("EDGE_STORE_SEEDS").ok().and_then(|text| text.parse().ok());
    asked.unwrap_or(1000)
}

fn check(crash: Crash, count: u64) {
    let only = std::env::var("EDGE_STORE_SEED").ok().and_then(|text| text.parse().ok());
    let mut causes = std::collections::BTreeSet::new();
    for seed in only.map_or(0..count, |seed: u64| seed..seed + 1) {
        let run = || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let mut world = World::new(Random::new(seed), crash);
                for _ in 0..3 {
                    world.live_until_the_crash().await;
                    world.recover_and_compare().await;
                }
                world.causes
            })
        };
        match std::panic::catch_unwind(run) {
            Ok(found) => causes.extend(found),
            Err(_) => panic!("failed with seed {seed} of {crash:?}"),
        }
    }
    if only.is_none() {
        let all = ["overflow_lowest_priority", "overflow_newest", "overflow_oldest", "superseded"];
        assert_eq!(causes.into_iter().collect::<Vec<_>>(), all, "entries have made room in every way");
    }
}

#[test]
fn promises_hold_after_a_power_loss() {
    check(Crash::PowerLoss, seeds());
}

#[test]
fn everything_is_there_after_closing() {
    check(Crash::Close, seeds());
}

#[test]
fn promises_hold_after_a_kill() {
    check(Crash::Kill, seeds());
}
