//! How much of a budget is left. It knows no clock and no store.

use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use edge_core::{Priority, Timestamp};

use crate::Budget;

const DAY_MS: u64 = 24 * 3600 * 1000;

/// The longest wait for a new day before the wall clock is looked at again: it may jump.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// How much may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// So many bytes, or one message if that is larger.
    Bytes(usize),
    /// Nothing before then.
    At(Instant),
}

/// What was used of a day, as it is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DayUse {
    /// The day in UTC, counted from 1970.
    pub(crate) day: u64,
    pub(crate) bytes: u64,
}

/// Counts the bytes of one endpoint.
#[derive(Debug)]
pub(crate) struct Meter {
    budget: Budget,
    /// Bytes in hand; below zero they are owed.
    tokens: i128,
    filled: Instant,
    today: DayUse,
    /// What is kept for the case of a crash: at least what is used.
    kept: DayUse,
}

impl Meter {
    pub(crate) fn new(budget: Budget, kept: DayUse, now: Instant) -> Self {
        let tokens = budget.bytes_per_second.map_or(0, |rate| i128::from(rate.get()));
        Self { budget, tokens, filled: now, today: kept, kept }
    }

    /// Returns whether there is anything to count.
    pub(crate) fn is_used(&self) -> bool {
        self.budget.bytes_per_second.is_some() || self.budget.bytes_per_day.is_some()
    }

    fn is_free(&self, priority: Priority) -> bool {
        self.budget.free_up_to.is_some_and(|free| priority <= free)
    }

    /// Returns how much of a priority may be sent.
    pub(crate) fn room(&mut self, priority: Priority, now: Instant, wall: Timestamp) -> Room {
        if !self.is_used() {
            return Room::Bytes(usize::MAX);
        }
        self.fill(now);
        self.turn_page(wall);
        if self.is_free(priority) {
            return Room::Bytes(usize::MAX);
        }
        let mut room = u64::MAX;
        if let Some(rate) = self.budget.bytes_per_second {
            match u64::try_from(self.tokens) {
                Ok(bytes) if bytes > 0 => room = bytes,
                _ => return Room::At(self.filled + time_for(1 - self.tokens, rate)),
            }
        }
        if let Some(most) = self.budget.bytes_per_day {
            let left = most.get().saturating_sub(self.today.bytes);
            if left == 0 {
                return Room::At(now + self.until_tomorrow(wall));
            }
            room = room.min(left);
        }
        Room::Bytes(usize::try_from(room).unwrap_or(usize::MAX))
    }

    /// Returns until when a message of so many bytes must wait though there is room: it would exceed the day.
    pub(crate) fn defers(
        &self,
        priority: Priority,
        bytes: u64,
        now: Instant,
        wall: Timestamp,
    ) -> Option<Instant> {
        let most = self.budget.bytes_per_day?.get();
        let exceeds = self.today.bytes > 0 && self.today.bytes.saturating_add(bytes) > most;
        (exceeds && !self.is_free(priority)).then(|| now + self.until_tomorrow(wall))
    }

    /// Counts bytes that are about to be sent.
    pub(crate) fn charge(&mut self, bytes: u64) {
        self.tokens -= i128::from(bytes);
        self.today.bytes = self.today.bytes.saturating_add(bytes);
    }

    /// Takes back bytes that were not sent after all.
    pub(crate) fn refund(&mut self, bytes: u64) {
        self.tokens += i128::from(bytes);
        self.today.bytes = self.today.bytes.saturating_sub(bytes);
    }

    /// Returns what is to be kept before so many bytes are sent, when that is more than what is kept by now.
    pub(crate) fn to_keep(&self, bytes: u64) -> Option<DayUse> {
        let most = self.budget.bytes_per_day?.get();
        let used = self.today.bytes.saturating_add(bytes);
        let covered = self.kept.day == self.today.day && used <= self.kept.bytes;
        let ahead = used.saturating_add(most / 64).min(most.max(used));
        (!covered).then_some(DayUse { day: self.today.day, bytes: ahead })
    }

    /// Returns what was used, to be kept when the hub stops in order.
    pub(crate) fn exact(&self) -> Option<DayUse> {
        (self.budget.bytes_per_day.is_some() && self.kept != self.today).then_some(self.today)
    }

    /// Takes note of what is kept.
    pub(crate) fn kept(&mut self, kept: DayUse) {
        self.kept = kept;
    }

    fn fill(&mut self, now: Instant) {
        let Some(rate) = self.budget.bytes_per_second else { return };
        let rate = u128::from(rate.get());
        let nanos = now.saturating_duration_since(self.filled).as_nanos();
        let bytes = nanos.saturating_mul(rate) / 1_000_000_000;
        let most = i128::try_from(rate).unwrap_or(i128::MAX);
        self.tokens = self.tokens.saturating_add(i128::try_from(bytes).unwrap_or(i128::MAX));
        if self.tokens >= most {
            (self.tokens, self.filled) = (most, now);
        } else {
            // The time of a part of a byte is kept for the next time.
            let used = bytes.saturating_mul(1_000_000_000) / rate;
            self.filled += Duration::from_nanos(u64::try_from(used).unwrap_or(u64::MAX));
        }
    }

    /// Begins a new day when there is one.
    ///
    /// A clock that goes back by less than two days changes nothing: a day is not had twice. One that goes back further
    /// was wrong before: what was used is taken along into the day that it shows now.
    fn turn_page(&mut self, wall: Timestamp) {
        let day = wall.as_unix_ms() / DAY_MS;
        if day > self.today.day {
            self.today = DayUse { day, bytes: 0 };
        } else if day + 1 < self.today.day {
            self.today.day = day;
        }
    }

    fn until_tomorrow(&self, wall: Timestamp) -> Duration {
        let tomorrow = self.today.day.saturating_add(1).saturating_mul(DAY_MS);
        Duration::from_millis(tomorrow.saturating_sub(wall.as_unix_ms()))
            .clamp(Duration::from_millis(1), LOOK_AGAIN)
    }
}

/// Returns how long so many bytes take, rounded up.
fn time_for(bytes: i128, rate: NonZeroU64) -> Duration {
    let nanos = u128::try_from(bytes).unwrap_or_default().saturating_mul(1_000_000_000);
    let nanos = nanos.div_ceil(u128::from(rate.get()));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
