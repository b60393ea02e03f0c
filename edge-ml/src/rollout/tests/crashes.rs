use std::time::Duration;

use super::{World, document};
use crate::registry::RegistryOptions;

/// Goes on for so many rounds of traffic, whatever comes of it, and returns how many changing calls there were.
fn rounds(world: &mut World, count: u32) {
    for _ in 0..count {
        for _ in 0..20 {
            world.life.tick();
        }
        for _ in 0..10 {
            assert!(world.ask().is_some(), "a request failed: {}", world.life.reported());
        }
        world.clock.advance(Duration::from_secs(1));
    }
}

/// Crashes at each changing call of a roll-out, and returns how each ends: the version that is committed.
fn crash_everywhere(script: &str) -> Vec<String> {
    let first = World::with_first().files;
    let wanted = document(&first, "2", script);
    let calls = {
        let mut world = World::on(first.after_kill(), RegistryOptions::default());
        world.desire(&wanted);
        world.settle();
        world.files.calls()
    };
    assert!(calls > 15, "{calls} calls");
    let mut ends = Vec::new();
    for call in 0..calls + 2 {
        let mut world = World::on(first.after_kill(), RegistryOptions::default());
        world.files.stop_at(call);
        world.desire(&wanted);
        rounds(&mut world, 60);
        for files in [world.files.after_kill(), world.files.after_power_loss()] {
            let mut world = World::on(files, RegistryOptions::default());
            assert!(world.ask().is_some(), "call {call}: nothing serves after the crash");
            world.desire(&wanted);
            world.tick();
            world.settle();
            let end = world.committed().unwrap();
            assert_eq!(world.ask(), Some(end.clone()), "call {call}");
            assert_eq!(world.rolled_back().is_some(), end == "1", "call {call}: {:?}", world.rolled_back());
            ends.push(end);
        }
    }
    ends
}

#[test]
fn a_bad_candidate_is_rolled_back_whenever_the_process_dies() {
    for script in ["2 panics", "2 fails", "9", "2 overruns", "no number"] {
        let ends = crash_everywhere(script);
        assert!(ends.iter().all(|end| end == "1"), "{script}: {ends:?}");
    }
}

#[test]
fn a_good_candidate_is_committed_whenever_the_process_dies() {
    let ends = crash_everywhere("2.1");
    assert!(ends.iter().all(|end| end == "2"), "{ends:?}");
}

#[test]
fn a_disk_that_refuses_for_a_while_changes_nothing_in_the_end() {
    for (script, end) in [("2.1", "2"), ("2 fails", "1")] {
        let mut world = World::with_first();
        let wanted = document(&world.files, "2", script);
        let from = world.files.calls();
        world.desire(&wanted);
        for call in (0..30).step_by(3) {
            world.files.stop_at(from + call);
            rounds(&mut world, 2);
            world.files.go_on();
            rounds(&mut world, 1);
        }
        world.clock.advance(Duration::from_secs(7200));
        world.settle();
        assert_eq!(world.committed().as_deref(), Some(end), "{}", world.life.reported());
    }
}

#[test]
fn a_candidate_that_ends_the_process_is_given_up() {
    let mut world = World::with_first();
    let wanted = document(&world.files, "2", "2.1");
    world.desire(&wanted);
    for start in 0..3 {
        world.tick();
        assert_eq!(world.life.reported()["candidate"]["starts"], start + 1);
        world = World::on(world.files.after_kill(), RegistryOptions::default());
        assert_eq!(world.ask().as_deref(), Some("1"));
    }
    world.tick();
    let reason = world.rolled_back().unwrap();
    assert_eq!(reason, "the process ended 3 times while it was on trial");
    assert_eq!(world.ask().as_deref(), Some("1"));
}

#[test]
fn an_orderly_end_is_not_held_against_a_candidate() {
    let mut world = World::with_first();
    let wanted = document(&world.files, "2", "2.1");
    world.desire(&wanted);
    for _ in 0..10 {
        world.tick();
        world.life.close().unwrap();
        world = World::on(world.files.after_power_loss(), RegistryOptions::default());
    }
    world.settle();
    assert_eq!(world.committed().as_deref(), Some("2"));
}

#[test]
fn random_crashes_end_well() {
    for seed in 0..20u64 {
        let mut state = seed * 2 + 1;
        let mut random = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let mut world = World::with_first();
        let good = random(2) == 0;
        let mut wanted = document(&world.files, "2", if good { "2.1" } else { "2 fails" });
        wanted["policy"]["starts"] = 100.into();
        world.desire(&wanted);
        for crash in 0..5 {
            let calls = world.files.calls();
            world.files.stop_at(calls + random(12));
            rounds(&mut world, random(8) as u32);
            let files =
                if random(2) == 0 { world.files.after_kill() } else { world.files.after_power_loss() };
            world = World::on(files, RegistryOptions::default());
            assert!(world.ask().is_some(), "seed {seed}, crash {crash}");
            world.desire(&wanted);
        }
        world.tick();
        world.settle();
        assert_eq!(world.committed().as_deref(), Some(if good { "2" } else { "1" }), "seed {seed}");
    }
}
