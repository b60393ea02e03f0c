//! Time: one clock for deadlines, one for stamps.
#![expect(clippy::disallowed_methods, reason = "this file is where clocks are read")]

use std::fmt;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Wall time in whole milliseconds since 1970-01-01T00:00:00Z.
///
/// # Units
/// Milliseconds, UTC, leap seconds ignored (POSIX time).
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use edge_core::Timestamp;
///
/// let t = Timestamp::from_unix_ms(1_767_225_600_000);
/// assert_eq!(t.to_string(), "2026-01-01T00:00:00.000Z");
/// assert_eq!((t + Duration::from_secs(1)).as_unix_ms(), 1_767_225_601_000);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The latest time that can be said; an expiry of `MAX` never comes.
    pub const MAX: Self = Self(u64::MAX);

    /// Returns the time `ms` milliseconds after 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn from_unix_ms(ms: u64) -> Self {
        Self(ms)
    }

    /// Returns the milliseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn as_unix_ms(self) -> u64 {
        self.0
    }

    /// Returns the time from `earlier` to `self`, zero when `earlier` is later.
    #[must_use]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Self;

    /// Returns the later time, [`Timestamp::MAX`] when it cannot be said.
    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(rhs.as_millis()).unwrap_or(u64::MAX)))
    }
}

impl From<SystemTime> for Timestamp {
    /// Returns the time in whole milliseconds; a time before 1970 becomes 1970.
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for Timestamp {
    /// Writes RFC 3339 with milliseconds in UTC.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, ms_of_day) = (self.0 / 86_400_000, self.0 % 86_400_000);
        let (year, month, day) = civil_from_days(days);
        let (s, ms) = (ms_of_day / 1000, ms_of_day % 1000);
        write!(f, "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{ms:03}Z", s / 3600, s / 60 % 60, s % 60)
    }
}

/// Returns year, month and day of the Gregorian calendar for a day counted from 1970-01-01.
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468; // days since 0000-03-01
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

/// Tells the time.
///
/// # Contract
/// - `now` MUST NOT go backwards: deadlines are compared against it.
/// - `wall` MAY jump either way: it is only used for stamps, token expiry and message expiry.
///
/// # Examples
/// ```
/// use edge_core::{Clock, SystemClock};
///
/// let clock = SystemClock;
/// let before = clock.now();
/// assert!(clock.now() >= before);
/// ```
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Returns the monotonic time; the only clock for deadlines.
    fn now(&self) -> Instant;

    /// Returns the wall time; only for stamps and for the expiry of tokens and stored messages.
    fn wall(&self) -> Timestamp;
}

/// The machine's clocks.
///
/// # Examples
/// ```
/// use edge_core::{Clock, SystemClock, Timestamp};
///
/// assert!(SystemClock.wall() > Timestamp::from_unix_ms(0));
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "a unit that anybody may name")]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn wall(&self) -> Timestamp {
        SystemTime::now().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ms: u64, text: &str) {
        assert_eq!(Timestamp::from_unix_ms(ms).to_string(), text);
    }

    #[test]
    fn timestamps_print_as_rfc_3339() {
        check(0, "1970-01-01T00:00:00.000Z");
        check(951_782_400_000, "2000-02-29T00:00:00.000Z");
        check(1_709_164_799_999, "2024-02-28T23:59:59.999Z");
        check(4_107_542_400_000, "2100-03-01T00:00:00.000Z");
    }

    #[test]
    fn addition_saturates() {
        assert_eq!(Timestamp::MAX + Duration::from_secs(1), Timestamp::MAX);
    }
}
