//! An order for each key: what one key holds up, others pass.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::BuildHasher;
use std::time::Instant;

use edge_core::{Backoff, Message, Offset, ReadBatch};

use super::super::runs::Fate;
use super::{Loaded, Part, Plan, Refusals};
use crate::{DeliveryKey, Limits};

/// How many keys are tried again in one batch.
const MAX_TRIES: usize = 8;

/// The place up to which a queue was looked through, and what was left behind below it, by key.
///
/// Of an entry that was left behind only its place is kept; it is read again when its turn comes. A key is kept as its
/// hash: two keys with the same one share an order, which is not wrong, only slower.
#[derive(Debug)]
pub(crate) struct PerKey {
    key: DeliveryKey,
    hasher: RandomState,
    backoff: Backoff,
    most: usize,
    most_bytes: usize,
    /// Everything below has left, or is parked.
    ahead: Offset,
    parked: BTreeMap<Offset, Parked>,
    parked_bytes: usize,
    /// The keys of what is parked.
    waiting: HashMap<u64, Waiting>,
    /// Those keys by the time of their next try.
    turns: BTreeSet<(Instant, u64)>,
    /// The entries of the batch that is on its way.
    sent: BTreeMap<Offset, Parked>,
    pub(super) refusals: Refusals,
}

#[derive(Clone, Copy, Debug)]
struct Parked {
    key: u64,
    bytes: usize,
}

#[derive(Debug)]
struct Waiting {
    offsets: BTreeSet<Offset>,
    failures: u32,
    until: Instant,
}

impl PerKey {
    pub(crate) fn new(key: DeliveryKey, head: Offset, limits: &Limits, backoff: Backoff) -> Self {
        Self {
            key,
            hasher: RandomState::new(),
            backoff,
            most: limits.max_passed_over_messages.get(),
            most_bytes: limits.max_passed_over_bytes,
            ahead: head,
            parked: BTreeMap::new(),
            parked_bytes: 0,
            waiting: HashMap::new(),
            turns: BTreeSet::new(),
            sent: BTreeMap::new(),
            refusals: Refusals::default(),
        }
    }

    /// Returns the first entries of keys whose time has come, then what is new, as far as there is room to pass over it.
    pub(super) fn plan(&mut self, now: Instant) -> Plan {
        self.sent.clear();
        let due = self.turns.iter().take_while(|(at, _)| *at <= now).take(MAX_TRIES);
        let due = due.filter_map(|(_, key)| self.waiting.get(key));
        let mut firsts: Vec<_> =
            due.filter_map(|key| Some((*key.offsets.first()?, key.failures > 0))).collect();
        firsts.sort_unstable();
        let mut parts: Vec<Part> = Vec::new();
        let mut flowing = false;
        for (from, fails) in firsts {
            // One read from the first entry of a key that flows again finds those of all keys behind it.
            if fails || !flowing {
                parts.push(Part { from, most: if fails { 1 } else { usize::MAX } });
            }
            flowing |= !fails;
        }
        if self.parked.len() < self.most && self.parked_bytes < self.most_bytes {
            parts.push(Part { from: self.ahead, most: self.most - self.parked.len() });
        }
        if parts.is_empty() { Plan::Wait(self.next_turn()) } else { Plan::Read(parts) }
    }

    /// Returns when the next key is to be tried again.
    pub(super) fn next_turn(&self) -> Option<Instant> {
        self.turns.first().map(|(at, _)| *at)
    }

    pub(super) fn loaded(&mut self, part: Part, batch: ReadBatch) -> Loaded {
        let mut loaded = Loaded::default();
        let read_to = batch.next;
        let found: BTreeSet<Offset> = batch.entries.iter().map(|stored| stored.offset).collect();
        for stored in batch.entries {
            let key = self.hash(&stored.message);
            let entry = Parked { key, bytes: stored.message.size() };
            let goes = if stored.offset < self.ahead {
                self.has_turn(part, stored.offset)
            } else {
                let free = !self.waiting.contains_key(&key);
                if !free {
                    self.park(stored.offset, entry, None);
                }
                free
            };
            if goes && !self.sent.contains_key(&stored.offset) {
                self.sent.insert(stored.offset, entry);
                loaded.send.push(stored);
            }
        }
        let gone: Vec<Offset> =
            self.parked.range(part.from..read_to.max(part.from)).map(|(o, _)| *o).collect();
        for offset in gone.into_iter().filter(|offset| !found.contains(offset)) {
            self.unpark(offset);
            loaded.moved = true;
        }
        if read_to > self.ahead {
            self.ahead = read_to;
            loaded.moved = true;
        }
        loaded
    }

    /// Returns whether a parked entry that was read for `part` may go: it is the first of its key, or its key flows.
    fn has_turn(&self, part: Part, offset: Offset) -> bool {
        let Some(key) = self.parked.get(&offset).and_then(|entry| self.waiting.get(&entry.key)) else {
            return false;
        };
        let first = key.offsets.first() == Some(&offset);
        if part.most == 1 { first && part.from == offset } else { key.failures == 0 }
    }

    pub(super) fn judged(&mut self, now: Instant, fates: &[(Offset, Fate)], random: f64) {
        let mut failed: BTreeSet<u64> = BTreeSet::new();
        for &(offset, fate) in fates {
            let entry = self.sent.remove(&offset).or_else(|| self.parked.get(&offset).copied());
            let Some(entry) = entry else { continue };
            match fate {
                Fate::Again => {
                    self.park(offset, entry, Some(now));
                    if failed.insert(entry.key) {
                        self.delay(entry.key, now, random);
                    }
                }
                Fate::Delivered | Fate::Dropped(_) => {
                    self.refusals.forget(offset);
                    self.unpark(offset);
                    if !failed.contains(&entry.key) {
                        self.release(entry.key, now);
                    }
                }
            }
        }
    }

    /// Parks a batch of which nothing is known, to be sent at once when the endpoint is tried again.
    pub(super) fn failed(&mut self, now: Instant, fates: &[(Offset, Fate)]) {
        for &(offset, fate) in fates {
            let Some(entry) = self.sent.remove(&offset) else { continue };
            match fate {
                Fate::Again => self.park(offset, entry, Some(now)),
                Fate::Delivered | Fate::Dropped(_) => self.unpark(offset),
            }
        }
    }

    fn hash(&self, message: &Message) -> u64 {
        self.hasher.hash_one(self.key.of(message))
    }

    /// Parks an entry; `now` is for a key that was not waiting.
    fn park(&mut self, offset: Offset, entry: Parked, now: Option<Instant>) {
        match (self.waiting.get_mut(&entry.key), now) {
            (Some(key), _) => {
                key.offsets.insert(offset);
            }
            (None, Some(until)) => {
                let offsets = [offset].into();
                self.waiting.insert(entry.key, Waiting { offsets, failures: 0, until });
                self.turns.insert((until, entry.key));
            }
            (None, None) => return,
        }
        if self.parked.insert(offset, entry).is_none() {
            self.parked_bytes += entry.bytes;
        }
    }

    fn unpark(&mut self, offset: Offset) {
        let Some(entry) = self.parked.remove(&offset) else { return };
        self.parked_bytes -= entry.bytes;
        self.refusals.forget(offset);
        let Some(key) = self.waiting.get_mut(&entry.key) else { return };
        key.offsets.remove(&offset);
        if key.offsets.is_empty() {
            self.turns.remove(&(key.until, entry.key));
            self.waiting.remove(&entry.key);
        }
    }

    /// Lets a key wait longer than the last time.
    fn delay(&mut self, key: u64, now: Instant, random: f64) {
        let Some(waiting) = self.waiting.get_mut(&key) else { return };
        self.turns.remove(&(waiting.until, key));
        let wait = self.backoff.delay(waiting.failures, random);
        waiting.failures = waiting.failures.saturating_add(1);
        waiting.until = now.checked_add(wait).unwrap_or(now);
        self.turns.insert((waiting.until, key));
    }

    /// Lets a key flow again, if something of it waits.
    fn release(&mut self, key: u64, now: Instant) {
        let Some(waiting) = self.waiting.get_mut(&key) else { return };
        self.turns.remove(&(waiting.until, key));
        (waiting.failures, waiting.until) = (0, now);
        self.turns.insert((now, key));
    }
}

#[cfg(test)]
mod tests;
