//! All entries of a queue that are on disk.

use std::collections::VecDeque;
use std::collections::vec_deque::Iter;

use super::Extent;

/// One entry and where it stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed {
    pub(crate) segment: u64,
    pub(crate) position: u32,
    /// Bytes of the record.
    pub(crate) bytes: u32,
    pub(crate) offset: u64,
    pub(crate) route: u32,
    pub(crate) expires: u64,
}

/// Extents by rising offset, none of which overlap.
#[derive(Debug, Default)]
pub(crate) struct Extents {
    extents: VecDeque<Extent>,
}

/// What replacing has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Replaced {
    /// How many extents fewer the old segment has.
    pub(crate) fewer: u64,
    /// How many bytes fewer are waited for there.
    pub(crate) fewer_bytes: u64,
    /// How many extents were made.
    pub(crate) made: u64,
    /// How many bytes are in them.
    pub(crate) made_bytes: u64,
}

impl Extents {
    /// Adds an entry, and returns whether it needed an extent of its own; one that is there already is left as it is.
    ///
    /// Most entries come behind all others; one that was moved from an older segment comes between them.
    pub(crate) fn add(&mut self, entry: &Placed) -> bool {
        let mut at = self.extents.len();
        if self.end() > entry.offset {
            at = self.at(entry.offset);
            if self.extents.get(at).is_some_and(|extent| extent.contains(entry.offset)) {
                return false;
            }
        }
        if let Some(before) = at.checked_sub(1).and_then(|before| self.extents.get_mut(before))
            && before.segment == entry.segment
            && before.end() == entry.offset
            && before.push(entry.route, entry.expires, entry.position, entry.bytes)
        {
            return false;
        }
        let mut extent = Extent::new(entry.segment, entry.offset);
        extent.push(entry.route, entry.expires, entry.position, entry.bytes);
        self.extents.insert(at, extent);
        true
    }

    /// Adds those entries of an extent that are not there already.
    pub(crate) fn insert(&mut self, extent: &Extent) {
        let mut from = extent.first;
        while from < extent.end() {
            let at = self.at(from);
            let next = self.extents.get(at);
            if let Some(next) = next.filter(|next| next.contains(from)) {
                from = next.end();
                continue;
            }
            let to = next.map_or_else(|| extent.end(), |next| next.first.min(extent.end()));
            if let Some(part) = extent.slice(from, to) {
                self.extents.insert(at, part);
            }
            from = to;
        }
    }

    /// Replaces extents of one segment by entries that were moved out of it, by rising offset, all of one queue.
    ///
    /// What a replaced extent has below its first moved entry is gone; what it has above the last one stays.
    pub(crate) fn replace(&mut self, segment: u64, mut moved: &[Placed]) -> Replaced {
        let mut replaced = Replaced::default();
        while let Some(first) = moved.first() {
            let at = self.at(first.offset);
            let old = self.extents.get(at).filter(|old| old.segment == segment && old.contains(first.offset));
            let Some(old) = old.cloned() else {
                moved = moved.get(1..).unwrap_or_default();
                continue;
            };
            let count = moved.partition_point(|entry| entry.offset < old.end());
            let (these, others) = moved.split_at(count);
            moved = others;
            let mut parts = Self::default();
            for entry in these {
                replaced.made += u64::from(parts.add(entry));
                replaced.made_bytes += u64::from(entry.bytes);
            }
            let mut rest = old.slice(parts.end(), old.end());
            if let Some(rest) = &mut rest {
                rest.left = rest.left.min(old.left);
            }
            replaced.fewer += u64::from(rest.is_none());
            replaced.fewer_bytes += old.left - rest.as_ref().map_or(0, |rest| rest.left);
            self.extents.remove(at);
            for part in parts.extents.into_iter().chain(rest).rev() {
                self.extents.insert(at, part);
            }
        }
        replaced
    }

    /// Takes out those extents that reach into the range and for which `leaves` says so.
    pub(crate) fn take_within(
        &mut self,
        from: u64,
        to: u64,
        mut leaves: impl FnMut(&Extent) -> bool,
    ) -> Vec<Extent> {
        let mut taken = Vec::new();
        let mut at = self.at(from);
        while let Some(extent) = self.extents.get(at).filter(|extent| extent.first < to) {
            if leaves(extent) {
                taken.extend(self.extents.remove(at));
            } else {
                at += 1;
            }
        }
        taken
    }

    /// Returns the extents that reach into the range.
    pub(crate) fn within(&self, from: u64, to: u64) -> impl Iterator<Item = &Extent> {
        self.extents.range(self.at(from)..).take_while(move |extent| extent.first < to)
    }

    /// Returns the extents that reach into the range.
    pub(crate) fn within_mut(&mut self, from: u64, to: u64) -> impl Iterator<Item = &mut Extent> {
        let at = self.at(from);
        self.extents.range_mut(at..).take_while(move |extent| extent.first < to)
    }

    /// Takes out the first extent.
    pub(crate) fn pop_first(&mut self) -> Option<Extent> {
        self.extents.pop_front()
    }

    pub(crate) fn first(&self) -> Option<&Extent> {
        self.extents.front()
    }

    /// Returns the first extent that ends above `offset`.
    pub(crate) fn reaching_above(&self, offset: u64) -> Option<&Extent> {
        self.extents.get(self.at(offset))
    }

    /// Returns the offset behind the last entry.
    pub(crate) fn end(&self) -> u64 {
        self.extents.back().map_or(0, Extent::end)
    }

    pub(crate) fn iter(&self) -> Iter<'_, Extent> {
        self.extents.iter()
    }

    /// Gives back the spare memory of the extents of a segment: no entry is added to them any more.
    pub(crate) fn shrink(&mut self, segment: u64) {
        self.extents.iter_mut().rev().take_while(|extent| extent.segment >= segment).for_each(Extent::shrink);
    }

    fn at(&self, offset: u64) -> usize {
        self.extents.partition_point(|extent| extent.end() <= offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(segment: u64, offset: u64) -> Placed {
        let position = u32::try_from(offset).unwrap() * 100;
        Placed { segment, position, bytes: 100, offset, route: 1, expires: 0 }
    }

    fn extents(entries: &[(u64, std::ops::Range<u64>)]) -> Extents {
        let mut extents = Extents::default();
        for (segment, offsets) in entries {
            for offset in offsets.clone() {
                extents.add(&placed(*segment, offset));
            }
        }
        extents
    }

    fn check(extents: &Extents, expected: &[(u64, std::ops::Range<u64>)]) {
        let found: Vec<_> = extents.iter().map(|e| (e.segment, e.first..e.end())).collect();
        assert_eq!(found, expected);
    }

    fn replace(extents: &mut Extents, segment: u64, moved: &[Placed]) -> (u64, u64) {
        let replaced = extents.replace(segment, moved);
        (replaced.fewer, replaced.made)
    }

    #[test]
    fn entries_find_their_place() {
        check(&extents(&[(1, 0..5), (2, 5..7)]), &[(1, 0..5), (2, 5..7)]);
        check(&extents(&[(2, 5..7), (3, 0..4)]), &[(3, 0..4), (2, 5..7)]);
        check(&extents(&[(1, 0..5), (2, 3..7)]), &[(1, 0..5), (2, 5..7)]);
        check(&extents(&[(1, 0..2), (1, 4..6), (3, 1..5)]), &[(1, 0..2), (3, 2..4), (1, 4..6)]);
    }

    #[test]
    fn an_extent_fills_what_is_missing() {
        let mut found = extents(&[(1, 2..4), (1, 6..8)]);
        found.insert(extents(&[(9, 0..10)]).first().unwrap());
        check(&found, &[(9, 0..2), (1, 2..4), (9, 4..6), (1, 6..8), (9, 8..10)]);
    }

    #[test]
    fn moved_entries_take_the_place_of_the_old_ones() {
        let mut found = extents(&[(1, 0..5), (2, 5..9)]);
        assert_eq!(replace(&mut found, 1, &[placed(3, 1), placed(3, 2)]), (0, 1));
        check(&found, &[(3, 1..3), (1, 3..5), (2, 5..9)]);
        assert_eq!(replace(&mut found, 1, &[placed(3, 2), placed(3, 3), placed(3, 4)]), (1, 1));
        check(&found, &[(3, 1..3), (3, 3..5), (2, 5..9)]);
        assert_eq!(replace(&mut found, 1, &[placed(3, 6)]), (0, 0));
    }

    #[test]
    fn what_is_left_behind_is_a_gap() {
        let mut found = extents(&[(1, 0..6)]);
        assert_eq!(replace(&mut found, 1, &[placed(3, 1), placed(3, 4), placed(3, 5)]), (1, 2));
        check(&found, &[(3, 1..2), (3, 4..6)]);
    }
}
