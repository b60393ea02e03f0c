//! What a batch needs: which entries make room for it, found out before anything is changed.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use edge_core::{DropCause, Enqueue, Overflow, Priority, QueueId, StoreError, Target};

use super::State;
use super::keys::Key;
use super::victims::Victim;
use crate::log::message_bytes;

/// What happens to make room for a batch.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) queues: HashMap<QueueId, Planned>,
    /// Targets that get nothing, by the places of message and target.
    pub(super) dropped: BTreeSet<(usize, usize)>,
    /// Bytes that leave a segment.
    segments: BTreeMap<u64, u64>,
    /// Bytes of all segments that nobody waits for any more.
    freed: u64,
    /// Bytes of the batch's records.
    added: u64,
}

/// What happens in one queue.
#[derive(Debug, Default)]
pub(super) struct Planned {
    /// What leaves.
    pub(super) evicted: Vec<(u64, u64, DropCause)>,
    /// Below it nothing is left that may leave for others.
    pub(super) victims_from: u64,
    /// The offset of the first entry of the batch.
    next: u64,
    /// The batch's entries: their bytes, and whether they may leave for others.
    own: Vec<(u64, bool)>,
    bytes_added: u64,
    bytes_freed: u64,
    latest: HashMap<Key, u64>,
    /// Below it all that was noted as superseded has left.
    noted_from: u64,
    /// What entries of the batch supersede.
    superseded: BTreeSet<u64>,
    /// What has left and had a key.
    left: BTreeSet<u64>,
}

/// Whether the store has room.
enum Room {
    Enough,
    /// Only for those that are refused rather than dropped: the rest is for the cleaning.
    Tight(StoreError),
    /// Not until what is dead has been given back.
    NotYet(StoreError),
    /// Not until something leaves.
    Full(StoreError),
}

impl State {
    /// Finds out how a batch can be taken.
    pub(super) fn plan(&mut self, messages: &[Enqueue]) -> Result<Plan, StoreError> {
        let mut plan = Plan::default();
        for (at, message) in messages.iter().enumerate() {
            let bytes = message_bytes(message.message.encoded().len(), message.targets.len());
            let mut record_bytes = bytes;
            for (number, target) in message.targets.iter().enumerate() {
                let key = self.hashers.key(&target.overflow, &message.message);
                if self.place(&mut plan, target, key, bytes, record_bytes)? {
                    record_bytes = 0;
                } else {
                    plan.dropped.insert((at, number));
                }
            }
        }
        Ok(plan)
    }

    /// Finds room for an entry, and returns whether it is stored.
    fn place(
        &mut self,
        plan: &mut Plan,
        target: &Target,
        key: Option<Key>,
        bytes: u64,
        record_bytes: u64,
    ) -> Result<bool, StoreError> {
        let drops_newest = target.overflow == Overflow::DropNewest;
        if let Some(limit_bytes) = target.max_queue_bytes {
            if bytes > limit_bytes && !drops_newest {
                return Err(StoreError::TooLarge { bytes, limit_bytes });
            }
            loop {
                let used_bytes = self.bytes_in(plan, &target.queue);
                if used_bytes.saturating_add(bytes) <= limit_bytes {
                    break;
                }
                let victim = match &target.overflow {
                    Overflow::DropNewest => return Ok(false),
                    Overflow::DropOldest => {
                        self.oldest_in(plan, &target.queue).map(|v| (v, DropCause::OverflowOldest))
                    }
                    Overflow::KeepLatestPerKey(_) => {
                        self.superseded_in(plan, &target.queue, key).map(|v| (v, DropCause::Superseded))
                    }
                    _ => None,
                };
                let Some((victim, cause)) = victim else {
                    return Err(StoreError::QueueFull {
                        queue: target.queue.clone(),
                        used_bytes,
                        limit_bytes,
                    });
                };
                self.evicts(plan, &target.queue, victim, cause);
            }
        }
        if let Some(limit_bytes) = target.max_class_bytes {
            if bytes > limit_bytes && !drops_newest {
                return Err(StoreError::TooLarge { bytes, limit_bytes });
            }
            if !self.place_in_class(plan, target, key, bytes, limit_bytes)? {
                return Ok(false);
            }
        }
        loop {
            match self.room(plan, record_bytes) {
                Room::Enough => break,
                Room::NotYet(error) => return Err(error),
                Room::Tight(_) if target.overflow == Overflow::Refuse => break,
                Room::Tight(_) | Room::Full(_) if drops_newest => return Ok(false),
                Room::Tight(error) | Room::Full(error) => {
                    let found = self.victim_for(plan, target, key);
                    let Some((queue, victim, cause)) = found else { return Err(error) };
                    self.evicts(plan, &queue, victim, cause);
                }
            }
        }
        plan.added += record_bytes;
        let planned = self.planned(plan, &target.queue);
        let offset = planned.next + planned.own.len() as u64;
        planned.own.push((bytes, target.overflow.is_evictable()));
        planned.bytes_added += bytes;
        if let Some(key) = key {
            let before = planned.latest.insert(key, offset);
            let before = before.or_else(|| self.latest(&target.queue, key));
            let planned = self.planned(plan, &target.queue);
            planned.superseded.extend(before.filter(|before| !planned.left.contains(before)));
        }
        Ok(true)
    }

    /// Finds room for an entry among those of its class, and returns whether it is stored.
    fn place_in_class(
        &mut self,
        plan: &mut Plan,
        target: &Target,
        key: Option<Key>,
        bytes: u64,
        limit_bytes: u64,
    ) -> Result<bool, StoreError> {
        let (id, priority) = (&target.queue, target.queue.priority());
        loop {
            let used_bytes = self.bytes_in_class(plan, priority);
            if used_bytes.saturating_add(bytes) <= limit_bytes {
                return Ok(true);
            }
            let found = match &target.overflow {
                Overflow::DropNewest => return Ok(false),
                Overflow::DropOldest => {
                    let others = self.oldest_of(plan, priority.rank(), id, true);
                    let found = others.or_else(|| self.oldest_in_batch(plan, id));
                    let found = found.or_else(|| Some((id.clone(), self.oldest_in(plan, id)?)));
                    found.map(|(queue, victim)| (queue, victim, DropCause::OverflowOldest))
                }
                Overflow::KeepLatestPerKey(_) => {
                    let victim = self.superseded_in(plan, id, key);
                    victim.map(|victim| (id.clone(), victim, DropCause::Superseded))
                }
                _ => None,
            };
            let Some((queue, victim, cause)) = found else {
                return Err(StoreError::ClassFull { priority, used_bytes, limit_bytes });
            };
            self.evicts(plan, &queue, victim, cause);
        }
    }

    fn room(&mut self, plan: &Plan, bytes: u64) -> Room {
        let Some(limit_bytes) = self.options.max_bytes else { return Room::Enough };
        let (used_bytes, added) = (self.used_bytes(), plan.added + bytes);
        let error = |limit_bytes| StoreError::Full { used_bytes, limit_bytes };
        let held = (self.held_bytes + self.mail.unwritten_bytes).saturating_sub(plan.freed);
        let room = self.options.room_for_drops().unwrap_or(limit_bytes);
        let is_tight = held + added > room;
        // What leaves must be able to: its place is taken a little before it is there.
        let advance = if plan.freed > 0 { self.options.segment_bytes / 4 } else { 0 };
        if used_bytes + added > limit_bytes + advance {
            self.mail.pressed = true;
            return if is_tight { Room::Full(error(limit_bytes)) } else { Room::NotYet(error(limit_bytes)) };
        }
        if is_tight { Room::Tight(error(room)) } else { Room::Enough }
    }

    /// Returns how many bytes wait in a queue.
    fn bytes_in(&self, plan: &Plan, id: &QueueId) -> u64 {
        let there = self.queue_by_id(id).map_or(0, |(_, queue)| queue.held.bytes());
        let planned = plan.queues.get(id);
        planned.map_or(there, |planned| (there + planned.bytes_added).saturating_sub(planned.bytes_freed))
    }

    /// Returns how many bytes wait in all queues of a class.
    fn bytes_in_class(&self, plan: &Plan, class: Priority) -> u64 {
        let planned = plan.queues.iter().filter(|(id, _)| id.priority() == class);
        let (added, freed) = planned.fold((0, 0), |(added, freed), (_, planned)| {
            (added + planned.bytes_added, freed + planned.bytes_freed)
        });
        (self.classes.bytes(class.rank()) + added).saturating_sub(freed)
    }

    /// Returns the oldest entry that may leave of another queue of a class that the batch goes to.
    fn oldest_in_batch(&self, plan: &Plan, not: &QueueId) -> Option<(QueueId, Victim)> {
        let mut others = plan.queues.keys().filter(|id| *id != not && id.priority() == not.priority());
        others.find_map(|id| Some((id.clone(), self.oldest_in(plan, id)?)))
    }

    /// Returns the oldest entry of a queue that may leave, one of the batch when there is no other.
    fn oldest_in(&self, plan: &Plan, id: &QueueId) -> Option<Victim> {
        let planned = plan.queues.get(id);
        let known = self.queue_by_id(id).and_then(|(_, queue)| {
            queue.evictable(planned.map_or(queue.victims_from, |planned| planned.victims_from))
        });
        known.or_else(|| {
            let planned = planned?;
            let mut own = (planned.next..).zip(&planned.own);
            let (offset, &(bytes, _)) =
                own.find(|(offset, (_, may_leave))| *may_leave && *offset >= planned.victims_from)?;
            Some(Victim { offset, bytes, segment: None })
        })
    }

    /// Returns the oldest entry of a queue that a later one supersedes, which may be the next one.
    fn superseded_in(&self, plan: &Plan, id: &QueueId, key: Option<Key>) -> Option<Victim> {
        let planned = plan.queues.get(id);
        let is_there = |offset: &u64| planned.is_none_or(|planned| !planned.left.contains(offset));
        let queue = self.queue_by_id(id).map(|(_, queue)| queue);
        let noted = queue.and_then(|queue| {
            let noted = &queue.keys.as_ref()?.superseded;
            let mut at = noted.first_from(planned.map_or(0, |planned| planned.noted_from))?;
            while !is_there(&at) || !queue.waits(at) {
                at = noted.first_from(at + 1)?;
            }
            Some(at)
        });
        let by_batch = planned.and_then(|planned| planned.superseded.iter().copied().find(is_there));
        let by_next = key.and_then(|key| {
            let own = planned.and_then(|planned| planned.latest.get(&key).copied());
            own.or_else(|| self.latest(id, key)).filter(is_there)
        });
        let offset = noted.into_iter().chain(by_batch).chain(by_next).min()?;
        let own = planned
            .and_then(|planned| planned.own.get(usize::try_from(offset.checked_sub(planned.next)?).ok()?));
        match own {
            Some(&(bytes, _)) => Some(Victim { offset, bytes, segment: None }),
            None => queue?.victim(offset),
        }
    }

    /// Returns the latest entry of a key that waits in a queue.
    fn latest(&self, id: &QueueId, key: Key) -> Option<u64> {
        let (_, queue) = self.queue_by_id(id)?;
        let &offset = queue.keys.as_ref()?.latest.get(&key)?;
        queue.waits(offset).then_some(offset)
    }

    /// Returns what leaves next when the store has no room: of lower classes first, then of other queues of its class, of
    /// its own queue last.
    fn victim_for(
        &mut self,
        plan: &Plan,
        target: &Target,
        key: Option<Key>,
    ) -> Option<(QueueId, Victim, DropCause)> {
        let (id, class) = (&target.queue, target.queue.priority().rank());
        match &target.overflow {
            Overflow::KeepLatestPerKey(_) => {
                self.superseded_in(plan, id, key).map(|victim| (id.clone(), victim, DropCause::Superseded))
            }
            Overflow::DropOldest | Overflow::DropLowestPriority => {
                let lowest = self.victims.last().map_or(class, |&(class, _, _)| class);
                let lower = (class.saturating_add(1)..=lowest).rev();
                for class in lower {
                    if let Some((queue, victim)) = self.oldest_of(plan, class, id, false) {
                        return Some((queue, victim, DropCause::OverflowLowestPriority));
                    }
                }
                if target.overflow == Overflow::DropLowestPriority {
                    return None;
                }
                let own = || self.oldest_in(plan, id).filter(|victim| victim.segment.is_some());
                let own = own().map(|victim| (id.clone(), victim));
                let found = self.oldest_of(plan, class, id, false).or(own);
                found.map(|(queue, victim)| (queue, victim, DropCause::OverflowOldest))
            }
            _ => None,
        }
    }

    /// Returns of all queues of a class but `not` the victim that stands in the oldest segment; one that is not on disk yet
    /// counts only with `fresh_too`.
    fn oldest_of(
        &mut self,
        plan: &Plan,
        class: u8,
        not: &QueueId,
        fresh_too: bool,
    ) -> Option<(QueueId, Victim)> {
        let mut best: Option<(u64, QueueId, Victim)> = None;
        let mut after = (class, 0, 0);
        while let Some(&(found_class, segment, number)) = self.victims.range(after..).next() {
            if found_class != class || best.as_ref().is_some_and(|(oldest, _, _)| *oldest <= segment) {
                break;
            }
            after = (class, segment, number + 1);
            let Some(queue) = self.queues.get_mut(number as usize) else { continue };
            if queue.id == *not {
                continue;
            }
            let planned = plan.queues.get(&queue.id);
            let victim = queue.evictable(planned.map_or(queue.victims_from, |p| p.victims_from));
            let now = victim.map(|victim| victim.segment.unwrap_or(u64::MAX));
            let id = queue.id.clone();
            if planned.is_none() && now != Some(segment) {
                // Time has passed: its oldest one has left, or stands elsewhere now.
                queue.victims_from = victim.map_or(queue.next, |victim| victim.offset);
                self.rank(number, now.map(|now| now.min(self.active)));
            }
            let fresh = fresh_too.then_some(u64::MAX);
            if let Some((victim, segment)) = victim.and_then(|v| Some((v, v.segment.or(fresh)?)))
                && best.as_ref().is_none_or(|(oldest, _, _)| segment < *oldest)
            {
                best = Some((segment, id, victim));
            }
        }
        best.map(|(_, id, victim)| (id, victim))
    }

    /// Plans that an entry leaves.
    fn evicts(&self, plan: &mut Plan, id: &QueueId, victim: Victim, cause: DropCause) {
        let Victim { offset, bytes, segment } = victim;
        if let Some((number, segment)) =
            segment.and_then(|number| Some((number, self.segments.get(&number)?)))
        {
            let out = plan.segments.entry(number).or_default();
            let held = |out: u64| segment.live.saturating_sub(out).min(segment.bytes);
            let before = held(*out);
            *out += bytes;
            plan.freed += before - held(*out);
        }
        let planned = self.planned(plan, id);
        planned.bytes_freed += bytes;
        if cause == DropCause::Superseded {
            planned.left.insert(offset);
            let noted = self.queue_by_id(id).and_then(|(_, queue)| queue.keys.as_ref());
            if noted.is_some_and(|keys| keys.superseded.first_from(planned.noted_from) == Some(offset)) {
                planned.noted_from = offset + 1;
            }
        } else {
            planned.victims_from = offset + 1;
        }
        match planned.evicted.last_mut() {
            Some((_, to, same)) if *to == offset && *same == cause => *to = offset + 1,
            _ => planned.evicted.push((offset, offset + 1, cause)),
        }
    }

    fn planned<'p>(&self, plan: &'p mut Plan, id: &QueueId) -> &'p mut Planned {
        plan.queues.entry(id.clone()).or_insert_with(|| {
            let known = self.queue_by_id(id).map(|(_, queue)| (queue.victims_from, queue.next));
            let (victims_from, next) = known.unwrap_or_default();
            Planned { victims_from, next, ..Planned::default() }
        })
    }
}
