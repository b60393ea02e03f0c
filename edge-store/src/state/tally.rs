//! What has become of the entries of one queue, by route.

use edge_core::{DropCause, Drops};

/// Entries that have left: accepted ones are these and those that wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) delivered: u64,
    pub(crate) dropped: Drops,
}

/// How an entry leaves its queue.
pub(crate) type Exit = Option<DropCause>;

impl Tally {
    /// Counts entries that were dropped for `exit`, or delivered.
    pub(crate) fn add(&mut self, exit: Exit, entries: u64) {
        match exit {
            None => self.delivered = self.delivered.saturating_add(entries),
            Some(cause) => self.dropped.add(cause, entries),
        }
    }

    /// Adds the counts of another tally.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.delivered = self.delivered.saturating_add(other.delivered);
        for (cause, entries) in other.dropped.iter() {
            self.dropped.add(cause, entries);
        }
    }

    /// Returns how many entries have left.
    pub(crate) fn total(&self) -> u64 {
        self.delivered.saturating_add(self.dropped.total())
    }

    /// Returns the higher of each count: counts only rise, so that is the later of two records.
    #[must_use]
    pub(crate) fn max(&self, other: &Self) -> Self {
        let mut later = Self { delivered: self.delivered.max(other.delivered), ..Self::default() };
        for &cause in DropCause::ALL {
            later.dropped.add(cause, self.dropped.count(cause).max(other.dropped.count(cause)));
        }
        later
    }
}

/// Tallies by route number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tallies {
    /// By rising route number.
    tallies: Vec<(u32, Tally)>,
}

impl Tallies {
    /// Returns the tally of a route, made when it is not there.
    pub(crate) fn of(&mut self, route: u32) -> &mut Tally {
        let at = match self.tallies.binary_search_by_key(&route, |&(route, _)| route) {
            Ok(at) => at,
            Err(at) => {
                self.tallies.insert(at, (route, Tally::default()));
                at
            }
        };
        let (_, tally) = self.tallies.get_mut(at).expect("it was found or put there");
        tally
    }

    /// Returns those that are not the same in `before`.
    #[must_use]
    pub(crate) fn changed_since(&self, before: &Self) -> Self {
        let mut changed = Self::default();
        for (route, tally) in self.iter() {
            if before.get(route) != Some(tally) {
                changed.tallies.push((route, tally));
            }
        }
        changed
    }

    pub(crate) fn get(&self, route: u32) -> Option<Tally> {
        let at = self.tallies.binary_search_by_key(&route, |&(route, _)| route).ok()?;
        self.tallies.get(at).map(|&(_, tally)| tally)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, Tally)> + '_ {
        self.tallies.iter().copied()
    }
}
