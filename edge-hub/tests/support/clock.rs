//! A clock in tokio's virtual time, whose wall time jumps when told to.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use edge_core::{Clock, Timestamp};

/// 2026-01-01T00:00:00Z.
pub const NEW_YEAR_MS: u64 = 1_767_225_600_000;

#[derive(Debug)]
pub struct VirtualClock {
    start: Instant,
    jumped_ms: AtomicI64,
}

impl VirtualClock {
    #[expect(clippy::disallowed_methods, reason = "this is a clock")]
    pub fn new() -> Self {
        Self { start: tokio::time::Instant::now().into_std(), jumped_ms: AtomicI64::new(0) }
    }

    /// Moves the wall time alone.
    pub fn jump(&self, seconds: i64) {
        self.jumped_ms.fetch_add(seconds * 1000, Ordering::Relaxed);
    }
}

impl Clock for VirtualClock {
    #[expect(clippy::disallowed_methods, reason = "this is a clock")]
    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }

    fn wall(&self) -> Timestamp {
        let passed = u64::try_from(self.now().duration_since(self.start).as_millis()).unwrap();
        let ms = (NEW_YEAR_MS + passed).checked_add_signed(self.jumped_ms.load(Ordering::Relaxed));
        Timestamp::from_unix_ms(ms.unwrap())
    }
}

/// Lets virtual time pass.
#[expect(clippy::disallowed_methods, reason = "virtual time passes at once")]
pub async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Lets much virtual time pass, in steps of half a minute: what is done every second is done once in a step.
pub async fn pass_long(time: Duration) {
    const STEP: Duration = Duration::from_secs(30);
    let mut left = time;
    while !left.is_zero() {
        tokio::time::advance(left.min(STEP)).await;
        left = left.saturating_sub(STEP);
    }
}

/// Lets virtual time pass until something holds, at most for a day.
pub async fn until(mut holds: impl FnMut() -> bool) {
    for _ in 0..24 * 3600 * 10 {
        if holds() {
            return;
        }
        pass(Duration::from_millis(100)).await;
    }
    panic!("it never came to hold");
}
