//! Which queue of an endpoint is next: strict priority, with a share that nobody can take from the others.
//!
//! Azure IoT Edge starts again at the highest priority after every batch, so a steady stream of urgent messages stops
//! all others for good. Here the most urgent queue with something in it is next, as there; but after
//! [`URGENT_BATCHES`] batches in a row during which a less urgent queue had something too, the one that has waited
//! longest gets one batch. Urgent traffic keeps 15 of 16 batches, and every message leaves in bounded time.

use edge_core::Priority;

/// How many batches the urgent queues send before a waiting one gets a turn.
pub(crate) const URGENT_BATCHES: u32 = 15;

/// How many priorities there are: 0 to 9, and the default.
pub(crate) const RANKS: usize = 11;

/// Picks queues by priority.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    ready: [bool; RANKS],
    passed_over: [u32; RANKS],
}

/// Returns the priority with this rank.
pub(crate) fn priority(rank: usize) -> Priority {
    u8::try_from(rank).ok().and_then(Priority::new).unwrap_or(Priority::DEFAULT)
}

impl Schedule {
    /// Takes note that the queues of these ranks (one bit each) may have something.
    pub(crate) fn mark(&mut self, ranks: u16) {
        for (rank, ready) in self.ready.iter_mut().enumerate() {
            *ready |= ranks & 1 << rank != 0;
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

    /// Returns the rank of the queue to read next, `None` when no queue has anything.
    pub(crate) fn next(&mut self) -> Option<usize> {
        let urgent = self.ready.iter().position(|ready| *ready)?;
        let longest = self.passed_over.iter().enumerate().max_by_key(|(_, passed)| **passed);
        let picked = match longest {
            Some((rank, passed)) if *passed >= URGENT_BATCHES => rank,
            _ => urgent,
        };
        for (rank, (passed, ready)) in self.passed_over.iter_mut().zip(&self.ready).enumerate() {
            *passed = if rank != picked && *ready { *passed + 1 } else { 0 };
        }
        Some(picked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_urgent_goes_first() {
        let mut schedule = Schedule::default();
        schedule.mark(1 << 10 | 1 << 3);
        assert_eq!(schedule.next(), Some(3));
        schedule.empty(3);
        assert_eq!(schedule.next(), Some(10));
        schedule.mark(1);
        assert_eq!(schedule.next(), Some(0));
        schedule.empty(0);
        schedule.empty(10);
        assert_eq!(schedule.next(), None);
    }

    #[test]
    fn nobody_starves() {
        let mut schedule = Schedule::default();
        schedule.mark(1 | 1 << 5 | 1 << 10);
        let picks: Vec<_> = (0..64).filter_map(|_| schedule.next()).collect();
        let count = |rank| picks.iter().filter(|picked| **picked == rank).count();
        assert!(count(0) >= 64 * 13 / 16, "urgent traffic keeps its share: {picks:?}");
        assert!(count(5) >= 3 && count(10) >= 3, "the others move: {picks:?}");
    }
}
