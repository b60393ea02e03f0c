//! A set of offsets, kept as ranges.

use std::collections::BTreeMap;

/// A set of offsets as ranges that neither touch nor overlap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ranges {
    /// Start to end, the end not included.
    ranges: BTreeMap<u64, u64>,
}

impl Ranges {
    pub(crate) fn insert(&mut self, from: u64, to: u64) {
        let (mut from, mut to) = (from, to);
        if from >= to {
            return;
        }
        while let Some((&start, &end)) = self.ranges.range(..=to).next_back() {
            if end < from {
                break;
            }
            from = from.min(start);
            to = to.max(end);
            self.ranges.remove(&start);
        }
        self.ranges.insert(from, to);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Returns the end of the range that holds `offset`.
    pub(crate) fn end_of(&self, offset: u64) -> Option<u64> {
        self.ranges.range(..=offset).next_back().map(|(_, &end)| end).filter(|&end| end > offset)
    }

    /// Returns the start of the first range above `offset`.
    pub(crate) fn start_after(&self, offset: u64) -> Option<u64> {
        self.ranges.range(offset..).next().map(|(&start, _)| start)
    }

    /// Forgets what lies below `offset`.
    pub(crate) fn drop_below(&mut self, offset: u64) {
        while let Some((&start, &end)) = self.ranges.first_key_value() {
            if start >= offset {
                break;
            }
            self.ranges.remove(&start);
            if end > offset {
                self.ranges.insert(offset, end);
                break;
            }
        }
    }

    /// Returns the parts of `from` up to, not including, `to` that are in no range.
    pub(crate) fn outside(&self, from: u64, to: u64) -> impl Iterator<Item = (u64, u64)> + '_ {
        let mut at = from;
        std::iter::from_fn(move || {
            while let Some(end) = self.end_of(at) {
                at = end;
            }
            let start = at;
            at = self.start_after(start).map_or(to, |next| next.min(to)).max(start);
            (start < at).then_some((start, at))
        })
    }

    /// Returns how many offsets from `from` up to, not including, `to` are in the set.
    pub(crate) fn overlap(&self, from: u64, to: u64) -> u64 {
        let outside: u64 = self.outside(from, to).map(|(from, to)| to - from).sum();
        to.saturating_sub(from) - outside
    }

    /// Takes out what lies from `from` up to, not including, `to`.
    pub(crate) fn remove(&mut self, from: u64, to: u64) {
        while let Some((&start, &end)) = self.ranges.range(..to).next_back().filter(|&(_, &end)| end > from) {
            self.ranges.remove(&start);
            if end > to {
                self.ranges.insert(to, end);
            }
            if start < from {
                self.ranges.insert(start, from);
                break;
            }
        }
    }

    /// Returns the first offset at or above `offset`.
    pub(crate) fn first_from(&self, offset: u64) -> Option<u64> {
        if self.end_of(offset).is_some() { Some(offset) } else { self.start_after(offset) }
    }

    /// Returns how many ranges there are.
    pub(crate) fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Returns how many offsets are in the set.
    pub(crate) fn total(&self) -> u64 {
        self.iter().map(|(from, to)| to - from).sum()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.ranges.iter().map(|(&from, &to)| (from, to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(inserts: &[(u64, u64)], expected: &[(u64, u64)]) {
        let mut ranges = Ranges::default();
        for &(from, to) in inserts {
            ranges.insert(from, to);
        }
        assert_eq!(ranges.iter().collect::<Vec<_>>(), expected, "{inserts:?}");
    }

    #[test]
    fn ranges_that_touch_become_one() {
        check(&[(1, 2), (4, 5)], &[(1, 2), (4, 5)]);
        check(&[(1, 2), (2, 3)], &[(1, 3)]);
        check(&[(5, 9), (1, 3), (2, 6)], &[(1, 9)]);
        check(&[(1, 9), (3, 4)], &[(1, 9)]);
        check(&[(3, 3)], &[]);
    }

    #[test]
    fn what_is_outside_is_what_is_not_inside() {
        let mut ranges = Ranges::default();
        ranges.insert(2, 4);
        ranges.insert(6, 8);
        assert_eq!(ranges.outside(0, 10).collect::<Vec<_>>(), [(0, 2), (4, 6), (8, 10)]);
        assert_eq!(ranges.outside(3, 7).collect::<Vec<_>>(), [(4, 6)]);
        assert_eq!(ranges.outside(2, 4).count(), 0);
        assert_eq!(ranges.outside(5, 5).count(), 0);
        assert_eq!(ranges.outside(9, 3).count(), 0);
    }

    #[test]
    fn what_is_taken_out_is_outside() {
        let mut ranges = Ranges::default();
        ranges.insert(1, 9);
        ranges.insert(12, 20);
        ranges.remove(3, 5);
        ranges.remove(8, 13);
        ranges.remove(30, 40);
        assert_eq!(ranges.iter().collect::<Vec<_>>(), [(1, 3), (5, 8), (13, 20)]);
        assert_eq!(
            (ranges.first_from(2), ranges.first_from(3), ranges.first_from(20)),
            (Some(2), Some(5), None)
        );
        ranges.remove(0, 99);
        assert_eq!(ranges.len(), 0);
    }

    #[test]
    fn what_is_below_is_dropped() {
        let mut ranges = Ranges::default();
        ranges.insert(1, 3);
        ranges.insert(5, 9);
        ranges.drop_below(6);
        assert_eq!(ranges.iter().collect::<Vec<_>>(), [(6, 9)]);
        assert_eq!(ranges.end_of(6), Some(9));
        assert_eq!(ranges.end_of(9), None);
        assert_eq!(ranges.start_after(2), Some(6));
    }
}
