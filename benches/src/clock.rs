//! The real clock.
#![expect(clippy::disallowed_methods, reason = "measuring is reading the clock")]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Returns the monotonic time.
#[must_use]
pub fn now() -> Instant {
    Instant::now()
}

/// Returns the seconds since 1970, for the expiry of tokens.
#[must_use]
pub fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Waits; for polling another process, which tells nobody that it is ready.
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}
