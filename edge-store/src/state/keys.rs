//! The keys of entries of which only the latest is wanted when there is no more room.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use edge_core::{Message, Overflow, OverflowKey, Stored};

use super::{Queue, State};
use crate::index::Ranges;

/// The most keys that a store remembers, and the most stretches of superseded entries: 24 and some 30 bytes each.
pub(crate) const MAX_KEYS: usize = 1 << 18;

/// A key by two hashes of it: two keys that share both are not met with.
pub(crate) type Key = (u64, u64);

/// Makes keys small.
#[derive(Debug, Default)]
pub(crate) struct Hashers(RandomState, RandomState);

impl Hashers {
    /// Returns the key of a message for a route that wants `overflow`.
    pub(crate) fn key(&self, overflow: &Overflow, message: &Message) -> Option<Key> {
        let Overflow::KeepLatestPerKey(kind) = overflow else { return None };
        let key: (&OverflowKey, &str) = (kind, kind.of(message)?);
        Some((self.0.hash_one(key), self.1.hash_one(key)))
    }
}

/// What is known of the keys of one queue.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    /// The latest entry of each key; it may have left.
    pub(crate) latest: HashMap<Key, u64>,
    /// Entries that have a later one of the same key; they may have left.
    pub(crate) superseded: Ranges,
    /// Entries whose keys are still to be read from the disk.
    unlearned: Option<(u64, u64)>,
    /// How many keys are a reason to forget those whose entries have left.
    crowded: usize,
    /// How many keys found no room since.
    turned_away: usize,
}

impl Queue {
    /// Returns whether there are entries whose keys are to be learned.
    pub(super) fn learns_keys(&mut self) -> bool {
        let wants = self.policies.iter().any(|(_, o)| matches!(o, Overflow::KeepLatestPerKey(_)));
        if wants {
            self.keys.get_or_insert_default().unlearned =
                (self.head < self.next).then_some((self.head, self.next));
        } else {
            self.keys = None;
        }
        wants && self.head < self.next
    }

    /// Takes note of the key of an entry, which may be older than what is known.
    fn note_key(&mut self, key: Key, offset: u64, most: usize) {
        let Some(mut keys) = self.keys.take() else { return };
        let known = keys.latest.get(&key).copied();
        let held = keys.latest.len();
        keys.turned_away += usize::from(known.is_none() && held >= most);
        if held >= keys.crowded.max(64) || keys.turned_away > held / 8 {
            keys.latest.retain(|_, &mut offset| self.waits(offset));
            (keys.crowded, keys.turned_away) = (keys.latest.len() * 2, 0);
        }
        if known.is_some() || keys.latest.len() < most {
            keys.latest.insert(key, known.map_or(offset, |known| known.max(offset)));
        }
        let superseded = known.map(|known| known.min(offset)).filter(|&at| self.waits(at));
        if let Some(at) = superseded.filter(|_| keys.superseded.len() < most) {
            keys.superseded.insert(at, at + 1);
        }
        self.keys = Some(keys);
    }
}

impl State {
    /// Takes note of the key of an entry that was just added.
    pub(super) fn learn_key(&mut self, number: u32, route: u32, offset: u64, message: &Message) {
        let Some(queue) = self.queues.get_mut(number as usize) else { return };
        let Some(key) = self.hashers.key(queue.policy(route), message) else { return };
        let before = queue.keys.as_ref().map_or(0, |keys| keys.latest.len());
        queue.note_key(key, offset, MAX_KEYS.saturating_sub(self.keys_held - before));
        self.keys_held = self.keys_held - before + queue.keys.as_ref().map_or(0, |keys| keys.latest.len());
    }

    /// Returns a queue and where its next entries stand whose keys are to be learned.
    pub(crate) fn next_unlearned(&mut self) -> Option<(u32, u64)> {
        loop {
            let &number = self.unlearned.last()?;
            let queue = self.queues.get(number as usize);
            let unlearned = queue.and_then(|queue| queue.keys.as_ref()?.unlearned);
            if let Some((from, _)) = unlearned {
                return Some((number, from));
            }
            self.unlearned.pop();
        }
    }

    /// Learns the keys of entries that were read, up to `next`.
    pub(crate) fn learn(&mut self, number: u32, entries: &[Stored], next: u64) {
        let unlearned = self.queues.get(number as usize).and_then(|queue| queue.keys.as_ref()?.unlearned);
        let Some((_, to)) = unlearned else { return };
        for stored in entries.iter().filter(|stored| stored.offset < to) {
            if let Some(&route) = self.route_numbers.get(&stored.route) {
                self.learn_key(number, route, stored.offset, &stored.message);
            }
        }
        self.learned(number, next);
    }

    /// All keys below `next` are known, as far as they can be.
    pub(crate) fn learned(&mut self, number: u32, next: u64) {
        let keys = self.queues.get_mut(number as usize).and_then(|queue| queue.keys.as_mut());
        if let Some(keys) = keys {
            keys.unlearned = keys.unlearned.map(|(_, to)| (next, to)).filter(|(from, to)| from < to);
        }
    }
}

#[cfg(test)]
mod tests {
    use edge_core::{EndpointId, Priority, QueueId};

    use super::super::Held;
    use super::*;

    fn queue(waiting: u64) -> Queue {
        let mut queue = Queue::new(QueueId::new(EndpointId::upstream(), Priority::DEFAULT), Held::default());
        (queue.next, queue.keys) = (waiting, Some(Box::default()));
        queue
    }

    #[test]
    fn keys_of_what_has_left_are_forgotten() {
        let mut queue = queue(0);
        for offset in 0..100_000 {
            queue.next += 1;
            queue.note_key((offset, offset), offset, MAX_KEYS);
            queue.head = offset.saturating_sub(50);
        }
        assert!(queue.keys.unwrap().latest.len() <= 200);
    }

    #[test]
    fn no_more_keys_are_known_than_there_is_room_for() {
        let mut queue = queue(1000);
        for offset in 0..1000 {
            queue.note_key((offset, 0), offset, 100);
        }
        assert_eq!(queue.keys.as_ref().unwrap().latest.len(), 100);
        queue.head = 500;
        for offset in 500..1000 {
            queue.note_key((offset, 0), offset, 100);
        }
        let keys = queue.keys.unwrap();
        assert_eq!(keys.latest.len(), 100);
        assert!(keys.latest.values().all(|&offset| offset >= 500), "those that have left make room");
    }

    #[test]
    fn keys_may_be_learned_in_any_order() {
        for offsets in [[3, 1, 2], [1, 2, 3], [2, 3, 1]] {
            let mut queue = queue(10);
            for offset in offsets {
                queue.note_key((7, 7), offset, MAX_KEYS);
            }
            let keys = queue.keys.unwrap();
            assert_eq!(keys.latest.get(&(7, 7)), Some(&3));
            assert_eq!(keys.superseded.iter().collect::<Vec<_>>(), [(1, 3)]);
        }
    }
}
