//! What the store knows without asking the disk: which entries there are, and how many of each route.

use std::collections::{BTreeMap, VecDeque};

use edge_core::{Offset, QueueId, QueueState, RouteName, Timestamp};

/// One entry, as far as it has to be known without the disk: 32 bytes.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) expires: Option<Timestamp>,
    pub(crate) route: RouteName,
}

/// The entries of one queue from `head` on; a gap is an entry that has expired.
#[derive(Debug, Default)]
pub(crate) struct Index {
    head: Offset,
    slots: VecDeque<Option<Slot>>,
    waiting: BTreeMap<RouteName, u64>,
    /// Entries below this are on the disk, and can be read.
    pub(crate) committed: Offset,
}

impl Index {
    /// Returns the index of a queue without an entry, as the disk knows it.
    pub(crate) fn empty(head: Offset, next: Offset) -> Self {
        let gaps = usize::try_from(next.saturating_sub(head)).unwrap_or(0);
        let slots = std::iter::repeat_with(|| None).take(gaps).collect();
        Self { head, slots, waiting: BTreeMap::new(), committed: next }
    }

    /// Puts an entry where the disk has one.
    pub(crate) fn restore(&mut self, offset: Offset, slot: Slot) {
        if let Some(gap) = self.position(offset).and_then(|at| self.slots.get_mut(at)) {
            *self.waiting.entry(slot.route.clone()).or_default() += 1;
            *gap = Some(slot);
        }
    }

    /// Adds an entry, and returns its offset.
    pub(crate) fn push(&mut self, slot: Slot) -> Offset {
        *self.waiting.entry(slot.route.clone()).or_default() += 1;
        self.slots.push_back(Some(slot));
        self.next() - 1
    }

    pub(crate) fn head(&self) -> Offset {
        self.head
    }

    pub(crate) fn next(&self) -> Offset {
        self.head + self.slots.len() as u64
    }

    /// Forgets what is below `below`; nothing above the end is trimmed, or offsets would leave a gap.
    pub(crate) fn trim(&mut self, below: Offset) {
        while self.head < below.min(self.next()) {
            if let Some(Some(slot)) = self.slots.pop_front() {
                self.count_out(&slot.route);
            }
            self.head += 1;
        }
    }

    /// Forgets what has expired at `now`, and returns the offsets and how many entries of each route they were.
    pub(crate) fn expire(&mut self, now: Timestamp) -> (Vec<Offset>, BTreeMap<RouteName, u64>) {
        let (mut offsets, mut gone) = (Vec::new(), BTreeMap::new());
        for (offset, place) in (self.head..).zip(&mut self.slots) {
            let expired = |slot: &mut Slot| slot.expires.is_some_and(|expires| expires <= now);
            if let Some(slot) = place.take_if(expired) {
                *gone.entry(slot.route).or_default() += 1;
                offsets.push(offset);
            }
        }
        for (route, count) in &gone {
            if let Some(waiting) = self.waiting.get_mut(route) {
                *waiting -= count;
            }
        }
        self.waiting.retain(|_, count| *count > 0);
        (offsets, gone)
    }

    /// Returns whether all entries are on the disk.
    pub(crate) fn is_committed(&self) -> bool {
        self.committed >= self.next()
    }

    /// Returns the offsets of entries at and above `from` that can be read.
    pub(crate) fn readable(&self, from: Offset, most: usize) -> Vec<Offset> {
        let from = from.max(self.head);
        let skip = self.position(from).unwrap_or(usize::MAX).min(self.slots.len());
        let there = (from..self.committed).zip(self.slots.range(skip..));
        there.filter_map(|(offset, slot)| slot.as_ref().map(|_| offset)).take(most).collect()
    }

    /// Returns how many entries of each route wait.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = (RouteName, u64)> {
        self.waiting.iter().map(|(route, count)| (route.clone(), *count))
    }

    pub(crate) fn state(&self, queue: &QueueId) -> QueueState {
        QueueState::new(queue.clone(), self.head, self.next(), self.waiting().collect())
    }

    fn position(&self, offset: Offset) -> Option<usize> {
        usize::try_from(offset.checked_sub(self.head)?).ok()
    }

    fn count_out(&mut self, route: &RouteName) {
        if let Some(count) = self.waiting.get_mut(route) {
            *count -= 1;
            if *count == 0 {
                self.waiting.remove(route);
            }
        }
    }
}
