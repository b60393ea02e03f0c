//! What the store knows without asking the disk: which entries there are, and how many of each route.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use edge_core::{
    Account, DropCause, Message, Offset, Overflow, OverflowKey, QueueId, QueueState, RouteName, Timestamp,
};

/// One entry, as far as it has to be known without the disk: 56 bytes, and the key of one of which only the latest is
/// wanted.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) expires: Option<Timestamp>,
    pub(crate) route: RouteName,
    /// How large the message is.
    pub(crate) bytes: u64,
    pub(crate) key: Option<Arc<str>>,
}

/// The entries of one queue from `head` on; a gap is an entry that has left.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    head: Offset,
    slots: VecDeque<Option<Slot>>,
    /// Bytes of all entries.
    pub(crate) bytes: u64,
    /// What each route wants to happen when there is no more room.
    policies: BTreeMap<RouteName, Overflow>,
    waiting: BTreeMap<RouteName, u64>,
    /// How many entries have left, how: `None` is delivered.
    left: BTreeMap<(RouteName, Option<DropCause>), u64>,
    /// Entries below this are on the disk, and can be read.
    pub(crate) committed: Offset,
}

impl Index {
    /// Returns the index of a queue without an entry, as the disk knows it.
    pub(crate) fn empty(head: Offset, next: Offset) -> Self {
        let gaps = usize::try_from(next.saturating_sub(head)).unwrap_or(0);
        let slots = std::iter::repeat_with(|| None).take(gaps).collect();
        Self { head, slots, committed: next, ..Self::default() }
    }

    /// Puts an entry where the disk has one.
    pub(crate) fn restore(&mut self, offset: Offset, slot: Slot) {
        if let Some(gap) = self.position(offset).and_then(|at| self.slots.get_mut(at)) {
            *self.waiting.entry(slot.route.clone()).or_default() += 1;
            self.bytes += slot.bytes;
            *gap = Some(slot);
        }
    }

    /// Adds an entry, and returns its offset.
    pub(crate) fn push(&mut self, slot: Slot) -> Offset {
        *self.waiting.entry(slot.route.clone()).or_default() += 1;
        self.bytes += slot.bytes;
        self.slots.push_back(Some(slot));
        self.next() - 1
    }

    pub(crate) fn head(&self) -> Offset {
        self.head
    }

    pub(crate) fn next(&self) -> Offset {
        self.head + self.slots.len() as u64
    }

    /// Takes the entries of a range out for which `exit` says how they leave, tells `each` their offsets, and returns how
    /// many of each route left how. The head moves over what is gone.
    pub(crate) fn leave(
        &mut self,
        offsets: Range<Offset>,
        exit: impl Fn(Offset, &Slot) -> Option<Option<DropCause>>,
        mut each: impl FnMut(Offset),
    ) -> BTreeMap<(RouteName, Option<DropCause>), u64> {
        let mut gone = BTreeMap::new();
        let from = offsets.start.max(self.head);
        let skip = self.position(from).unwrap_or(usize::MAX).min(self.slots.len());
        for (offset, place) in (from..offsets.end).zip(self.slots.range_mut(skip..)) {
            let Some(how) = place.as_ref().and_then(|slot| exit(offset, slot)) else { continue };
            if let Some(slot) = place.take() {
                self.bytes -= slot.bytes;
                *gone.entry((slot.route, how)).or_default() += 1;
                each(offset);
            }
        }
        while self.slots.pop_front_if(|slot| slot.is_none()).is_some() {
            self.head += 1;
        }
        for ((route, _), count) in &gone {
            if let Some(waiting) = self.waiting.get_mut(route) {
                *waiting -= count;
            }
        }
        self.waiting.retain(|_, count| *count > 0);
        gone
    }

    /// Takes note of what a route wants when there is no more room, and returns whether that is new.
    ///
    /// Keys are known of entries that came since; others have none until the store is opened again.
    pub(crate) fn set_policy(&mut self, route: &RouteName, overflow: &Overflow) -> bool {
        if self.policies.get(route).unwrap_or(&Overflow::Refuse) == overflow {
            return false;
        }
        self.policies.insert(route.clone(), overflow.clone());
        for slot in self.slots.iter_mut().flatten().filter(|slot| slot.route == *route) {
            slot.key = None;
        }
        true
    }

    /// Returns the key of a message of a route, when the route wants only the latest of each.
    pub(crate) fn key(&self, route: &RouteName, message: &Message) -> Option<Arc<str>> {
        self.kind(route)?.of(message).map(Arc::from)
    }

    fn kind(&self, route: &RouteName) -> Option<&OverflowKey> {
        match self.policies.get(route)? {
            Overflow::KeepLatestPerKey(kind) => Some(kind),
            _ => None,
        }
    }

    /// Returns the oldest entry that may leave for a message of another queue.
    pub(crate) fn oldest_evictable(&self) -> Option<Offset> {
        let may_leave = |slot: &Slot| self.policies.get(&slot.route).is_some_and(Overflow::is_evictable);
        let mut slots = (self.head..).zip(&self.slots);
        slots.find(|(_, slot)| slot.as_ref().is_some_and(may_leave)).map(|(offset, _)| offset)
    }

    /// Returns the oldest entry with the key of a later one, be it that of the next message.
    pub(crate) fn oldest_superseded(&self, route: &RouteName, message: &Message) -> Option<Offset> {
        let next = self.kind(route).and_then(|kind| Some((kind, kind.of(message)?)));
        let mut later: HashSet<(&OverflowKey, &str)> = next.into_iter().collect();
        let mut oldest = None;
        for (offset, slot) in (self.head..self.next()).rev().zip(self.slots.iter().rev()) {
            let keyed = slot.as_ref().and_then(|slot| Some((self.kind(&slot.route)?, slot.key.as_deref()?)));
            if keyed.is_some_and(|keyed| !later.insert(keyed)) {
                oldest = Some(offset);
            }
        }
        oldest
    }

    /// Counts entries that have left, and returns how many have by now.
    pub(crate) fn count_left(&mut self, route: &RouteName, how: Option<DropCause>, count: u64) -> u64 {
        let total = self.left.entry((route.clone(), how)).or_default();
        *total += count;
        *total
    }

    pub(crate) fn accounts(&self, queue: &QueueId) -> Vec<Account> {
        let routes: BTreeSet<_> =
            self.waiting.keys().chain(self.left.keys().map(|(route, _)| route)).collect();
        let account = |route: &RouteName| {
            let mut account = Account::new(queue.clone(), route.clone());
            account.stored = self.waiting.get(route).copied().unwrap_or_default();
            for ((_, how), &count) in self.left.iter().filter(|((other, _), _)| other == route) {
                match how {
                    Some(cause) => account.dropped.add(*cause, count),
                    None => account.delivered += count,
                }
            }
            account.accepted = account.delivered + account.stored + account.dropped.total();
            account
        };
        routes.into_iter().map(account).collect()
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

    pub(crate) fn state(&self, queue: &QueueId) -> QueueState {
        QueueState::new(
            queue.clone(),
            self.head,
            self.next(),
            self.waiting.iter().map(|(route, count)| (route.clone(), *count)).collect(),
        )
    }

    fn position(&self, offset: Offset) -> Option<usize> {
        usize::try_from(offset.checked_sub(self.head)?).ok()
    }
}
