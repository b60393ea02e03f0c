//! A run of entries of one queue in one segment.

use super::Counts;
use crate::log::NEVER;

/// Positions are kept at least this many bytes apart.
const POINT_BYTES: u32 = 64 * 1024;
/// The most routes in one extent: a route takes one byte per entry.
const MAX_ROUTES: usize = 256;

/// Entries of one queue with consecutive offsets that stand in one segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) segment: u64,
    pub(crate) first: u64,
    pub(crate) count: u32,
    /// Bytes of their records; a record that is in several queues counts for each.
    pub(crate) bytes: u64,
    /// Those of them that somebody waits for.
    pub(crate) left: u64,
    /// The latest expiry of an entry, [`NEVER`] when one never expires.
    pub(crate) max_expiry: u64,
    /// Some places: offset above `first`, and position in the segment.
    pub(crate) points: Vec<(u32, u32)>,
    /// The routes of the entries.
    pub(crate) routes: Vec<u32>,
    /// For each entry which of `routes` it is; empty while there is but one.
    pub(crate) codes: Vec<u8>,
}

impl Extent {
    pub(crate) fn new(segment: u64, first: u64) -> Self {
        let (points, routes, codes) = (Vec::new(), Vec::new(), Vec::new());
        Self { segment, first, count: 0, bytes: 0, left: 0, max_expiry: 0, points, routes, codes }
    }

    /// Returns the offset behind the last entry.
    pub(crate) fn end(&self) -> u64 {
        self.first + u64::from(self.count)
    }

    pub(crate) fn contains(&self, offset: u64) -> bool {
        self.first <= offset && offset < self.end()
    }

    /// Adds the next entry, or returns `false` when the extent can take no more.
    pub(crate) fn push(&mut self, route: u32, expires: u64, position: u32, bytes: u32) -> bool {
        let known = self.routes.iter().rposition(|&known| known == route);
        if self.count == u32::MAX || (known.is_none() && self.routes.len() == MAX_ROUTES) {
            return false;
        }
        let code = known.unwrap_or_else(|| {
            if self.routes.len() == 1 {
                self.codes = vec![0; self.count as usize];
            }
            self.routes.push(route);
            self.routes.len() - 1
        });
        if self.routes.len() > 1 {
            self.codes.push(u8::try_from(code).unwrap_or(u8::MAX));
        }
        if self.points.last().is_none_or(|&(_, last)| position.saturating_sub(last) >= POINT_BYTES) {
            self.points.push((self.count, position));
        }
        self.count += 1;
        self.bytes += u64::from(bytes);
        self.left += u64::from(bytes);
        self.max_expiry = self.max_expiry.max(expires);
        true
    }

    /// Returns whether the parts fit together, as they do unless they were read from somewhere.
    pub(crate) fn is_sound(&self) -> bool {
        let codes = if self.routes.len() > 1 { self.count as usize } else { 0 };
        self.count > 0
            && self.first.checked_add(u64::from(self.count)).is_some()
            && (1..=MAX_ROUTES).contains(&self.routes.len())
            && self.codes.len() == codes
            && self.codes.iter().all(|&code| usize::from(code) < self.routes.len())
            && self.points.first().is_some_and(|&(delta, _)| delta == 0)
            && self.points.is_sorted()
    }

    /// Takes note that nobody waits for so many of the entries any more; returns their bytes, supposing that all have the
    /// same.
    pub(crate) fn leave(&mut self, entries: u64) -> u64 {
        let bytes = (self.bytes / u64::from(self.count.max(1))).saturating_mul(entries).min(self.left);
        self.left -= bytes;
        bytes
    }

    /// Returns the route of an entry that is in the extent.
    pub(crate) fn route_at(&self, offset: u64) -> Option<u32> {
        let code = match self.routes.as_slice() {
            [_] => 0,
            _ => self.codes.get(usize::try_from(offset.checked_sub(self.first)?).ok()?).copied()?,
        };
        self.routes.get(usize::from(code)).copied()
    }

    /// Returns whether all entries have expired.
    pub(crate) fn is_expired(&self, now: u64) -> bool {
        self.max_expiry != NEVER && self.max_expiry <= now
    }

    /// Returns a position at or before that of the entry `offset`, and the offset there.
    pub(crate) fn place(&self, offset: u64) -> (u64, u32) {
        let delta = offset.saturating_sub(self.first);
        let after = self.points.partition_point(|&(point, _)| u64::from(point) <= delta);
        let (point, position) = self.points.get(after.saturating_sub(1)).copied().unwrap_or_default();
        (self.first + u64::from(point), position)
    }

    /// Returns how many of the entries from `from` up to, not including, `to` each route has.
    pub(crate) fn count_routes(&self, from: u64, to: u64) -> Counts {
        let mut counts = Counts::default();
        let from = usize::try_from(from.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let to =
            usize::try_from(to.saturating_sub(self.first)).unwrap_or(usize::MAX).min(self.count as usize);
        if let (true, &[route]) = (from < to, self.routes.as_slice()) {
            counts.add(route, (to - from) as u64);
            return counts;
        }
        let mut by_code = [0u64; MAX_ROUTES];
        for &code in self.codes.get(from..to).unwrap_or_default() {
            if let Some(count) = by_code.get_mut(usize::from(code)) {
                *count += 1;
            }
        }
        for (&route, entries) in self.routes.iter().zip(by_code) {
            counts.add(route, entries);
        }
        counts
    }

    /// Returns the entries from `from` up to, not including, `to` as an extent of their own; `None` when there are none.
    ///
    /// The latest expiry stays that of the whole.
    pub(crate) fn slice(&self, from: u64, to: u64) -> Option<Self> {
        let (from, to) = (from.max(self.first), to.min(self.end()));
        let count = u32::try_from(to.checked_sub(from)?).ok().filter(|&count| count > 0)?;
        let skipped = u32::try_from(from - self.first).ok()?;
        let (_, position) = self.place(from);
        let later = self.points.iter().filter(|&&(point, _)| skipped < point && point < skipped + count);
        let points = std::iter::once((0, position)).chain(later.map(|&(point, at)| (point - skipped, at)));
        let codes = self.codes.get(skipped as usize..(skipped + count) as usize).unwrap_or_default();
        Some(Self {
            segment: self.segment,
            first: from,
            count,
            bytes: self.bytes / u64::from(self.count) * u64::from(count),
            left: self.bytes / u64::from(self.count) * u64::from(count),
            max_expiry: self.max_expiry,
            points: points.collect(),
            routes: self.routes.clone(),
            codes: codes.to_vec(),
        })
    }

    /// Gives back spare memory; no entry is added any more.
    pub(crate) fn shrink(&mut self) {
        self.points.shrink_to_fit();
        self.routes.shrink_to_fit();
        self.codes.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extent(routes: &[u32]) -> Extent {
        let mut extent = Extent::new(1, 100);
        for (at, &route) in (0..).zip(routes) {
            assert!(extent.push(route, u64::from(at), at * 40_000, 100));
        }
        extent
    }

    fn check(routes: &[u32], from: u64, to: u64, expected: &[(u32, u64)]) {
        assert_eq!(extent(routes).count_routes(from, to).iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn routes_are_counted_exactly() {
        check(&[7, 7, 7], 100, 103, &[(7, 3)]);
        check(&[7, 7, 7], 101, 200, &[(7, 2)]);
        check(&[7, 8, 7, 9], 101, 104, &[(7, 1), (8, 1), (9, 1)]);
        check(&[7, 8], 103, 104, &[]);
        check(&[7], 102, 101, &[]);
    }

    #[test]
    fn places_are_at_or_before() {
        let extent = extent(&[1, 1, 1, 1, 1]);
        assert_eq!(extent.place(100), (100, 0));
        assert_eq!(extent.place(101), (100, 0));
        assert_eq!(extent.place(102), (102, 80_000));
        assert_eq!(extent.place(104), (104, 160_000));
    }

    #[test]
    fn a_slice_has_its_own_entries() {
        let whole = extent(&[7, 8, 7, 9, 9]);
        let slice = whole.slice(101, 104).unwrap();
        assert_eq!((slice.first, slice.end()), (101, 104));
        assert_eq!(slice.count_routes(0, 200), whole.count_routes(101, 104));
        assert_eq!(slice.place(101), (101, 0));
        assert_eq!(slice.place(102), (102, 80_000));
        assert_eq!((whole.bytes, slice.bytes, slice.left), (500, 300, 300));
        assert_eq!(whole.slice(0, 200), Some(whole.clone()));
        assert_eq!(whole.slice(105, 200), None);
        assert_eq!(whole.slice(103, 103), None);
    }

    #[test]
    fn the_257th_route_needs_another_extent() {
        let mut extent = extent(&(0..256).collect::<Vec<_>>());
        assert!(!extent.push(256, 0, u32::MAX, 1));
        assert!(extent.push(255, 0, u32::MAX, 1));
    }
}
