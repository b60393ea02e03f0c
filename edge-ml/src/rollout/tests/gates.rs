use super::{World, document};

/// Checks that a script is rolled back, for a reason that has these words, and that nobody noticed.
#[track_caller]
fn check(script: &str, reason: &str) {
    let mut world = World::with_first();
    let wanted = document(&world.files, "2", script);
    world.desire(&wanted);
    world.settle();
    let told = world.rolled_back().unwrap_or_else(|| panic!("{}", world.life.reported()));
    assert!(told.contains(reason), "{told}");
    assert_eq!(world.committed().as_deref(), Some("1"));
    assert_eq!(world.ask().as_deref(), Some("1"));
    assert_eq!(world.life.reported()["rejected"][0]["version"], "2");
}

#[test]
fn a_good_candidate_is_committed() {
    let mut world = World::with_first();
    let wanted = document(&world.files, "2", "2.1");
    world.desire(&wanted);
    world.settle();
    assert_eq!((world.committed().as_deref(), world.rolled_back()), (Some("2"), None));
    assert_eq!(world.ask().as_deref(), Some("2"));
}

#[test]
fn bad_candidates_are_rolled_back() {
    check("2 panics", "panicked");
    check("2 fails", "failed (");
    check("2 slow", "99th percentile");
    check("2 overruns", "no answer came within 1000 ms");
    check("9", "from those of the current version");
    check("2 lies", "golden sample 0");
    check("no number", "is no model for this gateway: it is no script");
    check("2 breaks", "the engine panicked while it opened it: as the script says");
}

#[test]
fn inputs_that_drift_are_no_time_for_a_trial() {
    let mut world = World::with_first();
    for _ in 0..1100 {
        world.ask();
    }
    world.tick();
    assert!(world.life.registry.record().baseline.is_some());
    let mut wanted = document(&world.files, "2", "2.1");
    wanted["policy"]["gates"]["drift"] = 0.25.into();
    world.desire(&wanted);
    world.tick();
    for _ in 0..200 {
        world.serving.run("d", &[super::row(1e6).view()]).unwrap();
        world.serving.compare_one();
    }
    assert!(world.serving.drift().unwrap() > 0.25);
    world.tick();
    assert!(world.rolled_back().unwrap().contains("the inputs drifted by"), "{}", world.life.reported());
}

#[test]
fn a_malformed_request_is_not_held_against_a_candidate() {
    let mut world = World::with_first();
    let mut wanted = document(&world.files, "2", "2.1");
    wanted["policy"]["shadow"] = serde_json::Value::Null;
    wanted["policy"]["canary"] = serde_json::Value::Null;
    world.desire(&wanted);
    world.tick();
    let wrong = crate::Tensor::new([3], vec![1.0f32; 3]).unwrap();
    for _ in 0..50 {
        assert!(world.serving.run("d", &[wrong.view()]).is_err());
    }
    world.settle();
    assert_eq!((world.committed().as_deref(), world.rolled_back()), (Some("2"), None));
}

#[test]
fn a_run_that_does_not_end_is_seen() {
    let world = World::with_first();
    let generation = world.serving.main().unwrap();
    let now = edge_core::Clock::now(&world.clock);
    assert!(!generation.blame_overdue(now));
    let later = now + std::time::Duration::from_secs(60);
    assert!(!generation.blame_overdue(later), "nothing runs");
}
