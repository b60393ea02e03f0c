//! How many bytes wait: in a queue, and in all queues of its class together.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that wait in one queue; those of its class rise and fall with them.
///
/// The sum is changed under the lock of the state alone, and is atomic only to be shared.
#[derive(Debug, Default)]
pub(crate) struct Held {
    own: u64,
    class: Arc<AtomicU64>,
}

impl Held {
    pub(crate) const fn bytes(&self) -> u64 {
        self.own
    }

    pub(crate) fn add(&mut self, bytes: u64) {
        self.own += bytes;
        self.class.store(self.class.load(Ordering::Relaxed) + bytes, Ordering::Relaxed);
    }

    /// Takes bytes off, at most as many as there are.
    pub(crate) fn take(&mut self, bytes: u64) {
        let bytes = bytes.min(self.own);
        self.own -= bytes;
        self.class.store(self.class.load(Ordering::Relaxed).saturating_sub(bytes), Ordering::Relaxed);
    }
}

/// The sums of all classes, by rank.
#[derive(Debug, Default)]
pub(crate) struct Classes(BTreeMap<u8, Arc<AtomicU64>>);

impl Classes {
    /// Returns what a new queue of a class holds: nothing yet.
    pub(crate) fn join(&mut self, rank: u8) -> Held {
        Held { own: 0, class: self.0.entry(rank).or_default().clone() }
    }

    /// Returns how many bytes wait in all queues of a class.
    pub(crate) fn bytes(&self, rank: u8) -> u64 {
        self.0.get(&rank).map_or(0, |class| class.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_holds_what_its_queues_hold() {
        let mut classes = Classes::default();
        let (mut a, mut b, mut other) = (classes.join(3), classes.join(3), classes.join(4));
        a.add(10);
        b.add(5);
        other.add(100);
        a.take(4);
        b.take(70);
        assert_eq!((a.bytes(), b.bytes(), classes.bytes(3), classes.bytes(4)), (6, 0, 6, 100));
    }
}
