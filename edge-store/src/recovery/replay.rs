//! The queues as the records of the log describe them, one after the other.

use std::collections::{BTreeMap, HashMap};

use edge_core::{DropCause, EndpointId, Offset, Overflow, Priority, QueueId, RouteName};

use super::report::Lost;
use super::scan::Effect;
use crate::index::{Counts, Extent, Extents, Placed, Ranges};
use crate::log::MAX_NUMBERS;
use crate::state::{Tallies, lost_entries, lost_route};
use crate::writer::{Ledger, LoggedQueue};

/// Queues whose names are lost get another name, so many of them: a table by number stays small whatever the disk says.
const MAX_NAMELESS: u32 = 4096;

/// What the log says, read so far.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    pub(crate) queues: BTreeMap<u32, ReplayedQueue>,
    routes: BTreeMap<u32, RouteName>,
    /// Which number has which name.
    numbers: HashMap<QueueId, u32>,
    /// What was in queues whose numbers are too high for queues without a name.
    nameless: Vec<Lost>,
}

/// A queue, read so far.
#[derive(Debug, Default)]
pub(crate) struct ReplayedQueue {
    pub(crate) id: Option<QueueId>,
    /// How often the number was taken from a queue.
    pub(crate) generation: u16,
    /// Whether no queue has the number.
    pub(crate) is_vacant: bool,
    pub(crate) head: Offset,
    pub(crate) next: Offset,
    pub(crate) holes: Ranges,
    pub(crate) extents: Extents,
    pub(crate) waiting: Counts,
    pub(crate) tallies: Tallies,
    pub(crate) policies: BTreeMap<u32, Overflow>,
    /// What was found to be lost.
    pub(crate) lost: Ranges,
    /// What is neither there nor given up.
    gaps: Ranges,
}

impl Replay {
    pub(super) fn apply(&mut self, effect: Effect) {
        match effect {
            Effect::Entry(queue, entry) => self.queues.entry(queue).or_default().push(&entry),
            Effect::Queue { number, generation, head, next, priority, endpoint } => {
                let queue = self.queues.entry(number).or_default();
                if queue.generation != generation {
                    // What was said of it was said of another queue.
                    let before = queue.id.take();
                    queue.generation = generation;
                    (queue.tallies, queue.policies) = (Tallies::default(), BTreeMap::new());
                    before.map(|id| self.numbers.remove(&id));
                }
                let priority = Priority::new(priority).unwrap_or(Priority::DEFAULT);
                if let Ok(endpoint) = endpoint.parse::<EndpointId>() {
                    self.name(number, QueueId::new(endpoint, priority));
                }
                let queue = self.queues.entry(number).or_default();
                queue.is_vacant = endpoint.is_empty();
                queue.move_head(head);
                queue.next = queue.next.max(next);
            }
            Effect::Route { number, name } => {
                if let Ok(name) = name.parse() {
                    self.routes.insert(number, name);
                }
            }
            Effect::Trim { queue, head } => self.queues.entry(queue).or_default().move_head(head),
            Effect::Hole { queue, from, to } => self.queues.entry(queue).or_default().give_up(from, to),
            Effect::Account { queue, route, tally } => {
                let known = self.queues.entry(queue).or_default().tallies.of(route);
                *known = known.max(&tally);
            }
            Effect::Policy { queue, route, overflow } => {
                self.queues.entry(queue).or_default().policies.insert(route, overflow);
            }
        }
    }

    /// Gives a queue its name; who had it before loses it, for what is in two queues must not be read as one.
    fn name(&mut self, number: u32, id: QueueId) {
        let before = self.queues.entry(number).or_default().id.replace(id.clone());
        if before.as_ref() == Some(&id) {
            return;
        }
        if let Some(before) = before {
            self.numbers.remove(&before);
        }
        if let Some(other) = self.numbers.insert(id, number)
            && let Some(robbed) = self.queues.get_mut(&other)
        {
            robbed.id = None;
        }
    }

    /// Adds entries that an index tells of.
    pub(super) fn add_extent(&mut self, queue: u32, extent: Extent) {
        self.queues.entry(queue).or_default().add(&extent);
    }

    /// All has been read: finds out what waits and what is missing.
    pub(super) fn finish(&mut self) {
        for queue in self.queues.values_mut() {
            queue.finish();
            // A log that was made up may say so of a queue that has entries.
            queue.is_vacant &= queue.waiting.is_empty() && queue.gaps.is_empty();
        }
        let named = self.queues.iter().filter(|(_, queue)| queue.id.is_some() || queue.is_vacant);
        let named = named.map(|(&number, _)| number + 1).next_back().unwrap_or(0);
        for (number, queue) in self.queues.split_off(&named.saturating_add(MAX_NAMELESS)) {
            let entries = queue.waiting.iter().map(|(_, entries)| entries).sum::<u64>() + queue.gaps.total();
            self.nameless.push(Lost { queue: lost_queue(number), entries });
        }
        let known = self.queues.last_key_value().map_or(0, |(&number, _)| number + 1);
        for number in 0..known {
            let queue = self.queues.entry(number).or_default();
            if queue.id.is_none() && !queue.is_vacant {
                let mut id = lost_queue(number);
                let mut others = number;
                while self.numbers.contains_key(&id) {
                    others += known;
                    id = lost_queue(others);
                }
                tracing::error!(number, name = %id, "a queue of the log has no name, or one that another has");
                self.numbers.insert(id.clone(), number);
                queue.id = Some(id);
            }
        }
    }

    pub(super) fn entries(&self) -> u64 {
        let waiting = self.queues.values().flat_map(|queue| queue.waiting.iter());
        waiting.map(|(_, entries)| entries).sum()
    }

    /// Returns how many entries are missing of which queue.
    pub(super) fn lost(&self) -> Vec<Lost> {
        let with_gaps =
            self.queues.values().filter_map(|queue| Some((queue.id.clone()?, queue.gaps.total())));
        with_gaps
            .filter(|(_, entries)| *entries > 0)
            .map(|(queue, entries)| Lost { queue, entries })
            .chain(self.nameless.iter().cloned())
            .collect()
    }

    /// Returns what was in queues that could not even get another name.
    pub(super) fn nameless(&self) -> Vec<Lost> {
        self.nameless.clone()
    }

    /// Gives up what is missing, and counts it: as damaged, or as removed when nothing else is wrong. Of which routes it
    /// was, nobody knows any more.
    pub(super) fn give_up_gaps(&mut self, cause: DropCause) {
        if self.queues.values().all(|queue| queue.gaps.is_empty()) {
            return;
        }
        let route = self.lost_entries_route();
        for queue in self.queues.values_mut() {
            let gaps = std::mem::take(&mut queue.gaps);
            if gaps.is_empty() {
                continue;
            }
            queue.tallies.of(route).add(Some(cause), gaps.total());
            for (from, to) in gaps.iter() {
                queue.holes.insert(from, to);
            }
            if cause == DropCause::Damaged {
                queue.lost = gaps;
            }
        }
    }

    /// Returns the number of the route on whose account lost entries go.
    fn lost_entries_route(&mut self) -> u32 {
        let routes = self.routes();
        let name = lost_entries();
        let known = (0..).zip(&routes).find(|(_, known)| **known == name).map(|(number, _)| number);
        let number =
            known.or_else(|| u32::try_from(routes.len()).ok()).unwrap_or_default().min(MAX_NUMBERS - 1);
        self.routes.entry(number).or_insert(name);
        number
    }

    /// Returns the names of all routes, by number.
    pub(crate) fn routes(&self) -> Vec<RouteName> {
        let used = self.queues.values().flat_map(|queue| {
            queue.waiting.iter().map(|(route, _)| route).chain(queue.tallies.iter().map(|(route, _)| route))
        });
        let known = self.routes.keys().copied().chain(used).max().map_or(0, |highest| highest + 1);
        (0..known)
            .map(|number| self.routes.get(&number).cloned().unwrap_or_else(|| lost_route(number)))
            .collect()
    }

    /// Returns the same as a writer knows it.
    pub(crate) fn ledger(&self) -> Ledger {
        let queues = self.queues.values().map(|queue| {
            let (head, next, holes) = (queue.head, queue.next, queue.holes.clone());
            let (tallies, policies) = (queue.tallies.clone(), queue.policies.clone());
            let (id, generation) = (queue.id.clone(), queue.generation);
            LoggedQueue { id, generation, head, next, holes, tallies, policies }
        });
        Ledger::new(queues.collect(), self.routes())
    }
}

/// Returns the name of a queue whose name is lost to damage.
fn lost_queue(number: u32) -> QueueId {
    let endpoint = format!("lost-queue-{number}").parse().expect("a plain name parses");
    QueueId::new(endpoint, Priority::DEFAULT)
}

impl ReplayedQueue {
    fn push(&mut self, entry: &Placed) {
        self.next = self.next.max(entry.offset + 1);
        self.extents.add(entry);
    }

    fn add(&mut self, extent: &Extent) {
        self.next = self.next.max(extent.end());
        self.extents.insert(extent);
    }

    fn move_head(&mut self, head: Offset) {
        self.head = self.head.max(head);
        self.next = self.next.max(self.head);
        while self.extents.first().is_some_and(|extent| extent.end() <= self.head) {
            self.extents.pop_first();
        }
    }

    fn give_up(&mut self, from: Offset, to: Offset) {
        self.holes.insert(from, to);
        self.next = self.next.max(to);
    }

    fn finish(&mut self) {
        self.holes.drop_below(self.head);
        let mut at = self.head;
        for extent in std::mem::take(&mut self.extents).iter() {
            self.note_gap(at, extent.first);
            at = at.max(extent.end());
            for (from, to) in self.holes.outside(extent.first.max(self.head), extent.end()) {
                if let Some(part) = extent.slice(from, to) {
                    self.extents.insert(&part);
                }
            }
        }
        self.note_gap(at, self.next);
        for extent in self.extents.iter() {
            for (route, entries) in extent.count_routes(extent.first, extent.end()).iter() {
                self.waiting.add(route, entries);
            }
        }
    }

    /// Notes which offsets from `from` up to, not including, `to` were not given up.
    fn note_gap(&mut self, from: Offset, to: Offset) {
        for (from, to) in self.holes.outside(from, to) {
            self.gaps.insert(from, to);
        }
    }
}
