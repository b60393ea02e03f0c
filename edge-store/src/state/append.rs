//! Taking a batch: everything that happens on the sender's side.

use std::sync::Arc;

use edge_core::{DropCause, Durability, Enqueue, Gone, QueueId, Receipt, RouteName, StoreError, Target};

use super::lone::Known;
use super::outbox::{Batch, Cleared, Definition};
use super::plan::Plan;
use super::queue::Exits;
use super::{Queue, Refusal, State};
use crate::index::{Bound, BoundList, TailRef};
use crate::log::{MAX_NUMBERS, MAX_OFFSET, NEVER, expiry, message_bytes};

/// Target lists that are remembered by their address.
const MAX_BOUND_LISTS: usize = 1024;

/// For how many messages in a row which targets hold.
pub(super) type Runs = Vec<(usize, BoundList)>;

/// A batch that was taken.
enum Taken {
    /// It is as durable as it is to be.
    Now(Durability),
    Later(Receipt),
}

impl State {
    /// Takes what is in a batch: its entries can be read at once, and the writer finds it in the mail.
    pub(crate) fn append(&mut self, batch: &mut Vec<Enqueue>, level: Durability) -> Receipt {
        match self.lone_bytes(batch, level) {
            Some((bytes, level)) => self.append_lone(batch, bytes, level),
            None => self.append_any(std::mem::take(batch), level),
        }
    }

    #[inline(never)]
    pub(super) fn append_any(&mut self, messages: Vec<Enqueue>, level: Durability) -> Receipt {
        let mut gone = Vec::new();
        let receipt = match self.try_append(messages, level, &mut gone) {
            Ok(Taken::Later(receipt)) => receipt,
            Ok(Taken::Now(level)) => Receipt::ready(Ok(level)),
            Err(error) => Receipt::ready(Err(error)),
        };
        if gone.is_empty() { receipt } else { receipt.with_dropped(gone) }
    }

    fn try_append(
        &mut self,
        messages: Vec<Enqueue>,
        level: Durability,
        gone: &mut Vec<Gone>,
    ) -> Result<Taken, StoreError> {
        self.check_open()?;
        if let Some(Refusal::Unwritten(error)) = &self.refusal {
            self.mail.retry = true;
            return Err(error.clone());
        }
        let level = wished(&messages, level);
        let mut bytes = self.check_size(&messages)?;
        if bytes == 0 {
            return Ok(Taken::Now(level));
        }
        self.make_numbers(&messages);
        let mut definitions = Vec::new();
        let mut runs = std::mem::take(&mut self.spare_runs);
        let plan = match self.prepare(&messages, bytes, &mut runs, &mut definitions) {
            Ok(plan) => plan,
            Err(error) => {
                // What has its number now keeps it.
                if !definitions.is_empty() {
                    self.define(definitions);
                }
                return Err(error);
            }
        };
        if let Some(plan) = plan.as_ref().filter(|plan| !plan.dropped.is_empty()) {
            (runs, bytes) = self.without(&messages, &runs, plan, gone);
        }
        let mut messages = messages.into_iter();
        let mut count = 0;
        for (these, bound) in &runs {
            for message in messages.by_ref().take(*these).filter(|_| !bound.is_empty()) {
                count += 1;
                self.push(message, bound);
            }
        }
        runs.clear();
        self.spare_runs = runs;
        let cleared = plan.map(|plan| Box::new(self.make_room(*plan, gone)));
        self.mail.unwritten_bytes += bytes;
        let (receipt, answer) = match level {
            Durability::Memory => (None, None),
            _ => {
                let (sender, receipt) = Receipt::pair();
                (Some(sender), Some(receipt))
            }
        };
        let definitions = definitions.into_boxed_slice();
        self.mail.outbox.put(Batch { definitions, messages: count, bytes, level, receipt, cleared });
        Ok(answer.map_or(Taken::Now(level), Taken::Later))
    }

    /// Finds out where the messages of a batch go, and who leaves for them when there is no room.
    fn prepare(
        &mut self,
        messages: &[Enqueue],
        bytes: u64,
        runs: &mut Runs,
        definitions: &mut Vec<Definition>,
    ) -> Result<Option<Box<Plan>>, StoreError> {
        let plan = if self.has_room_for(messages, bytes) {
            None
        } else {
            self.heed(messages, definitions);
            Some(Box::new(self.plan(messages)?))
        };
        self.bind_all(messages, runs, definitions)?;
        self.check_offsets(runs)?;
        Ok(plan)
    }

    /// Returns how many bytes the batch takes on disk.
    fn check_size(&self, messages: &[Enqueue]) -> Result<u64, StoreError> {
        let mut bytes = 0;
        for message in messages.iter().filter(|message| !message.targets.is_empty()) {
            let encoded = message.message.encoded().len();
            let limit_bytes = self.options.max_message_bytes;
            if encoded as u64 > limit_bytes {
                return Err(StoreError::TooLarge { bytes: encoded as u64, limit_bytes });
            }
            bytes += message_bytes(encoded, message.targets.len());
        }
        let limit_bytes = self.options.max_unwritten_bytes;
        if bytes > limit_bytes {
            return Err(StoreError::TooLarge { bytes, limit_bytes });
        }
        if self.mail.unwritten_bytes + bytes > limit_bytes {
            return Err(StoreError::Full { used_bytes: self.mail.unwritten_bytes, limit_bytes });
        }
        Ok(bytes)
    }

    /// Returns whether a batch fits without a closer look.
    fn has_room_for(&self, messages: &[Enqueue], bytes: u64) -> bool {
        let mut previous: Option<&Arc<[Target]>> = None;
        self.options.room_for_drops().is_none_or(|room| self.used_bytes() + bytes <= room)
            && messages.iter().all(|message| {
                let known = previous.is_some_and(|previous| Arc::ptr_eq(previous, &message.targets));
                previous = Some(&message.targets);
                known || !message.targets.iter().any(Target::is_limited)
            })
    }

    /// Takes note of what routes want that are known already: it holds for what of theirs waits.
    fn heed(&mut self, messages: &[Enqueue], definitions: &mut Vec<Definition>) {
        let mut previous: Option<&Arc<[Target]>> = None;
        for message in messages {
            if !previous.is_some_and(|previous| Arc::ptr_eq(previous, &message.targets)) {
                for target in message.targets.iter() {
                    let queue = self.queue_numbers.get(&target.queue).copied();
                    let route = self.route_numbers.get(&target.route).copied();
                    if let Some((queue, route)) = queue.zip(route) {
                        self.set_policy(queue, route, &target.overflow, definitions);
                    }
                }
            }
            previous = Some(&message.targets);
        }
    }

    /// Returns the targets of a batch without those that are dropped, which are counted, and how many bytes it takes then.
    fn without(
        &mut self,
        messages: &[Enqueue],
        runs: &[(usize, BoundList)],
        plan: &Plan,
        gone: &mut Vec<Gone>,
    ) -> (Runs, u64) {
        let bounds = runs.iter().flat_map(|(count, bound)| std::iter::repeat_n(bound, *count));
        let (mut runs, mut bytes) = (Runs::new(), 0);
        for (at, (message, bound)) in messages.iter().zip(bounds).enumerate() {
            let is_dropped = |number: usize| plan.dropped.contains(&(at, number));
            let kept = if (0..bound.len()).any(is_dropped) {
                for target in bound.iter().enumerate().filter(|(number, _)| is_dropped(*number)) {
                    self.drop_newest(target.1, gone);
                }
                let kept = bound.iter().enumerate().filter(|(number, _)| !is_dropped(*number));
                kept.map(|(_, target)| *target).collect()
            } else {
                bound.clone()
            };
            if !kept.is_empty() {
                bytes += message_bytes(message.message.encoded().len(), kept.len());
            }
            match runs.last_mut() {
                Some((count, last)) if Arc::ptr_eq(last, &kept) => *count += 1,
                _ => runs.push((1, kept)),
            }
        }
        (runs, bytes)
    }

    /// Counts an entry that is dropped before it is stored.
    fn drop_newest(&mut self, target: &Bound, gone: &mut Vec<Gone>) {
        let Some(queue) = self.queues.get_mut(target.queue as usize) else { return };
        let cause = DropCause::OverflowNewest;
        queue.tallies.of(target.route).add(Some(cause), 1);
        note_gone(gone, Gone::new(queue.id.clone(), self.route_name(target.route), 1, cause));
        self.tell(target.queue);
    }

    /// Lets those leave who were found to, and returns where they stood.
    fn make_room(&mut self, plan: Plan, gone: &mut Vec<Gone>) -> Cleared {
        let mut cleared = Cleared::default();
        for (id, planned) in plan.queues {
            let Some(&number) = self.queue_numbers.get(&id) else { continue };
            let written = self.queues.get(number as usize).map_or(0, |queue| queue.written);
            for (from, to, cause) in planned.evicted {
                let freed = self.leave(number, from..to, Exits::all(cause));
                freed.segments.iter().for_each(|&(segment, _, _)| cleared.add(segment));
                if to > written {
                    cleared.newest = Some(self.active);
                }
                for one in self.gone(number, &freed.gone, cause) {
                    note_gone(gone, one);
                }
            }
            if let Some(queue) = self.queues.get_mut(number as usize) {
                queue.victims_from = queue.victims_from.max(planned.victims_from);
            }
        }
        cleared
    }

    /// Refuses a batch for a queue whose offsets are used up; only a log that was made up gets there.
    fn check_offsets(&self, runs: &[(usize, BoundList)]) -> Result<(), StoreError> {
        for (messages, bound) in runs {
            for queue in bound.iter().filter_map(|target| self.queues.get(target.queue as usize)) {
                if queue.next.saturating_add(*messages as u64) > MAX_OFFSET {
                    return Err(StoreError::Io {
                        what: format!("numbering the entries of {}", queue.id),
                        source: Arc::new(std::io::Error::other("all offsets of the queue are used")),
                    });
                }
            }
        }
        Ok(())
    }

    #[inline]
    pub(super) fn push(&mut self, entry: Enqueue, bound: &BoundList) {
        let (message, enqueued) = (entry.message, entry.enqueued.as_unix_ms());
        let bytes = message_bytes(message.encoded().len(), bound.len());
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let sequence = self.tail.next();
        for target in bound.iter() {
            let Some(queue) = self.queues.get_mut(target.queue as usize) else { continue };
            let expires = expiry(enqueued, target.time_to_live_ms);
            queue.tail.push_back(TailRef { sequence, expires, route: target.route, bytes });
            let offset = queue.next;
            queue.next += 1;
            queue.held.add(bytes.into());
            queue.is_used = true;
            queue.waiting.add(target.route, 1);
            if queue.policies.is_empty() {
                continue;
            }
            let is_first = queue.ranked.is_none() && queue.policy(target.route).is_evictable();
            let has_keys = queue.keys.is_some();
            if is_first {
                self.rank(target.queue, Some(self.active));
            }
            if has_keys {
                self.learn_key(target.queue, target.route, offset, &message);
            }
        }
        self.mail.outbox.push(message.encoded().clone(), enqueued, bound);
        self.tail.push(message, enqueued, bound);
    }

    fn bind_all(
        &mut self,
        messages: &[Enqueue],
        runs: &mut Runs,
        definitions: &mut Vec<Definition>,
    ) -> Result<(), StoreError> {
        let mut previous: Option<&Arc<[Target]>> = None;
        for message in messages {
            match runs.last_mut() {
                Some((count, _)) if previous.is_some_and(|p| Arc::ptr_eq(p, &message.targets)) => *count += 1,
                _ => runs.push((1, self.bind(&message.targets, definitions)?)),
            }
            previous = Some(&message.targets);
        }
        Ok(())
    }

    /// Returns the targets with numbers for names; new names are defined.
    fn bind(
        &mut self,
        targets: &Arc<[Target]>,
        definitions: &mut Vec<Definition>,
    ) -> Result<BoundList, StoreError> {
        if let Some(last) = self.last_bound.as_ref().filter(|last| last.is_of(targets)) {
            return Ok(last.bound.clone());
        }
        let bound = self.find_or_bind(targets, definitions)?;
        self.last_bound = Some(Known::new(targets, &bound));
        Ok(bound)
    }

    fn find_or_bind(
        &mut self,
        targets: &Arc<[Target]>,
        definitions: &mut Vec<Definition>,
    ) -> Result<BoundList, StoreError> {
        let address = Arc::as_ptr(targets).cast::<()>().addr();
        if let Some((_, bound)) = self.bound.get(&address) {
            return Ok(bound.clone());
        }
        let mut bound = Vec::with_capacity(targets.len());
        for target in targets.iter() {
            let time_to_live_ms =
                target.time_to_live.map_or(NEVER, |ttl| u64::try_from(ttl.as_millis()).unwrap_or(NEVER));
            let queue = self.queue_number(&target.queue, definitions)?;
            let route = self.route_number(&target.route, definitions)?;
            self.set_policy(queue, route, &target.overflow, definitions);
            bound.push(Bound { queue, route, time_to_live_ms });
        }
        let bound: BoundList = bound.into();
        if self.bound.len() >= MAX_BOUND_LISTS {
            self.bound.clear();
        }
        self.bound.insert(address, (targets.clone(), bound.clone()));
        Ok(bound)
    }

    /// Lets the writer know of names that no batch uses yet.
    pub(super) fn define(&mut self, definitions: Vec<Definition>) {
        let (definitions, level, cleared) = (definitions.into_boxed_slice(), Durability::Memory, None);
        self.mail.outbox.put(Batch { definitions, messages: 0, bytes: 0, level, receipt: None, cleared });
    }

    pub(super) fn queue_number(
        &mut self,
        id: &QueueId,
        definitions: &mut Vec<Definition>,
    ) -> Result<u32, StoreError> {
        if let Some(&number) = self.queue_numbers.get(id) {
            return Ok(number);
        }
        let number = match self.vacant.pop() {
            Some(number) => number,
            None => new_number(self.queues.len(), self.options.max_queues, "queue")?,
        };
        let held = self.classes.join(id.priority().rank());
        let mut queue = Queue::new(id.clone(), held);
        queue.rise_to(self.floor);
        match self.queues.get_mut(number as usize) {
            None => self.queues.push(queue),
            Some(vacant) => {
                queue.rise_to(vacant.next);
                (queue.generation, queue.is_told) = (vacant.generation, vacant.is_told);
                *vacant = queue;
            }
        }
        let (generation, first) =
            self.queues.get(number as usize).map_or((0, 0), |queue| (queue.generation, queue.next));
        self.queue_numbers.insert(id.clone(), number);
        definitions.push(Definition::Queue(number, generation, id.clone(), first));
        Ok(number)
    }

    pub(super) fn route_number(
        &mut self,
        name: &RouteName,
        definitions: &mut Vec<Definition>,
    ) -> Result<u32, StoreError> {
        if let Some(&number) = self.route_numbers.get(name) {
            return Ok(number);
        }
        let number = new_number(self.routes.len(), MAX_NUMBERS, "route")?;
        self.routes.push(name.clone());
        self.route_numbers.insert(name.clone(), number);
        definitions.push(Definition::Route(number, name.clone()));
        Ok(number)
    }
}

/// Adds a count to those of the same queue, route and cause.
fn note_gone(gone: &mut Vec<Gone>, one: Gone) {
    let same =
        |other: &&mut Gone| (&other.queue, &other.route, other.cause) == (&one.queue, &one.route, one.cause);
    match gone.iter_mut().rev().take(16).find(same) {
        Some(other) => other.entries += one.entries,
        None => gone.push(one),
    }
}

/// Returns how durable a batch is to be: as the highest of its targets asks.
fn wished(messages: &[Enqueue], level: Durability) -> Durability {
    let mut highest = None;
    let mut previous: Option<&Arc<[Target]>> = None;
    for message in messages.iter().filter(|message| !message.targets.is_empty()) {
        if !previous.is_some_and(|previous| Arc::ptr_eq(previous, &message.targets)) {
            let wishes = message.targets.iter().map(|target| target.durability.unwrap_or(level));
            highest = highest.max(wishes.max());
        }
        previous = Some(&message.targets);
    }
    highest.unwrap_or(level)
}

fn new_number(used: usize, most: u32, what: &str) -> Result<u32, StoreError> {
    u32::try_from(used).ok().filter(|&number| number < most).ok_or_else(|| StoreError::Io {
        what: format!("naming another {what}"),
        source: Arc::new(std::io::Error::other(format!("all {most} numbers are used"))),
    })
}
