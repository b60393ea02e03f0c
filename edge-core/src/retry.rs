//! When to try again: pure, so that it is tested without waiting.

use std::time::Duration;

/// Exponential backoff with jitter: how long to wait before the next try.
///
/// The wait after `failures` failures in a row (the first counts as 0) is
/// `min(min + (2^failures − 1) × jitter × delta, max)`, with `jitter` drawn from 0.8 to 1.2.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use edge_core::Backoff;
///
/// let backoff = Backoff::default();
/// assert_eq!(backoff.delay(0, 0.5), Duration::from_secs(1));
/// assert_eq!(backoff.delay(1, 0.5), Duration::from_secs(2));
/// assert_eq!(backoff.delay(63, 0.5), Duration::from_secs(60));
/// ```
///
/// # Source
/// Azure IoT Edge's endpoint executor: minimum 1 s, delta 1 s, maximum 60 s, without end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backoff {
    /// The shortest wait.
    pub min: Duration,
    /// What doubles with each failure.
    pub delta: Duration,
    /// The longest wait.
    pub max: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { min: Duration::from_secs(1), delta: Duration::from_secs(1), max: Duration::from_secs(60) }
    }
}

impl Backoff {
    /// Returns a backoff that waits from `min` to `max`, growing by `delta` doubled each time.
    #[must_use]
    pub const fn new(min: Duration, delta: Duration, max: Duration) -> Self {
        Self { min, delta, max }
    }

    /// Returns how long to wait after `failures` earlier failures; `random` is drawn from 0 to 1 by the caller.
    #[must_use]
    pub fn delay(&self, failures: u32, random: f64) -> Duration {
        let jitter = 0.8 + 0.4 * if random.is_nan() { 0.5 } else { random.clamp(0.0, 1.0) };
        let growth = 2f64.powi(i32::try_from(failures.min(62)).unwrap_or(62)) - 1.0;
        let extra = self.delta.as_secs_f64() * growth * jitter;
        let wanted = self.min.as_secs_f64() + extra;
        if wanted >= self.max.as_secs_f64() { self.max } else { Duration::from_secs_f64(wanted) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_never_leaves_its_bounds() {
        let backoff = Backoff::default();
        for failures in [0, 1, 5, 6, 7, 100, u32::MAX] {
            for random in [-1.0, 0.0, 0.3, 1.0, 2.0, f64::NAN] {
                let wait = backoff.delay(failures, random);
                assert!(wait >= backoff.min && wait <= backoff.max, "{failures} {random} {wait:?}");
            }
        }
    }

    #[test]
    fn jitter_spreads_by_a_fifth_each_way() {
        let backoff = Backoff::default();
        assert_eq!(backoff.delay(2, 0.0), Duration::from_secs_f64(1.0 + 3.0 * 0.8));
        assert_eq!(backoff.delay(2, 1.0), Duration::from_secs_f64(1.0 + 3.0 * 1.2));
    }
}
