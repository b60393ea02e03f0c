//! What the log says so far: what a reader would know who had read it up to here.

use std::collections::BTreeMap;

use edge_core::{Overflow, QueueId, RouteName};

use crate::index::Ranges;
use crate::log::Encoder;
use crate::state::{Leaving, State, Tallies, Tally};

/// The queues and routes as the log describes them; what waits to be written is not in it yet.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) queues: Vec<LoggedQueue>,
    pub(crate) routes: Vec<RouteName>,
    /// What has left the queues since it was last written, by queue number.
    news: BTreeMap<u32, News>,
}

/// How a queue is left, to be written next.
#[derive(Debug, Default)]
struct News {
    /// Whose news it is: the number may have been given to another queue since.
    generation: u16,
    head: u64,
    holes: Ranges,
    tallies: Tallies,
}

/// A queue as the log describes it.
#[derive(Debug, Default)]
pub(crate) struct LoggedQueue {
    /// `None` when no queue has the number.
    pub(crate) id: Option<QueueId>,
    pub(crate) generation: u16,
    pub(crate) head: u64,
    pub(crate) next: u64,
    pub(crate) holes: Ranges,
    pub(crate) tallies: Tallies,
    pub(crate) policies: BTreeMap<u32, Overflow>,
}

impl Ledger {
    pub(crate) fn new(queues: Vec<LoggedQueue>, routes: Vec<RouteName>) -> Self {
        Self { queues, routes, ..Self::default() }
    }

    /// Returns the offset of the next entry of a queue, and counts it.
    pub(crate) fn next_offset(&mut self, queue: u32) -> u64 {
        let Some(queue) = self.queues.get_mut(queue as usize) else { return 0 };
        queue.next += 1;
        queue.next - 1
    }

    /// A number has a queue now, or none; the next offset is `next` or, where it is later, what it was.
    pub(crate) fn set_queue(&mut self, number: u32, generation: u16, id: Option<&QueueId>, next: u64) {
        let new = || LoggedQueue { generation, ..LoggedQueue::default() };
        let at = number as usize;
        if self.queues.len() <= at {
            self.queues.resize_with(at + 1, new);
        }
        let Some(queue) = self.queues.get_mut(at) else { return };
        if queue.generation != generation {
            *queue = new();
        }
        queue.id = id.cloned();
        queue.next = queue.next.max(next);
        queue.head = queue.head.max(next);
    }

    pub(crate) fn set_tally(&mut self, queue: u32, route: u32, tally: &Tally) {
        if let Some(queue) = self.queues.get_mut(queue as usize) {
            *queue.tallies.of(route) = *tally;
        }
    }

    pub(crate) fn set_policy(&mut self, queue: u32, route: u32, overflow: &Overflow) {
        if let Some(queue) = self.queues.get_mut(queue as usize) {
            queue.policies.insert(route, overflow.clone());
        }
    }

    /// Takes note of what leaves with a batch, and returns the account of each route that it changes.
    pub(crate) fn leave(&mut self, leaving: &Leaving) -> Vec<(u32, Tally)> {
        let mut unknown = LoggedQueue::default();
        let queue = self.queues.get_mut(leaving.queue as usize).unwrap_or(&mut unknown);
        for &(from, to) in &leaving.ranges {
            queue.holes.insert(from, to);
        }
        queue.holes.drop_below(queue.head);
        let count = |(route, entries)| {
            let tally = queue.tallies.of(route);
            tally.add(None, entries);
            (route, *tally)
        };
        leaving.delivered.iter().map(count).collect()
    }

    pub(crate) fn has_news(&self) -> bool {
        !self.news.is_empty()
    }

    /// Takes note of what has left the queues that changed, to be written once the log has all that the state has.
    ///
    /// Heads, holes and tallies of one call belong together: the log must have all of them or none. What made them come
    /// about, as an entry does for which others had to leave, must be in the log before them.
    pub(crate) fn note_news(&mut self, state: &mut State) {
        let State { mail, queues, .. } = state;
        for number in mail.changed.drain(..) {
            let Some(queue) = queues.get_mut(number as usize) else { continue };
            queue.is_told = false;
            let news = self.news.entry(number).or_default();
            if news.generation != queue.generation {
                // What the one before had is on the account of another.
                *news = News { generation: queue.generation, ..News::default() };
            }
            news.head = queue.head;
            for (from, to) in std::mem::take(&mut queue.fresh_holes).iter() {
                news.holes.insert(from, to);
            }
            news.tallies = queue.tallies.clone();
        }
    }

    /// Writes what was noted, as one batch.
    pub(crate) fn write_news(&mut self, encoder: &mut Encoder) {
        let mut all = Vec::with_capacity(self.news.len());
        for (number, news) in std::mem::take(&mut self.news) {
            let Some(logged) = self.queues.get_mut(number as usize) else { continue };
            let News { generation, head, mut holes, tallies } = news;
            if generation != logged.generation {
                continue;
            }
            let head = (head > logged.head).then_some(head);
            logged.head = head.unwrap_or(logged.head);
            holes.drop_below(logged.head);
            for (from, to) in holes.iter() {
                logged.holes.insert(from, to);
            }
            logged.holes.drop_below(logged.head);
            let changed = tallies.changed_since(&logged.tallies);
            logged.tallies = tallies;
            all.push((number, head, holes, changed));
        }
        let records = |(_, head, holes, tallies): &(u32, Option<u64>, Ranges, Tallies)| {
            holes.iter().count() + usize::from(head.is_some()) + tallies.iter().count()
        };
        let mut left: usize = all.iter().map(records).sum();
        let mut last = || {
            left -= 1;
            left == 0
        };
        for (number, head, holes, tallies) in all {
            for (from, to) in holes.iter() {
                encoder.hole(last(), number, from, to);
            }
            for (route, tally) in tallies.iter() {
                encoder.account(last(), number, route, &tally);
            }
            if let Some(head) = head {
                encoder.trim(last(), number, head);
            }
        }
    }

    /// Writes all of it: with this at its beginning a segment needs none of those before it.
    pub(crate) fn snapshot(&self, encoder: &mut Encoder) {
        let of_queue = |queue: &LoggedQueue| {
            queue.policies.len() + queue.holes.iter().count() + queue.tallies.iter().count()
        };
        let mut left =
            self.queues.len() + self.routes.len() + self.queues.iter().map(of_queue).sum::<usize>();
        let mut last = || {
            left -= 1;
            left == 0
        };
        for (number, name) in (0..).zip(&self.routes) {
            encoder.route(last(), number, name);
        }
        for (number, queue) in (0..).zip(&self.queues) {
            encoder.queue(last(), number, queue.generation, queue.id.as_ref(), queue.head, queue.next);
            for (&route, overflow) in &queue.policies {
                encoder.policy(last(), number, route, overflow);
            }
            for (from, to) in queue.holes.iter() {
                encoder.hole(last(), number, from, to);
            }
            for (route, tally) in queue.tallies.iter() {
                encoder.account(last(), number, route, &tally);
            }
        }
    }
}
