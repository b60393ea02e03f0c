//! The values that were seen last.

use std::collections::{HashSet, VecDeque};

/// A set that forgets what came first.
#[derive(Clone, Debug)]
pub(crate) struct Recent {
    known: HashSet<u64>,
    order: VecDeque<u64>,
    most: usize,
}

impl Recent {
    pub(crate) fn new(most: usize) -> Self {
        Self { known: HashSet::new(), order: VecDeque::new(), most }
    }

    /// Adds a value; returns whether it is new.
    pub(crate) fn insert(&mut self, value: u64) -> bool {
        if !self.known.insert(value) {
            return false;
        }
        self.order.push_back(value);
        if self.order.len() > self.most
            && let Some(first) = self.order.pop_front()
        {
            self.known.remove(&first);
        }
        true
    }

    /// Returns the values in the order in which they came.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = u64> + '_ {
        self.order.iter().copied()
    }
}
