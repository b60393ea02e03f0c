//! What the store in memory knows, and how an entry gets in and out.

use std::collections::BTreeMap;
use std::ops::Range;

use super::super::{
    Account, DropCause, Drops, Enqueue, Gone, Offset, Overflow, OverflowKey, QueueState, StoreError, Stored,
    Target,
};
use crate::{QueueId, RouteName};

#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) queues: BTreeMap<QueueId, Queue>,
    pub(super) used_bytes: u64,
    pub(super) closed: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    pub(super) entries: BTreeMap<Offset, Stored>,
    pub(super) head: Offset,
    pub(super) next: Offset,
    tallies: BTreeMap<RouteName, Tally>,
    /// What each route wants at overflow.
    policies: BTreeMap<RouteName, Overflow>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    accepted: u64,
    delivered: u64,
    dropped: Drops,
}

fn bytes(stored: &Stored) -> u64 {
    stored.message.encoded().len() as u64
}

impl Queue {
    fn bytes(&self) -> u64 {
        self.entries.values().map(bytes).sum()
    }

    fn waiting(&self) -> BTreeMap<RouteName, u64> {
        let mut counts = BTreeMap::new();
        for stored in self.entries.values() {
            *counts.entry(stored.route.clone()).or_default() += 1;
        }
        counts
    }

    pub(super) fn state(&self, queue: &QueueId) -> QueueState {
        QueueState::new(queue.clone(), self.head, self.next, self.waiting().into_iter().collect())
    }

    pub(super) fn accounts(&self, queue: &QueueId) -> impl Iterator<Item = Account> {
        let waiting = self.waiting();
        self.tallies.iter().map(move |(route, tally)| {
            let mut account = Account::new(queue.clone(), route.clone());
            (account.accepted, account.delivered, account.dropped) =
                (tally.accepted, tally.delivered, tally.dropped);
            account.stored = waiting.get(route).copied().unwrap_or_default();
            account
        })
    }

    /// Returns the oldest entry that may leave to make room.
    fn oldest_evictable(&self) -> Option<Offset> {
        let may_leave =
            |stored: &Stored| self.policies.get(&stored.route).is_some_and(Overflow::is_evictable);
        self.entries.iter().find(|(_, stored)| may_leave(stored)).map(|(&offset, _)| offset)
    }

    /// Returns the key of an entry of which only the latest is wanted.
    fn key<'s>(&'s self, stored: &'s Stored) -> Option<(&'s OverflowKey, &'s str)> {
        match self.policies.get(&stored.route)? {
            Overflow::KeepLatestPerKey(key) => Some((key, key.of(&stored.message)?)),
            _ => None,
        }
    }

    /// Returns the oldest entry whose key a later one has, `newcomer` included.
    fn oldest_superseded(&self, newcomer: Option<(&OverflowKey, &str)>) -> Option<Offset> {
        let mut later: Vec<(&OverflowKey, &str)> = newcomer.into_iter().collect();
        let mut superseded = None;
        for (&offset, stored) in self.entries.iter().rev() {
            match self.key(stored) {
                Some(key) if later.contains(&key) => superseded = Some(offset),
                Some(key) => later.push(key),
                None => {}
            }
        }
        superseded
    }
}

/// How an entry leaves its queue.
#[derive(Clone, Copy, Debug)]
pub(super) enum Exit {
    Delivered,
    Dropped(DropCause),
}

impl State {
    /// Takes entries out of a queue, counts them, and returns those that were dropped.
    pub(super) fn take(&mut self, id: &QueueId, exit: impl Fn(&Stored) -> Option<Exit>) -> Vec<Gone> {
        let Some(queue) = self.queues.get_mut(id) else { return Vec::new() };
        let mut gone: BTreeMap<(RouteName, DropCause), u64> = BTreeMap::new();
        for (offset, stored) in std::mem::take(&mut queue.entries) {
            let Some(exit) = exit(&stored) else {
                queue.entries.insert(offset, stored);
                continue;
            };
            self.used_bytes -= bytes(&stored);
            let tally = queue.tallies.entry(stored.route.clone()).or_default();
            match exit {
                Exit::Delivered => tally.delivered += 1,
                Exit::Dropped(cause) => {
                    tally.dropped.add(cause, 1);
                    *gone.entry((stored.route, cause)).or_default() += 1;
                }
            }
        }
        gone.into_iter().map(|((route, cause), n)| Gone::new(id.clone(), route, n, cause)).collect()
    }

    pub(super) fn settle(&mut self, id: &QueueId, offsets: Range<Offset>, dropped: &[(Offset, DropCause)]) {
        self.take(id, |stored| {
            let drop = dropped.iter().find(|(offset, _)| *offset == stored.offset);
            let exit = drop.map_or(Exit::Delivered, |&(_, cause)| Exit::Dropped(cause));
            offsets.contains(&stored.offset).then_some(exit)
        });
        if let Some(queue) = self.queues.get_mut(id).filter(|queue| offsets.start <= queue.head) {
            let end = queue.head.max(offsets.end.min(queue.next));
            queue.head = queue.entries.range(end..).next().map_or(queue.next, |(&offset, _)| offset);
        }
    }

    pub(super) fn count_dropped(&mut self, id: &QueueId, route: &RouteName, cause: DropCause, n: u64) {
        let queue = self.queues.entry(id.clone()).or_default();
        let tally = queue.tallies.entry(route.clone()).or_default();
        tally.accepted += n;
        tally.dropped.add(cause, n);
    }

    /// Puts a message into one of its queues, when there is room or its target makes some.
    pub(super) fn place(
        &mut self,
        enqueue: &Enqueue,
        target: &Target,
        limit: Option<u64>,
        gone: &mut Vec<Gone>,
    ) -> Result<(), StoreError> {
        let bytes = enqueue.message.encoded().len() as u64;
        let queue = self.queues.entry(target.queue.clone()).or_default();
        queue.policies.insert(target.route.clone(), target.overflow.clone());
        let limits = [target.max_queue_bytes, target.max_class_bytes];
        let limit_bytes = limits.into_iter().flatten().find(|&limit| bytes > limit);
        if let Some(limit_bytes) = limit_bytes.filter(|_| target.overflow != Overflow::DropNewest) {
            return Err(StoreError::TooLarge { bytes, limit_bytes });
        }
        while let Some(error) = self.lacks_room(target, bytes, limit) {
            if target.overflow == Overflow::DropNewest {
                self.count_dropped(&target.queue, &target.route, DropCause::OverflowNewest, 1);
                let (queue, route) = (target.queue.clone(), target.route.clone());
                gone.push(Gone::new(queue, route, 1, DropCause::OverflowNewest));
                return Ok(());
            }
            let Some((queue, offset, cause)) = self.victim(enqueue, target, &error) else {
                return Err(error);
            };
            let out = self.take(&queue, |stored| (stored.offset == offset).then_some(Exit::Dropped(cause)));
            gone.extend(out);
        }
        let queue = self.queues.entry(target.queue.clone()).or_default();
        let expires = target.time_to_live.map(|ttl| enqueue.enqueued + ttl);
        let route = target.route.clone();
        let stored =
            Stored::new(queue.next, enqueue.enqueued, expires, route.clone(), enqueue.message.clone());
        queue.entries.insert(queue.next, stored);
        queue.next += 1;
        queue.tallies.entry(route).or_default().accepted += 1;
        self.used_bytes += bytes;
        Ok(())
    }

    fn lacks_room(&self, target: &Target, bytes: u64, limit: Option<u64>) -> Option<StoreError> {
        let of_queue = target.max_queue_bytes.and_then(|limit_bytes| {
            let used_bytes = self.queues.get(&target.queue).map_or(0, Queue::bytes);
            let queue = target.queue.clone();
            let full = used_bytes + bytes > limit_bytes;
            full.then_some(StoreError::QueueFull { queue, used_bytes, limit_bytes })
        });
        let priority = target.queue.priority();
        let of_class = target.max_class_bytes.and_then(|limit_bytes| {
            let queues = self.queues.iter().filter(|(id, _)| id.priority() == priority);
            let used_bytes = queues.map(|(_, queue)| queue.bytes()).sum();
            let full = used_bytes + bytes > limit_bytes;
            full.then_some(StoreError::ClassFull { priority, used_bytes, limit_bytes })
        });
        let used_bytes = self.used_bytes;
        let of_store = limit.filter(|limit_bytes| used_bytes + bytes > *limit_bytes);
        of_queue
            .or(of_class)
            .or_else(|| of_store.map(|limit_bytes| StoreError::Full { used_bytes, limit_bytes }))
    }

    /// Returns the entry that leaves next to make room, and what that is counted as.
    fn victim(
        &self,
        enqueue: &Enqueue,
        target: &Target,
        full: &StoreError,
    ) -> Option<(QueueId, Offset, DropCause)> {
        let own = self.queues.get(&target.queue)?;
        let class = target.queue.priority();
        let own_queue = matches!(full, StoreError::QueueFull { .. });
        let of_store = matches!(full, StoreError::Full { .. });
        let oldest = |classes: &dyn Fn(&QueueId) -> bool, cause| {
            let queues = self.queues.iter().filter(|(id, _)| classes(id));
            let evictable = queues.filter_map(|(id, queue)| Some((id, queue.oldest_evictable()?)));
            let lowest = evictable.max_by_key(|(id, _)| (id.priority(), **id != target.queue));
            lowest.map(|(id, offset)| (id.clone(), offset, cause))
        };
        let lower = || oldest(&|id| of_store && id.priority() > class, DropCause::OverflowLowestPriority);
        match &target.overflow {
            Overflow::DropOldest if own_queue => {
                own.oldest_evictable().map(|o| (target.queue.clone(), o, DropCause::OverflowOldest))
            }
            Overflow::DropOldest => {
                lower().or_else(|| oldest(&|id| id.priority() == class, DropCause::OverflowOldest))
            }
            Overflow::DropLowestPriority => lower(),
            Overflow::KeepLatestPerKey(key) => own
                .oldest_superseded(key.of(&enqueue.message).map(|text| (key, text)))
                .map(|offset| (target.queue.clone(), offset, DropCause::Superseded)),
            _ => None,
        }
    }
}
