//! Which queue of an endpoint is next: strict priority, with a share that nobody can take from the others.
//!
//! Azure IoT Edge starts again at the highest priority after every batch, so a steady stream of urgent messages stops
//! all others for good. Here the most urgent queue with something in it is next, as there; but after
//! [`URGENT_BATCHES`] batches in a row during which a less urgent queue had something too, the one that has waited
//! longest gets one batch. Urgent traffic keeps 15 of 16 batches, and every message leaves in bounded time.
//!
//! A queue may have to wait, for its budget or for what its endpoint would not take; it is left out for that time.

use std::time::Instant;

use edge_core::Priority;

/// How many batches the urgent queues send before a waiting one gets a turn.
pub(crate) const URGENT_BATCHES: u32 = 15;

/// How many priorities there are: 0 to 9, and the default.
pub(crate) const RANKS: usize = 11;

/// Picks queues by priority.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    ready: [bool; RANKS],
    held: [Option<Hold>; RANKS],
    passed_over: [u32; RANKS],
}

/// Why a queue with something in it is left out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hold {
    pub(crate) until: Instant,
    /// Whether it waits even when something new comes.
    pub(crate) firm: bool,
}

/// Returns the priority with this rank.
pub(crate) fn priority(rank: usize) -> Priority {
    u8::try_from(rank).ok().and_then(Priority::new).unwrap_or(Priority::DEFAULT)
}

impl Schedule {
    /// Takes note that the queues of these ranks (one bit each) may have something.
    pub(crate) fn mark(&mut self, ranks: u16) {
        for (rank, (ready, held)) in self.ready.iter_mut().zip(&mut self.held).enumerate() {
            if ranks & 1 << rank != 0 {
                *ready = true;
                *held = held.filter(|hold| hold.firm);
            }
        }
    }

    /// Takes note that the queue of this rank has nothing.
    pub(crate) fn empty(&mut self, rank: usize) {
        if let Some(ready) = self.ready.get_mut(rank) {
            *ready = false;
        }
        if let Some(passed) = self.passed_over.get_mut(rank) {
            *passed = 0;
        }
    }

    /// Leaves the queue of this rank out for a time.
    pub(crate) fn hold(&mut self, rank: usize, hold: Hold) {
        if let Some(held) = self.held.get_mut(rank) {
            *held = Some(hold);
        }
    }

    /// Returns when the first queue that is left out has its turn again.
    pub(crate) fn wakes(&self) -> Option<Instant> {
        let waiting = self.ready.iter().zip(&self.held).filter(|(ready, _)| **ready);
        waiting.filter_map(|(_, held)| held.map(|hold| hold.until)).min()
    }

    /// Returns the rank of the queue to read next, `None` when no queue has anything for now.
    pub(crate) fn next(&mut self, now: Instant) -> Option<usize> {
        for held in &mut self.held {
            *held = held.filter(|hold| hold.until > now);
        }
        let mut open = [false; RANKS];
        for (open, (ready, held)) in open.iter_mut().zip(self.ready.iter().zip(&self.held)) {
            *open = *ready && held.is_none();
        }
        let urgent = open.iter().position(|open| *open)?;
        let waited = self.passed_over.iter().zip(&open).enumerate().filter(|(_, (_, open))| **open);
        let longest = waited.max_by_key(|(_, (passed, _))| **passed);
        let picked = match longest {
            Some((rank, (passed, _))) if *passed >= URGENT_BATCHES => rank,
            _ => urgent,
        };
        for (rank, (passed, open)) in self.passed_over.iter_mut().zip(&open).enumerate() {
            *passed = if rank != picked && *open { *passed + 1 } else { 0 };
        }
        Some(picked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use edge_core::testing::clock::ManualClock;
    use edge_core::{Clock, Timestamp};
    use std::time::Duration;

    fn now() -> Instant {
        ManualClock::new(Timestamp::from_unix_ms(0)).now()
    }

    #[test]
    fn the_most_urgent_goes_first() {
        let mut schedule = Schedule::default();
        schedule.mark(1 << 10 | 1 << 3);
        assert_eq!(schedule.next(now()), Some(3));
        schedule.empty(3);
        assert_eq!(schedule.next(now()), Some(10));
        schedule.mark(1);
        assert_eq!(schedule.next(now()), Some(0));
        schedule.empty(0);
        schedule.empty(10);
        assert_eq!(schedule.next(now()), None);
    }

    #[test]
    fn nobody_starves() {
        let mut schedule = Schedule::default();
        schedule.mark(1 | 1 << 5 | 1 << 10);
        let picks: Vec<_> = (0..64).filter_map(|_| schedule.next(now())).collect();
        let count = |rank| picks.iter().filter(|picked| **picked == rank).count();
        assert!(count(0) >= 64 * 13 / 16, "urgent traffic keeps its share: {picks:?}");
        assert!(count(5) >= 3 && count(10) >= 3, "the others move: {picks:?}");
    }

    #[test]
    fn a_queue_that_must_wait_lets_others_pass() {
        let mut schedule = Schedule::default();
        let now = now();
        let until = now + Duration::from_secs(5);
        schedule.mark(1 | 1 << 4);
        schedule.hold(0, Hold { until, firm: true });
        schedule.mark(1);
        assert_eq!((schedule.next(now), schedule.wakes()), (Some(4), Some(until)));
        schedule.hold(4, Hold { until, firm: false });
        assert_eq!(schedule.next(now), None);
        schedule.mark(1 << 4);
        assert_eq!(schedule.next(now), Some(4), "something new ends a wait that is not firm");
        assert_eq!(schedule.next(until), Some(0));
    }
}
