use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::{World, document};
use crate::registry::{MemoryFiles, RegistryOptions, Sha256, Stage, Trust};
use crate::rollout::{Lifecycle, Next, Share};

fn stage(life: &Lifecycle) -> Option<Stage> {
    life.registry().record().candidate.as_ref().map(|candidate| candidate.stage)
}

#[test]
fn nothing_serves_until_something_is_desired() {
    let mut world = World::new();
    assert!(matches!(world.tick(), Next::Wait(_)));
    assert_eq!(world.ask(), None);
    assert_eq!(
        (world.life.reported()["status"].clone(), world.serving.unanswered()),
        (json!("nothing serves"), 1)
    );
}

#[test]
fn each_stage_answers_as_it_says() {
    let mut world = World::with_first();
    let wanted = document(&world.files, "2", "2.1");
    world.desire(&wanted);
    let mut seen = Vec::new();
    for _ in 0..200 {
        world.tick();
        let now = stage(&world.life);
        if seen.last() != Some(&now) {
            seen.push(now);
        }
        let candidates = (0..100).filter(|_| world.ask().as_deref() == Some("2")).count();
        match now {
            Some(Stage::Shadow) => assert_eq!(candidates, 0),
            Some(Stage::Canary) => assert!((30..70).contains(&candidates), "{candidates}"),
            _ => assert_eq!(candidates, 100),
        }
        if now.is_none() {
            break;
        }
        world.clock.advance(Duration::from_millis(700));
    }
    let expected = [Some(Stage::Shadow), Some(Stage::Canary), Some(Stage::Probation), None];
    assert_eq!(seen, expected);
}

#[test]
fn a_canary_has_its_share_within_binomial_bounds() {
    for (seed, percent) in [(1u32, 1.0), (2, 5.0), (3, 10.0), (4, 37.5), (5, 50.0), (6, 99.0)] {
        let share = Share::new(percent, &Sha256::of(&seed.to_le_bytes()));
        let (n, p) = (20_000.0, percent / 100.0);
        let chosen =
            (0..20_000).filter(|device| share.contains(&format!("line-{seed}/press-{device}"))).count();
        let off = (chosen as f64 - n * p).abs();
        let sigma = (n * p * (1.0 - p)).sqrt();
        assert!(off <= 4.0 * sigma, "seed {seed}: {chosen} of {n} for {percent} %");
    }
    let (all, none) = (Share::new(100.0, &Sha256::of(b"x")), Share::new(0.0, &Sha256::of(b"x")));
    assert!((0..1000).all(|device| all.contains(&device.to_string()) && !none.contains(&device.to_string())));
}

#[test]
fn a_device_stays_with_its_version_in_the_canary() {
    let mut world = World::with_first();
    let wanted = document(&world.files, "2", "2.1");
    world.desire(&wanted);
    while stage(&world.life) != Some(Stage::Canary) {
        world.tick();
        (0..20).for_each(|_| drop(world.ask()));
        world.clock.advance(Duration::from_secs(1));
    }
    for device in 0..100 {
        let pick = || world.serving.pick(&device.to_string()).unwrap().generation().number();
        let first = pick();
        assert!((0..20).all(|_| pick() == first));
    }
}

#[test]
fn a_new_wish_replaces_a_candidate_and_an_old_one_ends_the_trial() {
    let mut world = World::with_first();
    let [one, two, three] =
        [("1", "2"), ("2", "2.1"), ("3", "2.2")].map(|(v, s)| document(&world.files, v, s));
    world.desire(&two);
    world.tick();
    assert_eq!(stage(&world.life), Some(Stage::Shadow));
    world.desire(&three);
    world.tick();
    assert_eq!(world.life.reported()["candidate"]["version"], "3");
    world.desire(&one);
    world.tick();
    assert_eq!((stage(&world.life), world.rolled_back()), (None, None));
    assert_eq!(world.ask().as_deref(), Some("1"));
    world.desire(&two);
    world.settle();
    assert_eq!(world.committed().as_deref(), Some("2"), "it was not rejected");
}

#[test]
fn a_policy_changes_in_place() {
    let mut world = World::with_first();
    let mut two = document(&world.files, "2", "2.1");
    two["policy"]["shadow"]["samples"] = json!(1_000_000);
    world.desire(&two);
    world.tick();
    let generation = world.life.reported()["candidate"]["generation"].clone();
    two["policy"]["shadow"]["samples"] = json!(10);
    world.desire(&two);
    world.tick();
    assert_eq!(world.life.reported()["candidate"]["generation"], generation);
    world.settle();
    assert_eq!(world.committed().as_deref(), Some("2"));
}

#[test]
fn what_was_rolled_back_is_not_tried_again() {
    let mut world = World::with_first();
    let bad = document(&world.files, "2", "9");
    world.desire(&bad);
    world.settle();
    world.desire(&bad);
    world.tick();
    assert_eq!(stage(&world.life), None);
    assert!(world.life.reported()["refused"].as_str().unwrap().starts_with("version 2 was rolled back"));
    let again = document(&world.files, "2b", "2.1");
    world.desire(&again);
    world.settle();
    assert_eq!(world.committed().as_deref(), Some("2b"));
    assert_eq!(world.life.reported()["refused"], Value::Null);
}

#[test]
fn mistakes_change_nothing() {
    let mut world = World::with_first();
    assert!(world.life.desire(&json!({ "model": "m" })).is_err());
    assert!(!world.life.reported()["mistakes"].as_array().unwrap().is_empty());
    let mut other = document(&world.files, "2", "2");
    other["model"] = json!("n");
    assert_eq!(
        world.life.desire(&other).unwrap_err().to_string(),
        "model: is \"n\", and this is the module of \"m\""
    );
    world.tick();
    assert_eq!(world.ask().as_deref(), Some("1"));
    let good = document(&world.files, "2", "2.1");
    world.desire(&good);
    assert_eq!(world.life.reported()["mistakes"], Value::Null);
}

#[test]
fn a_wrong_or_missing_file_is_waited_for() {
    let mut world = World::with_first();
    let two = document(&world.files, "2", "2.1");
    world.files.tamper(Path::new("/origin/2"), |bytes| bytes[0] ^= 1);
    world.desire(&two);
    world.tick();
    assert_eq!(stage(&world.life), Some(Stage::Fetch));
    assert!(world.life.reported()["problem"].as_str().unwrap().contains("its SHA-256 is"));
    assert_eq!(world.ask().as_deref(), Some("1"));
    world.files.tamper(Path::new("/origin/2"), |bytes| bytes[0] ^= 1);
    world.settle();
    assert_eq!(world.committed().as_deref(), Some("2"));
    assert_eq!(world.life.reported()["problem"], Value::Null);
}

#[test]
fn a_signature_is_required_when_configured() {
    let trust = Trust::anybody().with_key("release", &[1; 32]).unwrap();
    let options = RegistryOptions { trust, ..RegistryOptions::default() };
    let mut world = World::on(MemoryFiles::default(), options);
    let one = document(&world.files, "1", "2");
    world.desire(&one);
    world.tick();
    assert_eq!((stage(&world.life), world.ask()), (Some(Stage::Fetch), None));
    let problem = world.life.reported()["problem"].as_str().unwrap().to_owned();
    assert_eq!(problem, "the version is not trusted: the version is not signed, and a signature is required");
    assert!(!world.files.names().iter().any(|name| name.ends_with(".model")), "nothing was fetched");
}

#[test]
fn a_damaged_version_is_fetched_again_and_another_serves_meanwhile() {
    let mut world = World::with_first();
    let two = document(&world.files, "2", "2.1");
    world.desire(&two);
    world.settle();
    let path = format!("/models/m/{}.model", Sha256::of(b"2.1"));
    world.files.tamper(Path::new(&path), |bytes| bytes.clear());
    let mut world = World::on(world.files.after_kill(), RegistryOptions::default());
    assert_eq!(world.ask().as_deref(), Some("1"), "{}", world.life.reported());
    assert!(world.life.reported()["problem"].as_str().unwrap().starts_with("version 2 cannot be opened"));
    world.settle();
    assert_eq!((world.committed().as_deref(), world.ask().as_deref()), (Some("2"), Some("2")));
}
