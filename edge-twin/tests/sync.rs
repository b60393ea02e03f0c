//! Two replicas of a twin come to agree, over a link that loses, delays, reorders and breaks, with restarts of this side.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use edge_core::{Clock, SystemClock, Timestamp};
use edge_twin::sync::{EditPolicy, Now, Provenance, SyncAnswer, SyncOptions, SyncOutput, TwinSync};
use edge_twin::{Expect, Limits, Map, Patch, Twin, TwinLimits, TwinUpdate, Value};

/// A small generator: the same numbers for the same seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn patch(&mut self) -> Patch {
        fn members(random: &mut Random, level: u32) -> Map {
            let count = 1 + random.below(2);
            (0..count)
                .map(|_| {
                    let key = ["a", "b", "c"][random.below(3) as usize];
                    let value = match random.below(5) {
                        0 | 1 => Value::Null,
                        2 if level < 3 => Value::Object(members(random, level + 1)),
                        _ => Value::Integer(random.below(50) as i64),
                    };
                    (key.into(), value)
                })
                .collect()
        }
        Patch::from_value(members(self, 0).into(), &Limits::default()).unwrap()
    }
}

fn purged(mut base: Map, patch: &Patch) -> Map {
    let mut value = Value::Object(std::mem::take(&mut base));
    edge_twin::merge(&mut value, &patch.members().clone().into(), edge_twin::Nulls::Purge);
    value.as_object().unwrap().clone()
}

#[derive(Debug)]
enum ToParent {
    Read(u64),
    Report { request: u64, patch: Patch, over: u64 },
}

#[derive(Debug)]
enum ToChild {
    Answer(u64, SyncAnswer),
    Desired(u64, Patch),
}

struct World {
    random: Random,
    start: Instant,
    now: u64,
    parent: Twin,
    child: TwinSync,
    saved: Bytes,
    /// What the device has made of what it was told.
    device: Map,
    device_version: u64,
    connected: bool,
    /// Messages by the time of their arrival; those of an old connection may still come to the parent.
    up: BTreeMap<(u64, u64), ToParent>,
    down: BTreeMap<(u64, u64), ToChild>,
    sent: u64,
    is_lossy: bool,
}

impl World {
    fn new(seed: u64) -> Self {
        let start = SystemClock.now();
        let mut parent = Twin::new(Timestamp::from_unix_ms(0));
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        if random.one_in(2) {
            let patch = random.patch();
            parent.report(&patch, Expect::Anything, &Limits::default(), Timestamp::from_unix_ms(0)).unwrap();
        }
        let child = TwinSync::new(SyncOptions::default(), Now::new(start, Timestamp::from_unix_ms(0)));
        let saved = child.snapshot();
        Self {
            random,
            start,
            now: 0,
            parent,
            child,
            saved,
            device: Map::new(),
            device_version: 0,
            connected: false,
            up: BTreeMap::new(),
            down: BTreeMap::new(),
            sent: 0,
            is_lossy: true,
        }
    }

    fn wall(&self) -> Timestamp {
        Timestamp::from_unix_ms(self.now)
    }

    fn at(&self) -> Now {
        Now::new(self.start + Duration::from_millis(self.now), self.wall())
    }

    /// Returns when a message arrives, `None` when it is lost.
    fn arrival(&mut self) -> Option<(u64, u64)> {
        self.sent += 1;
        if self.is_lossy && self.random.one_in(6) {
            return None;
        }
        // Without losses the link keeps the order too.
        let delay = if self.is_lossy { self.random.below(5000) } else { 100 };
        Some((self.now + delay, self.sent))
    }

    /// Does what the machine wants, and keeps what it must not forget.
    fn drain(&mut self) {
        self.saved = self.child.snapshot();
        while let Some(output) = self.child.poll_output() {
            let message = match output {
                SyncOutput::Read { request } => ToParent::Read(request),
                SyncOutput::Report { request, patch, over } => ToParent::Report { request, patch, over },
                SyncOutput::Desired { patch, version } => {
                    assert!(version > self.device_version, "versions that the device is told rise");
                    self.device_version = version;
                    self.device = purged(std::mem::take(&mut self.device), &patch);
                    continue;
                }
                other => panic!("{other:?}"),
            };
            if let Some(arrival) = self.arrival() {
                self.up.insert(arrival, message);
            }
        }
        assert_eq!(self.device, self.child.desired(), "the device sees what it should");
    }

    fn connect(&mut self) {
        self.connected = true;
        self.down.clear();
        self.child.handle_connected(self.at());
        self.drain();
    }

    fn disconnect(&mut self) {
        self.connected = false;
        self.down.clear();
        self.child.handle_disconnected(self.at());
        self.drain();
    }

    fn restart(&mut self) {
        self.connected = false;
        self.down.clear();
        self.child = TwinSync::restore(SyncOptions::default(), &self.saved).unwrap();
        // The device reads its whole twin when it comes back.
        self.device = self.child.desired();
        assert!(self.child.desired_version() >= self.device_version, "versions do not go back");
        self.drain();
    }

    fn parent_changes(&mut self) {
        let patch = self.random.patch();
        let update = TwinUpdate::of_desired(patch);
        let limits = TwinLimits::default();
        let done = if self.random.one_in(5) {
            self.parent.replace(&update, Expect::Anything, &limits, self.wall())
        } else {
            self.parent.update(&update, Expect::Anything, &limits, self.wall())
        };
        let Some(change) = done.unwrap().desired else { return };
        if self.connected
            && let Some(arrival) = self.arrival()
        {
            self.down.insert(arrival, ToChild::Desired(change.version, change.patch));
        }
    }

    fn parent_hears(&mut self, message: ToParent) {
        let answer = match message {
            ToParent::Read(request) => {
                let answer = SyncAnswer::Twin {
                    desired: self.parent.desired().to_map(),
                    desired_version: self.parent.desired().version(),
                    reported: self.parent.reported().to_map(),
                    reported_version: self.parent.reported().version(),
                };
                if self.is_lossy && self.random.one_in(8) {
                    ToChild::Answer(request, SyncAnswer::Unavailable)
                } else {
                    ToChild::Answer(request, answer)
                }
            }
            ToParent::Report { request, patch, over } => {
                let limits = Limits::default();
                match self.parent.report(&patch, Expect::Version(over), &limits, self.wall()) {
                    Ok(version) => ToChild::Answer(request, SyncAnswer::Reported { version }),
                    Err(_) => ToChild::Answer(request, SyncAnswer::Conflict),
                }
            }
        };
        if self.connected
            && let Some(arrival) = self.arrival()
        {
            self.down.insert(arrival, answer);
        }
    }

    /// Lets time pass, and everything arrive that is due.
    fn pass(&mut self, ms: u64) {
        let end = self.now + ms;
        loop {
            let timeout = self.child.poll_timeout().map(|at| (at - self.start).as_millis() as u64);
            let up = self.up.first_key_value().map(|(key, _)| key.0);
            let down = self.down.first_key_value().map(|(key, _)| key.0);
            let Some(next) = [timeout, up, down].into_iter().flatten().min().filter(|next| *next <= end)
            else {
                break;
            };
            self.now = self.now.max(next);
            if up.is_some_and(|at| at <= self.now) {
                let (_, message) = self.up.pop_first().unwrap();
                self.parent_hears(message);
            } else if down.is_some_and(|at| at <= self.now) {
                match self.down.pop_first().unwrap().1 {
                    ToChild::Answer(request, answer) => self.child.handle_answer(self.at(), request, answer),
                    ToChild::Desired(version, patch) => self.child.handle_desired(self.at(), version, &patch),
                }
            } else {
                self.child.handle_timeout(self.at());
            }
            self.drain();
        }
        self.now = end;
    }

    fn step(&mut self, with_edits: bool) {
        match self.random.below(10) {
            0 | 1 => self.parent_changes(),
            2 | 3 => {
                let patch = self.random.patch();
                self.child.handle_reported(self.at(), &patch).unwrap();
            }
            4 => self.connect(),
            5 if self.connected => self.disconnect(),
            6 if self.random.one_in(3) => self.restart(),
            7 if with_edits => {
                let patch = self.random.patch();
                let policy = [EditPolicy::ParentWins, EditPolicy::LocalWins, EditPolicy::LastWriter]
                    [self.random.below(3) as usize];
                self.child.handle_edit(self.at(), &patch, policy);
            }
            _ => {
                let ms = self.random.below(20_000);
                self.pass(ms);
            }
        }
        self.drain();
    }
}

fn run(seed: u64, with_edits: bool) {
    let mut world = World::new(seed);
    for _ in 0..60 {
        world.step(with_edits);
    }
    world.is_lossy = false;
    world.connect();
    // What is still on its way from before arrives, and after the next refresh all is said.
    world.pass(1_300_000);
    assert_eq!(
        world.child.parent_desired().to_map(),
        world.parent.desired().to_map(),
        "seed {seed}: desired"
    );
    assert_eq!(
        world.child.parent_desired().version(),
        world.parent.desired().version(),
        "seed {seed}: version"
    );
    assert_eq!(world.child.reported().to_map(), world.parent.reported().to_map(), "seed {seed}: reported");
    if !with_edits {
        assert_eq!(world.child.desired(), world.parent.desired().to_map(), "seed {seed}: the device's view");
    }
    let ahead = world.random.patch();
    world.child.handle_reported(world.at(), &ahead).unwrap();
    world.drain();
    world.pass(5000);
    assert_eq!(
        world.child.reported().to_map(),
        world.parent.reported().to_map(),
        "seed {seed}: reported later"
    );
    assert!(world.child.is_in_step(), "seed {seed}");
}

#[test]
fn replicas_converge_whatever_the_link_does() {
    for seed in 1..=2000 {
        run(seed, false);
    }
}

#[test]
fn replicas_converge_with_edits_on_both_sides() {
    for seed in 10_001..=11_000 {
        run(seed, true);
    }
}

fn patch(text: &str) -> Patch {
    Patch::parse(text.as_bytes(), &Limits::default()).unwrap()
}

/// Returns a machine that has read a parent's twin with these desired properties, and the world's clock.
fn in_step(desired: &str) -> (TwinSync, impl Fn(u64) -> Now) {
    let start = SystemClock.now();
    let at = move |s: u64| Now::new(start + Duration::from_secs(s), Timestamp::from_unix_ms(1000 * s));
    let mut sync = TwinSync::new(SyncOptions::default(), at(0));
    sync.handle_connected(at(0));
    let Some(SyncOutput::Read { request }) = sync.poll_output() else { panic!("it reads") };
    sync.handle_answer(at(0), request, twin(desired, 5));
    while sync.poll_output().is_some() {}
    (sync, at)
}

fn twin(desired: &str, desired_version: u64) -> SyncAnswer {
    let desired = patch(desired).members().clone();
    SyncAnswer::Twin { desired, desired_version, reported: Map::new(), reported_version: 1 }
}

#[test]
fn desired_changes_made_while_offline_arrive_with_their_deletions() {
    let (mut sync, at) = in_step(r#"{"a":1,"b":{"x":1,"y":2}}"#);
    sync.handle_disconnected(at(1));
    sync.handle_connected(at(1_000_000));
    let Some(SyncOutput::Read { request }) = sync.poll_output() else { panic!("it reads") };
    sync.handle_answer(at(1_000_001), request, twin(r#"{"b":{"x":1},"c":3}"#, 90));
    let expected = SyncOutput::Desired { patch: patch(r#"{"a":null,"b":{"y":null},"c":3}"#), version: 90 };
    assert_eq!(sync.poll_output(), Some(expected));
}

#[test]
fn a_gap_is_read_and_what_is_old_is_ignored() {
    let (mut sync, at) = in_step(r#"{"a":1}"#);
    sync.handle_desired(at(1), 5, &patch(r#"{"a":7}"#));
    sync.handle_desired(at(1), 4, &patch(r#"{"a":8}"#));
    assert_eq!(sync.poll_output(), None);
    sync.handle_desired(at(2), 6, &patch(r#"{"a":2}"#));
    assert_eq!(sync.poll_output(), Some(SyncOutput::Desired { patch: patch(r#"{"a":2}"#), version: 6 }));
    sync.handle_desired(at(3), 8, &patch(r#"{"a":4}"#));
    assert!(matches!(sync.poll_output(), Some(SyncOutput::Read { .. })));
}

#[test]
fn an_answer_that_a_change_has_overtaken_is_not_taken() {
    for (next, told) in [
        (twin(r#"{"a":2}"#, 6), None),
        // The parent's twin was deleted, and is a new one.
        (
            twin(r#"{"z":1}"#, 1),
            Some(SyncOutput::Desired { patch: patch(r#"{"a":null,"z":1}"#), version: 7 }),
        ),
    ] {
        let (mut sync, at) = in_step(r#"{"a":1}"#);
        sync.handle_disconnected(at(1));
        sync.handle_connected(at(2));
        let Some(SyncOutput::Read { request }) = sync.poll_output() else { panic!("it reads") };
        sync.handle_desired(at(3), 6, &patch(r#"{"a":2}"#));
        assert_eq!(sync.poll_output(), Some(SyncOutput::Desired { patch: patch(r#"{"a":2}"#), version: 6 }));
        sync.handle_answer(at(4), request, twin(r#"{"a":1}"#, 5));
        let Some(SyncOutput::Read { request }) = sync.poll_output() else { panic!("it reads again") };
        sync.handle_answer(at(5), request, next);
        assert_eq!(sync.poll_output(), told);
        assert_eq!(sync.poll_output(), None);
    }
}

#[test]
fn reported_changes_gather() {
    let (mut sync, at) = in_step("{}");
    for n in 0..10 {
        sync.handle_reported(at(10), &patch(&format!(r#"{{"n":{n},"k{n}":1}}"#))).unwrap();
    }
    assert_eq!(sync.poll_output(), None, "they gather for a second");
    assert_eq!(sync.poll_timeout(), Some(at(11).instant));
    sync.handle_timeout(at(11));
    let Some(SyncOutput::Report { patch, over: 1, .. }) = sync.poll_output() else { panic!("they are sent") };
    assert_eq!(patch.members().len(), 11);
    assert_eq!(sync.poll_output(), None);
}

#[test]
fn each_edit_has_its_policy() {
    let (mut sync, at) = in_step(r#"{"a":1,"b":1,"c":1}"#);
    sync.handle_edit(at(10), &patch(r#"{"a":2}"#), EditPolicy::ParentWins);
    sync.handle_edit(at(10), &patch(r#"{"b":2}"#), EditPolicy::LocalWins);
    sync.handle_edit(at(30), &patch(r#"{"c":2}"#), EditPolicy::LastWriter);
    let told = [sync.poll_output(), sync.poll_output(), sync.poll_output(), sync.poll_output()];
    assert_eq!(told[0], Some(SyncOutput::Desired { patch: patch(r#"{"a":2}"#), version: 6 }));
    assert_eq!(told[3], None);
    assert_eq!(sync.provenance(&["b"]), Provenance::Local { at: at(10).wall, policy: EditPolicy::LocalWins });
    sync.handle_desired(at(20), 6, &patch(r#"{"a":9,"b":9,"c":9}"#));
    assert_eq!(Value::from(sync.desired()).to_string(), r#"{"a":9,"b":2,"c":2}"#);
    assert_eq!(sync.provenance(&["a"]), Provenance::Parent { version: 6 });
    sync.handle_desired(at(40), 7, &patch(r#"{"b":8,"c":8}"#));
    assert_eq!(Value::from(sync.desired()).to_string(), r#"{"a":9,"b":2,"c":8}"#);
    sync.handle_edit_taken_back(at(41), &["b"]);
    assert_eq!(Value::from(sync.desired()).to_string(), r#"{"a":9,"b":8,"c":8}"#);
    let restored = TwinSync::restore(SyncOptions::default(), &sync.snapshot()).unwrap();
    assert_eq!(restored.desired(), sync.desired());
}

#[test]
fn whoever_has_no_memory_takes_over_what_the_parent_has() {
    let start = Now::new(SystemClock.now(), Timestamp::from_unix_ms(0));
    let mut sync = TwinSync::new(SyncOptions::default(), start);
    sync.handle_reported(start, &patch(r#"{"new":1,"gone":null}"#)).unwrap();
    sync.handle_connected(start);
    let Some(SyncOutput::Read { request }) = sync.poll_output() else { panic!("it reads") };
    let reported = patch(r#"{"old":1,"gone":1}"#).members().clone();
    let answer = SyncAnswer::Twin { desired: Map::new(), desired_version: 1, reported, reported_version: 8 };
    sync.handle_answer(start, request, answer);
    assert_eq!(sync.reported().to_value().to_string(), r#"{"new":1,"old":1}"#);
}

#[test]
fn a_difference_too_large_for_one_patch_goes_in_parts() {
    let (mut sync, at) = in_step("{}");
    let key = |n: u32| format!("{}{n}", "k".repeat(1000));
    let mut theirs = Map::new();
    for n in 0..30 {
        theirs.insert(key(n).into(), Value::Integer(1));
        sync.handle_reported(at(1), &patch(&format!(r#"{{"{}":1}}"#, key(100 + n)))).unwrap();
    }
    sync.handle_disconnected(at(2));
    sync.handle_connected(at(10));
    let mut parts = 0;
    let Some(SyncOutput::Read { request }) = sync.poll_output() else { panic!("it reads") };
    let answer = SyncAnswer::Twin {
        desired: Map::new(),
        desired_version: 5,
        reported: theirs.clone(),
        reported_version: 1,
    };
    sync.handle_answer(at(10), request, answer);
    while let Some(SyncOutput::Report { request, patch, over }) = sync.poll_output() {
        assert!(patch.to_json().len() <= 32 * 1024);
        theirs = purged(theirs, &patch);
        parts += 1;
        sync.handle_answer(at(10), request, SyncAnswer::Reported { version: over + 1 });
    }
    assert_eq!((parts, &theirs), (2, &sync.reported().to_map()));
}
