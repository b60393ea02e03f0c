//! Tumbling and hopping windows, over panes: an event is counted once, however many windows it is in.

use std::collections::BTreeMap;

use super::{Closed, floor};
use crate::stats::{Group, Rules};

/// The panes of one key, by where they begin.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Panes {
    pub(crate) panes: BTreeMap<i64, Group>,
    pub(crate) held: usize,
}

/// Size, hop and offset.
type Times = (i64, i64, i64);

/// Returns how long a pane is: windows begin and end between two.
pub(crate) fn pane((size, hop, _): Times) -> i64 {
    let (mut a, mut b) = (size, hop);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Returns the end of the last window that has `time` in it.
fn last_window_end((size, hop, offset): Times, time: i64) -> i64 {
    floor(time, hop, offset) + size
}

impl Panes {
    pub(super) fn add(
        &mut self,
        times: Times,
        time: i64,
        values: &[f64],
        mark: i64,
        rules: Rules<'_>,
    ) -> bool {
        if last_window_end(times, time) <= mark {
            return false;
        }
        let start = floor(time, pane(times), times.2);
        let group = self.panes.entry(start).or_insert_with(|| Group::new(rules.needs.len()));
        let before = group.held();
        group.add(values, rules);
        self.held += group.held() - before;
        true
    }

    pub(super) fn close(
        &mut self,
        times: Times,
        (from, to): (i64, i64),
        rules: Rules<'_>,
        out: &mut dyn FnMut(Closed<'_>),
    ) {
        let (size, hop, offset) = times;
        let width = pane(times);
        // Ends are multiples of the hop as starts are, moved by the size.
        let end_at = |time: i64| floor(time + hop - 1, hop, offset + size);
        let mut after = from;
        while let Some((&first, _)) = self.panes.first_key_value() {
            let end = end_at(first + width).max(end_at(after + 1));
            if end > to {
                break;
            }
            if hop == size {
                if let Some(mut group) = self.panes.remove(&first) {
                    self.held -= group.held();
                    group.sort();
                    out(Closed { start: end - size, end, group: &mut group });
                }
            } else {
                let mut group = Group::new(rules.needs.len());
                for pane in self.panes.range(end - size..end).map(|(_, pane)| pane) {
                    group.merge(pane, rules);
                }
                if group.events > 0 {
                    group.sort();
                    out(Closed { start: end - size, end, group: &mut group });
                }
            }
            self.drop_until(times, end);
            after = end;
        }
    }

    /// Drops panes that are in no window which ends above `end`.
    fn drop_until(&mut self, times: Times, end: i64) {
        while let Some(entry) = self.panes.first_entry() {
            if last_window_end(times, *entry.key()) > end {
                break;
            }
            self.held -= entry.remove().held();
        }
    }

    pub(super) fn last_end(&self, times: Times) -> Option<i64> {
        self.panes.last_key_value().map(|(start, _)| last_window_end(times, *start))
    }

    pub(super) fn held(&self) -> usize {
        self.held
    }
}
