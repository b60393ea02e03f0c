//! Which of many intervals hold a number: in time that grows with those that do.

use alloc::vec::Vec;

use super::set::Interval;

/// Intervals sorted by their low ends, each with the highest end of the subtree it is the middle of.
#[derive(Debug, Default)]
pub(super) struct Intervals {
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    interval: Interval,
    highest: f64,
    route: u32,
}

impl Intervals {
    pub(super) fn new(intervals: impl IntoIterator<Item = (Interval, u32)>) -> Self {
        let mut entries: Vec<Entry> = intervals
            .into_iter()
            .map(|(interval, route)| Entry { interval, highest: interval.high, route })
            .collect();
        entries.sort_by(|a, b| a.interval.low.total_cmp(&b.interval.low));
        fill(&mut entries);
        Self { entries }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds to `found` the routes whose interval holds `value`.
    pub(super) fn find(&self, value: f64, found: &mut Vec<u32>) {
        visit(&self.entries, value, found);
    }
}

fn fill(entries: &mut [Entry]) -> f64 {
    let middle = entries.len() / 2;
    let (left, rest) = entries.split_at_mut(middle);
    let Some((entry, right)) = rest.split_first_mut() else { return f64::NEG_INFINITY };
    entry.highest = entry.interval.high.max(fill(left)).max(fill(right));
    entry.highest
}

fn visit(entries: &[Entry], value: f64, found: &mut Vec<u32>) {
    let (left, rest) = entries.split_at(entries.len() / 2);
    let Some((entry, right)) = rest.split_first() else { return };
    if entry.highest < value {
        return;
    }
    visit(left, value, found);
    if entry.interval.low <= value {
        if entry.interval.contains(value) {
            found.push(entry.route);
        }
        visit(right, value, found);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn finds_what_a_walk_finds(bounds in prop::collection::vec((-9_i8..9, 0_i8..6, any::<bool>(), any::<bool>()), 0..60), value in -10_i8..16) {
            let intervals: Vec<Interval> = bounds
                .iter()
                .map(|&(low, width, low_in, high_in)| Interval { low: low.into(), high: (low + width).into(), low_in, high_in })
                .collect();
            let index = Intervals::new(intervals.iter().copied().zip(0..));
            let mut found = Vec::new();
            index.find(value.into(), &mut found);
            found.sort_unstable();
            let expected: Vec<u32> =
                (0..).zip(&intervals).filter(|(_, interval)| interval.contains(value.into())).map(|(at, _)| at).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
