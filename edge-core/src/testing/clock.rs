//! Conformance kit for [`Clock`], and a clock that tests set.
//!
//! | contract | case | saboteur that fails it |
//! |---|---|---|
//! | `now` MUST NOT go backwards | [`now_never_goes_backwards`] | `Rewinding` |
//! | `now` MUST NOT go backwards | [`now_agrees_across_threads`] | `PerThread` |
//! | `wall` MAY jump either way | [`now_ignores_jumps_of_the_wall`] | `FollowsTheWall` |
#![expect(clippy::disallowed_methods, reason = "a manual clock needs one instant to count from")]
#![expect(clippy::missing_panics_doc, reason = "a case fails by a panic: that is its job")]

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::{Clock, Timestamp};

/// A clock that stands still until it is told to go on; clones show the same time.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use edge_core::{Clock, Timestamp, testing::clock::ManualClock};
///
/// let clock = ManualClock::new(Timestamp::from_unix_ms(1_000));
/// let before = clock.now();
/// clock.advance(Duration::from_secs(5));
/// assert_eq!(clock.now() - before, Duration::from_secs(5));
/// assert_eq!(clock.wall(), Timestamp::from_unix_ms(6_000));
/// clock.set_wall(Timestamp::from_unix_ms(0));
/// assert_eq!(clock.now() - before, Duration::from_secs(5), "the wall jumps alone");
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock {
    times: Arc<Mutex<Times>>,
}

#[derive(Debug)]
struct Times {
    now: Instant,
    wall: Timestamp,
}

impl ManualClock {
    /// Returns a clock whose wall time is `wall`.
    #[must_use]
    pub fn new(wall: Timestamp) -> Self {
        Self { times: Arc::new(Mutex::new(Times { now: Instant::now(), wall })) }
    }

    fn times(&self) -> MutexGuard<'_, Times> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves both times on by `by`; an instant that cannot be said stays where it is.
    pub fn advance(&self, by: Duration) {
        let mut times = self.times();
        times.now = times.now.checked_add(by).unwrap_or(times.now);
        times.wall = times.wall + by;
    }

    /// Sets the wall time, forwards or backwards, and leaves the monotonic time alone.
    pub fn set_wall(&self, wall: Timestamp) {
        self.times().wall = wall;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Instant {
        self.times().now
    }

    fn wall(&self) -> Timestamp {
        self.times().wall
    }
}

/// How the kit gets at a clock.
pub trait ClockHarness: Send + Sync {
    /// The clock under test.
    type Clock: Clock;

    /// Returns a clock.
    fn open(&self) -> Self::Clock;

    /// Sets the clock's wall time back by `by`, and returns whether it can.
    fn turn_back_wall(&self, _clock: &Self::Clock, _by: Duration) -> bool {
        false
    }
}

/// > `now` MUST NOT go backwards: deadlines are compared against it.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn now_never_goes_backwards(harness: &impl ClockHarness) {
    let clock = harness.open();
    let mut last = clock.now();
    for round in 0..10_000 {
        let now = clock.now();
        assert!(now >= last, "reading {round} is {:?} before the one before it", last - now);
        last = now;
    }
}

/// > `now` MUST NOT go backwards: deadlines are compared against it.
///
/// A reading on one thread is not before one that another thread had taken already.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn now_agrees_across_threads(harness: &impl ClockHarness) {
    let clock = harness.open();
    for round in 0..50 {
        let before = clock.now();
        let there = std::thread::scope(|scope| scope.spawn(|| clock.now()).join());
        let there = there.expect("a clock does not panic");
        let after = clock.now();
        assert!(before <= there && there <= after, "round {round}: two threads see different times");
    }
}

/// > `wall` MAY jump either way: it is only used for stamps, token expiry and message expiry.
///
/// The monotonic time does not jump with it.
///
/// # Cancel safety
/// Not cancel-safe: a case dropped half way has checked nothing.
pub async fn now_ignores_jumps_of_the_wall(harness: &impl ClockHarness) {
    let clock = harness.open();
    let before = clock.now();
    if !harness.turn_back_wall(&clock, Duration::from_secs(3600)) {
        return super::absent("now_ignores_jumps_of_the_wall", "wall clock that can be set");
    }
    assert!(clock.now() >= before, "the monotonic time went back with the wall");
}

/// Makes one test of each case of the [clock kit](crate::testing::clock); the argument makes a harness.
#[macro_export]
macro_rules! clock_conformance {
    ($harness:expr) => {
        $crate::__clock_cases! { __kit_tests! [$harness] }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __clock_cases {
    ($then:ident! $args:tt) => {
        $crate::$then! { $args clock:
            now_never_goes_backwards,
            now_agrees_across_threads,
            now_ignores_jumps_of_the_wall,
        }
    };
}

__clock_cases! { __kit_index! [ClockHarness] }
