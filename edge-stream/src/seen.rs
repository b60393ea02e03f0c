//! Which messages were counted: what comes again after a crash or an error is recognised.

use std::collections::{BTreeMap, VecDeque};

use edge_core::Stored;

/// How many messages of each route are remembered.
pub(crate) const REMEMBERED: usize = 16_384;

/// How many routes are remembered.
const ROUTES: usize = 64;

/// A message's place in its queue, and what tells it from another that later has the same place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) route: Box<str>,
    pub(crate) offset: u64,
    pub(crate) print: u64,
}

impl Mark {
    pub(crate) fn of(stored: &Stored) -> Self {
        let sum = u64::from(crc32fast::hash(stored.message.encoded()));
        let print = sum << 32 | stored.enqueued.as_unix_ms() & 0xffff_ffff;
        Self { route: stored.route.as_str().into(), offset: stored.offset, print }
    }
}

/// The messages of each route that were counted last, by rising offset.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Seen(pub(crate) BTreeMap<Box<str>, VecDeque<(u64, u64)>>);

impl Seen {
    pub(crate) fn contains(&self, mark: &Mark) -> bool {
        let Some(list) = self.0.get(&mark.route) else { return false };
        let at = list.partition_point(|(offset, _)| *offset < mark.offset);
        list.get(at) == Some(&(mark.offset, mark.print))
    }

    pub(crate) fn insert(&mut self, mark: &Mark) {
        if !self.0.contains_key(&mark.route) && self.0.len() >= ROUTES {
            // Routes come and go with configurations; the shortest list is the least loss.
            let least = self.0.iter().min_by_key(|(_, list)| list.len()).map(|(route, _)| route.clone());
            least.map(|route| self.0.remove(&route));
        }
        let list = self.0.entry(mark.route.clone()).or_default();
        let at = list.partition_point(|(offset, _)| *offset < mark.offset);
        match list.get_mut(at) {
            Some(known) if known.0 == mark.offset => {
                // The queue began anew: what is remembered is of the one before.
                list.clear();
                list.push_back((mark.offset, mark.print));
            }
            _ => list.insert(at, (mark.offset, mark.print)),
        }
        if list.len() > REMEMBERED {
            list.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(offset: u64, print: u64) -> Mark {
        Mark { route: "r".into(), offset, print }
    }

    #[test]
    fn what_was_counted_is_known_in_any_order() {
        let mut seen = Seen::default();
        for offset in [3, 1, 2, 7] {
            seen.insert(&mark(offset, offset));
        }
        assert!([1, 2, 3, 7].iter().all(|offset| seen.contains(&mark(*offset, *offset))));
        assert!(!seen.contains(&mark(4, 4)));
    }

    #[test]
    fn a_queue_that_begins_anew_is_no_repetition() {
        let mut seen = Seen::default();
        (0..10).for_each(|offset| seen.insert(&mark(offset, 1)));
        assert!(!seen.contains(&mark(0, 2)));
        seen.insert(&mark(0, 2));
        assert!(!seen.contains(&mark(1, 1)), "what came before is forgotten");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut seen = Seen::default();
        (0..REMEMBERED as u64 + 5).for_each(|offset| seen.insert(&mark(offset, 0)));
        assert!(!seen.contains(&mark(4, 0)));
        assert!(seen.contains(&mark(5, 0)));
        (0..100).for_each(|n| seen.insert(&Mark { route: n.to_string().into(), offset: 0, print: 0 }));
        assert!(seen.0.len() <= ROUTES);
    }
}
