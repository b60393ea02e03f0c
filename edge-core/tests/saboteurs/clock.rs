//! Broken clocks.

use std::sync::Mutex;
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use edge_core::testing::clock::{ClockHarness, ManualClock};
use edge_core::{Clock, Timestamp};

use super::flaws;

flaws! { ClockFlaw {
    Rewinding => "now_never_goes_backwards",
    PerThread => "now_agrees_across_threads",
    FollowsTheWall => "now_ignores_jumps_of_the_wall",
} }

const START: Timestamp = Timestamp::from_unix_ms(1_767_225_600_000);

/// A sound clock with one flaw.
#[derive(Debug)]
pub struct Broken {
    inner: ManualClock,
    flaw: ClockFlaw,
    readings: Mutex<u32>,
    home: ThreadId,
}

impl Clock for Broken {
    fn now(&self) -> Instant {
        let hour = Duration::from_secs(3600);
        let late = self.inner.now() + 2 * hour;
        match self.flaw {
            ClockFlaw::Rewinding => {
                let mut readings = self.readings.lock().unwrap();
                *readings += 1;
                late + Duration::from_millis((*readings % 100).into())
            }
            ClockFlaw::PerThread if std::thread::current().id() != self.home => late - hour,
            ClockFlaw::PerThread => late,
            ClockFlaw::FollowsTheWall => late - START.saturating_since(self.inner.wall()),
        }
    }

    fn wall(&self) -> Timestamp {
        self.inner.wall()
    }
}

impl ClockHarness for ClockFlaw {
    type Clock = Broken;

    fn open(&self) -> Broken {
        let inner = ManualClock::new(START);
        Broken { inner, flaw: *self, readings: Mutex::default(), home: std::thread::current().id() }
    }

    fn turn_back_wall(&self, clock: &Broken, by: Duration) -> bool {
        let back = clock.wall().as_unix_ms() - u64::try_from(by.as_millis()).unwrap();
        clock.inner.set_wall(Timestamp::from_unix_ms(back));
        true
    }
}
