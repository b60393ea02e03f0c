//! What the log says so far: what a reader would know who had read it up to here.

use std::collections::BTreeSet;

use edge_core::{QueueId, RouteName};

use crate::index::Ranges;
use crate::log::Encoder;
use crate::state::{State, Tallies};

/// The queues and routes as the log describes them; what waits to be written is not in it yet.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) queues: Vec<LoggedQueue>,
    pub(crate) routes: Vec<RouteName>,
    /// Queues that entries have left since they were written.
    changed: BTreeSet<u32>,
    /// What is to be written next.
    news: Vec<News>,
}

/// What has left one queue.
#[derive(Debug)]
struct News {
    number: u32,
    head: Option<u64>,
    holes: Ranges,
    tallies: Tallies,
}

/// A queue as the log describes it.
#[derive(Debug)]
pub(crate) struct LoggedQueue {
    pub(crate) id: QueueId,
    pub(crate) head: u64,
    pub(crate) next: u64,
    pub(crate) holes: Ranges,
    pub(crate) tallies: Tallies,
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

    pub(crate) fn add_queue(&mut self, id: &QueueId) {
        let (holes, tallies) = (Ranges::default(), Tallies::default());
        self.queues.push(LoggedQueue { id: id.clone(), head: 0, next: 0, holes, tallies });
    }

    /// Lets it be written later what has left these queues.
    pub(crate) fn write_later(&mut self, queues: impl IntoIterator<Item = u32>) {
        self.changed.extend(queues);
    }

    pub(crate) fn has_news(&self) -> bool {
        !self.changed.is_empty()
    }

    /// Takes note of what has left the queues that changed, as far as the log has the entries; the rest is for later.
    ///
    /// Heads, holes and tallies of one call belong together: the log must have all of them or none.
    pub(crate) fn note_news(&mut self, state: &mut State) {
        for number in std::mem::take(&mut self.changed) {
            let queue = state.queues.get_mut(number as usize);
            let (Some(queue), Some(logged)) = (queue, self.queues.get_mut(number as usize)) else {
                self.changed.insert(number);
                continue;
            };
            let head = queue.head.min(logged.next);
            let known = self.routes.len() as u64;
            let (tallies, unknown) = queue.tallies_below(logged.next, known);
            let news = News {
                number,
                head: (head > logged.head).then_some(head),
                holes: queue.fresh_holes.take_below(logged.next),
                tallies: tallies.changed_since(&logged.tallies),
            };
            if unknown || queue.head > logged.next || !queue.fresh_holes.is_empty() {
                self.changed.insert(number);
            }
            logged.head = head.max(logged.head);
            for (from, to) in news.holes.iter() {
                logged.holes.insert(from, to);
            }
            logged.holes.drop_below(logged.head);
            logged.tallies = tallies;
            self.news.push(news);
        }
    }

    /// Writes what was noted, as one batch.
    pub(crate) fn write_news(&mut self, encoder: &mut Encoder) {
        let records = |news: &News| {
            news.holes.iter().count() + usize::from(news.head.is_some()) + news.tallies.iter().count()
        };
        let mut left: usize = self.news.iter().map(records).sum();
        let mut last = || {
            left -= 1;
            left == 0
        };
        for News { number, head, holes, tallies } in self.news.drain(..) {
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
        let of_queue = |queue: &LoggedQueue| queue.holes.iter().count() + queue.tallies.iter().count();
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
            encoder.queue(last(), number, &queue.id, queue.head, queue.next);
            for (from, to) in queue.holes.iter() {
                encoder.hole(last(), number, from, to);
            }
            for (route, tally) in queue.tallies.iter() {
                encoder.account(last(), number, route, &tally);
            }
        }
    }
}
