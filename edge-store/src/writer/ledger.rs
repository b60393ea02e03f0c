//! What the log says so far: what a reader would know who had read it up to here.

use std::collections::BTreeMap;

use edge_core::{QueueId, RouteName};

use crate::index::Ranges;
use crate::log::Encoder;
use crate::state::Queue;

/// The queues and routes as the log describes them; what waits to be written is not in it yet.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) queues: Vec<LoggedQueue>,
    pub(crate) routes: Vec<RouteName>,
    /// What is to be written next, by queue: the new head, and what was given up.
    news: BTreeMap<u32, (Option<u64>, Ranges)>,
}

/// A queue as the log describes it.
#[derive(Debug)]
pub(crate) struct LoggedQueue {
    pub(crate) id: QueueId,
    pub(crate) head: u64,
    pub(crate) next: u64,
    pub(crate) holes: Ranges,
}

impl Ledger {
    pub(crate) fn new(queues: Vec<LoggedQueue>, routes: Vec<RouteName>) -> Self {
        Self { queues, routes, news: BTreeMap::new() }
    }

    /// Returns the offset of the next entry of a queue, and counts it.
    pub(crate) fn next_offset(&mut self, queue: u32) -> u64 {
        let Some(queue) = self.queues.get_mut(queue as usize) else { return 0 };
        queue.next += 1;
        queue.next - 1
    }

    pub(crate) fn add_queue(&mut self, id: &QueueId) {
        self.queues.push(LoggedQueue { id: id.clone(), head: 0, next: 0, holes: Ranges::default() });
    }

    /// Notes a head that is to be written.
    pub(crate) fn trim_later(&mut self, queue: u32, head: u64) {
        self.news.entry(queue).or_default().0 = Some(head);
    }

    /// Notes given up offsets that are to be written.
    pub(crate) fn give_up_later(&mut self, queue: u32, from: u64, to: u64) {
        self.news.entry(queue).or_default().1.insert(from, to);
    }

    /// Notes the heads and holes that the queues have by now.
    pub(crate) fn catch_up(&mut self, queues: &[Queue]) {
        for (number, (logged, queue)) in (0..).zip(self.queues.iter().zip(queues)) {
            if queue.head > logged.head {
                self.news.entry(number).or_default().0 = Some(queue.head);
            }
            let holes = queue.holes.iter().flat_map(|(from, to)| logged.holes.outside(from, to));
            for (from, to) in holes {
                self.news.entry(number).or_default().1.insert(from, to);
            }
        }
    }

    pub(crate) fn has_news(&self) -> bool {
        !self.news.is_empty()
    }

    /// Writes what was noted, as far as the log has the entries; the rest stays noted.
    pub(crate) fn write_news(&mut self, encoder: &mut Encoder) {
        for (number, (head, holes)) in std::mem::take(&mut self.news) {
            let Some(queue) = self.queues.get_mut(number as usize) else { continue };
            let next = queue.next;
            for (from, to) in holes.iter() {
                if from < next {
                    encoder.hole(true, number, from, to.min(next));
                    queue.holes.insert(from, to.min(next));
                }
                if to > next {
                    self.news.entry(number).or_default().1.insert(from.max(next), to);
                }
            }
            if let Some(head) = head {
                encoder.trim(true, number, head.min(next));
                queue.head = head.min(next);
                if head > next {
                    self.news.entry(number).or_default().0 = Some(head);
                }
            }
            queue.holes.drop_below(queue.head);
        }
    }

    /// Writes all of it: with this at its beginning a segment needs none of those before it.
    pub(crate) fn snapshot(&self, encoder: &mut Encoder) {
        let holes: usize = self.queues.iter().map(|queue| queue.holes.iter().count()).sum();
        let mut left = self.queues.len() + holes + self.routes.len();
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
        }
    }
}
