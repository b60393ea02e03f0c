//! How many entries each route has.

/// Entries by route number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// By rising route number; no zeros.
    counts: Vec<(u32, u64)>,
}

impl Counts {
    pub(crate) fn add(&mut self, route: u32, entries: u64) {
        if entries == 0 {
            return;
        }
        match self.counts.binary_search_by_key(&route, |&(route, _)| route) {
            Ok(at) => {
                if let Some((_, count)) = self.counts.get_mut(at) {
                    *count += entries;
                }
            }
            Err(at) => self.counts.insert(at, (route, entries)),
        }
    }

    pub(crate) fn subtract(&mut self, route: u32, entries: u64) {
        let Ok(at) = self.counts.binary_search_by_key(&route, |&(route, _)| route) else {
            debug_assert_eq!(entries, 0, "route {route} has nothing to take");
            return;
        };
        if let Some((_, count)) = self.counts.get_mut(at) {
            debug_assert!(*count >= entries, "route {route} has {count}, {entries} are taken");
            *count = count.saturating_sub(entries);
            if *count == 0 {
                self.counts.remove(at);
            }
        }
    }

    pub(crate) fn of(&self, route: u32) -> u64 {
        let at = self.counts.binary_search_by_key(&route, |&(route, _)| route);
        at.ok().and_then(|at| self.counts.get(at)).map_or(0, |&(_, count)| count)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        self.counts.iter().copied()
    }
}
