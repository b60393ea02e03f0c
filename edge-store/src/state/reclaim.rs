//! Numbers of queues that nobody uses are given to others when there are no more.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use edge_core::{Enqueue, Priority, QueueId, Target};

use super::{Definition, Held, Queue, State, Tallies};

/// What the name of a queue ends with that has the accounts of those that were forgotten: no device, module or input can
/// have such a name.
const HEIR: &str = "/forgotten queues";
/// Of all numbers, this part is given back at once: looking for them takes a look at all.
const SHARE: usize = 64;

/// Returns the queue that has the accounts of those like `id` once they are forgotten; `None` for those that never are.
///
/// Names with the same beginning, up to a slash, are of a kind, and whoever sums up accounts by kind finds the same sum.
/// Names without a slash are few, and stay.
fn heir(id: &QueueId) -> Option<QueueId> {
    let name = id.endpoint().as_str();
    let (kind, _) = name.split_once('/').filter(|_| !name.ends_with(HEIR))?;
    Some(QueueId::new(format!("{kind}{HEIR}").parse().ok()?, Priority::DEFAULT))
}

/// Returns whether a queue has the accounts of others that were forgotten.
pub(crate) fn is_heir(id: &QueueId) -> bool {
    id.endpoint().as_str().ends_with(HEIR)
}

impl Queue {
    /// Returns a number's place for the time that no queue has the number.
    pub(crate) fn vacant(next: u64, generation: u16) -> Self {
        let nobody = QueueId::new(edge_core::EndpointId::upstream(), Priority::DEFAULT);
        let mut queue = Self::new(nobody, Held::default());
        (queue.head, queue.next, queue.written) = (next, next, next);
        (queue.generation, queue.is_vacant) = (generation, true);
        queue
    }

    /// Returns whether nothing is in the queue, nor on its way to the disk.
    fn is_idle(&self) -> bool {
        !self.is_vacant && self.head == self.next && self.written == self.next
    }
}

impl State {
    /// Sees to it that there are numbers for the queues that a batch is the first to use, when others can be forgotten.
    pub(super) fn make_numbers(&mut self, messages: &[Enqueue]) {
        let (mut most, mut previous): (usize, Option<&Arc<[Target]>>) = (0, None);
        for message in messages {
            if !previous.is_some_and(|previous| Arc::ptr_eq(previous, &message.targets)) {
                most += message.targets.len();
            }
            previous = Some(&message.targets);
        }
        if self.numbers_left() >= most {
            return;
        }
        let used: HashSet<&QueueId> =
            messages.iter().flat_map(|message| message.targets.iter().map(|target| &target.queue)).collect();
        self.make_numbers_for(&used);
    }

    /// Likewise for queues by their names.
    pub(super) fn make_numbers_for(&mut self, used: &HashSet<&QueueId>) {
        let is_new = |id: &&&QueueId| !self.queue_numbers.contains_key(**id);
        let needed = used.iter().filter(is_new).count();
        if self.numbers_left() >= needed {
            return;
        }
        let kept = used.iter().filter_map(|id| self.queue_numbers.get(*id).copied()).collect();
        let most = needed.max(self.options.max_queues as usize / SHARE);
        // Their heirs take numbers, too.
        while self.numbers_left() < needed && self.forget_idle(most, &kept) {}
    }

    fn numbers_left(&self) -> usize {
        self.vacant.len() + (self.options.max_queues as usize).saturating_sub(self.queues.len())
    }

    /// Forgets up to `most` queues that have nothing and have had nothing for a while, but for those that are `kept`.
    ///
    /// What is said of a number in older segments must not come to hold for the queue that has it next: so offsets go on
    /// above all that were forgotten, and the number counts how often it was given away. All of it is one batch of the
    /// log.
    ///
    /// Returns whether there was one to forget.
    fn forget_idle(&mut self, most: usize, kept: &HashSet<u32>) -> bool {
        let mut definitions = Vec::new();
        let mut heirs: BTreeMap<QueueId, (Tallies, u64)> = BTreeMap::new();
        let mut forgotten = HashSet::new();
        // Twice around: who was used lately is passed by once.
        for _ in 0..self.queues.len() * 2 {
            if forgotten.len() >= most {
                break;
            }
            let at = self.hand % self.queues.len();
            self.hand = at + 1;
            let (Some(queue), Ok(number)) = (self.queues.get_mut(at), u32::try_from(at)) else { break };
            let Some(heir) = heir(&queue.id).filter(|_| queue.is_idle() && !kept.contains(&number)) else {
                continue;
            };
            if std::mem::take(&mut queue.is_used) {
                continue;
            }
            let (tallies, floor) = heirs.entry(heir).or_default();
            for (route, tally) in queue.tallies.iter() {
                tallies.of(route).merge(&tally);
            }
            *floor = queue.next.max(*floor);
            definitions.extend(self.vacate(number));
            forgotten.insert(number);
        }
        for (id, (tallies, floor)) in heirs {
            self.bequeath(&id, &tallies, floor, &mut definitions);
        }
        self.last_bound = None;
        self.bound.retain(|_, (_, list)| !list.iter().any(|bound| forgotten.contains(&bound.queue)));
        if !definitions.is_empty() {
            self.define(definitions);
        }
        !forgotten.is_empty()
    }

    fn vacate(&mut self, number: u32) -> Option<Definition> {
        self.rank(number, None);
        let queue = self.queues.get_mut(number as usize)?;
        let vacant = Queue::vacant(queue.next, queue.generation.wrapping_add(1));
        let queue = std::mem::replace(queue, Queue { is_told: queue.is_told, ..vacant });
        self.queue_numbers.remove(&queue.id);
        self.keys_held -= queue.keys.map_or(0, |keys| keys.latest.len()).min(self.keys_held);
        self.vacant.push(number);
        Some(Definition::Vacant(number, queue.generation.wrapping_add(1), queue.next))
    }

    /// Adds what forgotten queues had on their accounts to those of their heir, whose next offset is above theirs.
    fn bequeath(&mut self, id: &QueueId, tallies: &Tallies, floor: u64, definitions: &mut Vec<Definition>) {
        // There is a number: somebody has just been forgotten.
        let Ok(number) = self.queue_number(id, definitions) else { return };
        self.floor = self.floor.max(floor);
        let Some(heir) = self.queues.get_mut(number as usize) else { return };
        heir.rise_to(floor);
        definitions.push(Definition::Queue(number, heir.generation, id.clone(), heir.next));
        for (route, tally) in tallies.iter() {
            heir.tallies.of(route).merge(&tally);
            definitions.push(Definition::Account(number, route, *heir.tallies.of(route)));
        }
    }
}

impl Queue {
    /// An empty queue goes on at `next`, or where it is when that is later.
    pub(crate) fn rise_to(&mut self, next: u64) {
        let next = self.next.max(next);
        (self.head, self.next, self.written) = (next, next, next);
    }
}
