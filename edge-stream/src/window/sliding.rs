//! Sliding windows: for each time at which an event came, what came in the `size` before it.

use std::collections::VecDeque;

use super::Closed;
use crate::stats::{Group, Rules};

/// The events of one key, by time, with the sums of those in the window that slides over them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sliding {
    pub(crate) events: VecDeque<(i64, Box<[f64]>)>,
    /// How many events, from the front, are in the group.
    pub(crate) inside: usize,
    pub(crate) group: Group,
    /// The latest event that was dropped to keep within the limit.
    pub(crate) dropped: Option<i64>,
}

impl Sliding {
    pub(crate) fn new(fields: usize) -> Self {
        Self { events: VecDeque::new(), inside: 0, group: Group::new(fields), dropped: None }
    }

    pub(super) fn add(&mut self, size: i64, time: i64, values: &[f64], mark: i64, rules: Rules<'_>) -> bool {
        if time + size <= mark {
            return false;
        }
        let at = self.events.partition_point(|(known, _)| *known <= time);
        self.events.insert(at, (time, values.into()));
        if time < mark {
            // Its own window has closed; it counts in those that are still open.
            self.group.enter(values, rules);
            self.inside += 1;
        }
        if self.events.len() > rules.limit {
            let first = self.events.front().map(|(time, _)| *time);
            self.dropped = self.dropped.max(first);
            self.drop_first(rules);
        }
        true
    }

    pub(super) fn close(&mut self, size: i64, to: i64, rules: Rules<'_>, out: &mut dyn FnMut(Closed<'_>)) {
        while let Some(time) = self.events.get(self.inside).map(|(time, _)| *time).filter(|time| *time < to) {
            while let Some((_, values)) = self.events.get(self.inside).filter(|(at, _)| *at == time) {
                self.group.enter(values, rules);
                self.inside += 1;
            }
            self.drop_until(time - size, rules);
            let lost = u64::from(self.dropped.is_some_and(|dropped| dropped > time - size));
            self.group.fields.iter_mut().for_each(|stats| stats.lost = lost);
            out(Closed { start: time + 1 - size, end: time + 1, group: &mut self.group });
        }
        self.drop_until(to - size, rules);
    }

    /// Drops the events up to `time`, that included.
    fn drop_until(&mut self, time: i64, rules: Rules<'_>) {
        while self.inside > 0 && self.events.front().is_some_and(|(at, _)| *at <= time) {
            self.drop_first(rules);
        }
    }

    fn drop_first(&mut self, rules: Rules<'_>) {
        if let Some((_, values)) = self.events.pop_front()
            && self.inside > 0
        {
            self.group.leave(&values, rules);
            self.inside -= 1;
        }
    }

    pub(super) fn last_end(&self) -> Option<i64> {
        (self.inside < self.events.len()).then(|| self.events.back().map(|(time, _)| *time + 1)).flatten()
    }

    pub(super) fn held(&self) -> usize {
        self.events.len() * (1 + self.group.fields.len()) + self.group.held()
    }
}
